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

from covenant.acg.graph import Memory
from covenant.mapper.operands import Operand
from covenant.mapper.placement import packed_blocks, padded_pitch
from covenant.mapper.windows import Windows, windows_of


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
class Tile:
    """A tile of windows: the first one and how many."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class WindowRows:
    """What rows of a windowed operand cost on a bus of `bus` bytes; words of one window."""

    windows: Windows
    words: int
    word_bytes: int
    bus: int
    row_cycles: int
    count: int

    def cycles(self, lines: Sequence[Lines], tile: Tile) -> int:
        """Cycles of one tile: the windows of all its lines, and fills of lines outside."""
        if not self.bus:
            return 0
        sums, phases = _row_costs(self)
        rows = prod(x.real for x in lines) * (sums[tile.first + tile.count] - sums[tile.first])
        filled = 0
        for at, axis in enumerate(lines):
            around = prod(x.real for x in lines[:at]) * prod(x.span for x in lines[at + 1 :])
            around *= tile.count * self.words * self.word_bytes
            filled += sum(-(-around * outside // self.bus) for outside in (axis.low, axis.high))
        return -(-rows // phases) + filled

    def moved(self, lines: Sequence[Lines], tile: Tile) -> int:
        """Words of one tile that are written on chip."""
        return prod(x.real for x in lines) * tile.count * self.words


@cache
def _row_costs(rows: WindowRows) -> tuple[tuple[int, ...], int]:
    """Cycles of the first 0, 1, 2, ... windows of a line, summed over the places in a beat where
    lines start; how many places there are."""
    line, size, bus = rows.windows.line, rows.words * rows.word_bytes, rows.bus
    phases = bus // gcd(line, bus)
    start = (np.arange(phases, dtype=np.int64) * line % bus)[:, None]
    at = rows.windows.start + np.arange(rows.count, dtype=np.int64)[None, :] * rows.windows.step
    lead = np.clip(-at, 0, size)
    end = np.maximum(lead, np.clip(line - at, 0, size))
    phase = (start + at + lead) % bus
    cycles = np.zeros((phases, rows.count), np.int64)
    have = np.zeros_like(cycles)
    for chunk in range(-(-size // bus)):
        reach = np.minimum((chunk + 1) * bus, end) - lead
        needed = np.where(reach > 0, -(-(phase + reach) // bus), 0)
        cycles += np.maximum(1, needed - have)
        have = np.maximum(have, needed)
    spent = np.maximum(cycles, np.where(end > lead, rows.row_cycles, 1)).sum(axis=0)
    return (0, *np.cumsum(spent).tolist()), phases


def tile_words(operand: Operand, extents: Sequence[int], memory: Memory) -> int:
    """Words of a resident tile: extents of its lines and, last, of its windows."""
    words = packed_blocks(operand, operand.shape[-1], memory.word_bytes, on_chip=True)
    return prod(extents) * padded_pitch(words, 1, operand.lanes, memory)


def rows_of(operand: Operand, memory: Memory, bus: int, row_cycles: int) -> WindowRows:
    """The rows of a windowed operand over a bus."""
    words = packed_blocks(operand, operand.shape[-1], memory.word_bytes, on_chip=True)
    return WindowRows(
        windows_of(operand), words, memory.word_bytes, bus, row_cycles, operand.shape[-2]
    )


def totals(
    rows: WindowRows, lines: Sequence[Sequence[Lines]], extent: int, trips: int, tile: int
) -> tuple[int, int, int, int]:
    """Cycles of all tiles, of the first and of the last one, words of all; lines: per axis all its
    tiles in order; `trips` tiles of `tile` windows."""
    tiles = [Tile(i * tile, min(tile, extent - i * tile)) for i in range(trips)]
    total = words = 0
    for kinds in itertools.product(*(Counter(axis).items() for axis in lines)):
        combination = [kind for kind, _ in kinds]
        times = prod(n for _, n in kinds)
        total += times * sum(rows.cycles(combination, part) for part in tiles)
        words += times * sum(rows.moved(combination, part) for part in tiles)
    return (
        total,
        rows.cycles([x[0] for x in lines], tiles[0]),
        rows.cycles([x[-1] for x in lines], tiles[-1]),
        words,
    )
