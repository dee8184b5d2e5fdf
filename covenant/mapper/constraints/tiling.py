"""Tile sizes: one tabled (trips, tile) choice per dim and level, and the array steps that follow
from those of the innermost level."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import bounds, product, total
from covenant.mapper.space import Row, Space, loop_key
from covenant.mapper.tally import reduction_columns


@dataclass(frozen=True)
class Share:
    """Variables of what one shape of the array does: array steps, their cycles, those of the first
    and of the last launch; positions of the stationary operand, those of it that follow another
    chunk of what it lacks (0 unsplit), output tiles."""

    steps: cp_model.IntVar
    cycles: cp_model.IntVar
    first: cp_model.IntVar
    last: cp_model.IntVar
    outer: cp_model.IntVar
    partials: cp_model.IntVar
    tiles: cp_model.IntVar


@dataclass(frozen=True)
class Tiling:
    """Variables of the tiling: row index per loop; of the innermost level trips per split dim,
    launches, compute cycles of all launches, those of the array alone, of the first and of the
    last, array steps, launches with whole tiles, those that take a second launch in another shape
    of the array, records read, steps that lanes which meet in a bank lose; per shape its share."""

    row: dict[str, cp_model.IntVar]
    trips: dict[str, cp_model.IntVar]
    launches: cp_model.IntVar
    compute: cp_model.IntVar
    array: cp_model.IntVar
    first: cp_model.IntVar
    last: cp_model.IntVar
    steps: cp_model.IntVar
    full: cp_model.IntVar
    pairs: cp_model.IntVar | None
    records: cp_model.IntVar
    uneven: cp_model.IntVar
    shares: tuple[Share, ...]

    def raw_words(self, space: Space) -> cp_model.LinearExpr:
        """Words of partial sums."""
        return total(s.machine.partial_words * x.partials for s, x in self._pairs(space))

    def most_raw_words(self, space: Space) -> int:
        """A bound on them."""
        return sum(s.machine.partial_words * bounds(x.partials)[1] for s, x in self._pairs(space))

    def _pairs(self, space: Space) -> list[tuple[Space, Share]]:
        return list(zip(space.shapes, self.shares, strict=True))


def add_tiling(model: cp_model.CpModel, space: Space) -> Tiling:
    """Variables and tables of the tile choices."""
    rows = {
        key: model.new_int_var(0, len(space.rows[d]) - 1, f"row_{key}")
        for level in range(space.levels)
        for d in space.tiled
        for key in [loop_key(d, level)]
    }
    _nest(model, space, rows)
    row = {d: rows[loop_key(d, space.levels - 1)] for d in space.tiled}
    fixed = {d: space.job_steps(d, space.extents[d]) for d in space.inner if d not in row}
    counted = _count(model, space, row, "")
    trips, totals = counted.trips, counted.totals
    split = [d for d in space.swept if d in row]
    for dim in split:
        counts = [(i, r.trips) for i, r in enumerate(space.rows[dim])]
        (trips[dim],) = _tabled(model, row[dim], counts, ("trips",), dim)
    cycles, first, last, steps, chunks, uneven = _reduction(model, space, split, row, "")
    outer = product(model, list(totals.values()), "outer", counted.fixed)
    launches = product(model, list(trips.values()), "launches", 1)
    array = product(model, [outer, cycles], "array", 1)
    rest = _rest(model, space, row, trips) if space.rest is not None else None
    pairs = rest[1] if rest is not None else None
    busy = array if rest is None else _sum(model, (array, rest[0].cycles), "whole_array")
    issued = launches if pairs is None else _sum(model, (launches, pairs), "issued")
    compute = product(model, [busy], "compute", 1, space.machine.launch_overhead, issued)
    more = model.new_int_var(0, bounds(chunks)[1] - 1, "more_chunks")
    model.add(more == chunks - 1)
    own = Share(
        cycles=array,
        first=product(model, [*counted.firsts, first], "first_job", counted.fixed),
        last=product(model, [*counted.lasts, last], "last_job", counted.fixed),
        steps=product(model, [outer, steps], "all_steps", 1),
        outer=outer,
        partials=product(model, [outer, more], "partials", 1),
        tiles=_tiles(model, space, row, totals, fixed, outer),
    )
    full = _full(model, space, row, launches)
    records = _records(model, space, trips, totals, fixed)
    if rest is not None and space.machine.record_cycles:
        records = _sum(model, (records, rest[2]), "all_records")
    shares = (own,) if rest is None else (own, rest[0])
    return Tiling(
        rows,
        trips,
        launches,
        compute,
        busy,
        _sum(model, [s.first for s in shares], "whole_first"),
        _sum(model, [s.last for s in shares], "whole_last"),
        _sum(model, [s.steps for s in shares], "whole_steps"),
        full,
        pairs,
        records,
        product(model, [outer, uneven], "all_uneven", 1),
        shares,
    )


def _sum(model: cp_model.CpModel, parts: Sequence[cp_model.IntVar], name: str) -> cp_model.IntVar:
    """The sum of variables; a single one itself."""
    if len(parts) == 1:
        return parts[0]
    ends = [bounds(p) for p in parts]
    made = model.new_int_var(sum(a for a, _ in ends), sum(b for _, b in ends), name)
    model.add(made == total(parts))
    return made


@dataclass(frozen=True)
class _Counts:
    """Variables of the split dims that are not swept: trips, array steps of all tiles, of the first
    and of the last; steps along all other dims."""

    trips: dict[str, cp_model.IntVar]
    totals: dict[str, cp_model.IntVar]
    firsts: list[cp_model.IntVar]
    lasts: list[cp_model.IntVar]
    fixed: int


def _count(
    model: cp_model.CpModel, space: Space, row: dict[str, cp_model.IntVar], suffix: str
) -> _Counts:
    whole = [d for d in space.inner if d not in row and d not in space.swept]
    found = _Counts({}, {}, [], [], prod(space.job_steps(d, space.extents[d]) for d in whole))
    for dim in space.tiled:
        if dim in space.swept:
            continue
        table = [(i, r.trips, *_steps(space, dim, r)) for i, r in enumerate(space.rows[dim])]
        names = ("trips", "steps", "job", "tail")
        made = _tabled(model, row[dim], table, names, f"{dim}{suffix}")
        found.trips[dim] = made[0]
        found.totals[dim] = made[1]
        found.firsts.append(made[2])
        found.lasts.append(made[3])
    return found


def _rest(
    model: cp_model.CpModel,
    space: Space,
    row: dict[str, cp_model.IntVar],
    trips: dict[str, cp_model.IntVar],
) -> tuple[Share, cp_model.IntVar, cp_model.IntVar]:
    """What the second shape does, launches that both take part in, records that its own read."""
    shape, pieces = space.rest, space.pieces
    assert shape is not None
    assert pieces is not None
    counted = _count(model, shape, row, "_rest")
    split = [d for d in space.swept if d in row]
    cycles, first, last, steps, chunks, _ = _reduction(model, shape, split, row, "_rest")
    outer = product(model, list(counted.totals.values()), "outer_rest", counted.fixed)
    more = model.new_int_var(0, bounds(chunks)[1] - 1, "more_chunks_rest")
    model.add(more == chunks - 1)
    share = Share(
        cycles=product(model, [outer, cycles], "array_rest", 1),
        first=product(model, [*counted.firsts, first], "first_job_rest", counted.fixed),
        last=product(model, [*counted.lasts, last], "last_job_rest", counted.fixed),
        steps=product(model, [outer, steps], "all_steps_rest", 1),
        outer=outer,
        partials=product(model, [outer, more], "partials_rest", 1),
        tiles=outer,
    )
    dim, constant = pieces.dim, 1
    both = dict(trips)
    if dim in row:
        table = [(i, space.pairs(dim, r)) for i, r in enumerate(space.rows[dim])]
        (both[dim],) = _tabled(model, row[dim], table, ("pairs",), dim)
    else:
        constant = space.pairs(dim, Row(1, space.extents[dim]))
    pairs = product(model, list(both.values()), "pairs", constant)
    anew = [d for d in space.recorded if d not in space.swept]
    factors = [
        counted.totals[d] if d in anew and d in counted.totals else v for d, v in both.items()
    ]
    fixed = [d for d in anew if d not in row]
    constant *= prod(space.job_steps(d, space.extents[d]) for d in fixed)
    return share, pairs, product(model, factors, "records_rest", constant)


def _full(
    model: cp_model.CpModel,
    space: Space,
    row: dict[str, cp_model.IntVar],
    launches: cp_model.IntVar,
) -> cp_model.IntVar:
    """Launches with whole tiles; only counted where launches are queued."""
    if not space.machine.queued:
        return launches
    factors = []
    for dim in space.tiled:
        table = [(i, space.full_trips(dim, r)) for i, r in enumerate(space.rows[dim])]
        factors += _tabled(model, row[dim], table, ("full",), dim)
    return product(model, factors, "full_launches", 1)


def _records(
    model: cp_model.CpModel,
    space: Space,
    trips: dict[str, cp_model.IntVar],
    totals: dict[str, cp_model.IntVar],
    fixed: dict[str, int],
) -> cp_model.IntVar:
    """Records that all launches read; only counted where one takes time."""
    if not space.machine.record_cycles:
        return model.new_constant(0)
    anew = space.recorded
    factors = [totals[d] if d in anew and d in totals else trips[d] for d in trips]
    constant = prod(n for d, n in fixed.items() if d in anew and d not in space.swept)
    return product(model, factors, "records", constant)


def _nest(model: cp_model.CpModel, space: Space, rows: dict[str, cp_model.IntVar]) -> None:
    """Inner tiles divide outer ones that are cut, so that tiles of one depth form one grid."""
    for dim in space.tiled:
        table = [
            (i, j)
            for i, one in enumerate(space.rows[dim])
            for j, other in enumerate(space.rows[dim])
            if j >= i and (i == 0 or one.tile % other.tile == 0)
        ]
        for level in range(1, space.levels):
            pair = [rows[loop_key(dim, level - 1)], rows[loop_key(dim, level)]]
            model.add_allowed_assignments(pair, table)


def _tiles(
    model: cp_model.CpModel,
    space: Space,
    row: dict[str, cp_model.IntVar],
    totals: dict[str, cp_model.IntVar],
    fixed: dict[str, int],
    outer: cp_model.IntVar,
) -> cp_model.IntVar:
    """Output tiles of the array; those of the stationary operand where sums are stationary."""
    if set(space.swept) == set(space.reduced) or not space.machine.tile_energy:
        return outer
    factors = []
    for dim in (d for d in space.tiled if d not in space.reduced):
        if dim not in totals:
            table = [(i, _steps(space, dim, r)[0]) for i, r in enumerate(space.rows[dim])]
            (totals[dim],) = _tabled(model, row[dim], table, ("steps",), dim)
        factors.append(totals[dim])
    constant = prod(n for d, n in fixed.items() if d not in space.reduced)
    return product(model, factors, "tiles", constant)


def _steps(space: Space, dim: str, row: Row) -> tuple[int, int, int]:
    """Array steps along a dim: of all tiles, of a full one, of the last one."""
    tail = space.extents[dim] - (row.trips - 1) * row.tile
    total = space.summed_steps(dim, row.trips, row.tile)
    return total, space.job_steps(dim, row.tile), space.job_steps(dim, tail)


def _reduction(
    model: cp_model.CpModel,
    space: Space,
    split: list[str],
    row: dict[str, cp_model.IntVar],
    suffix: str,
) -> list[cp_model.IntVar]:
    """Cycles of all chunks, of the first, of the last, array steps, chunks, uneven steps."""
    table = []
    for choice in itertools.product(*(enumerate(space.rows[d]) for d in split)):
        named = {d: r for d, (_, r) in zip(split, choice, strict=True)}
        table.append((*(i for i, _ in choice), *reduction_columns(space, named)))
    names = tuple(f"{n}{suffix}" for n in ("cycles", "first", "last", "steps", "chunks", "uneven"))
    return _tabled_many(model, [row[d] for d in split], table, names)


def _tabled(
    model: cp_model.CpModel,
    index: cp_model.IntVar,
    table: Sequence[tuple[int, ...]],
    names: tuple[str, ...],
    dim: str,
) -> list[cp_model.IntVar]:
    """Variables that follow a row index."""
    return _tabled_many(model, [index], table, tuple(f"{n}_{dim}" for n in names))


def _tabled_many(
    model: cp_model.CpModel,
    keys: list[cp_model.IntVar],
    table: Sequence[tuple[int, ...]],
    names: tuple[str, ...],
) -> list[cp_model.IntVar]:
    """Variables that follow several row indices; each tuple starts with the keys."""
    made = []
    for offset, name in enumerate(names, start=len(keys)):
        values = sorted({t[offset] for t in table})
        made.append(model.new_int_var_from_domain(cp_model.Domain.from_values(values), name))
    model.add_allowed_assignments([*keys, *made], table)
    return made
