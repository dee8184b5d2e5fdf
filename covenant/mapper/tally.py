"""What the array does for a tiling: steps and cycles of every shape of it, launches, records.

In: a space, the innermost row of every split dim. Out: `Tally`; `reduction_columns` also serves the
model's tables. RTL: cvn_gemm (steps, drain), cvn_params (records).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import prod

from covenant.mapper.banking import Work
from covenant.mapper.sharing import Sharing
from covenant.mapper.space import Row, Space


@dataclass(frozen=True, slots=True)
class Share:
    """What one shape of the array does in all launches: steps; cycles of all launches, of the first
    and of the last; positions of the stationary operand that follow another chunk, with their words
    of partial sums; output tiles; steps that lanes which meet in a bank lose; femtojoules."""

    steps: int
    cycles: tuple[int, int, int]
    partials: int
    tiles: int
    uneven: int
    energy: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Shares of the shapes; launches, those with whole tiles, those that take a second launch in
    another shape; records read; words of partial sums."""

    shares: tuple[Share, ...]
    launches: int
    full: int
    pairs: int
    records: int
    raw_words: int

    @staticmethod
    def of(space: Space, rows: dict[str, Row]) -> Tally:
        """The tally of a tiling; rows: of the innermost level."""
        shares = tuple(_share(shape, rows) for shape in space.shapes)
        launches = prod(r.trips for r in rows.values())
        full = prod(space.full_trips(d, row) for d, row in rows.items())
        records, pairs = launches, 0
        if space.machine.record_cycles:
            records = _records(space, rows)
        if space.pieces is not None:
            every = {d: rows.get(d, Row(1, space.extents[d])) for d in space.inner}
            pairs = prod(space.pairs(d, row) for d, row in every.items())
        words = (
            x.partials * s.machine.partial_words for x, s in zip(shares, space.shapes, strict=True)
        )
        return Tally(shares, launches, full, pairs, records, sum(words))

    @property
    def array(self) -> int:
        """Cycles of all launches without conflicts."""
        return sum(s.cycles[0] for s in self.shares)

    def load(self, space: Space) -> Work:
        """What the banks see of the array."""
        steps, uneven = sum(s.steps for s in self.shares), self.shares[0].uneven
        return Work(steps, self.array, space.machine.pace, uneven)

    def compute(self, space: Space) -> int:
        """Compute cycles without conflicts."""
        return self.array + (self.launches + self.pairs) * space.machine.launch_overhead

    def work(self, space: Space, shared: Sharing) -> dict[str, int]:
        """Quantities of the array: cycles of all launches, of the first and of the last, …"""
        return {
            "compute": self.compute(space) + shared.lost,
            "alone": self.compute(space),
            "first": sum(s.cycles[1] for s in self.shares),
            "last": sum(s.cycles[2] for s in self.shares),
            "full": self.full,
            "pairs": self.pairs,
            "records": self.records * space.machine.record_cycles,
            "pressed": shared.pressed,
            "busy": shared.busy,
        }

    def energy(self, space: Space) -> int:
        """Femtojoules of the array and its streams."""
        return sum(s.energy for s in self.shares) + space.machine.fixed_energy


def _share(space: Space, rows: dict[str, Row]) -> Share:
    """The share of the shape that a space is of."""
    cycles, first, last, steps, chunks, uneven = reduction_columns(space, rows)
    outer = outer_steps(space, rows)
    tiles, partials = outer[0], outer[0] * (chunks - 1)
    if set(space.swept) != set(space.reduced):
        tiles = prod(
            space.summed_steps(d, row.trips, row.tile)
            for d in space.inner
            if d not in space.reduced
            for row in [rows.get(d, Row(1, space.extents[d]))]
        )
    machine = space.machine
    energy = (
        machine.step_energy * outer[0] * steps
        + machine.tile_energy * tiles
        + machine.load_energy * (outer[0] + partials)
        + machine.partial_energy * partials
    )
    spent = (outer[0] * cycles, outer[1] * first, outer[2] * last)
    return Share(outer[0] * steps, spent, partials, tiles, outer[0] * uneven, energy)


def _records(space: Space, rows: dict[str, Row]) -> int:
    """Records that all launches read (cvn_params)."""
    count = more = 1
    for dim in space.inner:
        row = rows.get(dim, Row(1, space.extents[dim]))
        anew = dim in space.recorded and dim not in space.swept
        count *= space.summed_steps(dim, row.trips, row.tile) if anew else row.trips
        more *= space.summed_steps(dim, row.trips, row.tile) if anew else space.pairs(dim, row)
    return count + (more if space.pieces is not None else 0)


def outer_steps(space: Space, rows: dict[str, Row]) -> tuple[int, int, int]:
    """Output tiles of the array: of the whole layer, of the first and of the last launch."""
    total = first = last = 1
    for dim in space.inner:
        if dim in space.swept:
            continue
        row = rows.get(dim, Row(1, space.extents[dim]))
        tail = space.extents[dim] - (row.trips - 1) * row.tile
        total *= space.summed_steps(dim, row.trips, row.tile)
        first *= space.job_steps(dim, row.tile)
        last *= space.job_steps(dim, tail)
    return total, first, last


def reduction_columns(space: Space, rows: dict[str, Row]) -> tuple[int, int, int, int, int, int]:
    """Of one position of the stationary operand: cycles summed over all chunks of the dims it
    lacks, those of a full chunk and of the last one, array steps, chunks, steps missing to whole
    rounds of lanes that meet in a bank."""
    machine = space.machine
    kinds: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for dim in space.swept:
        row = rows.get(dim, space.rows[dim][0])
        tail = space.extents[dim] - (row.trips - 1) * row.tile
        full = space.job_steps(dim, row.tile)
        kinds.append(((row.trips - 1, full), (1, space.job_steps(dim, tail))))
    split = any(full[0] for full, _ in kinds)
    drain = machine.partial_drain if split else machine.tile_drain

    def cycles(count: int) -> int:
        busy = count * machine.step_cycles
        return max(busy, drain) if machine.overlaps else busy + drain

    total = steps = chunks = uneven = 0
    for chosen in itertools.product(*kinds):
        times, count = prod(n for n, _ in chosen), prod(size for _, size in chosen)
        total += times * cycles(count)
        steps += times * count
        chunks += times
        uneven += times * (-count % space.crowding)
    first = prod(full[1] if full[0] else tail[1] for full, tail in kinds)
    last = prod(tail[1] for _, tail in kinds)
    return total, cycles(first), cycles(last), steps, chunks, uneven
