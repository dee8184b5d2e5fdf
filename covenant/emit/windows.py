"""Loads of windowed operands: rows that overlap off chip, start at any byte and leave their line.

In: a placement, its operand, the box of indices of a tile. Out: launches of a transfer with the
ability `windows`. Loop 0 moves from window to window of one line; `at` is the byte of the line at
which the first one starts (negative in padding), `line` its bytes; outside of it `value` is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from covenant.mapper.mapping import Placement
from covenant.mapper.operands import Operand
from covenant.mapper.windows import source_axis, windows_of

Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class WindowLoad:
    """One launch. far: byte address of the line that the first window lies in, relative to the
    home; near: that of the first window, relative to the copy; run: words of a window; strides in
    bytes, loop 0 along the line."""

    far: int
    near: int
    run: int
    line: int
    at: int
    bounds: tuple[int, ...]
    far_strides: tuple[int, ...]
    near_strides: tuple[int, ...]


def window_loads(
    placement: Placement, operand: Operand, inside: Box, box: Box, word: int, loops: int
) -> Iterator[WindowLoad]:
    """Launches that load the windows of all lines of `inside`, the part of the tile `box` that has
    lines in the tensor; several when the transfer has fewer loops than there are axes."""
    assert operand.source is not None
    windows = windows_of(operand)
    *outer, along, packed = range(len(box))
    near = {a.axis: a.stride for a in placement.layout.axes if a.step == 1}
    home = {a.axis: a.stride for a in placement.home.axes}
    rows = [(inside[along][1], windows.step, near[along])]
    far = start = 0
    for axis in reversed(outer):
        first, count = inside[axis]
        stride = home[source_axis(operand.source, axis)]
        far += first * stride
        start += (first - box[axis][0]) * near[axis]
        if count > 1:
            rows.append((count, stride, near[axis]))
    size = prod(a.extent for a in placement.layout.axes if a.axis == packed)
    absorbed, left = rows[:loops], rows[loops:]
    for index in product(*(range(count) for count, _, _ in left)):
        yield WindowLoad(
            far + sum(i * stride for i, (_, stride, _) in zip(index, left, strict=True)),
            start + sum(i * stride for i, (_, _, stride) in zip(index, left, strict=True)),
            size * operand.dtype.bytes // word,
            windows.line,
            windows.start + inside[along][0] * windows.step,
            tuple(count for count, _, _ in absorbed),
            tuple(stride for _, stride, _ in absorbed),
            tuple(stride for _, _, stride in absorbed),
        )
