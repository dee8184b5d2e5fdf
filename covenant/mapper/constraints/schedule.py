"""Loop order, buffer depth and the latency terms.

An order is a permutation of the loops of a level; cuts are prefixes of it. The sets of loops inside
the cuts are therefore nested, and any nested family of sets has an order: nesting is all the model
needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from ortools.sat.python import cp_model

from covenant.mapper.constraints.allocation import Allocation
from covenant.mapper.constraints.gaps import add_gaps
from covenant.mapper.constraints.placement import Residency
from covenant.mapper.constraints.product import bounds, total
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.latency import LongPath, fills, paths, rest
from covenant.mapper.mapping import Role
from covenant.mapper.space import Space, loop_key


def add_nesting(model: cp_model.CpModel, space: Space, residencies: list[Residency]) -> None:
    """One loop order serves the cuts of all sites; the tile of an inner memory is part of that of
    the outer one."""
    for level in range(space.levels):
        cut = (
            [r for r in residencies if loop_key(space.tiled[0], level) in r.inside]
            if (space.tiled)
            else []
        )
        for left, right in itertools.combinations(cut, 2):
            within = model.new_bool_var(f"within_{left.site.key}_{right.site.key}_{level}")
            for dim in space.tiled:
                one, other = left.inside[loop_key(dim, level)], right.inside[loop_key(dim, level)]
                model.add_implication(one, other).only_enforce_if(within)
                model.add_implication(other, one).only_enforce_if(within.negated())
    for outer, inner in itertools.pairwise(residencies):
        if outer.site.operand.port == inner.site.operand.port:
            for key, lies in outer.inside.items():
                model.add_implication(inner.inside[key], lies)


def add_copies(model: cp_model.CpModel, residencies: list[Residency]) -> dict[str, cp_model.IntVar]:
    """Per site whether it is double buffered; what is exchanged once is not, nor are partial sums
    that never leave."""
    followed = {r.site.follows for r in residencies}
    double: dict[str, cp_model.IntVar] = {}
    for residency in residencies:
        site = residency.site
        if site.follows:
            continue
        double[site.key] = model.new_bool_var(f"double_{site.key}")
        still = site.operand.role is Role.PARTIAL and site.outer is None
        if still and site.key not in followed:
            model.add(double[site.key] == 0)
        else:
            model.add(residency.exchanges >= 2).only_enforce_if(double[site.key])
    return double


def add_latency(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: dict[str, Residency],
    double: dict[str, cp_model.IntVar],
    allocation: Allocation,
) -> cp_model.IntVar:
    """Cycles of the whole layer: the largest of the paths that `cost` describes."""
    machine = space.machine
    moved = [residencies[s.key] for s in space.moved]
    known: dict[tuple[str, str], cp_model.LinearExprT] = {
        ("", "compute"): tiling.compute + allocation.lost,
        ("", "first"): tiling.first,
        ("", "last"): tiling.last,
        ("", "pressed"): allocation.pressed,
        ("", "busy"): allocation.busy,
        ("", "records"): machine.record_cycles * tiling.records,
    }
    for residency in moved:
        known.update(_quantities(residency))
        site = residency.site
        exposed = model.new_int_var(0, _highest(space, residency), f"serial_{site.key}")
        single = double[site.follows or site.key].negated()
        model.add(exposed >= _sum(rest(space, site), known)).only_enforce_if(single)
        known[site.key, "exposed"] = exposed
    fill = model.new_int_var(0, 1 << 40, "fill")
    for path in fills(space):
        model.add(fill >= _sum(path, known))
    known["", "fill"] = fill
    known["", "gaps"] = total(add_gaps(model, space, tiling, residencies, double))
    longest = model.new_int_var(0, 1 << 40, "longest")
    for path in paths(space):
        model.add(path.shares * longest >= _sum(path, known))
    if machine.launch_words:
        model.add(longest >= _words(model, space, tiling, moved))
    latency = model.new_int_var(0, 1 << 40, "latency")
    ends = total(r.last for r in moved if r.site.operand.role is Role.OUTPUT)
    model.add(latency == longest + ends + machine.start + machine.end)
    return latency


def _words(
    model: cp_model.CpModel, space: Space, tiling: Tiling, moved: list[Residency]
) -> cp_model.LinearExprT:
    """Instruction words of all launches."""
    machine = space.machine
    words = machine.launch_words * tiling.launches
    for r in moved:
        words = words + (machine.move_words + space.pad_words(r.site)) * r.exchanges
    if not machine.queued:
        return words
    turns = model.new_int_var(0, bounds(tiling.launches)[1], "turns")
    short = 2 * tiling.launches - 2 * tiling.full
    model.add_min_equality(turns, [tiling.launches, short])
    if tiling.pairs is not None:
        words = words + machine.piece_words * tiling.pairs
    return words + machine.turn_words * turns + tiling.last + machine.control


def _sum(
    path: LongPath, known: Mapping[tuple[str, str], cp_model.LinearExprT]
) -> cp_model.LinearExpr:
    parts = (known[p.key, p.quantity] for p in path.parts)
    terms = [x if p.times == 1 else p.times * x for p, x in zip(path.parts, parts, strict=True)]
    return total([*terms, path.constant] if path.constant else terms)


def _quantities(residency: Residency) -> dict[tuple[str, str], cp_model.LinearExprT]:
    key = residency.site.key
    return {
        (key, "exchanges"): residency.exchanges,
        (key, "total"): residency.total,
        (key, "first"): residency.first,
        (key, "last"): residency.last,
        (key, "back"): 0 if residency.back_total is None else residency.back_total,
    }


def _highest(space: Space, residency: Residency) -> int:
    back = 0 if residency.back_total is None else bounds(residency.back_total)[1]
    wait = residency.site.road.latency_cycles + space.pad_words(residency.site)
    return bounds(residency.total)[1] + back + wait * bounds(residency.exchanges)[1]
