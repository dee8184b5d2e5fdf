/// Banked L1 memory with a full combinational crossbar (tightly coupled data memory).
///
/// Word w lives in bank w % Banks, row w / Banks. Every bank serves one access per cycle, chosen
/// round robin per bank: streams that sweep the banks in step lock into different phases after one
/// conflict. The first `Urgent` masters go before the others: an operand lane of the array needs a
/// word in every cycle and can never make up for a lost one, whereas results and DMA have slack.
/// Lanes that hold their beat back go before others of their class: lanes of a strided beat that a
/// foreign access has thrown out of step fall into step again within a few cycles. So do parameter
/// records, few words that a whole node waits for, and that results and stores would keep waiting.
/// Nobody starves: in every 16th cycle the others go before the urgent ones, in every 16th one master
/// goes before all, each in its turn; each class has a round robin of its own.
/// Latency: grant in the cycle of the request, read data exactly one cycle later.
/// Handshake: see cvn_pkg::tcdm_req_t / tcdm_rsp_t (valid-then-grant, read data not stallable).
/// YAML: memories.<l1>.size / banks / word_bytes.
///
/// Requests are scattered to banks with a computed index (a decoder per master), and a bank selects
/// its winner's access by index (a multiplexer per bank), the two classes are arbitrated apart: narrow
/// vectors keep simulation fast.
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
  // Vectors over the masters of a class; one that has none gets a bit that is never set.
  localparam int unsigned Others = NumMasters - Urgent;
  localparam int unsigned UrgentWidth = (Urgent > 0) ? Urgent : 1;
  localparam int unsigned OtherWidth = (Others > 0) ? Others : 1;
  typedef logic [UrgentWidth-1:0] urgent_t;
  typedef logic [OtherWidth-1:0] other_t;
  typedef logic [MasterBits-1:0] master_t;
  typedef logic [BankBits-1:0] bank_t;
  typedef logic [RowBits-1:0] row_t;

  // above: ones above the last winner of the class, which come first
  urgent_t urgent_req[Banks], urgent_gnt[Banks], urgent_above_d[Banks], urgent_above_q[Banks];
  other_t  other_req[Banks], other_gnt[Banks], other_above_d[Banks], other_above_q[Banks];
  logic    bank_valid[Banks];
  logic    bank_write[Banks];
  row_t    bank_row[Banks];
  word_t   bank_wdata[Banks];
  word_t   bank_rdata[Banks];

  bank_t    bank[NumMasters];
  master_t  winner[Banks];
  urgent_t  urgent_behind, urgent_valid, urgent_granted, urgent_read_d, urgent_read_q;
  other_t   other_behind, other_valid, other_granted, other_read_d, other_read_q;
  bank_t    read_bank_q[NumMasters];
  logic [3:0] turn_d, turn_q;
  master_t  favoured_d, favoured_q;  // a turn each
  urgent_t  urgent_favoured;
  other_t   other_favoured;
  logic     others_first;

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

  // Masters of a class whose number has bit i set.
  function automatic urgent_t urgent_with_bit(input int unsigned i);
    urgent_t found;
    found = '0;
    for (int unsigned m = 0; m < Urgent; m++) found[m] = 1'((m >> i) & 1);
    return found;
  endfunction

  function automatic other_t other_with_bit(input int unsigned i);
    other_t found;
    found = '0;
    for (int unsigned m = 0; m < Others; m++) found[m] = 1'(((m + Urgent) >> i) & 1);
    return found;
  endfunction

  // The candidates of a class: lanes that hold their beat back if there are any, of these the ones
  // after the last winner, of these the first.
  function automatic urgent_t urgent_choice(input urgent_t req, input urgent_t above);
    urgent_t considered;
    considered = req;
    if ((considered & urgent_behind) != '0) considered &= urgent_behind;
    if ((considered & above) != '0) considered &= above;
    return considered & (~considered + urgent_t'(1));
  endfunction

  function automatic other_t other_choice(input other_t req, input other_t above);
    other_t considered;
    considered = req;
    if ((considered & other_behind) != '0) considered &= other_behind;
    if ((considered & above) != '0) considered &= above;
    return considered & (~considered + other_t'(1));
  endfunction

  // ---- Arbitration -------------------------------------------------------------------------------
  assign turn_d       = turn_q + 4'd1;
  assign others_first = turn_q == '0;

  always_comb begin
    {urgent_behind, urgent_valid, urgent_favoured} = '0;
    {other_behind, other_valid, other_favoured} = '0;
    for (int unsigned b = 0; b < Banks; b++) begin
      urgent_req[b] = '0;
      other_req[b]  = '0;
    end
    for (int unsigned m = 0; m < NumMasters; m++) bank[m] = bank_of(req_i[m].addr);
    for (int unsigned m = 0; m < Urgent; m++) begin
      urgent_behind[m]   = req_i[m].behind;
      urgent_valid[m]    = req_i[m].valid;
      urgent_favoured[m] = turn_q == 4'd8 && favoured_q == master_t'(m);
      if (req_i[m].valid) urgent_req[bank[m]][m] = 1'b1;
    end
    for (int unsigned m = 0; m < Others; m++) begin
      other_behind[m]   = req_i[m+Urgent].behind;
      other_valid[m]    = req_i[m+Urgent].valid;
      other_favoured[m] = turn_q == 4'd8 && favoured_q == master_t'(m + Urgent);
      if (req_i[m+Urgent].valid) other_req[bank[m+Urgent]][m] = 1'b1;
    end
  end

  always_comb begin
    favoured_d = favoured_q;
    if (turn_q == '1) begin
      favoured_d = (favoured_q == master_t'(NumMasters - 1)) ? '0 : favoured_q + master_t'(1);
    end
  end

  always_comb begin
    for (int unsigned b = 0; b < Banks; b++) begin
      logic urgent_goes, other_goes;
      urgent_goes = urgent_req[b] != '0 && !(others_first && other_req[b] != '0);
      other_goes  = other_req[b] != '0 && !urgent_goes;
      urgent_gnt[b] = '0;
      other_gnt[b]  = '0;
      if ((urgent_req[b] & urgent_favoured) != '0) urgent_gnt[b] = urgent_favoured;
      else if ((other_req[b] & other_favoured) != '0) other_gnt[b] = other_favoured;
      else if (urgent_goes) urgent_gnt[b] = urgent_choice(urgent_req[b], urgent_above_q[b]);
      else if (other_goes) other_gnt[b] = other_choice(other_req[b], other_above_q[b]);
    end
  end

  // The winner's access. Without a winner the fields of master 0 pass, but bank_valid is 0.
  always_comb begin
    for (int unsigned b = 0; b < Banks; b++) begin
      for (int unsigned i = 0; i < MasterBits; i++) begin
        winner[b][i] = (urgent_gnt[b] & urgent_with_bit(i)) != '0 ||
                       (other_gnt[b] & other_with_bit(i)) != '0;
      end
      urgent_above_d[b] = urgent_above_q[b];
      other_above_d[b]  = other_above_q[b];
      if (urgent_gnt[b] != '0) begin
        urgent_above_d[b] = ~(urgent_gnt[b] | (urgent_gnt[b] - urgent_t'(1)));
      end
      if (other_gnt[b] != '0) begin
        other_above_d[b] = ~(other_gnt[b] | (other_gnt[b] - other_t'(1)));
      end
      bank_valid[b] = urgent_gnt[b] != '0 || other_gnt[b] != '0;
      bank_write[b] = req_i[winner[b]].write;
      bank_row[b]   = row_of(req_i[winner[b]].addr);
      bank_wdata[b] = req_i[winner[b]].wdata;
    end
  end

  always_comb begin
    urgent_granted = '0;
    other_granted  = '0;
    urgent_read_d  = '0;
    other_read_d   = '0;
    for (int unsigned b = 0; b < Banks; b++) begin
      urgent_granted |= urgent_gnt[b];
      other_granted  |= other_gnt[b];
      urgent_read_d  |= bank_write[b] ? '0 : urgent_gnt[b];
      other_read_d   |= bank_write[b] ? '0 : other_gnt[b];
    end
  end

  assign denied_o = DeniedBits'($countones(urgent_valid & ~urgent_granted)) +
                    DeniedBits'($countones(other_valid & ~other_granted));

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
      urgent_read_q <= '0;
      other_read_q  <= '0;
      turn_q        <= '0;
      favoured_q    <= '0;
      for (int unsigned b = 0; b < Banks; b++) begin
        urgent_above_q[b] <= '0;
        other_above_q[b]  <= '0;
      end
    end else if (clr_i) begin
      urgent_read_q <= '0;
      other_read_q  <= '0;
      turn_q        <= '0;
      favoured_q    <= '0;
      for (int unsigned b = 0; b < Banks; b++) begin
        urgent_above_q[b] <= '0;
        other_above_q[b]  <= '0;
      end
    end else begin
      urgent_read_q  <= urgent_read_d;
      other_read_q   <= other_read_d;
      turn_q         <= turn_d;
      favoured_q     <= favoured_d;
      urgent_above_q <= urgent_above_d;
      other_above_q  <= other_above_d;
    end
  end

  always_comb begin
    for (int unsigned m = 0; m < NumMasters; m++) rsp_o[m].rdata = bank_rdata[read_bank_q[m]];
    for (int unsigned m = 0; m < Urgent; m++) begin
      rsp_o[m].gnt    = urgent_granted[m];
      rsp_o[m].rvalid = urgent_read_q[m];
    end
    for (int unsigned m = 0; m < Others; m++) begin
      rsp_o[m+Urgent].gnt    = other_granted[m];
      rsp_o[m+Urgent].rvalid = other_read_q[m];
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
