/// M pixel lanes of 8 channel lanes: multiply-accumulate, sum, blend, multiply, maximum.
///
/// Purpose: one multiplier per lane serves all operations. acc = (first ? 0 : acc) + l * r in int32,
/// two sets, one accumulates while the other is read by the output stage; mac: (x - zx) * (w - zk)
/// with the w word of lane 0 for all pixels; sum: (x - zx) * 1; multiply: (x - zx) * (w - zw); blend:
/// (x - zx) * kx, in the second cycle of its step + (w - zw) * kw. max keeps the greatest byte apart.
/// Latency: 1 cycle to the accumulators; best_o includes the x of this cycle.
/// Handshake: none, a step happens when step_i is set.
/// YAML: compute.<node>.capabilities.<name>.extents.
`include "cvn_assert.svh"

module cvn_vector_lanes
  import cvn_pkg::reg_t, cvn_pkg::word_t, cvn_pkg::vector_job_t;
#(
  parameter int unsigned M           = 0,
  parameter int unsigned WLanes      = 0,
  /// Channels read by the output stage per cycle.
  parameter int unsigned ReadColumns = 0,
  localparam int unsigned C          = cvn_pkg::WordBytes,
  localparam int unsigned ColumnBits = $clog2(C)
) (
  input  logic                  clk_i,

  input  logic                  step_i,
  /// Accumulators and maxima start in this step.
  input  logic                  first_i,
  /// Second cycle of a step that takes two.
  input  logic                  second_i,
  /// Which set accumulates; the other one is read.
  input  logic                  set_i,
  input  vector_job_t           job_i,
  input  logic [7:0]            zk_i[C],
  input  word_t                 x_i[M],
  input  word_t                 w_i[WLanes],
  output word_t                 best_o[M],

  input  logic                  read_i,
  input  logic [ColumnBits-1:0] column_i,
  output reg_t                  acc_o[M*ReadColumns]
);
  typedef logic signed [31:0] acc_t;

  acc_t  acc_q[2][M][C];
  word_t best_q[M];
  logic  sums, greatest, from_zero;

  // With its top bit flipped a signed byte becomes an unsigned one, 128 larger. Operand and zero
  // point are both flipped, so their difference stays the same, and bytes compare as unsigned ones.
  logic [7:0] flip_x, flip_w;
  assign flip_x    = {job_i.x_signed, 7'b0};
  assign flip_w    = {job_i.w_signed, 7'b0};
  assign greatest  = job_i.op == cvn_pkg::VectorMax;
  assign sums      = !greatest && job_i.op != cvn_pkg::VectorTable;
  assign from_zero = first_i && !second_i;

  function automatic acc_t difference(input logic [7:0] value, input logic [7:0] zero,
                                      input logic [7:0] flip);
    return acc_t'({24'b0, value ^ flip}) - acc_t'({24'b0, zero ^ flip});
  endfunction

  function automatic acc_t product(input logic [7:0] x, input logic [7:0] w,
                                   input logic [7:0] weight, input logic [7:0] zk);
    acc_t from_x, from_w;
    from_x = difference(x, job_i.zx, flip_x);
    from_w = difference(w, job_i.zw, flip_w);
    unique case (job_i.op)
      cvn_pkg::VectorMac:      return from_x * difference(weight, zk, flip_w);
      cvn_pkg::VectorBlend:    return second_i ? from_w * acc_t'(job_i.kw) :
                                                 from_x * acc_t'(job_i.kx);
      cvn_pkg::VectorMultiply: return from_x * from_w;
      default:                 return from_x;
    endcase
  endfunction

  always_ff @(posedge clk_i) begin
    if (step_i && sums) begin
      for (int unsigned m = 0; m < M; m++) begin
        for (int unsigned c = 0; c < C; c++) begin
          acc_q[set_i][m][c] <= (from_zero ? '0 : acc_q[set_i][m][c]) +
              product(x_i[m][8*c+:8], w_i[m%WLanes][8*c+:8], w_i[0][8*c+:8], zk_i[c]);
        end
      end
    end
    if (step_i && greatest) begin
      for (int unsigned m = 0; m < M; m++) best_q[m] <= best_o[m];
    end
  end

  always_comb begin
    for (int unsigned m = 0; m < M; m++) best_o[m] = x_i[m];
    if (step_i && greatest && !first_i) begin
      for (int unsigned m = 0; m < M; m++) begin
        for (int unsigned c = 0; c < C; c++) begin
          if ((best_q[m][8*c+:8] ^ flip_x) > (x_i[m][8*c+:8] ^ flip_x)) begin
            best_o[m][8*c+:8] = best_q[m][8*c+:8];
          end
        end
      end
    end
  end

  always_comb begin
    for (int unsigned i = 0; i < M * ReadColumns; i++) acc_o[i] = '0;
    if (read_i) begin
      for (int unsigned j = 0; j < ReadColumns; j++) begin
        // Columns behind the last one may be asked for in int32 mode; they are not used.
        if (32'(column_i) + j < C) begin
          for (int unsigned m = 0; m < M; m++) begin
            acc_o[m*ReadColumns+j] = acc_q[!set_i][m][column_i+ColumnBits'(j)];
          end
        end
      end
    end
  end

  `CVN_ASSERT_INIT(LanesChosen, M > 0 && ReadColumns > 0 && (WLanes == M || WLanes == 1),
                   "The caller must choose the pixel lanes and the columns read per cycle.")
endmodule
