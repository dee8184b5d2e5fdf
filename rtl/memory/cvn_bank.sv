/// Single-port memory bank of whole words; the only place where memories are written in this IP.
///
/// Latency: read data one cycle after the request. Handshake: none, every request is served.
/// YAML: memories.<l1>.size / banks.
`include "cvn_assert.svh"

module cvn_bank
  import cvn_pkg::word_t;
#(
  parameter int unsigned Rows = 0,
  localparam int unsigned RowBits = (Rows > 1) ? $clog2(Rows) : 1
) (
  input  logic               clk_i,
  input  logic               req_i,
  input  logic               write_i,
  input  logic [RowBits-1:0] row_i,
  input  word_t              wdata_i,
  output word_t              rdata_o
);
  word_t mem_q[Rows];

  always_ff @(posedge clk_i) begin
    if (req_i) begin
      if (write_i) mem_q[row_i] <= wdata_i;
      else rdata_o <= mem_q[row_i];
    end
  end

  `CVN_ASSERT_INIT(RowsChosen, Rows > 0, "The caller must choose the number of rows of the bank.")
endmodule
