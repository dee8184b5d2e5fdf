"""From decisions to a mapping: loop order, cuts, layouts and addresses.

In: a `Space` and a `Choice` (tile rows, loops inside each cut, double buffers). Out: a `Mapping`
without a proof. Shared by the solver, pins and exhaustive tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass

from covenant.mapper.banking import Plan, copy_starts, group_count, reader_base
from covenant.mapper.mapping import (
    Goal,
    Layout,
    Level,
    Loop,
    Mapping,
    Placement,
    Proof,
    Role,
    Status,
)
from covenant.mapper.operands import Operand
from covenant.mapper.placement import ALIGNMENT_BYTES, home_layout, round_up, tile_layout
from covenant.mapper.space import Space

UNPROVEN = Proof(Status.FEASIBLE, (Goal("latency", "cycles", 0, 0),), 0.0, 0, 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """Decisions of one binding: row of every split dim; per port the dims inside its cut; ports
    that are double buffered; index of the plan of the banks; order of loops that may change
    places."""

    rows: Map[str, int]
    inside: Map[str, frozenset[str]]
    double: frozenset[str]
    plan: int = 0
    order: tuple[str, ...] = ()


def extract(space: Space, choice: Choice) -> Mapping:
    """The mapping that a choice describes."""
    rows = {d: space.rows[d][i] for d, i in choice.rows.items()}
    active = [d for d in space.tiled if rows[d].trips > 1]
    placed = [o for o in space.operands if _is_placed(space, o, active)]
    depth = {d: sum(d in choice.inside[o.port] for o in placed) for d in active}
    order = sorted(_arranged(active, choice.order), key=lambda d: depth[d])
    loops = tuple(Loop(d, rows[d].trips, rows[d].tile) for d in order)
    drafts = []
    for operand in placed:
        cut = sum(d not in choice.inside[operand.port] for d in order)
        while cut and order[cut - 1] not in operand.dims:
            cut -= 1
        resident = dict(space.extents)
        resident.update({loop.dim: loop.tile for loop in loops[:cut]})
        layout = tile_layout(operand, resident, space.inner, space.memory)
        exchanged = any(d in operand.dims for d in order[:cut])
        copies = 2 if operand.port in choice.double and exchanged else 1
        drafts.append((operand, cut, copies, layout))
    buffers = [(operand.port, copies, layout.bytes) for operand, _, copies, layout in drafts]
    addresses = addresses_of(space, space.plans[choice.plan], buffers)
    placements = tuple(
        _placement(space, operand, cut, copies, layout, at)
        for (operand, cut, copies, layout), at in zip(drafts, addresses, strict=True)
    )
    return Mapping(
        codelet=space.codelet.name,
        architecture=space.acg.name,
        steps=space.binding.steps,
        levels=(Level((space.memory.name,), loops),),
        inner=space.inner,
        placements=placements,
        proof=UNPROVEN,
        fused=space.codelet.fused,
    )


def _arranged(active: list[str], wanted: tuple[str, ...]) -> list[str]:
    """The loops in their own order, but the wanted ones among them in the wanted order."""
    named = iter([d for d in wanted if d in active])
    return [next(named) if d in wanted else d for d in active]


def _is_placed(space: Space, operand: Operand, active: list[str]) -> bool:
    """Partial sums take memory only when the reduction is split."""
    return operand.role is not Role.PARTIAL or any(d in space.reduced for d in active)


def _placement(
    space: Space, operand: Operand, cut: int, copies: int, layout: Layout, at: tuple[int, ...]
) -> Placement:
    home = Layout((), 0)
    if operand.role is not Role.PARTIAL:
        home = home_layout(operand, space.inner, space.memory)
    return Placement(
        memory=operand.memory,
        port=operand.port,
        tensor=operand.tensor,
        role=operand.role,
        dtype=operand.dtype,
        cut=cut,
        copies=copies,
        layout=layout,
        addresses=at,
        home=home,
    )


def addresses_of(
    space: Space, plan: Plan, buffers: list[tuple[str, int, int]]
) -> list[tuple[int, ...]]:
    """Addresses of every copy of (port, copies, bytes): readers in their groups of banks, the
    others one after another behind them."""
    memory = space.memory
    group = memory.size_bytes // group_count(memory)
    base = 0 if plan.shared else memory.size_bytes * (len(memory.views) - 1)
    start = 0 if plan.shared or plan.host else plan.groups[""][0] * group
    others = [(port, copies, size) for port, copies, size in buffers if port not in plan.groups]
    placed: dict[str, tuple[int, ...]] = {}
    limit = memory.size_bytes
    for port, copies, size in buffers:
        if port in plan.groups:
            starts = copy_starts(plan, port, group, copies, size)
            view = reader_base(memory, plan, port)
            placed[port] = tuple(view + at for at in starts)
            if port == plan.host:
                start = starts[-1] + size
                limit = round_up(start, plan.spans[port] * group)
                base = view
    for port, starts in _packed(others, start, limit, memory.word_bytes):
        placed[port] = tuple(base + at for at in starts)
    return [placed[port] for port, _, _ in buffers]


def _packed(
    buffers: list[tuple[str, int, int]], start: int, limit: int, word: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Copies one after another; aligned to a wide beat unless only words fit."""
    for alignment in (ALIGNMENT_BYTES, word):
        found: list[tuple[str, tuple[int, ...]]] = []
        end = start
        for port, copies, size in buffers:
            at = []
            for _ in range(copies):
                at.append(round_up(end, alignment))
                end = at[-1] + size
            found.append((port, tuple(at)))
        if end <= limit:
            break
    yield from found
