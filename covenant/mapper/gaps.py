"""Cycles in which the array waits although its tiles are loaded twice as early as they are used.

In: numbers of a mapping. Out: cycles. A slot is free when the launch that used it ends; its next
tile is there a round trip later (cvn_dma_load), and the launch between covers that time if it is
long enough. Two kinds of launches are not, though the average is:

- `crowded`: where two inputs of the array change at once, one waits for the beats of the other on
  the channel they share; so often as the one that changes less changes, at most every other time.
- `short`: a launch whose tile is cut at the end of a dim leaves less time, every other one.
- `behind`: the processor runs ahead of the array by the launches that queues hold, so a tile that
  serves more of them is asked for no earlier (cvn_command); rows of runs take that long.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass

from covenant.mapper.mapping import Role
from covenant.mapper.sharing import stretch
from covenant.mapper.sites import Site
from covenant.mapper.space import Space


@dataclass(frozen=True, slots=True)
class Exchanged:
    """An input of the array: its exchanges, cycles of the first one, whether it has two buffers,
    cycles from a free slot to its first data, whether its rows are put together from runs, times as
    long that its banks make it take."""

    exchanges: int
    first: int
    double: bool
    wait: int
    windowed: bool
    stretch: int


def watched(space: Space) -> tuple[Site, ...]:
    """Inputs and records that come from off-chip memory; none where launches are not queued."""
    if not space.machine.queued or space.levels > 1:
        return ()
    loaded = (Role.INPUT, Role.CONSTANT)
    found = (s for s in space.moved if s.operand.role in loaded and not s.follows)
    return tuple(s for s in found if s.outer is not None and s.outer.off_chip)


def exchanged(site: Site, exchanges: int, first: int, double: bool) -> Exchanged:
    """An input with its numbers."""
    wait, operand = site.road.latency_cycles, site.operand
    windowed = operand.source is not None
    return Exchanged(exchanges, first, double, wait, windowed, stretch(operand))


def waits(sites: Sequence[Exchanged], launches: int, work: Map[str, int], depth: int) -> int:
    """All of them; work: cycles of the first and of the last launch, launches with full tiles;
    depth: of a queue."""
    late = behind(sites, launches, depth, work["first"])
    return crowded(sites, work["first"]) + short(sites, launches, work["full"], work["last"]) + late


def crowded(sites: Sequence[Exchanged], cycles: int) -> int:
    """Cycles lost where two inputs change at once; cycles: of a launch."""
    lost = 0
    for rare in sites:
        for often in sites:
            if rare is often or rare.exchanges > often.exchanges:
                continue
            if not (rare.double and often.double):
                continue
            first = rare.stretch * rare.first
            late = often.wait + often.first + first - cycles
            times = min(rare.exchanges - 1, often.exchanges // 2)
            lost = max(lost, times * max(0, min(first, late)))
    return lost


def short(sites: Sequence[Exchanged], launches: int, full: int, cycles: int) -> int:
    """Cycles lost in launches with a cut tile, all but `full` ones; cycles: of the last launch."""
    lost = 0
    for site in sites:
        if site.double and 2 * site.exchanges > launches:
            late = max(0, site.wait + site.first - cycles)
            lost = max(lost, -(-(launches - full) * late // 2))
    return lost


def behind(sites: Sequence[Exchanged], launches: int, depth: int, cycles: int) -> int:
    """Cycles lost by tiles that serve more launches than queues hold; cycles: of a launch."""
    lost = 0
    for site in sites:
        if site.double and site.windowed and launches > depth * site.exchanges:
            late = max(0, site.wait + site.first - depth * cycles)
            lost = max(lost, (site.exchanges - 1) * late)
    return lost
