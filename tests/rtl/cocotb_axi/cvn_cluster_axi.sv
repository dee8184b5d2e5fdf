/// The cluster with a complete AXI4 manager port, for verification components that expect one.
///
/// The cluster's port leaves out what never changes: one ID, INCR bursts of full beats, plain memory
/// attributes. Here these signals are spelled out; nothing else is added.
module cvn_cluster_axi
  import cvn_cfg_pkg::*;
  import cvn_pkg::word_t;
(
  input  logic                            clk_i,
  input  logic                            rst_ni,
  input  logic                            start_i,
  output logic                            done_o,
  input  logic                            imem_we_i,
  input  logic [$clog2(ProgramWords)-1:0] imem_addr_i,
  input  word_t                           imem_wdata_i,

  output logic                            m_axi_arid,
  output logic [31:0]                     m_axi_araddr,
  output logic [7:0]                      m_axi_arlen,
  output logic [2:0]                      m_axi_arsize,
  output logic [1:0]                      m_axi_arburst,
  output logic                            m_axi_arvalid,
  input  logic                            m_axi_arready,
  input  logic                            m_axi_rid,
  input  logic [8*AxiBytes-1:0]           m_axi_rdata,
  input  logic [1:0]                      m_axi_rresp,
  input  logic                            m_axi_rlast,
  input  logic                            m_axi_rvalid,
  output logic                            m_axi_rready,
  output logic                            m_axi_awid,
  output logic [31:0]                     m_axi_awaddr,
  output logic [7:0]                      m_axi_awlen,
  output logic [2:0]                      m_axi_awsize,
  output logic [1:0]                      m_axi_awburst,
  output logic                            m_axi_awvalid,
  input  logic                            m_axi_awready,
  output logic [8*AxiBytes-1:0]           m_axi_wdata,
  output logic [AxiBytes-1:0]             m_axi_wstrb,
  output logic                            m_axi_wlast,
  output logic                            m_axi_wvalid,
  input  logic                            m_axi_wready,
  input  logic                            m_axi_bid,
  input  logic [1:0]                      m_axi_bresp,
  input  logic                            m_axi_bvalid,
  output logic                            m_axi_bready
);
  localparam logic [2:0] FullBeat = 3'($clog2(AxiBytes));
  localparam logic [1:0] Incr = 2'b01;

  assign m_axi_arid    = 1'b0;
  assign m_axi_arsize  = FullBeat;
  assign m_axi_arburst = Incr;
  assign m_axi_awid    = 1'b0;
  assign m_axi_awsize  = FullBeat;
  assign m_axi_awburst = Incr;

  cvn_cluster i_cluster (
    .clk_i, .rst_ni, .start_i, .done_o, .busy_o(),
    .imem_we_i, .imem_addr_i, .imem_wdata_i,
    .axi_ar_valid_o(m_axi_arvalid),
    .axi_ar_ready_i(m_axi_arready),
    .axi_ar_addr_o (m_axi_araddr),
    .axi_ar_len_o  (m_axi_arlen),
    .axi_r_valid_i (m_axi_rvalid),
    .axi_r_ready_o (m_axi_rready),
    .axi_r_data_i  (m_axi_rdata),
    .axi_r_last_i  (m_axi_rlast),
    .axi_aw_valid_o(m_axi_awvalid),
    .axi_aw_ready_i(m_axi_awready),
    .axi_aw_addr_o (m_axi_awaddr),
    .axi_aw_len_o  (m_axi_awlen),
    .axi_w_valid_o (m_axi_wvalid),
    .axi_w_ready_i (m_axi_wready),
    .axi_w_data_o  (m_axi_wdata),
    .axi_w_strb_o  (m_axi_wstrb),
    .axi_w_last_o  (m_axi_wlast),
    .axi_b_valid_i (m_axi_bvalid),
    .axi_b_ready_o (m_axi_bready),
    .counters_o(), .unit_idle_o(), .sem_missing_o(), .pc_o()
  );
endmodule
