"""The mapping space of one binding: tile choices per dim, and the machine's constants.

In: codelet, architecture, binding. Out: a `Space`, read by the constraint families, `cost` and the
extraction of a mapping. Choices left out on purpose (both keep the optimum or nearly so):
per trip count only the smallest tile of each granularity; a dim of the reduction that shares an
axis with another dim (a filter window), or holds one, is not split.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import lcm, prod

from covenant.acg.graph import Acg, Memory
from covenant.codelets.ir import Codelet
from covenant.mapper.banking import Plan, plans
from covenant.mapper.candidates import Binding
from covenant.mapper.mapping import Role
from covenant.mapper.operands import (
    Operand,
    capability_of,
    operands,
    reduction_dims,
    step_extents,
)
from covenant.mapper.placement import inner_order
from covenant.mapper.traffic import Columns, Group, Path, columns, groups, path


@dataclass(frozen=True, slots=True)
class Row:
    """A tile choice of one dim: trips == ceil(extent / tile)."""

    trips: int
    tile: int


@dataclass(frozen=True, slots=True)
class Table:
    """Split dims of an axis group; row indices of these dims -> columns."""

    dims: tuple[str, ...]
    rows: dict[tuple[int, ...], Columns]


@dataclass(frozen=True)
class Space:
    """Everything about one binding that no decision changes."""

    codelet: Codelet
    acg: Acg
    binding: Binding
    memory: Memory
    operands: tuple[Operand, ...]
    inner: tuple[str, ...]
    steps: dict[str, int]
    """Elements of every dim per array step."""
    reduced: tuple[str, ...]
    rows: dict[str, tuple[Row, ...]]
    """Tile choices of every dim, the whole extent first; one choice for dims that are not split."""
    grains: dict[str, int]
    """Elements of every dim that no tile may split."""

    @property
    def tiled(self) -> tuple[str, ...]:
        """Dims with a choice, in the order of `inner`."""
        return tuple(d for d in self.inner if len(self.rows[d]) > 1)

    @property
    def extents(self) -> dict[str, int]:
        """Extent of every dim."""
        return self.codelet.extents

    @cached_property
    def groups(self) -> dict[str, tuple[Group, ...]]:
        """Axis groups by port."""
        return {o.port: groups(o, self.inner) for o in self.operands}

    @cached_property
    def paths(self) -> dict[str, Path]:
        """Off-chip path by port."""
        return {o.port: path(self.acg, o) for o in self.operands}

    @cached_property
    def tables(self) -> dict[str, tuple[Table, ...]]:
        """Columns of every axis group for every combination of tile choices, by port."""
        return {
            o.port: tuple(self._table(o, g) for g in self.groups[o.port]) for o in self.operands
        }

    def _table(self, operand: Operand, group: Group) -> Table:
        split = tuple(d for d in group.dims if len(self.rows[d]) > 1)
        tiles = {d: (self.extents[d], 1, self.extents[d]) for d in group.dims}
        rows: dict[tuple[int, ...], Columns] = {}
        for choice in itertools.product(*(enumerate(self.rows[d]) for d in split)):
            for dim, (_, row) in zip(split, choice, strict=True):
                tiles[dim] = (self.extents[dim], row.trips, row.tile)
            made = columns(operand, group, tiles, self.memory, self.paths[operand.port])
            rows[tuple(i for i, _ in choice)] = made
        return Table(split, rows)

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """Divisions of the banks among the buffers."""
        return plans(self.memory, self.operands)

    @property
    def loads(self) -> tuple[Operand, ...]:
        """Operands that are loaded."""
        return tuple(o for o in self.operands if o.role in (Role.INPUT, Role.CONSTANT))

    @property
    def stores(self) -> tuple[Operand, ...]:
        """Operands that are stored."""
        return tuple(o for o in self.operands if o.role is Role.OUTPUT)

    @property
    def partial(self) -> Operand | None:
        """Partial sums, None when the reduction cannot be resumed."""
        return next((o for o in self.operands if o.role is Role.PARTIAL), None)

    @cached_property
    def machine(self) -> Machine:
        """Constants of the cost formulas."""
        return _machine(self)

    def word_energy(self, operand: Operand) -> int:
        """Femtojoules to move one word of an operand between the memories."""
        off = self.acg.off_chip[0]
        if operand.role is Role.OUTPUT:
            return off.write_femtojoules_per_word + self.memory.read_femtojoules_per_word
        return off.read_femtojoules_per_word + self.memory.write_femtojoules_per_word

    def setup(self, operand: Operand) -> int:
        """Cycles every exchange of an operand adds to its channel."""
        road = self.paths[operand.port]
        return road.setup_cycles if road.bus else 0

    def job_steps(self, dim: str, tile: int) -> int:
        """Array steps along a dim for a tile."""
        return -(-tile // self.steps[dim])

    def summed_steps(self, dim: str, trips: int, tile: int) -> int:
        """Array steps along a dim, summed over its tiles."""
        tail = self.extents[dim] - (trips - 1) * tile
        return (trips - 1) * self.job_steps(dim, tile) + self.job_steps(dim, tail)


@dataclass(frozen=True, slots=True)
class Machine:
    """Constants of one binding on one architecture.

    tile_drain: cycles an output tile takes to leave the array at the end of its reduction;
    partial_drain: the same for raw partial sums, which are read back over the same banks. start and
    end: fixed cycles before the first data and after the last compute step. launch_words:
    instruction words per compute launch; move_words: per transfer launch. Energies in femtojoules:
    per array step (with its stream reads), per output tile, per raw partial tile written and read
    back. partial_words: words of a raw partial tile.
    """

    step_cycles: int
    tile_drain: int
    partial_drain: int
    launch_overhead: int
    start: int
    end: int
    launch_words: int
    move_words: int
    step_energy: int
    tile_energy: int
    partial_energy: int
    partial_words: int


def space_of(codelet: Codelet, acg: Acg, binding: Binding) -> Space:
    """The space of a binding."""
    placed = operands(codelet, acg, binding)
    inner = inner_order(codelet, placed)
    steps = step_extents(acg, codelet, binding)
    reduced = reduction_dims(codelet)
    memory = acg.memory(placed[0].memory)
    resumable = any(o.role is Role.PARTIAL for o in placed)
    rows: dict[str, tuple[Row, ...]] = {}
    grains = {d.name: _grain(placed, d.name, memory.word_bytes) for d in codelet.dims}
    for dim in codelet.dims:
        window = dim.name in reduced and any(
            dim.name in i.dims and len(i.dims) > 1 for o in placed for i in o.indices
        )
        window = window or any(o.source is not None and o.packed == dim.name for o in placed)
        whole = (Row(1, dim.extent),)
        if window or (dim.name in reduced and not resumable):
            rows[dim.name] = whole
        else:
            rows[dim.name] = _rows(dim.extent, grains[dim.name], steps[dim.name])
    return Space(codelet, acg, binding, memory, placed, inner, steps, reduced, rows, grains)


def _grain(placed: Iterable[Operand], dim: str, word_bytes: int) -> int:
    """Elements of a dim that no tile may split: words and beats it is packed into."""
    grain = 1
    for operand in placed:
        if operand.record_bytes:
            grain = lcm(grain, operand.beat[0][1] if operand.packed == dim else 1)
            continue
        if operand.packed == dim:
            grain = lcm(grain, operand.beat[-1][1], operand.block(word_bytes))
        if not operand.strided and operand.lane == dim:
            grain = lcm(grain, operand.lanes)
    return grain


def _rows(extent: int, grain: int, step: int) -> tuple[Row, ...]:
    """The smallest tile of every trip count, once in multiples of `grain`, once also of `step`."""
    tiles = {extent}
    for unit in {grain, lcm(grain, step)}:
        count = -(-extent // unit)
        size = 1
        while size < count:
            trips = -(-count // size)
            tiles.add(-(-count // trips) * unit)
            size = -(-count // (trips - 1)) if trips > 1 else count
    kept = sorted((t for t in tiles if t <= extent), reverse=True)
    return tuple(Row(-(-extent // tile), tile) for tile in kept)


def reduction_columns(space: Space, rows: dict[str, Row]) -> tuple[int, int, int, int, int]:
    """Of one output position: cycles summed over all chunks of its reduction, those of a full chunk
    and of the last one, array steps, chunks."""
    machine = space.machine
    sizes: list[list[int]] = []
    for dim in space.reduced:
        row = rows.get(dim, space.rows[dim][0])
        tail = space.extents[dim] - (row.trips - 1) * row.tile
        sizes.append(
            [space.job_steps(dim, row.tile)] * (row.trips - 1) + [space.job_steps(dim, tail)]
        )
    split = any(len(s) > 1 for s in sizes)
    drain = machine.partial_drain if split else machine.tile_drain
    cycles: list[int] = []
    steps = 0
    for chunk in itertools.product(*sizes):
        count = prod(chunk)
        steps += count
        cycles.append(max(count * machine.step_cycles, drain))
    return sum(cycles), cycles[0], cycles[-1], steps, len(cycles)


def _machine(space: Space) -> Machine:
    acg, binding = space.acg, space.binding
    first = capability_of(acg, binding.steps[0])
    last = capability_of(acg, binding.steps[-1])
    result = space.stores[0]
    beats = -(-result.beat[-1][1] // result.block(space.memory.word_bytes))
    drain = beats
    if len(binding.steps) > 1:
        columns = result.beat[-1][1]
        name = next(d for d in reversed(_tile_dims(acg, binding, result.port)))
        drain = max(beats, -(-columns // last.extents.get(name, columns)))
    partial = space.partial
    partial_drain = drain
    if partial is not None:
        words = -(-partial.beat[-1][1] // partial.block(space.memory.word_bytes))
        partial_drain = max(drain, 2 * words)
    control = acg.control
    queued = control is not None and control.queue_depth > 1
    latency = max((space.paths[o.port].latency_cycles for o in space.loads), default=0)
    store = max((space.paths[o.port].latency_cycles for o in space.stores), default=0)
    issue = control.issue_cycles if control is not None else 0
    word = space.memory.word_bytes
    read, write = space.memory.read_femtojoules_per_word, space.memory.write_femtojoules_per_word
    streamed = sum(
        prod(extent for _, extent in o.beat) * o.dtype.bytes
        for o in space.loads
        if not o.record_bytes
    )
    written = prod(extent for _, extent in result.beat) * result.dtype.bytes
    raw = 0 if partial is None else prod(e for _, e in partial.beat) * partial.dtype.bytes
    chained = sum(capability_of(acg, s).femtojoules_per_step for s in binding.steps[1:])
    tables = sum(_table_beats(space, o) for o in space.loads if o.once)
    return Machine(
        step_cycles=first.step_cycles,
        tile_drain=drain,
        partial_drain=partial_drain,
        launch_overhead=(issue if queued else first.startup_cycles) + tables,
        start=issue + latency + first.startup_cycles,
        end=first.drain_cycles + drain + store,
        launch_words=1 + len(space.loads) + len(space.stores),
        move_words=3,
        step_energy=first.femtojoules_per_step + streamed * read // word,
        tile_energy=written * write // word + drain * chained,
        partial_energy=raw * (read + write) // word,
        partial_words=raw // word,
    )


def _table_beats(space: Space, operand: Operand) -> int:
    """Cycles in which a launch loads a table before its first step (cvn_vector_table)."""
    beat = space.acg.transfer(operand.stream).lanes * space.memory.word_bytes
    return -(-operand.record_bytes // beat)


def _tile_dims(acg: Acg, binding: Binding, port: str) -> tuple[str, ...]:
    return capability_of(acg, binding.steps[-1]).port(port).tile
