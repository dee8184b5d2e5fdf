"""Waits of the array that two buffers do not hide: what `mapper.gaps` counts, for variables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from ortools.sat.python import cp_model

from covenant.mapper.constraints.placement import Residency
from covenant.mapper.constraints.product import bounds, product
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.gaps import watched
from covenant.mapper.sharing import stretch
from covenant.mapper.sites import Site
from covenant.mapper.space import Space


def add_gaps(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: Mapping[str, Residency],
    double: Mapping[str, cp_model.IntVar],
) -> list[cp_model.LinearExprT]:
    """Terms to add to the cycles of the array."""
    sites = watched(space)
    if not sites:
        return []
    found: list[cp_model.LinearExprT] = []
    high = 1 << 40
    if len(sites) > 1:
        crowd = model.new_int_var(0, high, "crowded")
        for rare, often in itertools.permutations(sites, 2):
            _crowded(model, tiling, residencies, double, crowd, (rare, often))
        found.append(crowd)
    cut = model.new_int_var(0, high, "short")
    fewer = model.new_int_var(0, bounds(tiling.launches)[1], "short_launches")
    model.add(fewer == tiling.launches - tiling.full)
    for site in sites:
        _short(model, tiling, residencies[site.key], double, cut, fewer)
    late = model.new_int_var(0, high, "behind")
    for site in (s for s in sites if s.operand.source is not None):
        _behind(model, space, tiling, residencies[site.key], double, late)
    return [*found, cut, late]


def _crowded(
    model: cp_model.CpModel,
    tiling: Tiling,
    residencies: Mapping[str, Residency],
    double: Mapping[str, cp_model.IntVar],
    crowd: cp_model.IntVar,
    pair: tuple[Site, Site],
) -> None:
    rare, often = (residencies[s.key] for s in pair)
    name = f"{rare.site.key}_{often.site.key}"
    wait = often.site.road.latency_cycles
    slow = stretch(rare.site.operand)
    top = slow * bounds(rare.first)[1]
    rarer = model.new_bool_var(f"rarer_{name}")
    model.add(rare.exchanges <= often.exchanges).only_enforce_if(rarer)
    model.add(rare.exchanges > often.exchanges).only_enforce_if(rarer.negated())
    most = bounds(rare.exchanges)[1]
    half = model.new_int_var(0, bounds(often.exchanges)[1] // 2, f"half_{name}")
    model.add_division_equality(half, often.exchanges, 2)
    times = model.new_int_var(0, most, f"times_{name}")
    model.add_min_equality(times, [rare.exchanges - 1, half])
    late = model.new_int_var(0, wait + bounds(often.first)[1] + top, f"late_{name}")
    model.add_max_equality(late, [0, wait + often.first + slow * rare.first - tiling.first])
    least = model.new_int_var(0, top, f"least_{name}")
    model.add_min_equality(least, [late, slow * rare.first])
    lost = product(model, [times, least], f"crowd_{name}", 1)
    both = [double[rare.site.key], double[often.site.key]]
    model.add(crowd >= lost).only_enforce_if(rarer, *both)


def _short(
    model: cp_model.CpModel,
    tiling: Tiling,
    residency: Residency,
    double: Mapping[str, cp_model.IntVar],
    cut: cp_model.IntVar,
    fewer: cp_model.IntVar,
) -> None:
    key, wait = residency.site.key, residency.site.road.latency_cycles
    late = model.new_int_var(0, wait + bounds(residency.first)[1], f"late_{key}")
    model.add_max_equality(late, [0, wait + residency.first - tiling.last])
    lost = product(model, [fewer, late], f"short_{key}", 1)
    often = model.new_bool_var(f"often_{key}")
    model.add(2 * residency.exchanges > tiling.launches).only_enforce_if(often)
    model.add(2 * residency.exchanges <= tiling.launches).only_enforce_if(often.negated())
    model.add(2 * cut >= lost).only_enforce_if(often, double[key])


def _behind(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residency: Residency,
    double: Mapping[str, cp_model.IntVar],
    late: cp_model.IntVar,
) -> None:
    key, wait = residency.site.key, residency.site.road.latency_cycles
    ahead = space.machine.queued
    left = model.new_int_var(0, wait + bounds(residency.first)[1], f"left_{key}")
    model.add_max_equality(left, [0, wait + residency.first - ahead * tiling.first])
    later = model.new_int_var(0, bounds(residency.exchanges)[1] - 1, f"later_{key}")
    model.add(later == residency.exchanges - 1)
    lost = product(model, [later, left], f"behind_{key}", 1)
    many = model.new_bool_var(f"many_{key}")
    model.add(tiling.launches > ahead * residency.exchanges).only_enforce_if(many)
    model.add(tiling.launches <= ahead * residency.exchanges).only_enforce_if(many.negated())
    model.add(late >= lost).only_enforce_if(many, double[key])
