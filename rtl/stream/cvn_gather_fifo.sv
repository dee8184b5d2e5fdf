/// FIFO of beats whose words arrive lane by lane, one cycle after they were asked for.
///
/// Purpose: every lane reserves places on its own; a beat leaves when all its lanes have arrived.
/// Latency: reserve -> data captured 1 cycle later -> valid_o in the cycle after that.
/// Handshake: a lane may reserve only while its room_o is set (from registers); the word is taken from
/// data_i in the next cycle (0 if zero_i was set); beats: valid/ready, valid from registers.
`include "cvn_assert.svh"

module cvn_gather_fifo
  import cvn_pkg::word_t;
#(
  parameter int unsigned Lanes = 0,
  parameter int unsigned Depth = 0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clr_i,

  output logic [Lanes-1:0] room_o,
  input  logic [Lanes-1:0] reserve_i,
  input  logic [Lanes-1:0] zero_i,
  input  word_t            data_i[Lanes],

  output logic             valid_o,
  input  logic             ready_i,
  output word_t            data_o[Lanes]
);
  // Pointers run over a power of two of places, of which Depth are used at a time.
  localparam int unsigned IndexBits = (Depth > 1) ? $clog2(Depth) : 1;
  typedef logic [IndexBits:0] pointer_t;
  typedef logic [IndexBits-1:0] index_t;

  word_t            mem_q[Lanes][2**IndexBits];
  pointer_t         reserved_d[Lanes];
  pointer_t         reserved_q[Lanes];
  pointer_t         arrived_q[Lanes];
  pointer_t         read_d, read_q;
  logic [Lanes-1:0] arriving_q, zero_q;

  always_comb begin
    valid_o = 1'b1;
    for (int unsigned l = 0; l < Lanes; l++) begin
      room_o[l]     = pointer_t'(reserved_q[l] - read_q) != pointer_t'(Depth);
      reserved_d[l] = reserved_q[l] + pointer_t'(reserve_i[l]);
      data_o[l]     = mem_q[l][index_t'(read_q)];
      if (arrived_q[l] == read_q) valid_o = 1'b0;
    end
  end

  assign read_d = read_q + pointer_t'(valid_o && ready_i);

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      if (arriving_q[l]) mem_q[l][index_t'(arrived_q[l])] <= zero_q[l] ? '0 : data_i[l];
    end
  end

  // What is reserved now has arrived one cycle later.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_q     <= '0;
      arriving_q <= '0;
      zero_q     <= '0;
      for (int unsigned l = 0; l < Lanes; l++) begin
        reserved_q[l] <= '0;
        arrived_q[l]  <= '0;
      end
    end else if (clr_i) begin
      read_q     <= '0;
      arriving_q <= '0;
      zero_q     <= '0;
      for (int unsigned l = 0; l < Lanes; l++) begin
        reserved_q[l] <= '0;
        arrived_q[l]  <= '0;
      end
    end else begin
      read_q     <= read_d;
      arriving_q <= reserve_i;
      zero_q     <= zero_i;
      reserved_q <= reserved_d;
      arrived_q  <= reserved_q;
    end
  end

  `CVN_ASSERT_INIT(LanesChosen, Lanes > 0, "The caller must choose the number of lanes.")
  `CVN_ASSERT_INIT(DepthChosen, Depth > 0, "The caller must choose the depth of the FIFO.")
  `CVN_ASSERT(ReserveRoom, (reserve_i & ~room_o) == '0,
              "A lane asked for a word although the FIFO has no place for it.")
endmodule
