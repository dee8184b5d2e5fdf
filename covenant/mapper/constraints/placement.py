"""Residency: which loops the tile of each operand covers, and the footprint and traffic that
follow.

Per operand the set of loops inside its cut; per split dim the effective tile choice (the whole
extent where the loop lies inside). Footprint, transfer cycles and off-chip words are products of
the columns of its axis groups; loops it does not depend on multiply its traffic where they lie
outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import product
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.space import Space
from covenant.mapper.traffic import Columns


@dataclass(frozen=True)
class Residency:
    """Variables of one operand: loops inside its cut; exchanges of its tile; words of one copy;
    transfer cycles of all exchanges, the first and the last one; off-chip words."""

    operand: Operand
    inside: dict[str, cp_model.IntVar]
    exchanges: cp_model.IntVar
    size: cp_model.IntVar
    total: cp_model.IntVar
    first: cp_model.IntVar
    last: cp_model.IntVar
    words: cp_model.IntVar


def fitting_rows(
    space: Space, operand: Operand, limit_words: int | None
) -> list[tuple[tuple[str, ...], list[tuple[tuple[int, ...], Columns]]]]:
    """Rows of all axis groups that do not exceed the memory whatever the other groups do."""
    tables = space.tables[operand.port]
    least = [min(c.size for c in table.rows.values()) for table in tables]
    kept = []
    for index, table in enumerate(tables):
        others = prod(least[:index] + least[index + 1 :])
        bounded = limit_words is not None and operand.role is not Role.PARTIAL
        rows = [
            (key, c)
            for key, c in table.rows.items()
            if not bounded or c.size * others <= (limit_words or 0)
        ]
        kept.append((table.dims, rows or list(table.rows.items())))
    return kept


def add_residency(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    operand: Operand,
    limit_words: int | None,
) -> Residency:
    """Variables and tables of one operand."""
    port = operand.port
    inside = _inside(model, space, tiling, operand)
    effective: dict[str, cp_model.IntVar] = {}
    outside: list[cp_model.IntVar] = []
    for dim in space.tiled:
        if dim in operand.dims:
            row = model.new_int_var(0, len(space.rows[dim]) - 1, f"eff_{port}_{dim}")
            model.add(row == 0).only_enforce_if(inside[dim])
            model.add(row == tiling.row[dim]).only_enforce_if(inside[dim].negated())
            effective[dim] = row
            outside.append(_trips(model, space, dim, row, f"n_{port}_{dim}"))
    repeats = _repeats(model, space, tiling, operand, inside)
    made, constant = _columns(model, space, operand, effective, limit_words)
    exchanges = product(model, [*outside, *repeats], f"exchanges_{port}", 1)
    setup = space.setup(operand)
    return Residency(
        operand,
        inside,
        exchanges,
        product(model, made["size"], f"size_{port}", constant["size"]),
        product(
            model, [*made["total"], *repeats], f"total_{port}", constant["total"], setup, exchanges
        ),
        product(model, made["first"], f"first_{port}", constant["first"], offset=setup),
        product(model, made["last"], f"last_{port}", constant["last"], offset=setup),
        product(model, [*made["words"], *repeats], f"words_{port}", constant["words"]),
    )


def _inside(
    model: cp_model.CpModel, space: Space, tiling: Tiling, operand: Operand
) -> dict[str, cp_model.IntVar]:
    """Per split dim whether its loop lies inside the cut; a loop of one trip always does, and so do
    the loops of the reduction for partial sums."""
    inside = {d: model.new_bool_var(f"in_{operand.port}_{d}") for d in space.tiled}
    for dim in space.tiled:
        whole = model.new_bool_var(f"whole_{operand.port}_{dim}")
        model.add(tiling.row[dim] == 0).only_enforce_if(whole)
        model.add(tiling.row[dim] >= 1).only_enforce_if(whole.negated())
        model.add_implication(whole, inside[dim])
        if operand.role is Role.PARTIAL and dim in space.reduced:
            model.add(inside[dim] == 1)
    return inside


_COLUMNS = ("size", "total", "first", "last", "words")


def _columns(
    model: cp_model.CpModel,
    space: Space,
    operand: Operand,
    effective: dict[str, cp_model.IntVar],
    limit_words: int | None,
) -> tuple[dict[str, list[cp_model.IntVar]], dict[str, int]]:
    """Per column the varying factors of all axis groups, and the product of the constant ones."""
    made: dict[str, list[cp_model.IntVar]] = {name: [] for name in _COLUMNS}
    constant = dict.fromkeys(_COLUMNS, 1)
    for index, (split, table) in enumerate(fitting_rows(space, operand, limit_words)):
        varying = []
        for name in _COLUMNS:
            values = sorted({getattr(c, name) for _, c in table})
            if len(values) == 1:
                constant[name] *= values[0]
                continue
            domain = cp_model.Domain.from_values(values)
            variable = model.new_int_var_from_domain(domain, f"{name}_{operand.port}_{index}")
            made[name].append(variable)
            varying.append((name, variable))
        if varying or len(table) < prod(len(space.rows[d]) for d in split):
            rows = [(*key, *(getattr(c, name) for name, _ in varying)) for key, c in table]
            keys = [effective[d] for d in split]
            model.add_allowed_assignments([*keys, *(v for _, v in varying)], rows)
    return made, constant


def _trips(
    model: cp_model.CpModel, space: Space, dim: str, row: cp_model.IntVar, name: str
) -> cp_model.IntVar:
    values = [r.trips for r in space.rows[dim]]
    trips = model.new_int_var_from_domain(cp_model.Domain.from_values(sorted(set(values))), name)
    model.add_element(row, values, trips)
    return trips


def _repeats(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    operand: Operand,
    inside: dict[str, cp_model.IntVar],
) -> list[cp_model.IntVar]:
    """Trips of loops outside the cut that the operand does not depend on: each repeats its traffic.
    A result is written once, however often its reduction is resumed."""
    found = []
    for dim in space.tiled:
        if dim in operand.dims or operand.role not in (Role.INPUT, Role.CONSTANT):
            continue
        repeat = model.new_int_var(
            1, max(r.trips for r in space.rows[dim]), f"rep_{operand.port}_{dim}"
        )
        model.add(repeat == 1).only_enforce_if(inside[dim])
        model.add(repeat == tiling.trips[dim]).only_enforce_if(inside[dim].negated())
        found.append(repeat)
    return found
