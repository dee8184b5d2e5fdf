/// Streams of a vector node: x, w, p, t are read, y is written; each with its own job queue.
///
/// Purpose: wiring of the five sub-engines between the unit's registers, L1 and the datapath. A node
/// without a table has no t engine: its master stays idle.
/// Latency: push -> first beat of a reader in 4 cycles; accepted y beat -> write request in 1.
/// Handshake: write_i is a pulse; push_i[e] only while ready_o[e]; semaphores per engine: request
/// mask, grant in the same cycle, post mask pulse; beats valid/ready. Engines and TCDM masters in the
/// order x, w, p, t, y.
/// YAML: control.units.<unit>, transfers.<stream>.
module cvn_vector_streams
  import cvn_pkg::reg_t, cvn_pkg::reg_write_t, cvn_pkg::sem_mask_t;
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
  import cvn_pkg::stream_regs, cvn_pkg::StreamPlain, cvn_pkg::StreamLanes;
#(
  parameter int unsigned M                 = 0,
  /// Lanes of w: as many as of x, or 1 if no operation needs a second operand per pixel.
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

  output logic                  x_valid_o,
  input  logic                  x_ready_i,
  output word_t                 x_o[M],
  output logic                  w_valid_o,
  input  logic                  w_ready_i,
  output word_t                 w_o[WLanes],
  output logic                  p_valid_o,
  input  logic                  p_ready_i,
  output word_t                 p_o[PLanes],
  output logic                  t_valid_o,
  input  logic                  t_ready_i,
  output word_t                 t_o[TLanes],
  input  logic                  y_valid_i,
  output logic                  y_ready_o,
  input  word_t                 y_i[M]
);
  localparam int unsigned FirstW = M;
  localparam int unsigned FirstP = FirstW + WLanes;
  localparam int unsigned FirstT = FirstP + PLanes;
  localparam int unsigned FirstY = FirstT + TLanes;
  // Deep enough that one lane may fill its FIFO while another one is stuck in a conflict.
  localparam int unsigned AddressDepth = 8;

  cvn_read_engine #(
    .Lanes        (M),
    .LanesPerPixel(1),
    .Fold         (1),
    .Loops        (LoopsX),
    .FifoDepth    (FifoDepthX),
    .AddressDepth (AddressDepth),
    .QueueDepth   (QueueDepth),
    .Layout       (StreamLanes),
    .ResetValue   (ResetValue[OffsetX+:stream_regs(StreamLanes, LoopsX)]),
    .Offset       (OffsetX),
    .WaitMask     (WaitX),
    .PostMask     (PostX)
  ) i_x (
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
    .tcdm_req_o(tcdm_req_o[0:M-1]),
    .tcdm_rsp_i(tcdm_rsp_i[0:M-1]),
    .valid_o   (x_valid_o),
    .ready_i   (x_ready_i),
    .data_o    (x_o)
  );

  cvn_read_engine #(
    .Lanes        (WLanes),
    .LanesPerPixel(1),
    .Fold         (1),
    .Loops        (LoopsW),
    .FifoDepth    (FifoDepthW),
    .AddressDepth (AddressDepth),
    .QueueDepth   (QueueDepth),
    .Layout       (StreamLanes),
    .ResetValue   (ResetValue[OffsetW+:stream_regs(StreamLanes, LoopsW)]),
    .Offset       (OffsetW),
    .WaitMask     (WaitW),
    .PostMask     (PostW)
  ) i_w (
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
    .tcdm_req_o(tcdm_req_o[FirstW:FirstW+WLanes-1]),
    .tcdm_rsp_i(tcdm_rsp_i[FirstW:FirstW+WLanes-1]),
    .valid_o   (w_valid_o),
    .ready_i   (w_ready_i),
    .data_o    (w_o)
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
    .push_i    (push_i[2]),
    .ready_o   (ready_o[2]),
    .wait_i    (wait_i),
    .post_i    (post_i),
    .sem_req_o (sem_req_o[2]),
    .sem_gnt_i (sem_gnt_i[2]),
    .sem_post_o(sem_post_o[2]),
    .idle_o    (idle_o[2]),
    .tcdm_req_o(tcdm_req_o[FirstP:FirstP+PLanes-1]),
    .tcdm_rsp_i(tcdm_rsp_i[FirstP:FirstP+PLanes-1]),
    .valid_o   (p_valid_o),
    .ready_i   (p_ready_i),
    .data_o    (p_o)
  );

  if (HasTable) begin : gen_table
    cvn_read_engine #(
      .Lanes        (TLanes),
      .LanesPerPixel(1),
      .Fold         (1),
      .Loops        (LoopsT),
      .FifoDepth    (FifoDepthT),
      .AddressDepth (AddressDepth),
      .QueueDepth   (QueueDepth),
      .Prompt       (1'b1),
      .Layout       (StreamPlain),
      .ResetValue   (ResetValue[OffsetT+:stream_regs(StreamPlain, LoopsT)]),
      .Offset       (OffsetT),
      .WaitMask     (WaitT),
      .PostMask     (PostT)
    ) i_t (
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
      .tcdm_req_o(tcdm_req_o[FirstT:FirstT+TLanes-1]),
      .tcdm_rsp_i(tcdm_rsp_i[FirstT:FirstT+TLanes-1]),
      .valid_o   (t_valid_o),
      .ready_i   (t_ready_i),
      .data_o    (t_o)
    );
  end else begin : gen_no_table
    logic unused_table;
    assign ready_o[3]    = 1'b1;
    assign idle_o[3]     = 1'b1;
    assign sem_req_o[3]  = '0;
    assign sem_post_o[3] = '0;
    assign t_valid_o     = 1'b0;
    for (genvar l = 0; l < int'(TLanes); l++) begin : gen_nothing
      logic unused_response;
      assign tcdm_req_o[FirstT+l] = '0;
      assign t_o[l]               = '0;
      assign unused_response      = ^tcdm_rsp_i[FirstT+l];
    end
    assign unused_table = ^{push_i[3], sem_gnt_i[3], t_ready_i};
  end

  cvn_write_engine #(
    .Lanes       (M),
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
