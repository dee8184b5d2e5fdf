/// Types shared by all modules of the cluster. Nothing here depends on the architecture file:
/// numbers that come from the YAML live in the generated `cvn_cfg_pkg`.
package cvn_pkg;

  /// One L1 word: what a bank stores per row and what every master moves per access.
  localparam int unsigned WordBits = 64;
  localparam int unsigned WordBytes = WordBits / 8;
  /// Most counting semaphores a cluster may declare; wait and post masks have this many bits.
  localparam int unsigned NumSemaphores = 28;
  /// Width of an event counter.
  localparam int unsigned CounterBits = 64;

  typedef logic [WordBits-1:0] word_t;
  typedef logic [31:0] reg_t;
  typedef logic [NumSemaphores-1:0] sem_mask_t;

  /// Request of a TCDM master. `addr` counts words. `valid` must come from registers (never from a
  /// response of the same cycle) and the payload stays stable until `gnt`.
  typedef struct packed {
    logic        valid;
    logic        write;
    /// Others of the same beat have theirs, or few words that much waits for: wins over requests of its
    /// class, may change while it waits.
    logic        behind;
    logic [31:0] addr;
    word_t       wdata;
  } tcdm_req_t;

  /// Response to a TCDM master. `gnt` answers the request of the same cycle; `rvalid` and `rdata`
  /// follow exactly one cycle after the grant of a read and cannot be stalled.
  typedef struct packed {
    logic  gnt;
    logic  rvalid;
    word_t rdata;
  } tcdm_rsp_t;

  /// Most pixels in one beat of a stream.
  localparam int unsigned MaxPixels = 32;

  /// Addresses of one stream beat, in words: pixel g of the beat starts at addr + g * lane_stride,
  /// its word w at w * word_stride behind. Pixels from `lanes` on are masked. A pixel whose bit in
  /// `starts` is set begins a row: it and all behind it lie `row_jump` further.
  typedef struct packed {
    logic        last;    // last beat of the job
    logic        folded;  // lanes count as in the folded shape of the array (cvn_address_queue)
    logic [15:0] lanes;
    logic [MaxPixels-1:0] starts;
    logic [31:0] row_jump;
    logic [31:0] word_stride;
    logic [31:0] lane_stride;
    logic [31:0] addr;
  } stream_beat_t;

  /// How a register write combines with the shadow register.
  typedef enum logic [1:0] {
    RegSet  = 2'd0,  // new = data
    RegAdd  = 2'd1,  // new = old + data
    RegRsub = 2'd2   // new = data - old
  } reg_op_e;

  /// Value of a register after a write.
  function automatic reg_t reg_update(input reg_op_e op, input reg_t old_value, input reg_t data);
    unique case (op)
      RegAdd:  return old_value + data;
      RegRsub: return data - old_value;
      default: return data;
    endcase
  endfunction

  /// A register write as it reaches a unit; `addr` counts the unit's registers.
  typedef struct packed {
    logic       we;
    logic [7:0] addr;
    reg_op_e    op;
    reg_t       data;
  } reg_write_t;

  /// What an output tile of the gemm node becomes (register `out`).
  typedef enum logic [1:0] {
    OutRaw        = 2'd0,  // accumulators, int32
    OutBias       = 2'd1,  // accumulators + bias, int32
    OutRequantise = 2'd2  // clamp(rint(f32(acc + bias) * scale) + zy), int8
  } gemm_out_e;

  /// Registers of the array engine, relative to its first one.
  typedef enum logic [3:0] {
    ArraySteps   = 4'd0,
    ArrayTiles   = 4'd1,
    ArrayReuse   = 4'd2,
    ArrayZa      = 4'd3,
    ArrayZy      = 4'd4,
    ArrayLo      = 4'd5,
    ArrayHi      = 4'd6,
    ArrayASigned = 4'd7,
    ArrayBSigned = 4'd8,
    ArrayResume  = 4'd9,
    ArrayOut     = 4'd10
  } array_reg_e;
  localparam int unsigned NumArrayRegs = 11;

  /// Zero point and bounds of requantised outputs.
  typedef struct packed {
    reg_t zy;
    reg_t lo;
    reg_t hi;
  } clamp_t;

  /// How the output stage treats a tile.
  typedef struct packed {
    gemm_out_e out;
    logic      resume;  // add partial sums of the c stream
    logic      record;  // a parameter record exists, else bias and zero points are 0
    clamp_t    clamp;
  } post_job_t;

  /// Which registers a stream has before its bounds and strides.
  typedef enum int unsigned {
    StreamPlain  = 1,  // base; lanes are consecutive words
    StreamLanes  = 4,  // base, lane_stride, tail_loop, tail_lanes
    StreamPixels = 5,  // base, lane_stride, word_stride, tail_loop, tail_lanes
    StreamRows   = 8   // as StreamPixels, then row_lanes, row_step, row_jump
  } stream_layout_e;

  /// Number of registers of a stream: those of its layout, then bounds, then strides.
  function automatic int unsigned stream_regs(input stream_layout_e layout,
                                              input int unsigned loops);
    return int'(layout) + 2 * loops;
  endfunction

  /// How the launches of a matrix array choose its shape: by the number of a capability.
  typedef struct packed {
    reg_t       reset;   // value of the register after a program start
    logic [7:0] index;   // the register of the unit
    logic [7:0] folded;  // capabilities of the folded shape, one bit each; '0: there is one shape
  } shape_select_t;

  /// Whether a launch whose register holds `number` uses the folded shape; `folded`: capabilities.
  function automatic logic is_folded(input logic [7:0] folded, input reg_t number);
    return number < 32'd8 && folded[number[2:0]];
  endfunction

  /// Words per pixel of the a stream of an array with depth k.
  function automatic int unsigned words_per_pixel(input int unsigned k);
    return (k > WordBytes) ? k / WordBytes : 1;
  endfunction

  /// Words of a beat of b, in the shape that needs most.
  function automatic int unsigned gemm_b_lanes(input int unsigned n, input int unsigned k,
                                               input int unsigned fold);
    return n * k * fold / WordBytes;
  endfunction

  /// TCDM masters of a gemm node that read operands: the first ones.
  function automatic int unsigned gemm_operand_masters(input int unsigned m, input int unsigned n,
                                                       input int unsigned k,
                                                       input int unsigned fold);
    return m * words_per_pixel(k) + gemm_b_lanes(n, k, fold);
  endfunction

  /// TCDM masters of a gemm node, in the order a, b, c, p, y.
  function automatic int unsigned gemm_masters(input int unsigned m, input int unsigned n,
                                               input int unsigned k, input int unsigned fold,
                                               input int unsigned p_lanes);
    return gemm_operand_masters(m, n, k, fold) + m + p_lanes + m;
  endfunction

  /// What a vector node computes in a step; x, w: words of 8 channels, one per pixel lane.
  typedef enum logic [2:0] {
    VectorMac      = 3'd0,  // acc += (x - zx) * (w of lane 0 - zk)
    VectorSum      = 3'd1,  // acc += x - zx
    VectorMax      = 3'd2,  // y = max(y, x)
    VectorBlend    = 3'd3,  // acc = (x - zx) * kx + (w - zw) * kw, in two cycles
    VectorMultiply = 3'd4,  // acc = (x - zx) * (w - zw)
    VectorTable    = 3'd5   // y = table[x]
  } vector_op_e;

  /// Registers of a vector node's lanes, relative to its first one; VectorAbsent: there is none.
  typedef struct packed {
    logic [7:0] steps;
    logic [7:0] tiles;
    logic [7:0] reuse;
    logic [7:0] select;    // number of the capability
    logic [7:0] out;
    logic [7:0] zx;
    logic [7:0] zw;
    logic [7:0] kx;
    logic [7:0] kw;
    logic [7:0] zy;
    logic [7:0] lo;
    logic [7:0] hi;
    logic [7:0] x_signed;
    logic [7:0] w_signed;
  } vector_registers_t;
  localparam logic [7:0] VectorAbsent = 8'd255;

  /// Operations by the number of the capability.
  typedef vector_op_e [7:0] vector_ops_t;

  /// How the lanes of a vector node treat their operands during a job.
  typedef struct packed {
    vector_op_e         op;
    logic               x_signed;
    logic               w_signed;
    logic [7:0]         zx;
    logic [7:0]         zw;
    logic signed [15:0] kx;
    logic signed [15:0] kw;
  } vector_job_t;

  /// Whether an operation reads the w stream.
  function automatic logic vector_reads_w(input vector_op_e op);
    return op inside {VectorMac, VectorBlend, VectorMultiply};
  endfunction

  /// TCDM masters of a vector node that read operands: the first ones.
  function automatic int unsigned vector_operand_masters(input int unsigned m,
                                                         input int unsigned w_lanes);
    return m + w_lanes;
  endfunction

  /// TCDM masters of a vector node, in the order x, w, p, t, y.
  function automatic int unsigned vector_masters(input int unsigned m, input int unsigned w_lanes,
                                                 input int unsigned p_lanes,
                                                 input int unsigned t_lanes);
    return vector_operand_masters(m, w_lanes) + p_lanes + t_lanes + m;
  endfunction

  /// Sub-engines of every compute node, each with a job queue and semaphores of its own.
  localparam int unsigned NodeEngines = 5;

  /// Events of a compute node in this cycle. At most one of them is set, except `config_wait`, which
  /// the cluster counts only while the program runs.
  typedef struct packed {
    logic busy;         // an array step was executed
    logic starved_a;    // array waits for the a stream
    logic starved_b;    // a is there, array waits for the b stream
    logic starved_c;    // array waits for the drain, which waits for partial sums
    logic starved_p;    // operands are there, array waits for a parameter record
    logic blocked_y;    // array waits for the drain of the previous tile
    logic config_wait;  // array has no job
  } gemm_events_t;

  /// Order of the counters at the cluster's port.
  typedef enum int unsigned {
    CounterCycles         = 0,
    CounterBusy           = 1,
    CounterStarvedA       = 2,
    CounterStarvedB       = 3,
    CounterStarvedC       = 4,
    CounterStarvedP       = 5,
    CounterBlockedY       = 6,
    CounterConfigWait     = 7,
    CounterConflicts      = 8,
    CounterDmaReadBeats   = 9,
    CounterDmaWriteBeats  = 10,
    CounterDmaReadBusy    = 11,
    CounterDmaWriteBusy   = 12,
    CounterCommandBlocked = 13
  } counter_e;
  localparam int unsigned NumCounters = 14;

endpackage
