/// Beats of a stream, handed to lanes that progress independently.
///
/// Purpose: a small ring of beats with one read pointer per lane. A lane may run up to Depth beats
/// ahead of the slowest one; a beat leaves when every lane has taken it.
/// Latency: none, the newest beat falls through to lanes that have taken all older ones.
/// Handshake: beat_*: valid/ready, ready from registers; lanes: valid from registers and beat_valid_i,
/// taken by take_i (valid-then-take), address stable until taken.
`include "cvn_assert.svh"

module cvn_address_queue
  import cvn_pkg::reg_t, cvn_pkg::stream_beat_t;
#(
  parameter int unsigned Lanes = 0,
  /// Consecutive lanes that form one pixel (distance word_stride inside, lane_stride between).
  parameter int unsigned LanesPerPixel = 0,
  /// In folded beats this many times fewer pixels have as many times more words; 1: there are none.
  parameter int unsigned Fold = 0,
  /// Power of two.
  parameter int unsigned Depth = 0
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clr_i,

  input  logic             beat_valid_i,
  output logic             beat_ready_o,
  input  stream_beat_t     beat_i,

  output logic [Lanes-1:0] valid_o,
  output logic [Lanes-1:0] masked_o,
  /// The lane has not taken a beat that another lane has taken.
  output logic [Lanes-1:0] behind_o,
  output reg_t             addr_o[Lanes],
  input  logic [Lanes-1:0] take_i,

  /// Every lane has taken the last beat of a job in this cycle.
  output logic             job_done_o
);
  localparam int unsigned IndexBits = (Depth > 1) ? $clog2(Depth) : 1;
  typedef logic [IndexBits:0] pointer_t;
  typedef logic [IndexBits-1:0] index_t;
  typedef logic [cvn_pkg::MaxPixels-1:0] starts_t;

  stream_beat_t beats_q[Depth];
  pointer_t write_d, write_q, oldest_d, oldest_q;
  pointer_t lane_d[Lanes];
  pointer_t lane_q[Lanes];
  logic push, retire;
  logic [Lanes-1:0] passed, ahead;

  // Pixels of a folded beat: its first lanes have the first words of them all, and so on.
  localparam int unsigned FoldedPixels = Lanes / LanesPerPixel / Fold;

  // Words from a beat's address to word `word` of its pixel `pixel`. The first two multiplications
  // have a constant factor, the third one that is no more than the pixel's number.
  function automatic reg_t offset(input int unsigned pixel, input int unsigned word,
                                  input reg_t lane_stride, input reg_t word_stride,
                                  input starts_t starts, input reg_t row_jump);
    starts_t begun;
    begun = starts & starts_t'((64'd2 << pixel) - 64'd1);
    return reg_t'(pixel) * lane_stride + reg_t'(word) * word_stride
           + reg_t'($countones(begun)) * row_jump;
  endfunction

  function automatic reg_t lane_offset(input int unsigned lane, input logic folded,
                                       input reg_t lane_stride, input reg_t word_stride,
                                       input starts_t starts, input reg_t row_jump);
    int unsigned group, word;
    group = lane / LanesPerPixel;
    word  = lane % LanesPerPixel;
    if (Fold > 1 && folded) begin
      return offset(group % FoldedPixels, group / FoldedPixels * LanesPerPixel + word,
                    lane_stride, word_stride, starts, row_jump);
    end
    return offset(group, word, lane_stride, word_stride, starts, row_jump);
  endfunction

  function automatic logic is_asleep(input int unsigned lane, input logic folded,
                                     input logic [15:0] lanes);
    int unsigned group;
    group = lane / LanesPerPixel;
    return 32'(lanes) <= ((Fold > 1 && folded) ? group % FoldedPixels : group);
  endfunction

  assign beat_ready_o = pointer_t'(write_q - oldest_q) != pointer_t'(Depth);
  assign push         = beat_valid_i && beat_ready_o;
  assign write_d      = write_q + pointer_t'(push);

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      lane_d[l]  = lane_q[l] + pointer_t'(take_i[l]);
      passed[l]  = (lane_q[l] != oldest_q) || take_i[l];
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      valid_o[l] = (lane_q[l] != write_q) || push;
      if (lane_q[l] == write_q) begin
        masked_o[l] = is_asleep(l, beat_i.folded, beat_i.lanes);
        addr_o[l]   = beat_i.addr + lane_offset(l, beat_i.folded, beat_i.lane_stride,
                                                beat_i.word_stride, beat_i.starts,
                                                beat_i.row_jump);
      end else begin
        masked_o[l] = is_asleep(l, beats_q[index_t'(lane_q[l])].folded,
                                beats_q[index_t'(lane_q[l])].lanes);
        addr_o[l]   = beats_q[index_t'(lane_q[l])].addr
                      + lane_offset(l, beats_q[index_t'(lane_q[l])].folded,
                                    beats_q[index_t'(lane_q[l])].lane_stride,
                                    beats_q[index_t'(lane_q[l])].word_stride,
                                    beats_q[index_t'(lane_q[l])].starts,
                                    beats_q[index_t'(lane_q[l])].row_jump);
      end
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      ahead[l]    = lane_q[l] != oldest_q;
      behind_o[l] = !ahead[l] && (ahead != '0);
    end
  end

  assign retire     = &passed;
  assign oldest_d   = oldest_q + pointer_t'(retire);
  assign job_done_o = retire &&
                      ((oldest_q == write_q) ? beat_i.last : beats_q[index_t'(oldest_q)].last);

  always_ff @(posedge clk_i) begin
    if (push) beats_q[index_t'(write_q)] <= beat_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q  <= '0;
      oldest_q <= '0;
      for (int unsigned l = 0; l < Lanes; l++) lane_q[l] <= '0;
    end else if (clr_i) begin
      write_q  <= '0;
      oldest_q <= '0;
      for (int unsigned l = 0; l < Lanes; l++) lane_q[l] <= '0;
    end else begin
      write_q  <= write_d;
      oldest_q <= oldest_d;
      lane_q   <= lane_d;
    end
  end

  `CVN_ASSERT_INIT(LanesChosen, Lanes > 0 && LanesPerPixel > 0 && Lanes % LanesPerPixel == 0,
                   "The lanes of a stream must be a multiple of the lanes of a pixel.")
  `CVN_ASSERT_INIT(FoldChosen, Fold > 0 && (Lanes / LanesPerPixel) % Fold == 0,
                   "The pixels of a stream must be a multiple of the fold of the array.")
  `CVN_ASSERT_INIT(DepthPowerOfTwo, Depth > 0 && Depth == 2 ** $clog2(Depth),
                   "The depth of the address queue must be a power of two.")
  `CVN_ASSERT(TakeValid, (take_i & ~valid_o) == '0, "A lane took a beat that was not there.")
endmodule
