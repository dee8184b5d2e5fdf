/// Bench top of the store DMA: engine alone, TCDM ports as plain vectors. Register order of a channel:
/// src, dst, run, word_stride, bound[], src_stride[], dst_stride[].
module cvn_dma_store_tb
  import cvn_pkg::*;
#(
  parameter int unsigned Channels    = 2,
  parameter int unsigned Loops       = 4,
  parameter int unsigned Lanes       = 8,
  parameter int unsigned MaxBeats    = 64,
  parameter int unsigned Outstanding = 32,
  localparam int unsigned NumRegs    = 4 + 3 * Loops
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  input  logic                             clr_i,
  input  logic [Channels-1:0]              job_valid_i,
  output logic [Channels-1:0]              job_ready_o,
  input  reg_t [Channels-1:0][NumRegs-1:0] regs_i,
  output logic [Channels-1:0]              job_done_o,
  output logic                             idle_o,
  output logic                             aw_valid_o,
  input  logic                             aw_ready_i,
  output reg_t                             aw_addr_o,
  output logic [7:0]                       aw_len_o,
  output logic                             w_valid_o,
  input  logic                             w_ready_i,
  output word_t [Lanes-1:0]                w_data_o,
  output logic [8*Lanes-1:0]               w_strb_o,
  output logic                             w_last_o,
  input  logic                             b_valid_i,
  output logic                             b_ready_o,
  output logic [Lanes-1:0]                 tcdm_valid_o,
  output reg_t [Lanes-1:0]                 tcdm_addr_o,
  input  logic [Lanes-1:0]                 tcdm_gnt_i,
  /// Read data of the requests granted in the previous cycle.
  input  logic [Lanes-1:0]                 tcdm_rvalid_i,
  input  word_t [Lanes-1:0]                tcdm_rdata_i
);
  localparam cvn_dma_pkg::registers_t Registers = '{
    dram: 1, l1: 0, run: 2, word_stride: 3, bound: 4, dram_stride: 4 + 2 * Loops,
    l1_stride: 4 + Loops, fill: 0, value: 0, line: 0, at: 0,
    plane: 0, top: 0, bytes: 0
  };
  tcdm_req_t req[Lanes];
  tcdm_rsp_t rsp[Lanes];

  cvn_dma_store #(
    .Channels   (Channels),
    .NumRegs    (NumRegs),
    .Loops      (Loops),
    .Registers  (Registers),
    .Lanes      (Lanes),
    .MaxBeats   (MaxBeats),
    .Outstanding(Outstanding),
    .LaneDepth  (4),
    .BeatDepth  (8)
  ) i_store (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clr_i      (clr_i),
    .job_valid_i(job_valid_i),
    .job_ready_o(job_ready_o),
    .regs_i     (regs_i),
    .job_done_o (job_done_o),
    .idle_o     (idle_o),
    .aw_valid_o (aw_valid_o),
    .aw_ready_i (aw_ready_i),
    .aw_addr_o  (aw_addr_o),
    .aw_len_o   (aw_len_o),
    .w_valid_o  (w_valid_o),
    .w_ready_i  (w_ready_i),
    .w_data_o   (w_data_o),
    .w_strb_o   (w_strb_o),
    .w_last_o   (w_last_o),
    .b_valid_i  (b_valid_i),
    .b_ready_o  (b_ready_o),
    .tcdm_req_o (req),
    .tcdm_rsp_i (rsp)
  );

  for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
    assign tcdm_valid_o[l] = req[l].valid;
    assign tcdm_addr_o[l]  = req[l].addr;
    assign rsp[l] = '{gnt: tcdm_gnt_i[l] && req[l].valid, rvalid: tcdm_rvalid_i[l],
                      rdata: tcdm_rdata_i[l]};
  end
endmodule
