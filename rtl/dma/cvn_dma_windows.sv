/// Packs windows into L1 words: rows of a load that are put together from runs of bytes.
///
/// Purpose: the runs of loop 0, `bytes` bytes each, follow one another on chip without a gap and
/// make one row of `run` words. The bytes of a run come from one bus beat or several neighbouring
/// ones; bytes outside the line or plane (cvn_dma_clip) and those that fill up the row become
/// `value`. A chunk is the part of a row that a bus beat could hold: word w of it leaves over lane w.
/// Latency: a chunk is offered in the cycle in which the last beat it needs arrives. One cycle for
/// the part of a run in one chunk, one more for each further beat it lies in.
/// Handshake: valid/ready for runs (row_*); a beat is taken with beat_ready_o; a chunk leaves with
/// enter_o, only while lanes_ready_i, which may depend on chunk_mask_o.
/// YAML: transfers.<load>.abilities `windows`, registers line, at, plane, top, bytes, value.
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
  /// Bytes from the first run of the job to this one, along its line and across lines.
  input  reg_t              row_along_i,
  input  reg_t              row_across_i,
  /// Last run of its row, of its job.
  input  logic              row_end_i,
  input  logic              row_last_i,
  input  job_t              row_job_i,

  input  logic              beat_valid_i,
  output logic              beat_ready_o,
  input  word_t [Lanes-1:0] beat_data_i,
  /// Last beat of its burst.
  output logic              burst_last_o,

  output logic              enter_o,
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

  // ---- Place of the run --------------------------------------------------------------------------
  reg_t size, lead, stop, first, place, beats;

  assign size  = row_job_i.bytes;
  assign place = first & (BeatBytes - 1);
  assign beats = (stop == lead) ? '0 : (place + stop - lead + (BeatBytes - 1)) >> BeatShift;

  cvn_dma_clip i_clip (
    .dram_i   (row_dram_i),
    .along_i  (row_job_i.at + row_along_i),
    .line_i   (row_job_i.line),
    .across_i (row_job_i.top + row_across_i),
    .plane_i  (row_job_i.plane),
    .size_i   (size),
    .lead_o   (lead),
    .end_o    (stop),
    .first_o  (first)
  );

  // ---- Part after part ---------------------------------------------------------------------------
  // Bytes of the run that are placed; where in the chunk the next one goes; first byte of the chunk
  // in its row; beats of the run taken so far.
  reg_t done_d, done_q, fill_d, fill_q, chunk_d, chunk_q, have_d, have_q;
  reg_t upto, filled, reach, wanted, after, begins;
  logic take, complete, advance, full, run_end, row_full, leaves;

  assign upto     = (size - done_q < BeatBytes - fill_q) ? size : done_q + BeatBytes - fill_q;
  assign filled   = fill_q + upto - done_q;
  assign reach    = (upto < stop) ? upto : stop;
  assign wanted   = (reach <= lead) ? '0 : (place + reach - lead + (BeatBytes - 1)) >> BeatShift;
  assign take     = wanted > have_q;
  assign after    = have_q + reg_t'(take);
  assign complete = wanted <= after;

  // The last run of a row goes on until all words of the row have left.
  assign full     = filled == BeatBytes;
  assign leaves   = complete && (full || (row_end_i && upto == size));
  assign row_full = chunk_q + BeatBytes >= row_job_i.run << WordShift;
  assign run_end  = complete && upto == size && (!row_end_i || row_full);
  assign advance  = row_valid_i && (!take || beat_valid_i) && (!leaves || lanes_ready_i);

  assign beat_ready_o = row_valid_i && take && (!leaves || lanes_ready_i);
  assign enter_o      = advance && leaves;
  assign row_ready_o  = advance && run_end;
  assign job_last_o   = run_end && row_last_i;
  assign burst_last_o = after == beats || (&(BlockBits'(first >> BeatShift) + BlockBits'(have_q)));

  always_comb begin
    done_d  = done_q;
    fill_d  = fill_q;
    chunk_d = chunk_q;
    have_d  = have_q;
    if (advance) begin
      have_d = run_end ? '0 : after;
      if (complete) begin
        done_d  = run_end ? '0 : upto;
        fill_d  = leaves ? '0 : filled;
        chunk_d = (run_end && row_end_i) ? '0 : chunk_q + (leaves ? BeatBytes : '0);
      end
    end
  end

  // ---- Bytes -------------------------------------------------------------------------------------
  // Byte s of a beat becomes byte s - turn of the chunk. Of the part, bytes from `split` on lie in
  // the beat in which it begins, those before in the next one, which is then the newest.
  bytes_t held_q, newest, merged, turned, packed_d, packed_q;
  place_t split, turn;
  logic two_beats;

  assign split     = place_t'(row_dram_i + done_q);
  assign turn      = split - place_t'(fill_q);
  assign begins    = reg_t'($signed(place + done_q - lead) >>> BeatShift);
  assign newest    = take ? beat_data_i : held_q;
  assign two_beats = take && begins + 32'd1 != after;

  always_comb begin
    for (int unsigned s = 0; s < BeatBytes; s++) begin
      merged[s] = (two_beats && s >= 32'(split)) ? held_q[s] : newest[s];
    end
    turned = (8 * BeatBytes)'({merged, merged} >> {turn, 3'b000});
    packed_d = packed_q;
    for (int unsigned b = 0; b < BeatBytes; b++) begin
      if (b >= fill_q) begin
        // Byte of the run; past its end the row is filled up.
        packed_d[b] = (b < filled && done_q + b - fill_q >= lead && done_q + b - fill_q < stop) ?
                      turned[b] : row_job_i.value;
      end
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < Lanes; l++) begin
      chunk_mask_o[l] = row_valid_i && (chunk_q >> WordShift) + l < row_job_i.run;
      chunk_addr_o[l] = ((row_l1_i + chunk_q) >> WordShift) + l;
    end
  end
  assign chunk_data_o = packed_d;

  always_ff @(posedge clk_i) begin
    if (advance && take) held_q <= beat_data_i;
    if (advance && complete) packed_q <= packed_d;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      done_q  <= '0;
      fill_q  <= '0;
      chunk_q <= '0;
      have_q  <= '0;
    end else if (clr_i) begin
      done_q  <= '0;
      fill_q  <= '0;
      chunk_q <= '0;
      have_q  <= '0;
    end else begin
      done_q  <= done_d;
      fill_q  <= fill_d;
      chunk_q <= chunk_d;
      have_q  <= have_d;
    end
  end

  `CVN_ASSERT_INIT(Lanes, Lanes > 0 && (Lanes & (Lanes - 1)) == 0,
                   "The number of lanes must be a power of two.")
  `CVN_ASSERT(RunHasBytes, !row_valid_i || size != '0, "A run of a window has no bytes.")
  `CVN_ASSERT(RowHoldsRuns, !row_valid_i || chunk_q < row_job_i.run << WordShift,
              "The runs of a window are longer than its words.")
  `CVN_ASSERT(WordsAdjacent, !row_valid_i || row_job_i.word_stride == cvn_pkg::WordBytes,
              "The words of a window lie apart on chip; word_stride must be 8.")
  `CVN_ASSERT(NewestIsLast, !row_valid_i || wanted >= have_q,
              "A run has taken more beats than it needs.")
endmodule
