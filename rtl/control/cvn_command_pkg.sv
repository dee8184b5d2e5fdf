/// Types that describe the instruction words to the command processor; the values are generated.
package cvn_command_pkg;

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
