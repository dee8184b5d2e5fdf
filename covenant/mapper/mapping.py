"""The mapping: every decision the hardware leaves open, for one codelet on one architecture.

In: built by `mapper.solve` (or from pins). Out: read by `cost`, `verify`, `emit`, `report`. It is
plain data: integers and names of codelet dims and tensors and of ACG nodes.

Loop nest: `levels[0].loops` (outermost first) iterate tiles held in `levels[0].memories`, the first
memories behind the off-chip one, the loops of `levels[1]` tiles of the next inner memories, …;
`inner` is the order of the loops one launch absorbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from covenant.core.dtypes import DType


@dataclass(frozen=True, slots=True)
class StepBinding:
    """One codelet step on one capability.

    dims: (capability dim, codelet dim) pairs; a capability dim without a pair runs with extent 1
    of useful work. tensors: (port, codelet tensor). scalars: (capability scalar, value); a port or
    scalar that the codelet does not need is absent (identity: 0 for added, full range for clamps).
    rows: codelet dim of the rows that the lanes run through, one row after the other; "" when a
    beat stays in one row. tail: capability of the same node that takes the positions in lanes which
    no whole step of this one does, "" for none.
    """

    node: str
    capability: str
    dims: tuple[tuple[str, str], ...]
    tensors: tuple[tuple[str, str], ...]
    scalars: tuple[tuple[str, int], ...]
    rows: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Loop:
    """`trips` iterations over tiles of `tile` elements of a dim: trips == ceil(outer / tile), where
    `outer` is the tile of the loop around it, the extent for the outermost. The last tile may be
    shorter; inner tiles divide outer ones that are not the whole extent, so that tiles of one depth
    form one grid over the extent."""

    dim: str
    trips: int
    tile: int


@dataclass(frozen=True, slots=True)
class Level:
    """Loops, outermost first, over tiles that `memories` hold, all memories of one on-chip depth.
    Dims without a loop have one trip."""

    memories: tuple[str, ...]
    loops: tuple[Loop, ...]


@dataclass(frozen=True, slots=True)
class LayoutAxis:
    """Part of a layout: index // step % extent of tensor axis `axis` advances by `stride` bytes."""

    axis: int
    step: int
    extent: int
    stride: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the elements of a tensor (or of its tile, indices relative to the tile) lie:
    offset = sum over axes of (index[axis] // step % extent) * stride; `bytes` is the whole size."""

    axes: tuple[LayoutAxis, ...]
    bytes: int


class Role(StrEnum):
    """How a buffer is used: input and constant are loaded, output is stored, partial stays."""

    INPUT = "input"
    CONSTANT = "constant"
    OUTPUT = "output"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Placement:
    """A tensor in an on-chip memory.

    port: the port or record it serves (`a`, `b`, `p`, `y`, `acc`); tensor: codelet tensor, or ""
    for a record of packed constants. level, cut: the resident tile lies inside all loops of the
    levels before `level` and inside the first `cut` loops of that level; it is exchanged whenever
    one of these that it depends on advances. copies: 1 single, 2 double buffered. layout: of one
    copy (tile with the loops inside the cut). addresses: byte address of each copy. home: layout of
    the whole tensor in the off-chip memory (`bytes` 0 for a tensor that never leaves the chip). A
    result that a node writes straight off chip is placed in that memory, with its home only:
    `level` and `cut` say when it is written.
    """

    memory: str
    port: str
    tensor: str
    role: Role
    dtype: DType
    cut: int
    copies: int
    layout: Layout
    addresses: tuple[int, ...]
    home: Layout
    level: int = 0


class Status(StrEnum):
    """What is known of a mapping: proven best, feasible with a gap, or proven best of those that
    keep the user's pins."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    PINNED = "pinned"

    @property
    def proven(self) -> bool:
        """Whether nothing better exists (under the pins, if there are any)."""
        return self is not Status.FEASIBLE


@dataclass(frozen=True, slots=True)
class Goal:
    """One term of an objective: its name and unit, the value reached, a bound on any other."""

    term: str
    unit: str
    value: int
    bound: int

    @property
    def gap(self) -> float:
        """(value - bound) / value; 0 when proven."""
        return (self.value - self.bound) / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True)
class Proof:
    """Solver outcome: a goal per term of the objective, the most important first."""

    status: Status
    goals: tuple[Goal, ...]
    solve_seconds: float
    seed: int
    workers: int
    pins: int = 0
    """User decisions that the mapping keeps; bounds hold for mappings that keep them too."""
    first_seconds: float = 0.0
    """Until the first mapping was known."""

    @property
    def objective(self) -> int:
        """Value of the first term, in its unit."""
        return self.goals[0].value

    @property
    def bound(self) -> int:
        """Bound on the first term, in its unit."""
        return self.goals[0].bound

    @property
    def unit(self) -> str:
        """Unit of the first term."""
        return self.goals[0].unit

    @property
    def terms(self) -> str:
        """The objective as `--objective` takes it."""
        return ",".join(goal.term for goal in self.goals)

    @property
    def gap(self) -> float:
        """Gap of the first term that has one; 0 when all are proven."""
        return next((goal.gap for goal in self.goals if goal.gap), 0.0)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping of one codelet; `steps[i]` binds codelet step i. A port has one placement per
    memory on its path, outermost first.

    fused: two dims of the codelet that run as one (`codelets.fuse`); dims and axes of all other
    fields are then those of the fused codelet, a home with overlapping rows excepted.
    """

    codelet: str
    architecture: str
    steps: tuple[StepBinding, ...]
    levels: tuple[Level, ...]
    inner: tuple[str, ...]
    placements: tuple[Placement, ...]
    proof: Proof
    fused: tuple[str, ...] = ()
    rewriting: str = ""
    """The form of the codelet whose steps are bound, "" as it is written (`mapper.rewrite`)."""

    def placement(self, port: str) -> Placement:
        """The innermost placement of a port; KeyError when it has none."""
        for placement in reversed(self.placements):
            if placement.port == port:
                return placement
        raise KeyError(port)
