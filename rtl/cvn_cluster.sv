/// The cluster: command processor, semaphores, compute nodes, DMA and TCDM. Wiring only.
///
/// Purpose: runs a program from its own memory against a DRAM behind one AXI4 port.
/// Latency: start_i to the first executed word 1 cycle; done_o one cycle after the last event.
/// Handshake: start_i is a pulse while !busy_o; the program is written while !busy_o. AXI4: one ID,
/// INCR bursts of full beats (AxiBytes), at most 4 KiB and never across 4 KiB; responses in order.
/// Debug ports: idle units, semaphores that are waited for and missing, program counter.
/// YAML: everything, through the generated cvn_cfg_pkg.
`include "cvn_assert.svh"

module cvn_cluster
  import cvn_cfg_pkg::*;
  import cvn_pkg::reg_op_e, cvn_pkg::reg_t, cvn_pkg::sem_mask_t, cvn_pkg::word_t;
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::gemm_events_t;
(
  input  logic                            clk_i,
  input  logic                            rst_ni,

  input  logic                            start_i,
  output logic                            done_o,
  output logic                            busy_o,
  input  logic                            imem_we_i,
  input  logic [$clog2(ProgramWords)-1:0] imem_addr_i,
  input  word_t                           imem_wdata_i,

  output logic                            axi_ar_valid_o,
  input  logic                            axi_ar_ready_i,
  output logic [31:0]                     axi_ar_addr_o,
  output logic [7:0]                      axi_ar_len_o,
  input  logic                            axi_r_valid_i,
  output logic                            axi_r_ready_o,
  input  logic [8*AxiBytes-1:0]           axi_r_data_i,
  input  logic                            axi_r_last_i,
  output logic                            axi_aw_valid_o,
  input  logic                            axi_aw_ready_i,
  output logic [31:0]                     axi_aw_addr_o,
  output logic [7:0]                      axi_aw_len_o,
  output logic                            axi_w_valid_o,
  input  logic                            axi_w_ready_i,
  output logic [8*AxiBytes-1:0]           axi_w_data_o,
  output logic [AxiBytes-1:0]             axi_w_strb_o,
  output logic                            axi_w_last_o,
  input  logic                            axi_b_valid_i,
  output logic                            axi_b_ready_o,

  output logic [cvn_pkg::NumCounters-1:0][cvn_pkg::CounterBits-1:0] counters_o,
  output logic [NumUnits-1:0]             unit_idle_o,
  output sem_mask_t                       sem_missing_o,
  output logic [$clog2(ProgramWords)-1:0] pc_o
);
  localparam int unsigned Lanes = AxiBytes / cvn_pkg::WordBytes;
  localparam int unsigned NumMasters = NodeMasters + 2 * Lanes;
  localparam int unsigned DeniedBits = $clog2(NumMasters + 1);
  localparam int unsigned NodeEngines = NumNodes * cvn_pkg::NodeEngines;
  localparam int unsigned NumEngines = NodeEngines + LoadChannels + StoreChannels;
  localparam int unsigned RegisterBits = Encoding.index.bits;

  // ---- Command processor and semaphores ----------------------------------------------------------
  logic clr, running, blocked;
  logic [NumUnits-1:0] we, launch, unit_ready, unit_idle;
  logic [RegisterBits-1:0] waddr;
  reg_op_e wop;
  reg_t wdata;
  sem_mask_t launch_wait, launch_post;
  sem_mask_t [NumEngines-1:0] sem_req;
  logic [NumEngines-1:0] sem_gnt;
  sem_mask_t [NumEngines:0] sem_post;

  assign busy_o      = running;
  assign unit_idle_o = unit_idle;

  for (genvar u = 0; u < int'(NumUnits); u++) begin : gen_unused_unit
    if (!UsedUnits[u]) begin : gen_tie
      assign unit_ready[u] = 1'b1;
      assign unit_idle[u]  = 1'b1;
      logic unused_unit;
      assign unused_unit = ^{we[u], launch[u]};
    end
  end

  cvn_command #(
    .ProgramWords (ProgramWords),
    .LoopDepth    (LoopDepth),
    .NumUnits     (NumUnits),
    .Encoding     (Encoding),
    .Stall        (Stall)
  ) i_command (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .start_i       (start_i),
    .clr_o         (clr),
    .running_o     (running),
    .done_o        (done_o),
    .imem_we_i     (imem_we_i),
    .imem_addr_i   (imem_addr_i),
    .imem_wdata_i  (imem_wdata_i),
    .we_o          (we),
    .waddr_o       (waddr),
    .wop_o         (wop),
    .wdata_o       (wdata),
    .launch_o      (launch),
    .unit_ready_i  (unit_ready),
    .unit_idle_i   (unit_idle),
    .launch_wait_o (launch_wait),
    .launch_post_o (launch_post),
    .post_o        (sem_post[NumEngines]),
    .blocked_o     (blocked),
    .pc_o          (pc_o)
  );

  cvn_semaphores #(
    .NumPosters    (NumEngines + 1),
    .NumRequesters (NumEngines)
  ) i_semaphores (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .clr_i     (clr),
    .post_i    (sem_post),
    .req_i     (sem_req),
    .gnt_o     (sem_gnt),
    .missing_o (sem_missing_o)
  );

  // ---- L1 ----------------------------------------------------------------------------------------
  tcdm_req_t tcdm_req[NumMasters];
  tcdm_rsp_t tcdm_rsp[NumMasters];
  logic [DeniedBits-1:0] denied;

  cvn_tcdm #(
    .NumMasters (NumMasters),
    .Urgent     (OperandMasters),
    .Banks      (L1Banks),
    .Views      (L1Views),
    .Words      (L1Words)
  ) i_tcdm (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clr_i    (clr),
    .req_i    (tcdm_req),
    .rsp_o    (tcdm_rsp),
    .denied_o (denied)
  );

  // ---- Compute nodes -----------------------------------------------------------------------------
  gemm_events_t [NumNodes-1:0] events;
  logic [NumNodes-1:0] node_launch, node_ready, node_idle, node_we;

  for (genvar n = 0; n < int'(NumNodes); n++) begin : gen_node_unit
    assign node_we[n]              = we[NodeUnit[n]];
    assign node_launch[n]          = launch[NodeUnit[n]];
    assign unit_ready[NodeUnit[n]] = node_ready[n];
    assign unit_idle[NodeUnit[n]]  = node_idle[n];
  end

  cvn_nodes i_nodes (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .clr_i          (clr),
    .reg_we_i       (node_we),
    .reg_addr_i     (8'(waddr)),
    .reg_op_i       (wop),
    .reg_data_i     (wdata),
    .launch_i       (node_launch),
    .launch_ready_o (node_ready),
    .wait_i         (launch_wait),
    .post_i         (launch_post),
    .sem_req_o      (sem_req[NodeEngines-1:0]),
    .sem_gnt_i      (sem_gnt[NodeEngines-1:0]),
    .sem_post_o     (sem_post[NodeEngines-1:0]),
    .tcdm_req_o     (tcdm_req[0:NodeMasters-1]),
    .tcdm_rsp_i     (tcdm_rsp[0:NodeMasters-1]),
    .idle_o         (node_idle),
    .events_o       (events)
  );

  // ---- DMA ---------------------------------------------------------------------------------------
  localparam int unsigned Channels = LoadChannels + StoreChannels;
  logic load_idle, store_idle;
  logic [Channels-1:0] dma_ready, dma_idle;

  assign {unit_ready[StoreUnit+:StoreChannels], unit_ready[LoadUnit+:LoadChannels]} = dma_ready;
  assign {unit_idle[StoreUnit+:StoreChannels], unit_idle[LoadUnit+:LoadChannels]} = dma_idle;

  cvn_dma #(
    .LoadChannels     (LoadChannels),
    .LoadLoops        (LoadLoops),
    .LoadOutstanding  (LoadOutstanding),
    .LoadHasFill      (LoadHasFill),
    .LoadHasWindows   (LoadHasWindows),
    .NumLoadRegs      (NumLoadRegs),
    .LoadRegisters    (LoadRegisters),
    .LoadReset        (LoadReset),
    .StoreChannels    (StoreChannels),
    .StoreLoops       (StoreLoops),
    .StoreOutstanding (StoreOutstanding),
    .NumStoreRegs     (NumStoreRegs),
    .StoreRegisters   (StoreRegisters),
    .StoreReset       (StoreReset),
    .QueueDepth       (QueueDepth),
    .RegisterBits     (RegisterBits),
    .Semaphores       (Semaphores),
    .Lanes            (Lanes)
  ) i_dma (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (clr),
    .we_i         ({we[StoreUnit+:StoreChannels], we[LoadUnit+:LoadChannels]}),
    .waddr_i      (waddr),
    .wop_i        (wop),
    .wdata_i      (wdata),
    .launch_i     ({launch[StoreUnit+:StoreChannels], launch[LoadUnit+:LoadChannels]}),
    .ready_o      (dma_ready),
    .wait_i       (launch_wait),
    .post_i       (launch_post),
    .idle_o       (dma_idle),
    .sem_req_o    (sem_req[NodeEngines+:Channels]),
    .sem_gnt_i    (sem_gnt[NodeEngines+:Channels]),
    .sem_post_o   (sem_post[NodeEngines+:Channels]),
    .load_idle_o  (load_idle),
    .store_idle_o (store_idle),
    .ar_valid_o   (axi_ar_valid_o),
    .ar_ready_i   (axi_ar_ready_i),
    .ar_addr_o    (axi_ar_addr_o),
    .ar_len_o     (axi_ar_len_o),
    .r_valid_i    (axi_r_valid_i),
    .r_ready_o    (axi_r_ready_o),
    .r_data_i     (axi_r_data_i),
    .r_last_i     (axi_r_last_i),
    .aw_valid_o   (axi_aw_valid_o),
    .aw_ready_i   (axi_aw_ready_i),
    .aw_addr_o    (axi_aw_addr_o),
    .aw_len_o     (axi_aw_len_o),
    .w_valid_o    (axi_w_valid_o),
    .w_ready_i    (axi_w_ready_i),
    .w_data_o     (axi_w_data_o),
    .w_strb_o     (axi_w_strb_o),
    .w_last_o     (axi_w_last_o),
    .b_valid_i    (axi_b_valid_i),
    .b_ready_o    (axi_b_ready_o),
    .tcdm_req_o   (tcdm_req[NodeMasters:NumMasters-1]),
    .tcdm_rsp_i   (tcdm_rsp[NodeMasters:NumMasters-1])
  );

  // ---- Counters ----------------------------------------------------------------------------------
  cvn_counters #(
    .NumNodes   (NumNodes),
    .DeniedBits (DeniedBits)
  ) i_counters (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clr_i             (clr),
    .running_i         (running),
    .nodes_i           (events),
    .denied_i          (denied),
    .read_beat_i       (axi_r_valid_i && axi_r_ready_o),
    .write_beat_i      (axi_w_valid_o && axi_w_ready_i),
    .read_busy_i       (!load_idle),
    .write_busy_i      (!store_idle),
    .command_blocked_i (blocked),
    .counters_o        (counters_o)
  );
endmodule
