/// Bench top of the requantiser: independent lanes with plain ports, one vector per lane and cycle.
/// Latency: y_o belongs to the inputs of two cycles ago.
module cvn_requantise_tb #(
  parameter int unsigned Lanes = 64
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [31:0] sum_i[Lanes],
  input  logic [31:0] scale_i[Lanes],
  input  logic [31:0] zy_i,
  input  logic [31:0] lo_i,
  input  logic [31:0] hi_i,
  output logic [7:0]  y_o[Lanes]
);
  logic [31:0] scale_q[Lanes];

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    cvn_requantise i_requantise (
      .clk_i           (clk_i),
      .en_i            ({3{rst_ni}}),
      .sum_i           (sum_i[l]),
      .scale_exponent_i(scale_i[l][30:23]),
      .significand_i   ({1'b1, scale_q[l][22:0]}),
      .zy_i            (zy_i),
      .lo_i            (lo_i),
      .hi_i            (hi_i),
      .y_o             (y_o[l])
    );
  end

  always_ff @(posedge clk_i) scale_q <= scale_i;
endmodule
