"""Capacity and banks: every copy that lives at the same time has its own addresses, and the buffers
of the array's input streams may have banks of their own."""

from __future__ import annotations

from dataclasses import dataclass

from ortools.sat.python import cp_model

from covenant.mapper.banking import (
    PARTIAL_WEIGHT,
    Plan,
    access_rate,
    collides,
    copy_limit,
    group_count,
    guest_limit,
    reader_banks,
    readers,
    shared_loss,
    step_rate,
)
from covenant.mapper.constraints.placement import Residency
from covenant.mapper.constraints.product import bounds, total
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.space import Space


@dataclass(frozen=True)
class Allocation:
    """Variables of the allocation: words in use, which plan of the banks, cycles lost to
    conflicts."""

    used: cp_model.LinearExpr
    plan: list[cp_model.IntVar]
    lost: cp_model.LinearExpr


def add_allocation(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: dict[str, Residency],
    double: dict[str, cp_model.IntVar],
    limit_words: int | None,
) -> Allocation:
    """At most `limit_words` in use (None: no limit and one plan only). Partial sums take room only
    when the reduction is split."""
    room = {p: _room(model, space, tiling, r, double, limit_words) for p, r in residencies.items()}
    used = total(room.values())
    if limit_words is None:
        return Allocation(used, [], total([]))
    model.add(used <= limit_words)
    chosen = [model.new_bool_var(f"plan_{i}") for i in range(len(space.plans))]
    model.add_exactly_one(chosen)
    losses = []
    for plan, selected in zip(space.plans, chosen, strict=True):
        if plan.shared:
            losses.append(_shared_loss(model, space, tiling, selected))
            continue
        _add_plan(model, space, plan, selected, residencies, double, room)
    for operand in readers(space.operands):
        losses += _reader_losses(model, space, tiling, residencies, double, operand, chosen)
    return Allocation(used, chosen, total(losses))


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
    steps = tiling.steps
    self_lost = model.new_int_var(0, bounds(steps)[1], f"lost_lanes_{port}")
    for plan, selected in zip(space.plans, chosen, strict=True):
        if plan.shared:
            continue
        banks = reader_banks(memory, plan, port)
        numerator, denominator = step_rate(operand, banks)
        if numerator:
            model.add(denominator * self_lost >= numerator * steps).only_enforce_if(selected)
        guests = total([])
        numerator, denominator = access_rate(memory, operand, banks)
        if plan.host == port:
            guests = 2 * total(_guest_words(space, tiling, residencies, plan))
            model.add(denominator * lost >= numerator * guests).only_enforce_if(selected)
        if collides(plan, port):
            model.add(denominator * lost >= numerator * (guests + words)).only_enforce_if(
                selected, double[port]
            )
    return [lost, self_lost]


def _guest_words(
    space: Space, tiling: Tiling, residencies: dict[str, Residency], plan: Plan
) -> list[cp_model.LinearExprT]:
    """Words written once to the buffers that have no group of their own."""
    moved: list[cp_model.LinearExprT] = [
        r.words
        for p, r in residencies.items()
        if p not in plan.groups and r.operand.role is not Role.PARTIAL
    ]
    return [*moved, PARTIAL_WEIGHT * space.machine.partial_words * tiling.partials]


def _most_accesses(space: Space, tiling: Tiling, residencies: dict[str, Residency]) -> int:
    """An upper bound on the words that disturb a reader."""
    moved = sum(bounds(r.words)[1] for r in residencies.values())
    return 2 * (moved + PARTIAL_WEIGHT * space.machine.partial_words * bounds(tiling.partials)[1])


def _room(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residency: Residency,
    double: dict[str, cp_model.IntVar],
    limit_words: int | None,
) -> cp_model.IntVar:
    """Words of all copies of an operand."""
    port = residency.operand.port
    high = bounds(residency.size)[1]
    if limit_words is not None:
        high = min(high, limit_words)
    room = model.new_int_var(0, 2 * high, f"room_{port}")
    if residency.operand.role is not Role.PARTIAL:
        model.add(room >= residency.size)
        model.add(room >= 2 * residency.size).only_enforce_if(double[port])
        return room
    whole = model.new_bool_var("unsplit")
    for dim in space.reduced:
        if dim in tiling.row:
            model.add(tiling.row[dim] == 0).only_enforce_if(whole)
    model.add(room >= residency.size).only_enforce_if(whole.negated())
    return room


def _shared_loss(
    model: cp_model.CpModel, space: Space, tiling: Tiling, selected: cp_model.IntVar
) -> cp_model.IntVar:
    numerator, denominator = shared_loss(space.memory, space.operands)
    lost = model.new_int_var(0, bounds(tiling.steps)[1] * numerator // denominator + 1, "lost")
    model.add(denominator * lost >= numerator * tiling.steps).only_enforce_if(selected)
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
    others = total(r for p, r in room.items() if p not in plan.groups)
    if plan.host and plan.apart(plan.host):
        model.add_implication(selected, double[plan.host])
        others = others + residencies[plan.host].size
    elif plan.host:
        others = others + room[plan.host]
    model.add(others <= guest_limit(plan, words)).only_enforce_if(selected)
