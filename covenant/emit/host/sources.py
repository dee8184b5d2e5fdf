"""The fixed part of a C program: issue words from a tape, move tensors, quantise.

In: the `host` section of a control node. Out: C text. Everything needs `stdint.h` only; memory is
little-endian.
"""

from __future__ import annotations

from collections.abc import Sequence

from covenant.acg.control import Host

HEAD = """#include <stdint.h>
#include "data.h"

/* Nothing is linked: loops stay loops, none becomes a call of memset or memcpy. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

"""

_ISSUING = """/* Issue one instruction; define both to run the program elsewhere. */
#ifndef COVENANT_ISSUE
#define COVENANT_ISSUE({names}) {issue}
#endif
#ifndef COVENANT_HALT
#define COVENANT_HALT() {halt}
#endif
"""

_ISSUE = """
static void covenant_issue(uint64_t number, const uint64_t operand[])
{{
  (void)operand;
  switch (number) {{
{cases}
  default: break;
  }}
}}
"""

_RUN = """
/* Executes the entries from `at` to `end`. An instruction: head, operands, then for each of the
   `depth` loops around it what every operand advances by; a loop: count << 8 | 1, length, body. */
static void covenant_run_tape(const uint64_t *at, const uint64_t *end, unsigned depth,
                              uint64_t index[], const uintptr_t region[])
{{
  while (at < end) {{
    uint64_t head = *at++;
    if ((head & 255) == 2) {{
      COVENANT_HALT();
    }} else if ((head & 255) == 1) {{
      const uint64_t *body = at + 1, *after = body + at[0];
      for (index[depth] = 0; index[depth] < head >> 8; index[depth]++)
        covenant_run_tape(body, after, depth + 1, index, region);
      at = after;
    }} else {{
      uint64_t operand[{operands}];
      for (unsigned i = 0; i < {operands}; i++) {{
        unsigned from = (unsigned)(head >> (24 + 8 * i) & 255);
        operand[i] = *at++ + (from ? (uint64_t)region[from - 1] : 0);
      }}
      for (unsigned level = 0; level < depth; level++)
        for (unsigned i = 0; i < {operands}; i++)
          operand[i] += index[level] * *at++;
      covenant_issue(head >> 8 & 0xffff, operand);
    }}
  }}
}}

static void covenant_run_layer(const uint64_t *tape, uint64_t length, const uintptr_t region[])
{{
  uint64_t index[64];
  covenant_run_tape(tape, tape + length, 0, index, region);
}}
"""

MOVE = """
/* Moves every element of a tensor between row-major order and its packed layout. The table: bytes
   of an element, axes, digits, what margins hold, bits that differ, where the plain array starts;
   per axis the first position, the one behind the last, and positions with margins; per digit its
   axis, elements per position, positions, bytes per position in the plain and the packed array. */
static void covenant_move_digit(uint8_t *packed, uint8_t *plain, const int64_t *table, int unpack,
                                int64_t level, int64_t at[], int64_t from, int64_t to)
{
  const int64_t *span = table + 6, *d = span + 3 * table[1] + 5 * level;
  if (level < table[2]) {
    for (int64_t i = 0; i < d[2]; i++) {
      covenant_move_digit(packed, plain, table, unpack, level + 1, at, from, to);
      at[d[0]] += d[1];
      from += d[3];
      to += d[4];
    }
    at[d[0]] -= d[1] * d[2];
    return;
  }
  int inside = 1, near = 1;
  for (int64_t axis = 0; axis < table[1]; axis++, span += 3) {
    inside = inside && at[axis] >= span[0] && at[axis] < span[1];
    near = near && at[axis] < span[2];
  }
  if (inside) {
    uint8_t *one = unpack ? plain + from : packed + to;
    const uint8_t *other = unpack ? packed + to : plain + from;
    for (int64_t i = 0; i < table[0]; i++)
      one[i] = (uint8_t)(other[i] ^ table[4]);
  } else if (near && !unpack) {
    packed[to] = (uint8_t)table[3];
  }
}

static void covenant_move(uint8_t *packed, uint8_t *plain, const int64_t *table, int unpack)
{
  int64_t at[16];
  for (int64_t axis = 0; axis < table[1]; axis++)
    at[axis] = 0;
  covenant_move_digit(packed, plain, table, unpack, 0, at, table[5], 0);
}
"""

COPY = """
/* `rows` rows of `bytes` bytes. */
static void covenant_copy(uint8_t *to, const uint8_t *from, int64_t rows, int64_t bytes,
                          int64_t to_pitch, int64_t from_pitch)
{
  for (int64_t row = 0; row < rows; row++)
    for (int64_t i = 0; i < bytes; i++)
      to[row * to_pitch + i] = from[row * from_pitch + i];
}
"""

LIMITS = """
static inline int64_t covenant_max(int64_t one, int64_t other)
{
  return one > other ? one : other;
}

static inline int64_t covenant_min(int64_t one, int64_t other)
{
  return one < other ? one : other;
}
"""

ROUND = """
/* To the nearest integer, to even in the middle; beyond 2**40 to that. */
static int64_t covenant_round(float value)
{
  if (value > 1099511627776.0f)
    return INT64_C(1099511627776);
  if (value < -1099511627776.0f)
    return -INT64_C(1099511627776);
  int64_t whole = (int64_t)value;
  float rest = value - (float)whole;
  if (rest > 0.5f || (rest == 0.5f && (whole & 1)))
    whole++;
  else if (rest < -0.5f || (rest == -0.5f && (whole & 1)))
    whole--;
  return whole;
}
"""

QUANTISE = """
/* rint(x / scale) + zero point, clamped to [low, high]; channels change every `inner` elements. */
static void covenant_quantise(uint8_t *to, const float *from, int64_t count, int64_t inner,
                              int64_t channels, const float *scale, const int64_t *zero,
                              int64_t bytes, int64_t low, int64_t high)
{
  for (int64_t i = 0; i < count; i++) {
    int64_t channel = i / inner % channels;
    int64_t value = covenant_round(from[i] / scale[channel]) + zero[channel];
    value = value < low ? low : value > high ? high : value;
    for (int64_t b = 0; b < bytes; b++)
      to[i * bytes + b] = (uint8_t)((uint64_t)value >> (8 * b));
  }
}
"""

RESCALE = """
/* rint(sum * scale) + zero point, clamped to [low, high]; channels change every `inner` sums. */
static void covenant_rescale(uint8_t *to, const int32_t *from, int64_t count, int64_t inner,
                             int64_t channels, const float *scale, int64_t zero, int64_t low,
                             int64_t high)
{
  for (int64_t i = 0; i < count; i++) {
    int64_t value = covenant_round((float)from[i] * scale[i / inner % channels]) + zero;
    to[i] = (uint8_t)(value < low ? low : value > high ? high : value);
  }
}
"""

DEQUANTISE = """
/* (q - zero point) * scale; `bytes` and `is_signed` of the integers. */
static void covenant_dequantise(float *to, const uint8_t *from, int64_t count, int64_t inner,
                                int64_t channels, const float *scale, const int64_t *zero,
                                int64_t bytes, int is_signed)
{
  for (int64_t i = 0; i < count; i++) {
    int64_t channel = i / inner % channels;
    uint64_t raw = 0;
    for (int64_t b = 0; b < bytes; b++)
      raw |= (uint64_t)from[i * bytes + b] << (8 * b);
    int64_t value = (int64_t)(raw << (64 - 8 * bytes));
    value = is_signed ? value >> (64 - 8 * bytes) : (int64_t)raw;
    to[i] = (float)(value - zero[channel]) * scale[channel];
  }
}
"""


def issuing(host: Host, cases: Sequence[tuple[int, ...]]) -> str:
    """Macros and functions that issue the words of a tape; cases: values of constant operands."""
    names = ", ".join(operand.name for operand in host.operands)
    text = _ISSUING.format(names=names, issue=host.issue, halt=host.halt)
    others = [o.name for o in host.operands if o.name not in host.constants]
    constants = [o.name for o in host.operands if o.name in host.constants]
    lines = []
    for number, values in enumerate(cases):
        known = dict(zip(constants, map(str, values), strict=True))
        known |= {name: f"operand[{i}]" for i, name in enumerate(others)}
        arguments = ", ".join(known[operand.name] for operand in host.operands)
        lines.append(f"  case {number}: COVENANT_ISSUE({arguments}); break;")
    text += _ISSUE.format(cases="\n".join(lines))
    return text + _RUN.format(operands=len(others))
