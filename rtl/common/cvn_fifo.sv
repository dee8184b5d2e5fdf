/// First-in first-out buffer with registered storage.
///
/// Latency: 1 cycle from push to valid_o; one entry per cycle in and out.
/// Handshake: valid/ready on both sides; ready_o and valid_o come from registers only.
`include "cvn_assert.svh"

module cvn_fifo #(
  parameter type         T     = logic,
  /// Entries; any number from 1.
  parameter int unsigned Depth = 0
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic clr_i,

  input  logic valid_i,
  output logic ready_o,
  input  T     data_i,

  output logic valid_o,
  input  logic ready_i,
  output T     data_o
);
  localparam int unsigned IndexBits = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned CountBits = $clog2(Depth + 1);
  typedef logic [IndexBits-1:0] index_t;
  typedef logic [CountBits-1:0] count_t;

  T       mem_q[Depth];
  index_t write_d, write_q, read_d, read_q;
  count_t count_d, count_q;
  logic   push, pop;

  assign ready_o = count_q != count_t'(Depth);
  assign valid_o = count_q != '0;
  assign data_o  = mem_q[read_q];
  assign push    = valid_i && ready_o;
  assign pop     = valid_o && ready_i;

  assign write_d = !push ? write_q : (write_q == index_t'(Depth - 1)) ? '0 : write_q + index_t'(1);
  assign read_d  = !pop ? read_q : (read_q == index_t'(Depth - 1)) ? '0 : read_q + index_t'(1);
  assign count_d = count_q + count_t'(push) - count_t'(pop);

  always_ff @(posedge clk_i) begin
    if (push) mem_q[write_q] <= data_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q  <= '0;
      count_q <= '0;
    end else if (clr_i) begin
      write_q <= '0;
      read_q  <= '0;
      count_q <= '0;
    end else begin
      write_q <= write_d;
      read_q  <= read_d;
      count_q <= count_d;
    end
  end

  `CVN_ASSERT_INIT(DepthChosen, Depth > 0, "The caller must choose the depth of the FIFO.")
  `CVN_ASSERT(CountInRange, 32'(count_q) <= Depth, "The FIFO holds more entries than it has.")
endmodule
