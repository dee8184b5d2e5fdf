"""Off-chip addresses of the tensors of a mapping.

In: a `Mapping` and an `Acg`. Out: `DramPlan`, one region per placement that has a home layout, in
the order of placements, each aligned to the off-chip port so that whole bursts carry whole rows.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass

from covenant.acg.graph import Acg
from covenant.emit.regions import homes
from covenant.mapper.mapping import Mapping

_ALIGNMENT_BYTES = 64
"""At least this much, so that images of different architectures stay comparable."""


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes [address, address + bytes) of the off-chip memory, home of a placement's tensor."""

    port: str
    address: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DramPlan:
    """All regions and the end of the last one."""

    regions: tuple[Region, ...]
    bytes: int

    def region(self, port: str) -> Region:
        """The region of a port's tensor; KeyError when it has none."""
        return {r.port: r for r in self.regions}[port]

    def address(self, port: str) -> int:
        """First byte of a port's tensor."""
        return self.region(port).address


def alignment(acg: Acg) -> int:
    """Alignment of off-chip regions in bytes: the widest transfer to or from off chip, and the
    widest word it moves."""
    names = {m.name for m in acg.memories if m.off_chip}
    moving = [t for t in acg.transfers if {t.source, t.target} & names]
    widths = [t.bytes_per_cycle for t in moving]
    ends = {end for t in moving for end in (t.source, t.target)}
    words = [m.word_bytes for m in acg.memories if m.name in ends]
    return max([_ALIGNMENT_BYTES, *words, *widths])


def plan(mapping: Mapping, acg: Acg, base: int = 0, given: Map[str, int] | None = None) -> DramPlan:
    """Regions from `base` on; `given` fixes addresses of ports whose tensor lies elsewhere already
    (the output of a layer before)."""
    step = alignment(acg)
    regions: list[Region] = []
    at = -(-max(base, acg.off_chip[0].start) // step) * step
    for placement in homes(mapping):
        if given and placement.port in given:
            regions.append(Region(placement.port, given[placement.port], placement.home.bytes))
            continue
        regions.append(Region(placement.port, at, placement.home.bytes))
        at += -(-placement.home.bytes // step) * step
    return DramPlan(tuple(regions), max([at, *(r.address + r.bytes for r in regions)]))
