/// What must hold of cvn_tcdm: one winner per bank, no bank idle while asked for, nobody starves, and a
/// read returns what was written last, through whichever view of the addresses.
///
/// Masters keep a request until it is granted; whether it holds others back may change. One word (any)
/// and one master (any) are watched.
module tcdm_proof
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
#(
  parameter int unsigned Masters = 3,
  parameter int unsigned Urgent  = 1,
  parameter int unsigned Banks   = 2,
  parameter int unsigned Words   = 4,
  parameter int unsigned Views   = 1,
  /// 0: all requests write zero to word 0, to look at who wins only.
  parameter bit          Payload = 1'b1,
  /// Cycles within which every request must be granted.
  parameter int unsigned Patience = 16 * Masters
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        clr_i,
  input tcdm_req_t   req_i[Masters],
  input logic [31:0] word_i,
  input logic [31:0] master_i
);
  tcdm_rsp_t rsp[Masters];

  cvn_tcdm #(
    .NumMasters(Masters), .Urgent(Urgent), .Banks(Banks), .Words(Words), .Views(Views)
  ) i_tcdm (
    .clk_i, .rst_ni, .clr_i, .req_i, .rsp_o(rsp), .denied_o()
  );

  // Row * Banks + bank of a word address, from the definition of the views in the YAML reference.
  function automatic int unsigned place(input logic [31:0] address);
    int unsigned view, offset, group, number, rest;
    view   = address / Words;
    offset = address % Words;
    group  = Banks >> view;
    number = offset / (group * (Words / Banks));
    rest   = offset % (group * (Words / Banks));
    return rest / group * Banks + number * group + rest % group;
  endfunction

  logic        started_q;
  logic [31:0] word_q, master_q;
  tcdm_req_t   req_q[Masters];
  logic        held_q[Masters];
  always_ff @(posedge clk_i) begin
    word_q   <= word_i;
    master_q <= master_i;
    req_q    <= req_i;
    for (int unsigned m = 0; m < Masters; m++) held_q[m] <= req_i[m].valid && !rsp[m].gnt;
  end

  initial started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;

  logic lawful;
  always_comb begin
    lawful = !clr_i && word_i < Words && master_i < Masters;
    if (started_q) lawful &= rst_ni && word_i == word_q && master_i == master_q;
    else           lawful &= !rst_ni;
    for (int unsigned m = 0; m < Masters; m++) begin
      lawful &= req_i[m].addr < Words * (Views + 1);
      if (started_q && held_q[m]) begin
        lawful &= {req_i[m].valid, req_i[m].write, req_i[m].addr, req_i[m].wdata} ==
                  {req_q[m].valid, req_q[m].write, req_q[m].addr, req_q[m].wdata};
      end
      if (!rst_ni) lawful &= !req_i[m].valid;
      if (!Payload) lawful &= req_i[m].write && req_i[m].addr == '0 && req_i[m].wdata == '0;
    end
    assume (lawful);
  end

  // One winner per asked bank, and nobody else.
  logic one_winner;
  always_comb begin
    one_winner = 1'b1;
    for (int unsigned b = 0; b < Banks; b++) begin
      int unsigned asking, winning;
      asking  = 0;
      winning = 0;
      for (int unsigned m = 0; m < Masters; m++) begin
        if (place(req_i[m].addr) % Banks == b) begin
          asking  += 32'(req_i[m].valid);
          winning += 32'(rsp[m].gnt);
        end
      end
      one_winner &= winning == 32'(asking != 0);
    end
    for (int unsigned m = 0; m < Masters; m++) one_winner &= req_i[m].valid || !rsp[m].gnt;
  end

  // The watched word, and who reads it.
  word_t value_q;
  logic  known_q, due_q[Masters], wrong;
  always_ff @(posedge clk_i) begin
    for (int unsigned m = 0; m < Masters; m++) begin
      due_q[m] <= rst_ni && known_q && rsp[m].gnt && !req_i[m].write &&
                  place(req_i[m].addr) == word_i;
      if (rsp[m].gnt && req_i[m].write && place(req_i[m].addr) == word_i) begin
        value_q <= req_i[m].wdata;
        known_q <= 1'b1;
      end
    end
    if (!rst_ni) known_q <= 1'b0;
  end
  word_t expected_q;
  always_ff @(posedge clk_i) expected_q <= value_q;
  always_comb begin
    wrong = 1'b0;
    for (int unsigned m = 0; m < Masters; m++) begin
      wrong |= due_q[m] && (!rsp[m].rvalid || rsp[m].rdata != expected_q);
    end
  end

  int unsigned waited_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni || !req_i[master_i].valid || rsp[master_i].gnt) waited_q <= 0;
    else waited_q <= waited_q + 1;
  end

  // What induction needs to know of the storage and of reads under way.
  for (genvar b = 0; b < Banks; b++) begin : gen_stored
    always_ff @(posedge clk_i) begin
      if (rst_ni && known_q && word_i % Banks == b) begin
        Stored: assert (i_tcdm.gen_bank[b].i_bank.mem_q[word_i/Banks] == value_q);
      end
    end
  end

  // Cycles until the turn of the watched master, the 8th of every 16 being one master's.
  localparam int unsigned Round = 16 * Masters;
  int unsigned favoured, left;
  always_comb begin
    favoured = 32'(i_tcdm.favoured_q);
    left = (16 * master_i + 8 + 2 * Round - 16 * favoured - 32'(i_tcdm.turn_q)) % Round;
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      OneTurn:   assert (32'(i_tcdm.favoured_q) < Masters);
      Nearer:    assert (Payload || !req_i[master_i].valid || waited_q + left < Patience);
      OneWinner: assert (one_winner);
      LastWrite: assert (!wrong);
      Patient:   assert (Payload || waited_q < Patience);
      Reachable: cover (waited_q == 3 && known_q);
    end
  end
endmodule
