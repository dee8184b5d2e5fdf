/// M x N x K integer dot-product array with two sets of int32 accumulators.
///
/// Purpose: acc[m,n] += sum over k of (a[m,k] - za) * (b[k,n] - zb[n]), wrapping int32. One set
/// accumulates while the other is read by the output stage. In the folded shape it is an array of
/// M / Fold x N x K * Fold: row m + h * M / Fold computes part h of the sums of pixel m, which row m
/// adds up; accumulators of the other rows hold nothing of use.
/// Latency: 1 cycle (operands to accumulators). Handshake: none, a step happens when step_i is set.
/// YAML: compute.<node>.capabilities.<name>.extents.
`include "cvn_assert.svh"

module cvn_gemm_array
  import cvn_pkg::reg_t, cvn_pkg::word_t;
#(
  parameter int unsigned M           = 0,
  parameter int unsigned N           = 0,
  parameter int unsigned K           = 0,
  /// 1: there is no folded shape.
  parameter int unsigned Fold        = 0,
  /// Columns read by the output stage per cycle.
  parameter int unsigned ReadColumns = 0,
  localparam int unsigned LanesA     = M * cvn_pkg::words_per_pixel(K),
  localparam int unsigned LanesB     = cvn_pkg::gemm_b_lanes(N, K, Fold),
  localparam int unsigned ColumnBits = $clog2(N)
) (
  input  logic                  clk_i,

  input  logic                  step_i,
  /// The accumulators start from 0 in this step.
  input  logic                  first_i,
  /// Which set accumulates; the other one is read.
  input  logic                  set_i,
  /// Which part of the a beat is used, if K < 8.
  input  logic [2:0]            part_i,
  input  logic                  folded_i,
  input  logic                  a_signed_i,
  input  logic                  b_signed_i,
  input  logic [7:0]            za_i,
  input  logic [7:0]            zb_i[N],
  input  word_t                 a_i[LanesA],
  input  word_t                 b_i[LanesB],

  input  logic                  read_i,
  input  logic [ColumnBits-1:0] column_i,
  output reg_t                  acc_o[M*ReadColumns]
);
  localparam int unsigned WordsA = cvn_pkg::words_per_pixel(K);
  localparam int unsigned BytesA = (K < 8) ? K : 8;
  typedef logic signed [31:0] acc_t;

  // Operands minus zero point: 9 bits and sign, sign-extended to the accumulators' width.
  acc_t a[M][K];
  acc_t b[Fold][N][K];
  acc_t acc_q[2][M][N];

  // With its top bit flipped a signed byte becomes an unsigned one, 128 larger. Operand and zero
  // point are both flipped, so their difference stays the same.
  word_t flip_a;
  logic [7:0] flip_b;
  assign flip_a = {8{a_signed_i, 7'b0}};
  assign flip_b = {b_signed_i, 7'b0};

  function automatic acc_t difference(input logic [7:0] value, input logic [7:0] zero);
    return acc_t'({24'b0, value}) - acc_t'({24'b0, zero});
  endfunction

  always_comb begin
    for (int unsigned m = 0; m < M; m++) begin
      for (int unsigned w = 0; w < WordsA; w++) begin
        word_t word;
        word = a_i[m*WordsA+w] ^ flip_a;
        if (K < 8) word = word >> (32'(part_i) * K * 8);
        for (int unsigned k = 0; k < BytesA; k++) begin
          a[m][w*8+k] = difference(word[k*8+:8], za_i ^ flip_a[7:0]);
        end
      end
    end
  end

  // Column n of b has K values in a beat. A beat of the folded shape is Fold of these: a part per row.
  for (genvar h = 0; h < Fold; h++) begin : gen_part
    for (genvar n = 0; n < N; n++) begin : gen_column
      for (genvar k = 0; k < K; k++) begin : gen_value
        localparam int unsigned Folded = (h * N + n) * K + k;
        localparam int unsigned Whole = n * K + k;
        logic [7:0] value;
        assign value = (Fold > 1 && folded_i) ? b_i[Folded/8][Folded%8*8+:8] :
                                                b_i[Whole/8][Whole%8*8+:8];
        assign b[h][n][k] = difference(value ^ flip_b, zb_i[n] ^ flip_b);
      end
    end
  end

  localparam int unsigned Rows = M / Fold;

  function automatic acc_t dot(input int unsigned m, input int unsigned n);
    acc_t sum;
    sum = '0;
    for (int unsigned k = 0; k < K; k++) sum += a[m][k] * b[m/Rows][n][k];
    return sum;
  endfunction

  acc_t product[M][N];
  acc_t total[M][N];
  always_comb begin
    for (int unsigned m = 0; m < M; m++) begin
      for (int unsigned n = 0; n < N; n++) product[m][n] = dot(m, n);
    end
    total = product;
    if (Fold > 1 && folded_i) begin
      for (int unsigned m = Rows; m < M; m++) begin
        for (int unsigned n = 0; n < N; n++) total[m%Rows][n] += product[m][n];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (step_i) begin
      for (int unsigned m = 0; m < M; m++) begin
        for (int unsigned n = 0; n < N; n++) begin
          acc_q[set_i][m][n] <= total[m][n] + (first_i ? '0 : acc_q[set_i][m][n]);
        end
      end
    end
  end

  always_comb begin
    for (int unsigned i = 0; i < M * ReadColumns; i++) acc_o[i] = '0;
    if (read_i) begin
      for (int unsigned j = 0; j < ReadColumns; j++) begin
        // Columns behind the last one may be asked for in int32 mode; they are not used.
        if (32'(column_i) + j < N) begin
          for (int unsigned m = 0; m < M; m++) begin
            acc_o[m*ReadColumns+j] = acc_q[!set_i][m][column_i+ColumnBits'(j)];
          end
        end
      end
    end
  end

  `CVN_ASSERT_INIT(FoldChosen, Fold > 0 && M % Fold == 0,
                   "The fold of an array divides its pixels.")
  `CVN_ASSERT_INIT(ShapeChosen, M > 0 && N > 0 && N % 8 == 0 && K > 0 && K == 2 ** $clog2(K),
                   "An array needs M > 0, N a multiple of 8 and K a power of two.")
endmodule
