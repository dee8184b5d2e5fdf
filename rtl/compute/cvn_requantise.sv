/// One lane of the requantiser: y = clamp(rint(f32(f32(sum) * scale)) + zy, lo, hi).
///
/// Purpose: bit equal to IEEE float32 arithmetic with round-to-nearest-even in every step, as ONNX
/// Runtime computes it, without a floating-point unit: round |sum| to 24 bits, 24 x 24 bit multiply,
/// round the product to 24 bits, shift to an integer with round-to-nearest-even. Sums beyond the
/// integer range saturate before zy is added, so the clamp is exact for every int32 zy, lo, hi.
/// `scale` is a positive normal float32; zero and subnormal scales count as 0, the sign is ignored.
/// Latency: 2 register stages; y_o is combinational after the second. Handshake: none, the caller
/// loads stage 1 with en_i[0], moves stage 1 to stage 2 with en_i[1] and reads y_o with en_i[2].
/// YAML: compute.<node>.capabilities.requantise.rounding = ort_f32.
module cvn_requantise (
  input  logic               clk_i,
  input  logic [2:0]         en_i,

  // Stage 1.
  input  logic signed [31:0] sum_i,
  input  logic [7:0]         scale_exponent_i,
  // Stage 2: the scale's 24-bit significand, of the sum that is in stage 1.
  input  logic [23:0]        significand_i,
  // Stage 3: of the sum that is in stage 2.
  input  logic signed [31:0] zy_i,
  input  logic signed [31:0] lo_i,
  input  logic signed [31:0] hi_i,
  output logic [7:0]         y_o
);
  typedef logic signed [10:0] exponent_t;

  // value = significand * 2^exponent
  typedef struct packed {
    logic        negative;
    exponent_t   exponent;
    logic [23:0] significand;
  } factor_t;

  typedef struct packed {
    logic        negative;
    exponent_t   exponent;
    logic [24:0] significand;
  } product_t;

  factor_t  factor_q;
  product_t product_q;

  // f32(sum) without its sign; the exponent already includes that of the scale.
  function automatic factor_t to_float(input logic signed [31:0] sum, input logic [7:0] exponent);
    logic [31:0] bits;
    logic [4:0]  zeros;
    logic [24:0] rounded;
    bits  = sum[31] ? (~sum + 32'd1) : sum;
    zeros = '0;
    for (int step = 16; step > 0; step /= 2) begin
      if ((bits >> (32 - step)) == '0) begin
        bits  = bits << step;
        zeros = zeros + 5'(step);
      end
    end
    rounded = {1'b0, bits[31:8]} + 25'(bits[7] && (bits[8] || bits[6:0] != '0));
    to_float.negative    = sum[31];
    to_float.significand = rounded[24] ? 24'h800000 : rounded[23:0];
    to_float.exponent    = exponent_t'({3'b0, exponent}) - exponent_t'(150) + exponent_t'(8)
                           - exponent_t'({6'b0, zeros}) + exponent_t'({10'b0, rounded[24]});
    if (exponent == '0) to_float.significand = '0;
  endfunction

  // f32(factor * significand).
  function automatic product_t multiply(input factor_t factor, input logic [23:0] significand);
    logic [47:0] bits;
    bits = 48'(factor.significand) * 48'(significand);
    multiply.negative = factor.negative;
    if (bits[47]) begin
      multiply.significand = {1'b0, bits[47:24]} + 25'(bits[23] && (bits[24] || bits[22:0] != '0));
      multiply.exponent    = factor.exponent + exponent_t'(24);
    end else begin
      multiply.significand = {1'b0, bits[46:23]} + 25'(bits[22] && (bits[23] || bits[21:0] != '0));
      multiply.exponent    = factor.exponent + exponent_t'(23);
    end
  endfunction

  // rint(product), saturated to +-2^32.
  function automatic logic signed [34:0] to_integer(input product_t product);
    logic [32:0] magnitude;
    logic [50:0] shifted;  // the upper 25 bits are the integer part
    logic signed [34:0] value;
    if (product.exponent > exponent_t'(8)) begin
      magnitude = (product.significand == '0) ? '0 : 33'h1_0000_0000;
    end else if (product.exponent >= 0) begin
      magnitude = 33'(product.significand) << product.exponent[3:0];
    end else if (product.exponent < -exponent_t'(26)) begin
      magnitude = '0;
    end else begin
      shifted   = {product.significand, 26'b0} >> 5'(-product.exponent);
      magnitude = 33'(shifted[50:26]) +
                  33'(shifted[25] && (shifted[26] || shifted[24:0] != '0));
    end
    value = 35'({2'b0, magnitude});
    return product.negative ? -value : value;
  endfunction

  logic signed [34:0] y, low, high;

  always_ff @(posedge clk_i) begin
    if (en_i[0]) factor_q <= to_float(sum_i, scale_exponent_i);
    if (en_i[1]) product_q <= multiply(factor_q, significand_i);
  end

  assign low  = 35'(lo_i);
  assign high = 35'(hi_i);

  always_comb begin
    y = '0;
    if (en_i[2]) begin
      y = to_integer(product_q) + 35'(zy_i);
      if (y < low) y = low;
      if (y > high) y = high;
    end
  end
  assign y_o = y[7:0];
endmodule
