"""What the exhaustive search knows of one walked nest.

In: what every operand contributes for every cut. Out: one row per combination of cuts and copies,
one column per quantity, so that all choices are evaluated at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """What one operand contributes for one cut: bytes of a copy, exchanges, cycles of all, first,
    last, off-chip words."""

    size: int
    exchanges: int
    total: int
    first: int
    last: int
    words: int


@dataclass(frozen=True, slots=True)
class Jobs:
    """Compute cycles of all tiles, of the first and the last; tiles of the nest; array steps; words
    of partial sums, femtojoules of the array; cycles of the array alone; tiles that are like the
    first; records read; steps by which results miss whole rounds of lanes that meet; launches
    beyond one per tile."""

    cycles: int
    first: int
    last: int
    launches: int
    steps: int
    raw: int
    energy: int
    array: int
    whole: int
    records: int
    uneven: int
    more: int


class Nest:
    """All cuts and copies of one nest: one row per combination, one column per quantity."""

    def __init__(self, options: Mapping[str, list[tuple[Part, int]]]) -> None:
        counts = [range(len(o)) for o in options.values()]
        grid = np.array(list(itertools.product(*counts)), np.int64)
        fields = ("size", "exchanges", "total", "first", "last", "words")
        self.columns: dict[str, dict[str, Column]] = {}
        for place, (port, listed) in enumerate(options.items()):
            made = {
                f: np.array([getattr(p, f) for p, _ in listed], np.int64)[grid[:, place]]
                for f in fields
            }
            made["copies"] = np.array([c for _, c in listed], np.int64)[grid[:, place]]
            self.columns[port] = made

    def __getitem__(self, port: str) -> dict[str, Column]:
        return self.columns[port]

    def footprint(self, ports: list[str]) -> Column:
        """Bytes of all copies."""
        return sum((self[p]["size"] * self[p]["copies"] for p in ports), np.zeros_like(self._any()))

    def words(self, ports: list[str]) -> Column:
        """Off-chip words."""
        return sum((self[p]["words"] for p in ports), np.zeros_like(self._any()))

    def _any(self) -> Column:
        return next(iter(self.columns.values()))["size"]
