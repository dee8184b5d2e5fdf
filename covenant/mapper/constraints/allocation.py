"""Capacity and banks: every copy that lives at the same time has its own addresses, and the buffers
of the array's input streams may have banks of their own."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from ortools.sat.python import cp_model

from covenant.mapper.banking import (
    CROWD,
    HOSTED,
    PARTIAL_WEIGHT,
    Plan,
    access_rate,
    collides,
    copy_limit,
    crowding,
    group_count,
    guest_limit,
    guest_view,
    reader_banks,
    readers,
    served,
    shared_loss,
    shared_rates,
    turns_limit,
)
from covenant.mapper.constraints.placement import Residency
from covenant.mapper.constraints.product import bounds, total
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.sharing import disturb, press
from covenant.mapper.space import Space, loop_key


@dataclass(frozen=True)
class Allocation:
    """Variables of the allocation: words in use, which plan of the banks, cycles lost to
    conflicts, those that transfers are pressed by the array, those of busy banks."""

    used: cp_model.LinearExpr
    plan: list[cp_model.IntVar]
    lost: cp_model.LinearExpr
    pressed: cp_model.LinearExprT = 0
    busy: cp_model.LinearExprT = 0


def add_allocation(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: dict[str, Residency],
    double: dict[str, cp_model.IntVar],
    limit_words: int | None,
) -> Allocation:
    """At most `limit_words` in use of the banked memory, and the size of every other (None: no
    limit and one plan only). Partial sums that the node can keep take room only when the reduction
    is split."""
    placed = {k: r for k, r in residencies.items() if not r.site.follows}
    room = {k: _room(model, space, tiling, r, double, limit_words) for k, r in placed.items()}
    if limit_words is None:
        return Allocation(total(_bytes(space, room)), [], total([]))
    for memory in dict.fromkeys(r.site.memory for r in placed.values()):
        own = {k: v for k, v in room.items() if placed[k].site.memory.name == memory.name}
        size = memory.size_bytes // memory.word_bytes
        banked = memory.name == space.memory.name
        model.add(total(own.values()) <= (limit_words if banked else size))
    room = {o.port: room[o.port] for o in space.banked}
    residencies = {o.port: residencies[o.port] for o in space.banked}
    used = total(room.values())
    chosen = [model.new_bool_var(f"plan_{i}") for i in range(len(space.plans))]
    model.add_exactly_one(chosen)
    losses = []
    pressed = model.new_int_var(0, bounds(tiling.compute)[1], "pressed")
    busy = model.new_int_var(0, 2 * _most_accesses(space, tiling, residencies), "busy")
    for plan, selected in zip(space.plans, chosen, strict=True):
        if plan.shared:
            losses.append(_shared_loss(model, space, tiling, residencies, selected))
            _press(model, space, tiling, pressed, readers(space.banked), (selected,))
            continue
        _add_plan(model, space, plan, selected, residencies, double, room)
        guests = _guest_words(space, tiling, residencies, plan)
        if not plan.host and guests:
            _keep_busy(model, space, plan, selected, double, busy, CROWD[0] * 2 * total(guests))
    for operand in readers(space.banked):
        losses += _reader_losses(model, space, tiling, residencies, double, operand, chosen)
        for plan, selected in zip(space.plans, chosen, strict=True):
            if not plan.shared and collides(plan, operand.port):
                given = (selected, double[operand.port])
                _press(model, space, tiling, pressed, (operand,), given, plan)
    return Allocation(used, chosen, total(losses), pressed, busy)


def _keep_busy(
    model: cp_model.CpModel,
    space: Space,
    plan: Plan,
    selected: cp_model.IntVar,
    double: dict[str, cp_model.IntVar],
    busy: cp_model.IntVar,
    served: cp_model.LinearExpr,
) -> None:
    """What `sharing.busy_cycles` says of the banks of other buffers: of both halves, where all
    results have two copies."""
    banks, _, _ = guest_view(space.memory, plan)
    if not plan.halves:
        model.add(CROWD[1] * banks * busy >= served).only_enforce_if(selected)
        return
    model.add(CROWD[1] * 2 * banks * busy >= served).only_enforce_if(selected)
    for port in (o.port for o in space.banked if o.role is Role.OUTPUT and o.port in double):
        once = double[port].negated()
        model.add(CROWD[1] * banks * busy >= served).only_enforce_if(selected, once)


def _press(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    pressed: cp_model.IntVar,
    operands: tuple[Operand, ...],
    given: tuple[cp_model.IntVar, ...],
    plan: Plan | None = None,
) -> None:
    """Cycles that transfers lose to an array in the same banks."""
    memory = space.memory
    banks = memory.banks if plan is None else reader_banks(memory, plan, operands[0].port)
    numerator, denominator = press(memory, operands, banks, space.machine.pace)
    if numerator:
        model.add(denominator * pressed >= numerator * tiling.array).only_enforce_if(*given)


def _reader_losses(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: dict[str, Residency],
    double: dict[str, cp_model.IntVar],
    operand: Operand,
    chosen: list[cp_model.IntVar],
) -> list[cp_model.IntVar]:
    """Cycles a reader loses to others in its banks, and to its own lanes."""
    port, memory = operand.port, space.memory
    words = residencies[port].words
    most = _most_accesses(space, tiling, residencies)
    lost = model.new_int_var(0, most + 1, f"lost_{port}")
    self_lost = model.new_int_var(0, bounds(tiling.uneven)[1], f"lost_lanes_{port}")
    for plan, selected in zip(space.plans, chosen, strict=True):
        if plan.shared:
            continue
        banks = reader_banks(memory, plan, port)
        if crowding(operand, banks) > 1:
            model.add(self_lost >= tiling.uneven).only_enforce_if(selected)
        guests: cp_model.LinearExpr = total([])
        if plan.host == port:
            guests = 2 * total(_guest_words(space, tiling, residencies, plan))
            _lose(model, space, tiling, lost, operand, banks, guests, (selected,))
        if collides(plan, port):
            given = (selected, double[port])
            _lose(model, space, tiling, lost, operand, banks, guests + words, given)
    return [lost, self_lost]


def _lose(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    lost: cp_model.IntVar,
    operand: Operand,
    banks: int,
    accesses: cp_model.LinearExpr,
    given: tuple[cp_model.IntVar, ...],
) -> None:
    """What `banking.reader_loss` says of accesses to a reader's banks."""
    numerator, denominator = access_rate(space.memory, operand, banks)
    if numerator:
        model.add(denominator * lost >= numerator * accesses).only_enforce_if(*given)
    own = served(space.memory, operand, banks, 1, 0)
    share = served(space.memory, operand, banks, 0, 1)
    needed = own * tiling.steps + share * accesses
    had = HOSTED[1] * banks * (lost + tiling.array)
    model.add(had >= needed).only_enforce_if(*given)


def _guest_words(
    space: Space, tiling: Tiling, residencies: dict[str, Residency], plan: Plan
) -> list[cp_model.LinearExprT]:
    """Words written once to the buffers that have no group of their own."""
    moved: list[cp_model.LinearExprT] = [
        r.words
        for p, r in residencies.items()
        if p not in plan.groups and r.site.operand.role is not Role.PARTIAL
    ]
    return [*moved, PARTIAL_WEIGHT * tiling.raw_words(space)]


def _bytes(space: Space, room: dict[str, cp_model.IntVar]) -> list[cp_model.LinearExprT]:
    """Sizes in units that the words of all memories are multiples of."""
    found = {key: space.site(key).memory.word_bytes for key in room}
    unit = gcd(*found.values())
    return [found[key] // unit * words for key, words in room.items()]


def _size(model: cp_model.CpModel, residency: Residency) -> cp_model.LinearExprT:
    """Words of the memory that one copy takes, whole ones."""
    own, word = residency.site.word_bytes, residency.site.memory.word_bytes
    if own == word:
        return residency.size
    if own % word == 0:
        return own // word * residency.size
    high = -(-bounds(residency.size)[1] * own // word)
    whole = model.new_int_var(0, high, f"whole_{residency.site.key}")
    model.add(word * whole >= own * residency.size)
    return whole


def _most_accesses(space: Space, tiling: Tiling, residencies: dict[str, Residency]) -> int:
    """An upper bound on the words that disturb a reader."""
    moved = sum(bounds(r.words)[1] for r in residencies.values())
    return 2 * (moved + PARTIAL_WEIGHT * tiling.most_raw_words(space))


def _room(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residency: Residency,
    double: dict[str, cp_model.IntVar],
    limit_words: int | None,
) -> cp_model.IntVar:
    """Words of the memory that all copies of an operand take."""
    key = residency.site.key
    memory = residency.site.memory
    size = _size(model, residency)
    high = -(-bounds(residency.size)[1] * residency.site.word_bytes // memory.word_bytes)
    if limit_words is not None:
        limit = (
            limit_words
            if memory.name == space.memory.name
            else memory.size_bytes // memory.word_bytes
        )
        high = min(high, limit)
    room = model.new_int_var(0, 2 * high, f"room_{key}")
    if residency.site.operand.role is not Role.PARTIAL or residency.site.operand.kept:
        model.add(room >= size)
        model.add(room >= 2 * size).only_enforce_if(double[key])
        return room
    whole = model.new_bool_var("unsplit")
    for dim in (loop_key(d, space.levels - 1) for d in space.reduced):
        if dim in tiling.row:
            model.add(tiling.row[dim] == 0).only_enforce_if(whole)
    model.add(room >= size).only_enforce_if(whole.negated())
    return room


def _shared_loss(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: dict[str, Residency],
    selected: cp_model.IntVar,
) -> cp_model.IntVar:
    """Cycles that readers in all banks lose to one another and to others."""
    names = {o.port for o in readers(space.banked)}
    moved = {p: r for p, r in residencies.items() if r.site.operand.role is not Role.PARTIAL}
    all_words = total(r.words for r in moved.values())
    most = sum(bounds(r.words)[1] for r in moved.values())
    if space.machine.pace:
        numerator, denominator = disturb(space.memory, space.banked, space.machine.pace)
        lost = model.new_int_var(0, most * numerator // denominator + 1, "lost")
        model.add(denominator * lost >= numerator * all_words).only_enforce_if(selected)
        return lost
    sums, raw = tiling.raw_words(space), tiling.most_raw_words(space)
    guests = total(r.words for p, r in moved.items() if p not in names)
    high = max(
        shared_loss(space.memory, space.banked, steps, most, raw, most)
        for steps in bounds(tiling.steps)
    )
    lost = model.new_int_var(0, high, "lost")
    for rate in shared_rates(space.memory, space.banked):
        spent = rate.steps * tiling.steps + rate.words * all_words + rate.sums * sums
        spent = spent + rate.guests * guests
        model.add(rate.denominator * lost >= spent).only_enforce_if(selected)
    return lost


def _add_plan(
    model: cp_model.CpModel,
    space: Space,
    plan: Plan,
    selected: cp_model.IntVar,
    residencies: dict[str, Residency],
    double: dict[str, cp_model.IntVar],
    room: dict[str, cp_model.IntVar],
) -> None:
    """Under a plan readers keep to their groups and all others to theirs."""
    words = space.memory.size_bytes // space.memory.word_bytes // group_count(space.memory)
    for port in (p for p in plan.groups if p):
        size = residencies[port].size
        model.add(size <= copy_limit(plan, port, words, 1)).only_enforce_if(selected)
        model.add(size <= copy_limit(plan, port, words, 2)).only_enforce_if(selected, double[port])
    if plan.turns:
        taken = [p for p in plan.groups if p]
        model.add_bool_and(double[p] for p in taken).only_enforce_if(selected)
        sizes = total(residencies[p].size for p in taken)
        model.add(sizes <= turns_limit(plan, words)).only_enforce_if(selected)
    others = total(
        residencies[p].size if plan.halves else r for p, r in room.items() if p not in plan.groups
    )
    if plan.host and plan.apart(plan.host):
        model.add_implication(selected, double[plan.host])
        others = others + residencies[plan.host].size
    elif plan.host:
        others = others + room[plan.host]
    model.add(others <= guest_limit(plan, words)).only_enforce_if(selected)
