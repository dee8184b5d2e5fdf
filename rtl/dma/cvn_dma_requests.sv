/// Bursts of the rows of a load: whole words, or the part of a window that lies in its line.
///
/// Latency: the first burst of a row is offered in the cycle of the row; one burst per cycle; a
/// window that lies outside its line is passed over in a cycle.
/// Handshake: valid/ready on both sides; row_ready_o depends on burst_ready_i.
/// YAML: transfers.<load>.abilities `windows`, .bytes_per_cycle (bus width).
module cvn_dma_requests
  import cvn_pkg::reg_t;
#(
  parameter bit HasWindows = 1'b0,
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0,
  parameter type job_t = logic
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       clr_i,

  input  logic       row_valid_i,
  output logic       row_ready_o,
  input  reg_t       row_dram_i,
  /// Bytes from the first row of loop 0 to this one.
  input  reg_t       row_offset_i,
  input  job_t       row_job_i,

  output logic       burst_valid_o,
  input  logic       burst_ready_i,
  output reg_t       burst_addr_o,
  output logic [7:0] burst_len_o
);
  localparam int unsigned WordShift = $clog2(cvn_pkg::WordBytes);

  logic empty, bursts_ready, burst_last;
  reg_t first, words;

  if (HasWindows) begin : gen_windows
    reg_t lead, stop, window, bytes;

    cvn_dma_clip i_clip (
      .dram_i  (row_dram_i),
      .at_i    (row_job_i.at + row_offset_i),
      .line_i  (row_job_i.line),
      .size_i  (row_job_i.run << WordShift),
      .lead_o  (lead),
      .end_o   (stop),
      .first_o (window)
    );
    assign bytes = stop - lead + (window & (cvn_pkg::WordBytes - 1));
    assign empty = row_job_i.windowed && stop == lead;
    assign first = row_job_i.windowed ? window : row_dram_i;
    assign words = row_job_i.windowed ? (bytes + (cvn_pkg::WordBytes - 1)) >> WordShift
                                      : row_job_i.words;
  end else begin : gen_words
    assign empty = 1'b0;
    assign first = row_dram_i;
    assign words = row_job_i.words;
  end

  assign row_ready_o = empty || bursts_ready;

  cvn_dma_bursts #(
    .Lanes    (Lanes),
    .MaxBeats (MaxBeats)
  ) i_bursts (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clr_i         (clr_i),
    .row_valid_i   (row_valid_i && !empty),
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
