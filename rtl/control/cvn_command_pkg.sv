/// Types that describe the instruction words to the command processor; the values are generated.
package cvn_command_pkg;

  /// What the command processor waits for besides room in a queue: nothing; with launches, until the
  /// unit is idle; with register writes too; with launches, until every unit is idle.
  typedef enum logic [1:0] {
    StallNone    = 2'd0,
    StallLaunch  = 2'd1,
    StallWrite   = 2'd2,
    StallBarrier = 2'd3
  } stall_e;

  /// A bit field of an instruction word.
  typedef struct packed {
    int unsigned lsb;
    int unsigned bits;
  } field_t;

  /// Fields and opcodes of the mnemonics, named after their effects in the YAML.
  typedef struct packed {
    field_t      opcode;
    field_t      unit;
    field_t      index;
    field_t      value;
    field_t      waits;
    field_t      posts;
    field_t      length;
    field_t      count;
    int unsigned op_write;
    int unsigned op_add;
    int unsigned op_reverse_subtract;
    int unsigned op_launch;
    int unsigned op_post;
    int unsigned op_loop;
    int unsigned op_halt;
  } encoding_t;

endpackage
