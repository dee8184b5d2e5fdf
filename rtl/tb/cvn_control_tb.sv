/// Bench top of the control path: command processor, three units with one job queue each, semaphores.
/// The engines are the test's: they take jobs and finish them.
module cvn_control_tb
  import cvn_pkg::*;
#(
  parameter int unsigned ProgramWords = 256,
  parameter int unsigned LoopDepth    = 4,
  parameter int unsigned NumRegs      = 5,
  parameter int unsigned Depth        = 2,
  /// A value of cvn_command_pkg::stall_e.
  parameter int unsigned Stall        = 0,
  localparam int unsigned NumUnits    = 3,
  localparam int unsigned AddrBits    = $clog2(ProgramWords)
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  input  logic                             start_i,
  output logic                             done_o,
  output logic                             running_o,
  output logic                             blocked_o,
  output logic [AddrBits-1:0]              pc_o,
  input  logic                             imem_we_i,
  input  logic [AddrBits-1:0]              imem_addr_i,
  input  word_t                            imem_wdata_i,
  output logic [NumUnits-1:0]              job_valid_o,
  input  logic [NumUnits-1:0]              job_ready_i,
  output reg_t [NumUnits-1:0][NumRegs-1:0] regs_o,
  input  logic [NumUnits-1:0]              job_done_i,
  output sem_mask_t                        missing_o
);
  localparam cvn_command_pkg::encoding_t Encoding = '{
    opcode: '{lsb: 60, bits: 4}, unit: '{lsb: 56, bits: 4}, index: '{lsb: 48, bits: 8},
    value: '{lsb: 0, bits: 32}, waits: '{lsb: 0, bits: 16}, posts: '{lsb: 16, bits: 16},
    length: '{lsb: 32, bits: 24}, count: '{lsb: 0, bits: 32},
    op_write: 1, op_add: 2, op_reverse_subtract: 3, op_launch: 4, op_post: 5, op_loop: 6,
    op_halt: 15
  };
  localparam reg_t [NumRegs-1:0] ResetValue = {32'd104, 32'd103, 32'd102, 32'd101, 32'd100};

  logic clr;
  logic [NumUnits-1:0] we, launch, ready, idle, gnt;
  logic [7:0] waddr;
  reg_op_e wop;
  reg_t wdata;
  sem_mask_t launch_wait, launch_post;
  sem_mask_t [NumUnits-1:0] req;
  sem_mask_t [NumUnits:0] post;

  cvn_command #(
    .ProgramWords(ProgramWords),
    .LoopDepth   (LoopDepth),
    .NumUnits    (NumUnits),
    .Encoding    (Encoding),
    .Stall       (cvn_command_pkg::stall_e'(Stall))
  ) i_command (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .start_i      (start_i),
    .clr_o        (clr),
    .running_o    (running_o),
    .done_o       (done_o),
    .imem_we_i    (imem_we_i),
    .imem_addr_i  (imem_addr_i),
    .imem_wdata_i (imem_wdata_i),
    .we_o         (we),
    .waddr_o      (waddr),
    .wop_o        (wop),
    .wdata_o      (wdata),
    .launch_o     (launch),
    .unit_ready_i (ready),
    .unit_idle_i  (idle),
    .launch_wait_o(launch_wait),
    .launch_post_o(launch_post),
    .post_o       (post[NumUnits]),
    .blocked_o    (blocked_o),
    .pc_o         (pc_o)
  );

  for (genvar u = 0; u < int'(NumUnits); u++) begin : gen_unit
    cvn_job_queue #(
      .NumRegs   (NumRegs),
      .Depth     (Depth),
      .ResetValue(ResetValue),
      .WaitMask  ('1),
      .PostMask  ('1)
    ) i_queue (
      .clk_i      (clk_i),
      .rst_ni     (rst_ni),
      .clr_i      (clr),
      .we_i       (we[u]),
      .waddr_i    (waddr[$clog2(NumRegs)-1:0]),
      .wop_i      (wop),
      .wdata_i    (wdata),
      .push_i     (launch[u]),
      .ready_o    (ready[u]),
      .wait_i     (launch_wait),
      .post_i     (launch_post),
      .sem_req_o  (req[u]),
      .sem_gnt_i  (gnt[u]),
      .job_valid_o(job_valid_o[u]),
      .job_ready_i(job_ready_i[u]),
      .regs_o     (regs_o[u]),
      .job_done_i (job_done_i[u]),
      .post_o     (post[u]),
      .idle_o     (idle[u])
    );
  end

  cvn_semaphores #(
    .NumPosters   (NumUnits + 1),
    .NumRequesters(NumUnits)
  ) i_semaphores (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clr_i    (clr),
    .post_i   (post),
    .req_i    (req),
    .gnt_o    (gnt),
    .missing_o(missing_o)
  );
endmodule
