/// Banked L1 memory with a full combinational crossbar (tightly coupled data memory).
///
/// Word w lives in bank w % Banks, row w / Banks. Every bank serves one access per cycle, chosen
/// round robin per bank: streams that sweep the banks in step lock into different phases after one
/// conflict. The first `Urgent` masters go before the others: an operand lane of the array needs a
/// word in every cycle and can never make up for a lost one, whereas results and DMA have slack.
/// Lanes that hold their beat back go before others of their class: lanes of a strided beat that a
/// foreign access has thrown out of step fall into step again within a few cycles.
/// Nobody starves: in every 16th cycle the others go before the urgent ones, in every 16th one master
/// goes before all, each in its turn; each class has a round robin of its own.
/// Latency: grant in the cycle of the request, read data exactly one cycle later.
/// Handshake: see cvn_pkg::tcdm_req_t / tcdm_rsp_t (valid-then-grant, read data not stallable).
/// YAML: memories.<l1>.size / banks / word_bytes.
///
/// Requests are scattered to banks with a computed index (a decoder per master), and a bank selects
/// its winner's access by index (a multiplexer per bank): few passes, which keeps simulation fast.
/// Addresses beyond the memory are further views of the same words: in view v (word addresses
/// v * Words and up) words interleave over groups of Banks / 2^v banks, one group after the other, so
/// that buffers in different groups never collide. YAML: memories.<l1>.bank_group, smallest group.
`include "cvn_assert.svh"

module cvn_tcdm
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
#(
  parameter int unsigned NumMasters = 0,
  /// Masters that go before the others (the first ones); 0: all are equal.
  parameter int unsigned Urgent     = 0,
  /// Power of two.
  parameter int unsigned Banks      = 0,
  /// Words of the whole memory: a power of two, at least 2 per bank.
  parameter int unsigned Words      = 0,
  /// Views besides the first: each halves the group of banks that words interleave over.
  parameter int unsigned Views      = 0,
  localparam int unsigned DeniedBits = $clog2(NumMasters + 1)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clr_i,
  input  tcdm_req_t             req_i[NumMasters],
  output tcdm_rsp_t             rsp_o[NumMasters],
  /// Requests that were not granted in this cycle.
  output logic [DeniedBits-1:0] denied_o
);
  localparam int unsigned BankBits = (Banks > 1) ? $clog2(Banks) : 1;
  localparam int unsigned BankShift = $clog2(Banks);
  localparam int unsigned Rows = Words / Banks;
  localparam int unsigned RowBits = $clog2(Rows);
  localparam int unsigned WordBits = $clog2(Words);
  localparam int unsigned MasterBits = (NumMasters > 1) ? $clog2(NumMasters) : 1;
  typedef logic [NumMasters-1:0] masters_t;
  typedef logic [MasterBits-1:0] master_t;
  typedef logic [BankBits-1:0] bank_t;
  typedef logic [RowBits-1:0] row_t;

  localparam masters_t One = masters_t'(1);
  localparam masters_t UrgentMask = ~(masters_t'('1) << Urgent);

  masters_t bank_req[Banks];
  masters_t bank_gnt[Banks];
  masters_t above_d[Banks];
  masters_t above_q[Banks];  // per class, ones above the last winner: these come first
  logic     bank_valid[Banks];
  logic     bank_write[Banks];
  row_t     bank_row[Banks];
  word_t    bank_wdata[Banks];
  word_t    bank_rdata[Banks];

  bank_t    bank[NumMasters];
  master_t  winner[Banks];
  masters_t behind, first_class, valid, gnt, read_d, read_q;
  bank_t    read_bank_q[NumMasters];
  logic [3:0] turn_d, turn_q;
  masters_t favoured, favoured_d, favoured_q;  // one-hot, a turn each

  // In view v the low BankShift - v bits choose the bank inside the group and the high v bits of the
  // word the group.
  function automatic bank_t bank_of(input logic [31:0] addr);
    bank_t found;
    found = (Banks > 1) ? bank_t'(addr) : '0;
    for (int unsigned v = 1; v <= Views; v++) begin
      if (addr >> WordBits == v) begin
        found = bank_t'(addr & ((32'd1 << (BankShift - v)) - 32'd1)) |
                bank_t'(((addr & (Words - 1)) >> (WordBits - v)) << (BankShift - v));
      end
    end
    return found;
  endfunction

  function automatic row_t row_of(input logic [31:0] addr);
    row_t found;
    found = row_t'(addr >> BankShift);
    for (int unsigned v = 1; v <= Views; v++) begin
      if (addr >> WordBits == v) found = row_t'(addr >> (BankShift - v));
    end
    return found;
  endfunction

  // Masters whose number has bit i set.
  function automatic masters_t with_bit(input int unsigned i);
    masters_t found;
    for (int unsigned m = 0; m < NumMasters; m++) found[m] = 1'((m >> i) & 1);
    return found;
  endfunction

  function automatic master_t index_of(input masters_t one_hot);
    master_t found;
    for (int unsigned i = 0; i < MasterBits; i++) found[i] = (one_hot & with_bit(i)) != '0;
    return found;
  endfunction

  // ---- Arbitration -------------------------------------------------------------------------------
  assign turn_d = turn_q + 4'd1;

  always_comb begin
    behind = '0;
    for (int unsigned b = 0; b < Banks; b++) bank_req[b] = '0;
    for (int unsigned m = 0; m < NumMasters; m++) begin
      bank[m]   = bank_of(req_i[m].addr);
      behind[m] = req_i[m].behind;
      if (req_i[m].valid) bank_req[bank[m]][m] = 1'b1;
    end
  end

  assign first_class = (turn_q == '0) ? ~UrgentMask : UrgentMask;
  assign favoured    = (turn_q == 4'd8) ? favoured_q : '0;
  assign favoured_d  = (turn_q != '1) ? favoured_q :
                       (favoured_q << 1) | masters_t'(favoured_q[NumMasters-1]);

  // The candidates of a bank: urgent ones if there are any, of these lanes that hold their beat back,
  // of these the ones after the last winner.
  always_comb begin
    for (int unsigned b = 0; b < Banks; b++) begin
      masters_t considered;
      considered = bank_req[b];
      if ((considered & first_class) != '0) considered &= first_class;
      if ((considered & behind) != '0) considered &= behind;
      if ((considered & above_q[b]) != '0) considered &= above_q[b];
      if ((bank_req[b] & favoured) != '0) considered = favoured;
      bank_gnt[b] = considered & (~considered + One);
    end
  end

  // The winner's access. Without a winner the fields of master 0 pass, but bank_valid is 0.
  always_comb begin
    for (int unsigned b = 0; b < Banks; b++) begin
      masters_t served;
      winner[b]     = index_of(bank_gnt[b]);
      served        = ((bank_gnt[b] & UrgentMask) != '0) ? UrgentMask : ~UrgentMask;
      above_d[b]    = above_q[b];
      if (bank_gnt[b] != '0) begin
        above_d[b] = (~(bank_gnt[b] | (bank_gnt[b] - One)) & served) | (above_q[b] & ~served);
      end
      bank_valid[b] = bank_gnt[b] != '0;
      bank_write[b] = req_i[winner[b]].write;
      bank_row[b]   = row_of(req_i[winner[b]].addr);
      bank_wdata[b] = req_i[winner[b]].wdata;
    end
  end

  always_comb begin
    valid  = '0;
    gnt    = '0;
    read_d = '0;
    for (int unsigned b = 0; b < Banks; b++) begin
      valid  |= bank_req[b];
      gnt    |= bank_gnt[b];
      read_d |= bank_write[b] ? '0 : bank_gnt[b];
    end
  end

  assign denied_o = DeniedBits'($countones(valid & ~gnt));

  // ---- Banks and responses -----------------------------------------------------------------------
  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    cvn_bank #(
      .Rows(Rows)
    ) i_bank (
      .clk_i  (clk_i),
      .req_i  (bank_valid[b]),
      .write_i(bank_write[b]),
      .row_i  (bank_row[b]),
      .wdata_i(bank_wdata[b]),
      .rdata_o(bank_rdata[b])
    );
  end

  always_ff @(posedge clk_i) read_bank_q <= bank;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_q     <= '0;
      turn_q     <= '0;
      favoured_q <= One;
      for (int unsigned b = 0; b < Banks; b++) above_q[b] <= '0;
    end else if (clr_i) begin
      read_q     <= '0;
      turn_q     <= '0;
      favoured_q <= One;
      for (int unsigned b = 0; b < Banks; b++) above_q[b] <= '0;
    end else begin
      read_q     <= read_d;
      turn_q     <= turn_d;
      favoured_q <= favoured_d;
      above_q    <= above_d;
    end
  end

  always_comb begin
    for (int unsigned m = 0; m < NumMasters; m++) begin
      rsp_o[m].gnt    = gnt[m];
      rsp_o[m].rvalid = read_q[m];
      rsp_o[m].rdata  = bank_rdata[read_bank_q[m]];
    end
  end

  // ---- Checks ------------------------------------------------------------------------------------
`ifndef SYNTHESIS
  logic beyond;
  always_comb begin
    beyond = 1'b0;
    for (int unsigned b = 0; b < Banks; b++) begin
      beyond |= bank_valid[b] && req_i[winner[b]].addr >= Words * (Views + 1);
    end
  end
  `CVN_ASSERT(AddressInRange, !beyond,
              "A master addressed a word beyond the end of the L1 memory.")
`endif
  `CVN_ASSERT_INIT(NumMastersChosen, NumMasters > 0, "The caller must choose the masters.")
  `CVN_ASSERT_INIT(UrgentInRange, Urgent <= NumMasters,
                   "There are fewer masters than urgent ones.")
  `CVN_ASSERT_INIT(BanksPowerOfTwo, Banks > 0 && Banks == 2 ** $clog2(Banks),
                   "The number of banks must be a power of two.")
  `CVN_ASSERT_INIT(ViewsFit, Views <= BankShift, "A view needs at least one bank per group.")
  `CVN_ASSERT_INIT(WordsPowerOfTwo, Words >= 2 * Banks && Words == 2 ** $clog2(Words),
                   "The words of the memory must be a power of two, two per bank at least.")
endmodule
