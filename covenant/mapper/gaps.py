"""Cycles in which the array waits although its tiles have two buffers.

In: numbers of a mapping. Out: cycles. A slot is free when the last launch that used it ends; its
next tile is there a round trip and its own beats later (cvn_dma_load), while the tile of the other
slot is used up. The slots of an input take turns, so what the array waits for one adds up over
every other tile:

- `turns`: where a round trip takes longer than a tile serves, the rest of it.
- `turns`, too: where others change at the same time, their beats come over the same channel, as
  often as both change.
- `short`: a launch whose tile is cut at the end of a dim leaves less time, every other one.
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
    """An input of the array: its exchanges, cycles of the first one and of all with those that its
    banks make them take, whether it has two buffers, cycles from a free slot to its first data."""

    exchanges: int
    first: int
    total: int
    double: bool
    wait: int

    @property
    def half(self) -> int:
        """How often the slot that is filled again most often is."""
        return (self.exchanges - 1) // 2


def watched(space: Space) -> tuple[Site, ...]:
    """Inputs and records that come from off-chip memory; none where launches are not queued."""
    if not space.machine.queued or space.levels > 1:
        return ()
    loaded = (Role.INPUT, Role.CONSTANT)
    found = (s for s in space.moved if s.operand.role in loaded and not s.follows)
    return tuple(s for s in found if s.outer is not None and s.outer.off_chip)


def exchanged(site: Site, exchanges: int, first: int, total: int, double: bool) -> Exchanged:
    """An input with its numbers."""
    slow = stretch(site.operand)
    wait = site.road.latency_cycles
    return Exchanged(exchanges, slow * first, slow * total, double, wait)


def waits(sites: Sequence[Exchanged], launches: int, work: Map[str, int]) -> int:
    """All of them; work: cycles of all launches without conflicts and of
    the last one, launches with full tiles."""
    found = [turns(sites, place, work["alone"]) for place in range(len(sites))]
    return max(found, default=0) + short(sites, launches, work["full"], work["last"])


def turns(sites: Sequence[Exchanged], place: int, compute: int) -> int:
    """Cycles lost as the slots of one of the sites take turns; compute: cycles of all launches."""
    site = sites[place]
    if not site.double:
        return 0
    late = site.wait + site.total // site.exchanges - compute // site.exchanges
    lost = site.half * max(0, late)
    for other in (s for at, s in enumerate(sites) if at != place and s.double):
        met = min(other.exchanges - 1, site.half)
        lost += met * max(0, min(other.first, late + other.first))
    return lost


def short(sites: Sequence[Exchanged], launches: int, full: int, cycles: int) -> int:
    """Cycles lost in launches with a cut tile, all but `full` ones; cycles: of the last launch."""
    lost = 0
    for site in sites:
        if site.double and 2 * site.exchanges > launches:
            late = max(0, site.wait + site.first - cycles)
            lost = max(lost, -(-(launches - full) * late // 2))
    return lost
