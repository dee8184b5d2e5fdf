/// Chooses the next DMA job among channels, round robin, and prepares it for the address walkers.
///
/// Purpose: registers of a channel become a job. A job is a nest of rows; a row is `run` words that
/// are contiguous in DRAM. When loop 0 continues a row without a gap in DRAM, loop 0 is folded into
/// the row (`words` = run * bound[0]), so that short rows still make full bursts.
/// Latency: none (combinational, round-robin state only).
/// Handshake: valid/ready on both sides; a chosen channel stays chosen until its job is taken.
/// YAML: transfers.*.channels, control.units.<load, store>.registers.
`include "cvn_assert.svh"

module cvn_dma_jobs
  import cvn_pkg::reg_t;
#(
  parameter int unsigned Channels = 0,
  parameter int unsigned NumRegs = 0,
  parameter int unsigned Loops = 0,
  parameter cvn_dma_pkg::registers_t Registers = '0,
  /// Whether the channels can write a constant.
  parameter bit HasFill = 1'b0,
  /// Whether the channels can load windows: rows of bytes that may leave their line.
  parameter bit HasWindows = 1'b0,
  parameter type job_t = logic,
  localparam int unsigned ChannelBits = (Channels > 1) ? $clog2(Channels) : 1
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,
  input  logic                               clr_i,

  input  logic [Channels-1:0]                job_valid_i,
  output logic [Channels-1:0]                job_ready_o,
  input  reg_t [Channels-1:0][NumRegs-1:0]   regs_i,

  output logic                               valid_o,
  input  logic                               ready_i,
  output job_t                               job_o
);
  typedef logic [ChannelBits-1:0] channel_t;

  channel_t last_d, last_q, chosen;
  logic locked_d, locked_q;
  reg_t [NumRegs-1:0] regs;
  logic adjacent, fold;

  // ---- Round robin -------------------------------------------------------------------------------
  always_comb begin
    chosen = last_q;
    if (!locked_q) begin
      for (int unsigned i = Channels; i > 0; i--) begin
        if (job_valid_i[channel_t'((32'(last_q) + i) % Channels)]) begin
          chosen = channel_t'((32'(last_q) + i) % Channels);
        end
      end
    end
  end

  assign valid_o  = |job_valid_i;
  assign last_d   = valid_o ? chosen : last_q;
  assign locked_d = valid_o && !ready_i;

  always_comb begin
    job_ready_o = '0;
    job_ready_o[chosen] = ready_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      last_q   <= '0;
      locked_q <= 1'b0;
    end else if (clr_i) begin
      last_q   <= '0;
      locked_q <= 1'b0;
    end else begin
      last_q   <= last_d;
      locked_q <= locked_d;
    end
  end

  // ---- Registers to job --------------------------------------------------------------------------
  assign regs = regs_i[chosen];

  always_comb begin
    job_o             = '0;
    job_o.channel     = chosen;
    job_o.l1          = regs[Registers.l1];
    job_o.run         = regs[Registers.run];
    job_o.word_stride = regs[Registers.word_stride];
    job_o.run_stride  = regs[Registers.l1_stride];
    if (HasFill) begin
      job_o.fill  = regs[Registers.fill][0];
      job_o.value = regs[Registers.value][7:0];
    end
    if (HasWindows) begin
      job_o.value    = regs[Registers.value][7:0];
      job_o.line     = regs[Registers.line];
      job_o.at       = regs[Registers.at];
      job_o.plane    = regs[Registers.plane];
      job_o.top      = regs[Registers.top];
      job_o.bytes    = regs[Registers.bytes];
      job_o.windowed = !job_o.fill && job_o.line != '0;
    end
    adjacent      = regs[Registers.dram_stride] == reg_t'(regs[Registers.run] << 3);
    fold          = !job_o.windowed && (job_o.fill || adjacent);
    job_o.words   = fold ? regs[Registers.run] * regs[Registers.bound] : regs[Registers.run];
    // A fill has no DRAM side: all its rows start in lane 0.
    job_o.dram    = job_o.fill ? '0 : regs[Registers.dram];
    // The register is the start of a plane; `top` leads from there to the line of the first window,
    // `at` to its place in the line.
    if (job_o.windowed) job_o.dram = regs[Registers.dram] + job_o.top + job_o.at;
    for (int unsigned i = 0; i < Loops; i++) begin
      job_o.bound[i]       = (fold && i == 0) ? 32'd1 : regs[Registers.bound+i];
      job_o.dram_stride[i] = job_o.fill ? '0 : regs[Registers.dram_stride+i];
      job_o.l1_stride[i]   = regs[Registers.l1_stride+i];
    end
    // The runs of a window make one row.
    if (job_o.windowed) job_o.l1_stride[0] = '0;
  end

  `CVN_ASSERT_INIT(Channels, Channels > 0, "The caller must choose the number of channels.")
  `CVN_ASSERT_INIT(Loops, Loops > 0, "The caller must choose the number of loops.")
  `CVN_ASSERT(RowHasWords, !valid_o || (job_o.words != '0 && job_o.run != '0),
              "A DMA job has an empty row; run and bounds must be at least 1.")
  for (genvar i = 0; i < int'(Loops); i++) begin : gen_bound
    `CVN_ASSERT(BoundPositive, !valid_o || job_o.bound[i] != '0,
                "A DMA job has a loop of 0 iterations; bounds must be at least 1.")
  end
  `CVN_ASSERT(Aligned, !valid_o || job_o.l1[2:0] == '0,
              "A DMA job starts at an L1 address that is not a multiple of 8 bytes.")
  `CVN_ASSERT(FarAligned, !valid_o || job_o.windowed || job_o.dram[2:0] == '0,
              "A DMA job starts at an address that is not a multiple of 8 bytes.")
endmodule
