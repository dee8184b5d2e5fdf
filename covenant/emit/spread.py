"""Tiles in memories that have an instance per lane: where an element lies, how a stream walks, what
a transfer moves.

In: an operand, the layout of what one instance holds, the lanes of the memory. Out: patterns of
streams, in addresses that are the same in every instance, and `Part`s of exchanges, in addresses of
the whole grid of instances. A lane along a dim takes `each` neighbours of every array step of
`step` elements: element p lies in instance p % step // each, in its turn p // step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import Span, fail
from covenant.emit import dma
from covenant.mapper.mapping import Layout, Placement
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.operands import Operand, main_capability
from covenant.mapper.placement import advance
from covenant.mapper.rewrite import main_step, rewritten
from covenant.mapper.streams import Pattern, Walk, binding_of

Sizes = Mapping[str, int]
Shared = tuple[tuple[str, int], ...]
"""(codelet dim, lanes) of a beat, outermost first, the packed dim last."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Instances along one dim of a memory. dim: codelet dim that runs along them, "" where each of
    them holds the same; alone: only the first one is used, the operand has no dim for the others;
    stride: bytes between them."""

    dim: str
    count: int
    each: int
    step: int
    stride: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class _Axis:
    """An axis in an instance. inside: positions of one turn; turns: (dim, positions from turn to
    turn); dense: all positions between the first and the last one lie there."""

    inside: int
    turns: Mapping[str, int]
    dense: bool


@dataclass(frozen=True)
class Spread:
    """A tile of an operand over the instances of a memory. each: lanes that share an instance, by
    dim of the capability; whole: iterations of every dim of the largest tile; filler: what lanes
    without an element hold, None where each needs another value; span: of the memory, for messages.
    """

    operand: Operand
    layout: Layout
    lanes: tuple[Lane, ...]
    each: Sizes
    word_bytes: int
    whole: Sizes
    filler: int | None
    span: Span

    def __post_init__(self) -> None:
        if any(c < 0 for index in self.operand.indices for _, c in index.terms):
            raise fail(
                "EMI005",
                f"'{self.operand.tensor}' is read backwards, instances are filled forwards",
                self.span,
            )

    def _lane(self, dim: str) -> Lane | None:
        return next((x for x in self.lanes if x.dim == dim), None) if dim else None

    def _turns(self, lane: Lane) -> int:
        return -(-self.whole[lane.dim] // lane.step)

    def _axis(self, axis: int) -> _Axis:
        index = self.operand.indices[axis]
        lanes = [x for x in self.lanes if x.dim in index.dims]
        inside = index.span({**self.whole, **{x.dim: x.each for x in lanes}})
        turns: dict[str, int] = {}
        pitch = inside
        for lane in reversed(lanes):
            turns[lane.dim] = pitch
            pitch *= self._turns(lane)
        room = max((a.step * a.extent for a in self.layout.axes if a.axis == axis), default=1)
        if pitch <= room or not lanes:
            return _Axis(inside, turns, False)
        hull = {x.dim: (self._turns(x) - 1) * x.step + x.each for x in lanes}
        if index.span({**self.whole, **hull}) > room:
            raise fail(
                "EMI005",
                f"an instance holds {room} positions of '{self.operand.port}', it visits more",
                self.span,
            )
        across = {x.dim: index.coefficient(x.dim) * x.step for x in lanes}
        return _Axis(inside, across, True)

    @cached_property
    def _axes(self) -> list[_Axis]:
        return [self._axis(axis) for axis in range(len(self.operand.indices))]

    def turn_stride(self, dim: str) -> int:
        """Bytes in an instance from one turn along the dim of a lane to the next."""
        axes = enumerate(self._axes)
        return sum(self.moved(self.layout, i, a.turns[dim]) for i, a in axes if dim in a.turns)

    def stride(self, dim: str, elements: int) -> int:
        """Bytes in an instance that so many elements of a dim are apart, of one turn at most."""
        return self.along(self.layout, dim, elements)

    def offset(self, at: Sizes) -> int:
        """Bytes from the start of the buffer to the element at a position of the tile."""
        found, index = 0, []
        for axis, own in zip(self.operand.indices, self._axes, strict=True):
            place = 0
            for dim in axis.dims:
                position, lane = at[dim], self._lane(dim)
                if lane is not None:
                    turn, rest = divmod(position, lane.step)
                    place += turn * own.turns[dim]
                    position = rest % lane.each
                place += axis.coefficient(dim) * position
            index.append(place)
        for lane in self.lanes:
            if lane.dim:
                found += at[lane.dim] % lane.step // lane.each * lane.stride
        return found + dma.offset(self.layout, tuple(index))

    def walked(self, walk: Walk, shared: Shared, *, once: bool) -> Pattern | None:
        """The stream of a launch that starts with the first lane of every dim; None when it is no
        nest of loops. shared: lanes of its beats in one instance."""
        dims = list(reversed(walk.order))
        while once and dims and dims[0] not in self.operand.dims:
            dims.pop(0)
        loops: list[tuple[int, int]] = []
        for dim in dims:
            found = self._loops(dim, walk.count(dim), walk.extents.get(dim, 1))
            if found is None:
                return None
            loops += found
        kept: list[tuple[int, int]] = []
        for bound, stride in loops:
            if kept and stride == kept[-1][0] * kept[-1][1]:
                kept[-1] = (kept[-1][0] * bound, kept[-1][1])
            else:
                kept.append((bound, stride))
        lane, word = self._beat_strides(shared)
        bounds, strides = tuple(b for b, _ in kept), tuple(s for _, s in kept)
        return Pattern(0, bounds, strides, lane, word, 0, -1)

    def _loops(self, dim: str, count: int, unit: int) -> list[tuple[int, int]] | None:
        if count == 1:
            return []
        lane = self._lane(dim)
        if lane is None:
            return [(count, self.stride(dim, unit) if dim in self.operand.dims else 0)]
        found: list[tuple[int, int]] = []
        left = count
        for size, along in ((lane.each, 0), (lane.count, lane.stride)):
            if max(unit, size) % min(unit, size):
                return None
            here = min(left, max(1, size // unit))
            if max(1, size // unit) % here or left % here:
                return None
            if here > 1:
                found.append((here, along * unit if along else self.stride(dim, unit)))
            left, unit = left // here, max(1, unit // size)
        return [*found, (left, self.turn_stride(dim) * unit)] if left > 1 else found

    def shared(self, tile: tuple[str, ...], beat: Shared) -> Shared:
        """Lanes of a beat along the dims of a port that one instance takes."""
        pairs = zip(tile, beat, strict=True)
        return tuple((dim, min(n, self.each.get(name, n))) for name, (dim, n) in pairs)

    def size(self, shared: Shared) -> tuple[int, int]:
        """Lanes of a beat in one instance, and words of each."""
        width = shared[-1][1] * self.operand.dtype.bytes
        if width % self.word_bytes:
            raise fail(
                "EMI005",
                f"an instance takes {width} bytes of '{self.operand.port}' per step, its words "
                f"have {self.word_bytes}",
                self.span,
                "give it narrower words, or more lanes",
            )
        return prod(n for _, n in shared[:-1]), width // self.word_bytes

    def _beat_strides(self, shared: Shared) -> tuple[int, int]:
        """Bytes between lanes of a beat that share an instance, and between words of one lane."""
        *lanes, (packed, width) = shared
        found = [(d, n) for d, n in lanes if n > 1]
        pitch = self.stride(found[-1][0], 1) if found else self.word_bytes
        for (dim, _), (after, count) in pairwise(found):
            if self.stride(dim, 1) != self.stride(after, 1) * count:
                raise fail(
                    "EMI005",
                    f"lanes of '{self.operand.port}' have no one distance in an instance",
                    self.span,
                    f"add '{dim}' to `per`",
                )
        block = self.operand.block(self.word_bytes)
        return pitch, self.stride(packed, block) if width > block else self.word_bytes

    def full(self, lane: Lane) -> int:
        """Elements of a turn that an instance holds when nothing ends."""
        if not lane.dim:
            return 1
        if self.is_dense(lane):
            return (self._turns(lane) - 1) * lane.step + lane.each
        return lane.each

    def is_dense(self, lane: Lane) -> bool:
        axes = zip(self.operand.indices, self._axes, strict=True)
        return any(own.dense for index, own in axes if lane.dim in index.dims)

    def along(self, layout: Layout, dim: str, elements: int) -> int:
        indices = enumerate(self.operand.indices)
        return sum(
            self.moved(layout, i, a.coefficient(dim) * elements)
            for i, a in indices
            if dim in a.dims
        )

    def moved(self, layout: Layout, axis: int, elements: int) -> int:
        try:
            return advance(layout, axis, elements)
        except ValueError:
            raise fail(
                "EMI005",
                f"'{self.operand.port}' lies in blocks that do not fit the lanes of an instance",
                self.span,
                "give the memories outside words of the same size",
            ) from None


def spread_of(
    operand: Operand,
    placement: Placement,
    whole: Sizes,
    mapping: LayerMapping,
    codelet: Codelet,
    acg: Acg,
    filler: int | None,
) -> Spread | None:
    """How a placement lies over the instances of its memory; None when there is only one."""
    memory = acg.memory(placement.memory)
    if not memory.per:
        return None
    binding = binding_of(mapping)
    capability = main_capability(acg, codelet, binding)
    step = mapping.steps[main_step(rewritten(codelet, mapping.rewriting))]
    bound = dict(step.dims)
    ports = {p.name: p for p in capability.ports}
    tile = ports[operand.port].tile if operand.port in ports else ()
    lanes: list[Lane] = []
    for name, each in zip(memory.per, memory.lanes_each, strict=True):
        extent = capability.extents.get(name, 1)
        dim = bound.get(name, "")
        dim = dim if dim in operand.dims else ""
        each, alone = min(each, extent), not dim and name in tile
        stride = memory.instance_stride(name)
        lanes.append(Lane(dim, extent // each, each, extent, stride, alone))
    each_of = dict(zip(memory.per, memory.lanes_each, strict=True))
    for name in tile:
        count = min(capability.extents[name], each_of.get(name, 1 << 30))
        if count > 1 and bound.get(name, "") not in operand.dims:
            raise fail(
                "EMI005",
                f"{count} lanes of '{operand.port}' along '{name}' share an instance of "
                f"'{memory.name}', the layer has nothing for them",
                memory.span,
                f"write `per: [{name}]`",
            )
    tiles = {d: whole[d] for d in operand.dims}
    return Spread(
        operand,
        placement.layout,
        tuple(lanes),
        each_of,
        memory.word_bytes,
        tiles,
        filler,
        memory.span,
    )
