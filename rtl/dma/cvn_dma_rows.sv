/// Walks the loops of a DMA job and yields its rows.
///
/// Purpose: one row = start address in DRAM and in L1 of `words` words. Loop 0 is the innermost.
/// Latency: the first row is offered in the cycle after the job was taken; then one row per cycle,
/// also from the last row of a job to the first of the next.
/// Handshake: valid/ready on both sides; job_ready_o depends on row_ready_i.
/// YAML: transfers.<load, store>.loops.
`include "cvn_assert.svh"

module cvn_dma_rows
  import cvn_pkg::reg_t;
#(
  parameter int unsigned Loops = 0,
  parameter type job_t = logic
) (
  input  logic  clk_i,
  input  logic  rst_ni,
  input  logic  clr_i,

  input  logic  job_valid_i,
  output logic  job_ready_o,
  input  job_t  job_i,

  output logic  row_valid_o,
  input  logic  row_ready_i,
  output reg_t  row_dram_o,
  output reg_t  row_l1_o,
  /// DRAM bytes from the first row that loop 1 has moved, and those that loops 0 and 2 have.
  output reg_t  row_along_o,
  output reg_t  row_across_o,
  /// Last iteration of loop 0.
  output logic  row_end_o,
  output logic  row_last_o,
  /// The job of the row; its address fields are those of the first row.
  output job_t  row_job_o
);
  logic valid_d, valid_q;
  job_t job_q;
  // Iterations left and start addresses of every loop; entry 0 holds the current row.
  reg_t [Loops-1:0] left_d, left_q;
  reg_t [Loops-1:0] dram_d, dram_q;
  reg_t [Loops-1:0] l1_d, l1_q;
  logic [Loops-1:0] ends;
  logic load, step;

  assign row_valid_o = valid_q;
  assign row_dram_o  = dram_q[0];
  assign row_l1_o    = l1_q[0];
  assign row_job_o   = job_q;
  assign row_last_o  = &ends;
  assign row_end_o   = ends[0];

  // Start address at which loop i began its current pass.
  function automatic reg_t start(input int unsigned i);
    return (i < Loops) ? dram_q[i] : job_q.dram;
  endfunction
  assign row_along_o  = start(1) - start(2);
  assign row_across_o = start(0) - start(1) + start(2) - start(3);

  always_comb begin
    for (int unsigned i = 0; i < Loops; i++) ends[i] = left_q[i] == 32'd1;
  end

  assign step        = valid_q && row_ready_i;
  assign job_ready_o = !valid_q || (row_ready_i && row_last_o);
  assign load        = job_valid_i && job_ready_o;
  assign valid_d     = load || (valid_q && !(step && row_last_o));

  // The lowest loop that has iterations left advances; all loops inside it restart there.
  always_comb begin
    left_d = left_q;
    dram_d = dram_q;
    l1_d   = l1_q;
    if (load) begin
      left_d = job_i.bound;
      dram_d = {Loops{job_i.dram}};
      l1_d   = {Loops{job_i.l1}};
    end else if (step) begin
      for (int i = int'(Loops) - 1; i >= 0; i--) begin
        if (!ends[i]) begin
          // Reached for every loop that could advance, the innermost one last.
          left_d    = left_q;
          dram_d    = dram_q;
          l1_d      = l1_q;
          left_d[i] = left_q[i] - 32'd1;
          for (int j = 0; j <= i; j++) begin
            if (j < i) left_d[j] = job_q.bound[j];
            dram_d[j] = dram_q[i] + job_q.dram_stride[i];
            l1_d[j]   = l1_q[i] + job_q.l1_stride[i];
          end
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) job_q <= job_i;
    if (load || step) begin
      left_q <= left_d;
      dram_q <= dram_d;
      l1_q   <= l1_d;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)    valid_q <= 1'b0;
    else if (clr_i) valid_q <= 1'b0;
    else            valid_q <= valid_d;
  end

  `CVN_ASSERT_INIT(Loops, Loops > 0, "The caller must choose the number of loops.")
endmodule
