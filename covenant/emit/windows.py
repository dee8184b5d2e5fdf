"""Loads of windowed operands: rows that overlap off chip, start at any byte and leave their line.

In: a placement, its operand, the box of indices of a tile. Out: launches of a transfer with the
ability `windows`. Loop 0 runs over the runs of one window, loop 1 moves along a line, loop 2 across
lines. `at` is the byte of the line at which the first window starts (negative in padding), `line`
its bytes, `bytes` those of a run; `top` and `plane` are the same across lines where runs lie in
several (plane 0 otherwise). Outside of line and plane `value` is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from covenant.acg.control import ControlUnit
from covenant.mapper.mapping import Placement
from covenant.mapper.operands import Operand
from covenant.mapper.windows import Windows, source_axis, window_axes, windows_of

Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class WindowLoad:
    """One launch. far: byte address of the line (of the plane) that the first window lies in,
    relative to the home; near: that of the first window, relative to the copy; run: words of a
    window; strides in bytes."""

    far: int
    near: int
    run: int
    windows: Windows
    at: int
    top: int
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
    moving = window_axes(operand)
    packed = len(box) - 1
    near = {a.axis: a.stride for a in placement.layout.axes if a.step == 1}
    home = {a.axis: a.stride for a in placement.home.axes}
    *above, along = range(packed - moving, packed)
    rows = [
        (windows.runs, windows.run_step, 0),
        (inside[along][1], windows.step, near[along]),
        *((inside[a][1], windows.down, near[a]) for a in above),
    ]
    far = start = 0
    for axis in reversed(range(packed - moving)):
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
            windows,
            windows.start + inside[along][0] * windows.step,
            windows.top + sum(inside[a][0] for a in above) * windows.down,
            tuple(count for count, _, _ in absorbed),
            tuple(stride for _, stride, _ in absorbed),
            tuple(stride for _, _, stride in absorbed),
        )


def window_values(
    unit: ControlUnit, load: WindowLoad, word_bytes: int, loops: int, pad: int
) -> tuple[tuple[str, int], ...]:
    """Register values of one launch but its bases; `pad`: read outside of line and plane."""
    values = [("run", load.run)]
    if unit.register("dst.word_stride") is not None:
        values.append(("dst.word_stride", word_bytes))
    for i in range(loops):
        used = i < len(load.bounds)
        values.append((f"bound[{i}]", load.bounds[i] if used else 1))
        if used:
            values.append((f"src.stride[{i}]", load.far_strides[i]))
            values.append((f"dst.stride[{i}]", load.near_strides[i]))
    values += [("fill", 0)] if unit.register("fill") is not None else []
    values += [("line", load.windows.line), ("at", load.at), ("bytes", load.windows.size)]
    return (*values, ("plane", load.windows.plane), ("top", load.top), ("value", pad & 0xFF))
