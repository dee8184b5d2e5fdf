/* Written from the description of the instruction set alone (it shares nothing with covenant): it
   refuses whatever the machine does not check for itself. */
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIM = 16, SPAD_ROWS = 16384, ACC_ROWS = 1024, NONE = 0xffffffffu };

static int8_t spad[SPAD_ROWS][DIM];
static uint8_t spad_written[SPAD_ROWS];
static int32_t acc[ACC_ROWS][DIM];
static uint8_t acc_written[ACC_ROWS];
static int8_t weights[DIM][DIM];
static char fault[200];
static uint64_t counts[128];

static struct {
  int set;
  uint64_t stride, block_stride;
} load[3];
static struct {
  int set, relu;
  uint64_t stride;
  float scale;
} store;
static int execute_set, preloaded;
static uint64_t b_operand, c_operand;

static void fail(const char *text)
{
  if (!fault[0])
    snprintf(fault, sizeof fault, "instruction %llu: %s", (unsigned long long)counts[126], text);
}

static uint32_t address(uint64_t operand) { return (uint32_t)operand; }
static uint64_t columns(uint64_t operand) { return operand >> 32 & 0xffff; }
static uint64_t rows(uint64_t operand) { return operand >> 48; }

static float as_float(uint32_t bits)
{
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void config(uint64_t rs1, uint64_t rs2)
{
  switch (rs1 & 3) {
  case 0:
    if (!(rs1 >> 2 & 1) || (rs1 >> 3 & 0x7f) || (rs1 >> 16 & 0xffff) != 1 || rs2 >> 48 != 1)
      fail("config_ex: not plain weight-stationary with strides of 1");
    execute_set = 1;
    break;
  case 1: {
    unsigned id = rs1 >> 3 & 3;
    if (id > 2 || (rs1 >> 2 & 1) || (rs1 >> 8 & 0xff) != 1 || rs1 >> 32 != 0x3f800000)
      fail("config_ld: id, shrunk, pixels or scale");
    else {
      load[id].set = 1;
      load[id].stride = rs2;
      load[id].block_stride = rs1 >> 16 & 0xffff;
    }
    break;
  }
  case 2:
    if (rs1 >> 4)
      fail("config_st: pooling");
    store.set = 1;
    store.relu = (rs1 >> 2 & 3) == 1;
    if ((rs1 >> 2 & 3) > 1)
      fail("config_st: activation");
    store.stride = rs2 & 0xffffffff;
    store.scale = as_float((uint32_t)(rs2 >> 32));
    if (!(store.scale > 0))
      fail("config_st: the scale is not positive");
    break;
  default:
    fail("config of normalisation");
  }
}

static void move_in(unsigned id, uint64_t dram, uint64_t operand)
{
  uint32_t local = address(operand);
  int wide = local >> 31, adds = local >> 30 & 1;
  uint64_t limit = wide ? DIM : 4 * DIM, high = rows(operand), across = columns(operand);
  if (!load[id].set || !execute_set)
    fail("mvin before its configuration");
  if (high < 1 || high > DIM || across < 1 || across > limit)
    fail("mvin of so many rows or columns");
  if (load[id].block_stride < high)
    fail("the block stride is below the rows");
  for (uint64_t r = 0; r < high; r++)
    for (uint64_t c = 0; c < across; c++) {
      uint64_t row = (local & 0x1fffffff) + r + c / DIM * load[id].block_stride;
      const char *from = (const char *)(uintptr_t)dram + r * load[id].stride;
      if (row >= (wide ? ACC_ROWS : SPAD_ROWS)) {
        fail("mvin beyond the memory");
        return;
      }
      if (wide) {
        int32_t value = 0;
        if (dram)
          memcpy(&value, from + 4 * c, 4);
        if (adds && !acc_written[row])
          fail("mvin adds to what nothing has written");
        acc[row][c % DIM] = adds ? (int32_t)((uint32_t)acc[row][c % DIM] + (uint32_t)value) : value;
        acc_written[row] = 1;
      } else {
        spad[row][c % DIM] = dram ? (int8_t)from[c] : 0;
        spad_written[row] = 1;
      }
    }
}

/* Rounds as RTL does, and faults where a macro of the functional simulator, which takes the next
   integer from x + 1 in float32, would give another result. */
static float to_integer(float x)
{
  int64_t whole = (int64_t)x, next = (int64_t)(x < 0 ? x - 1 : x + 1);
  float rest = fabsf(x - (float)whole);
  int64_t found = rest < 0.5f ? whole : rest > 0.5f ? next : whole % 2 == 0 ? whole : next;
  if (fabsf(x) < 128 && (float)found != rintf(x))
    fail("mvout of a product that RTL and simulator round apart");
  return rintf(x);
}

static void move_out(uint64_t dram, uint64_t operand)
{
  uint32_t local = address(operand);
  if (!store.set)
    fail("mvout before its configuration");
  if (!(local >> 31) || (local >> 30 & 1) || (local >> 26 & 7))
    fail("mvout of something else than sums");
  if (rows(operand) < 1 || rows(operand) > DIM || columns(operand) < 1 || columns(operand) > DIM)
    fail("mvout of so many rows or columns");
  for (uint64_t r = 0; r < rows(operand); r++)
    for (uint64_t c = 0; c < columns(operand); c++) {
      uint64_t row = (local & 0x3ffffff) + r;
      char *to = (char *)(uintptr_t)dram + r * store.stride;
      if (row >= ACC_ROWS || !acc_written[row]) {
        fail("mvout of a row that does not exist or nothing has written");
        return;
      }
      if (local >> 29 & 1) {
        memcpy(to + 4 * c, &acc[row][c], 4);
        continue;
      }
      float scaled = to_integer((float)acc[row][c] * store.scale);
      scaled = scaled < -128 ? -128 : scaled > 127 ? 127 : scaled;
      to[c] = (char)(store.relu && scaled < 0 ? 0 : (int8_t)scaled);
    }
}

static void take_weights(void)
{
  uint32_t base = address(b_operand);
  if (base >> 30 || base + rows(b_operand) > SPAD_ROWS) {
    fail("weights outside the scratchpad");
    return;
  }
  memset(weights, 0, sizeof weights);
  for (uint64_t k = 0; k < rows(b_operand); k++) {
    if (!spad_written[base + k])
      fail("weights that nothing has written");
    memcpy(weights[k], spad[base + k], columns(b_operand));
  }
}

static void compute(uint64_t rs1, uint64_t rs2)
{
  uint32_t from = address(rs1), to = address(c_operand);
  if (!execute_set || !preloaded)
    fail("compute without config_ex or preload");
  preloaded = 0;
  if (address(rs2) != NONE)
    fail("compute with a D");
  if (rows(rs1) < 1 || rows(rs1) > DIM || rows(rs1) != rows(c_operand) || columns(rs1) > DIM)
    fail("compute of so many rows");
  if (from >> 30 || from + rows(rs1) > SPAD_ROWS || !(to >> 31)) {
    fail("compute from outside the scratchpad or to outside the accumulator");
    return;
  }
  for (uint64_t r = 0; r < rows(rs1); r++) {
    uint64_t row = (to & 0x1fffffff) + r;
    int adds = to >> 30 & 1;
    if (row >= ACC_ROWS || !spad_written[from + r] || (adds && !acc_written[row])) {
      fail("compute on rows that do not exist or nothing has written");
      return;
    }
    for (uint64_t c = 0; c < columns(c_operand); c++) {
      uint32_t sum = adds ? (uint32_t)acc[row][c] : 0;
      for (uint64_t k = 0; k < columns(rs1); k++)
        sum += (uint32_t)(spad[from + r][k] * weights[k][c]);
      acc[row][c] = (int32_t)sum;
    }
    acc_written[row] = 1;
  }
}

void gemmini_issue(uint64_t funct, uint64_t rs1, uint64_t rs2)
{
  counts[126]++;
  counts[funct & 127]++;
  switch (funct) {
  case 0: config(rs1, rs2); break;
  case 1: move_in(1, rs1, rs2); break;
  case 2: move_in(0, rs1, rs2); break;
  case 14: move_in(2, rs1, rs2); break;
  case 3: move_out(rs1, rs2); break;
  case 6:
    b_operand = rs1;
    c_operand = rs2;
    preloaded = 1;
    if (rows(rs1) > DIM || columns(rs1) > DIM || rows(rs2) > DIM || columns(rs2) > DIM)
      fail("preload of so many rows or columns");
    break;
  case 4:
    if (address(b_operand) == NONE)
      fail("compute_preloaded without weights");
    else
      take_weights();
    compute(rs1, rs2);
    break;
  case 5:
    if (address(b_operand) != NONE)
      fail("compute_accumulated after a preload of weights");
    compute(rs1, rs2);
    break;
  case 7: break;
  default: fail("no such instruction");
  }
}

void gemmini_fence(void) { counts[127]++; }

const char *gemmini_fault(void) { return fault; }

const uint64_t *gemmini_counts(void) { return counts; }

void gemmini_reset(uint64_t seed)
{
  uint8_t *memories[] = {(uint8_t *)spad, (uint8_t *)acc, (uint8_t *)weights};
  size_t sizes[] = {sizeof spad, sizeof acc, sizeof weights};
  for (int m = 0; m < 3; m++)
    for (size_t i = 0; i < sizes[m]; i++) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      memories[m][i] = (uint8_t)(seed >> 33);
    }
  memset(spad_written, 0, sizeof spad_written);
  memset(acc_written, 0, sizeof acc_written);
  memset(load, 0, sizeof load);
  memset(&store, 0, sizeof store);
  memset(counts, 0, sizeof counts);
  execute_set = preloaded = 0;
  fault[0] = 0;
}
