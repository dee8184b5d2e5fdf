"""Which transfers serve a memory: those from and to off chip, and the memory of a stream.

In: an architecture, a memory or a stream. Out: transfers, names.
"""

from __future__ import annotations

from covenant.acg.graph import Acg, Transfer


def stream_memory(acg: Acg, stream: Transfer) -> str:
    """The memory a stream reads or writes."""
    names = {m.name for m in acg.memories}
    return stream.source if stream.source in names else stream.target


def loader(acg: Acg, memory: str) -> Transfer | None:
    """The transfer that fills a memory from off chip, None when there is none."""
    off = {m.name for m in acg.memories if m.off_chip}
    return next((t for t in acg.transfers if t.target == memory and t.source in off), None)


def storer(acg: Acg, memory: str) -> Transfer | None:
    """The transfer that empties a memory off chip, None when there is none."""
    off = {m.name for m in acg.memories if m.off_chip}
    return next((t for t in acg.transfers if t.source == memory and t.target in off), None)
