"""Legal mappings at random, of any machine: tiles of every depth, order, cuts, double buffers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper.extract import Choice, extract
from covenant.mapper.feasibility import spaces_of
from covenant.mapper.mapping import Mapping
from covenant.mapper.space import Space, loop_key
from covenant.mapper.verify import verify


def random_mapping(
    codelet: Codelet,
    acg: Acg,
    random: Random,
    tries: int = 200,
    keep: Callable[[Space], bool] = lambda _: True,
) -> Mapping | None:
    """A legal mapping that no solver chose, in a space to keep; None when none was found."""
    spaces = [s for s in spaces_of(codelet, acg) if keep(s)]
    for _ in range(tries if spaces else 0):
        space = random.choice(spaces)
        mapping = extract(space, _choice(space, random))
        if not verify(mapping, codelet, acg):
            return mapping
    return None


def _choice(space: Space, random: Random) -> Choice:
    rows: dict[str, int] = {}
    for dim in space.tiled:
        table, row = space.rows[dim], 0
        for level in range(space.levels):
            fitting = [
                i
                for i in range(row, len(table))
                if row == 0 or table[row].tile % table[i].tile == 0
            ]
            row = random.choice([row, random.choice(fitting)])
            rows[loop_key(dim, level)] = row
    order: list[str] = []
    level_of: dict[str, int] = {}
    for level in range(space.levels):
        keys = [loop_key(d, level) for d in space.tiled]
        outer = [rows[loop_key(d, level - 1)] if level else 0 for d in space.tiled]
        active = [k for k, o in zip(keys, outer, strict=True) if rows[k] != o]
        random.shuffle(active)
        order += active
        level_of.update(dict.fromkeys(active, level))
    inside: dict[str, frozenset[str]] = {}
    sites = [s for s in space.sites if not s.follows]
    for site in sites:
        reach = [k for k in order if level_of[k] < site.depth]
        inside[site.key] = frozenset(space.loops) - set(reach[: random.randint(0, len(reach))])
    double = frozenset(s.key for s in sites if random.random() < 0.5)
    return Choice(rows, inside, double, random.randrange(len(space.plans)))
