/// Job queues of the channels of one DMA: every channel is a control unit of its own.
///
/// Purpose: one cvn_job_queue per channel, behind register writes and launches by unit.
/// Latency and handshake: those of cvn_job_queue.
/// YAML: transfers.<load, store>.channels, control.units.
`include "cvn_assert.svh"

module cvn_dma_queues
  import cvn_pkg::reg_op_e, cvn_pkg::reg_t, cvn_pkg::sem_mask_t;
#(
  parameter int unsigned Channels = 0,
  parameter int unsigned NumRegs = 0,
  parameter int unsigned Depth = 0,
  /// Jobs of a channel that may be under way.
  parameter int unsigned Running = Depth,
  parameter reg_t [NumRegs-1:0] ResetValue = '0,
  parameter int unsigned RegisterBits = 0,
  /// Semaphores of the cluster; a DMA may wait for and post each of them.
  parameter sem_mask_t Semaphores = '0
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  input  logic                             clr_i,

  input  logic [Channels-1:0]              we_i,
  input  logic [RegisterBits-1:0]          waddr_i,
  input  reg_op_e                          wop_i,
  input  reg_t                             wdata_i,

  input  logic [Channels-1:0]              launch_i,
  output logic [Channels-1:0]              ready_o,
  input  sem_mask_t                        wait_i,
  input  sem_mask_t                        post_i,
  output logic [Channels-1:0]              idle_o,

  output sem_mask_t [Channels-1:0]         sem_req_o,
  input  logic [Channels-1:0]              sem_gnt_i,
  output sem_mask_t [Channels-1:0]         sem_post_o,

  output logic [Channels-1:0]              job_valid_o,
  input  logic [Channels-1:0]              job_ready_i,
  output reg_t [Channels-1:0][NumRegs-1:0] regs_o,
  input  logic [Channels-1:0]              job_done_i
);
  localparam int unsigned AddrBits = (NumRegs > 1) ? $clog2(NumRegs) : 1;

  for (genvar c = 0; c < int'(Channels); c++) begin : gen_channel
    cvn_job_queue #(
      .NumRegs    (NumRegs),
      .Depth      (Depth),
      .Running    (Running),
      .ResetValue (ResetValue),
      .WaitMask   (Semaphores),
      .PostMask   (Semaphores)
    ) i_queue (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .clr_i       (clr_i),
      .we_i        (we_i[c]),
      .waddr_i     (AddrBits'(waddr_i)),
      .wop_i       (wop_i),
      .wdata_i     (wdata_i),
      .push_i      (launch_i[c]),
      .ready_o     (ready_o[c]),
      .wait_i      (wait_i),
      .post_i      (post_i),
      .sem_req_o   (sem_req_o[c]),
      .sem_gnt_i   (sem_gnt_i[c]),
      .job_valid_o (job_valid_o[c]),
      .job_ready_i (job_ready_i[c]),
      .regs_o      (regs_o[c]),
      .job_done_i  (job_done_i[c]),
      .post_o      (sem_post_o[c]),
      .idle_o      (idle_o[c])
    );
  end

  `CVN_ASSERT_INIT(ChannelsChosen, Channels > 0, "The caller must choose the channels.")
  `CVN_ASSERT(RegisterExists, we_i == '0 || 32'(waddr_i) < NumRegs,
              "A DMA register was written that does not exist.")
  `CVN_ASSERT(SemaphoreExists, launch_i == '0 || ((wait_i | post_i) & ~Semaphores) == '0,
              "A DMA launch names a semaphore that does not exist.")
endmodule
