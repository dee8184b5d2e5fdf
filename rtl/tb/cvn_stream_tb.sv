/// Bench top of the streams and the L1: a reader feeds a writer, with random disturbance everywhere.
///
/// Purpose: jobs of the reader and of the writer are given as plain ports; beats pass from one to the
/// other whenever a random bit allows it; a host port loads and reads back; further masters make
/// conflicts.
module cvn_stream_tb
  import cvn_pkg::*;
#(
  parameter int unsigned Pixels        = 4,
  parameter int unsigned LanesPerPixel = 2,
  parameter int unsigned Loops         = 3,
  parameter int unsigned ReadDepth     = 5,
  parameter int unsigned WriteDepth    = 3,
  parameter int unsigned Banks         = 16,
  parameter int unsigned Words         = 1024,
  localparam int unsigned Lanes        = Pixels * LanesPerPixel
) (
  input  logic              clk_i,
  input  logic              rst_ni,

  input  logic              read_valid_i,
  output logic              read_ready_o,
  output logic [31:0]       read_done_o,
  input  logic [31:0]       read_base_i,
  input  logic [31:0]       read_lane_stride_i,
  input  logic [31:0]       read_word_stride_i,
  input  logic [31:0]       read_tail_loop_i,
  input  logic [31:0]       read_tail_lanes_i,
  input  logic [31:0]       read_row_lanes_i,
  input  logic [31:0]       read_row_step_i,
  input  logic [31:0]       read_row_jump_i,
  input  logic [31:0]       read_bound_i[Loops],
  input  logic [31:0]       read_stride_i[Loops],

  input  logic              write_valid_i,
  output logic              write_ready_o,
  output logic [31:0]       write_done_o,
  input  logic [31:0]       write_base_i,
  input  logic [31:0]       write_lane_stride_i,
  input  logic [31:0]       write_tail_loop_i,
  input  logic [31:0]       write_tail_lanes_i,
  input  logic [31:0]       write_bound_i[Loops],
  input  logic [31:0]       write_stride_i[Loops],

  /// Chances in 1/256 per cycle: a beat is held back, a disturbing master asks a random bank.
  input  logic [8:0]        stall_i,
  input  logic [8:0]        noise_i,
  output logic [31:0]       beats_o,

  input  logic              host_valid_i,
  input  logic              host_write_i,
  input  logic [31:0]       host_addr_i,
  input  logic [63:0]       host_wdata_i,
  output logic [63:0]       host_rdata_o
);
  localparam int unsigned Noise = 4;
  localparam int unsigned NumMasters = 2 * Lanes + 1 + Noise;

  tcdm_req_t req[NumMasters];
  tcdm_rsp_t rsp[NumMasters];
  tcdm_req_t host_q;
  reg_t [Loops-1:0] read_bound, read_stride, write_bound, write_stride;
  logic [63:0] random_q;
  logic [8:0] stall_q, noise_q;
  logic read_done, write_done;
  logic valid, ready, pass;
  word_t data[Lanes];
  logic [$clog2(NumMasters+1)-1:0] unused_denied;

  always_comb begin
    for (int unsigned i = 0; i < Loops; i++) begin
      read_bound[i]   = read_bound_i[i];
      read_stride[i]  = read_stride_i[i];
      write_bound[i]  = write_bound_i[i];
      write_stride[i] = write_stride_i[i];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      random_q     <= 64'h9E37_79B9_7F4A_7C15;
      read_done_o  <= '0;
      write_done_o <= '0;
      beats_o      <= '0;
      host_q       <= '0;
      stall_q      <= '0;
      noise_q      <= '0;
    end else begin
      random_q     <= {random_q[62:0], random_q[63] ^ random_q[62] ^ random_q[60] ^ random_q[59]}
                      ^ {random_q[12:0], 51'b0} ^ {7'b0, random_q[63:7]};
      read_done_o  <= read_done_o + 32'(read_done);
      write_done_o <= write_done_o + 32'(write_done);
      beats_o      <= beats_o + 32'(valid && ready && pass);
      host_q       <= '{valid: host_valid_i, write: host_write_i, behind: 1'b0, addr: host_addr_i,
                        wdata: host_wdata_i};
      stall_q      <= stall_i;
      noise_q      <= noise_i;
    end
  end

  assign pass = {1'b0, random_q[40:33]} >= stall_q;
  assign req[2*Lanes] = host_q;
  assign host_rdata_o = rsp[2*Lanes].rdata;

  for (genvar i = 0; i < Noise; i++) begin : gen_noise
    assign req[2*Lanes+1+i] = '{
      valid: {1'b0, random_q[5*i+:8]} < noise_q,
      write: 1'b0,
      behind: 1'b0,
      addr: 32'(random_q[7*i+20+:16]) % Words,
      wdata: '0
    };
  end

  cvn_tcdm #(
    .NumMasters(NumMasters),
    .Urgent    (Lanes / 2),
    .Banks     (Banks),
    .Words     (Words)
  ) i_tcdm (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clr_i   (1'b0),
    .req_i   (req),
    .rsp_o   (rsp),
    .denied_o(unused_denied)
  );

  cvn_stream_reader #(
    .Lanes        (Lanes),
    .LanesPerPixel(LanesPerPixel),
    .Fold         (1),
    .Rows         (1'b1),
    .Loops        (Loops),
    .FifoDepth    (ReadDepth),
    .AddressDepth (4)
  ) i_reader (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (1'b0),
    .job_valid_i  (read_valid_i),
    .job_ready_o  (read_ready_o),
    .job_done_o   (read_done),
    .base_i       (read_base_i),
    .lane_stride_i(read_lane_stride_i),
    .word_stride_i(read_word_stride_i),
    .tail_loop_i  (read_tail_loop_i),
    .tail_lanes_i (read_tail_lanes_i),
    .most_lanes_i (16'(Lanes)),
    .folded_i     (1'b0),
    .row_lanes_i  (read_row_lanes_i),
    .row_step_i   (read_row_step_i),
    .row_jump_i   (read_row_jump_i),
    .bound_i      (read_bound),
    .stride_i     (read_stride),
    .tcdm_req_o   (req[0:Lanes-1]),
    .tcdm_rsp_i   (rsp[0:Lanes-1]),
    .valid_o      (valid),
    .ready_i      (ready && pass),
    .data_o       (data)
  );

  cvn_stream_writer #(
    .Lanes       (Lanes),
    .Loops       (Loops),
    .FifoDepth   (WriteDepth),
    .AddressDepth(2)
  ) i_writer (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clr_i        (1'b0),
    .job_valid_i  (write_valid_i),
    .job_ready_o  (write_ready_o),
    .job_done_o   (write_done),
    .base_i       (write_base_i),
    .lane_stride_i(write_lane_stride_i),
    .tail_loop_i  (write_tail_loop_i),
    .tail_lanes_i (write_tail_lanes_i),
    .most_lanes_i (16'(Lanes)),
    .bound_i      (write_bound),
    .stride_i     (write_stride),
    .valid_i      (valid && pass),
    .ready_o      (ready),
    .data_i       (data),
    .tcdm_req_o   (req[Lanes:2*Lanes-1]),
    .tcdm_rsp_i   (rsp[Lanes:2*Lanes-1])
  );
endmodule
