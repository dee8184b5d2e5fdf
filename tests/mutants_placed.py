"""Mutations of placements, layouts and bindings; each is illegal for the reason beside it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from math import gcd
from typing import Any

from covenant.core.dtypes import DType
from covenant.mapper.mapping import Layout, Mapping, Placement, Role
from mutant_case import Case, any_placement, pick

# --- placements and layouts -----------------------------------------------------------------------


def not_placed(case: Case, rng: random.Random) -> Mapping | None:
    port = any_placement(case, rng).port
    placements = tuple(p for p in case.mapping.placements if p.port != port)
    return replace(case.mapping, placements=placements)


def placed_twice(case: Case, rng: random.Random) -> Mapping | None:
    placement = any_placement(case, rng)
    return replace(case.mapping, placements=(*case.mapping.placements, placement))


def unknown_port(case: Case, rng: random.Random) -> Mapping | None:
    return case.changed(any_placement(case, rng).port, port="q")


def other_tensor(case: Case, rng: random.Random) -> Mapping | None:
    left, right = rng.sample([p for p in case.mapping.placements if p.tensor], 2)
    return case.changed(left.port, tensor=right.tensor)


def other_role(case: Case, rng: random.Random) -> Mapping | None:
    placement = any_placement(case, rng)
    return case.changed(
        placement.port, role=rng.choice([r for r in Role if r is not placement.role])
    )


def other_dtype(case: Case, rng: random.Random) -> Mapping | None:
    placement = any_placement(case, rng)
    return case.changed(
        placement.port, dtype=rng.choice([d for d in DType if d is not placement.dtype])
    )


def off_chip(case: Case, rng: random.Random) -> Mapping | None:
    return case.changed(any_placement(case, rng).port, memory=case.acg.off_chip[0].name)


def _layouts(case: Case) -> Iterator[tuple[Placement, str, Layout]]:
    for placement in case.mapping.placements:
        yield placement, "layout", placement.layout
        if placement.home.bytes:
            yield placement, "home", placement.home


def _strides(case: Case, rng: random.Random, change: Callable[[int, int, int], int]) -> Any:
    """Change the stride of one part that several elements lie along; `change` gets it, that of the
    next narrower such part and the bytes of a word."""
    places = []
    for placement, field, layout in _layouts(case):
        parts = [i for i, a in enumerate(layout.axes) if a.extent > 1]
        parts.sort(key=lambda i: layout.axes[i].stride)
        for inner, outer in pairwise(parts):
            new = change(layout.axes[outer].stride, layout.axes[inner].stride, case.word(placement))
            if new != layout.axes[outer].stride:
                places.append((placement, field, layout, outer, new))
    place = pick(rng, places)
    if place is None:
        return None
    placement, field, layout, index, new = place
    axes = list(layout.axes)
    axes[index] = replace(axes[index], stride=new)
    return case.changed(placement.port, **{field: replace(layout, axes=tuple(axes))})


def elements_meet(case: Case, rng: random.Random) -> Mapping | None:
    """Two parts advance alike, so different elements share a place."""
    return _strides(case, rng, lambda outer, inner, word: inner)


def words_torn(case: Case, rng: random.Random) -> Mapping | None:
    """A part advances by half a word more."""
    return _strides(
        case, rng, lambda outer, inner, word: outer + word // 2 if outer % word == 0 else outer
    )


def layout_short(case: Case, rng: random.Random) -> Mapping | None:
    """One word for more than one."""
    places = [x for x in _layouts(case) if _reach(x[2]) >= case.word(x[0])]
    place = pick(rng, places)
    if place is None:
        return None
    placement, field, layout = place
    return case.changed(placement.port, **{field: replace(layout, bytes=case.word(placement))})


def _reach(layout: Layout) -> int:
    return sum((a.extent - 1) * a.stride for a in layout.axes)


def positions_left_out(case: Case, rng: random.Random) -> Mapping | None:
    """The last positions of an axis have no place: the index wraps."""
    places = []
    for placement, field, layout in _layouts(case):
        outermost = {a.axis: i for i, a in sorted(enumerate(layout.axes), key=lambda x: x[1].step)}
        places += [
            (placement, field, layout, i) for i in outermost.values() if layout.axes[i].extent > 1
        ]
    placement, field, layout, index = rng.choice(places)
    axes = list(layout.axes)
    axes[index] = replace(axes[index], extent=axes[index].extent - 1)
    return case.changed(placement.port, **{field: replace(layout, axes=tuple(axes))})


def touched_left_out(case: Case, rng: random.Random) -> Mapping | None:
    """Two neighbouring positions that iterations touch have one place."""
    places = []
    for placement in (p for p in case.mapping.placements if p.tensor):
        refs = [r for s in case.codelet.steps for r in (s.target, *s.refs)]
        ref = next(r for r in refs if r.name == placement.tensor)
        for number, part in enumerate(placement.layout.axes):
            terms = ref.indices[part.axis].terms
            apart = gcd(*(c for d, c in terms if case.codelet.extents[d] > 1))
            alone = [a.axis for a in placement.layout.axes].count(part.axis) == 1
            if alone and part.step == apart and part.extent > 1:
                places.append((placement, number))
    if not places:
        return None
    placement, number = rng.choice(places)
    axes = list(placement.layout.axes)
    extent = -(-axes[number].extent // 2)
    axes[number] = replace(axes[number], step=2 * axes[number].step, extent=extent)
    return case.changed(placement.port, layout=replace(placement.layout, axes=tuple(axes)))


def beat_scattered(case: Case, rng: random.Random) -> Mapping | None:
    """Neighbours of a word lie two apart."""
    placement = rng.choice([p for p in case.mapping.placements if p.tensor])
    layout = placement.layout
    last = replace(layout.axes[-1], stride=2 * layout.axes[-1].stride)
    return case.changed(placement.port, layout=replace(layout, axes=(*layout.axes[:-1], last)))


def partial_sums_at_home(case: Case, rng: random.Random) -> Mapping | None:
    partial = pick(rng, [p for p in case.mapping.placements if p.role is Role.PARTIAL])
    return partial and case.changed(partial.port, home=partial.layout)


# --- binding --------------------------------------------------------------------------------------


def dims_swapped(case: Case, rng: random.Random) -> Mapping | None:
    """Two dims of the first step change places: the statements no longer coincide."""
    dims = list(case.mapping.steps[0].dims)
    i, j = rng.sample(range(len(dims)), 2)
    dims[i], dims[j] = (dims[i][0], dims[j][1]), (dims[j][0], dims[i][1])
    return case.bound(0, dims=tuple(dims))


def dim_bound_twice(case: Case, rng: random.Random) -> Mapping | None:
    dims = list(case.mapping.steps[0].dims)
    i, j = rng.sample(range(len(dims)), 2)
    dims[i] = (dims[i][0], dims[j][1])
    return case.bound(0, dims=tuple(dims))


def chain_swapped(case: Case, rng: random.Random) -> Mapping | None:
    """The second step receives rows as columns."""
    if len(case.mapping.steps) < 2 or len(case.mapping.steps[1].dims) < 2:
        return None
    (a, x), (b, y) = case.mapping.steps[1].dims[:2]
    return case.bound(1, dims=((a, y), (b, x)))


def scalar_differs(case: Case, rng: random.Random) -> Mapping | None:
    steps = [i for i, s in enumerate(case.mapping.steps) if s.scalars]
    index = pick(rng, steps)
    if index is None:
        return None
    scalars = list(case.mapping.steps[index].scalars)
    place = rng.randrange(len(scalars))
    scalars[place] = (scalars[place][0], scalars[place][1] + 1)
    return case.bound(index, scalars=tuple(scalars))


def tensors_swapped(case: Case, rng: random.Random) -> Mapping | None:
    """Two read ports of the first step change their tensors."""
    target = case.codelet.steps[0].target.name
    tensors = list(case.mapping.steps[0].tensors)
    read = [i for i, (_, name) in enumerate(tensors) if name != target]
    i, j = rng.sample(read, 2)
    tensors[i], tensors[j] = (tensors[i][0], tensors[j][1]), (tensors[j][0], tensors[i][1])
    return case.bound(0, tensors=tuple(tensors))


def unknown_capability(case: Case, rng: random.Random) -> Mapping | None:
    return case.bound(rng.randrange(len(case.mapping.steps)), capability="q")


def step_missing(case: Case, rng: random.Random) -> Mapping | None:
    return replace(case.mapping, steps=case.mapping.steps[:-1])


def other_codelet(case: Case, rng: random.Random) -> Mapping | None:
    return replace(case.mapping, codelet=case.mapping.codelet + "_")
