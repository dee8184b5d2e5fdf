"""Those of our feasible mappings that the peer's cost chooses, as it does from its own search.

In: a workload and our mapping of it. Out: `Choice`s, tiles that divide their dims and the order of
at most two loops around launches, with every order of the peer's loops that says so; and the one
that the peer finds best of those that our solver proves feasible. Nothing of the peer's search is
used.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper.mapping import Mapping
from covenant.mapper.pins import Pin
from mapper_peer import PEER_ARRAY, PEER_DIMS, Order, Peer, factors_step
from mapper_pins import tile_pins
from mapper_solve import codelet_of
from workloads import Workload

BLOCKS = (("OX", "OY"), ("FX", "FY"), ("K",), ("C",), ("B",))
"""Dims of the peer that stay next to each other in a launch."""

TRIES = 8
"""Choices that the peer likes best and our solver refuses, before giving up."""

Fits = Callable[[tuple[Pin, ...]], Mapping | None]
Ask = Callable[[Sequence[Order]], Peer]


@dataclass(frozen=True, slots=True)
class Choice:
    """Tiles of the dims that are split, and their loops around launches, outermost first."""

    tiles: tuple[tuple[str, int], ...]
    order: tuple[str, ...]

    def pins(self, codelet: Codelet) -> tuple[Pin, ...]:
        """The same for our solver."""
        return tile_pins(dict(self.tiles), self.order, codelet)


def chosen(
    workload: Workload, mapping: Mapping, acg: Acg, fits: Fits, ask: Ask
) -> tuple[Mapping, Peer] | None:
    """The mapping of ours with the least cost of the peer, and that cost."""
    codelet = codelet_of(workload)
    orders: dict[tuple[tuple[str, int], ...], list[Choice]] = {}
    for choice in choices(workload, mapping, acg, codelet):
        for order in _orders(choice, workload, codelet):
            orders.setdefault(tuple(order), []).append(choice)
    for _ in range(TRIES):
        if not orders:
            break
        best = ask([list(order) for order in orders])
        for choice in orders.pop(tuple(best.order), ()):
            found = fits(choice.pins(codelet))
            if found is not None:
                return found, best
    return None


def choices(workload: Workload, mapping: Mapping, acg: Acg, codelet: Codelet) -> Iterator[Choice]:
    """Tiles that may fit into the memories that our mapping uses, in every order."""
    names = PEER_DIMS[type(workload.shape)]
    rows = {
        d: _tiles(n, PEER_ARRAY.get(names[d], 1)) for d, n in codelet.extents.items() if d in names
    }
    for count in range(3):
        for split in itertools.combinations([d for d, tiles in rows.items() if tiles], count):
            for tiles in itertools.product(*(rows[d] for d in split)):
                named = dict(zip(split, tiles, strict=True))
                if _may_fit(mapping, acg, codelet, named):
                    for order in itertools.permutations(split):
                        yield Choice(tuple(named.items()), order)


def _tiles(extent: int, step: int) -> list[int]:
    """Whole array steps that divide a dim, without the dim itself."""
    steps = -(-extent // step)
    if extent % step and steps > 1:
        return []
    return [n * step for n in range(1, steps) if steps % n == 0]


def _may_fit(mapping: Mapping, acg: Acg, codelet: Codelet, tiles: dict[str, int]) -> bool:
    """Whether one tile of every tensor fits into its memory, without what it leaves unread."""
    step = factors_step(codelet)
    memories = {p.tensor: p.memory for p in mapping.placements}
    extents = codelet.extents | tiles
    used: Counter[str] = Counter()
    for ref in {r.name: r for r in (*step.refs, step.target)}.values():
        read = [min(i.span(extents), prod(extents[d] for d in i.dims)) for i in ref.indices]
        used[memories[ref.name]] += prod(read) * codelet.tensor(ref.name).dtype.bytes
    return all(size <= acg.memory(memory).size_bytes for memory, size in used.items())


def _orders(choice: Choice, workload: Workload, codelet: Codelet) -> Iterator[Order]:
    """The peer's orders of loops, innermost first: blocks of dims of a launch in any order."""
    names = PEER_DIMS[type(workload.shape)]
    tiles = {names[d]: n for d, n in (codelet.extents | dict(choice.tiles)).items() if d in names}
    loops = {d: -(-n // PEER_ARRAY.get(d, 1)) for d, n in tiles.items()}
    blocks = [[(d, loops[d]) for d in block if loops.get(d, 1) > 1] for block in BLOCKS]
    around = [(d, -(-codelet.extents[d] // dict(choice.tiles)[d])) for d in reversed(choice.order)]
    for order in itertools.permutations([b for b in blocks if b]):
        yield [*itertools.chain(*order), *((names[d], trips) for d, trips in around)]
