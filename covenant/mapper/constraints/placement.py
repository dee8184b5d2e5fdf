"""Residency: which loops the tile of each site covers, and the footprint and traffic that follow.

Per site the set of loops inside its cut; per split dim the effective tile choice (that of the
innermost loop outside the cut, the whole extent where there is none). Footprint, transfer cycles
and words are products of the columns of its axis groups; loops it does not depend on multiply its
traffic where they lie outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import bounds, product
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.mapping import Role
from covenant.mapper.sites import Site
from covenant.mapper.space import Space, loop_key
from covenant.mapper.traffic import Columns


@dataclass(frozen=True)
class Residency:
    """Variables of one site: loops inside its cut (none where it moves with another); rows of its
    tile (by dim); exchanges of its tile; words of one copy; transfer cycles of all exchanges, the
    first of loads and the last of stores; words moved. Sums go out and come back in: the latter are
    `back_total` and `back_words`."""

    site: Site
    inside: dict[str, cp_model.IntVar]
    rows: dict[str, cp_model.IntVar]
    exchanges: cp_model.IntVar
    size: cp_model.IntVar
    total: cp_model.IntVar
    first: cp_model.IntVar
    last: cp_model.IntVar
    words: cp_model.IntVar
    back_total: cp_model.IntVar | None = None
    back_words: cp_model.IntVar | None = None


def fitting_rows(
    space: Space, site: Site, limit_words: int | None
) -> list[tuple[tuple[str, ...], list[tuple[tuple[int, ...], Columns]]]]:
    """Rows of all axis groups that do not exceed the memory whatever the other groups do."""
    tables = space.tables[site.key]
    least = [min(c.size for c in table.rows.values()) for table in tables]
    bounded = limit_words is not None and not site.follows
    bounded &= site.operand.role is not Role.PARTIAL or site.operand.kept
    kept = []
    for index, table in enumerate(tables):
        others = prod(least[:index] + least[index + 1 :])
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
    site: Site,
    leader: Residency | None,
    limit_words: int | None,
) -> Residency:
    """Variables and tables of one site; `leader`: the site whose tile it moves with."""
    if leader is not None:
        inside, rows = leader.inside, leader.rows
    else:
        inside, rows = _cut(model, space, tiling, site)
    operand = site.operand
    outside = [
        _trips(model, space, dim, rows[dim], f"n_{site.key}_{dim}")
        for dim in space.tiled
        if dim in operand.dims
    ]
    repeats = _repeats(model, space, tiling, site, inside, rows)
    made, constant = _columns(model, space, site, rows, limit_words)
    for name in ("total", "first", "last", "words"):
        constant[name] *= site.times
    exchanges = product(model, [*outside, *repeats], f"exchanges_{site.key}", 1)
    setup, lead = space.setup(site), space.lead(site)
    found = Residency(
        site,
        inside if leader is None else {},
        rows,
        exchanges,
        product(model, made["size"], f"size_{site.key}", constant["size"]),
        product(
            model,
            [*made["total"], *repeats],
            f"total_{site.key}",
            constant["total"],
            setup,
            exchanges,
        ),
        product(model, made["first"], f"first_{site.key}", constant["first"], offset=lead),
        product(model, made["last"], f"last_{site.key}", constant["last"], offset=lead),
        product(model, [*made["words"], *repeats], f"words_{site.key}", constant["words"]),
    )
    if operand.role is Role.PARTIAL and site.outer is not None:
        return _with_backs(model, found, made, constant, repeats, outside, setup)
    return found


def _with_backs(
    model: cp_model.CpModel,
    found: Residency,
    made: dict[str, list[cp_model.IntVar]],
    constant: dict[str, int],
    repeats: Sequence[cp_model.IntVar],
    outside: Sequence[cp_model.IntVar],
    setup: int,
) -> Residency:
    """Sums that come back: each time but the first, unless they have an initial value. Those that
    go off chip do so but for the last time, when they leave as results."""
    spills = found.site.spills
    if found.site.started and not spills:
        return replace(found, back_total=found.total, back_words=found.words)
    key = found.site.key
    rounds = product(model, list(repeats), f"rounds_{key}", 1)
    again = model.new_int_var(0, bounds(rounds)[1] - 1, f"again_{key}")
    model.add(again == rounds - 1)
    times = product(model, [*outside, again], f"backs_{key}", 1)
    total = product(
        model, [*made["total"], again], f"back_total_{key}", constant["total"], setup, times
    )
    words = product(model, [*made["words"], again], f"back_words_{key}", constant["words"])
    if spills:
        found = replace(found, total=total, words=words)
    return replace(found, back_total=total, back_words=words)


def _cut(
    model: cp_model.CpModel, space: Space, tiling: Tiling, site: Site
) -> tuple[dict[str, cp_model.IntVar], dict[str, cp_model.IntVar]]:
    """Per loop whether it lies inside the cut, and per dim the row of the tile. The cut lies in one
    level: all loops of those before it are outside, all of those behind it inside."""
    levels = range(site.depth)
    inside = {
        loop_key(d, level): model.new_bool_var(f"in_{site.key}_{loop_key(d, level)}")
        for level in levels
        for d in space.tiled
    }
    at: Sequence[cp_model.IntVar | None] = [None]
    if site.depth > 1:
        chosen = [model.new_bool_var(f"at_{site.key}_{level}") for level in levels]
        model.add_exactly_one(chosen)
        at = chosen
        for level in levels:
            for dim in space.tiled:
                lies = inside[loop_key(dim, level)]
                for other, cut in enumerate(chosen):
                    if other < level:
                        model.add_implication(cut, lies)
                    elif other > level:
                        model.add_implication(cut, lies.negated())
    rows: dict[str, cp_model.IntVar] = {}
    needed = [d for d in space.tiled if space.levels > 1 or d in site.operand.dims]
    for level, here in enumerate(at):
        _whole_inside(model, space, tiling, site, inside, level, here)
        for dim in needed:
            if dim not in rows:
                rows[dim] = model.new_int_var(0, len(space.rows[dim]) - 1, f"eff_{site.key}_{dim}")
            lies = inside[loop_key(dim, level)]
            enclosing: cp_model.LinearExprT = 0
            if level:
                enclosing = tiling.row[loop_key(dim, level - 1)]
            when = [] if here is None else [here]
            model.add(rows[dim] == enclosing).only_enforce_if(lies, *when)
            own = tiling.row[loop_key(dim, level)]
            model.add(rows[dim] == own).only_enforce_if(lies.negated(), *when)
    if site.operand.role is Role.PARTIAL and site.outer is None:
        for dim in (d for d in space.reduced if d in tiling.row):
            if dim in rows:
                model.add(rows[dim] == 0)
            else:
                model.add(inside[dim] == 1)
    return inside, rows


def _whole_inside(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    site: Site,
    inside: dict[str, cp_model.IntVar],
    level: int,
    here: cp_model.IntVar | None,
) -> None:
    """A loop of one trip in the level of the cut lies inside it."""
    for dim in space.tiled:
        key = loop_key(dim, level)
        whole = model.new_bool_var(f"whole_{site.key}_{key}")
        if here is None:
            model.add(tiling.row[key] == 0).only_enforce_if(whole)
            model.add(tiling.row[key] >= 1).only_enforce_if(whole.negated())
            model.add_implication(whole, inside[key])
            continue
        enclosing: cp_model.LinearExprT = tiling.row[loop_key(dim, level - 1)] if level else 0
        model.add(tiling.row[key] == enclosing).only_enforce_if(whole)
        model.add(tiling.row[key] >= enclosing + 1).only_enforce_if(whole.negated())
        model.add(inside[key] == 1).only_enforce_if(whole, here)


def _columns_of(site: Site) -> tuple[str, ...]:
    """The columns that any constraint reads: of what is loaded the first tile, of what is stored
    the last one, of what stays in its memory only the size."""
    if site.outer is None:
        return ("size",)
    match site.operand.role:
        case Role.INPUT | Role.CONSTANT:
            return ("size", "total", "first", "words")
        case Role.OUTPUT:
            return ("size", "total", "last", "words")
        case Role.PARTIAL:
            return ("size", "total", "words")


def _columns(
    model: cp_model.CpModel,
    space: Space,
    site: Site,
    effective: dict[str, cp_model.IntVar],
    limit_words: int | None,
) -> tuple[dict[str, list[cp_model.IntVar]], dict[str, int]]:
    """Per column the varying factors of all axis groups, and the product of the constant ones; 1
    for columns that nothing reads."""
    names = ("size", "total", "first", "last", "words")
    made: dict[str, list[cp_model.IntVar]] = {name: [] for name in names}
    constant = dict.fromkeys(names, 1)
    for index, (split, table) in enumerate(fitting_rows(space, site, limit_words)):
        varying = []
        for name in _columns_of(site):
            values = sorted({getattr(c, name) for _, c in table})
            if len(values) == 1:
                constant[name] *= values[0]
                continue
            domain = cp_model.Domain.from_values(values)
            variable = model.new_int_var_from_domain(domain, f"{name}_{site.key}_{index}")
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
    site: Site,
    inside: dict[str, cp_model.IntVar],
    rows: dict[str, cp_model.IntVar],
) -> list[cp_model.IntVar]:
    """Trips of loops outside the cut that the operand does not depend on: each repeats its traffic.
    A result is written once, however often its reduction is resumed."""
    found: list[cp_model.IntVar] = []
    role = site.operand.role
    if role is Role.OUTPUT or not site.repeats or (role is Role.PARTIAL and site.outer is None):
        return found
    for dim in space.tiled:
        if dim in site.operand.dims or (site.follows and dim in space.reduced):
            continue
        if dim in rows:
            found.append(_trips(model, space, dim, rows[dim], f"rep_{site.key}_{dim}"))
            continue
        repeat = model.new_int_var(
            1, max(r.trips for r in space.rows[dim]), f"rep_{site.key}_{dim}"
        )
        model.add(repeat == 1).only_enforce_if(inside[dim])
        model.add(repeat == tiling.trips[dim]).only_enforce_if(inside[dim].negated())
        found.append(repeat)
    return found
