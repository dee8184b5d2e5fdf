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

import numpy as np
from numpy.typing import NDArray

from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import tile_layout
from covenant.mapper.space import Row, Space
from exhaustive_nest import Column, Jobs, Nest, Part
from exhaustive_transfers import Mover

Tiles = Mapping[str, Row]

FAR = 1 << 50
"""No mapping costs as much."""


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
        self.tiles: dict[object, tuple[int, int]] = {}

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
        lost = self._lost(nest, partial, jobs)
        fits = lost < FAR
        if not fits.any():
            return {}
        values = {
            "latency": self._latency(nest, jobs, lost)[fits].tolist(),
            "dram": self._dram(nest)[fits].tolist(),
            "energy": self._energy(nest, jobs)[fits].tolist(),
        }
        values["edp"] = [a * b for a, b in zip(values["latency"], values["energy"], strict=True)]
        return _least(values)

    # --- banks --------------------------------------------------------------------------------

    def _lost(self, nest: Nest, partial: int, jobs: Jobs) -> Column:
        """Fewest cycles lost to bank conflicts over all divisions of the groups of banks, FAR where
        nothing fits."""
        memory = self.space.memory
        readers = [o for o in self.space.loads if not o.record_bytes]
        names = [o.port for o in readers]
        others = [o.port for o in self.movers if o.port not in names]
        rest = partial + nest.footprint(others)
        beats = {o.port: _beat_words(o, memory.word_bytes) for o in readers}
        together = sum(beats.values()) if len(readers) > 1 else 0
        best = np.full_like(rest, -(-jobs.steps * together // (3 * memory.banks)))
        best[rest + nest.footprint(names) > memory.size_bytes] = FAR
        room = rest + nest.footprint(names) <= memory.size_bytes
        groups = memory.banks // memory.views[-1]
        guests = 2 * partial_words(self.space) * (jobs.tiles - jobs.ended) + nest.words(others)
        for factors in itertools.product((1, 2, 4), repeat=2 * len(readers)):
            shares = list(zip(factors[::2], factors[1::2], strict=True))
            wides = [w * self._span(o) for o, (w, _) in zip(readers, shares, strict=True)]
            if any(w > 1 and count > 1 for w, count in shares) or max(wides) >= groups:
                continue
            for host in ("", *names):
                division = self._division(nest, readers, shares, host, groups, rest, guests)
                if division is not None:
                    lost, fits = division
                    lost = lost + self._lanes_lost(readers, shares, jobs.steps)
                    best = np.where(fits & room, np.minimum(best, lost), best)
        return best

    def _lanes_lost(
        self, readers: list[Operand], shares: list[tuple[int, int]], steps: Column
    ) -> Column:
        """Lanes that are several words apart may reach a part of their banks only."""
        lost = np.zeros_like(steps)
        for operand, (wide, _) in zip(readers, shares, strict=True):
            if not operand.strided or not operand.lane:
                continue
            banks = wide * self._span(operand) * self.space.memory.views[-1]
            mover = Mover(self.space, operand)
            steps_of_lane = [abs(dict(i.terms).get(operand.lane, 0)) for i in operand.indices]
            apart = max(n // mover.apart(axis) for axis, n in enumerate(steps_of_lane))
            met = {i * apart % banks for i in range(banks)}
            if len(met) < min(operand.lanes, banks):
                lost = lost - (-steps // 48)
        return lost

    def _division(
        self,
        nest: Nest,
        readers: list[Operand],
        shares: list[tuple[int, int]],
        host: str,
        groups: int,
        rest: Column,
        guests: Column,
    ) -> tuple[Column, NDArray[np.bool_]] | None:
        """Cycles lost and where it fits when each reader interleaves over `wide` times a beat's
        groups and has `count` of these; the others have what is left, or room behind `host`."""
        memory = self.space.memory
        group = memory.size_bytes // groups
        chosen = list(zip(readers, shares, strict=True))
        widths = {o.port: wide * self._span(o) for o, (wide, _) in chosen}
        counts = {o.port: count * widths[o.port] for o, (_, count) in chosen}
        end = 0
        for operand in sorted(readers, key=lambda o: -widths[o.port]):
            width = widths[operand.port]
            end = -(-end // width) * width + counts[operand.port]
        left = groups - end
        if left < 0 or (left == 0) != bool(host):
            return None
        lost, fits = np.zeros_like(rest), rest <= (FAR if host else left * group)
        for operand in readers:
            port, count = operand.port, counts[operand.port]
            column, size, copies = nest[port], nest[port]["size"], nest[port]["copies"]
            apart = count >= 2 * widths[port]
            limit = count // 2 * group if apart else count * group // 2
            fits &= np.where(copies == 2, size <= limit, size <= count * group)
            met = np.zeros_like(rest) if apart else np.where(copies == 2, column["words"], 0)
            if port == host:
                if apart:
                    return None
                fits &= copies * size + rest <= count * group
                met = met + 2 * guests
            lost += self._met(operand, widths[port] * memory.views[-1], met)
        return lost, fits

    def _met(self, operand: Operand, banks: int, accesses: Column) -> Column:
        """Cycles lost to accesses of others among the banks that a reader reads."""
        words = _beat_words(operand, self.space.memory.word_bytes)
        share = 1
        if banks >= 2 * words:
            share = 64
            if operand.strided:
                share = 2 if operand.indices and operand.lane in operand.indices[-1].dims else 8
                if operand.rows and operand.indices[-1].coefficient(operand.lane) > 1:
                    share = 8
        return -(-accesses // (words * share))

    def _span(self, operand: Operand) -> int:
        """Groups of banks over which the words of one beat lie in different banks."""
        memory = self.space.memory
        banks = _beat_words(operand, memory.word_bytes)
        if operand.rows:
            banks = max(banks, Mover(self.space, operand).row_banks)
        span = 1
        while span * memory.views[-1] < banks:
            span *= 2
        return span

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
        words = 0
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
            cycles, count = self._tile(operand, named, dict(zip(outside, index, strict=True)))
            seen.append(cycles + space.paths[operand.port].setup_cycles)
            words += count
        size = self._size(operand, named, outside)
        return Part(size, len(seen), sum(seen), seen[0], seen[-1], words)

    def _tile(self, operand: Operand, named: Tiles, at: dict[str, int]) -> tuple[int, int]:
        space = self.space
        own = tuple((d, named[d].tile, at[d]) for d in at if d in operand.dims)
        key = (operand.port, own)
        if key not in self.tiles:
            origin = dict.fromkeys(space.extents, 0) | {d: i * tile for d, tile, i in own}
            extent = dict(space.extents)
            extent.update({d: min(t, space.extents[d] - i * t) for d, t, i in own})
            outside = {d for d, _, _ in own}
            self.tiles[key] = Mover(space, operand).tile(origin, extent, outside)
        return self.tiles[key]

    def _jobs(self, named: Tiles) -> Jobs:
        space, machine = self.space, self.space.machine
        ranges = [range(named[d].trips) if d in named else range(1) for d in space.extents]
        split = any(named[d].trips > 1 for d in named if d in space.reduced)
        drain = machine.partial_drain if split else machine.tile_drain
        cycles = []
        all_steps = all_tiles = 0
        for index in itertools.product(*ranges):
            tiles = steps = 1
            sizes = {}
            for dim, i in zip(space.extents, index, strict=True):
                tile = named[dim].tile if dim in named else space.extents[dim]
                sizes[dim] = min(tile, space.extents[dim] - i * tile)
            row = space.binding.steps[0].rows
            if row:  # lanes run through rows: all positions of both dims one after the other
                lane = space.binding.dim("m")
                sizes[lane] *= sizes.pop(row)
            for dim, size in sizes.items():
                count = -(-size // space.steps[dim])
                if dim in space.reduced:
                    steps *= count
                else:
                    tiles *= count
            cycles.append(tiles * max(steps * machine.step_cycles, drain))
            all_steps += tiles * steps
            all_tiles += tiles
        total = sum(cycles) + machine.launch_overhead * len(cycles)
        chunks = prod(named[d].trips for d in named if d in space.reduced)
        return Jobs(
            total, cycles[0], cycles[-1], len(cycles), all_steps, all_tiles, all_tiles // chunks
        )

    # --- objectives ---------------------------------------------------------------------------

    def _latency(self, nest: Nest, jobs: Jobs, lost: Column) -> Column:
        space, machine = self.space, self.space.machine
        compute = jobs.cycles + np.where(lost < FAR, lost, 0)
        store = nest[space.stores[0].port]
        fill = sum((nest[o.port]["first"] for o in space.loads), np.zeros_like(compute))
        alone = np.zeros_like(compute)
        moves = np.zeros_like(compute)
        loads = np.zeros_like(compute)
        paths = [fill + jobs.first + store["total"] - store["last"]]
        for operand in self.movers:
            column = nest[operand.port]
            lead = column["last"] if operand.role is Role.OUTPUT else column["first"]
            wait = space.paths[operand.port].latency_cycles
            rest = column["total"] - lead + wait * (column["exchanges"] - 1)
            alone += np.where(column["copies"] == 1, rest, 0)
            moves += column["exchanges"]
            loads += 0 if operand.role is Role.OUTPUT else column["total"]
            paths.append(fill + (compute + jobs.first + rest + 1) // 2)
        paths.append(fill + compute + alone)
        paths.append(loads + jobs.last)
        paths.append(machine.launch_words * jobs.launches + machine.move_words * moves)
        longest = np.max(np.stack(np.broadcast_arrays(*paths)), axis=0)
        return longest + store["last"] + machine.start + machine.end

    def _dram(self, nest: Nest) -> Column:
        return nest.words([o.port for o in self.movers]) * self.space.memory.word_bytes

    def _energy(self, nest: Nest, jobs: Jobs) -> Column:
        """Femtojoules of transfers at both ends, of array steps, of tiles written and resumed."""
        space, machine = self.space, self.space.machine
        near, far = space.memory, space.acg.off_chip[0]
        loads, stores = ([o.port for o in group] for group in (space.loads, space.stores))
        read = far.read_femtojoules_per_word + near.write_femtojoules_per_word
        write = near.read_femtojoules_per_word + far.write_femtojoules_per_word
        moved = read * nest.words(loads) + write * nest.words(stores)
        spent = machine.step_energy * jobs.steps + machine.tile_energy * jobs.ended
        return moved + spent + machine.partial_energy * (jobs.tiles - jobs.ended)


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


def partial_words(space: Space) -> int:
    """Words of one tile of raw partial sums."""
    partial = space.partial
    if partial is None:
        return 0
    return prod(n for _, n in partial.beat) * partial.dtype.bytes // space.memory.word_bytes


def _beat_words(operand: Operand, word: int) -> int:
    return max(1, prod(n for _, n in operand.beat) * operand.dtype.bytes // word)
