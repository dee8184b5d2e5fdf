/// What must hold of every cvn_fifo, whatever its neighbours do: order, no loss, no duplication.
///
/// A watched entry (any value, any moment, chosen by the solver) leaves exactly after the entries that
/// were in front of it when it entered.
module fifo_proof #(
  parameter int unsigned Depth = 4,
  parameter int unsigned Bits  = 4
) (
  input logic            clk_i,
  input logic            rst_ni,
  input logic            clr_i,
  input logic            valid_i,
  input logic [Bits-1:0] data_i,
  input logic            ready_i,
  input logic            watch_i
);
  typedef logic [Bits-1:0] entry_t;
  typedef logic [$clog2(Depth+1):0] count_t;

  logic   ready, valid;
  entry_t data;

  cvn_fifo #(.T(entry_t), .Depth(Depth)) i_fifo (
    .clk_i, .rst_ni, .clr_i,
    .valid_i, .ready_o(ready), .data_i,
    .valid_o(valid), .ready_i, .data_o(data)
  );

  logic   push, pop, started_q, watching_q;
  count_t fill_q, ahead_q;
  entry_t watched_q;
  assign push = valid_i && ready;
  assign pop  = valid && ready_i;

  initial started_q = 1'b0;
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (!started_q) assume (!rst_ni);
    else            assume (rst_ni);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clr_i) begin
      fill_q     <= '0;
      watching_q <= 1'b0;
      ahead_q    <= '0;
    end else begin
      fill_q <= fill_q + count_t'(push) - count_t'(pop);
      if (!watching_q && watch_i && push) begin
        watching_q <= 1'b1;
        watched_q  <= data_i;
        ahead_q    <= fill_q - count_t'(pop);
      end else if (watching_q && pop) begin
        ahead_q <= ahead_q - 1'b1;
        if (ahead_q == '0) watching_q <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      Full:      assert (ready == (32'(fill_q) < Depth));
      Empty:     assert (valid == (fill_q != '0));
      InRange:   assert (32'(fill_q) <= Depth);
      Ahead:     assert (!watching_q || ahead_q < fill_q);
      // What induction needs to know of the storage.
      Count:     assert (32'(i_fifo.count_q) == 32'(fill_q));
      Indices:   assert (32'(i_fifo.read_q) < Depth && 32'(i_fifo.write_q) ==
                         (32'(i_fifo.read_q) + 32'(fill_q)) % Depth);
      Stored:    assert (!watching_q ||
                         i_fifo.mem_q[(32'(i_fifo.read_q) + 32'(ahead_q)) % Depth] == watched_q);
      InOrder:   assert (!(watching_q && ahead_q == '0) || (valid && data == watched_q));
      Reachable: cover (watching_q && ahead_q == count_t'(Depth - 1));
    end
  end
endmodule
