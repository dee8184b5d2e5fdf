/// Control of a vector node: steps, tiles and jobs.
///
/// Purpose: executes a step whenever the operands of the job's operation, its parameter record and
/// its table are there. After `steps` steps the tile is handed to the output stage, or its bytes go
/// straight to the y stream (direct), and the next one starts in the next cycle.
/// Latency: first step 2 cycles after the push at the earliest (operands take 4, a table 4 + beats);
/// tiles and queued jobs follow without a bubble while the way out is free at the last step of a tile.
/// Handshake: job_*: valid/ready, registers copied on acceptance, done is a pulse (last step); operand
/// beats: valid-then-ready; record: valid until released; tile and direct output: valid waits for
/// ready because the step itself does.
/// YAML: compute.<node>.capabilities, control.units.<unit>.registers.
`include "cvn_assert.svh"

module cvn_vector_sequencer
  import cvn_pkg::reg_t, cvn_pkg::gemm_out_e, cvn_pkg::post_job_t, cvn_pkg::gemm_events_t;
  import cvn_pkg::clamp_t, cvn_pkg::vector_registers_t, cvn_pkg::vector_ops_t;
  import cvn_pkg::vector_op_e, cvn_pkg::vector_job_t;
#(
  parameter int unsigned       NumRegs    = 0,
  parameter vector_registers_t Registers  = '0,
  parameter vector_ops_t       Operations = '{default: cvn_pkg::VectorMac}
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clr_i,

  input  logic               job_valid_i,
  output logic               job_ready_o,
  output logic               job_done_o,
  input  reg_t [NumRegs-1:0] regs_i,

  input  logic               x_valid_i,
  output logic               x_ready_o,
  input  logic               w_valid_i,
  output logic               w_ready_o,
  input  logic               record_valid_i,
  output logic               record_release_o,
  /// Asks for a fresh table.
  output logic               table_start_o,
  input  logic               table_loaded_i,

  output logic               step_o,
  output logic               first_o,
  output logic               second_o,
  output logic               set_o,
  output vector_job_t        job_o,
  /// Zero points and biases come from the record, otherwise they are 0.
  output logic               record_o,

  output logic               tile_valid_o,
  input  logic               tile_ready_i,
  output post_job_t          tile_job_o,
  output logic               direct_valid_o,
  input  logic               direct_ready_i,

  output gemm_events_t       events_o
);
  logic running_d, running_q, set_d, set_q, second_d, second_q;
  logic take, operands, record, last_step, last_tile, last_use, whole, finish, job_end, tables;
  logic direct, out_ready, use_w;
  reg_t step_d, step_q, tile_d, tile_q, use_d, use_q;  // steps, tiles, uses left after this one
  reg_t steps_q, reuse_q;
  clamp_t clamp_q;
  vector_job_t job_d, job_q;
  logic use_record_q;
  gemm_out_e out_q;

  function automatic reg_t value_of(input logic [7:0] index, input reg_t absent);
    return (index == cvn_pkg::VectorAbsent) ? absent : regs_i[index];
  endfunction

  // ---- Step --------------------------------------------------------------------------------------
  assign use_w     = cvn_pkg::vector_reads_w(job_q.op);
  assign tables    = job_q.op == cvn_pkg::VectorTable;
  assign direct    = out_q == cvn_pkg::OutRaw && (tables || job_q.op == cvn_pkg::VectorMax);
  assign operands  = x_valid_i && (w_valid_i || !use_w);
  assign record    = (record_valid_i || !use_record_q) && (table_loaded_i || !tables);
  // Whether this cycle is the last or only one of its step.
  assign whole     = job_q.op != cvn_pkg::VectorBlend || second_q;
  assign last_step = step_q == '0;
  assign last_tile = tile_q == '0;
  assign last_use  = use_q == '0 || last_tile;
  assign finish    = whole && last_step;
  assign out_ready = direct ? direct_ready_i : tile_ready_i;
  assign step_o    = running_q && operands && record && (!finish || out_ready);
  assign job_end   = step_o && finish && last_tile;

  assign first_o          = step_q == steps_q;
  assign second_o         = second_q;
  assign set_o            = set_q;
  assign job_o            = job_q;
  assign record_o         = use_record_q;
  assign job_ready_o      = !running_q || job_end;
  assign job_done_o       = job_end;
  assign take             = job_valid_i && job_ready_o;
  assign x_ready_o        = step_o && whole;
  assign w_ready_o        = step_o && whole && use_w;
  assign tile_valid_o     = step_o && finish && !direct;
  assign direct_valid_o   = step_o && finish && direct;
  assign record_release_o = step_o && finish && last_use && use_record_q;
  assign table_start_o    = take && job_d.op == cvn_pkg::VectorTable;

  always_comb begin
    tile_job_o.out    = out_q;
    tile_job_o.resume = 1'b0;
    tile_job_o.record = use_record_q;
    tile_job_o.clamp  = clamp_q;
  end

  always_comb begin
    events_o             = '0;
    events_o.busy        = step_o;
    events_o.config_wait = !running_q;
    if (running_q && !step_o) begin
      if (!x_valid_i)     events_o.starved_a = 1'b1;
      else if (!operands) events_o.starved_b = 1'b1;
      else if (!record)   events_o.starved_p = 1'b1;
      else                events_o.blocked_y = 1'b1;
    end
  end

  // ---- Job ---------------------------------------------------------------------------------------
  always_comb begin
    job_d.op       = Operations[3'(value_of(Registers.select, '0))];
    job_d.x_signed = 1'(value_of(Registers.x_signed, '0));
    job_d.w_signed = 1'(value_of(Registers.w_signed, '0));
    job_d.zx       = 8'(value_of(Registers.zx, '0));
    job_d.zw       = 8'(value_of(Registers.zw, '0));
    job_d.kx       = 16'(value_of(Registers.kx, '0));
    job_d.kw       = 16'(value_of(Registers.kw, '0));
  end

  always_comb begin
    running_d = running_q && !job_end;
    set_d     = set_q ^ tile_valid_o;
    second_d  = step_o ? !whole : second_q;
    step_d    = step_q;
    tile_d    = tile_q;
    use_d     = use_q;
    if (step_o && whole) step_d = last_step ? steps_q : step_q - 32'd1;
    if (step_o && finish) begin
      tile_d = tile_q - 32'd1;
      use_d  = (use_q == '0) ? reuse_q : use_q - 32'd1;
    end
    if (take) begin
      running_d = 1'b1;
      step_d    = value_of(Registers.steps, 32'd1) - 32'd1;
      tile_d    = value_of(Registers.tiles, 32'd1) - 32'd1;
      use_d     = value_of(Registers.reuse, '0) - 32'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    step_q <= step_d;
    tile_q <= tile_d;
    use_q  <= use_d;
    if (take) begin
      job_q        <= job_d;
      steps_q      <= value_of(Registers.steps, 32'd1) - 32'd1;
      reuse_q      <= value_of(Registers.reuse, '0) - 32'd1;
      use_record_q <= value_of(Registers.reuse, '0) != '0;
      clamp_q.zy   <= value_of(Registers.zy, '0);
      clamp_q.lo   <= value_of(Registers.lo, '0);
      clamp_q.hi   <= value_of(Registers.hi, '0);
      out_q        <= gemm_out_e'(2'(value_of(Registers.out, '0)));
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      set_q     <= 1'b0;
      second_q  <= 1'b0;
    end else if (clr_i) begin
      running_q <= 1'b0;
      set_q     <= 1'b0;
      second_q  <= 1'b0;
    end else begin
      running_q <= running_d;
      set_q     <= set_d;
      second_q  <= second_d;
    end
  end

  `CVN_ASSERT_INIT(RegistersChosen, NumRegs > 0, "The caller must choose the registers.")
  `CVN_ASSERT(StepsPositive, !take || value_of(Registers.steps, 32'd1) != '0,
              "A vector job has no steps.")
  `CVN_ASSERT(TilesPositive, !take || value_of(Registers.tiles, 32'd1) != '0,
              "A vector job has no output tiles.")
  `CVN_ASSERT(OutLegal, !take || value_of(Registers.out, '0) <= 32'd2,
              "The register out of a vector job is none of 0, 1, 2.")
  `CVN_ASSERT(OneStep, !take || value_of(Registers.steps, 32'd1) == 32'd1 ||
              job_d.op inside {cvn_pkg::VectorMac, cvn_pkg::VectorSum, cvn_pkg::VectorMax},
              "A vector job without a reduction has more than one step per tile.")
  `CVN_ASSERT(ScaleThere, !take || value_of(Registers.out, '0) != 32'd2 ||
              value_of(Registers.reuse, '0) != '0,
              "A vector job requantises without parameter records (reuse is 0).")
endmodule
