/// Streams of a gemm node: a, b, c, p are read, y is written; each with its own job queue.
///
/// Purpose: wiring of the five sub-engines between the unit's registers, L1 and the datapath.
/// Latency: push -> first beat of a reader in 4 cycles; accepted y beat -> write request in 1.
/// Handshake: write_i is a pulse; push_i[e] only while ready_o[e]; semaphores per engine: request
/// mask, grant in the same cycle, post mask pulse; beats valid/ready. Engines and TCDM masters in the
/// order a, b, c, p, y.
/// YAML: control.units.<unit>, transfers.stream_*.
module cvn_gemm_streams
  import cvn_pkg::reg_t, cvn_pkg::reg_write_t, cvn_pkg::sem_mask_t;
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
  import cvn_pkg::stream_regs, cvn_pkg::StreamPlain, cvn_pkg::StreamLanes, cvn_pkg::StreamPixels;
  import cvn_pkg::StreamRows, cvn_pkg::shape_select_t;
#(
  parameter int unsigned M                 = 0,
  parameter int unsigned N                 = 0,
  parameter int unsigned K                 = 0,
  /// In the folded shape M is this many times smaller and K as many times larger; 1: there is none.
  parameter int unsigned Fold              = 0,
  parameter shape_select_t Select          = '0,
  parameter int unsigned PLanes            = 0,
  parameter int unsigned LoopsA            = 0,
  parameter int unsigned LoopsB            = 0,
  parameter int unsigned LoopsC            = 0,
  parameter int unsigned LoopsP            = 0,
  parameter int unsigned LoopsY            = 0,
  /// Whether the lanes of a may run through several rows.
  parameter bit          WrapA             = 1'b0,
  parameter int unsigned FifoDepthA        = 0,
  parameter int unsigned FifoDepthB        = 0,
  parameter int unsigned FifoDepthC        = 0,
  parameter int unsigned FifoDepthP        = 0,
  parameter int unsigned FifoDepthY        = 0,
  parameter int unsigned QueueDepth        = 0,
  /// Registers of the unit, their values after a program start, first register of each stream.
  parameter int unsigned NumRegs           = 0,
  parameter reg_t [NumRegs-1:0] ResetValue = '0,
  parameter int unsigned OffsetA           = 0,
  parameter int unsigned OffsetB           = 0,
  parameter int unsigned OffsetC           = 0,
  parameter int unsigned OffsetP           = 0,
  parameter int unsigned OffsetY           = 0,
  /// Semaphores that each stream may wait for and post.
  parameter sem_mask_t   WaitA             = '0,
  parameter sem_mask_t   WaitB             = '0,
  parameter sem_mask_t   WaitC             = '0,
  parameter sem_mask_t   WaitP             = '0,
  parameter sem_mask_t   WaitY             = '0,
  parameter sem_mask_t   PostA             = '0,
  parameter sem_mask_t   PostB             = '0,
  parameter sem_mask_t   PostC             = '0,
  parameter sem_mask_t   PostP             = '0,
  parameter sem_mask_t   PostY             = '0,
  localparam int unsigned NumMasters       = cvn_pkg::gemm_masters(M, N, K, Fold, PLanes),
  localparam int unsigned NumEngines       = 5,
  localparam int unsigned LanesA           = M * cvn_pkg::words_per_pixel(K),
  localparam int unsigned LanesB           = cvn_pkg::gemm_b_lanes(N, K, Fold)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clr_i,

  input  reg_write_t            write_i,
  input  logic [NumEngines-1:0] push_i,
  output logic [NumEngines-1:0] ready_o,
  output logic [NumEngines-1:0] idle_o,
  input  sem_mask_t             wait_i,
  input  sem_mask_t             post_i,
  output sem_mask_t             sem_req_o[NumEngines],
  input  logic [NumEngines-1:0] sem_gnt_i,
  output sem_mask_t             sem_post_o[NumEngines],

  output tcdm_req_t             tcdm_req_o[NumMasters],
  input  tcdm_rsp_t             tcdm_rsp_i[NumMasters],

  output logic                  a_valid_o,
  input  logic                  a_ready_i,
  output word_t                 a_o[LanesA],
  output logic                  b_valid_o,
  input  logic                  b_ready_i,
  output word_t                 b_o[LanesB],
  output logic                  c_valid_o,
  input  logic                  c_ready_i,
  output word_t                 c_o[M],
  output logic                  p_valid_o,
  input  logic                  p_ready_i,
  output word_t                 p_o[PLanes],
  input  logic                  y_valid_i,
  output logic                  y_ready_o,
  input  word_t                 y_i[M]
);
  localparam cvn_pkg::stream_layout_e LayoutA = WrapA ? StreamRows : StreamPixels;
  localparam int unsigned FirstB = LanesA;
  localparam int unsigned FirstC = FirstB + LanesB;
  localparam int unsigned FirstP = FirstC + M;
  localparam int unsigned FirstY = FirstP + PLanes;
  // Deep enough that one lane may fill its FIFO while another one is stuck in a conflict.
  localparam int unsigned AddressDepth = 8;

  cvn_read_engine #(
    .Lanes        (LanesA),
    .LanesPerPixel(cvn_pkg::words_per_pixel(K)),
    .Fold         (Fold),
    .Select       (Select),
    .Loops        (LoopsA),
    .FifoDepth    (FifoDepthA),
    .AddressDepth (AddressDepth),
    .QueueDepth   (QueueDepth),
    .Layout       (LayoutA),
    .ResetValue   (ResetValue[OffsetA+:stream_regs(LayoutA, LoopsA)]),
    .Offset       (OffsetA),
    .WaitMask     (WaitA),
    .PostMask     (PostA)
  ) i_a (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .clr_i     (clr_i),
    .write_i   (write_i),
    .push_i    (push_i[0]),
    .ready_o   (ready_o[0]),
    .wait_i    (wait_i),
    .post_i    (post_i),
    .sem_req_o (sem_req_o[0]),
    .sem_gnt_i (sem_gnt_i[0]),
    .sem_post_o(sem_post_o[0]),
    .idle_o    (idle_o[0]),
    .tcdm_req_o(tcdm_req_o[0:LanesA-1]),
    .tcdm_rsp_i(tcdm_rsp_i[0:LanesA-1]),
    .valid_o   (a_valid_o),
    .ready_i   (a_ready_i),
    .data_o    (a_o)
  );

  cvn_read_engine #(
    .Lanes        (LanesB),
    .LanesPerPixel(1),
    .Fold         (1),
    .Select       (Select),
    .MostLanes    (LanesB / Fold),
    .Loops        (LoopsB),
    .FifoDepth    (FifoDepthB),
    .AddressDepth (AddressDepth),
    .QueueDepth   (QueueDepth),
    .Layout       (StreamPlain),
    .ResetValue   (ResetValue[OffsetB+:stream_regs(StreamPlain, LoopsB)]),
    .Offset       (OffsetB),
    .WaitMask     (WaitB),
    .PostMask     (PostB)
  ) i_b (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .clr_i     (clr_i),
    .write_i   (write_i),
    .push_i    (push_i[1]),
    .ready_o   (ready_o[1]),
    .wait_i    (wait_i),
    .post_i    (post_i),
    .sem_req_o (sem_req_o[1]),
    .sem_gnt_i (sem_gnt_i[1]),
    .sem_post_o(sem_post_o[1]),
    .idle_o    (idle_o[1]),
    .tcdm_req_o(tcdm_req_o[FirstB:FirstB+LanesB-1]),
    .tcdm_rsp_i(tcdm_rsp_i[FirstB:FirstB+LanesB-1]),
    .valid_o   (b_valid_o),
    .ready_i   (b_ready_i),
    .data_o    (b_o)
  );

  cvn_read_engine #(
    .Lanes        (M),
    .LanesPerPixel(1),
    .Fold         (1),
    .Select       (Select),
    .FoldedLanes  (M / Fold),
    .Loops        (LoopsC),
    .FifoDepth    (FifoDepthC),
    .AddressDepth (AddressDepth),
    .QueueDepth   (QueueDepth),
    .Layout       (StreamLanes),
    .ResetValue   (ResetValue[OffsetC+:stream_regs(StreamLanes, LoopsC)]),
    .Offset       (OffsetC),
    .WaitMask     (WaitC),
    .PostMask     (PostC)
  ) i_c (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .clr_i     (clr_i),
    .write_i   (write_i),
    .push_i    (push_i[2]),
    .ready_o   (ready_o[2]),
    .wait_i    (wait_i),
    .post_i    (post_i),
    .sem_req_o (sem_req_o[2]),
    .sem_gnt_i (sem_gnt_i[2]),
    .sem_post_o(sem_post_o[2]),
    .idle_o    (idle_o[2]),
    .tcdm_req_o(tcdm_req_o[FirstC:FirstC+M-1]),
    .tcdm_rsp_i(tcdm_rsp_i[FirstC:FirstC+M-1]),
    .valid_o   (c_valid_o),
    .ready_i   (c_ready_i),
    .data_o    (c_o)
  );

  cvn_read_engine #(
    .Lanes        (PLanes),
    .LanesPerPixel(1),
    .Fold         (1),
    .Loops        (LoopsP),
    .FifoDepth    (FifoDepthP),
    .AddressDepth (AddressDepth),
    .QueueDepth   (QueueDepth),
    .Prompt       (1'b1),
    .Layout       (StreamPlain),
    .ResetValue   (ResetValue[OffsetP+:stream_regs(StreamPlain, LoopsP)]),
    .Offset       (OffsetP),
    .WaitMask     (WaitP),
    .PostMask     (PostP)
  ) i_p (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .clr_i     (clr_i),
    .write_i   (write_i),
    .push_i    (push_i[3]),
    .ready_o   (ready_o[3]),
    .wait_i    (wait_i),
    .post_i    (post_i),
    .sem_req_o (sem_req_o[3]),
    .sem_gnt_i (sem_gnt_i[3]),
    .sem_post_o(sem_post_o[3]),
    .idle_o    (idle_o[3]),
    .tcdm_req_o(tcdm_req_o[FirstP:FirstP+PLanes-1]),
    .tcdm_rsp_i(tcdm_rsp_i[FirstP:FirstP+PLanes-1]),
    .valid_o   (p_valid_o),
    .ready_i   (p_ready_i),
    .data_o    (p_o)
  );

  cvn_write_engine #(
    .Lanes       (M),
    .Select      (Select),
    .FoldedLanes (M / Fold),
    .Loops       (LoopsY),
    .FifoDepth   (FifoDepthY),
    .AddressDepth(AddressDepth),
    .QueueDepth  (QueueDepth),
    .ResetValue  (ResetValue[OffsetY+:stream_regs(StreamLanes, LoopsY)]),
    .Offset      (OffsetY),
    .WaitMask    (WaitY),
    .PostMask    (PostY)
  ) i_y (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .clr_i       (clr_i),
    .write_i     (write_i),
    .push_i      (push_i[4]),
    .ready_o     (ready_o[4]),
    .wait_i      (wait_i),
    .post_i      (post_i),
    .sem_req_o   (sem_req_o[4]),
    .sem_gnt_i   (sem_gnt_i[4]),
    .sem_post_o  (sem_post_o[4]),
    .idle_o      (idle_o[4]),
    .valid_i     (y_valid_i),
    .beat_ready_o(y_ready_o),
    .data_i      (y_i),
    .tcdm_req_o  (tcdm_req_o[FirstY:FirstY+M-1]),
    .tcdm_rsp_i  (tcdm_rsp_i[FirstY:FirstY+M-1])
  );
endmodule
