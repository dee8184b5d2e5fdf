"""Exhaustive search over one binding: every loop nest is walked iteration by iteration.

In: a `Space`. Out: the best value of every objective. The search shares the machine's constants
and what no tile may split with the solver, and nothing else: all tiles are tried but those with a
short last one (docs/decisions/0009), transfers counted by walking the nest and comparing index
vectors, boxes are measured from coordinates, latency is computed from the sentences in `cost`'s
docstring. Only the choice of cuts and copies of one walked nest is evaluated all at once, in NumPy
(`exhaustive_nest`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from math import lcm, prod

from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import tile_layout
from covenant.mapper.space import Row, Space
from exhaustive_banks import FAR, lanes_meeting, partial_words, shared_banks
from exhaustive_latency import latencies
from exhaustive_nest import Column, Jobs, Nest, Part
from exhaustive_transfers import Mover

Tiles = Mapping[str, Row]

RANKS = {
    "latency": ("latency", "dram", "energy"),
    "dram": ("dram", "latency", "energy"),
    "energy": ("energy", "latency", "dram"),
    "edp": ("edp", "latency", "dram", "energy"),
}
"""What is made small, and how ties are broken."""

Best = dict[str, tuple[int, ...]]
"""Objective -> least values of its ranks; empty when nothing fits."""


def better(left: Best, right: Best) -> Best:
    """The better of both in every objective."""
    if not left or not right:
        return left or right
    return {name: min(left[name], right[name]) for name in RANKS}


def _least(values: Mapping[str, list[int]]) -> Best:
    """Least ranks over all rows."""
    return {
        name: min(zip(*(values[term] for term in ranks), strict=True))
        for name, ranks in RANKS.items()
    }


class Walk:
    """Exhaustive search over one binding."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.rows = {d: _every_tile(space, d) for d in space.rows}
        self.movers = (*space.loads, *space.stores)
        self.parts: dict[object, Part] = {}
        self.tiles: dict[object, tuple[int, int, int]] = {}

    @property
    def split(self) -> tuple[str, ...]:
        """Dims with a choice."""
        return tuple(d for d in self.space.inner if len(self.rows[d]) > 1)

    def nests(self) -> Iterator[tuple[dict[str, Row], tuple[str, ...]]]:
        """Every choice of tiles in every order."""
        for rows in itertools.product(*(self.rows[d] for d in self.split)):
            named = dict(zip(self.split, rows, strict=True))
            for order in itertools.permutations(d for d in self.split if named[d].trips > 1):
                yield named, order

    def best(self) -> Best:
        """Least values over tiles, orders, cuts, copies and divisions of the banks."""
        found: Best = {}
        for named, order in self.nests():
            found = better(found, self._order(named, order))
        return found

    def _order(self, named: Tiles, order: tuple[str, ...]) -> Best:
        space = self.space
        options: dict[str, list[tuple[Part, int]]] = {}
        for operand in self.movers:
            parts = {self._part(operand, named, order[:cut]) for cut in range(len(order) + 1)}
            options[operand.port] = [
                (p, copies) for p in parts for copies in ((1,) if p.exchanges == 1 else (1, 2))
            ]
        partial = 0
        jobs = self._jobs(named)
        if any(d in space.reduced for d in order):
            assert space.partial is not None
            outermost = min(i for i, d in enumerate(order) if d in space.reduced)
            partial = min(
                self._size(space.partial, named, order[:cut]) for cut in range(outermost + 1)
            )
        nest = Nest(options)
        latency = latencies(space, nest, jobs, shared_banks(space, nest, partial, jobs))
        fits = latency < FAR
        if not fits.any():
            return {}
        values = {
            "latency": latency[fits].tolist(),
            "dram": self._dram(nest)[fits].tolist(),
            "energy": self._energy(nest, jobs)[fits].tolist(),
        }
        values["edp"] = [a * b for a, b in zip(values["latency"], values["energy"], strict=True)]
        return _least(values)

    # --- transfers and launches ---------------------------------------------------------------

    def _size(self, operand: Operand, named: Tiles, outside: tuple[str, ...]) -> int:
        extents = {**self.space.extents, **{d: named[d].tile for d in outside}}
        return tile_layout(operand, extents, self.space.inner, self.space.memory).bytes

    def _part(self, operand: Operand, named: Tiles, outside: tuple[str, ...]) -> Part:
        """Walk all iterations; count an exchange whenever the resident tile changes."""
        key = (operand.port, tuple((d, named[d]) for d in outside))
        if key not in self.parts:
            self.parts[key] = self._walked(operand, named, outside)
        return self.parts[key]

    def _walked(self, operand: Operand, named: Tiles, outside: tuple[str, ...]) -> Part:
        space = self.space
        seen: list[int] = []
        words = filled = 0
        around = {d for axis in operand.indices[operand.packed_axis + 1 :] for d in axis.dims}
        previous: tuple[int, ...] | None = None
        done: set[tuple[int, ...]] = set()
        for index in itertools.product(*(range(named[d].trips) for d in outside)):
            relevant = tuple(i for d, i in zip(outside, index, strict=True) if d in operand.dims)
            if relevant == previous:
                continue
            previous = relevant
            if operand.role is Role.OUTPUT and relevant in done:
                continue
            done.add(relevant)
            at = dict(zip(outside, index, strict=True))
            cycles, count, fills = self._tile(operand, named, at)
            seen.append(cycles)
            # Not waited for: those of the first tile along the axes that are filled.
            filled += fills if any(at[d] for d in around & set(at)) else 0
            words += count
        size = self._size(operand, named, outside)
        setup = space.paths[operand.port].setup_cycles
        lead = 0 if space.machine.queued else setup
        total = sum(seen) + filled + setup * len(seen)
        return Part(size, len(seen), total, seen[0] + lead, seen[-1] + lead, words)

    def _tile(self, operand: Operand, named: Tiles, at: dict[str, int]) -> tuple[int, int, int]:
        space = self.space
        own = tuple((d, named[d].tile, at[d]) for d in at if d in operand.dims)
        key = (operand.port, own)
        if key not in self.tiles:
            origin = dict.fromkeys(space.extents, 0) | {d: i * tile for d, tile, i in own}
            extent = dict(space.extents)
            extent.update({d: min(t, space.extents[d] - i * t) for d, t, i in own})
            outside = {d for d, _, _ in own}
            whole = {**space.extents, **{d: min(t, space.extents[d]) for d, t, _ in own}}
            self.tiles[key] = Mover(space, operand).tile(origin, extent, outside, whole)
        return self.tiles[key]

    def _jobs(self, named: Tiles) -> Jobs:
        space = self.space
        shapes = [space] if space.rest is None else [space, space.rest]
        ranges = [range(named[d].trips) if d in named else range(1) for d in space.extents]
        split = any(named[d].trips > 1 for d in named if d in space.reduced)
        chunks = prod(named[d].trips for d in named if d in space.reduced)
        meeting = lanes_meeting(space)
        cycles: list[int] = []
        counted: list[tuple[int, ...]] = []
        steps_of, tiles_of = [0] * len(shapes), [0] * len(shapes)
        launches = records = uneven = 0
        for index in itertools.product(*ranges):
            sizes = {}
            for dim, i in zip(space.extents, index, strict=True):
                tile = named[dim].tile if dim in named else space.extents[dim]
                sizes[dim] = min(tile, space.extents[dim] - i * tile)
            spent, counts = 0, []
            for number, (shape, part) in enumerate(zip(shapes, _parts(space, sizes), strict=True)):
                machine = shape.machine
                drain = machine.partial_drain if split else machine.tile_drain
                own = {d: -(-size // shape.steps[d]) for d, size in part.items()}
                steps = prod(n for d, n in own.items() if d in space.reduced)
                tiles = prod(n for d, n in own.items() if d not in space.reduced)
                counts += own.values()
                spent += tiles * max(steps * machine.step_cycles, drain)
                steps_of[number] += tiles * steps
                tiles_of[number] += tiles
                uneven += 0 if number else tiles * (-steps % meeting)
                if tiles:  # a shape that takes nothing of a tile has no launch and reads no record
                    launches += 1
                    anew = space.recorded - set(space.reduced)
                    records += prod(n for d, n in own.items() if d in anew)
            cycles.append(spent)
            counted.append(tuple(counts))
        total = sum(cycles) + space.machine.launch_overhead * launches
        raw = [(t - t // chunks, s.machine) for t, s in zip(tiles_of, shapes, strict=True)]
        energy = sum(
            s.machine.step_energy * n + s.machine.tile_energy * (t // chunks)
            for s, n, t in zip(shapes, steps_of, tiles_of, strict=True)
        )
        return Jobs(
            total,
            cycles[0],
            cycles[-1],
            len(cycles),
            sum(steps_of),
            sum(partial_words(s) * n for s, (n, _) in zip(shapes, raw, strict=True)),
            energy + sum(m.partial_energy * n for n, m in raw),
            sum(cycles),
            sum(1 for shape in counted if shape == counted[0]),
            records,
            uneven,
            launches - len(cycles),
        )

    # --- objectives ---------------------------------------------------------------------------

    def _dram(self, nest: Nest) -> Column:
        return nest.words([o.port for o in self.movers]) * self.space.memory.word_bytes

    def _energy(self, nest: Nest, jobs: Jobs) -> Column:
        """Femtojoules of transfers at both ends, of array steps, of tiles written and resumed."""
        space = self.space
        near, far = space.memory, space.acg.off_chip[0]
        loads, stores = ([o.port for o in group] for group in (space.loads, space.stores))
        read = far.read_femtojoules_per_word + near.write_femtojoules_per_word
        write = near.read_femtojoules_per_word + far.write_femtojoules_per_word
        moved = read * nest.words(loads) + write * nest.words(stores)
        return moved + jobs.energy


def _parts(space: Space, sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Iterations that each shape of the array runs of a tile. Lanes that run through rows take all
    positions of both dims one after the other; the second shape takes those behind the last whole
    step where its steps are fewer, in parts of one, if they are in one row."""
    step = space.binding.steps[0]
    lane, left = space.binding.dim("m"), dict(sizes)
    if step.rows:
        left[lane] *= left.pop(step.rows)
    if space.rest is None:
        yield left
        return
    deep = space.rest.steps
    packed = next(d for d in space.reduced if deep[d] > space.steps[d])
    whole = left[lane] // space.steps[lane] * space.steps[lane]
    behind = left[lane] - whole
    fewer = -(-behind // deep[lane]) * space.steps[packed] < deep[packed]
    if not fewer or (step.rows and behind > sizes[lane]):
        whole, behind = left[lane], 0
    yield {**left, lane: whole}
    yield {**left, lane: behind}


def _every_tile(space: Space, dim: str) -> tuple[Row, ...]:
    """All tiles of a dim that may be split, whatever the solver chooses from, but those that leave
    a last tile of less than half their length and are not the smallest with as many trips."""
    extent, grain = space.extents[dim], space.grains[dim]
    if len(space.rows[dim]) == 1:
        return space.rows[dim]
    smallest: set[int] = set()
    for unit in (grain, lcm(grain, space.steps[dim])):
        first: dict[int, int] = {}
        for tile in range(unit, extent, unit):
            first.setdefault(-(-extent // tile), tile)
        smallest |= set(first.values())
    rows = [Row(-(-extent // tile), tile) for tile in range(grain, extent, grain)]
    return tuple(
        row
        for row in (*rows, Row(1, extent))
        if row.tile in smallest or 2 * (extent - (row.trips - 1) * row.tile) >= row.tile
    )
