/// One lane of the store DMA: reads words from L1 in order.
///
/// Latency: address to word 4 cycles when the bank is free (two FIFOs and the bank); one per cycle.
/// Handshake: valid/ready for addresses and words; requests are only made when the word has room.
`include "cvn_assert.svh"

module cvn_dma_read_lane
  import cvn_pkg::reg_t, cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
#(
  /// Words buffered; at least 3 for one word per cycle.
  parameter int unsigned Depth = 0
) (
  input  logic      clk_i,
  input  logic      rst_ni,
  input  logic      clr_i,

  input  logic      addr_valid_i,
  output logic      addr_ready_o,
  /// L1 word address.
  input  reg_t      addr_i,

  output logic      word_valid_o,
  input  logic      word_ready_i,
  output word_t     word_o,

  output tcdm_req_t tcdm_req_o,
  input  tcdm_rsp_t tcdm_rsp_i
);
  localparam int unsigned CreditBits = $clog2(Depth + 1);
  typedef logic [CreditBits-1:0] credit_t;

  logic addr_valid, request, word_room;
  reg_t addr;
  // Words requested and not yet taken.
  credit_t used_d, used_q;

  cvn_fifo #(
    .T     (reg_t),
    .Depth (2)
  ) i_addresses (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (clr_i),
    .valid_i (addr_valid_i),
    .ready_o (addr_ready_o),
    .data_i  (addr_i),
    .valid_o (addr_valid),
    .ready_i (request && tcdm_rsp_i.gnt),
    .data_o  (addr)
  );

  assign request    = addr_valid && used_q != credit_t'(Depth);
  assign tcdm_req_o = '{valid: request, write: 1'b0, behind: 1'b0, addr: addr,
                        wdata: '0};

  cvn_fifo #(
    .T     (word_t),
    .Depth (Depth)
  ) i_words (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (clr_i),
    .valid_i (tcdm_rsp_i.rvalid),
    .ready_o (word_room),
    .data_i  (tcdm_rsp_i.rdata),
    .valid_o (word_valid_o),
    .ready_i (word_ready_i),
    .data_o  (word_o)
  );

  assign used_d = used_q + credit_t'(request && tcdm_rsp_i.gnt) -
                  credit_t'(word_valid_o && word_ready_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    used_q <= '0;
    else if (clr_i) used_q <= '0;
    else            used_q <= used_d;
  end

  `CVN_ASSERT_INIT(Depth, Depth > 0, "The caller must choose the depth of the lane.")
  `CVN_ASSERT(WordRoom, !tcdm_rsp_i.rvalid || word_room, "A word came back without room for it.")
endmodule
