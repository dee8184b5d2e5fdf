/// The compute nodes of the cluster: every gemm node the architecture lists. Wiring only.
///
/// Purpose: gives each node its part of the register writes, launches, semaphores and TCDM masters.
/// TCDM masters: first the operand streams of all nodes (they go before others at a bank), then the
/// other streams of all nodes. Engines: cvn_pkg::NodeEngines per node, nodes in one order everywhere.
/// Latency and handshake: those of the nodes.
/// YAML: compute, control.units, through the generated cvn_cfg_pkg.
module cvn_nodes
  import cvn_cfg_pkg::*;
  import cvn_pkg::reg_op_e, cvn_pkg::reg_t, cvn_pkg::sem_mask_t, cvn_pkg::tcdm_req_t;
  import cvn_pkg::tcdm_rsp_t, cvn_pkg::gemm_events_t;
#(
  localparam int unsigned Engines    = cvn_pkg::NodeEngines,
  localparam int unsigned NumEngines = NumNodes * Engines
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic                         clr_i,

  input  logic [NumNodes-1:0]          reg_we_i,
  input  logic [7:0]                   reg_addr_i,
  input  reg_op_e                      reg_op_i,
  input  reg_t                         reg_data_i,

  input  logic [NumNodes-1:0]          launch_i,
  output logic [NumNodes-1:0]          launch_ready_o,
  input  sem_mask_t                    wait_i,
  input  sem_mask_t                    post_i,
  output sem_mask_t [NumEngines-1:0]   sem_req_o,
  input  logic [NumEngines-1:0]        sem_gnt_i,
  output sem_mask_t [NumEngines-1:0]   sem_post_o,

  output tcdm_req_t                    tcdm_req_o[NodeMasters],
  input  tcdm_rsp_t                    tcdm_rsp_i[NodeMasters],

  output logic [NumNodes-1:0]          idle_o,
  output gemm_events_t [NumNodes-1:0]  events_o
);
  // Masters of a gemm node, those of its operands, and where they start among all masters.
  function automatic int unsigned gemm_all(input int unsigned g);
    return cvn_pkg::gemm_masters(GemmM[g], GemmN[g], GemmK[g], GemmPLanes[g]);
  endfunction

  function automatic int unsigned gemm_operands(input int unsigned g);
    return cvn_pkg::gemm_operand_masters(GemmM[g], GemmN[g], GemmK[g]);
  endfunction

  function automatic int unsigned gemm_first(input int unsigned g, input bit operand);
    int unsigned first;
    first = operand ? 0 : OperandMasters;
    for (int unsigned i = 0; i < g; i++) begin
      first += operand ? gemm_operands(i) : gemm_all(i) - gemm_operands(i);
    end
    return first;
  endfunction

  for (genvar g = 0; g < int'(NumGemms); g++) begin : gen_gemm
    localparam int unsigned Masters = gemm_all(g);
    localparam int unsigned Operands = gemm_operands(g);
    localparam int unsigned FirstOperand = gemm_first(g, 1'b1);
    localparam int unsigned FirstOther = gemm_first(g, 1'b0);
    tcdm_req_t req[Masters];
    tcdm_rsp_t rsp[Masters];
    sem_mask_t sem_req[Engines];
    sem_mask_t sem_post[Engines];

    cvn_gemm #(
      .M                 (GemmM[g]),
      .N                 (GemmN[g]),
      .K                 (GemmK[g]),
      .RequantiseColumns (GemmRequantiseColumns[g]),
      .PLanes            (GemmPLanes[g]),
      .LoopsA            (GemmLoopsA[g]),
      .LoopsB            (GemmLoopsB[g]),
      .LoopsC            (GemmLoopsC[g]),
      .LoopsP            (GemmLoopsP[g]),
      .LoopsY            (GemmLoopsY[g]),
      .FifoDepthA        (GemmFifoDepthA[g]),
      .FifoDepthB        (GemmFifoDepthB[g]),
      .FifoDepthC        (GemmFifoDepthC[g]),
      .FifoDepthP        (GemmFifoDepthP[g]),
      .FifoDepthY        (GemmFifoDepthY[g]),
      .QueueDepth        (QueueDepth),
      .NumRegs           (NumGemmRegs[g]),
      .ResetValue        (GemmReset[g][NumGemmRegs[g]-1:0]),
      .OffsetA           (GemmOffsetA[g]),
      .OffsetB           (GemmOffsetB[g]),
      .OffsetC           (GemmOffsetC[g]),
      .OffsetP           (GemmOffsetP[g]),
      .OffsetY           (GemmOffsetY[g]),
      .OffsetArray       (GemmOffsetArray[g]),
      .WaitA             (GemmWaitA[g]),
      .WaitB             (GemmWaitB[g]),
      .WaitC             (GemmWaitC[g]),
      .WaitP             (GemmWaitP[g]),
      .WaitY             (GemmWaitY[g]),
      .PostA             (GemmPostA[g]),
      .PostB             (GemmPostB[g]),
      .PostC             (GemmPostC[g]),
      .PostP             (GemmPostP[g]),
      .PostY             (GemmPostY[g])
    ) i_gemm (
      .clk_i          (clk_i),
      .rst_ni         (rst_ni),
      .clr_i          (clr_i),
      .reg_we_i       (reg_we_i[g]),
      .reg_addr_i     (reg_addr_i),
      .reg_op_i       (reg_op_i),
      .reg_data_i     (reg_data_i),
      .launch_i       (launch_i[g]),
      .launch_ready_o (launch_ready_o[g]),
      .wait_i         (wait_i),
      .post_i         (post_i),
      .sem_req_o      (sem_req),
      .sem_gnt_i      (sem_gnt_i[g*Engines+:Engines]),
      .sem_post_o     (sem_post),
      .tcdm_req_o     (req),
      .tcdm_rsp_i     (rsp),
      .idle_o         (idle_o[g]),
      .events_o       (events_o[g])
    );

    for (genvar e = 0; e < int'(Engines); e++) begin : gen_engine
      assign sem_req_o[g*Engines+e]  = sem_req[e];
      assign sem_post_o[g*Engines+e] = sem_post[e];
    end
    for (genvar m = 0; m < int'(Masters); m++) begin : gen_master
      localparam int unsigned At = (m < Operands) ? FirstOperand + m : FirstOther + m - Operands;
      assign tcdm_req_o[At] = req[m];
      assign rsp[m]         = tcdm_rsp_i[At];
    end
  end
endmodule
