"""The mapping space of one binding: tile choices per dim and level, and the machine's constants.

In: codelet, architecture, binding, routes of the operands. Out: a `Space`, read by the constraint
families, `cost` and the extraction of a mapping. Choices left out on purpose (docs/decisions/0009):
tiles whose last one is less than half as long, the smallest of each trip count excepted; of long
dims all tiles but the smallest and the largest of each trip count and granularity; inner tiles
divide outer ones that are cut; with one level a dim of the reduction that shares an axis with
another dim (a filter window) is not split, or into single positions where sums lie in a memory
anyway, nor is ever one that holds a window.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd, lcm

from covenant.acg.graph import Acg, Memory
from covenant.codelets.ir import Codelet, Dim
from covenant.mapper.banking import Plan, narrow_crowding, plans
from covenant.mapper.candidates import Binding
from covenant.mapper.grains import grain_of, shared_dims
from covenant.mapper.machine import Machine, machine_of
from covenant.mapper.mapping import Role
from covenant.mapper.operands import (
    Operand,
    operands,
    reduction_dims,
    step_extents,
    swept_dims,
)
from covenant.mapper.pieces import Pieces, pieces_of, remainder
from covenant.mapper.placement import inner_order
from covenant.mapper.rows import Rows, rows_of, steps_along
from covenant.mapper.sites import Routes, Site, lane_size, route_choices, routes_of, sites
from covenant.mapper.stages import stages_of
from covenant.mapper.traffic import Columns, Group, Path, columns, groups


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


def loop_key(dim: str, level: int) -> str:
    """Name of a loop: that of its dim, for inner levels with the level behind it."""
    return f"{dim}@{level}" if level else dim


@dataclass(frozen=True)
class Space:
    """Everything about one binding that no decision changes."""

    codelet: Codelet
    acg: Acg
    binding: Binding
    memory: Memory
    """Innermost memory of the first operand; the one whose banks the model knows."""
    operands: tuple[Operand, ...]
    sites: tuple[Site, ...]
    levels: int
    inner: tuple[str, ...]
    steps: dict[str, int]
    """Elements of every dim per array step."""
    reduced: tuple[str, ...]
    swept: tuple[str, ...]
    """Dims iterated while the stationary operand stays; the innermost of `inner`."""
    rows: dict[str, tuple[Row, ...]]
    """Tile choices of every dim at any level, the whole extent first; one for dims not split."""
    grains: dict[str, int]
    """Elements of every dim that no tile may split."""
    through: Rows | None = None
    """Rows that the lanes run through; the lanes' own dim is then not split."""
    pieces: Pieces | None = None
    """How two shapes of the array share the lanes, None where one takes all."""
    shape: int = 0
    """Which of the shapes array steps are those of."""

    @property
    def tiled(self) -> tuple[str, ...]:
        """Dims with a choice, in the order of `inner`."""
        return tuple(d for d in self.inner if len(self.rows[d]) > 1)

    @property
    def loops(self) -> tuple[str, ...]:
        """Keys of all loops, outermost level first."""
        return tuple(loop_key(d, level) for level in range(self.levels) for d in self.tiled)

    @property
    def extents(self) -> dict[str, int]:
        """Extent of every dim."""
        return self.codelet.extents

    def site(self, key: str) -> Site:
        """The site of that key; KeyError when absent."""
        return {s.key: s for s in self.sites}[key]

    @cached_property
    def groups(self) -> dict[str, tuple[Group, ...]]:
        """Axis groups by site."""
        return {s.key: groups(s.operand, self.inner, plain=s.is_plain) for s in self.sites}

    @cached_property
    def paths(self) -> dict[str, Path]:
        """Road by site."""
        return {s.key: s.road for s in self.sites}

    @cached_property
    def tables(self) -> dict[str, tuple[Table, ...]]:
        """Columns of every axis group for every combination of tile choices, by site."""
        return {s.key: tuple(self._table(s, g) for g in self.groups[s.key]) for s in self.sites}

    def _table(self, site: Site, group: Group) -> Table:
        split = tuple(d for d in group.dims if len(self.rows[d]) > 1)
        tiles = {d: (self.extents[d], 1, self.extents[d]) for d in group.dims}
        rows: dict[tuple[int, ...], Columns] = {}
        for choice in itertools.product(*(enumerate(self.rows[d]) for d in split)):
            for dim, (_, row) in zip(split, choice, strict=True):
                tiles[dim] = (self.extents[dim], row.trips, row.tile)
            rows[tuple(i for i, _ in choice)] = self.columns(site, group, tiles)
        return Table(split, rows)

    def columns(self, site: Site, group: Group, tiles: dict[str, tuple[int, int, int]]) -> Columns:
        """Factors of an axis group of a site when the dims on it have these tiles."""
        made = columns(site.operand, group, tiles, site.packing, site.road)
        return lane_size(site, group, tiles, self.steps, made) if site.lanes else made

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """Divisions of the banks among the buffers; a memory of one bank serves all at its stated
        bandwidth."""
        if self.memory.banks == 1:
            return (Plan({}),)
        return plans(self.memory, self.banked, self.machine.pace)

    @cached_property
    def crowding(self) -> int:
        """The most lanes of an input that meet in a bank."""
        return narrow_crowding(self.memory, self.banked) if self.banked else 1

    @property
    def banked(self) -> tuple[Operand, ...]:
        """Operands that lie in the memory whose banks matter."""
        if self.memory.banks == 1:
            return ()
        return tuple(o for o in self.operands if o.memory == self.memory.name and not o.follows)

    @property
    def loads(self) -> tuple[Operand, ...]:
        """Operands that are loaded."""
        return tuple(o for o in self.operands if o.role in (Role.INPUT, Role.CONSTANT))

    @property
    def stores(self) -> tuple[Operand, ...]:
        """Operands that are stored."""
        return tuple(o for o in self.operands if o.role is Role.OUTPUT)

    @property
    def moved(self) -> tuple[Site, ...]:
        """Sites whose tiles are exchanged with an outer memory: loads, sums, stores."""
        order = {Role.INPUT: 0, Role.CONSTANT: 0, Role.PARTIAL: 1, Role.OUTPUT: 2}
        found = [s for s in self.sites if s.outer is not None]
        return tuple(sorted(found, key=lambda s: order[s.operand.role]))

    @property
    def dram_unit(self) -> int:
        """Bytes that all words between the chip and off-chip memories are multiples of."""
        return gcd(*(s.word_bytes for s in self.moved if s.outer is not None and s.outer.off_chip))

    @property
    def partial(self) -> Operand | None:
        """Partial sums, None when the reduction cannot be resumed."""
        return next((o for o in self.operands if o.role is Role.PARTIAL), None)

    @cached_property
    def machine(self) -> Machine:
        """Constants of the cost formulas."""
        return machine_of(self.codelet, self.acg, self.binding, self.sites)

    def pad_words(self, site: Site) -> int:
        """Instruction words of an exchange for launches that fill what lies outside the tensor:
        two sides of every axis but the packed one."""
        operand, words = site.operand, stages_of(self.acg).pad_words
        if not words or operand.pad is None or operand.source is not None:
            return 0
        sides = 0
        for index, size in zip(operand.indices, operand.shape, strict=True):
            reach = index.span(self.extents) + index.evaluate(dict.fromkeys(index.dims, 0))
            sides += (reach > size) + (index.evaluate(dict.fromkeys(index.dims, 0)) < 0)
        return words * min(sides, 3)

    def setup(self, site: Site) -> int:
        """Cycles every exchange of a site adds to its channel."""
        return site.road.setup_cycles if site.road.bus else 0

    def lead(self, site: Site) -> int:
        """Those that its first and its last exchange add where nothing else moves."""
        return 0 if self.machine.queued else self.setup(site)

    def even(self) -> Space:
        """The same space without tails: only tiles that divide their dim in whole array steps."""

        def divides(dim: str, row: Row) -> bool:
            steps = -(-self.extents[dim] // self.steps[dim])
            own, rest = divmod(row.tile, self.steps[dim])
            return self.extents[dim] % row.tile == 0 or (rest == 0 and steps % own == 0)

        kept = {d: tuple(r for r in rows if divides(d, r)) for d, rows in self.rows.items()}
        return replace(self, rows=kept)

    @cached_property
    def rest(self) -> Space | None:
        """The same space as the second shape of the array sees it, None without one."""
        if self.pieces is None or self.shape:
            return None
        binding = remainder(self.binding)
        placed = operands(self.codelet, self.acg, binding)
        found = sites(self.codelet, self.acg, binding, placed, routes_of(self.sites))
        steps = step_extents(self.acg, self.codelet, binding)
        return replace(self, binding=binding, operands=placed, sites=found, steps=steps, shape=1)

    @property
    def shapes(self) -> tuple[Space, ...]:
        """The space as each shape of the array sees it."""
        return (self,) if self.rest is None else (self, self.rest)

    def pairs(self, dim: str, row: Row) -> int:
        """Tiles of a dim that take a launch of each shape; all where the dim has no lanes."""
        if self.pieces is None or dim != self.pieces.dim:
            return row.trips
        tail = self.extents[dim] - (row.trips - 1) * row.tile
        return (row.trips - 1) * self.pieces.both(row.tile) + self.pieces.both(tail)

    def job_steps(self, dim: str, tile: int) -> int:
        """Array steps along a dim for a tile."""
        if self.pieces is not None and dim == self.pieces.dim:
            return self.pieces.steps(tile, self.shape)
        return steps_along(self.steps, self.through, dim, tile)

    @cached_property
    def recorded(self) -> frozenset[str]:
        """Dims that a record is read anew for: those not inside its own."""
        own = {d for o in self.operands if o.record_bytes and not o.once for d in o.dims}
        last = max((i for i, d in enumerate(self.inner) if d in own), default=-1)
        return frozenset(self.inner[: last + 1])

    def full_trips(self, dim: str, row: Row) -> int:
        """Trips of a dim whose tile has as many array steps as the first."""
        tail = self.extents[dim] - (row.trips - 1) * row.tile
        counts = ([s.job_steps(dim, tile) for s in self.shapes] for tile in (tail, row.tile))
        return row.trips - (next(counts) < next(counts))

    def summed_steps(self, dim: str, trips: int, tile: int) -> int:
        """Array steps along a dim, summed over its tiles."""
        tail = self.extents[dim] - (trips - 1) * tile
        return (trips - 1) * self.job_steps(dim, tile) + self.job_steps(dim, tail)


def space_of(codelet: Codelet, acg: Acg, binding: Binding, routes: Routes | None = None) -> Space:
    """The space of a binding, on the shortest routes of ports for which none is given."""
    placed = operands(codelet, acg, binding)
    shortest = route_choices(codelet, acg, binding, placed)[0]
    found = sites(codelet, acg, binding, placed, {**shortest, **(routes or {})})
    swept = swept_dims(codelet, acg, binding)
    through = rows_of(codelet, acg, binding)
    reduced = reduction_dims(codelet)
    words = {o.port: acg.memory(o.memory).word_bytes for o in placed}
    inner = inner_order(codelet, placed, swept, words)
    steps = step_extents(acg, codelet, binding)
    levels = max(s.depth for s in found)
    masking = frozenset(t.name for t in acg.transfers if "tail" in t.abilities)
    grains = {d.name: grain_of(placed, d.name, words, masking) for d in codelet.dims}
    for lane in {d for site in found for d, _, _ in site.lanes if d}:
        grains[lane] = lcm(grains[lane], steps[lane])  # a position stays with its instance
    shared = shared_dims(found, inner, codelet.extents)
    rows: dict[str, tuple[Row, ...]] = {}
    for dim in codelet.dims:
        fixed = _fixed_rows(dim, placed, reduced, through, levels)
        step = steps[dim.name]
        if through is not None and dim.name == through.row:
            step = through.lanes // gcd(through.lanes, through.length)
        every = EVERY_SHARED if dim.name in shared else EVERY
        every = every if levels == 1 else 0
        rows[dim.name] = fixed or _rows(dim.extent, grains[dim.name], step, every)
    return Space(
        codelet=codelet,
        acg=acg,
        binding=binding,
        memory=next(s.memory for s in found if s.key == placed[0].port),
        operands=placed,
        sites=found,
        levels=levels,
        inner=inner,
        steps=steps,
        reduced=reduced,
        swept=swept,
        rows=rows,
        grains=grains,
        through=through,
        pieces=pieces_of(codelet, acg, binding),
    )


def _fixed_rows(
    dim: Dim, placed: Sequence[Operand], reduced: Sequence[str], through: Rows | None, levels: int
) -> tuple[Row, ...]:
    """The tiles of a dim that is not split, or only into single positions; none for others."""
    window = dim.name in reduced and any(
        dim.name in i.dims and len(i.dims) > 1 for o in placed for i in o.indices
    )
    resumable = any(o.role is Role.PARTIAL for o in placed)
    kept = any(o.kept for o in placed)
    whole = through is not None and dim.name == through.lane
    whole = whole or any(o.source is not None and o.packed == dim.name for o in placed)
    whole = whole or (window and levels == 1 and not kept)
    whole = whole or (dim.name in reduced and not resumable)
    if whole:
        return (Row(1, dim.extent),)
    if window and levels == 1:
        return tuple(dict.fromkeys((Row(1, dim.extent), Row(dim.extent, 1))))
    return ()


def routed_spaces(codelet: Codelet, acg: Acg, binding: Binding) -> tuple[Space, ...]:
    """The spaces of a binding, one per combination of routes."""
    placed = operands(codelet, acg, binding)
    choices = route_choices(codelet, acg, binding, placed)
    return tuple(space_of(codelet, acg, binding, routes) for routes in choices)


EVERY = 64
"""Grains of a dim up to which every tile is a choice (with one level), where no axis group depends
on another dim with a choice."""
EVERY_SHARED = 17
"""The same for dims that share an axis group, since its table has a row per combination."""


def _rows(extent: int, grain: int, step: int, every: int) -> tuple[Row, ...]:
    """Tiles of whole grains: every one of a dim of up to `every` grains, of a longer one the
    smallest and the largest of every trip count, once of those in multiples of `grain`, once of
    `step` too; but for the smallest ones none whose last tile is less than half as long. every ==
    0, for several levels: the smallest ones and steps doubled again and again, which divide one
    another."""
    tiles = {extent}
    even: set[int] = set()
    if not every:
        unit = lcm(grain, step)
        tiles |= {unit * n << i for n in (1, 3) for i in range(extent.bit_length())}
    elif extent <= every * grain:
        tiles |= set(range(grain, extent, grain))
    for unit in {grain, lcm(grain, step)}:
        count = -(-extent // unit)
        size = 1
        while size < count:
            trips = -(-count // size)
            largest = -(-count // (trips - 1)) - 1
            even.add(-(-count // trips) * unit)
            if every:
                tiles.add(largest * unit)
            size = largest + 1
    if every:
        tiles = {t for t in tiles if 2 * (extent - (-(-extent // t) - 1) * t) >= t}
    kept = sorted((t for t in tiles | even if t <= extent), reverse=True)
    return tuple(Row(-(-extent // tile), tile) for tile in kept)
