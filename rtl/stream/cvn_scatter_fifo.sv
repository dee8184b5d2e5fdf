/// FIFO of beats whose words leave lane by lane.
///
/// Purpose: a beat enters as a whole, every lane takes its words on its own.
/// Latency: 1 cycle from an accepted beat to valid_o.
/// Handshake: beats: valid/ready, ready from registers; lanes: valid from registers, taken by take_i.
`include "cvn_assert.svh"

module cvn_scatter_fifo
  import cvn_pkg::word_t;
#(
  parameter int unsigned Lanes = 0,
  parameter int unsigned Depth = 0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clr_i,

  input  logic             valid_i,
  output logic             ready_o,
  input  word_t            data_i[Lanes],

  output logic [Lanes-1:0] valid_o,
  input  logic [Lanes-1:0] take_i,
  output word_t            data_o[Lanes]
);
  // Pointers run over a power of two of places, of which Depth are used at a time.
  localparam int unsigned IndexBits = (Depth > 1) ? $clog2(Depth) : 1;
  typedef logic [IndexBits:0] pointer_t;
  typedef logic [IndexBits-1:0] index_t;

  word_t    mem_q[Lanes][2**IndexBits];
  pointer_t write_d, write_q;
  pointer_t read_d[Lanes];
  pointer_t read_q[Lanes];
  logic     push;

  always_comb begin
    ready_o = 1'b1;
    for (int unsigned l = 0; l < Lanes; l++) begin
      if (pointer_t'(write_q - read_q[l]) == pointer_t'(Depth)) ready_o = 1'b0;
      valid_o[l] = write_q != read_q[l];
      data_o[l]  = mem_q[l][index_t'(read_q[l])];
      read_d[l]  = read_q[l] + pointer_t'(take_i[l]);
    end
  end

  assign push    = valid_i && ready_o;
  assign write_d = write_q + pointer_t'(push);

  always_ff @(posedge clk_i) begin
    if (push) begin
      for (int unsigned l = 0; l < Lanes; l++) mem_q[l][index_t'(write_q)] <= data_i[l];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      for (int unsigned l = 0; l < Lanes; l++) read_q[l] <= '0;
    end else if (clr_i) begin
      write_q <= '0;
      for (int unsigned l = 0; l < Lanes; l++) read_q[l] <= '0;
    end else begin
      write_q <= write_d;
      read_q  <= read_d;
    end
  end

  `CVN_ASSERT_INIT(LanesChosen, Lanes > 0, "The caller must choose the number of lanes.")
  `CVN_ASSERT_INIT(DepthChosen, Depth > 0, "The caller must choose the depth of the FIFO.")
  `CVN_ASSERT(TakeValid, (take_i & ~valid_o) == '0, "A lane took a word that was not there.")
endmodule
