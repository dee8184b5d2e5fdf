/// Vector node: streams, parameter records, lanes, table and output stage behind one control unit.
///
/// Purpose: one launch snapshots the registers of all sub-engines into their job queues; every
/// sub-engine then runs on its own and waits only for its data and its own semaphores. The w engine
/// takes part only if the operation reads it, t only for a table, p only if `reuse` is not 0.
/// Latency (no conflicts, launch in cycle 0): operands of the first step are asked for in cycle 2, the
/// step runs in cycle 4 (4 + beats of a parameter record or a table); a tile whose last step runs in
/// cycle t writes direct and int32 beats from t+2 on, requantised ones from t+3+8/RequantiseColumns.
/// Handshake: register writes and launch_i are pulses, launch_i only while launch_ready_o; semaphores
/// per sub-engine: request mask, grant in the same cycle, post mask pulse. TCDM masters in the order
/// x, w, p, t, y.
/// YAML: compute.<node>, control.units.<unit>, transfers.<stream>.
`include "cvn_assert.svh"

module cvn_vector
  import cvn_pkg::reg_t, cvn_pkg::reg_op_e, cvn_pkg::sem_mask_t, cvn_pkg::gemm_events_t;
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t, cvn_pkg::reg_write_t;
  import cvn_pkg::vector_registers_t, cvn_pkg::vector_ops_t, cvn_pkg::vector_op_e;
#(
  parameter int unsigned M                 = 0,
  parameter int unsigned RequantiseColumns = 0,
  parameter int unsigned WLanes            = 0,
  parameter int unsigned PLanes            = 0,
  parameter int unsigned TLanes            = 0,
  parameter bit          HasTable          = 1'b0,
  parameter int unsigned LoopsX          = 0,
  parameter int unsigned LoopsW          = 0,
  parameter int unsigned LoopsP          = 0,
  parameter int unsigned LoopsT          = 0,
  parameter int unsigned LoopsY          = 0,
  parameter int unsigned FifoDepthX      = 0,
  parameter int unsigned FifoDepthW      = 0,
  parameter int unsigned FifoDepthP      = 0,
  parameter int unsigned FifoDepthT      = 0,
  parameter int unsigned FifoDepthY      = 0,
  parameter int unsigned QueueDepth        = 0,
  /// Registers of the unit, their values after a program start, first register of each stream.
  parameter int unsigned NumRegs           = 0,
  parameter reg_t [NumRegs-1:0] ResetValue = '0,
  parameter int unsigned OffsetX           = 0,
  parameter int unsigned OffsetW           = 0,
  parameter int unsigned OffsetP           = 0,
  parameter int unsigned OffsetT           = 0,
  parameter int unsigned OffsetY           = 0,
  /// Registers of the lanes: how many, the first one, what each of them is.
  parameter int unsigned OffsetLanes       = 0,
  parameter vector_registers_t Registers   = '0,
  /// Operations by the number of the capability.
  parameter vector_ops_t Operations        = '{default: cvn_pkg::VectorMac},
  /// Semaphores that each stream may wait for and post.
  parameter sem_mask_t   WaitX             = '0,
  parameter sem_mask_t   WaitW             = '0,
  parameter sem_mask_t   WaitP             = '0,
  parameter sem_mask_t   WaitT             = '0,
  parameter sem_mask_t   WaitY             = '0,
  parameter sem_mask_t   PostX             = '0,
  parameter sem_mask_t   PostW             = '0,
  parameter sem_mask_t   PostP             = '0,
  parameter sem_mask_t   PostT             = '0,
  parameter sem_mask_t   PostY             = '0,
  localparam int unsigned NumMasters       = cvn_pkg::vector_masters(M, WLanes, PLanes, TLanes),
  localparam int unsigned NumEngines       = cvn_pkg::NodeEngines
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
  // One port per sub-engine: x, w, p, t, y.
  output sem_mask_t             sem_req_o[NumEngines],
  input  logic [NumEngines-1:0] sem_gnt_i,
  output sem_mask_t             sem_post_o[NumEngines],

  output tcdm_req_t             tcdm_req_o[NumMasters],
  input  tcdm_rsp_t             tcdm_rsp_i[NumMasters],

  output logic                  idle_o,
  output gemm_events_t          events_o
);
  localparam int unsigned NumLaneRegs = NumRegs - OffsetLanes;
  localparam int unsigned LaneAddrBits = $clog2(NumLaneRegs);

  logic x_valid, x_ready, w_valid, w_ready, p_valid, p_ready, t_valid, t_ready, y_valid, y_ready;
  word_t x_data[M];
  word_t w_data[WLanes];
  word_t p_data[PLanes];
  word_t t_data[TLanes];
  word_t y_data[M];

  // ---- Launch ------------------------------------------------------------------------------------
  reg_write_t write;
  logic [NumEngines:0] queue_ready, queue_idle;
  logic [7:0] lane_addr;
  logic push_w, push_p, push_t;
  reg_t reuse_d, reuse_q, select_d, select_q;
  vector_op_e op;

  assign launch_ready_o = &queue_ready;
  assign idle_o         = &queue_idle;
  assign write          = '{we: reg_we_i, addr: reg_addr_i, op: reg_op_i, data: reg_data_i};
  assign lane_addr      = reg_addr_i - 8'(OffsetLanes);
  // Two shadow registers decide who takes part; they follow those in the queue of the lanes.
  assign reuse_d  = (reg_we_i && lane_addr == Registers.reuse) ?
                    cvn_pkg::reg_update(reg_op_i, reuse_q, reg_data_i) : reuse_q;
  assign select_d = (reg_we_i && lane_addr == Registers.select) ?
                    cvn_pkg::reg_update(reg_op_i, select_q, reg_data_i) : select_q;
  assign op       = Operations[3'(select_q)];
  assign push_w   = launch_i && cvn_pkg::vector_reads_w(op);
  assign push_t   = launch_i && op == cvn_pkg::VectorTable;
  assign push_p   = launch_i && reuse_q != '0;

  function automatic reg_t reset_of(input logic [7:0] index);
    return (index == cvn_pkg::VectorAbsent) ? '0 : ResetValue[OffsetLanes+32'(index)];
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reuse_q  <= reset_of(Registers.reuse);
      select_q <= reset_of(Registers.select);
    end else if (clr_i) begin
      reuse_q  <= reset_of(Registers.reuse);
      select_q <= reset_of(Registers.select);
    end else begin
      reuse_q  <= reuse_d;
      select_q <= select_d;
    end
  end

  // ---- Streams -----------------------------------------------------------------------------------
  cvn_vector_streams #(
    .M         (M),
    .WLanes    (WLanes),
    .PLanes    (PLanes),
    .TLanes    (TLanes),
    .HasTable  (HasTable),
    .LoopsX    (LoopsX),
    .LoopsW    (LoopsW),
    .LoopsP    (LoopsP),
    .LoopsT    (LoopsT),
    .LoopsY    (LoopsY),
    .FifoDepthX(FifoDepthX),
    .FifoDepthW(FifoDepthW),
    .FifoDepthP(FifoDepthP),
    .FifoDepthT(FifoDepthT),
    .FifoDepthY(FifoDepthY),
    .QueueDepth(QueueDepth),
    .NumRegs   (NumRegs),
    .ResetValue(ResetValue),
    .OffsetX   (OffsetX),
    .OffsetW   (OffsetW),
    .OffsetP   (OffsetP),
    .OffsetT   (OffsetT),
    .OffsetY   (OffsetY),
    .WaitX     (WaitX),
    .WaitW     (WaitW),
    .WaitP     (WaitP),
    .WaitT     (WaitT),
    .WaitY     (WaitY),
    .PostX     (PostX),
    .PostW     (PostW),
    .PostP     (PostP),
    .PostT     (PostT),
    .PostY     (PostY)
  ) i_streams (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .clr_i     (clr_i),
    .write_i   (write),
    .push_i    ({launch_i, push_t, push_p, push_w, launch_i}),
    .ready_o   (queue_ready[NumEngines-1:0]),
    .idle_o    (queue_idle[NumEngines-1:0]),
    .wait_i    (wait_i),
    .post_i    (post_i),
    .sem_req_o (sem_req_o),
    .sem_gnt_i (sem_gnt_i),
    .sem_post_o(sem_post_o),
    .tcdm_req_o(tcdm_req_o),
    .tcdm_rsp_i(tcdm_rsp_i),
    .x_valid_o (x_valid),
    .x_ready_i (x_ready),
    .x_o       (x_data),
    .w_valid_o (w_valid),
    .w_ready_i (w_ready),
    .w_o       (w_data),
    .p_valid_o (p_valid),
    .p_ready_i (p_ready),
    .p_o       (p_data),
    .t_valid_o (t_valid),
    .t_ready_i (t_ready),
    .t_o       (t_data),
    .y_valid_i (y_valid),
    .y_ready_o (y_ready),
    .y_i       (y_data)
  );

  // ---- Job queue of the lanes --------------------------------------------------------------------
  logic lanes_valid, lanes_take, lanes_done;
  reg_t [NumLaneRegs-1:0] lane_regs;
  sem_mask_t unused_req, unused_post;

  cvn_job_queue #(
    .NumRegs   (NumLaneRegs),
    .Depth     (QueueDepth),
    .ResetValue(ResetValue[OffsetLanes+:NumLaneRegs]),
    .WaitMask  ('0),
    .PostMask  ('0)
  ) i_lane_queue (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clr_i      (clr_i),
    .we_i       (reg_we_i && lane_addr < 8'(NumLaneRegs)),
    .waddr_i    (lane_addr[LaneAddrBits-1:0]),
    .wop_i      (reg_op_i),
    .wdata_i    (reg_data_i),
    .push_i     (launch_i),
    .ready_o    (queue_ready[NumEngines]),
    .wait_i     ('0),
    .post_i     ('0),
    .sem_req_o  (unused_req),
    .sem_gnt_i  (1'b0),
    .job_valid_o(lanes_valid),
    .job_ready_i(lanes_take),
    .regs_o     (lane_regs),
    .job_done_i (lanes_done),
    .post_o     (unused_post),
    .idle_o     (queue_idle[NumEngines])
  );

  // ---- Datapath ----------------------------------------------------------------------------------
  cvn_vector_datapath #(
    .M                (M),
    .RequantiseColumns(RequantiseColumns),
    .WLanes           (WLanes),
    .PLanes           (PLanes),
    .TLanes           (TLanes),
    .HasTable         (HasTable),
    .NumRegs          (NumLaneRegs),
    .Registers        (Registers),
    .Operations       (Operations)
  ) i_datapath (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clr_i      (clr_i),
    .job_valid_i(lanes_valid),
    .job_ready_o(lanes_take),
    .job_done_o (lanes_done),
    .regs_i     (lane_regs),
    .x_valid_i  (x_valid),
    .x_ready_o  (x_ready),
    .x_i        (x_data),
    .w_valid_i  (w_valid),
    .w_ready_o  (w_ready),
    .w_i        (w_data),
    .p_valid_i  (p_valid),
    .p_ready_o  (p_ready),
    .p_i        (p_data),
    .t_valid_i  (t_valid),
    .t_ready_o  (t_ready),
    .t_i        (t_data),
    .y_valid_o  (y_valid),
    .y_ready_i  (y_ready),
    .y_o        (y_data),
    .events_o   (events_o)
  );

  sem_mask_t may_wait, may_post;
  assign may_wait = WaitX | WaitY | (push_w ? WaitW : '0) | (push_p ? WaitP : '0) |
                    (push_t ? WaitT : '0);
  assign may_post = PostX | PostY | (push_w ? PostW : '0) | (push_p ? PostP : '0) |
                    (push_t ? PostT : '0);

  `CVN_ASSERT_INIT(RegistersChosen, NumRegs > OffsetLanes + 1,
                   "The registers of the lanes lie outside of the unit.")
  `CVN_ASSERT(LaunchReady, !launch_i || launch_ready_o,
              "A vector job was launched into a full queue.")
  `CVN_ASSERT(TableThere, HasTable || !push_t, "A vector job uses a table; the node has none.")
  `CVN_ASSERT(WaitHasEngine, !launch_i || (wait_i & ~may_wait) == '0,
              "A launch waits for a semaphore that none of its sub-engines may wait for.")
  `CVN_ASSERT(PostHasEngine, !launch_i || (post_i & ~may_post) == '0,
              "A launch posts a semaphore that none of its sub-engines may post.")
endmodule
