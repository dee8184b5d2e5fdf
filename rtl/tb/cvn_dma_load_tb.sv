/// Bench top of the load DMA: engine alone, TCDM ports as plain vectors. Register order of a channel:
/// src, dst, run, word_stride, bound[], src_stride[], dst_stride[], fill, value, line, at,
/// plane, top, bytes.
module cvn_dma_load_tb
  import cvn_pkg::*;
#(
  parameter int unsigned Channels    = 4,
  parameter int unsigned Loops       = 4,
  parameter int unsigned Lanes       = 8,
  parameter int unsigned MaxBeats    = 64,
  parameter int unsigned Outstanding = 32,
  localparam int unsigned NumRegs    = 11 + 3 * Loops
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  input  logic                             clr_i,
  input  logic [Channels-1:0]              job_valid_i,
  output logic [Channels-1:0]              job_ready_o,
  input  reg_t [Channels-1:0][NumRegs-1:0] regs_i,
  output logic [Channels-1:0]              job_done_o,
  output logic                             idle_o,
  output logic                             ar_valid_o,
  input  logic                             ar_ready_i,
  output reg_t                             ar_addr_o,
  output logic [7:0]                       ar_len_o,
  input  logic                             r_valid_i,
  output logic                             r_ready_o,
  input  word_t [Lanes-1:0]                r_data_i,
  input  logic                             r_last_i,
  output logic [Lanes-1:0]                 tcdm_valid_o,
  output reg_t [Lanes-1:0]                 tcdm_addr_o,
  output word_t [Lanes-1:0]                tcdm_wdata_o,
  input  logic [Lanes-1:0]                 tcdm_gnt_i
);
  localparam cvn_dma_pkg::registers_t Registers = '{
    dram: 0, l1: 1, run: 2, word_stride: 3, bound: 4, dram_stride: 4 + Loops,
    l1_stride: 4 + 2 * Loops, fill: 4 + 3 * Loops, value: 5 + 3 * Loops,
    line: 6 + 3 * Loops, at: 7 + 3 * Loops, plane: 8 + 3 * Loops, top: 9 + 3 * Loops,
    bytes: 10 + 3 * Loops
  };
  tcdm_req_t req[Lanes];
  tcdm_rsp_t rsp[Lanes];

  cvn_dma_load #(
    .Channels    (Channels),
    .NumRegs     (NumRegs),
    .Loops       (Loops),
    .Registers   (Registers),
    .HasFill     (1'b1),
    .HasWindows  (1'b1),
    .Lanes       (Lanes),
    .MaxBeats    (MaxBeats),
    .Outstanding (Outstanding),
    .JobsInFlight(8),
    .LaneDepth   (4)
  ) i_load (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clr_i      (clr_i),
    .job_valid_i(job_valid_i),
    .job_ready_o(job_ready_o),
    .regs_i     (regs_i),
    .job_done_o (job_done_o),
    .idle_o     (idle_o),
    .ar_valid_o (ar_valid_o),
    .ar_ready_i (ar_ready_i),
    .ar_addr_o  (ar_addr_o),
    .ar_len_o   (ar_len_o),
    .r_valid_i  (r_valid_i),
    .r_ready_o  (r_ready_o),
    .r_data_i   (r_data_i),
    .r_last_i   (r_last_i),
    .tcdm_req_o (req),
    .tcdm_rsp_i (rsp)
  );

  for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
    assign tcdm_valid_o[l] = req[l].valid;
    assign tcdm_addr_o[l]  = req[l].addr;
    assign tcdm_wdata_o[l] = req[l].wdata;
    assign rsp[l] = '{gnt: tcdm_gnt_i[l] && req[l].valid, rvalid: 1'b0, rdata: '0};
  end
endmodule
