"""Transfers of one tile from the coordinates it covers: the sentences of `cost`, written again.

In: an operand of a `Space`, origin and extent of a tile per dim. Out: cycles on its channel and
off-chip words. Shares no formula with `mapper.traffic`: positions are counted one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.space import Space
from exhaustive_windows import window_tile


@dataclass(frozen=True, slots=True)
class Side:
    """A tile on one axis: first position inside the tensor, positions covered, those inside the
    tensor, those before and after it."""

    start: int
    span: int
    real: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Mover:
    """An operand with the off-chip path it takes."""

    space: Space
    operand: Operand

    @property
    def word(self) -> int:
        """Bytes of an on-chip word."""
        return self.space.memory.word_bytes

    @property
    def bus(self) -> int:
        """Bytes per cycle of the path."""
        return self.space.paths[self.operand.port].bus

    @property
    def lane_axis(self) -> int:
        """Axis the lanes of a beat lie on, -1 when there is none."""
        indices = self.operand.indices
        return next((i for i, a in enumerate(indices) if self.operand.lane in a.dims), -1)

    @property
    def granule(self) -> int:
        """Elements of the packed dim that stay together on chip."""
        return max(self.operand.beat[-1][1], self.word // self.operand.dtype.bytes)

    def tile(
        self,
        origin: Mapping[str, int],
        extent: Mapping[str, int],
        outside: Collection[str],
        whole: Mapping[str, int],
    ) -> tuple[int, int, int]:
        """Cycles without set-up, off-chip words, and cycles of fills that pass before the data of
        the first tile, of one tile; whole: extent of a tile that is not cut."""
        operand = self.operand
        if operand.source is not None:
            return (*window_tile(self.space, operand, origin, extent), 0)
        box = [
            _side(axis.evaluate(origin), axis.span(extent), size, self.apart(n))
            for n, (axis, size) in enumerate(zip(operand.indices, operand.shape, strict=True))
        ]
        if operand.record_bytes:
            return (*self._records(box), 0)
        if not operand.strided:
            return (*self._cells(box, outside), 0)
        cycles, words = self._blocks(box, whole)
        return cycles, words, self._fills(box)

    def apart(self, axis: int) -> int:
        """Distance of the positions of an axis that any iteration touches, where tiles leave out
        the others: not on the packed axis, nor on the last one longer than a position."""
        operand, extents = self.operand, self.space.extents
        rest = operand.shape[axis + 1 :]
        fixed = operand.packed_axis == axis or not any(n > 1 for n in rest)
        if fixed or not operand.strided or operand.role is Role.OUTPUT:
            return 1
        touched = {0}
        for dim, step in operand.indices[axis].terms:
            touched = {at + step * i for at in touched for i in range(extents[dim])}
        found = sorted(touched)
        gaps = [b - a for a, b in itertools.pairwise(found)]
        return next(
            (g for g in range(max(gaps, default=1), 1, -1) if not any(x % g for x in gaps)), 1
        )

    def _records(self, box: Sequence[Side]) -> tuple[int, int]:
        """One record per beat of entries of its own dim, whichever axis that is, contiguous along
        the last axis."""
        size = -(-self.operand.record_bytes // self.word) * self.word
        if not box:
            return -(-size // self.bus), size // self.word
        own = {self.operand.packed_axis: self.operand.beat[0][1]}
        *outer, count = (-(-side.real // own.get(axis, 1)) for axis, side in enumerate(box))
        rows = prod(outer)
        return rows * -(-count * size // self.bus), rows * count * size // self.word

    def _cells(self, box: Sequence[Side], outside: Collection[str]) -> tuple[int, int]:
        """Contiguous beats: the cells of a whole reduction make one row."""
        operand, space = self.operand, self.space
        cell = operand.lanes * self.granule * operand.dtype.bytes
        cells = rows = 1
        for axis, side in enumerate(box):
            part = {operand.packed_axis: self.granule, self.lane_axis: operand.lanes}.get(axis, 1)
            count = -(-side.real // part)
            if axis != self.lane_axis and set(operand.indices[axis].dims) & set(space.reduced):
                cells *= count
            else:
                rows *= count
        split = any(d in outside and d in space.reduced for d in operand.dims)
        one = self._rows(1, cells * cell, 0, self.bus) if split else -(-cells * cell // self.bus)
        return rows * one, rows * cells * cell // self.word

    def _blocks(self, box: Sequence[Side], whole: Mapping[str, int]) -> tuple[int, int]:
        """Strided beats: blocks of the packed axis, rows along what follows it."""
        operand, at = self.operand, self.operand.packed_axis
        block = self.word // operand.dtype.bytes
        granule = block if operand.role is Role.OUTPUT else self.granule
        blocks = -(-box[at].real // granule) * (granule // block)
        before = prod(side.real for side in box[:at])
        after = box[at + 1 :]
        words = before * blocks * prod(side.real for side in after)
        if after:
            planes = prod(side.real for side in after[:-2])
            return before * blocks * planes * self._plane(after), words
        pitch = -(-operand.shape[at] // granule) * (granule // block) * self.word
        start = box[at].start * operand.dtype.bytes
        if self.lane_axis == at - 1 and box[at].real == operand.shape[at]:
            lanes = box[at - 1]
            tall = min(operand.indices[at - 1].span(whole), operand.shape[at - 1])
            merged = self._rows(1, lanes.real * blocks * self.word, 0, tall * pitch)
            return before // max(1, lanes.real) * merged, words
        return before * self._rows(1, blocks * self.word, start, pitch), words

    def _plane(self, box: Sequence[Side]) -> int:
        """Rows of one image plane."""
        word = self.word
        lines, columns = [Side(0, 1, 1, 0, 0), *box][-2:]
        apart = self.apart(len(self.operand.indices) - 2) if len(box) > 1 else 1
        pitch = self.operand.shape[-1] * word * apart
        if columns.real == self.operand.shape[-1] and len(box) > 1 and apart == 1:
            return self._rows(1, lines.real * columns.real * word, 0, pitch)
        return self._rows(lines.real, columns.real * word, columns.start * word, pitch)

    def _fills(self, box: Sequence[Side]) -> int:
        """Slabs around what lies in the tensor, one per side and block of the packed axis: those of
        an axis are as long as the tensor's part on axes before it and as the tile on those behind,
        and their words make full beats."""
        at, lanes = self.operand.packed_axis, self.bus // self.word
        blocks = -(-box[at].real // self.granule) * (self.granule * self.operand.dtype.bytes)
        planes = blocks // self.word * prod(side.real for side in box[:at])
        spent = 0
        for axis, side in enumerate(box[at + 1 :], at + 1):
            words = prod(x.real for x in box[at + 1 : axis]) * prod(x.span for x in box[axis + 1 :])
            spent += sum(-(-n * words // lanes) for n in (side.before, side.after))
        return planes * spent

    @property
    def _down(self) -> int:
        """Rows on chip between neighbouring rows of lanes."""
        lines = len(self.operand.indices) - 2
        apart = self.operand.indices[lines].coefficient(self.operand.rows)
        return apart // self.apart(lines)

    @property
    def row_banks(self) -> int:
        """Fewest banks of a group in which lanes that run through rows never meet, at the best
        pitch of the rows."""
        for banks in sorted(self.space.memory.views):
            pitches = range(banks)
            if any(not _lanes_meet(self.operand, self._down * p, banks) for p in pitches):
                return banks
        raise AssertionError("lanes that run through rows always meet")

    def _rows(self, count: int, run: int, start: int, pitch: int) -> int:
        """Cycles of rows, averaged over where in a beat they may start."""
        if not run:
            return 0
        road = self.space.paths[self.operand.port]
        starts = sorted({(start + i * pitch) % self.bus for i in range(self.bus)})
        cycles = []
        for at in starts:
            beats = (at + run - 1) // self.bus + 1
            crossed = road.wait * (beats - 1) * self.bus // road.burst
            cycles.append(max(beats, -(-(road.wait + crossed + beats) // road.ahead)))
        return -(-count * sum(cycles) // len(starts))


def _side(low: int, span: int, size: int, apart: int) -> Side:
    held = range(low, low + span, apart)
    before = sum(p < 0 for p in held)
    real = sum(0 <= p < size for p in held)
    return Side(max(0, low), len(held), real, before, len(held) - real - before)


def _lanes_meet(operand: Operand, down: int, banks: int) -> bool:
    """Whether lanes of some beat share one of the banks when lanes of the next row are `down` words
    behind."""
    lanes = operand.lanes
    along = operand.indices[-1].coefficient(operand.lane)
    for first in range(0, lanes * operand.row_lanes, lanes):
        places = [divmod(first + i, operand.row_lanes) for i in range(lanes)]
        if len({(y * down + x * along) % banks for y, x in places}) < lanes:
            return True
    return False
