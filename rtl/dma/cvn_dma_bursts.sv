/// Cuts rows into AXI4 INCR bursts.
///
/// Purpose: a burst ends with its row or at an aligned block of MaxBeats beats, which is at most
/// 4 KiB; so no burst crosses a 4 KiB boundary and the data side finds the same cuts by itself.
/// Latency: the first burst of a row is offered in the cycle of the row; one burst per cycle.
/// Handshake: valid/ready on both sides; row_ready_o depends on burst_ready_i.
/// YAML: memories.<off-chip>, transfers.<load, store>.bytes_per_cycle (bus width).
`include "cvn_assert.svh"

module cvn_dma_bursts
  import cvn_pkg::reg_t;
#(
  /// Words per beat.
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       clr_i,

  input  logic       row_valid_i,
  output logic       row_ready_o,
  input  reg_t       row_dram_i,
  input  reg_t       row_words_i,

  output logic       burst_valid_o,
  input  logic       burst_ready_i,
  output reg_t       burst_addr_o,
  /// Beats minus one, as in AXI.
  output logic [7:0] burst_len_o,
  /// Last burst of its row.
  output logic       burst_last_o
);
  localparam int unsigned BeatBytes = Lanes * cvn_pkg::WordBytes;
  localparam int unsigned BeatShift = $clog2(BeatBytes);
  localparam int unsigned WordShift = $clog2(cvn_pkg::WordBytes);
  localparam int unsigned BlockBits = $clog2(MaxBeats);

  // A row that is cut: beat address and beats left; a fresh row comes from the port.
  logic cut_d, cut_q;
  reg_t beat_d, beat_q, beats_d, beats_q;
  reg_t beat, beats, block_left, length;

  always_comb begin
    beat  = beat_q;
    beats = beats_q;
    if (!cut_q) begin
      beat  = row_dram_i >> BeatShift;
      beats = (((row_dram_i & (BeatBytes - 1)) >> WordShift) + row_words_i + (Lanes - 1)) / Lanes;
    end
  end

  assign block_left    = MaxBeats - reg_t'(beat[BlockBits-1:0]);
  assign length        = (beats < block_left) ? beats : block_left;

  assign burst_valid_o = row_valid_i;
  assign burst_addr_o  = beat << BeatShift;
  assign burst_len_o   = 8'(length - 32'd1);
  assign burst_last_o  = beats == length;
  assign row_ready_o   = burst_ready_i && burst_last_o;

  assign cut_d   = (burst_valid_o && burst_ready_i) ? !burst_last_o : cut_q;
  assign beat_d  = beat + length;
  assign beats_d = beats - length;

  always_ff @(posedge clk_i) begin
    if (burst_valid_o && burst_ready_i) begin
      beat_q  <= beat_d;
      beats_q <= beats_d;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    cut_q <= 1'b0;
    else if (clr_i) cut_q <= 1'b0;
    else            cut_q <= cut_d;
  end

  `CVN_ASSERT_INIT(Lanes, Lanes > 0 && (Lanes & (Lanes - 1)) == 0,
                   "The number of lanes must be a power of two.")
  `CVN_ASSERT_INIT(MaxBeats, MaxBeats > 1 && (MaxBeats & (MaxBeats - 1)) == 0 && MaxBeats <= 256 &&
                   MaxBeats * BeatBytes <= 4096,
                   "A burst block must be a power of two of beats within 4 KiB and 256 beats.")
endmodule
