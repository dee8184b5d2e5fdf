/// Control of a gemm array: steps, tiles and jobs.
///
/// Purpose: executes an array step whenever both operands (and the parameter record) are there. After
/// `steps` steps the tile is handed to the output stage and the next one starts in the next cycle.
/// Latency: first step 2 cycles after the push at the earliest (operands take 4); tiles and queued
/// jobs follow without a bubble while the output stage is ready at the last step of a tile.
/// Handshake: job_*: valid/ready, registers copied on acceptance, done is a pulse (last step); operand
/// beats: valid-then-ready; record: valid until released; tile_valid_o/tile_ready_i: valid waits for
/// ready because the step itself does.
/// YAML: compute.<node>, control.units.<unit>.registers.
`include "cvn_assert.svh"

module cvn_gemm_sequencer
  import cvn_pkg::reg_t, cvn_pkg::gemm_out_e, cvn_pkg::post_job_t, cvn_pkg::gemm_events_t;
  import cvn_pkg::clamp_t, cvn_pkg::NumArrayRegs;
#(
  parameter int unsigned K = 0
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    clr_i,

  input  logic                    job_valid_i,
  output logic                    job_ready_o,
  output logic                    job_done_o,
  input  reg_t [NumArrayRegs-1:0] regs_i,
  /// The job uses the folded shape of the array.
  input  logic                    folded_i,

  input  logic                    a_valid_i,
  output logic                    a_ready_o,
  input  logic                    b_valid_i,
  output logic                    b_ready_o,
  input  logic                    record_valid_i,
  output logic                    record_release_o,

  output logic                    step_o,
  output logic                    first_o,
  output logic                    set_o,
  output logic [2:0]              part_o,
  output logic                    folded_o,
  output logic                    a_signed_o,
  output logic                    b_signed_o,
  output logic [7:0]              za_o,
  /// Zero points and biases come from the record, otherwise they are 0.
  output logic                    record_o,

  output logic                    tile_valid_o,
  input  logic                    tile_ready_i,
  input  logic                    tile_starved_i,
  output post_job_t               tile_job_o,

  output gemm_events_t            events_o
);
  // Array steps served by one a beat.
  localparam int unsigned Parts = (K < 8) ? 8 / K : 1;

  logic running_d, running_q, set_d, set_q;
  logic take, operands, record, last_step, last_tile, last_use, last_part, job_end;
  reg_t step_d, step_q, tile_d, tile_q, use_d, use_q;  // steps, tiles, uses left after this one
  logic [2:0] part_d, part_q;

  reg_t steps_q, reuse_q;
  clamp_t clamp_q;
  logic [7:0] za_q;
  logic folded_q, a_signed_q, b_signed_q, resume_q, use_record_q;
  gemm_out_e out_q;

  assign operands  = a_valid_i && b_valid_i;
  assign record    = record_valid_i || !use_record_q;
  assign last_step = step_q == '0;
  assign last_tile = tile_q == '0;
  assign last_use  = use_q == '0 || last_tile;
  assign last_part = part_q == 3'(Parts - 1) || last_step;
  assign first_o   = step_q == steps_q;
  assign step_o    = running_q && operands && record && (!last_step || tile_ready_i);
  assign job_end   = step_o && last_step && last_tile;

  assign job_ready_o      = !running_q || job_end;
  assign job_done_o       = job_end;
  assign take             = job_valid_i && job_ready_o;
  assign a_ready_o        = step_o && last_part;
  assign b_ready_o        = step_o;
  assign tile_valid_o     = step_o && last_step;
  assign record_release_o = tile_valid_o && last_use && use_record_q;

  assign set_o      = set_q;
  assign part_o     = part_q;
  assign folded_o   = folded_q;
  assign a_signed_o = a_signed_q;
  assign b_signed_o = b_signed_q;
  assign za_o       = za_q;
  assign record_o   = use_record_q;

  always_comb begin
    tile_job_o.out    = out_q;
    tile_job_o.resume = resume_q;
    tile_job_o.record = use_record_q;
    tile_job_o.clamp  = clamp_q;
  end

  always_comb begin
    events_o             = '0;
    events_o.busy        = step_o;
    events_o.config_wait = !running_q;
    if (running_q && !step_o) begin
      if (!a_valid_i)          events_o.starved_a = 1'b1;
      else if (!b_valid_i)     events_o.starved_b = 1'b1;
      else if (!record)        events_o.starved_p = 1'b1;
      else if (tile_starved_i) events_o.starved_c = 1'b1;
      else                     events_o.blocked_y = 1'b1;
    end
  end

  always_comb begin
    running_d = running_q && !job_end;
    set_d     = set_q ^ tile_valid_o;
    step_d    = step_q;
    tile_d    = tile_q;
    use_d     = use_q;
    part_d    = part_q;
    if (step_o) begin
      step_d = last_step ? steps_q : step_q - 32'd1;
      part_d = last_part ? '0 : part_q + 3'd1;
    end
    if (tile_valid_o) begin
      tile_d = tile_q - 32'd1;
      use_d  = (use_q == '0) ? reuse_q : use_q - 32'd1;
    end
    if (take) begin
      running_d = 1'b1;
      step_d    = regs_i[cvn_pkg::ArraySteps] - 32'd1;
      tile_d    = regs_i[cvn_pkg::ArrayTiles] - 32'd1;
      use_d     = regs_i[cvn_pkg::ArrayReuse] - 32'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    step_q <= step_d;
    tile_q <= tile_d;
    use_q  <= use_d;
    if (take) begin
      steps_q      <= regs_i[cvn_pkg::ArraySteps] - 32'd1;
      reuse_q      <= regs_i[cvn_pkg::ArrayReuse] - 32'd1;
      use_record_q <= regs_i[cvn_pkg::ArrayReuse] != '0;
      za_q         <= regs_i[cvn_pkg::ArrayZa][7:0];
      clamp_q.zy   <= regs_i[cvn_pkg::ArrayZy];
      clamp_q.lo   <= regs_i[cvn_pkg::ArrayLo];
      clamp_q.hi   <= regs_i[cvn_pkg::ArrayHi];
      folded_q     <= folded_i;
      a_signed_q   <= regs_i[cvn_pkg::ArrayASigned][0];
      b_signed_q   <= regs_i[cvn_pkg::ArrayBSigned][0];
      resume_q     <= regs_i[cvn_pkg::ArrayResume][0];
      out_q        <= gemm_out_e'(regs_i[cvn_pkg::ArrayOut][1:0]);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      set_q     <= 1'b0;
      part_q    <= '0;
    end else if (clr_i) begin
      running_q <= 1'b0;
      set_q     <= 1'b0;
      part_q    <= '0;
    end else begin
      running_q <= running_d;
      set_q     <= set_d;
      part_q    <= part_d;
    end
  end

  `CVN_ASSERT_INIT(DepthChosen, K > 0, "The caller must choose the depth of the array.")
  `CVN_ASSERT(StepsPositive, !take || regs_i[cvn_pkg::ArraySteps] != '0,
              "A gemm job has no array steps.")
  `CVN_ASSERT(TilesPositive, !take || regs_i[cvn_pkg::ArrayTiles] != '0,
              "A gemm job has no output tiles.")
  `CVN_ASSERT(OutLegal, !take || regs_i[cvn_pkg::ArrayOut] <= 32'd2,
              "The register out of a gemm job is none of 0, 1, 2.")
  `CVN_ASSERT(ScaleThere, !take || regs_i[cvn_pkg::ArrayOut] != 32'd2 ||
              regs_i[cvn_pkg::ArrayReuse] != '0,
              "A gemm job requantises without parameter records (reuse is 0).")
endmodule
