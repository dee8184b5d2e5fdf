"""Loads of windows from the bytes they cover: the sentences of `mapper.window_traffic`, again.

In: a windowed operand of a `Space`, origin and extent of a tile. Out: cycles and words. Every byte
of every window is placed in its line, its beat and its chunk one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from covenant.mapper.operands import Operand
from covenant.mapper.space import Space


def window_tile(
    space: Space, operand: Operand, origin: Mapping[str, int], extent: Mapping[str, int]
) -> tuple[int, int]:
    """Cycles without set-up and words of one tile."""
    assert operand.source is not None
    bus, word = space.paths[operand.port].bus, space.memory.word_bytes
    granule = max(operand.beat[-1][1], word // operand.dtype.bytes)
    size = -(-operand.shape[-1] // granule) * granule * operand.dtype.bytes
    along = operand.indices[-2].dims[0]
    windows = range(origin[along], origin[along] + extent[along])
    shares: list[tuple[int, int, int]] = []
    for index, positions in zip(operand.indices[:-2], operand.shape[:-2], strict=True):
        low = index.evaluate(origin)
        places = range(low, low + index.span(extent))
        real = sum(0 <= p < positions for p in places)
        shares.append((sum(p < 0 for p in places), real, sum(p >= positions for p in places)))
    lines = prod(real for _, real, _ in shares)
    count = len(windows) * size
    spent = sum(_fills(shares, axis, count, bus) for axis in range(len(shares)))
    line = _line_bytes(operand)
    starts = sorted({i * line % bus for i in range(bus)})
    rows = sum(_window(space, operand, start, o, size) for start in starts for o in windows)
    return -(-lines * rows // len(starts)) + spent, lines * count // word


def _fills(shares: Sequence[tuple[int, int, int]], axis: int, count: int, bus: int) -> int:
    """Lines before and after the tensor on one axis; axes before it are inside, those after it
    whole."""
    around = prod(real for _, real, _ in shares[:axis])
    around *= prod(sum(share) for share in shares[axis + 1 :])
    low, _, high = shares[axis]
    return sum(-(-outside * around * count // bus) for outside in (low, high))


def _axis(operand: Operand) -> int:
    """Axis of the layer's tensor along which windows move."""
    assert operand.source is not None
    window = operand.source.digits[-1][0][0]
    return [window in i.dims for i in operand.source.indices].index(True)


def _line_bytes(operand: Operand) -> int:
    assert operand.source is not None
    inner = operand.source.digits[-1][1][1]
    return operand.source.shape[_axis(operand)] * inner * operand.dtype.bytes


def _window(space: Space, operand: Operand, start: int, position: int, size: int) -> int:
    """Cycles of one window of a line that starts `start` bytes into a beat."""
    assert operand.source is not None
    road = space.paths[operand.port]
    line = _line_bytes(operand)
    (window, _), (_, inner) = operand.source.digits[-1]
    names = {d: 0 for axis in operand.source.digits for d, _ in axis}
    along = operand.source.digits[-2][0][0]
    first = operand.source.indices[_axis(operand)].evaluate({**names, along: position, window: 0})
    first *= inner * operand.dtype.bytes
    cycles, taken = 0, set()
    for chunk in range(0, size, road.bus):
        places = range(first + chunk, first + min(size, chunk + road.bus))
        beats = {(start + p) // road.bus for p in places if 0 <= p < line}
        cycles += max(1, len(beats - taken))
        taken |= beats
    return max(cycles, road.row_cycles) if taken else cycles
