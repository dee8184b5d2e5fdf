/// Datapath of a vector node: sequencer, parameter records, lanes, table, output stage.
///
/// Purpose: beats of x, w, p, t in, beats of y out, under the registers of queued jobs. Results that
/// need no arithmetic (maximum, table) leave through one register, the others through cvn_post.
/// Latency: operands are consumed in the cycle they are there; a tile whose last step runs in cycle t
/// has its first y beat in t+1 (direct, int32) or t+2+8/RequantiseColumns (int8 of cvn_post).
/// Handshake: jobs and beats valid/ready; ready of operands depends on their valid.
/// YAML: compute.<node>, the node that follows it.
`include "cvn_assert.svh"

module cvn_vector_datapath
  import cvn_pkg::reg_t, cvn_pkg::word_t, cvn_pkg::post_job_t, cvn_pkg::gemm_events_t;
  import cvn_pkg::vector_registers_t, cvn_pkg::vector_ops_t, cvn_pkg::vector_job_t;
#(
  parameter int unsigned       M                 = 0,
  parameter int unsigned       RequantiseColumns = 0,
  parameter int unsigned       WLanes            = 0,
  parameter int unsigned       PLanes            = 0,
  parameter int unsigned       TLanes            = 0,
  parameter bit                HasTable          = 1'b0,
  parameter int unsigned       NumRegs           = 0,
  parameter vector_registers_t Registers         = '0,
  parameter vector_ops_t       Operations        = '{default: cvn_pkg::VectorMac}
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clr_i,

  input  logic               job_valid_i,
  output logic               job_ready_o,
  output logic               job_done_o,
  input  reg_t [NumRegs-1:0] regs_i,

  input  logic               x_valid_i,
  output logic               x_ready_o,
  input  word_t              x_i[M],
  input  logic               w_valid_i,
  output logic               w_ready_o,
  input  word_t              w_i[WLanes],
  input  logic               p_valid_i,
  output logic               p_ready_o,
  input  word_t              p_i[PLanes],
  input  logic               t_valid_i,
  output logic               t_ready_o,
  input  word_t              t_i[TLanes],
  output logic               y_valid_o,
  input  logic               y_ready_i,
  output word_t              y_o[M],

  output gemm_events_t       events_o
);
  localparam int unsigned C = cvn_pkg::WordBytes;
  localparam int unsigned ReadColumns = (RequantiseColumns > 2) ? RequantiseColumns : 2;
  typedef logic [3:0] beats_t;

  logic record_valid, record_release, use_record, table_start, table_loaded;
  logic step, first, second, set, tile_valid, tile_ready, direct_valid, direct_ready, read;
  vector_job_t job;
  post_job_t tile_job;
  logic [7:0] record_zk[C];
  logic [7:0] zk[C];
  reg_t bias[C];
  reg_t scale[C];
  reg_t acc[M*ReadColumns];
  logic [$clog2(C)-1:0] column;
  word_t best[M];
  word_t found[M];
  word_t post_y[M];
  word_t no_sums[M];
  logic post_valid, unused_starved, unused_ready;

  cvn_vector_sequencer #(
    .NumRegs   (NumRegs),
    .Registers (Registers),
    .Operations(Operations)
  ) i_sequencer (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clr_i           (clr_i),
    .job_valid_i     (job_valid_i),
    .job_ready_o     (job_ready_o),
    .job_done_o      (job_done_o),
    .regs_i          (regs_i),
    .x_valid_i       (x_valid_i),
    .x_ready_o       (x_ready_o),
    .w_valid_i       (w_valid_i),
    .w_ready_o       (w_ready_o),
    .record_valid_i  (record_valid),
    .record_release_o(record_release),
    .table_start_o   (table_start),
    .table_loaded_i  (table_loaded),
    .step_o          (step),
    .first_o         (first),
    .second_o        (second),
    .set_o           (set),
    .job_o           (job),
    .record_o        (use_record),
    .tile_valid_o    (tile_valid),
    .tile_ready_i    (tile_ready),
    .tile_job_o      (tile_job),
    .direct_valid_o  (direct_valid),
    .direct_ready_i  (direct_ready),
    .events_o        (events_o)
  );

  cvn_params #(
    .N    (C),
    .Lanes(PLanes)
  ) i_params (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clr_i    (clr_i),
    .valid_i  (p_valid_i),
    .ready_o  (p_ready_o),
    .data_i   (p_i),
    .valid_o  (record_valid),
    .release_i(record_release),
    .bias_o   (bias),
    .scale_o  (scale),
    .zb_o     (record_zk)
  );

  for (genvar c = 0; c < int'(C); c++) begin : gen_zero_point
    assign zk[c] = use_record ? record_zk[c] : '0;
  end

  cvn_vector_lanes #(
    .M          (M),
    .WLanes     (WLanes),
    .ReadColumns(ReadColumns)
  ) i_lanes (
    .clk_i   (clk_i),
    .step_i  (step),
    .first_i (first),
    .second_i(second),
    .set_i   (set),
    .job_i   (job),
    .zk_i    (zk),
    .x_i     (x_i),
    .w_i     (w_i),
    .best_o  (best),
    .read_i  (read),
    .column_i(column),
    .acc_o   (acc)
  );

  if (HasTable) begin : gen_table
    cvn_vector_table #(
      .M    (M),
      .Lanes(TLanes)
    ) i_table (
      .clk_i    (clk_i),
      .rst_ni   (rst_ni),
      .clr_i    (clr_i),
      .start_i  (table_start),
      .valid_i  (t_valid_i),
      .ready_o  (t_ready_o),
      .data_i   (t_i),
      .loaded_o (table_loaded),
      .look_up_i(direct_valid && job.op == cvn_pkg::VectorTable),
      .x_i      (x_i),
      .y_o      (found)
    );
  end else begin : gen_no_table
    logic unused_table;
    assign t_ready_o    = 1'b0;
    assign table_loaded = 1'b0;
    assign unused_table = ^{t_valid_i, t_i[0], table_start};
    for (genvar m = 0; m < int'(M); m++) begin : gen_nothing
      assign found[m] = '0;
    end
  end

  for (genvar m = 0; m < int'(M); m++) begin : gen_no_sums
    assign no_sums[m] = '0;
  end

  // A direct result leaves; the output stage waits.
  logic direct_q;

  cvn_post #(
    .M      (M),
    .N      (C),
    .Columns(RequantiseColumns)
  ) i_post (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .tile_valid_i(tile_valid),
    .tile_ready_o(tile_ready),
    .starved_o   (unused_starved),
    .job_i       (tile_job),
    .bias_i      (bias),
    .scale_i     (scale),
    .read_o      (read),
    .column_o    (column),
    .acc_i       (acc),
    .c_valid_i   (1'b0),
    .c_ready_o   (unused_ready),
    .c_i         (no_sums),
    .y_valid_o   (post_valid),
    .y_ready_i   (y_ready_i && !direct_q),
    .y_o         (post_y)
  );

  // ---- Way out -----------------------------------------------------------------------------------
  // A direct result waits until the output stage owes no beat, so beats keep the order of tiles.
  logic direct_d, leave;
  beats_t owed_d, owed_q;
  word_t direct_word_q[M];

  assign leave        = y_ready_i && post_valid && !direct_q;
  assign direct_ready = (!direct_q || y_ready_i) && owed_q == '0;
  assign direct_d     = direct_valid || (direct_q && !y_ready_i);
  assign owed_d       = owed_q - beats_t'(leave) + (!tile_valid ? '0 :
                        tile_job.out == cvn_pkg::OutRequantise ? beats_t'(1) : beats_t'(C / 2));
  assign y_valid_o    = direct_q || post_valid;

  for (genvar m = 0; m < int'(M); m++) begin : gen_way_out
    assign y_o[m] = direct_q ? direct_word_q[m] : post_y[m];
    always_ff @(posedge clk_i) begin
      if (direct_valid) begin
        direct_word_q[m] <= (job.op == cvn_pkg::VectorTable) ? found[m] : best[m];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      direct_q <= 1'b0;
      owed_q   <= '0;
    end else if (clr_i) begin
      direct_q <= 1'b0;
      owed_q   <= '0;
    end else begin
      direct_q <= direct_d;
      owed_q   <= owed_d;
    end
  end

  `CVN_ASSERT(BeatOwed, !leave || owed_q != '0, "The output stage made a beat that no tile owes.")
endmodule
