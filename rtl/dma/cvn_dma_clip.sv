/// Finds the part of a window that lies in its line.
///
/// Purpose: a window of `size_i` bytes starts `at_i` bytes (signed) behind the start of a line of
/// `line_i` bytes. Its bytes from `lead_o` to before `end_o` lie in the line; none when they are
/// equal. `first_o` is the DRAM address of byte `lead_o`.
/// Latency: none (combinational).
/// YAML: transfers.<load>.abilities `windows`.
module cvn_dma_clip
  import cvn_pkg::reg_t;
(
  /// DRAM address of byte 0, modulo 2^32.
  input  reg_t dram_i,
  input  reg_t at_i,
  input  reg_t line_i,
  input  reg_t size_i,

  output reg_t lead_o,
  output reg_t end_o,
  output reg_t first_o
);
  reg_t early, room, reach;

  assign early   = at_i[31] ? -at_i : '0;
  assign lead_o  = (early < size_i) ? early : size_i;
  // Bytes of the line from the start of the window on; negative when it starts behind the line.
  assign room    = line_i - at_i;
  assign reach   = room[31] ? '0 : (room < size_i) ? room : size_i;
  assign end_o   = (reach > lead_o) ? reach : lead_o;
  assign first_o = dram_i + lead_o;
endmodule
