"""What moving the tiles of a windowed operand takes.

In: a windowed operand, tile sizes of the dims on its axes, its path. Out: `Columns` of the group of
its lines and windows. RTL: cvn_dma_windows (one chunk of a bus beat per cycle, a cycle more for a
window that lies in two beats), cvn_dma_load (one row per cycle), fills as in `traffic`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd, prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Memory
from covenant.mapper.operands import Operand
from covenant.mapper.placement import packed_blocks, padded_pitch
from covenant.mapper.windows import Windows, window_axes, windows_of


class Lines(Protocol):
    """One tile on an axis of lines: positions covered, those inside the tensor, before and after
    it. Equal tiles are equal objects."""

    @property
    def span(self) -> int: ...
    @property
    def real(self) -> int: ...
    @property
    def low(self) -> int: ...
    @property
    def high(self) -> int: ...


@dataclass(frozen=True, slots=True)
class WindowRows:
    """What rows of a windowed operand cost on a bus of `bus` bytes; words of one window; windows
    along a line and across lines (1 where the runs of a window lie in one line)."""

    windows: Windows
    words: int
    word_bytes: int
    bus: int
    wait: int
    ahead: int
    along: int
    across: int

    def cycles(self, lines: Sequence[Lines], across: Cuts, along: Cuts) -> _Matrix:
        """Cycles of tiles [across, along]: windows of all their lines, fills of lines outside."""
        counts: _Matrix = np.outer(np.diff(across), np.diff(along))
        if not self.bus:
            return np.zeros_like(counts)
        costs = _row_costs(self)
        read = np.diff(costs.read[:, across])
        inside = read.T @ np.diff(costs.sums[:, along])
        unread = (np.diff(across) - read).T @ costs.empty
        filled = np.zeros_like(counts)
        for at, axis in enumerate(lines):
            around = prod(x.real for x in lines[:at]) * prod(x.span for x in lines[at + 1 :])
            around *= self.words * self.word_bytes
            for outer in (axis.low, axis.high):
                filled += -(-around * outer * counts // self.bus)
        times = prod(x.real for x in lines)
        outside = np.outer(unread, np.diff(along))
        spent: _Matrix = -(-times * inside // costs.phases) + times * outside + filled
        return spent


Cuts = Sequence[int]
"""Where tiles begin, and the end of the last one."""

_Matrix = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Costs:
    """Per run: cycles of the first 0, 1, 2, ... windows along a line, summed over the places in a
    beat where lines start; cycles of a run that is not read; how many of the first 0, 1, 2, ...
    windows across lines read it. phases: how many places there are."""

    sums: _Matrix
    empty: _Matrix
    read: _Matrix
    phases: int


@cache
def _row_costs(rows: WindowRows) -> _Costs:
    windows, bus = rows.windows, rows.bus
    phases = bus // gcd(windows.line, bus)
    start = (np.arange(phases, dtype=np.int64) * windows.line % bus)[:, None]
    at = windows.start + np.arange(rows.along, dtype=np.int64)[None, :] * windows.step
    lead = np.clip(-at, 0, windows.size)
    end = np.maximum(lead, np.clip(windows.line - at, 0, windows.size))
    phase = (start + at + lead) % bus
    lines = windows.top + np.arange(rows.across, dtype=np.int64) * windows.down
    sums = np.zeros((windows.runs, rows.along + 1), np.int64)
    read = np.zeros((windows.runs, rows.across + 1), np.int64)
    empty = np.zeros(windows.runs, np.int64)
    for run in range(windows.runs):
        parts = _parts(rows, run)
        cycles = np.zeros((phases, rows.along), np.int64)
        have = np.zeros_like(cycles)
        for upto in parts:
            reach = np.minimum(upto, end) - lead
            needed = np.where(reach > 0, -(-(phase + reach) // bus), 0)
            cycles += np.maximum(1, needed - have)
            have = np.maximum(have, needed)
        requested = -(-(rows.wait + cycles) // rows.ahead)
        spent = np.maximum(cycles, np.where(end > lead, requested, 1)).sum(axis=0)
        sums[run, 1:] = np.cumsum(spent)
        empty[run] = len(parts)
        place = lines + run * windows.run_step
        inside = (place >= 0) & (place < windows.plane) if windows.plane else place == place
        read[run, 1:] = np.cumsum(inside)
    return _Costs(sums, empty, read, phases)


def _parts(rows: WindowRows, run: int) -> list[int]:
    """Where the parts of a run end that lie in one chunk of its row; after the last run further
    chunks fill up the row."""
    size = rows.windows.size
    first = run * size
    ends = [*range((first // rows.bus + 1) * rows.bus, first + size, rows.bus), first + size]
    parts = [end - first for end in ends]
    if run == rows.windows.runs - 1:
        chunks = -(-rows.words * rows.word_bytes // rows.bus)
        parts += [size] * (chunks - -(-(first + size) // rows.bus))
    return parts


def tile_words(operand: Operand, extents: Sequence[int], memory: Memory) -> int:
    """Words of a resident tile: extents of its axes but the last."""
    words = packed_blocks(operand, operand.shape[-1], memory.word_bytes, on_chip=True)
    return prod(extents) * padded_pitch(words, 1, operand.lanes, memory)


def rows_of(operand: Operand, memory: Memory, bus: int, wait: int, ahead: int) -> WindowRows:
    """The rows of a windowed operand over a bus; wait, ahead: as those of a `Path`."""
    words = packed_blocks(operand, operand.shape[-1], memory.word_bytes, on_chip=True)
    across = operand.shape[-3] if window_axes(operand) > 1 else 1
    windows = windows_of(operand)
    along = operand.shape[-2]
    return WindowRows(windows, words, memory.word_bytes, bus, wait, ahead, along, across)


def totals(
    rows: WindowRows, lines: Sequence[Sequence[Lines]], split: Sequence[tuple[int, int, int]]
) -> tuple[int, int, int, int]:
    """Cycles of all tiles, of the first and of the last one, words of all; lines: per axis all its
    tiles in order; split: (extent, trips, tile) of the windows across lines and along them."""
    *above, along = [[*(i * tile for i in range(trips)), extent] for extent, trips, tile in split]
    across = above[0] if above else [0, 1]
    total = words = 0
    for kinds in itertools.product(*(Counter(axis).items() for axis in lines)):
        combination = [kind for kind, _ in kinds]
        times = prod(n for _, n in kinds)
        total += times * int(rows.cycles(combination, across, along).sum())
        words += times * prod(x.real for x in combination)
    return (
        total,
        int(rows.cycles([x[0] for x in lines], across[:2], along[:2])[0, 0]),
        int(rows.cycles([x[-1] for x in lines], across[-2:], along[-2:])[0, 0]),
        words * across[-1] * along[-1] * rows.words,
    )
