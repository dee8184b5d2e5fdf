/// Bursts of the jobs of a load: rows of whole words, or the part of a run that lies in its line.
///
/// Latency: the first burst is offered in the cycle after the job was taken; one burst per cycle; a
/// run that lies outside its line is passed over in a cycle.
/// Handshake: valid/ready on both sides; job_ready_o depends on burst_ready_i.
/// YAML: transfers.<load>.loops, .abilities `windows`, .bytes_per_cycle (bus width).
module cvn_dma_requests
  import cvn_pkg::reg_t;
#(
  parameter bit HasWindows = 1'b0,
  parameter int unsigned Loops = 0,
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0,
  parameter type job_t = logic
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       clr_i,

  input  logic       job_valid_i,
  output logic       job_ready_o,
  input  job_t       job_i,

  output logic       burst_valid_o,
  input  logic       burst_ready_i,
  output reg_t       burst_addr_o,
  output logic [7:0] burst_len_o
);
  localparam int unsigned WordShift = $clog2(cvn_pkg::WordBytes);

  logic row_valid, row_ready, row_last, row_end, empty, bursts_ready, burst_last;
  reg_t row_dram, row_l1, row_along, row_across, first, words;
  job_t row_job;

  cvn_dma_rows #(
    .Loops (Loops),
    .job_t (job_t)
  ) i_rows (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (job_valid_i),
    .job_ready_o (job_ready_o),
    .job_i       (job_i),
    .row_valid_o (row_valid),
    .row_ready_i (row_ready),
    .row_dram_o  (row_dram),
    .row_l1_o    (row_l1),
    .row_along_o (row_along),
    .row_across_o(row_across),
    .row_end_o   (row_end),
    .row_last_o  (row_last),
    .row_job_o   (row_job)
  );

  if (HasWindows) begin : gen_windows
    reg_t lead, stop, window, bytes;

    cvn_dma_clip i_clip (
      .dram_i   (row_dram),
      .along_i  (row_job.at + row_along),
      .line_i   (row_job.line),
      .across_i (row_job.top + row_across),
      .plane_i  (row_job.plane),
      .size_i   (row_job.bytes),
      .lead_o   (lead),
      .end_o    (stop),
      .first_o  (window)
    );
    assign bytes = stop - lead + (window & (cvn_pkg::WordBytes - 1));
    assign empty = row_job.windowed && stop == lead;
    assign first = row_job.windowed ? window : row_dram;
    assign words = row_job.windowed ? (bytes + (cvn_pkg::WordBytes - 1)) >> WordShift
                                      : row_job.words;
  end else begin : gen_words
    assign empty = 1'b0;
    assign first = row_dram;
    assign words = row_job.words;
  end

  assign row_ready = empty || bursts_ready;

  cvn_dma_bursts #(
    .Lanes    (Lanes),
    .MaxBeats (MaxBeats)
  ) i_bursts (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clr_i         (clr_i),
    .row_valid_i   (row_valid && !empty),
    .row_ready_o   (bursts_ready),
    .row_dram_i    (first),
    .row_words_i   (words),
    .burst_valid_o (burst_valid_o),
    .burst_ready_i (burst_ready_i),
    .burst_addr_o  (burst_addr_o),
    .burst_len_o   (burst_len_o),
    .burst_last_o  (burst_last)
  );
endmodule
