/// gemm node: streams, parameter records, array and output stage behind one control unit.
///
/// Purpose: one launch snapshots the registers of all sub-engines into their job queues; every
/// sub-engine then runs on its own and waits only for its data and its own semaphores. The c engine
/// takes part only if `resume` is set, the p engine only if `reuse` is not 0.
/// Latency (no conflicts, launch in cycle 0): operands of the first array step are asked for in cycle
/// 2, the step runs in cycle 4 (7 with parameter records of 3 beats); a tile whose last step runs in
/// cycle t writes int32 beats from t+2 on, int8 beats from t+3+8/RequantiseColumns on.
/// Handshake: register writes and launch_i are pulses, launch_i only while launch_ready_o; semaphores
/// per sub-engine: request mask, grant in the same cycle, post mask pulse. TCDM masters in the order
/// a, b, c, p, y.
/// YAML: compute.<node>, control.units.<unit>, transfers.stream_*.
`include "cvn_assert.svh"

module cvn_gemm
  import cvn_pkg::reg_t, cvn_pkg::reg_op_e, cvn_pkg::sem_mask_t, cvn_pkg::gemm_events_t;
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
  import cvn_pkg::reg_write_t, cvn_pkg::NumArrayRegs, cvn_pkg::shape_select_t;
#(
  parameter int unsigned M                 = 0,
  parameter int unsigned N                 = 0,
  parameter int unsigned K                 = 0,
  /// In the folded shape M is this many times smaller and K as many times larger; 1: there is none.
  parameter int unsigned Fold              = 0,
  /// Capabilities of the folded shape, by number, and the register that chooses one.
  parameter logic [7:0]  Folded            = '0,
  parameter int unsigned OffsetShape       = 0,
  parameter int unsigned RequantiseColumns = 0,
  parameter int unsigned PLanes            = 0,
  parameter int unsigned LoopsA            = 0,
  parameter int unsigned LoopsB            = 0,
  parameter int unsigned LoopsC            = 0,
  parameter int unsigned LoopsP            = 0,
  parameter int unsigned LoopsY            = 0,
  parameter bit          WrapA             = 1'b0,
  parameter int unsigned FifoDepthA        = 0,
  parameter int unsigned FifoDepthB        = 0,
  parameter int unsigned FifoDepthC        = 0,
  parameter int unsigned FifoDepthP        = 0,
  parameter int unsigned FifoDepthY        = 0,
  parameter int unsigned QueueDepth        = 0,
  /// Registers of the unit, their values after a program start, first register of each sub-engine.
  parameter int unsigned NumRegs           = 0,
  parameter reg_t [NumRegs-1:0] ResetValue = '0,
  parameter int unsigned OffsetA           = 0,
  parameter int unsigned OffsetB           = 0,
  parameter int unsigned OffsetC           = 0,
  parameter int unsigned OffsetP           = 0,
  parameter int unsigned OffsetY           = 0,
  parameter int unsigned OffsetArray       = 0,
  /// Semaphores that each sub-engine may wait for and post.
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
  localparam int unsigned NumEngines       = 5
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clr_i,

  input  logic                  reg_we_i,
  input  logic [7:0]            reg_addr_i,
  input  reg_op_e               reg_op_i,
  input  reg_t                  reg_data_i,

  input  logic                  launch_i,
  output logic                  launch_ready_o,
  input  sem_mask_t             wait_i,
  input  sem_mask_t             post_i,
  // One port per sub-engine: a, b, c, p, y.
  output sem_mask_t             sem_req_o[NumEngines],
  input  logic [NumEngines-1:0] sem_gnt_i,
  output sem_mask_t             sem_post_o[NumEngines],

  output tcdm_req_t             tcdm_req_o[NumMasters],
  input  tcdm_rsp_t             tcdm_rsp_i[NumMasters],

  output logic                  idle_o,
  output gemm_events_t          events_o
);
  localparam int unsigned LanesA = M * cvn_pkg::words_per_pixel(K);
  localparam int unsigned LanesB = cvn_pkg::gemm_b_lanes(N, K, Fold);
  localparam shape_select_t Select = '{
    reset: ResetValue[OffsetShape], index: 8'(OffsetShape), folded: Folded
  };

  logic a_valid, a_ready, b_valid, b_ready, c_valid, c_ready, p_valid, p_ready, y_valid, y_ready;
  word_t a_data[LanesA];
  word_t b_data[LanesB];
  word_t c_data[M];
  word_t p_data[PLanes];
  word_t y_data[M];

  // ---- Launch ------------------------------------------------------------------------------------
  reg_write_t write;
  logic [NumEngines:0] queue_ready, queue_idle;
  reg_t reuse_d, reuse_q, resume_d, resume_q;
  logic push_c, push_p;

  assign launch_ready_o = &queue_ready;
  assign idle_o         = &queue_idle;
  assign write          = '{we: reg_we_i, addr: reg_addr_i, op: reg_op_i, data: reg_data_i};
  // Two shadow registers decide who takes part; they follow those in the array's queue.
  assign resume_d = (reg_we_i && reg_addr_i == 8'(OffsetArray + int'(cvn_pkg::ArrayResume))) ?
                    cvn_pkg::reg_update(reg_op_i, resume_q, reg_data_i) : resume_q;
  assign reuse_d  = (reg_we_i && reg_addr_i == 8'(OffsetArray + int'(cvn_pkg::ArrayReuse))) ?
                    cvn_pkg::reg_update(reg_op_i, reuse_q, reg_data_i) : reuse_q;
  assign push_c   = launch_i && resume_q[0];
  assign push_p   = launch_i && reuse_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      resume_q <= ResetValue[OffsetArray+int'(cvn_pkg::ArrayResume)];
      reuse_q  <= ResetValue[OffsetArray+int'(cvn_pkg::ArrayReuse)];
    end else if (clr_i) begin
      resume_q <= ResetValue[OffsetArray+int'(cvn_pkg::ArrayResume)];
      reuse_q  <= ResetValue[OffsetArray+int'(cvn_pkg::ArrayReuse)];
    end else begin
      resume_q <= resume_d;
      reuse_q  <= reuse_d;
    end
  end

  // ---- Streams -----------------------------------------------------------------------------------
  cvn_gemm_streams #(
    .M         (M),
    .N         (N),
    .K         (K),
    .Fold      (Fold),
    .Select    (Select),
    .PLanes    (PLanes),
    .LoopsA    (LoopsA),
    .LoopsB    (LoopsB),
    .LoopsC    (LoopsC),
    .LoopsP    (LoopsP),
    .LoopsY    (LoopsY),
    .WrapA     (WrapA),
    .FifoDepthA(FifoDepthA),
    .FifoDepthB(FifoDepthB),
    .FifoDepthC(FifoDepthC),
    .FifoDepthP(FifoDepthP),
    .FifoDepthY(FifoDepthY),
    .QueueDepth(QueueDepth),
    .NumRegs   (NumRegs),
    .ResetValue(ResetValue),
    .OffsetA   (OffsetA),
    .OffsetB   (OffsetB),
    .OffsetC   (OffsetC),
    .OffsetP   (OffsetP),
    .OffsetY   (OffsetY),
    .WaitA     (WaitA),
    .WaitB     (WaitB),
    .WaitC     (WaitC),
    .WaitP     (WaitP),
    .WaitY     (WaitY),
    .PostA     (PostA),
    .PostB     (PostB),
    .PostC     (PostC),
    .PostP     (PostP),
    .PostY     (PostY)
  ) i_streams (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .clr_i     (clr_i),
    .write_i   (write),
    .push_i    ({launch_i, push_p, push_c, launch_i, launch_i}),
    .ready_o   (queue_ready[NumEngines-1:0]),
    .idle_o    (queue_idle[NumEngines-1:0]),
    .wait_i    (wait_i),
    .post_i    (post_i),
    .sem_req_o (sem_req_o),
    .sem_gnt_i (sem_gnt_i),
    .sem_post_o(sem_post_o),
    .tcdm_req_o(tcdm_req_o),
    .tcdm_rsp_i(tcdm_rsp_i),
    .a_valid_o (a_valid),
    .a_ready_i (a_ready),
    .a_o       (a_data),
    .b_valid_o (b_valid),
    .b_ready_i (b_ready),
    .b_o       (b_data),
    .c_valid_o (c_valid),
    .c_ready_i (c_ready),
    .c_o       (c_data),
    .p_valid_o (p_valid),
    .p_ready_i (p_ready),
    .p_o       (p_data),
    .y_valid_i (y_valid),
    .y_ready_o (y_ready),
    .y_i       (y_data)
  );

  // ---- Array job queue ---------------------------------------------------------------------------
  localparam bit HasShapes = Folded != '0;
  localparam int unsigned QueueRegs = NumArrayRegs + int'(HasShapes);
  localparam int unsigned ArrayAddrBits = $clog2(QueueRegs);
  typedef reg_t [QueueRegs-1:0] queue_regs_t;
  localparam reg_t [NumArrayRegs-1:0] ArrayReset = ResetValue[OffsetArray+:NumArrayRegs];
  localparam queue_regs_t QueueReset = queue_regs_t'({Select.reset, ArrayReset});
  logic array_valid, array_take, array_done, array_we, shape_we, folded;
  queue_regs_t array_regs;
  logic [7:0] array_addr;
  logic [ArrayAddrBits-1:0] queue_addr;
  sem_mask_t unused_req, unused_post;

  assign array_addr = reg_addr_i - 8'(OffsetArray);
  assign shape_we   = HasShapes && reg_addr_i == Select.index;
  assign array_we   = reg_we_i && (array_addr < 8'(NumArrayRegs) || shape_we);
  assign queue_addr = shape_we ? ArrayAddrBits'(NumArrayRegs) :
                                 array_addr[ArrayAddrBits-1:0];
  assign folded     = cvn_pkg::is_folded(Folded, array_regs[QueueRegs-1]);

  cvn_job_queue #(
    .NumRegs   (QueueRegs),
    .Depth     (QueueDepth),
    .ResetValue(QueueReset),
    .WaitMask  ('0),
    .PostMask  ('0)
  ) i_array_queue (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clr_i      (clr_i),
    .we_i       (array_we),
    .waddr_i    (queue_addr),
    .wop_i      (reg_op_i),
    .wdata_i    (reg_data_i),
    .push_i     (launch_i),
    .ready_o    (queue_ready[NumEngines]),
    .wait_i     ('0),
    .post_i     ('0),
    .sem_req_o  (unused_req),
    .sem_gnt_i  (1'b0),
    .job_valid_o(array_valid),
    .job_ready_i(array_take),
    .regs_o     (array_regs),
    .job_done_i (array_done),
    .post_o     (unused_post),
    .idle_o     (queue_idle[NumEngines])
  );

  // ---- Datapath ----------------------------------------------------------------------------------
  cvn_gemm_datapath #(
    .M                (M),
    .N                (N),
    .K                (K),
    .Fold             (Fold),
    .RequantiseColumns(RequantiseColumns),
    .PLanes           (PLanes)
  ) i_datapath (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clr_i      (clr_i),
    .job_valid_i(array_valid),
    .job_ready_o(array_take),
    .job_done_o (array_done),
    .regs_i     (array_regs[NumArrayRegs-1:0]),
    .folded_i   (folded),
    .a_valid_i  (a_valid),
    .a_ready_o  (a_ready),
    .a_i        (a_data),
    .b_valid_i  (b_valid),
    .b_ready_o  (b_ready),
    .b_i        (b_data),
    .c_valid_i  (c_valid),
    .c_ready_o  (c_ready),
    .c_i        (c_data),
    .p_valid_i  (p_valid),
    .p_ready_o  (p_ready),
    .p_i        (p_data),
    .y_valid_o  (y_valid),
    .y_ready_i  (y_ready),
    .y_o        (y_data),
    .events_o   (events_o)
  );

  sem_mask_t may_wait, may_post;
  assign may_wait = WaitA | WaitB | WaitY | (push_c ? WaitC : '0) | (push_p ? WaitP : '0);
  assign may_post = PostA | PostB | PostY | (push_c ? PostC : '0) | (push_p ? PostP : '0);

  `CVN_ASSERT_INIT(RegistersChosen, NumRegs >= OffsetArray + NumArrayRegs,
                   "The registers of the array lie outside of the unit.")
  `CVN_ASSERT_INIT(FoldChosen, Fold > 0 && M % Fold == 0 && Fold == 2 ** $clog2(Fold),
                   "The fold of an array is a power of two that divides its pixels.")
  `CVN_ASSERT_INIT(FoldWhole, Fold == 1 || K % cvn_pkg::WordBytes == 0,
                   "An array with several shapes takes whole words of every pixel.")
  `CVN_ASSERT(LaunchReady, !launch_i || launch_ready_o,
              "A gemm job was launched into a full queue.")
  `CVN_ASSERT(WaitHasEngine, !launch_i || (wait_i & ~may_wait) == '0,
              "A launch waits for a semaphore that none of its sub-engines may wait for.")
  `CVN_ASSERT(PostHasEngine, !launch_i || (post_i & ~may_post) == '0,
              "A launch posts a semaphore that none of its sub-engines may post.")
endmodule
