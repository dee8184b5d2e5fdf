/// Types of the DMA that do not depend on the architecture file.
package cvn_dma_pkg;

  /// Register indices of a DMA channel; `bound` and the strides are the indices of loop 0.
  typedef struct packed {
    int unsigned dram;
    int unsigned l1;
    int unsigned run;
    int unsigned word_stride;
    int unsigned bound;
    int unsigned dram_stride;
    int unsigned l1_stride;
    /// Only channels that can fill have these two.
    int unsigned fill;
    int unsigned value;
    /// Only channels that load windows have these.
    int unsigned line;
    int unsigned at;
    int unsigned plane;
    int unsigned top;
    int unsigned bytes;
  } registers_t;

endpackage
