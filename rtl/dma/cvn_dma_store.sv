/// DMA from L1 to DRAM: N-dimensional strided copies.
///
/// Purpose: jobs of all channels are served round robin; lanes read ahead independently and a beat is
/// written when all its words are there. Partial beats use write strobes.
/// Latency: burst request 1 cycle after the job is offered, its first data beat 4 cycles after that;
/// the job is done in the cycle of the last write response.
/// Handshake: jobs and AXI4 channels valid/ready; TCDM as in cvn_pkg; job_done_o is a pulse.
/// AXI4: one ID, INCR, full width, no data beat before its address, responses in order.
/// YAML: transfers.<store>.channels, .loops, .outstanding, .bytes_per_cycle.
`include "cvn_assert.svh"

module cvn_dma_store
  import cvn_pkg::reg_t, cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
#(
  parameter int unsigned Channels = 0,
  parameter int unsigned NumRegs = 0,
  parameter int unsigned Loops = 0,
  parameter cvn_dma_pkg::registers_t Registers = '0,
  /// Words per beat and TCDM ports.
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0,
  parameter int unsigned Outstanding = 0,
  /// Words a lane buffers, and beats that may be under way.
  parameter int unsigned LaneDepth = 0,
  parameter int unsigned BeatDepth = 0
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  input  logic                             clr_i,

  input  logic [Channels-1:0]              job_valid_i,
  output logic [Channels-1:0]              job_ready_o,
  input  reg_t [Channels-1:0][NumRegs-1:0] regs_i,
  output logic [Channels-1:0]              job_done_o,
  output logic                             idle_o,

  output logic                             aw_valid_o,
  input  logic                             aw_ready_i,
  output reg_t                             aw_addr_o,
  output logic [7:0]                       aw_len_o,
  output logic                             w_valid_o,
  input  logic                             w_ready_i,
  output word_t [Lanes-1:0]                w_data_o,
  /// One bit per byte.
  output logic [Lanes*cvn_pkg::WordBytes-1:0] w_strb_o,
  output logic                             w_last_o,
  input  logic                             b_valid_i,
  output logic                             b_ready_o,

  output tcdm_req_t                        tcdm_req_o[Lanes],
  input  tcdm_rsp_t                        tcdm_rsp_i[Lanes]
);
  localparam int unsigned ChannelBits = (Channels > 1) ? $clog2(Channels) : 1;
  localparam int unsigned AheadBits = $clog2(Outstanding + 1);
  typedef logic [ChannelBits-1:0] channel_t;
  typedef logic [AheadBits-1:0] ahead_t;

  typedef struct packed {
    channel_t         channel;
    logic             fill;
    logic [7:0]       value;
    logic             windowed;
    reg_t             line;
    reg_t             at;
    reg_t             plane;
    reg_t             top;
    reg_t             bytes;
    reg_t             dram;
    reg_t             l1;
    reg_t             run;
    reg_t             words;
    reg_t             word_stride;
    reg_t             run_stride;
    reg_t [Loops-1:0] bound;
    reg_t [Loops-1:0] dram_stride;
    reg_t [Loops-1:0] l1_stride;
  } job_t;

  typedef struct packed {
    logic     job_last;
    channel_t channel;
  } burst_t;

  typedef struct packed {
    logic             burst_last;
    logic [Lanes-1:0] mask;
  } beat_t;

  // ---- Jobs: to the request side and to the data side at once ---------------------------------
  logic job_valid, ahead_ready, rows_ready;
  job_t job;

  cvn_dma_jobs #(
    .Channels  (Channels),
    .NumRegs   (NumRegs),
    .Loops     (Loops),
    .Registers (Registers),
    .HasFill   (1'b0),
    .HasWindows(1'b0),
    .job_t     (job_t)
  ) i_jobs (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (job_valid_i),
    .job_ready_o (job_ready_o),
    .regs_i      (regs_i),
    .valid_o     (job_valid),
    .ready_i     (ahead_ready && rows_ready),
    .job_o       (job)
  );

  // ---- Request side ------------------------------------------------------------------------------
  logic ahead_valid, ahead_taken, ahead_last, ahead_end, burst_valid, burst_ready, burst_last;
  reg_t ahead_dram, ahead_l1, ahead_along, ahead_across;
  job_t ahead_job;
  logic open_ready, open_valid;
  burst_t open_burst;

  cvn_dma_rows #(
    .Loops (Loops),
    .job_t (job_t)
  ) i_rows_ahead (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (job_valid && rows_ready),
    .job_ready_o (ahead_ready),
    .job_i       (job),
    .row_valid_o (ahead_valid),
    .row_ready_i (ahead_taken),
    .row_dram_o  (ahead_dram),
    .row_l1_o    (ahead_l1),
    .row_along_o (ahead_along),
    .row_across_o(ahead_across),
    .row_end_o   (ahead_end),
    .row_last_o  (ahead_last),
    .row_job_o   (ahead_job)
  );

  cvn_dma_bursts #(
    .Lanes    (Lanes),
    .MaxBeats (MaxBeats)
  ) i_bursts (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clr_i         (clr_i),
    .row_valid_i   (ahead_valid),
    .row_ready_o   (ahead_taken),
    .row_dram_i    (ahead_dram),
    .row_words_i   (ahead_job.words),
    .burst_valid_o (burst_valid),
    .burst_ready_i (burst_ready),
    .burst_addr_o  (aw_addr_o),
    .burst_len_o   (aw_len_o),
    .burst_last_o  (burst_last)
  );

  assign aw_valid_o  = burst_valid && open_ready;
  assign burst_ready = aw_ready_i && open_ready;

  // Bursts without a response; its depth limits the outstanding ones.
  cvn_fifo #(
    .T     (burst_t),
    .Depth (Outstanding)
  ) i_open (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (clr_i),
    .valid_i (burst_valid && aw_ready_i),
    .ready_o (open_ready),
    .data_i  ('{job_last: burst_last && ahead_last, channel: ahead_job.channel}),
    .valid_o (open_valid),
    .ready_i (b_valid_i),
    .data_o  (open_burst)
  );

  assign b_ready_o = 1'b1;
  always_comb begin
    job_done_o = '0;
    job_done_o[open_burst.channel] = b_valid_i && open_valid && open_burst.job_last;
  end

  // ---- Data side ---------------------------------------------------------------------------------
  logic row_valid, row_taken, row_last, row_end, beat_valid, beat_enter;
  logic beat_burst_last, beat_job_last;
  reg_t row_dram, row_l1, row_along, row_across;
  job_t row_job;
  logic [Lanes-1:0] beat_mask, lane_ready, lane_enter, word_valid, word_taken;
  reg_t [Lanes-1:0] beat_addr;
  cvn_pkg::word_t [Lanes-1:0] word;
  logic next_ready, next_valid, write;
  beat_t next_beat;
  ahead_t ahead_d, ahead_q;

  cvn_dma_rows #(
    .Loops (Loops),
    .job_t (job_t)
  ) i_rows (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (job_valid && ahead_ready),
    .job_ready_o (rows_ready),
    .job_i       (job),
    .row_valid_o (row_valid),
    .row_ready_i (row_taken),
    .row_dram_o  (row_dram),
    .row_l1_o    (row_l1),
    .row_along_o (row_along),
    .row_across_o(row_across),
    .row_end_o   (row_end),
    .row_last_o  (row_last),
    .row_job_o   (row_job)
  );

  cvn_dma_beats #(
    .Lanes    (Lanes),
    .MaxBeats (MaxBeats),
    .job_t    (job_t)
  ) i_beats (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (clr_i),
    .row_valid_i  (row_valid),
    .row_ready_o  (row_taken),
    .row_dram_i   (row_dram),
    .row_l1_i     (row_l1),
    .row_last_i   (row_last),
    .row_job_i    (row_job),
    .beat_valid_o (beat_valid),
    .beat_ready_i (beat_enter),
    .beat_mask_o  (beat_mask),
    .beat_addr_o  (beat_addr),
    .burst_last_o (beat_burst_last),
    .job_last_o   (beat_job_last)
  );

  assign beat_enter = beat_valid && next_ready && (beat_mask & ~lane_ready) == '0;
  assign lane_enter = beat_enter ? beat_mask : '0;

  cvn_fifo #(
    .T     (beat_t),
    .Depth (BeatDepth)
  ) i_beat_queue (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (clr_i),
    .valid_i (beat_enter),
    .ready_o (next_ready),
    .data_i  ('{burst_last: beat_burst_last, mask: beat_mask}),
    .valid_o (next_valid),
    .ready_i (write),
    .data_o  (next_beat)
  );

  // A beat goes out when its burst was requested and all its words are there.
  assign w_valid_o  = next_valid && ahead_q != '0 && (next_beat.mask & ~word_valid) == '0;
  assign w_last_o   = next_beat.burst_last;
  assign write      = w_valid_o && w_ready_i;
  assign word_taken = write ? next_beat.mask : '0;
  assign ahead_d    = ahead_q + ahead_t'(aw_valid_o && aw_ready_i) - ahead_t'(write && w_last_o);

  for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
    cvn_dma_read_lane #(
      .Depth (LaneDepth)
    ) i_lane (
      .clk_i        (clk_i),
      .rst_ni       (rst_ni),
      .clr_i        (clr_i),
      .addr_valid_i (lane_enter[l]),
      .addr_ready_o (lane_ready[l]),
      .addr_i       (beat_addr[l]),
      .word_valid_o (word_valid[l]),
      .word_ready_i (word_taken[l]),
      .word_o       (word[l]),
      .tcdm_req_o   (tcdm_req_o[l]),
      .tcdm_rsp_i   (tcdm_rsp_i[l])
    );
    // A lane that the beat leaves out reads on meanwhile: its bytes must not change on a waiting bus.
    assign w_data_o[l] = next_beat.mask[l] ? word[l] : '0;
    assign w_strb_o[l*cvn_pkg::WordBytes+:cvn_pkg::WordBytes] =
        {cvn_pkg::WordBytes{next_beat.mask[l]}};
  end

  assign idle_o = job_valid_i == '0 && !row_valid && !ahead_valid && !open_valid;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    ahead_q <= '0;
    else if (clr_i) ahead_q <= '0;
    else            ahead_q <= ahead_d;
  end

  `CVN_ASSERT_INIT(Outstanding, Outstanding > 0, "The caller must choose outstanding bursts.")
  `CVN_ASSERT(Answered, !b_valid_i || open_valid,
              "The memory answered a write burst that was not requested.")
endmodule
