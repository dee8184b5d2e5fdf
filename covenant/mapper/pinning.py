"""Pins as constraints of a model.

In: a `Model`, pins that name what its space has. Out: the model with a constraint per pin.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import assert_never

from covenant.mapper.banking import Plan, guest_view, reader_base, turns_limit
from covenant.mapper.constraints.placement import Residency
from covenant.mapper.model import Model
from covenant.mapper.pins import (
    AddressPin,
    BanksPin,
    BindPin,
    CopiesPin,
    CutPin,
    FusePin,
    MemoryPin,
    OrderPin,
    Pin,
    TilePin,
)
from covenant.mapper.pins_check import keeps_banks, tile_rows
from covenant.mapper.space import loop_key


def restrict(model: Model, pins: Sequence[Pin]) -> None:
    """Only decisions that keep the pins; those of binding and memory are kept by the space."""
    for pin in pins:
        match pin.decision:
            case TilePin() as tile:
                _tile(model, tile)
            case OrderPin(memory, dims):
                _order(model, dims, _level(model, memory))
            case CutPin() as cut:
                _cut(model, cut)
            case CopiesPin(operand, memory, copies):
                for residency in _of(model, operand, memory):
                    key = residency.site.key
                    if key in model.double:
                        model.proto.add(model.double[key] == copies - 1)
            case BanksPin() as banks:
                plans = model.space.plans
                _plans(model, [keeps_banks(banks, plan) for plan in plans])
            case AddressPin() as address:
                _plans(model, [_may_start(model, address, plan) for plan in model.space.plans])
            case FusePin() | BindPin() | MemoryPin():
                pass
            case _ as never:
                assert_never(never)


def _of(model: Model, name: str, memory: str = "") -> list[Residency]:
    """Residencies of a port or tensor, in a memory or, when it is not said which, in all."""
    return [
        r
        for r in model.residencies.values()
        if name in (r.site.operand.port, r.site.operand.tensor)
        and memory in ("", r.site.memory.name)
    ]


def _level(model: Model, memory: str) -> int:
    """The level whose loops iterate the tiles of a memory, the outermost when none is named."""
    depths = (s.depth for s in model.space.sites if s.memory.name == memory)
    return next(depths, 1) - 1


def _tile(model: Model, pin: TilePin) -> None:
    rows = model.space.rows[pin.dim]
    allowed = [rows.index(row) for row in tile_rows(model.space, pin)]
    row = model.tiling.row.get(loop_key(pin.dim, _level(model, pin.memory)))
    if row is None:
        if not allowed:
            model.proto.add_bool_or([])
        return
    model.proto.add_allowed_assignments([row], [(i,) for i in allowed])


def _order(model: Model, dims: Sequence[str], level: int) -> None:
    """A loop that lies inside a cut has all later loops inside it too."""
    tiled = [d for d in dims if d in model.tiling.row]
    for outer, inner in itertools.combinations(tiled, 2):
        looped = model.proto.new_bool_var(f"looped_{outer}_{inner}")
        row = model.tiling.row[loop_key(outer, level)]
        around = model.tiling.row[loop_key(outer, level - 1)] if level else 0
        model.proto.add(row >= around + 1).only_enforce_if(looped)
        model.proto.add(row == around).only_enforce_if(looped.negated())
        for residency in model.residencies.values():
            one = residency.inside.get(loop_key(outer, level))
            other = residency.inside.get(loop_key(inner, level))
            if one is not None and other is not None:
                model.proto.add_implication(one, other).only_enforce_if(looped)


def _cut(model: Model, pin: CutPin) -> None:
    for residency in _of(model, pin.operand, pin.memory):
        level = residency.site.depth - 1
        own = {d: residency.inside.get(loop_key(d, level)) for d in model.space.tiled}
        for dim, inside in own.items():
            if inside is None:
                continue
            if pin.outside is not None:
                model.proto.add(inside == int(dim not in pin.outside))
            elif dim in pin.inside:
                model.proto.add(inside == 1)
        missing = set(pin.outside or ()) - set(own)
        if missing:  # a dim that is not split has no loop
            model.proto.add_bool_or([])


def _plans(model: Model, allowed: Sequence[bool]) -> None:
    for selected, good in zip(model.allocation.plan, allowed, strict=False):
        if not good:
            model.proto.add(selected == 0)


def _may_start(model: Model, pin: AddressPin, plan: Plan) -> bool:
    """Whether a plan leaves the pinned addresses to the operand: the first copy of a reader starts
    its groups, of those that take turns lies in the first half of theirs; other buffers lie where
    the plan leaves room for them."""
    memory = model.space.memory
    group = memory.size_bytes // (memory.banks // memory.views[-1])
    for residency in _of(model, pin.operand, pin.memory):
        if residency.site.memory.name != memory.name:
            continue
        port = residency.site.operand.port
        if port in plan.groups:
            start = reader_base(memory, plan, port) + plan.groups[port][0] * group
            room = turns_limit(plan, group) if plan.turns else 1
            if not start <= pin.addresses[0] < start + room:
                return False
            continue
        low, high = 0, memory.size_bytes
        if plan.host:
            first, count = plan.groups[plan.host]
            base = reader_base(memory, plan, plan.host)
            low, high = base + first * group, base + (first + count) * group
        elif not plan.shared:
            _, low, _ = guest_view(memory, plan)
            high = low + plan.groups[""][1] * group
        if not all(low <= address < high for address in pin.addresses):
            return False
    return True
