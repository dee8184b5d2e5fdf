/// Bench top of the gemm node: node, L1, a host port and masters that make random conflicts.
///
/// Purpose: everything a test needs as plain ports; events are counted here so that the test may run
/// many cycles at once. Semaphores: a grant is given when the test or a random bit allows it, posts
/// are counted.
`include "cvn_assert.svh"

module cvn_gemm_tb
  import cvn_pkg::*;
#(
  parameter int unsigned M          = 8,
  parameter int unsigned N          = 8,
  parameter int unsigned K          = 8,
  parameter int unsigned Fold       = 1,
  parameter int unsigned Columns    = 4,
  parameter int unsigned PLanes     = 3,
  parameter int unsigned Banks      = 32,
  parameter int unsigned Words      = 16384,
  parameter int unsigned FifoDepth  = 8,
  parameter int unsigned QueueDepth = 4
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clr_i,

  input  logic        we_i,
  input  logic [7:0]  addr_i,
  input  logic [1:0]  op_i,
  input  logic [31:0] data_i,
  input  logic        launch_i,
  output logic        ready_o,
  input  logic [15:0] wait_i,
  input  logic [15:0] post_i,
  input  logic [4:0]  allow_i,
  output logic        idle_o,

  input  logic        host_valid_i,
  input  logic        host_write_i,
  input  logic [31:0] host_addr_i,
  input  logic [63:0] host_wdata_i,
  output logic [63:0] host_rdata_o,

  /// Chance of each disturbing master to ask a random bank, in 1/256 per cycle.
  input  logic [8:0]  noise_i,
  /// No disturbing master asks any more: the host may use its port, which has no handshake.
  output logic        quiet_o,

  output logic [31:0] cycles_o,
  output logic [31:0] busy_o,
  output logic [31:0] starved_a_o,
  output logic [31:0] starved_b_o,
  output logic [31:0] starved_c_o,
  output logic [31:0] starved_p_o,
  output logic [31:0] blocked_y_o,
  output logic [31:0] config_wait_o,
  output logic [31:0] conflicts_o,
  output logic [31:0] granted_o[16],
  output logic [31:0] posted_o[16],
  output logic [31:0] first_step_o,
  output logic [31:0] last_step_o,
  output logic [31:0] last_write_o
);
  localparam int unsigned Loops = 6;
  localparam int unsigned LoopsPlain = 4;
  localparam int unsigned OffsetB = stream_regs(StreamRows, Loops);
  localparam int unsigned OffsetC = OffsetB + stream_regs(StreamPlain, LoopsPlain);
  localparam int unsigned OffsetP = OffsetC + stream_regs(StreamLanes, Loops);
  localparam int unsigned OffsetY = OffsetP + stream_regs(StreamPlain, LoopsPlain);
  localparam int unsigned OffsetArray = OffsetY + stream_regs(StreamLanes, Loops);
  localparam int unsigned NumRegs = OffsetArray + NumArrayRegs + 1;
  localparam int unsigned GemmMasters = gemm_masters(M, N, K, Fold, PLanes);
  localparam int unsigned Noise = 8;
  localparam int unsigned NumMasters = GemmMasters + 1 + Noise;
  localparam int unsigned FirstY = GemmMasters - M;
  localparam sem_mask_t UsedMask[5] = '{
    28'h0000003, 28'h000000c, 28'h0000300, 28'h0000030, 28'h00003c0
  };

  function automatic reg_t [NumRegs-1:0] reset_values();
    reset_values = '0;
    reset_values[1] = 32'd8;
    reset_values[2] = 32'd8;
    reset_values[4] = 32'd65535;
    reset_values[OffsetC+1] = 32'd8;
    reset_values[OffsetC+3] = 32'd65535;
    reset_values[OffsetY+1] = 32'd8;
    reset_values[OffsetY+3] = 32'd65535;
    for (int unsigned i = 0; i < Loops; i++) begin
      reset_values[8+i] = 32'd1;
      reset_values[OffsetC+4+i] = 32'd1;
      reset_values[OffsetY+4+i] = 32'd1;
    end
    for (int unsigned i = 0; i < LoopsPlain; i++) begin
      reset_values[OffsetB+1+i] = 32'd1;
      reset_values[OffsetP+1+i] = 32'd1;
    end
    reset_values[OffsetArray+int'(ArraySteps)] = 32'd1;
    reset_values[OffsetArray+int'(ArrayTiles)] = 32'd1;
    reset_values[OffsetArray+int'(ArrayReuse)] = 32'd1;
  endfunction

  tcdm_req_t req[NumMasters];
  tcdm_rsp_t rsp[NumMasters];
  tcdm_req_t gemm_req[GemmMasters];
  tcdm_rsp_t gemm_rsp[GemmMasters];
  logic [$clog2(NumMasters+1)-1:0] denied;
  sem_mask_t sem_req[5];
  sem_mask_t sem_post[5];
  logic [4:0] sem_gnt;
  gemm_events_t events;
  logic [63:0] random_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) random_q <= 64'h9E37_79B9_7F4A_7C15;
    else random_q <= {random_q[62:0], random_q[63] ^ random_q[62] ^ random_q[60] ^ random_q[59]}
                     ^ {random_q[12:0], 51'b0} ^ {7'b0, random_q[63:7]};
  end

  for (genvar m = 0; m < GemmMasters; m++) begin : gen_gemm
    assign req[m] = gemm_req[m];
    assign gemm_rsp[m] = rsp[m];
  end

  // Registered, so that a port of the top does not reach through the whole crossbar.
  tcdm_req_t host_q;
  logic [8:0] noise_q;
  logic [4:0] allow_q;
  always_ff @(posedge clk_i) begin
    host_q  <= '{valid: host_valid_i, write: host_write_i, behind: 1'b0, addr: host_addr_i,
                 wdata: host_wdata_i};
    noise_q <= noise_i;
    allow_q <= allow_i;
  end
  assign req[GemmMasters] = host_q;
  assign host_rdata_o = rsp[GemmMasters].rdata;
  `CVN_ASSERT(HostServed, !host_q.valid || rsp[GemmMasters].gnt,
              "The host's access lost its bank to another one: the host must wait for quiet.")

  // A disturbing master asks for its bank until it is served, as the DMA does.
  logic [Noise-1:0] asking;
  assign quiet_o = noise_q == '0 && asking == '0;
  for (genvar i = 0; i < Noise; i++) begin : gen_noise
    logic [63:0] mixed;
    logic asks_q;
    logic [31:0] asked_q;
    assign mixed = random_q * (64'h2545_F491_4F6C_DD1D + 64'd2 * 64'(i));
    assign asking[i] = asks_q;
    assign req[GemmMasters+1+i] = '{
      valid: asks_q, write: 1'b0, behind: 1'b0, addr: asked_q, wdata: '0
    };
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        asks_q  <= 1'b0;
        asked_q <= '0;
      end else if (!asks_q || rsp[GemmMasters+1+i].gnt) begin
        asks_q  <= {1'b0, mixed[63:56]} < noise_q;
        asked_q <= 32'(mixed[55:40]) % Words;
      end
    end
  end

  for (genvar e = 0; e < 5; e++) begin : gen_sem
    assign sem_gnt[e] = sem_req[e] != '0 && (allow_q[e] || random_q[8*e+:3] == '0);
  end

  cvn_tcdm #(
    .NumMasters(NumMasters),
    .Urgent    (gemm_operand_masters(M, N, K, Fold)),
    .Banks     (Banks),
    .Words     (Words)
  ) i_tcdm (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (clr_i),
    .req_i   (req),
    .rsp_o   (rsp),
    .denied_o(denied)
  );

  cvn_gemm #(
    .M                (M),
    .N                (N),
    .K                (K),
    .Fold             (Fold),
    .Folded           (Fold > 1 ? 8'h02 : 8'h00),
    .OffsetShape      (NumRegs - 1),
    .RequantiseColumns(Columns),
    .PLanes           (PLanes),
    .LoopsA           (Loops),
    .LoopsB           (LoopsPlain),
    .LoopsC           (Loops),
    .LoopsP           (LoopsPlain),
    .LoopsY           (Loops),
    .WrapA            (1'b1),
    .FifoDepthA       (FifoDepth),
    .FifoDepthB       (FifoDepth),
    .FifoDepthC       (4),
    .FifoDepthP       (4),
    .FifoDepthY       (4),
    .QueueDepth       (QueueDepth),
    .NumRegs          (NumRegs),
    .ResetValue       (reset_values()),
    .OffsetA          (0),
    .OffsetB          (OffsetB),
    .OffsetC          (OffsetC),
    .OffsetP          (OffsetP),
    .OffsetY          (OffsetY),
    .OffsetArray      (OffsetArray),
    .WaitA            (28'h0000001),
    .WaitB            (28'h0000004),
    .WaitC            (28'h0000100),
    .WaitP            (28'h0000010),
    .WaitY            (28'h0000280),
    .PostA            (28'h0000002),
    .PostB            (28'h0000008),
    .PostC            (28'h0000200),
    .PostP            (28'h0000020),
    .PostY            (28'h0000140)
  ) i_gemm (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clr_i         (clr_i),
    .reg_we_i      (we_i),
    .reg_addr_i    (addr_i),
    .reg_op_i      (reg_op_e'(op_i)),
    .reg_data_i    (data_i),
    .launch_i      (launch_i),
    .launch_ready_o(ready_o),
    .wait_i        (sem_mask_t'(wait_i)),
    .post_i        (sem_mask_t'(post_i)),
    .sem_req_o     (sem_req),
    .sem_gnt_i     (sem_gnt),
    .sem_post_o    (sem_post),
    .tcdm_req_o    (gemm_req),
    .tcdm_rsp_i    (gemm_rsp),
    .idle_o        (idle_o),
    .events_o      (events)
  );

  logic wrote;
  always_comb begin
    wrote = 1'b0;
    for (int unsigned m = FirstY; m < GemmMasters; m++) wrote |= rsp[m].gnt;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {cycles_o, busy_o, starved_a_o, starved_b_o, starved_c_o, starved_p_o} <= '0;
      {blocked_y_o, config_wait_o, conflicts_o, first_step_o, last_step_o, last_write_o} <= '0;
      for (int unsigned i = 0; i < 16; i++) begin
        granted_o[i] <= '0;
        posted_o[i]  <= '0;
      end
    end else if (clr_i) begin
      {cycles_o, busy_o, starved_a_o, starved_b_o, starved_c_o, starved_p_o} <= '0;
      {blocked_y_o, config_wait_o, conflicts_o, first_step_o, last_step_o, last_write_o} <= '0;
      for (int unsigned i = 0; i < 16; i++) begin
        granted_o[i] <= '0;
        posted_o[i]  <= '0;
      end
    end else begin
      cycles_o      <= cycles_o + 1;
      busy_o        <= busy_o + 32'(events.busy);
      starved_a_o   <= starved_a_o + 32'(events.starved_a);
      starved_b_o   <= starved_b_o + 32'(events.starved_b);
      starved_c_o   <= starved_c_o + 32'(events.starved_c);
      starved_p_o   <= starved_p_o + 32'(events.starved_p);
      blocked_y_o   <= blocked_y_o + 32'(events.blocked_y);
      config_wait_o <= config_wait_o + 32'(events.config_wait);
      conflicts_o   <= conflicts_o + 32'(denied);
      if (events.busy && busy_o == '0) first_step_o <= cycles_o;
      if (events.busy) last_step_o <= cycles_o;
      if (wrote) last_write_o <= cycles_o;
      for (int unsigned i = 0; i < 16; i++) begin
        for (int unsigned e = 0; e < 5; e++) begin
          if (UsedMask[e][i] && sem_post[e][i]) posted_o[i] <= posted_o[i] + 1;
          if (UsedMask[e][i] && sem_gnt[e] && sem_req[e][i]) granted_o[i] <= granted_o[i] + 1;
        end
      end
    end
  end
endmodule
