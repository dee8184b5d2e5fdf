/// Tells when all words of a load job have reached L1.
///
/// Purpose: words leave the lanes in any order. Every job gets a tag; words carry it. A job is done
/// when its last beat has entered the lanes and no word with its tag is left in them.
/// Latency: done_o follows the last write grant by one cycle.
/// Handshake: beats may only enter while ready_o; done_o is a pulse, jobs are done in order.
`include "cvn_assert.svh"

module cvn_dma_completion #(
  parameter int unsigned Lanes = 0,
  /// Jobs that may have words in the lanes at once.
  parameter int unsigned Tags = 0,
  /// Words that all lanes together can hold.
  parameter int unsigned MaxWords = 0,
  parameter type channel_t = logic,
  localparam int unsigned TagBits = (Tags > 1) ? $clog2(Tags) : 1
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          clr_i,

  output logic                          ready_o,
  output logic [TagBits-1:0]            tag_o,
  /// A beat of the newest job enters the lanes.
  input  logic                          enter_i,
  input  logic [Lanes-1:0]              enter_mask_i,
  input  logic                          enter_last_i,
  input  channel_t                      enter_channel_i,
  /// Words that leave the lanes, and their tags.
  input  logic [Lanes-1:0]              leave_i,
  input  logic [Lanes-1:0][TagBits-1:0] leave_tag_i,

  output logic                          done_o,
  output channel_t                      done_channel_o,
  output logic                          idle_o
);
  localparam int unsigned CountBits = $clog2(MaxWords + 1);
  typedef logic [TagBits-1:0] tag_t;
  typedef logic [CountBits-1:0] count_t;

  tag_t newest_d, newest_q, oldest_d, oldest_q;
  logic [Tags-1:0] closed_d, closed_q;
  count_t [Tags-1:0] words_d, words_q;
  channel_t channel_q[Tags];

  function automatic tag_t after(input tag_t tag);
    return (tag == tag_t'(Tags - 1)) ? '0 : tag + tag_t'(1);
  endfunction

  assign tag_o          = newest_q;
  assign ready_o        = !closed_q[newest_q];
  assign done_o         = closed_q[oldest_q] && words_q[oldest_q] == '0;
  assign done_channel_o = channel_q[oldest_q];
  assign idle_o         = closed_q == '0 && words_q == '0;

  always_comb begin
    closed_d = closed_q;
    newest_d = newest_q;
    oldest_d = oldest_q;
    words_d  = words_q;
    if (done_o) begin
      closed_d[oldest_q] = 1'b0;
      oldest_d           = after(oldest_q);
    end
    if (enter_i) begin
      words_d[newest_q] = words_d[newest_q] + count_t'($countones(enter_mask_i));
      if (enter_last_i) begin
        closed_d[newest_q] = 1'b1;
        newest_d           = after(newest_q);
      end
    end
    for (int unsigned l = 0; l < Lanes; l++) begin
      if (leave_i[l]) words_d[leave_tag_i[l]] = words_d[leave_tag_i[l]] - count_t'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (enter_i) channel_q[newest_q] <= enter_channel_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      closed_q <= '0;
      newest_q <= '0;
      oldest_q <= '0;
      words_q  <= '0;
    end else if (clr_i) begin
      closed_q <= '0;
      newest_q <= '0;
      oldest_q <= '0;
      words_q  <= '0;
    end else begin
      closed_q <= closed_d;
      newest_q <= newest_d;
      oldest_q <= oldest_d;
      words_q  <= words_d;
    end
  end

  `CVN_ASSERT_INIT(TagsChosen, Tags > 0, "The caller must choose the number of tags.")
  `CVN_ASSERT(EnterReady, clr_i || !enter_i || ready_o, "A beat entered without a free tag.")
endmodule
