"""Which transfers serve a memory: those from and to off chip.

In: an architecture, a memory. Out: transfers.
"""

from __future__ import annotations

from covenant.acg.graph import Acg, Transfer


def loader(acg: Acg, memory: str) -> Transfer | None:
    """The transfer that fills a memory from off chip, None when there is none."""
    off = {m.name for m in acg.memories if m.off_chip}
    return next((t for t in acg.transfers if t.target == memory and t.source in off), None)


def storer(acg: Acg, memory: str) -> Transfer | None:
    """The transfer that empties a memory off chip, None when there is none."""
    off = {m.name for m in acg.memories if m.off_chip}
    return next((t for t in acg.transfers if t.source == memory and t.target in off), None)
