"""A first mapping for the solver to start from: coordinate descent over tile sizes.

In: a `Space` and the words of its banked memory. Out: a `Choice` and its latency, or None.
Deterministic and quick, with the solver's own tables and `cost`'s paths; it proves nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

from covenant.mapper.banking import (
    Plan,
    copy_limit,
    group_count,
    guest_limit,
    turns_limit,
)
from covenant.mapper.cost import Moves, ends, longest_paths
from covenant.mapper.extract import Choice
from covenant.mapper.latency import paths
from covenant.mapper.loops import stream_limits
from covenant.mapper.mapping import Role
from covenant.mapper.sharing import Sharing, planned
from covenant.mapper.sites import Site
from covenant.mapper.space import Row, Space, loop_key
from covenant.mapper.tally import Tally

_SWEEPS = 3


def _worth(sharing: Sharing) -> int:
    """Cycles of a sharing, whatever bounds the layer."""
    return sharing.lost + sharing.pressed + sharing.busy


class _Known:
    """What all descents over a space share; `tiles` and `tallies` fill up as they are needed."""

    def __init__(self, space: Space) -> None:
        self.dims = {s.key: frozenset(s.operand.dims) for s in space.sites}
        self.own = {k: tuple(d for d in space.tiled if d in dims) for k, dims in self.dims.items()}
        self.tried = {d: _tried(space, d) for d in space.tiled}
        self.legal = {d: _divisors(space.rows[d]) for d in space.tiled if space.levels > 1}
        self.paths = paths(space)
        self.tallies: dict[tuple[int, ...], Tally] = {}
        self.tiles: dict[tuple[str, tuple[int, ...]], tuple[int, Moves]] = {}
        self.streams = stream_limits(space)


class _Descent:
    """Evaluates choices of one loop order, the same at every level."""

    def __init__(self, space: Space, words: int, order: tuple[str, ...], known: _Known) -> None:
        self.space = space
        self.known = known
        self.words = words
        self.order = order
        self.nest = [(level, d) for level in range(space.levels) for d in order]
        self.plan = 0
        self.operands = {o.port: o for o in space.operands}
        self.followed = {s.follows for s in space.sites}

    def choice(self, rows: dict[str, int]) -> Choice:
        """The cuts of an order: as far inside as each operand's dims allow."""
        active = [(level, d) for level, d in self.nest if self._cuts(rows, level, d)]
        inside: dict[str, frozenset[str]] = {}
        double: set[str] = set()
        for site in self.space.sites:
            if site.follows:
                inside[site.key] = frozenset()
                continue
            loops = [x for x in active if x[0] < site.depth]
            stuck = site.operand.role is Role.PARTIAL and site.outer is None
            if stuck:
                reduced = [i for i, (_, d) in enumerate(loops) if d in self.space.reduced]
                loops = loops[: min([len(loops), *reduced])]
            dims = self.known.dims[site.key]
            while loops and loops[-1][1] not in dims:
                loops.pop()
            inside[site.key] = self._inside(site, loops, active)
            still = stuck and site.key not in self.followed
            if not still and any(d in dims for _, d in loops):
                double.add(site.key)
        return Choice(dict(rows), inside, frozenset(double), self.plan)

    def _inside(
        self, site: Site, outside: list[tuple[int, str]], active: list[tuple[int, str]]
    ) -> frozenset[str]:
        """Keys of the loops inside a cut; those of outer levels lie outside, whatever their
        trips."""
        level = outside[-1][0] if outside else 0
        out = {loop_key(d, n) for n, d in outside}
        out |= {loop_key(d, n) for n in range(level) for d in self.order}
        keys = {loop_key(d, n) for n in range(site.depth) for d in self.order}
        return frozenset(keys - out)

    def _cuts(self, rows: dict[str, int], level: int, dim: str) -> bool:
        enclosing = rows[loop_key(dim, level - 1)] if level else 0
        return rows[loop_key(dim, level)] != enclosing

    def latency(self, rows: dict[str, int]) -> int | None:
        """Cycles of a choice, None when it does not fit."""
        choice = self.choice(rows)
        space = self.space
        moves: dict[str, Moves] = {}
        sizes: dict[str, int] = {}
        innermost = {d: rows[loop_key(d, space.levels - 1)] for d in self.order}
        split = any(innermost[d] for d in innermost if d in space.reduced)
        tiles: dict[str, dict[str, int]] = {}
        for site in sorted(space.sites, key=lambda s: bool(s.follows)):
            tiles[site.key] = tiles[site.follows] if site.follows else self._tile(site, choice)
            size, move = self._site(site, tiles[site.key])
            if site.outer is not None:
                moves[site.key] = move
            if site.operand.role is not Role.PARTIAL or split or site.operand.kept:
                sizes[site.key] = 0 if site.follows else size
        if not self._fits(sizes, choice) or not self._streams(innermost):
            return None
        tally = self._tally(innermost)
        shared = Sharing(0, 0, 0)
        if space.banked:
            cheapest = self._banks(sizes, choice, moves, tally)
            if cheapest is None:
                return None
            shared, self.plan = cheapest
        single = frozenset(s.key for s in space.sites) - choice.double
        work = tally.work(space, shared)
        found = longest_paths(space, work, tally.launches, moves, single, self.known.paths)
        longest = max(value for _, value in found)
        return longest + ends(space, moves) + space.machine.start + space.machine.end

    def _fits(self, sizes: dict[str, int], choice: Choice) -> bool:
        used: dict[str, int] = {}
        limits: dict[str, int] = {}
        for key, size in sizes.items():
            site = self.space.site(key)
            memory = site.memory
            words = -(-size * site.word_bytes // memory.word_bytes)
            copies = 2 if key in choice.double else 1
            used[memory.name] = used.get(memory.name, 0) + copies * words
            limits[memory.name] = memory.size_bytes // memory.word_bytes
        limits[self.space.memory.name] = self.words
        return all(total <= limits[name] for name, total in used.items())

    def _streams(self, innermost: dict[str, int]) -> bool:
        """Whether the streams have as many loops as a launch needs."""
        return all(s.enough(innermost) for s in self.known.streams)

    def _banks(
        self, every: Mapping[str, int], choice: Choice, moves: Mapping[str, Moves], tally: Tally
    ) -> tuple[Sharing, int] | None:
        """What sharing banks costs under the plan that costs least and its number, None when
        nothing fits."""
        space, memory = self.space, self.space.memory
        group = self.words // group_count(memory)
        sizes = {o.port: every[o.port] for o in space.banked if o.port in every}
        copies = {p: 2 if p in choice.double else 1 for p in sizes}
        work = tally.load(space)
        raw = tally.raw_words
        words = {o.port: moves[o.port].words for o in space.banked if o.port in moves}
        if space.partial is not None:
            words[space.partial.port] = raw
        best: tuple[Sharing, int] | None = None
        for index, plan in enumerate(space.plans):
            if not plan.shared and not self._divided(plan, sizes, copies, group):
                continue
            found = planned(memory, space.banked, plan, copies, work, words)
            if best is None or _worth(found) < _worth(best[0]):
                best = found, index
        return best

    def _divided(
        self, plan: Plan, sizes: Mapping[str, int], copies: Mapping[str, int], group: int
    ) -> bool:
        """Whether all copies fit what a plan gives them."""
        for port in (p for p in plan.groups if p):
            if sizes[port] > copy_limit(plan, port, group, copies[port]):
                return False
        if plan.turns:
            taken = [p for p in plan.groups if p]
            if any(copies[p] != 2 for p in taken):
                return False
            if sum(sizes[p] for p in taken) > turns_limit(plan, group):
                return False
        others = sum(
            s * (1 if plan.halves else copies[p]) for p, s in sizes.items() if p not in plan.groups
        )
        if plan.host:
            apart = plan.apart(plan.host)
            if apart and copies[plan.host] != 2:
                return False
            others += sizes[plan.host] * (1 if apart else copies[plan.host])
        return others <= guest_limit(plan, group)

    def _tally(self, innermost: dict[str, int]) -> Tally:
        key = tuple(innermost[d] for d in self.space.tiled)
        if key not in self.known.tallies:
            rows = {d: self.space.rows[d][i] for d, i in innermost.items()}
            self.known.tallies[key] = Tally.of(self.space, rows)
        return self.known.tallies[key]

    def _tile(self, site: Site, choice: Choice) -> dict[str, int]:
        """Row of the resident tile by dim."""
        found = dict.fromkeys(self.order, 0)
        for level in range(site.depth):
            for dim in self.order:
                key = loop_key(dim, level)
                if key not in choice.inside[site.key]:
                    found[dim] = choice.rows[key]
        return found

    def _site(self, site: Site, row: dict[str, int]) -> tuple[int, Moves]:
        """Words of a copy and the transfers of a site whose tile has these rows."""
        space, operand = self.space, site.operand
        size, once = self._once(site, row)
        repeats = 1
        if operand.role is not Role.OUTPUT and site.repeats:
            skipped = space.reduced if site.follows else ()
            others = [d for d in row if d not in self.known.dims[site.key] and d not in skipped]
            repeats = prod(space.rows[d][row[d]].trips for d in others)
        out, back = repeats, 0
        if operand.role is Role.PARTIAL:
            back = repeats - (0 if site.started and not site.spills else 1)
            out = back if site.spills else repeats
        if repeats == out == 1 and not back:
            return size, once
        return size, replace(
            once,
            exchanges=repeats * once.exchanges,
            cycles=out * once.cycles,
            words=out * once.words,
            back_cycles=back * once.cycles,
            back_words=back * once.words,
        )

    def _once(self, site: Site, row: dict[str, int]) -> tuple[int, Moves]:
        """The same when every tile is moved once."""
        key = (site.key, tuple(row[d] for d in self.known.own[site.key]))
        if key in self.known.tiles:
            return self.known.tiles[key]
        space = self.space
        trips = prod(space.rows[d][row[d]].trips for d in self.known.own[site.key])
        size = total = first = last = words = 1
        for table in space.tables[site.key]:
            made = table.rows[tuple(row[d] for d in table.dims)]
            size *= made.size
            total *= made.total
            first *= made.first
            last *= made.last
            words *= made.words
        setup, times, lead = space.setup(site), site.times, space.lead(site)
        move = Moves(
            site.operand.port,
            trips,
            total * times + trips * setup,
            first * times + lead,
            last * times + lead,
            words * times,
        )
        self.known.tiles[key] = size, move
        return size, move

    def run(self) -> tuple[int, dict[str, int]] | None:
        """Best rows found from the smallest tiles, one loop at a time."""
        rows = {loop_key(d, n): len(self.space.rows[d]) - 1 for n, d in self.nest}
        best = self.latency(rows)
        if best is None:
            return None
        for _ in range(_SWEEPS):
            before = best
            for level, dim in self.nest:
                for index in self.known.tried[dim]:
                    changed = self._changed(rows, level, dim, index)
                    found = self.latency(changed)
                    if found is not None and found < best:
                        best, rows = found, changed
            if best == before:
                break
        return best, rows

    def _changed(self, rows: dict[str, int], level: int, dim: str, index: int) -> dict[str, int]:
        """Rows with one loop's tile changed, and those around it where they no longer nest."""
        changed = {**rows, loop_key(dim, level): index}
        if self.space.levels == 1:
            return changed
        for outer in reversed(range(level)):
            if (
                changed[loop_key(dim, outer + 1)]
                not in self.known.legal[dim][changed[loop_key(dim, outer)]]
            ):
                changed[loop_key(dim, outer)] = changed[loop_key(dim, outer + 1)]
        for inner in range(level + 1, self.space.levels):
            legal = self.known.legal[dim][changed[loop_key(dim, inner - 1)]]
            if changed[loop_key(dim, inner)] not in legal:
                changed[loop_key(dim, inner)] = max(legal)
        return changed


def _divisors(rows: tuple[Row, ...]) -> list[frozenset[int]]:
    """For every tile those that may lie inside it."""
    return [
        frozenset(
            j for j, other in enumerate(rows) if j >= i and (i == 0 or one.tile % other.tile == 0)
        )
        for i, one in enumerate(rows)
    ]


_CLOSEST = 6
"""Up to that many trips every count is tried, beyond it only those that differ by a sixth."""


def _tried(space: Space, dim: str) -> list[int]:
    """Indices of the tiles of a dim that are tried: per trip count the smallest one of whole array
    steps, or the smallest; fewer and fewer of the many trips. With several levels all of them."""
    rows, step = space.rows[dim], space.steps[dim]
    if space.levels > 1:
        return list(range(len(rows)))
    found: dict[int, int] = {}
    for index, row in enumerate(rows):
        known = found.get(row.trips)
        if known is None or row.tile % step == 0 or rows[known].tile % step:
            found[row.trips] = index
    kept: list[int] = []
    before = 0
    for trips, index in sorted(found.items()):
        if trips <= _CLOSEST or 6 * trips >= 7 * before:
            kept.append(index)
            before = trips
    return sorted({*kept, len(rows) - 1})


def first_choice(space: Space, words: int) -> tuple[int, Choice] | None:
    """The best choice over a few loop orders."""
    best: tuple[int, Choice] | None = None
    known = _Known(space)
    for order in _orders(space):
        descent = _Descent(space, words, order, known)
        found = descent.run()
        if found is not None and (best is None or found[0] < best[0]):
            descent.latency(found[1])
            best = found[0], descent.choice(found[1])
    return best


def _orders(space: Space) -> Iterator[tuple[str, ...]]:
    """Orders of the kinds of dims (columns, lanes' own, reduction), dims of a kind in the order of
    `inner`."""
    inputs = [o for o in space.loads if not o.follows and not o.record_bytes]
    strided = next((o for o in inputs if o.strided), inputs[0])
    kinds: dict[str, list[str]] = {"column": [], "lane": [], "reduction": []}
    for dim in space.tiled:
        reduced = dim in space.reduced
        kinds["reduction" if reduced else "lane" if dim in strided.dims else "column"].append(dim)
    seen = set()
    for order in itertools.permutations(kinds.values()):
        dims = tuple(itertools.chain.from_iterable(order))
        if dims not in seen:
            seen.add(dims)
            yield dims
