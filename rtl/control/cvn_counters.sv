/// Event counters of a run.
///
/// Purpose: every counter adds up its events while the program runs; a start clears them, and they
/// keep their values after the end. The cycle counter includes the cycle that fetches the first word.
/// Latency: an event shows one cycle later. Handshake: none.
/// YAML: none (names in covenant's reports follow cvn_pkg::counter_e).
`include "cvn_assert.svh"

module cvn_counters
  import cvn_pkg::NumCounters, cvn_pkg::CounterBits, cvn_pkg::gemm_events_t;
#(
  /// Width of the number of denied requests in a cycle.
  parameter int unsigned DeniedBits = 0
) (
  input  logic                                    clk_i,
  input  logic                                    rst_ni,
  input  logic                                    clr_i,
  input  logic                                    running_i,

  input  gemm_events_t                            gemm_i,
  input  logic [DeniedBits-1:0]                   denied_i,
  input  logic                                    read_beat_i,
  input  logic                                    write_beat_i,
  input  logic                                    read_busy_i,
  input  logic                                    write_busy_i,
  input  logic                                    command_blocked_i,

  output logic [NumCounters-1:0][CounterBits-1:0] counters_o
);
  typedef logic [CounterBits-1:0] counter_t;

  counter_t [NumCounters-1:0] step, counters_d, counters_q;

  assign counters_o = counters_q;

  always_comb begin
    step = '0;
    step[cvn_pkg::CounterCycles]         = counter_t'(1);
    step[cvn_pkg::CounterGemmBusy]       = counter_t'(gemm_i.busy);
    step[cvn_pkg::CounterGemmStarvedA]   = counter_t'(gemm_i.starved_a);
    step[cvn_pkg::CounterGemmStarvedB]   = counter_t'(gemm_i.starved_b);
    step[cvn_pkg::CounterGemmStarvedC]   = counter_t'(gemm_i.starved_c);
    step[cvn_pkg::CounterGemmStarvedP]   = counter_t'(gemm_i.starved_p);
    step[cvn_pkg::CounterGemmBlockedY]   = counter_t'(gemm_i.blocked_y);
    step[cvn_pkg::CounterGemmConfigWait] = counter_t'(gemm_i.config_wait);
    step[cvn_pkg::CounterConflicts]      = counter_t'(denied_i);
    step[cvn_pkg::CounterDmaReadBeats]   = counter_t'(read_beat_i);
    step[cvn_pkg::CounterDmaWriteBeats]  = counter_t'(write_beat_i);
    step[cvn_pkg::CounterDmaReadBusy]    = counter_t'(read_busy_i);
    step[cvn_pkg::CounterDmaWriteBusy]   = counter_t'(write_busy_i);
    step[cvn_pkg::CounterCommandBlocked] = counter_t'(command_blocked_i);
  end

  always_comb begin
    for (int unsigned i = 0; i < NumCounters; i++) counters_d[i] = counters_q[i] + step[i];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      counters_q <= '0;
    end else if (clr_i) begin
      counters_q                         <= '0;
      counters_q[cvn_pkg::CounterCycles] <= counter_t'(1);
    end else if (running_i) begin
      counters_q <= counters_d;
    end
  end

  `CVN_ASSERT_INIT(DeniedBitsChosen, DeniedBits > 0, "The caller must choose the width of denials.")
endmodule
