/// Event counters of a run.
///
/// Purpose: every counter adds up its events while the program runs; a start clears them, and they
/// keep their values after the end. The cycle counter includes the cycle that fetches the first word.
/// Events of several compute nodes add up; the wait for a job counts while no node has one.
/// Latency: an event shows one cycle later. Handshake: none.
/// YAML: none (names in covenant's reports follow cvn_pkg::counter_e).
`include "cvn_assert.svh"

module cvn_counters
  import cvn_pkg::NumCounters, cvn_pkg::CounterBits, cvn_pkg::gemm_events_t;
#(
  /// Compute nodes.
  parameter int unsigned NumNodes = 0,
  /// Width of the number of denied requests in a cycle.
  parameter int unsigned DeniedBits = 0
) (
  input  logic                                    clk_i,
  input  logic                                    rst_ni,
  input  logic                                    clr_i,
  input  logic                                    running_i,

  input  gemm_events_t [NumNodes-1:0]             nodes_i,
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

  logic waiting;

  assign counters_o = counters_q;

  always_comb begin
    waiting = 1'b1;
    for (int unsigned n = 0; n < NumNodes; n++) waiting &= nodes_i[n].config_wait;
  end

  always_comb begin
    step = '0;
    step[cvn_pkg::CounterCycles]         = counter_t'(1);
    step[cvn_pkg::CounterConfigWait]     = counter_t'(waiting);
    for (int unsigned n = 0; n < NumNodes; n++) begin
      step[cvn_pkg::CounterBusy]     = step[cvn_pkg::CounterBusy] + counter_t'(nodes_i[n].busy);
      step[cvn_pkg::CounterStarvedA] = step[cvn_pkg::CounterStarvedA] +
                                       counter_t'(nodes_i[n].starved_a);
      step[cvn_pkg::CounterStarvedB] = step[cvn_pkg::CounterStarvedB] +
                                       counter_t'(nodes_i[n].starved_b);
      step[cvn_pkg::CounterStarvedC] = step[cvn_pkg::CounterStarvedC] +
                                       counter_t'(nodes_i[n].starved_c);
      step[cvn_pkg::CounterStarvedP] = step[cvn_pkg::CounterStarvedP] +
                                       counter_t'(nodes_i[n].starved_p);
      step[cvn_pkg::CounterBlockedY] = step[cvn_pkg::CounterBlockedY] +
                                       counter_t'(nodes_i[n].blocked_y);
    end
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

  `CVN_ASSERT_INIT(NodesChosen, NumNodes > 0, "A cluster needs at least one compute node.")
  `CVN_ASSERT_INIT(DeniedBitsChosen, DeniedBits > 0, "The caller must choose the width of denials.")
endmodule
