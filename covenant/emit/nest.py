"""The loop nest of a mapping, iteration by iteration: tiles, exchanges and reductions.

In: loops of a `Mapping`, of all its levels, and extents of a `Codelet`. Out: which tile every
iteration computes and which operands change between iterations. Pure integers, nothing of any
machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from covenant.mapper.mapping import Loop

Index = tuple[int, ...]


@dataclass(frozen=True)
class Nest:
    """Loops over tiles, outermost first, and the extents of all dims of the codelet. A dim may have
    several loops, the inner ones over tiles of the outer one's tile."""

    loops: tuple[Loop, ...]
    extents: Mapping[str, int]

    @property
    def trips(self) -> tuple[int, ...]:
        """Iterations of every loop."""
        return tuple(loop.trips for loop in self.loops)

    def iterations(self) -> Iterator[tuple[int, Index]]:
        """(outermost loop that advanced, index vector); -1 for the first iteration. Without inner
        tiles that the last outer one has no room for."""
        trips = self.trips
        index = [0] * len(trips)
        changed, advanced = -1, len(trips)
        nested = len({loop.dim for loop in self.loops}) < len(self.loops)
        while True:
            advanced = min(advanced, changed)
            if not nested or self.exists(tuple(index)):
                yield advanced, tuple(index)
                advanced = len(trips)
            for level in range(len(trips) - 1, -1, -1):
                index[level] += 1
                if index[level] < trips[level]:
                    changed = level
                    break
                index[level] = 0
            else:
                return

    def exists(self, index: Index) -> bool:
        """Whether an iteration has anything to do: inner tiles may have no room in the last outer
        one."""
        return all(size > 0 for size in self.tile(index, range(len(index)))[1].values())

    def following(self, index: Index, level: int) -> Index | None:
        """The index at which loop `level` (or one outside it) advances next, None at the end."""
        after = [n if i <= level else 0 for i, n in enumerate(index)]
        for at in range(level, -1, -1):
            after[at] += 1
            if after[at] < self.loops[at].trips:
                return tuple(after)
            after[at] = 0
        return None

    def tile(self, index: Index, levels: Iterable[int]) -> tuple[dict[str, int], dict[str, int]]:
        """(origin, size) of every dim when the loops in `levels` are at `index` and the others span
        their whole dim."""
        origin = dict.fromkeys(self.extents, 0)
        size = dict(self.extents)
        for level in levels:
            loop = self.loops[level]
            start = index[level] * loop.tile
            origin[loop.dim] += start
            size[loop.dim] = min(loop.tile, size[loop.dim] - start)
        return origin, size

    def watched(self, dims: Iterable[str], cut: int) -> tuple[int, ...]:
        """Loops outside a resident tile (the first `cut`) that it depends on."""
        names = set(dims)
        return tuple(
            i for i, loop in enumerate(self.loops[:cut]) if loop.dim in names and loop.trips > 1
        )

    def reduction(self, dims: Iterable[str]) -> tuple[int, ...]:
        """Loops over some of `dims` with more than one iteration."""
        return self.watched(dims, len(self.loops))


def changes(watched: tuple[int, ...], changed: int) -> bool:
    """Whether a tile that depends on the loops `watched` is another one after `changed` advanced
    (all loops inside it restart)."""
    return changed < 0 or (bool(watched) and changed <= watched[-1])


@dataclass(frozen=True, slots=True)
class Sums:
    """How an iteration takes part in split reductions: starts from partial sums, ends with them;
    `waits` for a semaphore before reading, `posts` it after writing them."""

    resumes: bool
    raw: bool
    waits: bool = False
    posts: bool = False


def partial_sums(nest: Nest, reduced: Iterable[str]) -> list[Sums]:
    """One entry per iteration. Semaphores are placed so that the n-th wait needs the n-th post, in
    whatever order partial tiles return: a wait that an earlier one implies is left out."""
    levels = nest.reduction(reduced)
    kept = [i for i in range(len(nest.loops)) if i not in levels]
    trips = nest.trips
    if not levels:
        return []
    entries: list[tuple[bool, bool]] = []
    waits: set[int] = set()
    posts: set[int] = set()
    written: dict[Index, int] = {}
    done = -1
    for number, (_, index) in enumerate(nest.iterations()):
        resumes = any(index[i] for i in levels)
        raw = any(index[i] < trips[i] - 1 for i in levels)
        key = tuple(index[i] for i in kept)
        if resumes and written[key] > done:
            done = written[key]
            waits.add(number)
            posts.add(done)
        if raw:
            written[key] = number
        entries.append((resumes, raw))
    return [Sums(r, w, i in waits, i in posts) for i, (r, w) in enumerate(entries)]
