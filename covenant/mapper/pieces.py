"""Two shapes of an array in one launch: whole steps in one, the last positions in the other.

In: a binding whose first step names a second capability for the remainder (`StepBinding.tail`).
Out: `Pieces`, which say how many positions each shape takes, and where each part lies in a tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper.candidates import Binding
from covenant.mapper.mapping import StepBinding
from covenant.mapper.operands import capability_of
from covenant.mapper.rows import rows_of


@dataclass(frozen=True, slots=True)
class Part:
    """What one shape takes of a tile: where it starts, its iterations of every dim, positions that
    it leaves out at the end of its rows."""

    origin: Mapping[str, int]
    tile: Mapping[str, int]
    short: int = 0


@dataclass(frozen=True, slots=True)
class Pieces:
    """Positions in lanes, and who takes them.

    dim: codelet dim that steps are counted along: `lane`, that of the lanes, or the rows that they
    run through; length: positions per iteration of it; lanes: per step of the first shape, of the
    second; depth: elements of everything else in such a step.
    """

    dim: str
    lane: str
    length: int
    lanes: tuple[int, int]
    depth: tuple[int, int]

    def split(self, tile: int) -> tuple[int, int]:
        """Positions of a tile for either shape. The second has the last ones where that is quicker,
        none that lie in more than one row."""
        whole = tile * self.length
        left = whole % self.lanes[0]
        if self.dim != self.lane and left > self.length:
            return whole, 0
        steps = -(-left // self.lanes[1])
        return (whole - left, left) if steps * self.depth[0] < self.depth[1] else (whole, 0)

    def steps(self, tile: int, shape: int) -> int:
        """Array steps along `dim` that a shape takes for a tile."""
        return -(-self.split(tile)[shape] // self.lanes[shape])

    def both(self, tile: int) -> bool:
        """Whether a tile takes a launch of each shape."""
        return all(self.split(tile))

    def part(self, tile: Mapping[str, int], shape: int) -> Part | None:
        """What a shape takes of a tile, None for nothing."""
        first, left = self.split(tile[self.dim])
        taken = left if shape else first
        if not taken:
            return None
        if not left:
            return Part({}, tile)
        if self.dim == self.lane:
            return Part({self.lane: first if shape else 0}, {**tile, self.lane: taken})
        if not shape:
            return Part({}, tile, left)
        last = {self.dim: tile[self.dim] - 1, self.lane: self.length - left}
        return Part(last, {**tile, self.dim: 1, self.lane: left})


def remainder(binding: Binding) -> Binding:
    """The binding of the second shape: lanes within a row."""
    return replace(binding, steps=remainder_steps(binding.steps))


def remainder_steps(steps: tuple[StepBinding, ...]) -> tuple[StepBinding, ...]:
    """The steps with the second capability."""
    first = steps[0]
    return (replace(first, capability=first.tail, rows="", tail=""), *steps[1:])


def pieces_of(codelet: Codelet, acg: Acg, binding: Binding) -> Pieces | None:
    """The pieces of a binding, None where one shape takes everything."""
    step = binding.steps[0]
    if not step.tail:
        return None
    first = capability_of(acg, step).extents
    second = capability_of(acg, remainder(binding).steps[0]).extents
    name = next(d for d in first if second[d] < first[d])
    lane, rows = dict(step.dims)[name], rows_of(codelet, acg, binding)
    depth = (prod(e for d, e in own.items() if d != name) for own in (first, second))
    one, other = depth
    return Pieces(
        rows.row if rows else lane,
        lane,
        rows.length if rows else 1,
        (first[name], second[name]),
        (one, other),
    )
