/// Cuts rows into bus beats and gives every word of a beat its L1 address.
///
/// Purpose: DRAM word address modulo Lanes is the lane of a word, so data never moves between lanes:
/// a row that starts anywhere is realigned by addresses alone. Words of a row follow one another in
/// L1 at `word_stride`; every `run` words (a folded loop 0) the address restarts at `run_stride`.
/// Latency: the first beat of a row is offered in the cycle of the row; one beat per cycle.
/// Handshake: valid/ready on both sides; row_ready_o depends on beat_ready_i.
/// YAML: transfers.<load, store>.bytes_per_cycle (Lanes words).
`include "cvn_assert.svh"

module cvn_dma_beats
  import cvn_pkg::reg_t;
#(
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0,
  parameter type job_t = logic
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clr_i,

  input  logic             row_valid_i,
  output logic             row_ready_o,
  input  reg_t             row_dram_i,
  input  reg_t             row_l1_i,
  input  logic             row_last_i,
  input  job_t             row_job_i,

  output logic             beat_valid_o,
  input  logic             beat_ready_i,
  output logic [Lanes-1:0] beat_mask_o,
  /// L1 word address of every lane.
  output reg_t [Lanes-1:0] beat_addr_o,
  /// Last beat of its burst, of its job.
  output logic             burst_last_o,
  output logic             job_last_o
);
  localparam int unsigned WordShift = $clog2(cvn_pkg::WordBytes);
  localparam int unsigned BlockBits = $clog2(MaxBeats);
  localparam int unsigned BeatShift = $clog2(Lanes * cvn_pkg::WordBytes);

  // Position in a row: words left, words left of the run, start of the run, next address; the beat
  // within its burst block.
  typedef struct packed {
    reg_t                 left;
    reg_t                 run_left;
    reg_t                 run_start;
    reg_t                 addr;
    logic [BlockBits-1:0] block_beat;
  } position_t;

  logic begun_d, begun_q;
  position_t now, next_d, next_q;
  reg_t first_lane, taken, end_lane;
  logic row_end;

  always_comb begin
    now = next_q;
    if (!begun_q) begin
      now.left       = row_job_i.words;
      now.run_left   = row_job_i.run;
      now.run_start  = row_l1_i;
      now.addr       = row_l1_i;
      now.block_beat = row_dram_i[BeatShift+:BlockBits];
    end
  end

  // Only the first beat of a row may start in another lane than 0.
  assign first_lane = begun_q ? '0 : ((row_dram_i >> WordShift) & (Lanes - 1));
  assign row_end    = now.left <= Lanes - first_lane;
  assign taken      = row_end ? now.left : Lanes - first_lane;
  assign end_lane   = first_lane + taken;

  always_comb begin
    next_d            = now;
    next_d.left       = now.left - taken;
    next_d.block_beat = now.block_beat + BlockBits'(1);
    beat_mask_o       = '0;
    beat_addr_o       = '0;
    if (row_valid_i) begin
      for (int unsigned l = 0; l < Lanes; l++) begin
        beat_mask_o[l] = l >= first_lane && l < end_lane;
        beat_addr_o[l] = next_d.addr >> WordShift;
        if (beat_mask_o[l]) begin
          if (next_d.run_left == 32'd1) begin
            next_d.run_left  = row_job_i.run;
            next_d.run_start = next_d.run_start + row_job_i.run_stride;
            next_d.addr      = next_d.run_start;
          end else begin
            next_d.run_left = next_d.run_left - 32'd1;
            next_d.addr     = next_d.addr + row_job_i.word_stride;
          end
        end
      end
    end
  end

  assign beat_valid_o = row_valid_i;
  assign burst_last_o = row_end || (&now.block_beat);
  assign job_last_o   = row_end && row_last_i;
  assign row_ready_o  = beat_ready_i && row_end;
  assign begun_d      = (beat_valid_o && beat_ready_i) ? !row_end : begun_q;

  always_ff @(posedge clk_i) begin
    if (beat_valid_o && beat_ready_i) next_q <= next_d;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    begun_q <= 1'b0;
    else if (clr_i) begun_q <= 1'b0;
    else            begun_q <= begun_d;
  end

  `CVN_ASSERT_INIT(Lanes, Lanes > 0 && (Lanes & (Lanes - 1)) == 0,
                   "The number of lanes must be a power of two.")
  `CVN_ASSERT(BeatNotEmpty, !beat_valid_o || beat_mask_o != '0, "A beat carries no word.")
endmodule
