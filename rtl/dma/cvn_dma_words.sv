/// Turns rows and read beats of a load into L1 words: whole words, windows, fills.
///
/// Purpose: rows of whole words and fills go through cvn_dma_beats, windows through
/// cvn_dma_windows.
/// Latency: words are offered in the cycle of their beat, fills in that of their row.
/// Handshake: valid/ready for rows and beats; words leave with enter_o, all lanes of mask_o at once,
/// and only while lanes_ready_i, which may depend on mask_o.
/// YAML: transfers.<load>.abilities, .bytes_per_cycle (Lanes words).
module cvn_dma_words
  import cvn_pkg::reg_t, cvn_pkg::word_t;
#(
  parameter bit HasWindows = 1'b0,
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0,
  parameter type job_t = logic
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clr_i,

  input  logic              row_valid_i,
  output logic              row_ready_o,
  input  reg_t              row_dram_i,
  input  reg_t              row_l1_i,
  /// Bytes from the first row of the job to this one, along its line and across lines.
  input  reg_t              row_along_i,
  input  reg_t              row_across_i,
  /// Last iteration of loop 0.
  input  logic              row_end_i,
  input  logic              row_last_i,
  input  job_t              row_job_i,

  input  logic              r_valid_i,
  output logic              r_ready_o,
  input  word_t [Lanes-1:0] r_data_i,
  /// Last beat of its burst.
  output logic              burst_last_o,

  output logic              enter_o,
  input  logic              lanes_ready_i,
  output logic  [Lanes-1:0] mask_o,
  /// L1 word address and content of every lane.
  output reg_t  [Lanes-1:0] addr_o,
  output word_t [Lanes-1:0] data_o,
  /// Last words of their job.
  output logic              job_last_o
);
  logic windowed, whole_valid, whole_taken, whole_enter, whole_ready, whole_last, whole_job_last;
  logic [Lanes-1:0] whole_mask;
  reg_t [Lanes-1:0] whole_addr;
  word_t [Lanes-1:0] whole_data;

  cvn_dma_beats #(
    .Lanes    (Lanes),
    .MaxBeats (MaxBeats),
    .job_t    (job_t)
  ) i_beats (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (clr_i),
    .row_valid_i  (row_valid_i && !windowed),
    .row_ready_o  (whole_taken),
    .row_dram_i   (row_dram_i),
    .row_l1_i     (row_l1_i),
    .row_last_i   (row_last_i),
    .row_job_i    (row_job_i),
    .beat_valid_o (whole_valid),
    .beat_ready_i (whole_enter),
    .beat_mask_o  (whole_mask),
    .beat_addr_o  (whole_addr),
    .burst_last_o (whole_last),
    .job_last_o   (whole_job_last)
  );

  assign whole_ready = whole_valid && !row_job_i.fill && lanes_ready_i;
  assign whole_enter = whole_valid && lanes_ready_i && (row_job_i.fill || r_valid_i);
  assign whole_data  = row_job_i.fill ? {Lanes * cvn_pkg::WordBytes{row_job_i.value}} : r_data_i;

  if (HasWindows) begin : gen_windows
    logic window_taken, window_ready, window_last, window_enter, window_job_last;
    logic [Lanes-1:0] window_mask;
    reg_t [Lanes-1:0] window_addr;
    word_t [Lanes-1:0] window_data;

    cvn_dma_windows #(
      .Lanes    (Lanes),
      .MaxBeats (MaxBeats),
      .job_t    (job_t)
    ) i_windows (
      .clk_i         (clk_i),
      .rst_ni        (rst_ni),
      .clr_i         (clr_i),
      .row_valid_i   (row_valid_i && windowed),
      .row_ready_o   (window_taken),
      .row_dram_i    (row_dram_i),
      .row_l1_i      (row_l1_i),
      .row_along_i   (row_along_i),
      .row_across_i  (row_across_i),
      .row_end_i     (row_end_i),
      .row_last_i    (row_last_i),
      .row_job_i     (row_job_i),
      .beat_valid_i  (r_valid_i),
      .beat_ready_o  (window_ready),
      .beat_data_i   (r_data_i),
      .burst_last_o  (window_last),
      .enter_o       (window_enter),
      .lanes_ready_i (lanes_ready_i),
      .chunk_mask_o  (window_mask),
      .chunk_addr_o  (window_addr),
      .chunk_data_o  (window_data),
      .job_last_o    (window_job_last)
    );
    assign windowed     = row_job_i.windowed;
    assign row_ready_o  = windowed ? window_taken : whole_taken;
    assign r_ready_o    = windowed ? window_ready : whole_ready;
    assign burst_last_o = windowed ? window_last : whole_last;
    assign enter_o      = windowed ? window_enter : whole_enter;
    assign mask_o       = windowed ? window_mask : whole_mask;
    assign addr_o       = windowed ? window_addr : whole_addr;
    assign data_o       = windowed ? window_data : whole_data;
    assign job_last_o   = windowed ? window_job_last : whole_job_last;
  end else begin : gen_whole_words
    assign windowed     = 1'b0;
    assign row_ready_o  = whole_taken;
    assign r_ready_o    = whole_ready;
    assign burst_last_o = whole_last;
    assign enter_o      = whole_enter;
    assign mask_o       = whole_mask;
    assign addr_o       = whole_addr;
    assign data_o       = whole_data;
    assign job_last_o   = whole_job_last;
  end
endmodule
