/// Counting semaphores between engines.
///
/// Purpose: engines post masks of semaphores (each bit counts one up) and ask for masks (each bit
/// counts one down when all bits of the mask are available at once).
/// Latency: a post can be consumed in the next cycle; a grant is given in the cycle of the request.
/// Handshake: req_i is held until gnt_o answers in the same cycle; post_i is a pulse.
/// Rule: a semaphore has one consumer at a time, so grants need no arbitration (asserted).
/// YAML: control.semaphores.
`include "cvn_assert.svh"

module cvn_semaphores
  import cvn_pkg::NumSemaphores, cvn_pkg::sem_mask_t;
#(
  /// Sources of posts.
  parameter int unsigned NumPosters = 0,
  /// Engines that ask for semaphores.
  parameter int unsigned NumRequesters = 0,
  /// Width of a counter.
  parameter int unsigned CountBits = 8
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,
  input  logic                               clr_i,

  input  sem_mask_t [NumPosters-1:0]         post_i,
  input  sem_mask_t [NumRequesters-1:0]      req_i,
  output logic      [NumRequesters-1:0]      gnt_o,

  /// Semaphores that are asked for by a requester and not available.
  output sem_mask_t                          missing_o
);
  typedef logic [CountBits-1:0] count_t;

  count_t [NumSemaphores-1:0] count_d, count_q;
  sem_mask_t available, asked, taken, asked_twice;


  always_comb begin
    for (int unsigned s = 0; s < NumSemaphores; s++) available[s] = count_q[s] != '0;
  end

  always_comb begin
    asked       = '0;
    asked_twice = '0;
    taken       = '0;
    for (int unsigned r = 0; r < NumRequesters; r++) begin
      gnt_o[r]    = req_i[r] != '0 && (req_i[r] & ~available) == '0;
      asked_twice = asked_twice | (asked & req_i[r]);
      asked       = asked | req_i[r];
      if (gnt_o[r]) taken = taken | req_i[r];
    end
  end
  assign missing_o = asked & ~available;

  always_comb begin
    for (int unsigned s = 0; s < NumSemaphores; s++) begin
      count_d[s] = count_q[s] - count_t'(taken[s]);
      for (int unsigned p = 0; p < NumPosters; p++) begin
        count_d[s] = count_d[s] + count_t'(post_i[p][s]);
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    count_q <= '0;
    else if (clr_i) count_q <= '0;
    else            count_q <= count_d;
  end

  `CVN_ASSERT_INIT(NumPosters, NumPosters > 0, "The caller must choose the number of posters.")
  `CVN_ASSERT_INIT(NumRequesters, NumRequesters > 0,
                   "The caller must choose the number of requesters.")
  `CVN_ASSERT(OneConsumer, asked_twice == '0,
              "Two engines wait for the same semaphore; each semaphore may have one consumer.")
  for (genvar s = 0; s < int'(NumSemaphores); s++) begin : gen_overflow
    `CVN_ASSERT(NoOverflow, clr_i || count_q[s] < count_t'(-1) - count_t'(NumPosters),
                "A semaphore overflows: it is posted and never waited for.")
  end
endmodule
