/// Output stage of a gemm node: partial sums, bias, requantise, output words.
///
/// Purpose: takes a finished tile's columns out of the idle accumulator set and makes y beats.
/// int32: N/2 beats of 2 columns per pixel. int8: RequantiseColumns columns per cycle go through the
/// requantisers, 8 columns make a word. Partial sums (`resume`) are added here rather than preloaded;
/// wrapping sums commute, so the result is the same.
/// Latency: a tile handed over in cycle t is read in t+1; int32 beats leave in t+1, int8 beats reach
/// y_valid_o after 2 more register stages (t+2+8/RequantiseColumns). Occupied for N/2 (int32 or
/// resume) or N/RequantiseColumns cycles per tile; changing from int8 to int32 costs 2 more.
/// Handshake: tile: valid/ready, ready may follow c_valid_i and y_ready_i in the same cycle; c and y:
/// valid/ready, y_valid_o does not depend on y_ready_i for int8 beats.
/// YAML: compute.post.capabilities.*.extents.
`include "cvn_assert.svh"

module cvn_post
  import cvn_pkg::reg_t, cvn_pkg::word_t, cvn_pkg::post_job_t, cvn_pkg::clamp_t;
#(
  parameter int unsigned M           = 0,
  parameter int unsigned N           = 0,
  /// Columns requantised per cycle: 1, 2, 4 or 8.
  parameter int unsigned Columns     = 0,
  localparam int unsigned ReadColumns = (Columns > 2) ? Columns : 2,
  localparam int unsigned ColumnBits  = $clog2(N)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clr_i,

  input  logic                  tile_valid_i,
  output logic                  tile_ready_o,
  output logic                  starved_o,
  input  post_job_t             job_i,
  input  reg_t                  bias_i[N],
  input  reg_t                  scale_i[N],

  output logic                  read_o,
  output logic [ColumnBits-1:0] column_o,
  input  reg_t                  acc_i[M*ReadColumns],

  input  logic                  c_valid_i,
  output logic                  c_ready_o,
  input  word_t                 c_i[M],

  output logic                  y_valid_o,
  input  logic                  y_ready_i,
  output word_t                 y_o[M]
);
  // Partial sums come in beats of 2 columns; all but the last of a requantise step are held.
  localparam int unsigned Beats = (Columns > 2) ? Columns / 2 : 1;
  localparam int unsigned Held = (Beats > 1) ? Beats - 1 : 1;
  localparam int unsigned Parts = 8 / Columns;  // requantise steps per output word
  typedef logic [((Held > 1) ? $clog2(Beats) : 1)-1:0] beat_t;
  typedef logic [2:0] part_t;
  typedef logic [ColumnBits-1:0] column_t;

  logic      busy_d, busy_q;
  post_job_t job_q;
  reg_t      bias_q[N];
  reg_t      scale_q[N];
  column_t   column_d, column_q;
  logic [4:0] stride;
  logic      integers, integers_out, fire, last, c_last, c_there, hold;
  beat_t     held_d, held_q;
  word_t     held_words_q[Held][M];
  logic signed [31:0] sums[M*ReadColumns];

  // ---- Tile --------------------------------------------------------------------------------------
  assign integers     = job_q.out != cvn_pkg::OutRequantise;
  assign stride       = integers ? 5'd2 : 5'(Columns);
  assign last         = 32'(column_q) + 32'(stride) >= N;
  assign tile_ready_o = !busy_q || (fire && last);
  assign busy_d       = tile_valid_i || (busy_q && !(fire && last));
  assign column_d     = (fire && last) ? '0 : fire ? column_q + column_t'(stride) : column_q;
  assign read_o       = busy_q;
  assign column_o     = column_q;
  assign starved_o    = busy_q && job_q.resume && !c_valid_i;

  // ---- Partial sums ------------------------------------------------------------------------------
  assign c_last    = integers || held_q == beat_t'(Beats - 1);
  assign c_there   = !job_q.resume || (c_valid_i && c_last);
  assign hold      = busy_q && job_q.resume && c_valid_i && !c_last;
  assign held_d    = fire ? '0 : held_q + beat_t'(hold);
  assign c_ready_o = hold || (fire && job_q.resume && (integers || Columns != 1 || column_q[0]));

  function automatic logic signed [31:0] partial_sum(input int unsigned m, input int unsigned j);
    if (!integers && Columns == 1) return c_i[m][32*32'(column_q[0])+:32];
    if (integers || j / 2 == Beats - 1) return c_i[m][32*(j%2)+:32];
    return held_words_q[j/2][m][32*(j%2)+:32];
  endfunction

  always_comb begin
    for (int unsigned i = 0; i < M * ReadColumns; i++) sums[i] = '0;
    if (busy_q) begin
      for (int unsigned j = 0; j < ReadColumns; j++) begin
        if (32'(column_q) + j < N) begin
          for (int unsigned m = 0; m < M; m++) begin
            sums[m*ReadColumns+j] = acc_i[m*ReadColumns+j] + bias_q[column_q+column_t'(j)];
            if (job_q.resume) sums[m*ReadColumns+j] += partial_sum(m, j);
          end
        end
      end
    end
  end

  // ---- Requantisers ------------------------------------------------------------------------------
  logic stage1_d, stage1_q, stage2_d, stage2_q;
  logic move1, move2, leave, load1, load2;
  logic part_last;
  part_t part_d, part_q;
  clamp_t clamp1_q, clamp2_q;
  logic [23:0] significand_q[Columns];
  logic [8*Columns-1:0] bytes[M];
  word_t word[M];

  assign part_last = part_q == part_t'(Parts - 1);
  assign leave     = stage2_q && (!part_last || y_ready_i);
  assign move2     = !stage2_q || leave;
  assign move1     = !stage1_q || move2;
  assign load1     = fire && !integers;
  assign load2     = stage1_q && move2;
  assign stage1_d  = move1 ? load1 : stage1_q;
  assign stage2_d  = move2 ? stage1_q : stage2_q;
  assign part_d    = !leave ? part_q : part_last ? '0 : part_q + part_t'(1);

  for (genvar m = 0; m < M; m++) begin : gen_pixel
    for (genvar j = 0; j < Columns; j++) begin : gen_column
      cvn_requantise i_requantise (
        .clk_i           (clk_i),
        .en_i            ({leave, load2, load1}),
        .sum_i           (sums[m*ReadColumns+j]),
        .scale_exponent_i(scale_q[column_q+column_t'(j)][30:23]),
        .significand_i   (significand_q[j]),
        .zy_i            (clamp2_q.zy),
        .lo_i            (clamp2_q.lo),
        .hi_i            (clamp2_q.hi),
        .y_o             (bytes[m][8*j+:8])
      );
    end

    // Earlier columns of a word wait in its lower part, the newest ones are on top.
    if (Parts == 1) begin : gen_whole
      assign word[m] = bytes[m];
    end else begin : gen_parts
      logic [63-8*Columns:0] earlier_q;
      assign word[m] = {bytes[m], earlier_q};
      always_ff @(posedge clk_i) if (leave) earlier_q <= word[m][63:8*Columns];
    end

    assign y_o[m] = integers_out ? {sums[m*ReadColumns+1], sums[m*ReadColumns]} : word[m];
  end

  always_ff @(posedge clk_i) begin
    if (load1) begin
      clamp1_q <= job_q.clamp;
      for (int unsigned j = 0; j < Columns; j++) begin
        significand_q[j] <= {1'b1, scale_q[column_q+column_t'(j)][22:0]};
      end
    end
    if (load2) clamp2_q <= clamp1_q;
  end

  // ---- Output ------------------------------------------------------------------------------------
  // int32 beats bypass the requantisers once these are empty.
  assign integers_out = busy_q && integers && !stage1_q && !stage2_q;
  assign fire         = busy_q && c_there && (integers ? integers_out && y_ready_i : move1);
  assign y_valid_o    = (integers_out && c_there) || (stage2_q && part_last);

  always_ff @(posedge clk_i) begin
    if (tile_valid_i) begin
      job_q <= job_i;
      for (int unsigned n = 0; n < N; n++) begin
        bias_q[n]  <= (job_i.record && job_i.out != cvn_pkg::OutRaw) ? bias_i[n] : '0;
        scale_q[n] <= scale_i[n];
      end
    end
    if (hold) begin
      for (int unsigned m = 0; m < M; m++) held_words_q[held_q][m] <= c_i[m];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q   <= 1'b0;
      stage1_q <= 1'b0;
      stage2_q <= 1'b0;
      column_q <= '0;
      held_q   <= '0;
      part_q   <= '0;
    end else if (clr_i) begin
      busy_q   <= 1'b0;
      stage1_q <= 1'b0;
      stage2_q <= 1'b0;
      column_q <= '0;
      held_q   <= '0;
      part_q   <= '0;
    end else begin
      busy_q   <= busy_d;
      stage1_q <= stage1_d;
      stage2_q <= stage2_d;
      column_q <= column_d;
      held_q   <= held_d;
      part_q   <= part_d;
    end
  end

  `CVN_ASSERT_INIT(ColumnsLegal, Columns == 1 || Columns == 2 || Columns == 4 || Columns == 8,
                   "The requantiser takes 1, 2, 4 or 8 columns per cycle.")
  `CVN_ASSERT(TileAccepted, !tile_valid_i || tile_ready_o,
              "A tile was handed over while the output stage is busy.")
endmodule
