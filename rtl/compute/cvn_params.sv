/// Parameter records of a gemm node: bias, scale and zero point of N output columns.
///
/// Purpose: gathers one record while another is in use. A record is 9N/8 words: N x {scale, bias}
/// (bias in the low half), then N bytes zb. The active record stays until release_i.
/// Latency: a record is usable in the cycle after its last beat arrived, if none is active.
/// Handshake: beats: valid/ready; record: valid_o until release_i (a pulse, only while valid_o).
/// YAML: compute.<node>.records, transfers.stream_p.lanes.
`include "cvn_assert.svh"

module cvn_params
  import cvn_pkg::reg_t, cvn_pkg::word_t;
#(
  parameter int unsigned N     = 0,
  /// Words per beat; a divisor of 9N/8.
  parameter int unsigned Lanes = 0
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       clr_i,

  input  logic       valid_i,
  output logic       ready_o,
  input  word_t      data_i[Lanes],

  output logic       valid_o,
  input  logic       release_i,
  output reg_t       bias_o[N],
  output reg_t       scale_o[N],
  output logic [7:0] zb_o[N]
);
  localparam int unsigned Words = N + N / cvn_pkg::WordBytes;
  localparam int unsigned Beats = Words / Lanes;
  localparam int unsigned BeatBits = (Beats > 1) ? $clog2(Beats) : 1;
  typedef logic [BeatBits-1:0] beat_t;

  word_t gathered_q[Words];
  word_t active_q[Words];
  beat_t beat_d, beat_q;
  logic full_d, full_q, active_d, active_q_valid;
  logic push, complete, move;

  assign move     = complete && (!active_q_valid || release_i);
  assign ready_o  = !full_q || !active_q_valid || release_i;
  assign push     = valid_i && ready_o;
  // The gathered words, or all but the last beat of them and that beat now.
  assign complete = full_q || (push && beat_q == beat_t'(Beats - 1));
  assign full_d   = full_q ? !move : (complete && !move);
  assign active_d = move || (active_q_valid && !release_i);
  assign beat_d   = !push ? beat_q : (beat_q == beat_t'(Beats - 1)) ? '0 : beat_q + beat_t'(1);

  always_ff @(posedge clk_i) begin
    if (push) begin
      for (int unsigned l = 0; l < Lanes; l++) begin
        gathered_q[32'(beat_q)*Lanes+l] <= data_i[l];
      end
    end
    if (move) begin
      for (int unsigned w = 0; w < Words; w++) begin
        active_q[w] <= (full_q || w < Words - Lanes) ? gathered_q[w] : data_i[w%Lanes];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      beat_q         <= '0;
      full_q         <= 1'b0;
      active_q_valid <= 1'b0;
    end else if (clr_i) begin
      beat_q         <= '0;
      full_q         <= 1'b0;
      active_q_valid <= 1'b0;
    end else begin
      beat_q         <= beat_d;
      full_q         <= full_d;
      active_q_valid <= active_d;
    end
  end

  assign valid_o = active_q_valid;
  for (genvar n = 0; n < N; n++) begin : gen_column
    assign bias_o[n]  = active_q[n][31:0];
    assign scale_o[n] = active_q[n][63:32];
    assign zb_o[n]    = active_q[N+n/cvn_pkg::WordBytes][(n%cvn_pkg::WordBytes)*8+:8];
  end

  `CVN_ASSERT_INIT(WholeWords, N > 0 && N % cvn_pkg::WordBytes == 0,
                   "The columns of the array must be a multiple of 8.")
  `CVN_ASSERT_INIT(WholeBeats, Lanes > 0 && Words % Lanes == 0,
                   "A parameter record must be a whole number of beats.")
  `CVN_ASSERT(ReleaseValid, !release_i || valid_o, "A parameter record was released twice.")
endmodule
