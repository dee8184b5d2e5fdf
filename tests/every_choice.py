"""Every mapping of a space, one by one: what the solver is compared with.

In: spaces of a tiny layer. Out: the best keys of all objectives over every tile, loop order, cut
and copy, judged by `verify` and costed by `cost.evaluate`; the CP-SAT model takes no part.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper import cost
from covenant.mapper.extract import Choice, extract
from covenant.mapper.objective import Objective, Term
from covenant.mapper.space import Space, loop_key
from covenant.mapper.verify import verify

OBJECTIVES = [Objective((term,)) for term in Term]


def _nests(space: Space) -> Iterator[tuple[dict[str, int], tuple[str, ...]]]:
    """Rows of every loop, and every order of the loops with more than one trip, level by level."""
    for rows in itertools.product(*(_dim_rows(space, d) for d in space.tiled)):
        chosen = {
            loop_key(d, level): row
            for d, levels in zip(space.tiled, rows, strict=True)
            for level, row in enumerate(levels)
        }
        active = [
            [
                loop_key(d, level)
                for d in space.tiled
                if chosen[loop_key(d, level)] != (chosen[loop_key(d, level - 1)] if level else 0)
            ]
            for level in range(space.levels)
        ]
        for orders in itertools.product(*(itertools.permutations(a) for a in active)):
            yield chosen, tuple(itertools.chain(*orders))


def _dim_rows(space: Space, dim: str) -> Iterator[tuple[int, ...]]:
    """Row of a dim per level; an inner tile divides the outer one where that is cut."""
    rows = space.rows[dim]
    for found in itertools.combinations_with_replacement(range(len(rows)), space.levels):
        pairs = itertools.pairwise(found)
        if all(i == 0 or rows[i].tile % rows[j].tile == 0 for i, j in pairs):
            yield found


def _choices(space: Space) -> Iterator[Choice]:
    """Every cut of every site in every nest, single and double."""
    keys = [s.key for s in space.sites if not s.follows]
    depths = {s.key: s.depth for s in space.sites}
    for rows, order in _nests(space):
        level = {loop_key(d, n): n for d in space.tiled for n in range(space.levels)}
        prefixes = []
        for key in keys:
            reach = [k for k in order if level[k] < depths[key]]
            prefixes.append(
                [frozenset(space.loops) - set(reach[:n]) for n in range(len(reach) + 1)]
            )
        for inside in itertools.product(*prefixes):
            for double in itertools.product((False, True), repeat=len(keys)):
                both = frozenset(k for k, twice in zip(keys, double, strict=True) if twice)
                for plan in range(len(space.plans)):
                    yield Choice(rows, dict(zip(keys, inside, strict=True)), both, plan)


def choice_count(space: Space) -> int:
    """How many choices there are."""
    keys = [s for s in space.sites if not s.follows]
    return sum(
        (len(order) + 1) ** len(keys) * 2 ** len(keys) * len(space.plans)
        for _, order in _nests(space)
    )


def best_of_all(
    codelet: Codelet, acg: Acg, spaces: list[Space]
) -> dict[Objective, tuple[int, ...]]:
    """Least key of every objective over all legal mappings."""
    found: dict[Objective, tuple[int, ...]] = {}
    seen = set()
    for space in spaces:
        for choice in _choices(space):
            mapping = extract(space, choice)
            if mapping in seen:
                continue
            seen.add(mapping)
            spent = cost.evaluate(mapping, codelet, acg)
            better = [o for o in OBJECTIVES if o not in found or o.key(spent) < found[o]]
            if better and not verify(mapping, codelet, acg):
                found.update({o: o.key(spent) for o in better})
    return found
