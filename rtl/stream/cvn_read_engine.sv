/// Job queue and read stream: one sub-engine of a compute node.
///
/// Purpose: owns the stream's registers inside its unit (decoded by offset) and runs queued jobs.
/// Latency: push -> job taken 1 cycle -> first beat 3 cycles.
/// Handshake: write_i.we is a pulse; push_i only while ready_o; semaphores: request mask, grant
/// in the same cycle, post mask pulse; beats: valid/ready.
/// YAML: control.units.<unit>.registers / waits / posts, transfers.<stream>.
`include "cvn_assert.svh"

module cvn_read_engine
  import cvn_pkg::reg_t, cvn_pkg::reg_write_t, cvn_pkg::sem_mask_t, cvn_pkg::stream_layout_e;
  import cvn_pkg::shape_select_t;
  import cvn_pkg::tcdm_req_t, cvn_pkg::tcdm_rsp_t, cvn_pkg::word_t;
#(
  parameter int unsigned    Lanes         = 0,
  parameter int unsigned    LanesPerPixel = 0,
  /// See cvn_address_queue.
  parameter int unsigned    Fold          = 0,
  /// Which launches are folded, and lanes awake in the others and in these.
  parameter shape_select_t  Select        = '0,
  parameter int unsigned    MostLanes     = Lanes,
  parameter int unsigned    FoldedLanes   = Lanes,
  parameter int unsigned    Loops         = 0,
  parameter int unsigned    FifoDepth     = 0,
  parameter int unsigned    AddressDepth  = 0,
  parameter int unsigned    QueueDepth    = 0,
  /// See cvn_stream_reader.
  parameter bit             Prompt        = 1'b0,
  parameter stream_layout_e Layout        = cvn_pkg::StreamPlain,
  localparam int unsigned   NumRegs       = cvn_pkg::stream_regs(Layout, Loops),
  parameter reg_t [NumRegs-1:0] ResetValue = '0,
  /// Index of the stream's first register in its unit.
  parameter int unsigned    Offset        = 0,
  parameter sem_mask_t      WaitMask      = '0,
  parameter sem_mask_t      PostMask      = '0
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       clr_i,

  input  reg_write_t write_i,

  input  logic       push_i,
  output logic       ready_o,
  input  sem_mask_t  wait_i,
  input  sem_mask_t  post_i,
  output sem_mask_t  sem_req_o,
  input  logic       sem_gnt_i,
  output sem_mask_t  sem_post_o,
  output logic       idle_o,

  output tcdm_req_t  tcdm_req_o[Lanes],
  input  tcdm_rsp_t  tcdm_rsp_i[Lanes],

  output logic       valid_o,
  input  logic       ready_i,
  output word_t      data_o[Lanes]
);
  localparam int unsigned Header = int'(Layout);
  // The register that chooses the shape is one of the unit; every engine keeps a copy, the last one.
  localparam bit HasShapes = Select.folded != '0;
  localparam int unsigned QueueRegs = NumRegs + int'(HasShapes);
  localparam int unsigned AddrBits = $clog2(QueueRegs);
  typedef reg_t [QueueRegs-1:0] queue_regs_t;
  localparam queue_regs_t QueueReset = queue_regs_t'({Select.reset, ResetValue});

  logic job_valid, job_ready, job_done, folded;
  logic [15:0] most_lanes;
  reg_t [QueueRegs-1:0] regs;
  logic [7:0] local_addr;
  logic [AddrBits-1:0] queue_addr;
  logic queue_we, shape_we;
  reg_t lane_stride, word_stride, tail_loop, tail_lanes, row_lanes, row_step, row_jump;

  assign local_addr = write_i.addr - 8'(Offset);

  assign shape_we   = HasShapes && write_i.addr == Select.index;
  assign queue_we   = write_i.we && (local_addr < 8'(NumRegs) || shape_we);
  assign queue_addr = shape_we ? AddrBits'(NumRegs) : local_addr[AddrBits-1:0];
  assign folded     = cvn_pkg::is_folded(Select.folded, regs[QueueRegs-1]);
  assign most_lanes = folded ? 16'(FoldedLanes) : 16'(MostLanes);

  cvn_job_queue #(
    .NumRegs   (QueueRegs),
    .Depth     (QueueDepth),
    .ResetValue(QueueReset),
    .WaitMask  (WaitMask),
    .PostMask  (PostMask)
  ) i_job_queue (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clr_i      (clr_i),
    .we_i       (queue_we),
    .waddr_i    (queue_addr),
    .wop_i      (write_i.op),
    .wdata_i    (write_i.data),
    .push_i     (push_i),
    .ready_o    (ready_o),
    .wait_i     (wait_i),
    .post_i     (post_i),
    .sem_req_o  (sem_req_o),
    .sem_gnt_i  (sem_gnt_i),
    .job_valid_o(job_valid),
    .job_ready_i(job_ready),
    .regs_o     (regs),
    .job_done_i (job_done),
    .post_o     (sem_post_o),
    .idle_o     (idle_o)
  );

  if (Layout == cvn_pkg::StreamPlain) begin : gen_plain
    assign lane_stride = reg_t'(cvn_pkg::WordBytes);
    assign word_stride = '0;
    assign tail_loop   = '0;
    assign tail_lanes  = '1;
  end else if (Layout == cvn_pkg::StreamLanes) begin : gen_lanes
    assign lane_stride = regs[1];
    assign word_stride = '0;
    assign tail_loop   = regs[2];
    assign tail_lanes  = regs[3];
  end else begin : gen_pixels
    assign lane_stride = regs[1];
    assign word_stride = regs[2];
    assign tail_loop   = regs[3];
    assign tail_lanes  = regs[4];
  end

  if (Layout == cvn_pkg::StreamRows) begin : gen_rows
    assign row_lanes = regs[5];
    assign row_step  = regs[6];
    assign row_jump  = regs[7];
  end else begin : gen_row
    assign row_lanes = '0;
    assign row_step  = '0;
    assign row_jump  = '0;
  end

  cvn_stream_reader #(
    .Lanes        (Lanes),
    .LanesPerPixel(LanesPerPixel),
    .Fold         (Fold),
    .Rows         (Layout == cvn_pkg::StreamRows),
    .Loops        (Loops),
    .FifoDepth    (FifoDepth),
    .AddressDepth (AddressDepth),
    .Prompt       (Prompt)
  ) i_reader (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (clr_i),
    .job_valid_i  (job_valid),
    .job_ready_o  (job_ready),
    .job_done_o   (job_done),
    .base_i       (regs[0]),
    .lane_stride_i(lane_stride),
    .word_stride_i(word_stride),
    .tail_loop_i  (tail_loop),
    .tail_lanes_i (tail_lanes),
    .most_lanes_i (most_lanes),
    .folded_i     (folded),
    .row_lanes_i  (row_lanes),
    .row_step_i   (row_step),
    .row_jump_i   (row_jump),
    .bound_i      (regs[Header+:Loops]),
    .stride_i     (regs[Header+Loops+:Loops]),
    .tcdm_req_o   (tcdm_req_o),
    .tcdm_rsp_i   (tcdm_rsp_i),
    .valid_o      (valid_o),
    .ready_i      (ready_i),
    .data_o       (data_o)
  );

  `CVN_ASSERT_INIT(OffsetInRange, Offset + NumRegs <= 256,
                   "The registers of a stream end beyond the register field of an instruction.")
endmodule
