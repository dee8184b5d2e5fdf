/// Command processor: runs a program of fixed-width words.
///
/// Purpose: one word per cycle writes a register of a unit, launches a unit, posts semaphores, opens
/// a hardware loop or halts. Loops jump back without a lost cycle and nest up to LoopDepth; the last
/// word of a loop may be the last word of the loops around it.
/// Latency: the word at address 0 executes in the cycle after start_i. Register writes and launches
/// leave in the cycle of execution, so `set; launch` back to back is correct.
/// Handshake: launch_o[u] is raised only while unit_ready_i[u] (the processor waits otherwise, and as
/// Stall says);
/// post_o and register writes are pulses; done_o stays up until the next start.
/// YAML: control.mnemonics, .program_words, .loop_depth, .stall.
`include "cvn_assert.svh"

module cvn_command
  import cvn_pkg::reg_op_e, cvn_pkg::reg_t, cvn_pkg::sem_mask_t;
#(
  parameter int unsigned ProgramWords = 0,
  parameter int unsigned LoopDepth = 0,
  parameter int unsigned NumUnits = 0,
  /// Field positions (lowest bit and width) and opcodes of the instruction words.
  parameter cvn_command_pkg::encoding_t Encoding = '0,
  parameter cvn_command_pkg::stall_e Stall = cvn_command_pkg::StallNone,
  localparam int unsigned RegisterBits = Encoding.index.bits,
  localparam int unsigned AddrBits = $clog2(ProgramWords)
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,

  /// Starts the program at word 0; ignored while one runs.
  input  logic                    start_i,
  /// Clears queues, shadow registers and semaphores at a start.
  output logic                    clr_o,
  output logic                    running_o,
  output logic                    done_o,

  /// Host writes the program while no program runs.
  input  logic                    imem_we_i,
  input  logic [AddrBits-1:0]     imem_addr_i,
  input  cvn_pkg::word_t          imem_wdata_i,

  output logic [NumUnits-1:0]     we_o,
  output logic [RegisterBits-1:0] waddr_o,
  output reg_op_e                 wop_o,
  output reg_t                    wdata_o,

  output logic [NumUnits-1:0]     launch_o,
  input  logic [NumUnits-1:0]     unit_ready_i,
  input  logic [NumUnits-1:0]     unit_idle_i,
  output sem_mask_t               launch_wait_o,
  output sem_mask_t               launch_post_o,
  output sem_mask_t               post_o,

  /// A launch waits for room in a queue, or a word as Stall says.
  output logic                    blocked_o,
  output logic [AddrBits-1:0]     pc_o
);
  localparam int unsigned DepthBits = $clog2(LoopDepth + 1);
  localparam int unsigned LevelBits = (LoopDepth > 1) ? $clog2(LoopDepth) : 1;
  localparam int unsigned UnitBits = (NumUnits > 1) ? $clog2(NumUnits) : 1;
  typedef logic [AddrBits-1:0] addr_t;
  typedef logic [DepthBits-1:0] depth_t;
  typedef logic [LevelBits-1:0] level_t;

  logic start;
  logic running_d, running_q, done_d, done_q;
  addr_t pc_d, pc_q, next_pc, fetch_addr;
  cvn_pkg::word_t word;

  // Open loops, innermost at depth_q - 1.
  depth_t depth_d, depth_q, closed_depth;
  addr_t loop_first_q[LoopDepth];
  addr_t loop_last_q[LoopDepth];
  reg_t loop_left_q[LoopDepth];
  logic jump;
  level_t jump_level;

  // ---- Fetch -------------------------------------------------------------------------------------
  assign start      = start_i && !running_q;
  assign clr_o      = start;
  assign running_o  = running_q;
  assign done_o     = done_q;
  assign pc_o       = pc_q;
  assign fetch_addr = running_q ? pc_d : (imem_we_i ? imem_addr_i : '0);

  cvn_bank #(
    .Rows (ProgramWords)
  ) i_program (
    .clk_i   (clk_i),
    .req_i   (1'b1),
    .write_i (imem_we_i && !running_q),
    .row_i   (fetch_addr),
    .wdata_i (imem_wdata_i),
    .rdata_o (word)
  );

  // ---- Decode ------------------------------------------------------------------------------------
  logic [Encoding.opcode.bits-1:0] opcode;
  logic [Encoding.unit.bits-1:0] unit;
  addr_t length;
  reg_t count;
  logic is_write, is_launch, is_post, is_loop, is_halt, is_known;
  logic [UnitBits-1:0] unit_index;
  logic advance, stalled;

  assign opcode     = word[Encoding.opcode.lsb +: Encoding.opcode.bits];
  assign unit       = word[Encoding.unit.lsb +: Encoding.unit.bits];
  assign length     = addr_t'(word[Encoding.length.lsb +: Encoding.length.bits]);
  assign count      = reg_t'(word[Encoding.count.lsb +: Encoding.count.bits]);
  assign unit_index = UnitBits'(unit);

  assign is_write   = 32'(opcode) inside {Encoding.op_write, Encoding.op_add,
                                          Encoding.op_reverse_subtract};
  assign is_launch  = 32'(opcode) == Encoding.op_launch;
  assign is_post    = 32'(opcode) == Encoding.op_post;
  assign is_loop    = 32'(opcode) == Encoding.op_loop;
  assign is_halt    = 32'(opcode) == Encoding.op_halt;
  assign is_known   = is_write || is_launch || is_post || is_loop || is_halt;

  // ---- Execute -----------------------------------------------------------------------------------
  assign blocked_o     = running_q && ((is_launch && !unit_ready_i[unit_index]) || stalled);
  assign advance       = running_q && !blocked_o && !is_halt;

  always_comb begin
    stalled = 1'b0;
    case (Stall)
      cvn_command_pkg::StallLaunch:  stalled = is_launch && !unit_idle_i[unit_index];
      cvn_command_pkg::StallWrite:   stalled = (is_launch || is_write) && !unit_idle_i[unit_index];
      cvn_command_pkg::StallBarrier: stalled = is_launch && !(&unit_idle_i);
      default:                       stalled = 1'b0;
    endcase
  end

  assign waddr_o       = word[Encoding.index.lsb +: Encoding.index.bits];
  assign wdata_o       = reg_t'(word[Encoding.value.lsb +: Encoding.value.bits]);
  assign launch_wait_o = sem_mask_t'(word[Encoding.waits.lsb +: Encoding.waits.bits]);
  assign launch_post_o = sem_mask_t'(word[Encoding.posts.lsb +: Encoding.posts.bits]);
  assign post_o        = (running_q && is_post) ? launch_post_o : '0;

  always_comb begin
    wop_o = cvn_pkg::RegSet;
    if (32'(opcode) == Encoding.op_add) wop_o = cvn_pkg::RegAdd;
    if (32'(opcode) == Encoding.op_reverse_subtract) wop_o = cvn_pkg::RegRsub;
  end

  always_comb begin
    we_o     = '0;
    launch_o = '0;
    we_o[unit_index]     = running_q && is_write && !blocked_o;
    launch_o[unit_index] = running_q && is_launch && !blocked_o;
  end

  // ---- Loops -------------------------------------------------------------------------------------
  // From the innermost level out: a finished loop closes, the first unfinished one jumps back.
  always_comb begin
    jump         = 1'b0;
    jump_level   = '0;
    closed_depth = depth_q;
    for (int i = int'(LoopDepth) - 1; i >= 0; i--) begin
      if (!jump && depth_t'(i) < depth_q && loop_last_q[i] == pc_q) begin
        if (loop_left_q[i] != '0) begin
          jump       = 1'b1;
          jump_level = level_t'(i);
        end else begin
          closed_depth = depth_t'(i);
        end
      end
    end
  end

  assign next_pc = jump ? loop_first_q[jump_level] : pc_q + addr_t'(1);
  assign pc_d    = advance ? next_pc : pc_q;
  assign depth_d = closed_depth + depth_t'(is_loop);

  always_ff @(posedge clk_i) begin
    if (advance && jump) loop_left_q[jump_level] <= loop_left_q[jump_level] - 32'd1;
    if (advance && is_loop) begin
      loop_first_q[level_t'(depth_q)] <= pc_q + addr_t'(1);
      loop_last_q[level_t'(depth_q)]  <= pc_q + length;
      loop_left_q[level_t'(depth_q)]  <= count - 32'd1;
    end
  end

  assign running_d = start || (running_q && !done_d);
  assign done_d    = running_q ? (is_halt && (&unit_idle_i)) : (done_q && !start);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      done_q    <= 1'b0;
      pc_q      <= '0;
      depth_q   <= '0;
    end else begin
      running_q <= running_d;
      done_q    <= done_d;
      pc_q      <= start ? '0 : pc_d;
      if (start)        depth_q <= '0;
      else if (advance) depth_q <= depth_d;
    end
  end

  `CVN_ASSERT_INIT(ProgramWords, ProgramWords > 1, "The caller must choose the program memory.")
  `CVN_ASSERT_INIT(LoopDepth, LoopDepth > 0, "The caller must choose the depth of loops.")
  `CVN_ASSERT_INIT(NumUnits, NumUnits > 0, "The caller must choose the number of units.")
  `CVN_ASSERT(KnownOpcode, !running_q || is_known, "The program has an unknown opcode.")
  `CVN_ASSERT(KnownUnit, !running_q || !(is_write || is_launch) || 32'(unit) < NumUnits,
              "The program addresses a unit that does not exist.")
  `CVN_ASSERT(LoopFits, !running_q || !is_loop || 32'(depth_q) < LoopDepth,
              "The program nests more loops than the hardware has.")
  `CVN_ASSERT(LoopBody, !running_q || !is_loop || (length != '0 && count != '0),
              "A loop needs at least one word and one iteration.")
  `CVN_ASSERT(LoopNested, !running_q || !is_loop || !(jump || closed_depth != depth_q),
              "A loop word may not end another loop.")
  `CVN_ASSERT(NoPatch, !(imem_we_i && (running_q || start)),
              "The program memory was written while a program runs.")
endmodule
