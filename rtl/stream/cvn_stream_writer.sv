/// Strided write stream: beats -> L1.
///
/// Purpose: walks a job's addresses, one FIFO and one TCDM master per lane; lanes drain
/// independently. Masked lanes drop their word. The job is done when its last word is written.
/// Latency: 1 cycle from an accepted beat to its write request; one beat per cycle without
/// conflicts, also across queued jobs.
/// Handshake: job_*: valid/ready, registers copied on acceptance, done is a pulse in job order;
/// valid_i/ready_o: ready from registers; TCDM: requests from registers.
/// YAML: transfers.<stream>.loops / fifo_depth.
`include "cvn_assert.svh"

module cvn_stream_writer
  import cvn_pkg::reg_t, cvn_pkg::stream_beat_t, cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t;
  import cvn_pkg::word_t;
#(
  parameter int unsigned Lanes        = 0,
  parameter int unsigned Loops        = 0,
  parameter int unsigned FifoDepth    = 0,
  /// Beats a lane may run ahead of the slowest one: a power of two.
  parameter int unsigned AddressDepth = 0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clr_i,

  input  logic             job_valid_i,
  output logic             job_ready_o,
  output logic             job_done_o,
  input  reg_t             base_i,
  input  reg_t             lane_stride_i,
  input  reg_t             tail_loop_i,
  input  reg_t             tail_lanes_i,
  input  logic [15:0]      most_lanes_i,
  input  reg_t [Loops-1:0] bound_i,
  input  reg_t [Loops-1:0] stride_i,

  input  logic             valid_i,
  output logic             ready_o,
  input  word_t            data_i[Lanes],

  output tcdm_req_t        tcdm_req_o[Lanes],
  input  tcdm_rsp_t        tcdm_rsp_i[Lanes]
);
  logic beat_valid, beat_ready;
  stream_beat_t beat;
  logic [Lanes-1:0] lane_valid, lane_full, lane_go, lane_masked, lane_behind, lane_take;
  reg_t lane_addr[Lanes];
  word_t lane_data[Lanes];

  cvn_agu #(
    .Loops (Loops),
    .Pixels(1)
  ) i_agu (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (clr_i),
    .job_valid_i  (job_valid_i),
    .job_ready_o  (job_ready_o),
    .base_i       (base_i),
    .lane_stride_i(lane_stride_i),
    .word_stride_i('0),
    .tail_loop_i  (tail_loop_i),
    .tail_lanes_i (tail_lanes_i),
    .most_lanes_i (most_lanes_i),
    .folded_i     (1'b0),
    .row_lanes_i  ('0),
    .row_step_i   ('0),
    .row_jump_i   ('0),
    .bound_i      (bound_i),
    .stride_i     (stride_i),
    .valid_o      (beat_valid),
    .ready_i      (beat_ready),
    .beat_o       (beat)
  );

  cvn_address_queue #(
    .Lanes        (Lanes),
    .LanesPerPixel(1),
    .Fold         (1),
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

  cvn_scatter_fifo #(
    .Lanes(Lanes),
    .Depth(FifoDepth)
  ) i_fifo (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clr_i  (clr_i),
    .valid_i(valid_i),
    .ready_o(ready_o),
    .data_i (data_i),
    .valid_o(lane_full),
    .take_i (lane_take),
    .data_o (lane_data)
  );

  assign lane_go = lane_valid & lane_full;

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      tcdm_req_o[l].valid = lane_go[l] && !lane_masked[l];
      tcdm_req_o[l].write = 1'b1;
      tcdm_req_o[l].behind = lane_behind[l];
      tcdm_req_o[l].addr  = lane_addr[l];
      tcdm_req_o[l].wdata = lane_data[l];
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      lane_take[l] = lane_go[l] && (lane_masked[l] || tcdm_rsp_i[l].gnt);
    end
  end

  `CVN_ASSERT_INIT(FifoDepthChosen, FifoDepth > 0, "The caller must choose the FIFO depth.")
endmodule
