// $ covenant arch rtl snax
/// Numbers of architecture `snax`, generated from its YAML. Do not edit.
package cvn_cfg_pkg;

  // Memories and bus
  localparam int unsigned L1Words = 16384;
  localparam int unsigned L1Banks = 32;
  localparam int unsigned L1Views = 2;
  localparam int unsigned AxiBytes = 64;

  // DMA
  localparam int unsigned LoadChannels = 4;
  localparam int unsigned LoadLoops = 4;
  localparam int unsigned LoadOutstanding = 128;
  localparam bit LoadHasFill = 1'b1;
  localparam bit LoadHasWindows = 1'b1;
  localparam int unsigned NumLoadRegs = 23;
  localparam cvn_dma_pkg::registers_t LoadRegisters = '{dram: 0, l1: 1, run: 2, word_stride: 3, bound: 4, dram_stride: 8, l1_stride: 12, fill: 16, value: 17, line: 18, at: 19, plane: 20, top: 21, bytes: 22};
  localparam cvn_pkg::reg_t [NumLoadRegs-1:0] LoadReset = {
    32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h1,
    32'h1, 32'h1, 32'h1, 32'h8, 32'h1, 32'h0, 32'h0};
  localparam int unsigned StoreChannels = 2;
  localparam int unsigned StoreLoops = 4;
  localparam int unsigned StoreOutstanding = 128;
  localparam int unsigned NumStoreRegs = 16;
  localparam cvn_dma_pkg::registers_t StoreRegisters = '{dram: 1, l1: 0, run: 2, word_stride: 3, bound: 4, dram_stride: 12, l1_stride: 8, fill: 0, value: 0, line: 0, at: 0, plane: 0, top: 0, bytes: 0};
  localparam cvn_pkg::reg_t [NumStoreRegs-1:0] StoreReset = {
    32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h1, 32'h1, 32'h1, 32'h1, 32'h8, 32'h1, 32'h0, 32'h0};

  // Compute nodes
  localparam int unsigned NumGemms = 1;
  localparam int unsigned GemmM[1] = '{8};
  localparam int unsigned GemmN[1] = '{8};
  localparam int unsigned GemmK[1] = '{8};
  localparam int unsigned GemmFold[1] = '{2};
  localparam int unsigned GemmFolded[1] = '{2};
  localparam int unsigned GemmOffsetShape[1] = '{81};
  localparam int unsigned GemmRequantiseColumns[1] = '{4};
  localparam int unsigned GemmPLanes[1] = '{3};
  localparam int unsigned GemmLoopsA[1] = '{6};
  localparam int unsigned GemmLoopsB[1] = '{4};
  localparam int unsigned GemmLoopsC[1] = '{6};
  localparam int unsigned GemmLoopsP[1] = '{4};
  localparam int unsigned GemmLoopsY[1] = '{6};
  localparam int unsigned GemmFifoDepthA[1] = '{8};
  localparam int unsigned GemmFifoDepthB[1] = '{8};
  localparam int unsigned GemmFifoDepthC[1] = '{4};
  localparam int unsigned GemmFifoDepthP[1] = '{4};
  localparam int unsigned GemmFifoDepthY[1] = '{4};
  localparam int unsigned GemmWrapA[1] = '{1};
  localparam int unsigned NumGemmRegs[1] = '{82};
  localparam int unsigned GemmOffsetA[1] = '{0};
  localparam int unsigned GemmOffsetB[1] = '{20};
  localparam int unsigned GemmOffsetC[1] = '{29};
  localparam int unsigned GemmOffsetP[1] = '{45};
  localparam int unsigned GemmOffsetY[1] = '{54};
  localparam int unsigned GemmOffsetArray[1] = '{70};
  localparam cvn_pkg::sem_mask_t GemmWaitA[1] = '{cvn_pkg::NumSemaphores'(1)};
  localparam cvn_pkg::sem_mask_t GemmPostA[1] = '{cvn_pkg::NumSemaphores'(2)};
  localparam cvn_pkg::sem_mask_t GemmWaitB[1] = '{cvn_pkg::NumSemaphores'(4)};
  localparam cvn_pkg::sem_mask_t GemmPostB[1] = '{cvn_pkg::NumSemaphores'(8)};
  localparam cvn_pkg::sem_mask_t GemmWaitC[1] = '{cvn_pkg::NumSemaphores'(256)};
  localparam cvn_pkg::sem_mask_t GemmPostC[1] = '{cvn_pkg::NumSemaphores'(512)};
  localparam cvn_pkg::sem_mask_t GemmWaitP[1] = '{cvn_pkg::NumSemaphores'(16)};
  localparam cvn_pkg::sem_mask_t GemmPostP[1] = '{cvn_pkg::NumSemaphores'(32)};
  localparam cvn_pkg::sem_mask_t GemmWaitY[1] = '{cvn_pkg::NumSemaphores'(640)};
  localparam cvn_pkg::sem_mask_t GemmPostY[1] = '{cvn_pkg::NumSemaphores'(320)};
  localparam cvn_pkg::reg_t [81:0] GemmReset[1] = '{{
    32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h0, 32'h1, 32'h1, 32'h1, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h0, 32'h0, 32'h1, 32'h1, 32'h1, 32'h1, 32'h1, 32'h1,
    32'hffff, 32'h0, 32'h8, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h1, 32'h1, 32'h1, 32'h1, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h0, 32'h0, 32'h0, 32'h1, 32'h1, 32'h1, 32'h1, 32'h1,
    32'h1, 32'hffff, 32'h0, 32'h8, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h0, 32'h1, 32'h1, 32'h1, 32'h1, 32'h0, 32'h0, 32'h0,
    32'h0, 32'h0, 32'h0, 32'h0, 32'h1, 32'h1, 32'h1, 32'h1,
    32'h1, 32'h1, 32'h0, 32'h0, 32'h0, 32'hffff, 32'h0, 32'h8,
    32'h8, 32'h0}};
  localparam int unsigned NumVectors = 1;
  localparam int unsigned VectorM[1] = '{8};
  localparam int unsigned VectorRequantiseColumns[1] = '{4};
  localparam int unsigned VectorWLanes[1] = '{8};
  localparam int unsigned VectorPLanes[1] = '{1};
  localparam int unsigned VectorTLanes[1] = '{4};
  localparam bit VectorHasTable[1] = '{1'b1};
  localparam int unsigned VectorLoopsX[1] = '{6};
  localparam int unsigned VectorFifoDepthX[1] = '{8};
  localparam int unsigned VectorLoopsW[1] = '{6};
  localparam int unsigned VectorFifoDepthW[1] = '{8};
  localparam int unsigned VectorLoopsP[1] = '{4};
  localparam int unsigned VectorFifoDepthP[1] = '{4};
  localparam int unsigned VectorLoopsT[1] = '{1};
  localparam int unsigned VectorFifoDepthT[1] = '{4};
  localparam int unsigned VectorLoopsY[1] = '{6};
  localparam int unsigned VectorFifoDepthY[1] = '{4};
  localparam int unsigned NumVectorRegs[1] = '{74};
  localparam int unsigned VectorOffsetX[1] = '{0};
  localparam cvn_pkg::sem_mask_t VectorWaitX[1] = '{cvn_pkg::NumSemaphores'(1024)};
  localparam cvn_pkg::sem_mask_t VectorPostX[1] = '{cvn_pkg::NumSemaphores'(2048)};
  localparam int unsigned VectorOffsetW[1] = '{16};
  localparam cvn_pkg::sem_mask_t VectorWaitW[1] = '{cvn_pkg::NumSemaphores'(4096)};
  localparam cvn_pkg::sem_mask_t VectorPostW[1] = '{cvn_pkg::NumSemaphores'(8192)};
  localparam int unsigned VectorOffsetP[1] = '{32};
  localparam cvn_pkg::sem_mask_t VectorWaitP[1] = '{cvn_pkg::NumSemaphores'(16384)};
  localparam cvn_pkg::sem_mask_t VectorPostP[1] = '{cvn_pkg::NumSemaphores'(32768)};
  localparam int unsigned VectorOffsetT[1] = '{41};
  localparam cvn_pkg::sem_mask_t VectorWaitT[1] = '{cvn_pkg::NumSemaphores'(65536)};
  localparam cvn_pkg::sem_mask_t VectorPostT[1] = '{cvn_pkg::NumSemaphores'(131072)};
  localparam int unsigned VectorOffsetY[1] = '{44};
  localparam cvn_pkg::sem_mask_t VectorWaitY[1] = '{cvn_pkg::NumSemaphores'(524288)};
  localparam cvn_pkg::sem_mask_t VectorPostY[1] = '{cvn_pkg::NumSemaphores'(262144)};
  localparam int unsigned VectorOffsetLanes[1] = '{60};
  localparam cvn_pkg::vector_registers_t VectorRegisters[1] = '{'{steps: 0, tiles: 1, reuse: 2, select: 3, out: 4, zx: 5, zw: 6, kx: 7, kw: 8, zy: 9, lo: 10, hi: 11, x_signed: 12, w_signed: 13}};
  localparam cvn_pkg::vector_ops_t VectorOperations[1] = '{{cvn_pkg::VectorMac, cvn_pkg::VectorMax, cvn_pkg::VectorTable, cvn_pkg::VectorMultiply, cvn_pkg::VectorBlend, cvn_pkg::VectorMax, cvn_pkg::VectorSum, cvn_pkg::VectorMac}};
  localparam cvn_pkg::reg_t [73:0] VectorReset[1] = '{{
    32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h0, 32'h0, 32'h0, 32'h1, 32'h1, 32'h1, 32'h0, 32'h0,
    32'h0, 32'h0, 32'h0, 32'h0, 32'h1, 32'h1, 32'h1, 32'h1,
    32'h1, 32'h1, 32'hffff, 32'h0, 32'h8, 32'h0, 32'h0, 32'h1,
    32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h1, 32'h1, 32'h1,
    32'h1, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h1, 32'h1, 32'h1, 32'h1, 32'h1, 32'h1, 32'hffff, 32'h0,
    32'h8, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0, 32'h0,
    32'h1, 32'h1, 32'h1, 32'h1, 32'h1, 32'h1, 32'hffff, 32'h0,
    32'h8, 32'h0}};
  localparam int unsigned NumNodes = 2;
  localparam int unsigned NodeUnit[2] = '{0, 7};
  localparam int unsigned OperandMasters = cvn_pkg::gemm_operand_masters(GemmM[0], GemmN[0], GemmK[0], GemmFold[0]) + cvn_pkg::vector_operand_masters(VectorM[0], VectorWLanes[0]);
  localparam int unsigned NodeMasters = cvn_pkg::gemm_masters(GemmM[0], GemmN[0], GemmK[0], GemmFold[0], GemmPLanes[0]) + cvn_pkg::vector_masters(VectorM[0], VectorWLanes[0], VectorPLanes[0], VectorTLanes[0]);

  // Control
  localparam int unsigned ProgramWords = 8192;
  localparam int unsigned LoopDepth = 4;
  localparam int unsigned QueueDepth = 4;
  localparam cvn_command_pkg::stall_e Stall = cvn_command_pkg::StallNone;
  localparam int unsigned NumUnits = 8;
  localparam bit [NumUnits-1:0] UsedUnits = NumUnits'(255);
  localparam int unsigned LoadUnit = 1;
  localparam int unsigned StoreUnit = 5;
  localparam cvn_pkg::sem_mask_t Semaphores = cvn_pkg::NumSemaphores'(1048575);
  localparam cvn_command_pkg::encoding_t Encoding = '{opcode: '{lsb: 60, bits: 4}, unit: '{lsb: 56, bits: 4}, index: '{lsb: 48, bits: 8}, value: '{lsb: 0, bits: 32}, waits: '{lsb: 0, bits: 24}, posts: '{lsb: 28, bits: 24}, length: '{lsb: 32, bits: 24}, count: '{lsb: 0, bits: 32}, op_write: 1, op_add: 2, op_reverse_subtract: 3, op_launch: 4, op_post: 5, op_loop: 6, op_halt: 15};

endpackage
