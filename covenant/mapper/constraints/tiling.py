"""Tile sizes: one tabled (trips, tile) choice per dim and level, and the array steps that follow
from those of the innermost level."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import bounds, product
from covenant.mapper.space import Row, Space, loop_key, reduction_columns


@dataclass(frozen=True)
class Tiling:
    """Variables of the tiling: row index per loop; of the innermost level trips per split dim,
    launches, compute cycles of all launches, those of the array alone, of the first and of the
    last, array steps, positions of the stationary operand, those of it that follow another chunk of
    what it lacks (0 unsplit), output tiles, launches with whole tiles, records read, steps that
    lanes which meet in a bank lose."""

    row: dict[str, cp_model.IntVar]
    trips: dict[str, cp_model.IntVar]
    launches: cp_model.IntVar
    compute: cp_model.IntVar
    array: cp_model.IntVar
    first: cp_model.IntVar
    last: cp_model.IntVar
    steps: cp_model.IntVar
    outer: cp_model.IntVar
    partials: cp_model.IntVar
    tiles: cp_model.IntVar
    full: cp_model.IntVar
    records: cp_model.IntVar
    uneven: cp_model.IntVar


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
    trips: dict[str, cp_model.IntVar] = {}
    totals: dict[str, cp_model.IntVar] = {}
    firsts: list[cp_model.IntVar] = []
    lasts: list[cp_model.IntVar] = []
    fixed = {d: space.job_steps(d, space.extents[d]) for d in space.inner if d not in row}
    fixed_outer = prod(n for d, n in fixed.items() if d not in space.swept)
    for dim in space.tiled:
        if dim in space.swept:
            continue
        table = [(i, r.trips, *_steps(space, dim, r)) for i, r in enumerate(space.rows[dim])]
        made = _tabled(model, row[dim], table, ("trips", "steps", "job", "tail"), dim)
        trips[dim] = made[0]
        totals[dim] = made[1]
        firsts.append(made[2])
        lasts.append(made[3])
    split = [d for d in space.swept if d in row]
    for dim in split:
        counts = [(i, r.trips) for i, r in enumerate(space.rows[dim])]
        (trips[dim],) = _tabled(model, row[dim], counts, ("trips",), dim)
    cycles, first, last, steps, chunks, uneven = _reduction(model, space, split, row)
    outer = product(model, list(totals.values()), "outer", fixed_outer)
    launches = product(model, list(trips.values()), "launches", 1)
    array = product(model, [outer, cycles], "array", 1)
    compute = product(model, [array], "compute", 1, space.machine.launch_overhead, launches)
    more = model.new_int_var(0, bounds(chunks)[1] - 1, "more_chunks")
    model.add(more == chunks - 1)
    return Tiling(
        rows,
        trips,
        launches,
        compute,
        array,
        product(model, [*firsts, first], "first_job", fixed_outer),
        product(model, [*lasts, last], "last_job", fixed_outer),
        product(model, [outer, steps], "all_steps", 1),
        outer,
        product(model, [outer, more], "partials", 1),
        _tiles(model, space, row, totals, fixed, outer),
        _full(model, space, row, launches),
        _records(model, space, trips, totals, fixed),
        product(model, [outer, uneven], "all_uneven", 1),
    )


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
    model: cp_model.CpModel, space: Space, split: list[str], row: dict[str, cp_model.IntVar]
) -> list[cp_model.IntVar]:
    """Cycles of all chunks, of the first, of the last, array steps, chunks, uneven steps."""
    table = []
    for choice in itertools.product(*(enumerate(space.rows[d]) for d in split)):
        named = {d: r for d, (_, r) in zip(split, choice, strict=True)}
        table.append((*(i for i, _ in choice), *reduction_columns(space, named)))
    names = ("cycles", "first", "last", "steps", "chunks", "uneven")
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
