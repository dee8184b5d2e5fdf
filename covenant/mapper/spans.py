"""The tiles of one axis of an operand: positions they cover inside the tensor and around it.

In: an index, tile sizes of its dims. Out: every tile, or the kinds of tiles with how often each
occurs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping as Map
from dataclasses import dataclass
from functools import lru_cache

from covenant.core.affine import Affine

Tiles = Map[str, tuple[int, int, int]]
"""Dim -> (extent, trips, tile)."""


@dataclass(frozen=True, slots=True)
class Span:
    """One tile on one axis: positions held, those inside the tensor, those before and after it;
    `phase`: the first one inside, modulo a beat (0 where rows do not run along the axis)."""

    span: int
    real: int
    low: int
    high: int
    phase: int = 0


def every_span(
    index: Affine, size: int, tiles: Tiles, beat: int, every: int = 1, *, clip: bool
) -> list[Span]:
    """Every tile on an axis, in the order of its dims; `clip` where positions may leave the tensor;
    `beat`: positions per beat of the transfer; of `every` positions a tile holds one."""
    choices: list[list[tuple[int, int]]] = []
    for dim in index.dims:
        extent, trips, tile = tiles[dim]
        choices.append([(i * tile, min(tile, extent - i * tile)) for i in range(trips)])
    found: list[Span] = []
    for combination in itertools.product(*choices):
        named = dict(zip(index.dims, combination, strict=True))
        low = index.evaluate({d: c[0] for d, c in named.items()})
        span = -(-index.span({d: c[1] for d, c in named.items()}) // every)
        before = min(span, max(0, -(low // every))) if clip else 0
        after = min(span - before, max(0, span + (low - size) // every)) if clip else 0
        phase = max(0, low) % beat
        found.append(Span(span, span - before - after, before, after, phase))
    return found


Kinds = tuple[Map[Span, int], Span, Span]


def span_kinds(
    index: Affine, size: int, tiles: Tiles, beat: int = 1, every: int = 1, *, clip: bool
) -> Kinds:
    """Tiles of an axis by kind with how often each occurs, the first one and the last one."""
    return _kept_kinds(index, size, tuple((d, tiles[d]) for d, _ in index.terms), beat, every, clip)


@lru_cache(maxsize=1 << 16)
def _kept_kinds(
    index: Affine,
    size: int,
    tiles: tuple[tuple[str, tuple[int, int, int]], ...],
    beat: int,
    every: int,
    clip: bool,
) -> Kinds:
    """Kept, since a table asks for the tiles of one axis once per combination with the others."""
    if clip or beat > 1 or len(tiles) != 1:
        found = every_span(index, size, dict(tiles), beat, every, clip=clip)
        return Counter(found), found[0], found[-1]
    ((dim, (extent, trips, tile)),) = tiles
    coefficient = index.coefficient(dim) // every
    full = (tile - 1) * coefficient + 1
    tail = (extent - (trips - 1) * tile - 1) * coefficient + 1
    last = Span(tail, tail, 0, 0)
    first = Span(full, full, 0, 0) if trips > 1 else last
    counts: Counter[Span] = Counter()
    counts[first] += trips - 1
    counts[last] += 1
    return counts, first, last
