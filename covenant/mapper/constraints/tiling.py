"""Tile sizes: one tabled (trips, tile) choice per dim, and the array steps that follow from it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import bounds, product
from covenant.mapper.space import Row, Space, reduction_columns


@dataclass(frozen=True)
class Tiling:
    """Variables of the tiling: row index and trips per split dim; launches; compute cycles of all
    launches, of the first and of the last; array steps; output tiles; raw partial tiles (0
    unsplit); chunks of the reduction (1 when it is not split)."""

    row: dict[str, cp_model.IntVar]
    trips: dict[str, cp_model.IntVar]
    launches: cp_model.IntVar
    compute: cp_model.IntVar
    first: cp_model.IntVar
    last: cp_model.IntVar
    steps: cp_model.IntVar
    tiles: cp_model.IntVar
    partials: cp_model.IntVar


def add_tiling(model: cp_model.CpModel, space: Space) -> Tiling:
    """Variables and tables of the tile choices."""
    row = {d: model.new_int_var(0, len(space.rows[d]) - 1, f"row_{d}") for d in space.tiled}
    trips: dict[str, cp_model.IntVar] = {}
    totals: list[cp_model.IntVar] = []
    firsts: list[cp_model.IntVar] = []
    lasts: list[cp_model.IntVar] = []
    fixed_total = fixed_job = 1
    for dim in space.inner:
        if dim in space.reduced:
            continue
        if dim not in row:
            fixed_total *= space.job_steps(dim, space.extents[dim])
            fixed_job *= space.job_steps(dim, space.extents[dim])
            continue
        table = [(i, r.trips, *_steps(space, dim, r)) for i, r in enumerate(space.rows[dim])]
        made = _tabled(model, row[dim], table, ("trips", "steps", "job", "tail"), dim)
        trips[dim] = made[0]
        totals.append(made[1])
        firsts.append(made[2])
        lasts.append(made[3])
    split = [d for d in space.reduced if d in row]
    for dim in split:
        counts = [(i, r.trips) for i, r in enumerate(space.rows[dim])]
        (trips[dim],) = _tabled(model, row[dim], counts, ("trips",), dim)
    cycles, first, last, steps, chunks = _reduction(model, space, split, row)
    outer = product(model, totals, "outer", fixed_total)
    launches = product(model, list(trips.values()), "launches", 1)
    compute = product(model, [outer, cycles], "compute", 1, space.machine.launch_overhead, launches)
    more = model.new_int_var(0, bounds(chunks)[1] - 1, "more_chunks")
    model.add(more == chunks - 1)
    return Tiling(
        row,
        trips,
        launches,
        compute,
        product(model, [*firsts, first], "first_job", fixed_job),
        product(model, [*lasts, last], "last_job", fixed_job),
        product(model, [outer, steps], "all_steps", 1),
        outer,
        product(model, [outer, more], "partials", 1),
    )


def _steps(space: Space, dim: str, row: Row) -> tuple[int, int, int]:
    """Array steps along a dim: of all tiles, of a full one, of the last one."""
    tail = space.extents[dim] - (row.trips - 1) * row.tile
    total = space.summed_steps(dim, row.trips, row.tile)
    return total, space.job_steps(dim, row.tile), space.job_steps(dim, tail)


def _reduction(
    model: cp_model.CpModel, space: Space, split: list[str], row: dict[str, cp_model.IntVar]
) -> list[cp_model.IntVar]:
    """Cycles of all chunks, of the first, of the last, array steps and number of chunks."""
    table = []
    for choice in itertools.product(*(enumerate(space.rows[d]) for d in split)):
        named = {d: r for d, (_, r) in zip(split, choice, strict=True)}
        table.append((*(i for i, _ in choice), *reduction_columns(space, named)))
    names = ("cycles", "first", "last", "steps", "chunks")
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
