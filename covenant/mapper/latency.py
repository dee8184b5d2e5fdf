"""The latency formula as sums of named quantities, for numbers and solver variables alike.

In: a space. Out: paths, whose longest decides; `cost` says what each means, adds up numbers, and
the model adds up variables. A quantity is one of the array ("" as its key: `compute`, `first`,
`last`, `fill` before its first launch, `gaps` between launches, `records` that are read, what
transfers are `pressed` by it, `busy` banks) or of the transfers of a site (`exchanges`, `total`,
`first`, `last`, `back` for sums that come back, `exposed` for what its single buffer does not
hide).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from covenant.mapper.gaps import watched
from covenant.mapper.mapping import Role
from covenant.mapper.sharing import stretch
from covenant.mapper.sites import Site
from covenant.mapper.space import Space


@dataclass(frozen=True, slots=True)
class Part:
    """A quantity of a site (of the array where `key` is ""), so many times."""

    key: str
    quantity: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class LongPath:
    """A path of (sum of parts + constant) / `shares` cycles, from the first data to the end of the
    last launch (or of the last store but one)."""

    name: str
    parts: tuple[Part, ...]
    constant: int = 0
    shares: int = 1


_COMPUTE, _FIRST, _LAST = Part("", "compute"), Part("", "first"), Part("", "last")
_PRESSED, _BUSY = Part("", "pressed"), Part("", "busy")
_FILL, _GAPS = Part("", "fill"), Part("", "gaps")
_LOADED = (Role.INPUT, Role.CONSTANT)


def rest(space: Space, site: Site) -> LongPath:
    """Cycles of a site's transfers that a single buffer does not hide, whatever else happens, with
    those of instructions that each needs beyond those of a plain one."""
    key, wait = site.key, site.road.latency_cycles + space.pad_words(site)
    turn = space.setup(site) - space.lead(site)
    total = Part(key, "total")
    match site.operand.role:
        case Role.PARTIAL:
            return LongPath("rest", (total, Part(key, "back")))
        case Role.OUTPUT:
            lead = Part(key, "last", -1)
        case Role.INPUT | Role.CONSTANT:
            lead = Part(key, "first", -1)
    parts = (total, lead, Part(key, "exchanges", wait)) if wait else (total, lead)
    return LongPath("rest", parts, -wait - turn)


def paths(space: Space) -> tuple[LongPath, ...]:
    """Paths in a fixed order."""
    loads = [s for s in space.moved if s.operand.role in _LOADED]
    stores = [s for s in space.moved if s.operand.role is Role.OUTPUT]
    sums = [s for s in space.moved if s.operand.role is Role.PARTIAL]
    fill = (_FILL,)
    found = [LongPath("compute", (*fill, _COMPUTE, _GAPS, *_each(space.moved, "exposed")))]
    if space.machine.record_cycles:
        read = (*fill, Part("", "records"), *_each(space.moved, "exposed"))
        found.append(LongPath("compute", read))
    if space.banked:
        found.append(LongPath("banks", (*fill, _BUSY)))
    for channel, own in _channels([*loads, *sums]).items():
        depth = min(s.depth for s in own)
        before = _each((s for s in loads if s.depth < depth), "first")
        moved = _each((s for s in loads if _channel(s) == channel), "total")
        back = _each((s for s in sums if _channel(s) == channel), "back")
        found.append(LongPath("load", (*before, *moved, *back, _PRESSED, _LAST)))
    for channel in _channels([*stores, *sums]):
        own = [s for s in stores if _channel(s) == channel]
        out = _each((s for s in sums if _channel(s) == channel), "total")
        written = (*_each(own, "total"), *(Part(s.key, "last", -1) for s in own))
        found.append(LongPath("store", (*fill, _FIRST, *written, *out, _PRESSED)))
    twice = tuple(Part(p.key, p.quantity, 2) for p in fill)
    slots = {s.key for s in watched(space)}  # `gaps` counts what these wait for
    for site in (s for s in space.moved if s.key not in slots):
        left = rest(space, site)
        longer = stretch(site.operand) - 1 if space.machine.queued else 0
        slow = (Part(site.key, "total", longer), Part(site.key, "first", -longer))
        parts = (*twice, _COMPUTE, _FIRST, *left.parts, *(slow if longer else ()))
        found.append(LongPath("refill", parts, left.constant, 2))
    return tuple(found)


def fills(space: Space) -> tuple[LongPath, ...]:
    """Cycles from the first beat to the first launch; the longest decides: the first tiles from
    one of them on, each one after the instruction words of those before it."""
    loads = [s for s in space.moved if s.operand.role in _LOADED]
    words = space.machine.load_words
    count = len(loads) if words else 1
    found = [LongPath("fill", tuple(_each(loads[i:], "first")), i * words) for i in range(count)]
    return (*found, LongPath("words", (), space.machine.least_fill))


def add_up(path: LongPath, quantity: Callable[[str, str], int]) -> int:
    """Cycles of a path, rounded up."""
    total = path.constant + sum(p.times * quantity(p.key, p.quantity) for p in path.parts)
    return -(-total // path.shares)


def _each(sites: Iterable[Site], quantity: str) -> tuple[Part, ...]:
    return tuple(Part(site.key, quantity) for site in sites)


def _channels(sites: Iterable[Site]) -> dict[tuple[str, str], list[Site]]:
    found: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        found.setdefault(_channel(site), []).append(site)
    return found


def _channel(site: Site) -> tuple[str, str]:
    """What transfers share: the port of an off-chip memory, or the road between two others."""
    assert site.outer is not None
    return (site.outer.name, "" if site.outer.off_chip else site.memory.name)
