// Assertions with sentences. Include inside a module that has `clk_i` and `rst_ni`.
`ifndef CVN_ASSERT_SVH
`define CVN_ASSERT_SVH

// A condition that holds at every rising clock edge outside reset. An immediate assertion in a
// clocked block sees the same values as a concurrent one but needs no sampling of its operands, which
// costs a simulation about 7 % of its time.
`define CVN_ASSERT(Name, Condition, Sentence) \
  always @(posedge clk_i) begin \
    if (rst_ni) begin \
      Name : assert (Condition) \
      else $error(Sentence); \
    end \
  end

// A condition on parameters, checked at elaboration.
`define CVN_ASSERT_INIT(Name, Condition, Sentence) \
  if (!(Condition)) begin : gen_illegal_``Name \
    $error(Sentence); \
  end

`endif
