"""Waits of the array that two buffers do not hide: what `mapper.gaps` counts, for variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from covenant.mapper.constraints.placement import Residency
from covenant.mapper.constraints.product import bounds, product, quotient, total
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.gaps import watched
from covenant.mapper.sharing import stretch
from covenant.mapper.space import Space

_HIGH = 1 << 40


@dataclass(frozen=True)
class _Turns:
    """An input whose slots take turns: how often the one that is filled again most often is, cycles
    by which each comes late (less than none where it is early); times as long that its banks make
    it take, most cycles of a tile then."""

    residency: Residency
    double: cp_model.IntVar
    half: cp_model.IntVar
    late: cp_model.IntVar
    slow: int
    top: int


def add_gaps(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: Mapping[str, Residency],
    double: Mapping[str, cp_model.IntVar],
) -> list[cp_model.LinearExprT]:
    """Terms to add to the cycles of the array."""
    watches = [residencies[s.key] for s in watched(space)]
    if not watches:
        return []
    turns = [_turns(model, tiling.compute, r, double[r.site.key]) for r in watches]
    longest = model.new_int_var(0, _HIGH, "turns")
    for each in turns:
        _add_turns(model, longest, each, [t for t in turns if t is not each])
    cut = model.new_int_var(0, _HIGH, "short")
    fewer = model.new_int_var(0, bounds(tiling.launches)[1], "short_launches")
    model.add(fewer == tiling.launches - tiling.full)
    for each in turns:
        _short(model, tiling, each, cut, fewer)
    return [longest, cut]


def _turns(
    model: cp_model.CpModel,
    compute: cp_model.IntVar,
    residency: Residency,
    double: cp_model.IntVar,
) -> _Turns:
    site, exchanges = residency.site, residency.exchanges
    half = model.new_int_var(0, (bounds(exchanges)[1] - 1) // 2, f"half_{site.key}")
    even = model.new_bool_var(f"even_{site.key}")
    model.add(exchanges == 2 * half + 1 + even)
    slow = stretch(site.operand)
    top = slow * bounds(residency.first)[1]
    enough = site.road.latency_cycles + 2 * top
    life = quotient(model, compute, exchanges, f"life_{site.key}", enough)
    beats = product(model, [residency.total], f"beats_{site.key}", slow)
    load = quotient(model, beats, exchanges, f"load_{site.key}", top)
    low = site.road.latency_cycles - bounds(life)[1]
    high = site.road.latency_cycles + bounds(load)[1]
    late = model.new_int_var(low, high, f"late_{site.key}")
    model.add(late == site.road.latency_cycles + load - life)
    return _Turns(residency, double, half, late, slow, top)


def _add_turns(
    model: cp_model.CpModel, longest: cp_model.IntVar, turns: _Turns, others: Sequence[_Turns]
) -> None:
    """Cycles lost as slots take turns, and wait for the beats of others that change with them."""
    key, high = turns.residency.site.key, max(0, bounds(turns.late)[1])
    least = model.new_int_var(0, high, f"least_{key}")
    model.add(least >= turns.late)
    parts = [product(model, [turns.half, least], f"turns_{key}", 1)]
    early = model.new_bool_var(f"early_{key}") if others else None
    if early is not None:
        model.add(turns.late <= 0).only_enforce_if(early)
    for other in others:
        name = f"{other.residency.site.key}_{key}"
        exchanges, first = other.residency.exchanges, other.slow * other.residency.first
        met = model.new_int_var(0, min(bounds(exchanges)[1], bounds(turns.half)[1]), f"met_{name}")
        fewer = model.new_bool_var(f"fewer_{name}")
        model.add(met >= exchanges - 1).only_enforce_if(fewer)
        model.add(met >= turns.half).only_enforce_if(fewer.negated())
        beats = model.new_int_var(0, other.top, f"beats_{name}")
        assert early is not None
        model.add(beats >= turns.late + first).only_enforce_if(early)
        model.add(beats >= first).only_enforce_if(early.negated())
        crowd = product(model, [met, beats], f"crowd_{name}", 1)
        both = model.new_int_var(0, bounds(crowd)[1], f"both_{name}")
        model.add(both >= crowd).only_enforce_if(other.double)
        parts.append(both)
    model.add(longest >= total(parts)).only_enforce_if(turns.double)


def _short(
    model: cp_model.CpModel,
    tiling: Tiling,
    turns: _Turns,
    cut: cp_model.IntVar,
    fewer: cp_model.IntVar,
) -> None:
    residency = turns.residency
    key, wait = residency.site.key, residency.site.road.latency_cycles
    late = model.new_int_var(0, wait + turns.top, f"short_of_{key}")
    model.add_max_equality(late, [0, wait + turns.slow * residency.first - tiling.last])
    lost = product(model, [fewer, late], f"short_{key}", 1)
    often = model.new_bool_var(f"often_{key}")
    model.add(2 * residency.exchanges > tiling.launches).only_enforce_if(often)
    model.add(2 * residency.exchanges <= tiling.launches).only_enforce_if(often.negated())
    model.add(2 * cut >= lost).only_enforce_if(often, turns.double)
