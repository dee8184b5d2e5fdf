"""Launches of a group over a box of iterations: split until one fits the registers of its unit.

In: a group, the layouts of what it touches, the sizes of a box. Out: pieces of the box with their
register values. Values depend on sizes only, so equal boxes share them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import fail
from covenant.emit.groups import End, Group
from covenant.emit.launches import check_width
from covenant.emit.limits import Axis, Values, assigned, holds
from covenant.emit.spread import Shared, Spread
from covenant.mapper.mapping import Layout, Role
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.operands import capability_of
from covenant.mapper.placement import granule
from covenant.mapper.streams import (
    Pattern,
    Walk,
    job_counts,
    operand_pattern,
    stream_lanes,
    walked,
)

Box = Mapping[str, int]
"""Iterations of every dim, or where a part of them starts."""

_MOST_STEPS = 4096
"""Longest part of a dim that is tried as one launch."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a box that one launch covers."""

    origin: Box
    size: Box


@dataclass(frozen=True, slots=True)
class Sums:
    """How a launch takes part in a split reduction: starts from partial sums, ends with them."""

    resumes: bool = False
    raw: bool = False


@dataclass(slots=True)
class Shapes:
    """Register values of the launches of one group."""

    group: Group
    mapping: LayerMapping
    codelet: Codelet
    acg: Acg
    layouts: Mapping[tuple[str, str], Layout]
    """By port and memory: the tile on chip, the home off chip."""
    settings: Values
    result: int
    """Value of `out` for a finished result."""
    summed: tuple[str, ...]
    spreads: Mapping[tuple[str, str], Spread] = field(default_factory=dict)
    """Of tiles in memories with an instance per lane."""
    _values: dict[tuple[tuple[int, ...], Sums], Values | None] = field(default_factory=dict)
    _pieces: dict[tuple[tuple[int, ...], Sums], tuple[Piece, ...]] = field(default_factory=dict)

    def pieces(self, size: Box, sums: Sums) -> tuple[Piece, ...]:
        """The launches of a box, in order."""
        key = (tuple(size.values()), sums)
        if key not in self._pieces:
            self._pieces[key] = tuple(self._split(size, sums))
        return self._pieces[key]

    def _split(self, size: Box, sums: Sums) -> Iterator[Piece]:
        if self.values(size, sums) is not None:
            yield Piece(dict.fromkeys(size, 0), size)
            return
        whole = dict(size)
        for dim in self.group.order:
            if self.group.keeps and dim in self.summed:
                continue
            unit = self.group.extents[dim]
            count = -(-size[dim] // unit)
            for steps in range(min(count - 1, _MOST_STEPS), 0, -1):
                if self.values({**whole, dim: steps * unit}, sums) is not None:
                    yield from self._parts({**size}, dim, steps * unit, sums)
                    return
            if count > 1:
                whole[dim] = unit
        first = next((d for d in self.group.order if whole[d] != size[d]), "")
        if not first:
            raise self._unfit()
        yield from self._parts(size, first, whole[first], sums)

    def _parts(self, size: Box, dim: str, step: int, sums: Sums) -> Iterator[Piece]:
        for start in range(0, size[dim], step):
            part = {**size, dim: min(step, size[dim] - start)}
            for piece in self.pieces(part, sums):
                origin = {**piece.origin, dim: piece.origin[dim] + start}
                yield Piece(origin, piece.size)

    def _unfit(self) -> Exception:
        return fail(
            "EMI005",
            f"no launch of unit '{self.group.unit.name}' is small enough for its registers; one "
            f"step of '{self.group.capability.name}' already needs more",
            self.group.unit.span,
            "give its streams more loops, or registers for their strides",
        )

    def streams(self, sums: Sums) -> list[End]:
        """Streams of a launch."""
        own = self.group.sums
        found = [e for e in self.group.ends if not (e.written and sums.raw)]
        if own is None or self.group.adds:
            return [*found, own] if own is not None else found
        if sums.resumes:
            found.append(own)
        output = next((e.prefix for e in self.group.ends if e.written), own.prefix)
        if sums.raw and not (sums.resumes and output == own.prefix):
            found.append(End(output, own.operand, written=True))
        return found

    def values(self, size: Box, sums: Sums) -> Values | None:
        """Everything but base addresses; None when one launch cannot cover the box."""
        key = (tuple(size.values()), sums)
        if key not in self._values:
            self._values[key] = self._made(size, sums)
        return self._values[key]

    def _made(self, size: Box, sums: Sums) -> Values | None:
        unit = self.group.unit
        values: list[tuple[str, int]] = []
        for end in self.group.ends if self.group.keeps else ():
            if end.written:
                check_width(end.operand, self.acg, unit)
        for end in self.streams(sums):
            found = self._stream(end, size)
            if found is None:
                return None
            values += found
        values += self._counts(size)
        values += [
            *self.settings,
            ("resume", int(sums.resumes)),
            ("out", 0 if sums.raw else self.result),
        ]
        held = [(n, v) for n, v in values if unit.register(n) is not None]
        return tuple(held) if all(holds(unit, n, v) for n, v in held) else None

    def _counts(self, size: Box) -> Values:
        """Array steps per tile, tiles, tiles per record."""
        group = self.group
        if not group.keeps:
            walk = Walk(group.order, group.extents, size)
            tables = (e.operand for e in group.ends if e.operand.record_bytes)
            records = [o for o in tables if not o.once]
            count = prod(walk.count(d) for d in group.order)
            reuse = walk.reuse(records[0]) if records else 0
            return (("steps", 1), ("tiles", count), ("reuse", reuse))
        rounded = dict(size)
        for end in group.ends:
            operand = end.operand
            inputs = operand.role in (Role.INPUT, Role.CONSTANT) and operand.packed in size
            if inputs and not operand.record_bytes:
                whole = granule(operand, self.acg.memory(operand.memory).word_bytes)
                rounded[operand.packed] = -(-size[operand.packed] // whole) * whole
        found = job_counts(self.mapping, self.codelet, self.acg, rounded)
        return (("steps", found.steps), ("tiles", found.tiles), ("reuse", found.reuse))

    def _stream(self, end: End, size: Box) -> Values | None:
        shape = self._pattern(end, size)
        if shape is None:
            return None
        unit, prefix, operand = self.group.unit, end.prefix, end.operand
        spread = self.spreads.get((operand.port, operand.memory))
        if spread is not None:
            return self._spread(spread, end, shape)
        word = self.acg.memory(operand.memory).word_bytes
        loops = list(zip(shape.bounds, shape.strides, strict=True))
        masked = shape.tail_loop if shape.tail_lanes >= 0 or shape.row_lanes else -1
        bare = unit.register(f"{prefix}.tail_loop") is None
        if masked >= 0 and bare:
            if loops[masked][0] > 1:
                return None
            loops.pop(masked)
        words = -(-operand.beat[-1][1] * operand.dtype.bytes // word)
        beat = operand.lanes * words * word
        once = prefix == self.group.stationary
        axes = [Axis(bound, (stride,)) for bound, stride in loops]
        found = assigned(
            unit, f"{prefix}.bound", (f"{prefix}.stride",), (beat,), axes, implied=not once
        )
        if found is None:
            return None
        values, places = found
        lanes = stream_lanes(self.acg, operand) if not operand.lane else operand.lanes
        optional = [("lane_stride", shape.lane_stride)] if operand.lanes > 1 else []
        optional += [("word_stride", shape.word_stride if words > 1 else word)]
        if masked >= 0 and not bare:
            optional.append(("tail_loop", places[masked]))
        tail = shape.tail_lanes if shape.tail_lanes >= 0 else max(1, lanes)
        rows = (("row_step", shape.row_step), ("row_jump", shape.row_jump))
        optional += [("tail_lanes", tail), ("row_lanes", shape.row_lanes)]
        optional += rows if shape.row_lanes else ()
        if masked >= 0 and unit.register(f"{prefix}.tail_lanes") is None:
            return None
        return (*((f"{prefix}.{n}", v) for n, v in optional), *values)

    def _shared(self, spread: Spread, end: End) -> Shared:
        """Lanes of a beat that one instance of a memory takes."""
        steps = (self.mapping.steps[i] for i in self.group.steps)
        ports = (p for s in steps for p in capability_of(self.acg, s).ports if p.tile)
        tile = next(p.tile for p in ports if p.name == end.prefix)
        return spread.shared(tile, end.operand.beat)

    def _spread(self, spread: Spread, end: End, shape: Pattern) -> Values | None:
        """Registers of a stream whose lanes have memories of their own."""
        unit, prefix = self.group.unit, end.prefix
        lanes, words = spread.size(self._shared(spread, end))
        given = (
            ("lane_stride", shape.lane_stride, lanes),
            ("word_stride", shape.word_stride, words),
        )
        values: list[tuple[str, int]] = []
        dense = spread.word_bytes
        for name, stride, count in reversed(given):
            if unit.register(f"{prefix}.{name}") is not None:
                values.append((f"{prefix}.{name}", stride))
            elif count > 1 and stride != dense:
                return None
            else:
                dense *= count
        axes = [Axis(b, (s,)) for b, s in zip(shape.bounds, shape.strides, strict=True)]
        found = assigned(
            unit,
            f"{prefix}.bound",
            (f"{prefix}.stride",),
            (dense,),
            axes,
            implied=prefix != self.group.stationary,
        )
        return (*values, *found[0]) if found is not None else None

    def _pattern(self, end: End, size: Box) -> Pattern | None:
        group, operand = self.group, end.operand
        spread = self.spreads.get((operand.port, operand.memory))
        if spread is not None:
            kept = end.written or end is group.sums
            dims = [d for d in group.order if not (group.keeps and kept and d in self.summed)]
            walk = Walk(tuple(dims), group.extents, size)
            shared = self._shared(spread, end)
            return spread.walked(walk, shared, once=end.prefix == group.stationary)
        layout = self.layouts[operand.port, operand.memory]
        if group.keeps:
            return operand_pattern(self.mapping, self.codelet, self.acg, operand, layout, size, {})
        walk = Walk(group.order, group.extents, size)
        wide = group.unit.register(f"{end.prefix}.word_stride") is not None
        once = end.prefix == group.stationary
        return walked(self.acg, operand, layout, walk, wide=wide, once=once)
