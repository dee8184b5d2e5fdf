/// Bench top of the L1: its masters as plain ports.
module cvn_tcdm_tb
  import cvn_pkg::*;
#(
  parameter int unsigned NumMasters = 12,
  parameter int unsigned Urgent     = 0,
  parameter int unsigned Banks      = 8,
  parameter int unsigned Views      = 0,
  parameter int unsigned Words      = 256
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        valid_i[NumMasters],
  input  logic        write_i[NumMasters],
  input  logic        behind_i[NumMasters],
  input  logic [31:0] addr_i[NumMasters],
  input  logic [63:0] wdata_i[NumMasters],
  output logic        gnt_o[NumMasters],
  output logic        rvalid_o[NumMasters],
  output logic [63:0] rdata_o[NumMasters],
  output logic [31:0] denied_o
);
  tcdm_req_t req[NumMasters];
  tcdm_rsp_t rsp[NumMasters];
  logic [$clog2(NumMasters+1)-1:0] denied;

  for (genvar m = 0; m < NumMasters; m++) begin : gen_master
    assign req[m] = '{
      valid: valid_i[m], write: write_i[m], behind: behind_i[m], addr: addr_i[m],
      wdata: wdata_i[m]
    };
    assign gnt_o[m]    = rsp[m].gnt;
    assign rvalid_o[m] = rsp[m].rvalid;
    assign rdata_o[m]  = rsp[m].rdata;
  end
  assign denied_o = 32'(denied);

  cvn_tcdm #(
    .NumMasters(NumMasters),
    .Urgent    (Urgent),
    .Banks     (Banks),
    .Views     (Views),
    .Words     (Words)
  ) i_tcdm (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (1'b0),
    .req_i   (req),
    .rsp_o   (rsp),
    .denied_o(denied)
  );
endmodule
