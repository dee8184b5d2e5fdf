"""How units reach the off-chip memory.

In: an architecture and its units. Out: whether launches touch it, and in which pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from covenant.acg.graph import Acg
from covenant.emit.units import ComputeUnit, Dma


def reaches_off_chip(acg: Acg, unit: Dma | ComputeUnit) -> bool:
    """Whether launches of a unit touch the off-chip memory."""
    if isinstance(unit, Dma):
        return unit.source.off_chip or unit.target.off_chip
    return any(acg.memory(stream.memory).off_chip for stream in unit.streams)


def far_words(acg: Acg, units: Iterable[Dma | ComputeUnit]) -> Iterator[int]:
    """Bytes of the pieces in which units touch the off-chip memory."""
    for unit in units:
        if isinstance(unit, Dma):
            yield unit.word_bytes
            continue
        for stream in unit.streams:
            if not acg.memory(stream.memory).off_chip:
                continue
            yield stream.word_bytes
            for capability in unit.capabilities:
                own = (p for p in capability.ports if p.name == stream.key and p.tile)
                for port in own:
                    yield capability.extents.get(port.tile[-1], 1) * port.kinds[0].bytes
