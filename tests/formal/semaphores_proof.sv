/// What must hold of cvn_semaphores: no count is lost or made up, and nobody waits without reason.
///
/// One semaphore (any, chosen by the solver) is counted beside the design: posts minus grants that
/// ask for it. Rule of the module: a semaphore has one consumer, and its count stays in range.
module semaphores_proof
  import cvn_pkg::NumSemaphores, cvn_pkg::sem_mask_t;
#(
  parameter int unsigned Posters    = 2,
  parameter int unsigned Requesters = 3,
  parameter int unsigned CountBits  = 4
) (
  input logic                             clk_i,
  input logic                             rst_ni,
  input logic                             clr_i,
  input sem_mask_t [Posters-1:0]          post_i,
  input sem_mask_t [Requesters-1:0]       req_i,
  input logic [$clog2(NumSemaphores)-1:0] watch_i
);
  logic [Requesters-1:0] gnt;
  sem_mask_t             missing;

  cvn_semaphores #(
    .NumPosters(Posters), .NumRequesters(Requesters), .CountBits(CountBits)
  ) i_semaphores (
    .clk_i, .rst_ni, .clr_i, .post_i, .req_i, .gnt_o(gnt), .missing_o(missing)
  );

  logic                             started_q;
  logic [$clog2(NumSemaphores)-1:0] watch_q;
  int unsigned                      posted, consumers, taken, count_q;

  logic                             idle_wait;  // somebody waits although all it asks for is there

  always_comb begin
    posted    = 0;
    consumers = 0;
    taken     = 0;
    idle_wait = 1'b0;
    for (int unsigned p = 0; p < Posters; p++) posted += 32'(post_i[p][watch_i]);
    for (int unsigned r = 0; r < Requesters; r++) begin
      consumers += 32'(req_i[r][watch_i]);
      taken     += 32'(req_i[r][watch_i] && gnt[r]);
      idle_wait |= !gnt[r] && req_i[r] != '0 && (req_i[r] & missing) == '0;
    end
  end

  initial started_q = 1'b0;
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    watch_q   <= watch_i;
    if (!started_q) assume (!rst_ni);
    else            assume (rst_ni && watch_i == watch_q);
    count_q <= (!rst_ni || clr_i) ? 0 : count_q + posted - taken;
  end

  // The rules that the users of the module keep.
  sem_mask_t asked, shared, in_range;
  always_comb begin
    asked  = '0;
    shared = '0;
    for (int unsigned s = 0; s < NumSemaphores; s++) begin
      in_range[s] = 32'(i_semaphores.count_q[s]) < 2 ** CountBits - 1 - Posters;
    end
    for (int unsigned r = 0; r < Requesters; r++) begin
      shared |= asked & req_i[r];
      asked  |= req_i[r];
    end
    assume (shared == '0);
    assume (&in_range);
    assume (32'(watch_i) < NumSemaphores);
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      Conserved:  assert (32'(i_semaphores.count_q[watch_i]) == count_q);
      Available:  assert (taken <= count_q);
      OneTaker:   assert (taken <= 1 && consumers <= 1);
      Missing:    assert (missing[watch_i] == (consumers != 0 && count_q == 0));
      Reachable:  cover (count_q == 3 && taken == 1);
      NoIdleWait: assert (!idle_wait);
    end
  end
endmodule
