/// Cuts windows into L1 words: rows of a load that start at any byte of their line.
///
/// Purpose: a window is `run` words on chip. Its bytes are taken from one bus beat or two
/// neighbouring ones and turned to the words; bytes outside the line (cvn_dma_clip) become `value`.
/// A chunk is what one bus beat could hold: word w of a chunk leaves over lane w.
/// Latency: a chunk is offered in the cycle in which the last beat it needs arrives. One cycle per
/// chunk, one more for a window whose first chunk lies in two beats.
/// Handshake: valid/ready for rows; a beat is taken with beat_ready_o; a chunk may only leave while
/// lanes_ready_i, which may depend on chunk_mask_o.
/// YAML: transfers.<load>.abilities `windows`, registers line, at, value.
`include "cvn_assert.svh"

module cvn_dma_windows
  import cvn_pkg::reg_t, cvn_pkg::word_t;
#(
  parameter int unsigned Lanes = 0,
  parameter int unsigned MaxBeats = 0,
  parameter type job_t = logic
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clr_i,

  input  logic              row_valid_i,
  output logic              row_ready_o,
  input  reg_t              row_dram_i,
  input  reg_t              row_l1_i,
  /// Bytes from the first window of the line to this one.
  input  reg_t              row_offset_i,
  input  logic              row_last_i,
  input  job_t              row_job_i,

  input  logic              beat_valid_i,
  output logic              beat_ready_o,
  input  word_t [Lanes-1:0] beat_data_i,
  /// Last beat of its burst.
  output logic              burst_last_o,

  output logic              chunk_valid_o,
  input  logic              lanes_ready_i,
  output logic  [Lanes-1:0] chunk_mask_o,
  /// L1 word address and content of every lane.
  output reg_t  [Lanes-1:0] chunk_addr_o,
  output word_t [Lanes-1:0] chunk_data_o,
  output logic              job_last_o
);
  localparam int unsigned WordShift = $clog2(cvn_pkg::WordBytes);
  localparam int unsigned BeatBytes = Lanes * cvn_pkg::WordBytes;
  localparam int unsigned BeatShift = $clog2(BeatBytes);
  localparam int unsigned BlockBits = $clog2(MaxBeats);
  typedef logic [BeatShift-1:0] place_t;
  typedef logic [BeatBytes-1:0][7:0] bytes_t;

  // ---- Place of the window -----------------------------------------------------------------------
  reg_t size, lead, stop, first, place, beats;

  assign size  = row_job_i.run << WordShift;
  assign place = first & (BeatBytes - 1);
  assign beats = (stop == lead) ? '0 : (place + stop - lead + (BeatBytes - 1)) >> BeatShift;

  cvn_dma_clip i_clip (
    .dram_i  (row_dram_i),
    .at_i    (row_job_i.at + row_offset_i),
    .line_i  (row_job_i.line),
    .size_i  (size),
    .lead_o  (lead),
    .end_o   (stop),
    .first_o (first)
  );

  // ---- Chunk after chunk -------------------------------------------------------------------------
  // First byte of the chunk; beats taken so far; the newest of them.
  reg_t chunk_d, chunk_q, have_d, have_q;
  bytes_t held_q, newest, merged, turned;
  reg_t reach, wanted, after, begins;
  logic take, complete, advance, row_end, two_beats;
  place_t turn;

  assign reach    = (chunk_q + BeatBytes < stop) ? chunk_q + BeatBytes : stop;
  assign wanted   = (reach <= lead) ? '0 : (place + reach - lead + (BeatBytes - 1)) >> BeatShift;
  assign take     = wanted > have_q;
  assign after    = have_q + reg_t'(take);
  assign complete = wanted <= after;

  assign chunk_valid_o = row_valid_i && complete && (!take || beat_valid_i);
  assign beat_ready_o  = row_valid_i && take && (!complete || lanes_ready_i);
  assign advance       = row_valid_i && (!take || beat_valid_i) && (!complete || lanes_ready_i);
  assign row_end       = complete && chunk_q + BeatBytes >= size;
  assign row_ready_o   = advance && row_end;
  assign job_last_o    = row_end && row_last_i;
  assign burst_last_o  = after == beats || (&(BlockBits'(first >> BeatShift) + BlockBits'(have_q)));

  always_comb begin
    chunk_d = chunk_q;
    have_d  = have_q;
    if (advance) begin
      have_d  = row_end ? '0 : after;
      chunk_d = row_end ? '0 : (complete ? chunk_q + BeatBytes : chunk_q);
    end
  end

  // ---- Bytes -------------------------------------------------------------------------------------
  // Byte s of a beat becomes byte s - turn of the chunk. Bytes from `turn` on belong to the beat in
  // which the chunk begins, those before to the next one, which is then the newest.
  assign turn      = place_t'(row_dram_i);
  assign begins    = reg_t'($signed(chunk_q + place - lead) >>> BeatShift);
  assign newest    = take ? beat_data_i : held_q;
  assign two_beats = take && begins + 32'd1 != after;

  always_comb begin
    for (int unsigned s = 0; s < BeatBytes; s++) begin
      merged[s] = (two_beats && s >= 32'(turn)) ? held_q[s] : newest[s];
    end
    turned = (8 * BeatBytes)'({merged, merged} >> {turn, 3'b000});
    for (int unsigned b = 0; b < BeatBytes; b++) begin
      if (chunk_q + b < lead || chunk_q + b >= stop) turned[b] = row_job_i.value;
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      chunk_mask_o[l] = row_valid_i && (chunk_q >> WordShift) + l < row_job_i.run;
      chunk_addr_o[l] = ((row_l1_i + chunk_q) >> WordShift) + l;
    end
  end
  assign chunk_data_o = turned;

  always_ff @(posedge clk_i) begin
    if (advance && take) held_q <= beat_data_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      chunk_q <= '0;
      have_q  <= '0;
    end else if (clr_i) begin
      chunk_q <= '0;
      have_q  <= '0;
    end else begin
      chunk_q <= chunk_d;
      have_q  <= have_d;
    end
  end

  `CVN_ASSERT_INIT(Lanes, Lanes > 0 && (Lanes & (Lanes - 1)) == 0,
                   "The number of lanes must be a power of two.")
  `CVN_ASSERT(WordsAdjacent, !row_valid_i || row_job_i.word_stride == cvn_pkg::WordBytes,
              "The words of a window lie apart on chip; word_stride must be 8.")
  `CVN_ASSERT(NewestIsLast, !row_valid_i || wanted >= have_q,
              "A window has taken more beats than it needs.")
endmodule
