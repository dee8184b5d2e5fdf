/// Datapath of a gemm node: sequencer, parameter records, array, output stage.
///
/// Purpose: beats of a, b, c, p in, beats of y out, under the registers of queued array jobs.
/// Latency: an operand pair is consumed in the cycle it is there; a tile whose last step runs in
/// cycle t has its first y beat in t+1 (int32) or t+2+8/RequantiseColumns (int8).
/// Handshake: jobs and beats valid/ready; ready of operands depends on their valid.
/// YAML: compute.<node>, compute.post.
module cvn_gemm_datapath
  import cvn_pkg::reg_t, cvn_pkg::word_t, cvn_pkg::post_job_t, cvn_pkg::gemm_events_t;
  import cvn_pkg::NumArrayRegs;
#(
  parameter int unsigned M                 = 0,
  parameter int unsigned N                 = 0,
  parameter int unsigned K                 = 0,
  /// See cvn_gemm_array.
  parameter int unsigned Fold              = 0,
  parameter int unsigned RequantiseColumns = 0,
  parameter int unsigned PLanes            = 0,
  localparam int unsigned LanesA           = M * cvn_pkg::words_per_pixel(K),
  localparam int unsigned LanesB           = cvn_pkg::gemm_b_lanes(N, K, Fold)
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    clr_i,

  input  logic                    job_valid_i,
  output logic                    job_ready_o,
  output logic                    job_done_o,
  input  reg_t [NumArrayRegs-1:0] regs_i,
  /// The job uses the folded shape.
  input  logic                    folded_i,

  input  logic                    a_valid_i,
  output logic                    a_ready_o,
  input  word_t                   a_i[LanesA],
  input  logic                    b_valid_i,
  output logic                    b_ready_o,
  input  word_t                   b_i[LanesB],
  input  logic                    c_valid_i,
  output logic                    c_ready_o,
  input  word_t                   c_i[M],
  input  logic                    p_valid_i,
  output logic                    p_ready_o,
  input  word_t                   p_i[PLanes],
  output logic                    y_valid_o,
  input  logic                    y_ready_i,
  output word_t                   y_o[M],

  output gemm_events_t            events_o
);
  localparam int unsigned ReadColumns = (RequantiseColumns > 2) ? RequantiseColumns : 2;

  logic record_valid, record_release, use_record;
  logic step, first, set, folded, a_signed, b_signed;
  logic [2:0] part;
  logic [7:0] za;
  logic [7:0] record_zb[N];
  logic [7:0] zb[N];
  reg_t bias[N];
  reg_t scale[N];
  logic tile_valid, tile_ready, tile_starved, read;
  post_job_t tile_job;
  logic [$clog2(N)-1:0] column;
  reg_t acc[M*ReadColumns];

  cvn_gemm_sequencer #(
    .K(K)
  ) i_sequencer (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clr_i           (clr_i),
    .job_valid_i     (job_valid_i),
    .job_ready_o     (job_ready_o),
    .job_done_o      (job_done_o),
    .regs_i          (regs_i),
    .folded_i        (folded_i),
    .a_valid_i       (a_valid_i),
    .a_ready_o       (a_ready_o),
    .b_valid_i       (b_valid_i),
    .b_ready_o       (b_ready_o),
    .record_valid_i  (record_valid),
    .record_release_o(record_release),
    .step_o          (step),
    .first_o         (first),
    .set_o           (set),
    .part_o          (part),
    .folded_o        (folded),
    .a_signed_o      (a_signed),
    .b_signed_o      (b_signed),
    .za_o            (za),
    .record_o        (use_record),
    .tile_valid_o    (tile_valid),
    .tile_ready_i    (tile_ready),
    .tile_starved_i  (tile_starved),
    .tile_job_o      (tile_job),
    .events_o        (events_o)
  );

  cvn_params #(
    .N    (N),
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
    .zb_o     (record_zb)
  );

  for (genvar n = 0; n < N; n++) begin : gen_zero_point
    assign zb[n] = use_record ? record_zb[n] : '0;
  end

  cvn_gemm_array #(
    .M          (M),
    .N          (N),
    .K          (K),
    .Fold       (Fold),
    .ReadColumns(ReadColumns)
  ) i_array (
    .clk_i     (clk_i),
    .step_i    (step),
    .first_i   (first),
    .set_i     (set),
    .part_i    (part),
    .folded_i  (folded),
    .a_signed_i(a_signed),
    .b_signed_i(b_signed),
    .za_i      (za),
    .zb_i      (zb),
    .a_i       (a_i),
    .b_i       (b_i),
    .read_i    (read),
    .column_i  (column),
    .acc_o     (acc)
  );

  cvn_post #(
    .M      (M),
    .N      (N),
    .Columns(RequantiseColumns)
  ) i_post (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .tile_valid_i(tile_valid),
    .tile_ready_o(tile_ready),
    .starved_o   (tile_starved),
    .job_i       (tile_job),
    .bias_i      (bias),
    .scale_i     (scale),
    .read_o      (read),
    .column_o    (column),
    .acc_i       (acc),
    .c_valid_i   (c_valid_i),
    .c_ready_o   (c_ready_o),
    .c_i         (c_i),
    .y_valid_o   (y_valid_o),
    .y_ready_i   (y_ready_i),
    .y_o         (y_o)
  );
endmodule
