/// Strided read stream: L1 -> beats.
///
/// Purpose: walks a job's addresses, one TCDM master and one FIFO per lane. Lanes prefetch
/// independently, a beat leaves when all its words are there. Masked lanes deliver 0 and make no
/// request. The job is done when the last of its words has been read from L1.
/// Latency: 3 cycles from taking a job to its first beat (address, bank, FIFO) without conflicts;
/// then one beat per cycle if FifoDepth is at least 3, also across queued jobs.
/// Handshake: job_*: valid/ready, registers copied on acceptance, done is a pulse in job order;
/// valid_o/ready_i: valid from registers, beat stable until accepted; TCDM: requests from registers.
/// YAML: transfers.<stream>.loops / fifo_depth / lanes.
`include "cvn_assert.svh"

module cvn_stream_reader
  import cvn_pkg::reg_t, cvn_pkg::stream_beat_t, cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t;
  import cvn_pkg::word_t;
#(
  parameter int unsigned Lanes         = 0,
  parameter int unsigned LanesPerPixel = 0,
  /// See cvn_address_queue.
  parameter int unsigned Fold          = 0,
  /// Lanes may run through rows.
  parameter bit          Rows          = 1'b0,
  parameter int unsigned Loops         = 0,
  parameter int unsigned FifoDepth     = 0,
  /// Beats a lane may run ahead of the slowest one: a power of two.
  parameter int unsigned AddressDepth  = 0,
  /// Its requests go before others of their class: few words that much waits for.
  parameter bit          Prompt        = 1'b0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clr_i,

  input  logic             job_valid_i,
  output logic             job_ready_o,
  output logic             job_done_o,
  input  reg_t             base_i,
  input  reg_t             lane_stride_i,
  input  reg_t             word_stride_i,
  input  reg_t             tail_loop_i,
  input  reg_t             tail_lanes_i,
  input  logic [15:0]      most_lanes_i,
  input  logic             folded_i,
  input  reg_t             row_lanes_i,
  input  reg_t             row_step_i,
  input  reg_t             row_jump_i,
  input  reg_t [Loops-1:0] bound_i,
  input  reg_t [Loops-1:0] stride_i,

  output tcdm_req_t        tcdm_req_o[Lanes],
  input  tcdm_rsp_t        tcdm_rsp_i[Lanes],

  output logic             valid_o,
  input  logic             ready_i,
  output word_t            data_o[Lanes]
);
  logic beat_valid, beat_ready;
  stream_beat_t beat;
  logic [Lanes-1:0] lane_valid, lane_room, lane_go, lane_masked, lane_behind, lane_take;
  reg_t lane_addr[Lanes];
  word_t lane_data[Lanes];

  cvn_agu #(
    .Loops (Loops),
    .Pixels(Rows ? Lanes / LanesPerPixel : 1)
  ) i_agu (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (clr_i),
    .job_valid_i  (job_valid_i),
    .job_ready_o  (job_ready_o),
    .base_i       (base_i),
    .lane_stride_i(lane_stride_i),
    .word_stride_i(word_stride_i),
    .tail_loop_i  (tail_loop_i),
    .tail_lanes_i (tail_lanes_i),
    .most_lanes_i (most_lanes_i),
    .folded_i     (folded_i),
    .row_lanes_i  (row_lanes_i),
    .row_step_i   (row_step_i),
    .row_jump_i   (row_jump_i),
    .bound_i      (bound_i),
    .stride_i     (stride_i),
    .valid_o      (beat_valid),
    .ready_i      (beat_ready),
    .beat_o       (beat)
  );

  cvn_address_queue #(
    .Lanes        (Lanes),
    .LanesPerPixel(LanesPerPixel),
    .Fold         (Fold),
    .Depth        (AddressDepth)
  ) i_address_queue (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .beat_valid_i(beat_valid),
    .beat_ready_o(beat_ready),
    .beat_i      (beat),
    .valid_o     (lane_valid),
    .masked_o    (lane_masked),
    .behind_o    (lane_behind),
    .addr_o      (lane_addr),
    .take_i      (lane_take),
    .job_done_o  (job_done_o)
  );

  cvn_gather_fifo #(
    .Lanes(Lanes),
    .Depth(FifoDepth)
  ) i_fifo (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clr_i    (clr_i),
    .room_o   (lane_room),
    .reserve_i(lane_take),
    .zero_i   (lane_masked),
    .data_i   (lane_data),
    .valid_o  (valid_o),
    .ready_i  (ready_i),
    .data_o   (data_o)
  );

  assign lane_go = lane_valid & lane_room;

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      tcdm_req_o[l].valid = lane_go[l] && !lane_masked[l];
      tcdm_req_o[l].write = 1'b0;
      tcdm_req_o[l].behind = Prompt || lane_behind[l];
      tcdm_req_o[l].addr  = lane_addr[l];
      tcdm_req_o[l].wdata = '0;
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      lane_take[l] = lane_go[l] && (lane_masked[l] || tcdm_rsp_i[l].gnt);
      lane_data[l] = tcdm_rsp_i[l].rdata;
    end
  end

`ifndef SYNTHESIS
  logic [Lanes-1:0] expected_q, arrived;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) expected_q <= '0;
    else if (clr_i) expected_q <= '0;
    else expected_q <= lane_take & ~lane_masked;
  end
  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) arrived[l] = tcdm_rsp_i[l].rvalid;
  end
  `CVN_ASSERT(DataOnTime, arrived == expected_q,
              "Read data did not arrive exactly one cycle after its grant.")
`endif
  `CVN_ASSERT_INIT(FifoDepthChosen, FifoDepth > 0, "The caller must choose the FIFO depth.")
endmodule
