"""Mutations of addresses, loops and residency; each is illegal for the reason beside it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from covenant.mapper.mapping import Loop, Mapping, Role
from covenant.mapper.verify import reduced_dims
from mutant_case import Case, any_placement, pick

# --- allocation -----------------------------------------------------------------------------------


def same_address(case: Case, rng: random.Random) -> Mapping | None:
    """Two buffers start at one address."""
    left, right = rng.sample(case.mapping.placements, 2)
    addresses = (right.addresses[0], *left.addresses[1:])
    return case.changed(left.port, addresses=addresses)


def last_word_shared(case: Case, rng: random.Random) -> Mapping | None:
    """The last word of one buffer is the first of another."""
    places = []
    for left in case.mapping.placements:
        for right in case.mapping.placements:
            at = right.addresses[0] - left.layout.bytes + case.word(left)
            size = case.acg.memory(left.memory).size_bytes
            if left.port != right.port and at >= 0 and at // size == right.addresses[0] // size:
                places.append((left, at))
    place = pick(rng, places)
    if place is None:
        return None
    left, at = place
    return case.changed(left.port, addresses=(at, *left.addresses[1:]))


def copies_overlap(case: Case, rng: random.Random) -> Mapping | None:
    """Both copies of a double buffer share their words."""
    double = pick(rng, [p for p in case.mapping.placements if p.copies == 2])
    return double and case.changed(double.port, addresses=(double.addresses[0],) * 2)


def beyond_the_end(case: Case, rng: random.Random) -> Mapping | None:
    """The last word lies outside the memory."""
    placement = any_placement(case, rng)
    memory = case.acg.memory(placement.memory)
    at = memory.address_bytes - placement.layout.bytes + memory.word_bytes
    return case.changed(placement.port, addresses=(at, *placement.addresses[1:]))


def negative_address(case: Case, rng: random.Random) -> Mapping | None:
    placement = any_placement(case, rng)
    addresses = (-case.word(placement), *placement.addresses[1:])
    return case.changed(placement.port, addresses=addresses)


def unaligned(case: Case, rng: random.Random) -> Mapping | None:
    placement = any_placement(case, rng)
    at = placement.addresses[0] + case.word(placement) // 2
    return case.changed(placement.port, addresses=(at, *placement.addresses[1:]))


def address_missing(case: Case, rng: random.Random) -> Mapping | None:
    placement = any_placement(case, rng)
    return case.changed(placement.port, addresses=placement.addresses[1:])


# --- loops ----------------------------------------------------------------------------------------


def _one_loop(case: Case, rng: random.Random, change: Callable[[Loop], Loop]) -> Mapping | None:
    if not case.loops:
        return None
    index = rng.randrange(len(case.loops))
    loops = case.loops
    loops[index] = change(loops[index])
    return case.nested(loops)


def one_trip_more(case: Case, rng: random.Random) -> Mapping | None:
    """The last tile would be empty."""
    return _one_loop(case, rng, lambda x: replace(x, trips=x.trips + 1))


def one_trip_less(case: Case, rng: random.Random) -> Mapping | None:
    """The last tile would be left out."""
    return _one_loop(case, rng, lambda x: replace(x, trips=x.trips - 1))


def tile_doubled(case: Case, rng: random.Random) -> Mapping | None:
    """Fewer trips would do: some tiles are empty."""
    return _one_loop(case, rng, lambda x: replace(x, tile=2 * x.tile))


def tile_halved(case: Case, rng: random.Random) -> Mapping | None:
    """Half of the dim would be left out."""
    return _one_loop(case, rng, lambda x: replace(x, tile=x.tile // 2))


def dim_looped_twice(case: Case, rng: random.Random) -> Mapping | None:
    loop = pick(rng, case.loops)
    return loop and case.nested([*case.loops, loop])


def unknown_dim(case: Case, rng: random.Random) -> Mapping | None:
    return _one_loop(case, rng, lambda x: replace(x, dim=x.dim + "_"))


def loop_left_out(case: Case, rng: random.Random) -> Mapping | None:
    """A resident tile no longer covers the dim of a loop that was outside of it."""
    places = [
        i
        for i, loop in enumerate(case.loops)
        if any(loop.dim in case.dims(p) and i < p.cut for p in case.mapping.placements)
    ]
    index = pick(rng, places)
    return None if index is None else case.nested(case.loops[:index] + case.loops[index + 1 :])


def inner_lacks_a_dim(case: Case, rng: random.Random) -> Mapping | None:
    index = rng.randrange(len(case.mapping.inner))
    inner = case.mapping.inner
    return replace(case.mapping, inner=inner[:index] + inner[index + 1 :])


def reduction_outside(case: Case, rng: random.Random) -> Mapping | None:
    """One launch would leave its result before it is whole."""
    reduced = reduced_dims(case.codelet)
    dim = rng.choice([d for d in case.mapping.inner if d in reduced])
    inner = (dim, *(d for d in case.mapping.inner if d != dim))
    return replace(case.mapping, inner=inner)


# --- residency ------------------------------------------------------------------------------------


def cut_beyond(case: Case, rng: random.Random) -> Mapping | None:
    return case.changed(any_placement(case, rng).port, cut=len(case.loops) + 1)


def cut_negative(case: Case, rng: random.Random) -> Mapping | None:
    return case.changed(any_placement(case, rng).port, cut=-1)


def cut_too_far_out(case: Case, rng: random.Random) -> Mapping | None:
    """The tile is to stay for all iterations of a loop but has no room for them."""
    places = [
        (p, i)
        for p in case.mapping.placements
        for i, loop in enumerate(case.loops[: p.cut])
        if loop.dim in case.dims(p)
    ]
    place = pick(rng, places)
    return place and case.changed(place[0].port, cut=place[1])


def three_copies(case: Case, rng: random.Random) -> Mapping | None:
    return case.changed(any_placement(case, rng).port, copies=3)


def no_copy(case: Case, rng: random.Random) -> Mapping | None:
    return case.changed(any_placement(case, rng).port, copies=0, addresses=())


def partial_sums_doubled(case: Case, rng: random.Random) -> Mapping | None:
    partial = pick(rng, [p for p in case.mapping.placements if p.role is Role.PARTIAL])
    return partial and case.changed(partial.port, copies=2, addresses=partial.addresses * 2)


def partial_sums_exchanged(case: Case, rng: random.Random) -> Mapping | None:
    """Partial sums would leave before their reduction is whole."""
    reduced = reduced_dims(case.codelet)
    split = [i for i, loop in enumerate(case.loops) if loop.dim in reduced]
    partial = pick(rng, [p for p in case.mapping.placements if p.role is Role.PARTIAL])
    if partial is None or not split:
        return None
    return case.changed(partial.port, cut=rng.choice(split) + 1)
