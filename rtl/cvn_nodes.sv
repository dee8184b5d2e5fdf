/// The compute nodes of the cluster: every gemm and vector node the architecture lists.
/// Wiring only.
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
  // Masters of a node, and those of its operands.
  function automatic int unsigned gemm_all(input int unsigned g);
    return cvn_pkg::gemm_masters(GemmM[g], GemmN[g], GemmK[g], GemmFold[g], GemmPLanes[g]);
  endfunction

  function automatic int unsigned gemm_operands(input int unsigned g);
    return cvn_pkg::gemm_operand_masters(GemmM[g], GemmN[g], GemmK[g], GemmFold[g]);
  endfunction

  function automatic int unsigned vector_all(input int unsigned v);
    return cvn_pkg::vector_masters(VectorM[v], VectorWLanes[v], VectorPLanes[v],
                                   VectorTLanes[v]);
  endfunction

  function automatic int unsigned vector_operands(input int unsigned v);
    return cvn_pkg::vector_operand_masters(VectorM[v], VectorWLanes[v]);
  endfunction

  // First master of node n of all nodes, among the operands or among the others.
  function automatic int unsigned first_master(input int unsigned n, input bit operand);
    int unsigned first;
    first = operand ? 0 : OperandMasters;
    for (int unsigned i = 0; i < n; i++) begin
      if (int'(i) < int'(NumGemms)) begin
        first += operand ? gemm_operands(i) : gemm_all(i) - gemm_operands(i);
      end else begin
        first += operand ? vector_operands(i - NumGemms) :
                           vector_all(i - NumGemms) - vector_operands(i - NumGemms);
      end
    end
    return first;
  endfunction

  for (genvar g = 0; g < int'(NumGemms); g++) begin : gen_gemm
    localparam int unsigned Masters = gemm_all(g);
    localparam int unsigned Operands = gemm_operands(g);
    localparam int unsigned FirstOperand = first_master(g, 1'b1);
    localparam int unsigned FirstOther = first_master(g, 1'b0);
    tcdm_req_t req[Masters];
    tcdm_rsp_t rsp[Masters];
    sem_mask_t sem_req[Engines];
    sem_mask_t sem_post[Engines];

    cvn_gemm #(
      .M                 (GemmM[g]),
      .N                 (GemmN[g]),
      .K                 (GemmK[g]),
      .Fold              (GemmFold[g]),
      .Folded            (8'(GemmFolded[g])),
      .OffsetShape       (GemmOffsetShape[g]),
      .RequantiseColumns (GemmRequantiseColumns[g]),
      .PLanes            (GemmPLanes[g]),
      .LoopsA            (GemmLoopsA[g]),
      .LoopsB            (GemmLoopsB[g]),
      .LoopsC            (GemmLoopsC[g]),
      .LoopsP            (GemmLoopsP[g]),
      .LoopsY            (GemmLoopsY[g]),
      .WrapA             (GemmWrapA[g] != 0),
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

  for (genvar v = 0; v < int'(NumVectors); v++) begin : gen_vector
    localparam int unsigned Node = NumGemms + v;
    localparam int unsigned Masters = vector_all(v);
    localparam int unsigned Operands = vector_operands(v);
    localparam int unsigned FirstOperand = first_master(Node, 1'b1);
    localparam int unsigned FirstOther = first_master(Node, 1'b0);
    tcdm_req_t req[Masters];
    tcdm_rsp_t rsp[Masters];
    sem_mask_t sem_req[Engines];
    sem_mask_t sem_post[Engines];

    cvn_vector #(
      .M                 (VectorM[v]),
      .RequantiseColumns (VectorRequantiseColumns[v]),
      .WLanes            (VectorWLanes[v]),
      .PLanes            (VectorPLanes[v]),
      .TLanes            (VectorTLanes[v]),
      .HasTable          (VectorHasTable[v]),
      .LoopsX            (VectorLoopsX[v]),
      .LoopsW            (VectorLoopsW[v]),
      .LoopsP            (VectorLoopsP[v]),
      .LoopsT            (VectorLoopsT[v]),
      .LoopsY            (VectorLoopsY[v]),
      .FifoDepthX        (VectorFifoDepthX[v]),
      .FifoDepthW        (VectorFifoDepthW[v]),
      .FifoDepthP        (VectorFifoDepthP[v]),
      .FifoDepthT        (VectorFifoDepthT[v]),
      .FifoDepthY        (VectorFifoDepthY[v]),
      .QueueDepth        (QueueDepth),
      .NumRegs           (NumVectorRegs[v]),
      .ResetValue        (VectorReset[v][NumVectorRegs[v]-1:0]),
      .OffsetX           (VectorOffsetX[v]),
      .OffsetW           (VectorOffsetW[v]),
      .OffsetP           (VectorOffsetP[v]),
      .OffsetT           (VectorOffsetT[v]),
      .OffsetY           (VectorOffsetY[v]),
      .OffsetLanes       (VectorOffsetLanes[v]),
      .Registers         (VectorRegisters[v]),
      .Operations        (VectorOperations[v]),
      .WaitX             (VectorWaitX[v]),
      .WaitW             (VectorWaitW[v]),
      .WaitP             (VectorWaitP[v]),
      .WaitT             (VectorWaitT[v]),
      .WaitY             (VectorWaitY[v]),
      .PostX             (VectorPostX[v]),
      .PostW             (VectorPostW[v]),
      .PostP             (VectorPostP[v]),
      .PostT             (VectorPostT[v]),
      .PostY             (VectorPostY[v])
    ) i_vector (
      .clk_i          (clk_i),
      .rst_ni         (rst_ni),
      .clr_i          (clr_i),
      .reg_we_i       (reg_we_i[Node]),
      .reg_addr_i     (reg_addr_i),
      .reg_op_i       (reg_op_i),
      .reg_data_i     (reg_data_i),
      .launch_i       (launch_i[Node]),
      .launch_ready_o (launch_ready_o[Node]),
      .wait_i         (wait_i),
      .post_i         (post_i),
      .sem_req_o      (sem_req),
      .sem_gnt_i      (sem_gnt_i[Node*Engines+:Engines]),
      .sem_post_o     (sem_post),
      .tcdm_req_o     (req),
      .tcdm_rsp_i     (rsp),
      .idle_o         (idle_o[Node]),
      .events_o       (events_o[Node])
    );

    for (genvar e = 0; e < int'(Engines); e++) begin : gen_engine
      assign sem_req_o[Node*Engines+e]  = sem_req[e];
      assign sem_post_o[Node*Engines+e] = sem_post[e];
    end
    for (genvar m = 0; m < int'(Masters); m++) begin : gen_master
      localparam int unsigned At = (m < Operands) ? FirstOperand + m : FirstOther + m - Operands;
      assign tcdm_req_o[At] = req[m];
      assign rsp[m]         = tcdm_rsp_i[At];
    end
  end
endmodule
