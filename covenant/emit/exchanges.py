"""What transfers move to or from the instances of a memory for one tile.

In: a `Spread`, the layout of the memory outside, the size of a tile. Out: `Part`s in addresses of
the whole grid of instances: what is filled, since nothing lies there, and what is moved after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from covenant.emit import dma
from covenant.emit.spread import Lane, Sizes, Spread
from covenant.mapper.mapping import Layout, Role
from covenant.mapper.placement import granule, round_up


@dataclass(frozen=True, slots=True)
class Part:
    """What some launches move or fill: bytes from the bases of both sides, loops in any order."""

    far: int
    near: int
    steps: tuple[dma.Step, ...]


@dataclass(frozen=True, slots=True)
class _Cell:
    """Instances [first, first + count) along a lane in turns [turn, turn + turns), `taken` elements
    of a turn in each; none where nothing lies there."""

    turn: int
    turns: int
    first: int
    count: int
    taken: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """Of tiles between the instances of a memory and a layout outside."""

    spread: Spread
    far: Layout

    def parts(
        self, start: tuple[int, ...], size: Sizes, room: int, *, inward: bool
    ) -> tuple[list[Part], list[Part]]:
        """(what is filled, what is moved after that) for a tile of `size` that starts at index
        `start` of a layout outside. room: elements of the packed axis from there on, of which whole
        beats are moved."""
        operand, word = self.spread.operand, self.spread.word_bytes
        packed, at = operand.packed, operand.packed_axis
        held = dict(size)
        apart = any(lane.dim == packed for lane in self.spread.lanes) and operand.block(word) == 1
        exact = inward and operand.role is Role.PARTIAL and apart
        if packed in held and not exact:
            ends = (a.step * a.extent for a in self.far.axes if a.axis == at)
            most = max(ends, default=1) - start[at]
            held[packed] = max(1, min(round_up(held[packed], granule(operand, word)), most, room))
        rows = [self._cells(lane, held) for lane in self.spread.lanes]
        filled: list[Part] = []
        moved: list[Part] = []
        for cells in product(*rows):
            there = all(cell.taken for cell in cells)
            pairs = zip(self.spread.lanes, cells, strict=True)
            short = any(cell.taken < self.spread.full(lane) for lane, cell in pairs)
            if short:
                filled.append(self._part(start, held, cells, empty=True))
            if there:
                moved.append(self._part(start, held, cells, empty=False))
        return filled, moved

    def _cells(self, lane: Lane, size: Sizes) -> list[_Cell]:
        """All turns and instances along a lane, by what they hold."""
        if not lane.dim:
            idle = [_Cell(0, 1, 1, lane.count - 1, 0)] if lane.alone and lane.count > 1 else []
            return [_Cell(0, 1, 0, 1 if lane.alone else lane.count, 1), *idle]
        extent, each = size[lane.dim], lane.each
        if self.spread.is_dense(lane):
            full = self.spread.full(lane)
            ends = [max(0, extent - i * each) for i in range(lane.count)]
            return [_Cell(0, 1, i, 1, min(full, n)) for i, n in enumerate(ends)]
        turns, rest = divmod(extent, lane.step)
        found = [_Cell(0, turns, 0, lane.count, each)] if turns else []
        if rest:
            whole, part = divmod(rest, each)
            used = whole + (part > 0)
            found += [_Cell(turns, 1, 0, whole, each)] if whole else []
            found += [_Cell(turns, 1, whole, 1, part)] if part else []
            found += [_Cell(turns, 1, used, lane.count - used, 0)] if used < lane.count else []
        return found

    def _part(
        self,
        start: tuple[int, ...],
        size: Sizes,
        cells: tuple[_Cell, ...],
        *,
        empty: bool,
    ) -> Part:
        """The steps over cells and over the positions inside them; `empty`: over all positions,
        whether anything lies there or not."""
        steps: list[dma.Step] = []
        taken, near, index = dict(size), 0, list(start)
        indices = self.spread.operand.indices
        for lane, cell in zip(self.spread.lanes, cells, strict=True):
            near += cell.first * lane.stride
            if not lane.dim:
                steps.append(dma.Step(cell.count, lane.stride if empty else 0, lane.stride))
                continue
            taken[lane.dim] = self.spread.full(lane) if empty else cell.taken
            turn = self.spread.turn_stride(lane.dim) if cell.turns > 1 or cell.turn else 0
            near += cell.turn * turn
            for count, elements, stride in (
                (cell.turns, lane.step, turn),
                (cell.count, lane.each, lane.stride),
            ):
                if count > 1:
                    along = stride if empty else self.spread.along(self.far, lane.dim, elements)
                    steps.append(dma.Step(count, along, stride))
            for axis, own in enumerate(indices):
                moved = cell.turn * lane.step + cell.first * lane.each
                index[axis] += own.coefficient(lane.dim) * moved
        for axis, own in enumerate(indices):
            steps += self._positions(axis, own.span(taken), empty=empty)
        base = 0 if empty else dma.offset(self.far, tuple(index))
        return Part(base, near, tuple(steps))

    def _positions(self, axis: int, count: int, *, empty: bool) -> Iterator[dma.Step]:
        spread, block = self.spread, 1
        if axis == spread.operand.packed_axis:
            block, unit = spread.operand.block(spread.word_bytes), spread.operand.dtype.bytes
            yield dma.Step(block, unit, unit)
        count = -(-count // block)
        if count > 1:
            near = spread.moved(spread.layout, axis, block)
            yield dma.Step(count, near if empty else spread.moved(self.far, axis, block), near)
