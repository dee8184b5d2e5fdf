/// The DMA of the cluster: job queues and engines of all load and store channels.
///
/// Purpose: puts one cvn_dma_queues in front of cvn_dma_load and one in front of cvn_dma_store. Both
/// engines work at once, on separate AXI4 channels and TCDM ports (load lanes first).
/// Latency and handshake: those of the engines and of cvn_job_queue.
/// YAML: transfers.<load, store>, control.units.<load, store>.
`include "cvn_assert.svh"

module cvn_dma
  import cvn_pkg::reg_op_e, cvn_pkg::reg_t, cvn_pkg::sem_mask_t, cvn_pkg::word_t;
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t;
#(
  parameter int unsigned LoadChannels = 0,
  parameter int unsigned LoadLoops = 0,
  parameter int unsigned LoadOutstanding = 0,
  parameter bit LoadHasFill = 1'b0,
  parameter bit LoadHasWindows = 1'b0,
  parameter int unsigned NumLoadRegs = 0,
  parameter cvn_dma_pkg::registers_t LoadRegisters = '0,
  parameter reg_t [NumLoadRegs-1:0] LoadReset = '0,
  parameter int unsigned StoreChannels = 0,
  parameter int unsigned StoreLoops = 0,
  parameter int unsigned StoreOutstanding = 0,
  parameter int unsigned NumStoreRegs = 0,
  parameter cvn_dma_pkg::registers_t StoreRegisters = '0,
  parameter reg_t [NumStoreRegs-1:0] StoreReset = '0,
  parameter int unsigned QueueDepth = 0,
  parameter int unsigned RegisterBits = 0,
  parameter sem_mask_t Semaphores = '0,
  /// Words per beat and TCDM ports of each engine.
  parameter int unsigned Lanes = 0,
  localparam int unsigned Channels = LoadChannels + StoreChannels,
  localparam int unsigned AxiBytes = Lanes * cvn_pkg::WordBytes
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       clr_i,

  // Per channel, load channels first.
  input  logic [Channels-1:0]        we_i,
  input  logic [RegisterBits-1:0]    waddr_i,
  input  reg_op_e                    wop_i,
  input  reg_t                       wdata_i,
  input  logic [Channels-1:0]        launch_i,
  output logic [Channels-1:0]        ready_o,
  input  sem_mask_t                  wait_i,
  input  sem_mask_t                  post_i,
  output logic [Channels-1:0]        idle_o,
  output sem_mask_t [Channels-1:0]   sem_req_o,
  input  logic [Channels-1:0]        sem_gnt_i,
  output sem_mask_t [Channels-1:0]   sem_post_o,
  output logic                       load_idle_o,
  output logic                       store_idle_o,

  output logic                       ar_valid_o,
  input  logic                       ar_ready_i,
  output reg_t                       ar_addr_o,
  output logic [7:0]                 ar_len_o,
  input  logic                       r_valid_i,
  output logic                       r_ready_o,
  input  word_t [Lanes-1:0]          r_data_i,
  input  logic                       r_last_i,
  output logic                       aw_valid_o,
  input  logic                       aw_ready_i,
  output reg_t                       aw_addr_o,
  output logic [7:0]                 aw_len_o,
  output logic                       w_valid_o,
  input  logic                       w_ready_i,
  output word_t [Lanes-1:0]          w_data_o,
  output logic [AxiBytes-1:0]        w_strb_o,
  output logic                       w_last_o,
  input  logic                       b_valid_i,
  output logic                       b_ready_o,

  output tcdm_req_t                  tcdm_req_o[2*Lanes],
  input  tcdm_rsp_t                  tcdm_rsp_i[2*Lanes]
);
  // Bursts end at aligned blocks of at most 4 KiB and 64 beats.
  localparam int unsigned MaxBeats = (4096 / AxiBytes < 64) ? 4096 / AxiBytes : 64;
  localparam int unsigned LaneDepth = 4;
  localparam int unsigned BeatDepth = 8;
  // Jobs whose requests may run ahead of their data, of one channel or all: fills take a place too.
  localparam int unsigned JobsInFlight = 4 * QueueDepth;

  // ---- Load --------------------------------------------------------------------------------------
  logic [LoadChannels-1:0] load_valid, load_ready, load_done;
  reg_t [LoadChannels-1:0][NumLoadRegs-1:0] load_regs;

  cvn_dma_queues #(
    .Channels     (LoadChannels),
    .NumRegs      (NumLoadRegs),
    .Depth        (QueueDepth),
    .Running      (JobsInFlight),
    .ResetValue   (LoadReset),
    .RegisterBits (RegisterBits),
    .Semaphores   (Semaphores)
  ) i_load_queues (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .we_i        (we_i[0+:LoadChannels]),
    .waddr_i     (waddr_i),
    .wop_i       (wop_i),
    .wdata_i     (wdata_i),
    .launch_i    (launch_i[0+:LoadChannels]),
    .ready_o     (ready_o[0+:LoadChannels]),
    .wait_i      (wait_i),
    .post_i      (post_i),
    .idle_o      (idle_o[0+:LoadChannels]),
    .sem_req_o   (sem_req_o[0+:LoadChannels]),
    .sem_gnt_i   (sem_gnt_i[0+:LoadChannels]),
    .sem_post_o  (sem_post_o[0+:LoadChannels]),
    .job_valid_o (load_valid),
    .job_ready_i (load_ready),
    .regs_o      (load_regs),
    .job_done_i  (load_done)
  );

  cvn_dma_load #(
    .Channels     (LoadChannels),
    .NumRegs      (NumLoadRegs),
    .Loops        (LoadLoops),
    .Registers    (LoadRegisters),
    .HasFill      (LoadHasFill),
    .HasWindows   (LoadHasWindows),
    .Lanes        (Lanes),
    .MaxBeats     (MaxBeats),
    .Outstanding  (LoadOutstanding),
    .JobsInFlight (JobsInFlight),
    .LaneDepth    (LaneDepth)
  ) i_load (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (load_valid),
    .job_ready_o (load_ready),
    .regs_i      (load_regs),
    .job_done_o  (load_done),
    .idle_o      (load_idle_o),
    .ar_valid_o  (ar_valid_o),
    .ar_ready_i  (ar_ready_i),
    .ar_addr_o   (ar_addr_o),
    .ar_len_o    (ar_len_o),
    .r_valid_i   (r_valid_i),
    .r_ready_o   (r_ready_o),
    .r_data_i    (r_data_i),
    .r_last_i    (r_last_i),
    .tcdm_req_o  (tcdm_req_o[0:Lanes-1]),
    .tcdm_rsp_i  (tcdm_rsp_i[0:Lanes-1])
  );

  // ---- Store -------------------------------------------------------------------------------------
  logic [StoreChannels-1:0] store_valid, store_ready, store_done;
  reg_t [StoreChannels-1:0][NumStoreRegs-1:0] store_regs;

  cvn_dma_queues #(
    .Channels     (StoreChannels),
    .NumRegs      (NumStoreRegs),
    .Depth        (QueueDepth),
    .ResetValue   (StoreReset),
    .RegisterBits (RegisterBits),
    .Semaphores   (Semaphores)
  ) i_store_queues (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .we_i        (we_i[LoadChannels+:StoreChannels]),
    .waddr_i     (waddr_i),
    .wop_i       (wop_i),
    .wdata_i     (wdata_i),
    .launch_i    (launch_i[LoadChannels+:StoreChannels]),
    .ready_o     (ready_o[LoadChannels+:StoreChannels]),
    .wait_i      (wait_i),
    .post_i      (post_i),
    .idle_o      (idle_o[LoadChannels+:StoreChannels]),
    .sem_req_o   (sem_req_o[LoadChannels+:StoreChannels]),
    .sem_gnt_i   (sem_gnt_i[LoadChannels+:StoreChannels]),
    .sem_post_o  (sem_post_o[LoadChannels+:StoreChannels]),
    .job_valid_o (store_valid),
    .job_ready_i (store_ready),
    .regs_o      (store_regs),
    .job_done_i  (store_done)
  );

  cvn_dma_store #(
    .Channels    (StoreChannels),
    .NumRegs     (NumStoreRegs),
    .Loops       (StoreLoops),
    .Registers   (StoreRegisters),
    .Lanes       (Lanes),
    .MaxBeats    (MaxBeats),
    .Outstanding (StoreOutstanding),
    .LaneDepth   (LaneDepth),
    .BeatDepth   (BeatDepth)
  ) i_store (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .job_valid_i (store_valid),
    .job_ready_o (store_ready),
    .regs_i      (store_regs),
    .job_done_o  (store_done),
    .idle_o      (store_idle_o),
    .aw_valid_o  (aw_valid_o),
    .aw_ready_i  (aw_ready_i),
    .aw_addr_o   (aw_addr_o),
    .aw_len_o    (aw_len_o),
    .w_valid_o   (w_valid_o),
    .w_ready_i   (w_ready_i),
    .w_data_o    (w_data_o),
    .w_strb_o    (w_strb_o),
    .w_last_o    (w_last_o),
    .b_valid_i   (b_valid_i),
    .b_ready_o   (b_ready_o),
    .tcdm_req_o  (tcdm_req_o[Lanes:2*Lanes-1]),
    .tcdm_rsp_i  (tcdm_rsp_i[Lanes:2*Lanes-1])
  );

  `CVN_ASSERT_INIT(LanesChosen, Lanes > 0, "The caller must choose the lanes of the DMA.")
endmodule
