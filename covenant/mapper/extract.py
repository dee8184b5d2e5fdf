"""From decisions to a mapping: loop order, cuts, layouts and addresses.

In: a `Space` and a `Choice` (tile rows, loops inside each cut, double buffers). Out: a `Mapping`
without a proof. Shared by the solver, pins and exhaustive tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, replace

from covenant.mapper.banking import Plan, copy_starts, group_count, guest_view, reader_base
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
from covenant.mapper.placement import ALIGNMENT_BYTES, home_layout, round_up, tile_layout
from covenant.mapper.sites import Site, lane_layout
from covenant.mapper.space import Space, loop_key

UNPROVEN = Proof(Status.FEASIBLE, (Goal("latency", "cycles", 0, 0),), 0.0, 0, 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """Decisions of one binding: row of every loop; per site the loops inside its cut; sites that
    are double buffered; index of the plan of the banks; order of loops that may change places.
    Loops and sites by key."""

    rows: Map[str, int]
    inside: Map[str, frozenset[str]]
    double: frozenset[str]
    plan: int = 0
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A site with its tile: level and cut, copies, layout of a copy."""

    site: Site
    level: int
    cut: int
    copies: int
    layout: Layout
    cut_dims: tuple[str, ...]


def extract(space: Space, choice: Choice) -> Mapping:
    """The mapping that a choice describes."""
    followed = {s.follows for s in space.sites}
    placed = [s for s in space.sites if not s.follows and _is_placed(space, s, choice)]
    levels = tuple(
        Level(_memories(space, level), _loops(space, choice, placed, level))
        for level in range(space.levels)
    )
    drafts = []
    for site in placed:
        level, cut = _cut(site, levels, choice.inside[site.key])
        outside = _outside(levels, level, cut)
        layout = _layout(space, site, {loop.dim: loop.tile for loop in outside})
        exchanged = any(loop.dim in site.operand.dims for loop in outside)
        moves = site.outer is not None or site.key in followed
        copies = 2 if site.key in choice.double and exchanged and moves else 1
        dims = tuple(loop.dim for loop in outside)
        drafts.append(_Draft(site, level, cut, copies, layout, dims))
    addresses = _all_addresses(space, choice, drafts)
    placements = {d.site.key: _placement(space, d, addresses[d.site.key]) for d in drafts}
    for site in (s for s in space.sites if s.follows):
        leader = placements[site.follows]
        placements[site.key] = _follower(space, site, leader)
    return Mapping(
        codelet=space.codelet.name,
        architecture=space.acg.name,
        steps=space.binding.steps,
        levels=levels,
        inner=space.inner,
        placements=tuple(placements[s.key] for s in space.sites if s.key in placements),
        proof=UNPROVEN,
        fused=space.codelet.fused,
        rewriting=space.binding.rewriting,
    )


def _arranged(active: list[str], wanted: tuple[str, ...]) -> list[str]:
    """The loops in their own order, but the wanted ones among them in the wanted order."""
    named = iter([d for d in wanted if d in active])
    return [next(named) if d in wanted else d for d in active]


def _is_placed(space: Space, site: Site, choice: Choice) -> bool:
    """Partial sums that the node can keep take memory only when the reduction is split."""
    if site.operand.role is not Role.PARTIAL or site.operand.kept:
        return True
    innermost = (loop_key(d, space.levels - 1) for d in space.reduced)
    return any(choice.rows.get(key, 0) for key in innermost)


def _memories(space: Space, level: int) -> tuple[str, ...]:
    off_chip = {m.name for m in space.acg.off_chip}
    depth = {s.memory.name: s.depth for s in space.sites if s.memory.name not in off_chip}
    return tuple(name for name, at in depth.items() if at == level + 1)


def _loops(space: Space, choice: Choice, placed: list[Site], level: int) -> tuple[Loop, ...]:
    """Loops of a level; one that more sites hold inside their cut lies further in."""
    found: dict[str, Loop] = {}
    for dim in space.tiled:
        outer = choice.rows[loop_key(dim, level - 1)] if level else 0
        row = choice.rows[loop_key(dim, level)]
        if row != outer:
            whole, tile = space.rows[dim][outer].tile, space.rows[dim][row].tile
            found[dim] = Loop(dim, -(-whole // tile), tile)
    depth = {d: sum(loop_key(d, level) in choice.inside[s.key] for s in placed) for d in found}
    order = sorted(_arranged(list(found), choice.order), key=lambda d: depth[d])
    return tuple(found[d] for d in order)


def _cut(site: Site, levels: tuple[Level, ...], inside: frozenset[str]) -> tuple[int, int]:
    """Level and cut of a site, as far out as what it depends on allows."""
    outside = [
        (number, index, loop)
        for number, level in enumerate(levels[: site.depth])
        for index, loop in enumerate(level.loops)
        if loop_key(loop.dim, number) not in inside
    ]
    while outside and outside[-1][2].dim not in site.operand.dims:
        outside.pop()
    return (outside[-1][0], outside[-1][1] + 1) if outside else (0, 0)


def _outside(levels: tuple[Level, ...], level: int, cut: int) -> list[Loop]:
    outer = [loop for each in levels[:level] for loop in each.loops]
    return [*outer, *levels[level].loops[:cut]]


def _layout(space: Space, site: Site, tiles: Map[str, int]) -> Layout:
    """Layout of one copy of a tile (of one instance's part of it), in whole words of its memory."""
    resident = {**space.extents, **tiles}
    if site.lanes:
        made = lane_layout(site, resident, space.steps)
    else:
        made = tile_layout(site.operand, resident, space.inner, site.packing)
    return replace(made, bytes=round_up(made.bytes, site.memory.word_bytes))


def _placement(space: Space, draft: _Draft, at: tuple[int, ...]) -> Placement:
    operand = draft.site.operand
    home = Layout((), 0)
    lost = draft.site.spills and any(d in space.reduced for d in draft.cut_dims)
    if operand.role is not Role.PARTIAL or lost:
        home = home_layout(operand, space.inner, draft.site.packing)
    return Placement(
        memory=draft.site.memory.name,
        port=operand.port,
        tensor=operand.tensor,
        role=operand.role,
        dtype=operand.dtype,
        cut=draft.cut,
        copies=draft.copies,
        layout=draft.layout,
        addresses=at,
        home=home,
        level=draft.level,
    )


def _follower(space: Space, site: Site, leader: Placement) -> Placement:
    """Where the whole tensor lies off chip, and when its parts are exchanged."""
    operand = site.operand
    return Placement(
        memory=site.memory.name,
        port=operand.port,
        tensor=operand.tensor,
        role=operand.role,
        dtype=operand.dtype,
        cut=leader.cut,
        copies=1,
        layout=Layout((), 0),
        addresses=(),
        home=home_layout(operand, space.inner, site.packing),
        level=leader.level,
    )


def _all_addresses(
    space: Space, choice: Choice, drafts: list[_Draft]
) -> dict[str, tuple[int, ...]]:
    """Addresses of the copies of every site, memory by memory."""
    found: dict[str, tuple[int, ...]] = {}
    for name in dict.fromkeys(d.site.memory.name for d in drafts):
        own = [d for d in drafts if d.site.memory.name == name]
        buffers = [(d.site.key, d.copies, d.layout.bytes) for d in own]
        memory = own[0].site.memory
        if name == space.memory.name:
            places = addresses_of(space, space.plans[choice.plan], buffers)
        else:
            packed = dict(_packed(buffers, 0, memory.size_bytes, memory.word_bytes))
            places = [packed[key] for key, _, _ in buffers]
        found.update(zip((d.site.key for d in own), places, strict=True))
    return found


def addresses_of(
    space: Space, plan: Plan, buffers: list[tuple[str, int, int]]
) -> list[tuple[int, ...]]:
    """Addresses of every copy of (port, copies, bytes): readers in their groups of banks, the
    others one after another behind them."""
    memory = space.memory
    group = memory.size_bytes // group_count(memory)
    base = start = behind = apart = 0
    if not plan.shared and not plan.host:
        _, at, apart = guest_view(memory, plan)
        start = at % memory.size_bytes
        base = at - start
    others = [(port, copies, size) for port, copies, size in buffers if port not in plan.groups]
    placed: dict[str, tuple[int, ...]] = {}
    limit = memory.size_bytes
    for port, copies, size in buffers:
        if port in plan.groups:
            starts = copy_starts(plan, port, group, copies, size, behind)
            behind += round_up(size, memory.word_bytes) if plan.turns else 0
            view = reader_base(memory, plan, port)
            placed[port] = tuple(view + at for at in starts)
            if port == plan.host:
                start = starts[-1] + size
                limit = round_up(start, plan.spans[port] * group)
                base = view
    counts = {port: copies for port, copies, _ in others}
    if apart:  # the second copies lie as the first ones do, in their own half
        others = [(port, 1, size) for port, _, size in others]
        limit = start + apart
    for port, starts in _packed(others, start, limit, memory.word_bytes):
        found = [starts[0] + i * apart for i in range(counts[port])] if apart else starts
        placed[port] = tuple(base + at for at in found)
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
