"""Leaves out fills of words that hold what they would write.

In: invocations in program order. Out: the same without such fills. Lanes that no tile uses are
filled with every tile; once is enough while nothing else is written there. Only memories with an
instance per lane are followed: there fills take most of the time of a transfer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.emit.program import Invocation
from covenant.emit.units import ComputeUnit, Dma, Registers, read_unit

_UNKNOWN = -1


def without_refills(blocks: Iterable[list[Invocation]], acg: Acg) -> Iterator[list[Invocation]]:
    """Blocks of invocations without fills that change nothing."""
    known = _Known(acg)
    for block in blocks:
        yield [invocation for invocation in block if not known.repeats(invocation)]


class _Known:
    """What fills have left in memories with instances: a number per byte for every filler."""

    def __init__(self, acg: Acg) -> None:
        assert acg.control is not None
        self._units = {u.name: read_unit(acg, u) for u in acg.control.units}
        self._resets = {
            u.name: {r.quantity: r.reset for r in u.registers} for u in acg.control.units
        }
        self._bytes = {
            m.name: np.full(m.total_bytes, _UNKNOWN, np.int32) for m in acg.on_chip if m.per
        }
        self._fillers: dict[tuple[int, int], int] = {}

    def repeats(self, invocation: Invocation) -> bool:
        """Whether an invocation fills words that hold its filler already; takes note of others."""
        unit = self._units[invocation.unit]
        if isinstance(unit, ComputeUnit):
            for written in unit.streams:
                if written.writes and written.memory in self._bytes:
                    self._bytes[written.memory].fill(_UNKNOWN)
            return False
        known = self._bytes.get(unit.target.name)
        if known is None:
            return False
        registers = {**self._resets[invocation.unit], **dict(invocation.quantities)}
        registers.update((a.quantity, a.value) for a in invocation.addresses)
        places, filler = _written(unit, registers), self._filler(registers)
        if filler != _UNKNOWN and bool((known[places] == filler).all()):
            return True
        known[places] = filler
        return False

    def _filler(self, registers: Registers) -> int:
        if not registers.get("fill", 0):
            return _UNKNOWN
        key = (registers.get("value", 0), registers.get("value_bytes", 1))
        return self._fillers.setdefault(key, len(self._fillers))


def _written(unit: Dma, registers: Registers) -> NDArray[np.int64]:
    """Bytes that a transfer writes."""
    words = unit.addresses(registers, "dst").reshape(-1, 1)
    return (words + np.arange(unit.word_bytes, dtype=np.int64)).ravel()
