/// A table of 256 bytes, one look-up per byte lane and cycle.
///
/// Purpose: takes 32 words from a stream after start_i, then y[i] = table[x[i]] for all bytes.
/// Latency: loaded_o in the cycle after the last beat; look-ups combinational.
/// Handshake: start_i is a pulse; beats valid/ready, ready only while the table is incomplete.
/// YAML: compute.<node>.records.<name>.entries.
`include "cvn_assert.svh"

module cvn_vector_table
  import cvn_pkg::word_t;
#(
  parameter int unsigned M     = 0,
  /// Words per beat; a divisor of 32.
  parameter int unsigned Lanes = 0
) (
  input  logic  clk_i,
  input  logic  rst_ni,
  input  logic  clr_i,

  input  logic  start_i,
  input  logic  valid_i,
  output logic  ready_o,
  input  word_t data_i[Lanes],
  output logic  loaded_o,

  input  logic  look_up_i,
  input  word_t x_i[M],
  output word_t y_o[M]
);
  localparam int unsigned Entries = 256;
  localparam int unsigned Beats = Entries / (Lanes * cvn_pkg::WordBytes);
  typedef logic [$clog2(Beats+1)-1:0] count_t;

  logic [7:0] table_q[Entries];
  count_t left_d, left_q;  // beats that are missing
  logic push;
  logic [7:0] first;

  assign ready_o  = left_q != '0;
  assign loaded_o = left_q == '0;
  assign push     = valid_i && ready_o;
  assign left_d   = start_i ? count_t'(Beats) : left_q - count_t'(push);
  assign first    = 8'((Beats - 32'(left_q)) * Lanes * cvn_pkg::WordBytes);

  always_ff @(posedge clk_i) begin
    if (push) begin
      for (int unsigned l = 0; l < Lanes; l++) begin
        for (int unsigned b = 0; b < cvn_pkg::WordBytes; b++) begin
          table_q[first+8'(l*cvn_pkg::WordBytes+b)] <= data_i[l][8*b+:8];
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    left_q <= '0;
    else if (clr_i) left_q <= '0;
    else            left_q <= left_d;
  end

  always_comb begin
    for (int unsigned m = 0; m < M; m++) y_o[m] = '0;
    if (look_up_i) begin
      for (int unsigned m = 0; m < M; m++) begin
        for (int unsigned b = 0; b < cvn_pkg::WordBytes; b++) begin
          y_o[m][8*b+:8] = table_q[x_i[m][8*b+:8]];
        end
      end
    end
  end

  `CVN_ASSERT_INIT(WholeBeats, Lanes > 0 && Beats * Lanes * cvn_pkg::WordBytes == Entries,
                   "The table must be a whole number of beats.")
  `CVN_ASSERT(LookUpLoaded, !look_up_i || loaded_o, "A table was read before it was complete.")
endmodule
