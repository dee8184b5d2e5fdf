"""Loads of windows from the bytes they cover: the sentences of `mapper.window_traffic`, again.

In: a windowed operand of a `Space`, origin and extent of a tile. Out: cycles and words. Every byte
of every window is placed in its line, its beat and its chunk one by one.
"""

from __future__ import annotations

import itertools
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
    moving = [a for a, _ in (axis[0] for axis in operand.source.digits[:-1]) if a in extent]
    ranges = [range(origin[d], origin[d] + extent[d]) for d in moving]
    shares: list[tuple[int, int, int]] = []
    for index, positions in list(zip(operand.indices, operand.shape, strict=True))[
        : -1 - len(moving)
    ]:
        low = index.evaluate(origin)
        places = range(low, low + index.span(extent))
        real = sum(0 <= p < positions for p in places)
        shares.append((sum(p < 0 for p in places), real, sum(p >= positions for p in places)))
    lines = prod(real for _, real, _ in shares)
    count = prod(map(len, ranges)) * size
    spent = sum(_fills(shares, axis, count, bus) for axis in range(len(shares)))
    line = _line_bytes(operand)
    starts = sorted({i * line % bus for i in range(bus)})
    read = unread = 0
    for windows in itertools.product(*ranges):
        point = dict(zip(moving, windows, strict=True))
        read += sum(_window(space, operand, start, point, size)[0] for start in starts)
        unread += _window(space, operand, 0, point, size)[1]
    return -(-lines * read // len(starts)) + lines * unread + spent, lines * count // word


def _fills(shares: Sequence[tuple[int, int, int]], axis: int, count: int, bus: int) -> int:
    """Lines before and after the tensor on one axis; axes before it are inside, those after it
    whole."""
    around = prod(real for _, real, _ in shares[:axis])
    around *= prod(sum(share) for share in shares[axis + 1 :])
    low, _, high = shares[axis]
    return sum(-(-outside * around * count // bus) for outside in (low, high))


def _axis(operand: Operand, digit: str) -> int:
    """Axis of the layer's tensor along which a digit moves."""
    assert operand.source is not None
    return [digit in i.dims for i in operand.source.indices].index(True)


def _line_bytes(operand: Operand) -> int:
    assert operand.source is not None
    *_, (window, _), (_, inner) = operand.source.digits[-1]
    return operand.source.shape[_axis(operand, window)] * inner * operand.dtype.bytes


def _window(
    space: Space, operand: Operand, start: int, point: Mapping[str, int], size: int
) -> tuple[int, int]:
    """Cycles of the runs of one window that lie in the tensor's lines, which start `start` bytes
    into a beat, and of those that do not."""
    assert operand.source is not None
    road, source = space.paths[operand.port], operand.source
    *outer, (window, width), (_, inner) = source.digits[-1]
    unit = inner * operand.dtype.bytes
    names = {d: 0 for axis in source.digits for d, _ in axis} | dict(point)
    first = source.indices[_axis(operand, window)].evaluate(names) * unit
    length, runs = width * unit, prod(extent for _, extent in outer)
    read = unread = 0
    for run in range(runs):
        seen = True
        for name, _ in outer:
            axis = _axis(operand, name)
            across = source.indices[axis].evaluate({**names, name: run})
            seen = 0 <= across < source.shape[axis]
        cycles, taken = 0, set()
        # Bytes of the row that this run writes; the last one fills it up.
        end = size if run == runs - 1 else (run + 1) * length
        chunks = sorted({byte // road.bus for byte in range(run * length, end)})
        for chunk in chunks:
            inside = [
                first + byte - run * length
                for byte in range(chunk * road.bus, (chunk + 1) * road.bus)
                if run * length <= byte < (run + 1) * length
            ]
            beats = {(start + p) // road.bus for p in inside if 0 <= p < _line_bytes(operand)}
            cycles += max(1, len(beats - taken) if seen else 0)
            taken |= beats if seen else set()
        if seen:
            read += max(cycles, -(-(road.wait + cycles) // road.ahead)) if taken else cycles
        else:
            unread += cycles
    return read, unread
