/* A functional model of Gemmini's default configuration, weight-stationary, for tests. */
#ifndef GEMMINI_MODEL_H
#define GEMMINI_MODEL_H

#include <stdint.h>

/* Executes one RoCC instruction. */
void gemmini_issue(uint64_t funct, uint64_t rs1, uint64_t rs2);
/* A fence of the processor. */
void gemmini_fence(void);
/* The first fault found, "" for none. */
const char *gemmini_fault(void);
/* Instructions executed per funct (128 entries); fences are counted at 127. */
const uint64_t *gemmini_counts(void);
/* Forgets everything and fills the memories with noise. */
void gemmini_reset(uint64_t seed);

#endif
