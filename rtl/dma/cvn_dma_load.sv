/// DMA from DRAM to L1: N-dimensional strided copies and constant fills.
///
/// Purpose: copies, windows and fills; jobs of all channels are served round robin. Requests run ahead of data by up to
/// Outstanding bursts and JobsInFlight jobs, so jobs follow one another without a lost beat.
/// Latency: burst request 1 cycle after the job is offered; a word is offered to L1 in the cycle
/// after its beat; the job is done in the cycle after its last write grant.
/// Handshake: jobs and AXI4 channels valid/ready; TCDM as in cvn_pkg; job_done_o is a pulse.
/// AXI4: one ID, INCR, full width, read data in order.
/// YAML: transfers.<load>.channels, .loops, .outstanding, .bytes_per_cycle.
`include "cvn_assert.svh"

module cvn_dma_load
  import cvn_pkg::reg_t, cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
#(
  parameter int unsigned Channels = 0,
  parameter int unsigned NumRegs = 0,
  parameter int unsigned Loops = 0,
  parameter cvn_dma_pkg::registers_t Registers = '0,
  /// Whether jobs can write a constant.
  parameter bit HasFill = 1'b0,
  /// Whether jobs can load windows.
  parameter bit HasWindows = 1'b0,
  /// Words per beat and TCDM ports.
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0,
  parameter int unsigned Outstanding = 0,
  parameter int unsigned JobsInFlight = 0,
  /// Words a lane buffers when its bank is taken.
  parameter int unsigned LaneDepth = 0
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  input  logic                             clr_i,

  input  logic [Channels-1:0]              job_valid_i,
  output logic [Channels-1:0]              job_ready_o,
  input  reg_t [Channels-1:0][NumRegs-1:0] regs_i,
  output logic [Channels-1:0]              job_done_o,
  output logic                             idle_o,

  output logic                             ar_valid_o,
  input  logic                             ar_ready_i,
  output reg_t                             ar_addr_o,
  output logic [7:0]                       ar_len_o,
  input  logic                             r_valid_i,
  output logic                             r_ready_o,
  input  word_t [Lanes-1:0]                r_data_i,
  input  logic                             r_last_i,

  output tcdm_req_t                        tcdm_req_o[Lanes],
  input  tcdm_rsp_t                        tcdm_rsp_i[Lanes]
);
  localparam int unsigned ChannelBits = (Channels > 1) ? $clog2(Channels) : 1;
  localparam int unsigned OutstandingBits = $clog2(Outstanding + 1);
  localparam int unsigned Tags = 4;
  localparam int unsigned TagBits = $clog2(Tags);
  typedef logic [OutstandingBits-1:0] outstanding_t;
  typedef logic [ChannelBits-1:0] channel_t;
  typedef logic [TagBits-1:0] tag_t;

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
    tag_t  tag;
    reg_t  addr;
    word_t data;
  } lane_word_t;

  // ---- Jobs: to the request side, and over a FIFO to the data side ----------------------------
  logic job_valid, job_ready, ahead_ready, queue_ready, queue_valid, queue_pop;
  job_t job, queue_job;

  assign job_ready = queue_ready && (job.fill || ahead_ready);

  cvn_dma_jobs #(
    .Channels  (Channels),
    .NumRegs   (NumRegs),
    .Loops     (Loops),
    .Registers (Registers),
    .HasFill   (HasFill),
    .HasWindows(HasWindows),
    .job_t     (job_t)
  ) i_jobs (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (job_valid_i),
    .job_ready_o (job_ready_o),
    .regs_i      (regs_i),
    .valid_o     (job_valid),
    .ready_i     (job_ready),
    .job_o       (job)
  );

  cvn_fifo #(
    .T     (job_t),
    .Depth (JobsInFlight)
  ) i_in_flight (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (clr_i),
    .valid_i (job_valid && (job.fill || ahead_ready)),
    .ready_o (queue_ready),
    .data_i  (job),
    .valid_o (queue_valid),
    .ready_i (queue_pop),
    .data_o  (queue_job)
  );

  // ---- Request side ------------------------------------------------------------------------------
  logic burst_valid, burst_ready;
  outstanding_t outstanding_d, outstanding_q;

  cvn_dma_requests #(
    .HasWindows (HasWindows),
    .Loops      (Loops),
    .Lanes      (Lanes),
    .MaxBeats   (MaxBeats),
    .job_t      (job_t)
  ) i_requests (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clr_i         (clr_i),
    .job_valid_i   (job_valid && !job.fill && queue_ready),
    .job_ready_o   (ahead_ready),
    .job_i         (job),
    .burst_valid_o (burst_valid),
    .burst_ready_i (burst_ready),
    .burst_addr_o  (ar_addr_o),
    .burst_len_o   (ar_len_o)
  );

  logic may_request;
  assign may_request   = outstanding_q != outstanding_t'(Outstanding);
  assign ar_valid_o    = burst_valid && may_request;
  assign burst_ready   = ar_ready_i && may_request;
  assign outstanding_d = outstanding_q + outstanding_t'(ar_valid_o && ar_ready_i) -
                         outstanding_t'(r_valid_i && r_ready_o && r_last_i);

  // ---- Data side ---------------------------------------------------------------------------------
  logic row_valid, row_taken, row_last, row_end, beat_enter, beat_burst_last, beat_job_last;
  reg_t row_dram, row_l1, row_along, row_across;
  job_t row_job;
  word_t [Lanes-1:0] beat_data;
  logic [Lanes-1:0] beat_mask, lane_ready, lane_enter, lane_valid, lane_leave;
  reg_t [Lanes-1:0] beat_addr;
  lane_word_t lane_word[Lanes];
  tag_t [Lanes-1:0] leave_tag;
  logic lanes_ready, tag_ready;
  tag_t tag;
  logic done;
  channel_t done_channel;
  logic words_idle;

  cvn_dma_rows #(
    .Loops (Loops),
    .job_t (job_t)
  ) i_rows (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (queue_valid),
    .job_ready_o (queue_pop),
    .job_i       (queue_job),
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

  cvn_dma_words #(
    .HasWindows (HasWindows),
    .Lanes      (Lanes),
    .MaxBeats   (MaxBeats),
    .job_t      (job_t)
  ) i_words (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clr_i         (clr_i),
    .row_valid_i   (row_valid),
    .row_ready_o   (row_taken),
    .row_dram_i    (row_dram),
    .row_l1_i      (row_l1),
    .row_along_i   (row_along),
    .row_across_i  (row_across),
    .row_end_i     (row_end),
    .row_last_i    (row_last),
    .row_job_i     (row_job),
    .r_valid_i     (r_valid_i),
    .r_ready_o     (r_ready_o),
    .r_data_i      (r_data_i),
    .burst_last_o  (beat_burst_last),
    .enter_o       (beat_enter),
    .lanes_ready_i (lanes_ready),
    .mask_o        (beat_mask),
    .addr_o        (beat_addr),
    .data_o        (beat_data),
    .job_last_o    (beat_job_last)
  );

  assign lanes_ready = (beat_mask & ~lane_ready) == '0 && tag_ready;
  assign lane_enter  = beat_enter ? beat_mask : '0;

  for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
    cvn_fifo #(
      .T     (lane_word_t),
      .Depth (LaneDepth)
    ) i_lane (
      .clk_i   (clk_i),
      .rst_ni  (rst_ni),
      .clr_i   (clr_i),
      .valid_i (lane_enter[l]),
      .ready_o (lane_ready[l]),
      .data_i  ('{tag: tag, addr: beat_addr[l], data: beat_data[l]}),
      .valid_o (lane_valid[l]),
      .ready_i (tcdm_rsp_i[l].gnt),
      .data_o  (lane_word[l])
    );
    assign tcdm_req_o[l] = '{valid: lane_valid[l], write: 1'b1, behind: 1'b0,
                             addr: lane_word[l].addr, wdata: lane_word[l].data};
    assign lane_leave[l] = lane_valid[l] && tcdm_rsp_i[l].gnt;
    assign leave_tag[l]  = lane_word[l].tag;
  end

  cvn_dma_completion #(
    .Lanes     (Lanes),
    .Tags      (Tags),
    .MaxWords  (Lanes * LaneDepth),
    .channel_t (channel_t)
  ) i_completion (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clr_i           (clr_i),
    .ready_o         (tag_ready),
    .tag_o           (tag),
    .enter_i         (beat_enter),
    .enter_mask_i    (beat_mask),
    .enter_last_i    (beat_job_last),
    .enter_channel_i (row_job.channel),
    .leave_i         (lane_leave),
    .leave_tag_i     (leave_tag),
    .done_o          (done),
    .done_channel_o  (done_channel),
    .idle_o          (words_idle)
  );

  always_comb begin
    job_done_o = '0;
    job_done_o[done_channel] = done;
  end

  assign idle_o = job_valid_i == '0 && !queue_valid && !row_valid && words_idle;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    outstanding_q <= '0;
    else if (clr_i) outstanding_q <= '0;
    else            outstanding_q <= outstanding_d;
  end

  `CVN_ASSERT_INIT(Outstanding, Outstanding > 0, "The caller must choose outstanding bursts.")
  `CVN_ASSERT(BurstEnds, !(r_valid_i && r_ready_o) || r_last_i == beat_burst_last,
              "The memory ended a read burst elsewhere than the request said.")
endmodule
