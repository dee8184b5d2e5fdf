/// N-dimensional affine address generator: one beat per cycle.
///
/// Purpose: copies a job's registers when it takes it and walks the temporal loops, loop 0 innermost.
/// Every loop keeps the address at which its current iteration started, so that a step is one
/// addition: the innermost unfinished loop moves on by its stride and all loops inside restart there.
/// Lanes may run through rows of `row_lanes` pixels (0: one endless row): the loop `tail_loop` moves
/// the first lane on by `row_step` pixels (what its stride says), and each row that ends in between
/// adds `row_jump`, the way from behind a row's last pixel to the next row's first.
/// Latency: first beat in the cycle after the job is taken; the next job is taken together with the
/// last beat of the previous one, so queued jobs follow without a bubble.
/// Handshake: job_*: valid/ready, registers copied on acceptance; valid_o/ready_i: valid from
/// registers, beat stable until accepted.
/// YAML: transfers.<stream>.loops / abilities (`wrap`).
`include "cvn_assert.svh"

module cvn_agu
  import cvn_pkg::reg_t, cvn_pkg::stream_beat_t;
#(
  parameter int unsigned Loops = 0,
  /// Pixels of a beat that may lie in several rows, 1 when they never do.
  parameter int unsigned Pixels = 0,
  localparam int unsigned LoopBits = (Loops > 1) ? $clog2(Loops) : 1
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clr_i,

  input  logic             job_valid_i,
  output logic             job_ready_o,
  input  reg_t             base_i,
  input  reg_t             lane_stride_i,
  input  reg_t             word_stride_i,
  input  reg_t             tail_loop_i,
  input  reg_t             tail_lanes_i,
  /// Lanes that the shape of the array uses, and whether it is the folded one.
  input  logic [15:0]      most_lanes_i,
  input  logic             folded_i,
  input  reg_t             row_lanes_i,
  input  reg_t             row_step_i,
  input  reg_t             row_jump_i,
  input  reg_t [Loops-1:0] bound_i,
  input  reg_t [Loops-1:0] stride_i,

  output logic             valid_o,
  input  logic             ready_i,
  output stream_beat_t     beat_o
);
  // Registers count bytes, the memory counts words.
  function automatic reg_t words_of(input reg_t bytes);
    return reg_t'(signed'(bytes) >>> $clog2(cvn_pkg::WordBytes));
  endfunction

  function automatic logic [15:0] lanes_of(input reg_t lanes);
    return (lanes[31:16] != '0) ? '1 : lanes[15:0];
  endfunction

  logic running_d, running_q;
  logic take, advance, last;

  reg_t lane_stride_q, word_stride_q;
  logic [15:0] tail_lanes, tail_lanes_q, most_lanes_q;
  logic folded_q;
  logic [LoopBits-1:0] tail_loop_q;
  reg_t bound_q[Loops];   // iterations - 1
  reg_t stride_q[Loops];  // words
  reg_t left_q[Loops];    // iterations left after this one
  reg_t start_q[Loops];   // word address at the start of the loop's iteration

  // Column of the first lane in its row. Rows are as long as lanes can count, or shorter.
  typedef logic [15:0] column_t;
  typedef logic [cvn_pkg::MaxPixels-1:0] starts_t;
  column_t row_lanes_q, row_step_q, column_d, column_q;
  logic [16:0] column_next;
  reg_t row_jump_q;
  starts_t starts_q;
  logic wraps;

  // Which pixels of a beat begin a row when the first one stands in `column`.
  function automatic starts_t row_starts(input column_t column, input column_t row_lanes);
    column_t at;
    at = column;
    row_starts = '0;
    for (int unsigned p = 1; p < Pixels; p++) begin
      at = (at + 16'd1 == row_lanes) ? '0 : at + 16'd1;
      row_starts[p] = at == '0;
    end
  endfunction

  // Loops inside the one that moves on have finished.
  logic [Loops:0] finished;
  logic [Loops-1:0] moves;
  reg_t moved;

  always_comb begin
    logic all;
    all = 1'b1;
    for (int unsigned i = 0; i < Loops; i++) begin
      finished[i] = all;
      all = all && left_q[i] == '0;
    end
    finished[Loops] = all;
  end

  assign tail_lanes  = lanes_of(tail_lanes_i);
  assign moves       = finished[Loops-1:0];
  assign last        = finished[Loops];
  assign valid_o     = running_q;
  assign advance     = running_q && ready_i;
  assign job_ready_o = !running_q || (advance && last);
  assign take        = job_valid_i && job_ready_o;
  assign running_d   = take || (running_q && !(advance && last));

  always_comb begin
    beat_o.addr        = start_q[0];
    beat_o.lane_stride = lane_stride_q;
    beat_o.word_stride = word_stride_q;
    beat_o.lanes       = (left_q[tail_loop_q] == '0) ? tail_lanes_q : most_lanes_q;
    beat_o.folded      = folded_q;
    beat_o.starts      = starts_q;
    beat_o.row_jump    = row_jump_q;
    beat_o.last        = last;
  end

  // The loop of the lanes moves on, or restarts because a loop around it does.
  assign column_next = {1'b0, column_q} + {1'b0, row_step_q};
  assign wraps       = row_lanes_q != '0 && column_next >= {1'b0, row_lanes_q};
  always_comb begin
    column_d = column_q;
    if (moves[tail_loop_q]) begin
      if (left_q[tail_loop_q] == '0) column_d = '0;
      else column_d = wraps ? column_t'(column_next - {1'b0, row_lanes_q}) : column_next[15:0];
    end
  end

  always_comb begin
    moved = '0;
    for (int unsigned i = 0; i < Loops; i++) begin
      if (finished[i] && left_q[i] != '0) begin
        moved = start_q[i] + stride_q[i];
        if (wraps && tail_loop_q == LoopBits'(i)) moved = moved + row_jump_q;
      end
    end
  end

  // Job registers on acceptance, loop state on acceptance and on every beat.
  always_ff @(posedge clk_i) begin
    if (take) begin
      lane_stride_q <= words_of(lane_stride_i);
      word_stride_q <= words_of(word_stride_i);
      tail_lanes_q  <= (tail_lanes < most_lanes_i) ? tail_lanes : most_lanes_i;
      most_lanes_q  <= most_lanes_i;
      folded_q      <= folded_i;
      tail_loop_q   <= LoopBits'(tail_loop_i);
      row_lanes_q   <= lanes_of(row_lanes_i);
      row_step_q    <= row_step_i[15:0];
      row_jump_q    <= words_of(row_jump_i);
      column_q      <= '0;
      starts_q      <= row_starts('0, lanes_of(row_lanes_i));
      for (int unsigned i = 0; i < Loops; i++) begin
        bound_q[i]  <= bound_i[i] - 32'd1;
        stride_q[i] <= words_of(stride_i[i]);
        left_q[i]   <= bound_i[i] - 32'd1;
        start_q[i]  <= words_of(base_i);
      end
    end else if (advance) begin
      column_q <= column_d;
      starts_q <= row_starts(column_d, row_lanes_q);
      for (int unsigned i = 0; i < Loops; i++) begin
        if (finished[i]) begin
          left_q[i]  <= finished[i+1] ? bound_q[i] : left_q[i] - 32'd1;
          start_q[i] <= moved;
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) running_q <= 1'b0;
    else if (clr_i) running_q <= 1'b0;
    else running_q <= running_d;
  end

  `CVN_ASSERT_INIT(LoopsChosen, Loops > 0, "The caller must choose the number of loops.")
  `CVN_ASSERT_INIT(PixelsInBeat, Pixels > 0 && Pixels <= cvn_pkg::MaxPixels,
                   "A beat has between one pixel and MaxPixels.")
  `CVN_ASSERT(TailLoopInRange, !take || tail_loop_i < Loops,
              "The register tail_loop names a loop that the stream does not have.")
  for (genvar i = 0; i < Loops; i++) begin : gen_check
    `CVN_ASSERT(BoundPositive, !take || bound_i[i] != '0, "A loop bound of a stream is zero.")
  end
  `CVN_ASSERT(RowStepInRow, !take || row_lanes_i == '0 || row_step_i < row_lanes_i,
              "The register row_step of a stream is no less than row_lanes.")
  `CVN_ASSERT(BaseAligned, !take || base_i[2:0] == '0, "A stream's base is not word aligned.")
endmodule
