/// Shadow registers and job queue of one engine.
///
/// Purpose: register writes collect in shadow registers; a launch snapshots them into a queue. The
/// oldest job asks for its semaphores and is then offered to the engine, which copies what it needs
/// when it takes it. Jobs finish in order; finishing posts the semaphores of the job.
/// Latency: a pushed job is offered in the next cycle (same cycle as its semaphore grant).
/// Handshake: push_i may be raised only while ready_o (valid-then-ready on the caller's side);
/// job_valid_o/job_ready_i: valid does not wait for ready, regs_o stable until taken; done is a pulse.
/// YAML: control.queue_depth, control.units.*.registers, .waits, .posts.
`include "cvn_assert.svh"

module cvn_job_queue
  import cvn_pkg::reg_op_e, cvn_pkg::reg_t, cvn_pkg::reg_update, cvn_pkg::sem_mask_t;
#(
  /// Registers of the engine.
  parameter int unsigned NumRegs = 0,
  /// Jobs that may wait, and jobs that may run at once.
  parameter int unsigned Depth = 0,
  parameter int unsigned Running = Depth,
  /// Value of every register after reset and clear.
  parameter reg_t [NumRegs-1:0] ResetValue = '0,
  /// Semaphores this engine may wait for and post; other bits of a launch are for other engines.
  parameter sem_mask_t WaitMask = '0,
  parameter sem_mask_t PostMask = '0,
  localparam int unsigned AddrBits = (NumRegs > 1) ? $clog2(NumRegs) : 1
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     clr_i,

  input  logic                     we_i,
  input  logic [AddrBits-1:0]      waddr_i,
  input  reg_op_e                  wop_i,
  input  reg_t                     wdata_i,

  input  logic                     push_i,
  output logic                     ready_o,
  input  sem_mask_t                wait_i,
  input  sem_mask_t                post_i,

  output sem_mask_t                sem_req_o,
  input  logic                     sem_gnt_i,

  output logic                     job_valid_o,
  input  logic                     job_ready_i,
  output reg_t [NumRegs-1:0]       regs_o,
  input  logic                     job_done_i,

  output sem_mask_t                post_o,
  output logic                     idle_o
);
  localparam int unsigned CountBits = $clog2(Depth + 1);
  localparam int unsigned IndexBits = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned RunCountBits = $clog2(Running + 1);
  localparam int unsigned RunIndexBits = (Running > 1) ? $clog2(Running) : 1;
  typedef logic [CountBits-1:0] count_t;
  typedef logic [IndexBits-1:0] index_t;
  typedef logic [RunCountBits-1:0] run_count_t;
  typedef logic [RunIndexBits-1:0] run_index_t;

  reg_t [NumRegs-1:0] shadow_q;

  // Waiting jobs, oldest at 0: a shift queue, so that the offered registers need no multiplexer.
  reg_t [NumRegs-1:0] regs_q[Depth];
  sem_mask_t wait_q[Depth];
  sem_mask_t post_q[Depth];
  count_t waiting_d, waiting_q;
  logic granted_d, granted_q;
  // Posts of running jobs, oldest at 0.
  sem_mask_t running_post_q[Running];
  run_count_t running_d, running_q;

  logic take;
  count_t push_at;
  run_count_t run_at;

  // ---- Shadow registers --------------------------------------------------------------------------
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      shadow_q <= ResetValue;
    end else if (clr_i) begin
      shadow_q <= ResetValue;
    end else if (we_i) begin
      shadow_q[waddr_i] <= reg_update(wop_i, shadow_q[waddr_i], wdata_i);
    end
  end

  // ---- Waiting jobs ------------------------------------------------------------------------------
  assign ready_o     = waiting_q != count_t'(Depth);
  assign sem_req_o   = (waiting_q != '0 && !granted_q) ? wait_q[0] : '0;
  assign job_valid_o = waiting_q != '0 && running_q != run_count_t'(Running) &&
                       (granted_q || sem_gnt_i || wait_q[0] == '0);
  assign take        = job_valid_o && job_ready_i;
  assign regs_o      = regs_q[0];

  assign push_at     = waiting_q - count_t'(take);
  assign waiting_d   = push_at + count_t'(push_i);
  assign granted_d   = !take && (granted_q || sem_gnt_i);

  always_ff @(posedge clk_i) begin
    if (take) begin
      for (int unsigned i = 0; i + 1 < Depth; i++) begin
        regs_q[i] <= regs_q[i+1];
        wait_q[i] <= wait_q[i+1];
        post_q[i] <= post_q[i+1];
      end
    end
    if (push_i) begin
      regs_q[index_t'(push_at)] <= shadow_q;
      wait_q[index_t'(push_at)] <= wait_i & WaitMask;
      post_q[index_t'(push_at)] <= post_i & PostMask;
    end
  end

  // ---- Running jobs ------------------------------------------------------------------------------
  assign run_at    = running_q - run_count_t'(job_done_i);
  assign running_d = run_at + run_count_t'(take);
  assign post_o    = job_done_i ? running_post_q[0] : '0;
  assign idle_o    = waiting_q == '0 && running_q == '0;

  always_ff @(posedge clk_i) begin
    if (job_done_i) begin
      for (int unsigned i = 0; i + 1 < Running; i++) running_post_q[i] <= running_post_q[i+1];
    end
    if (take) running_post_q[run_index_t'(run_at)] <= post_q[0];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      waiting_q <= '0;
      running_q <= '0;
      granted_q <= 1'b0;
    end else if (clr_i) begin
      waiting_q <= '0;
      running_q <= '0;
      granted_q <= 1'b0;
    end else begin
      waiting_q <= waiting_d;
      running_q <= running_d;
      granted_q <= granted_d;
    end
  end

  `CVN_ASSERT_INIT(NumRegs, NumRegs > 0, "The caller must choose the number of registers.")
  `CVN_ASSERT_INIT(Depth, Depth > 0, "The caller must choose the depth of the job queue.")
  `CVN_ASSERT_INIT(RunningChosen, Running > 0, "At least one job must be able to run.")
  `CVN_ASSERT(PushReady, clr_i || !push_i || ready_o, "A launch was pushed into a full job queue.")
  `CVN_ASSERT(DoneRunning, clr_i || !job_done_i || running_q != '0,
              "The engine finished a job although none was running.")
  `CVN_ASSERT(GrantAsked, !sem_gnt_i || sem_req_o != '0,
              "Semaphores were granted although none were asked for.")
  `CVN_ASSERT(WriteInRange, !we_i || 32'(waddr_i) < NumRegs,
              "A register was written that this engine does not have.")
`ifndef SYNTHESIS
  logic offered_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) offered_q <= 1'b0;
    else         offered_q <= job_valid_o && !job_ready_i && !clr_i;
  end
  `CVN_ASSERT(JobStable, !offered_q || job_valid_o,
              "A job was withdrawn before the engine took it.")
`endif
endmodule
