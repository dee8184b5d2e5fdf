/// Finds the part of a window's run that lies in its line, if the line lies in its plane.
///
/// Purpose: a run of `size_i` bytes starts `along_i` bytes (signed) behind the start of a line of
/// `line_i` bytes, and the line `across_i` bytes (signed) behind the start of a plane of `plane_i`
/// bytes (0: any line is in). Its bytes from `lead_o` to before `end_o` are read; none when they are
/// equal. `first_o` is the DRAM address of byte `lead_o`.
/// Latency: none (combinational).
/// YAML: transfers.<load>.abilities `windows`.
module cvn_dma_clip
  import cvn_pkg::reg_t;
(
  /// DRAM address of byte 0, modulo 2^32.
  input  reg_t dram_i,
  input  reg_t along_i,
  input  reg_t line_i,
  input  reg_t across_i,
  input  reg_t plane_i,
  input  reg_t size_i,

  output reg_t lead_o,
  output reg_t end_o,
  output reg_t first_o
);
  reg_t early, room, reach;
  logic outside;

  assign early   = along_i[31] ? -along_i : '0;
  assign lead_o  = (early < size_i) ? early : size_i;
  // Bytes of the line from the start of the run on; negative when it starts behind the line.
  assign room    = line_i - along_i;
  assign reach   = room[31] ? '0 : (room < size_i) ? room : size_i;
  // A line before the plane is a large unsigned number.
  assign outside = plane_i != '0 && across_i >= plane_i;
  assign end_o   = (reach > lead_o && !outside) ? reach : lead_o;
  assign first_o = dram_i + lead_o;
endmodule
