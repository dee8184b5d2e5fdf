"""A first mapping for the solver to start from: coordinate descent over tile sizes.

In: a `Space` and the memory's words. Out: a `Choice` and its latency, or None. Deterministic and
quick, with the solver's own tables and `cost`'s paths; it proves nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from math import prod

from covenant.mapper.banking import (
    PARTIAL_WEIGHT,
    collides,
    copy_limit,
    group_count,
    guest_limit,
    reader_loss,
    shared_loss,
)
from covenant.mapper.cost import Jobs, Moves, longest_paths, outer_steps
from covenant.mapper.extract import Choice
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.space import Row, Space, reduction_columns

_SWEEPS = 3


class _Descent:
    """Evaluates choices of one loop order; what stays on chip altogether is part of the order."""

    def __init__(self, space: Space, words: int, order: tuple[str, ...], resident: frozenset[str]):
        self.space = space
        self.words = words
        self.order = order
        self.resident = resident
        self.plan = 0
        self.operands = {o.port: o for o in space.operands}
        self.reductions: dict[tuple[int, ...], tuple[int, int, int, int, int]] = {}

    def choice(self, rows: dict[str, int]) -> Choice:
        """The cuts of an order: as far inside as each operand's dims allow."""
        active = [d for d in self.order if rows[d]]
        inside = {}
        for operand in self.space.operands:
            cut = 0 if operand.port in self.resident else len(active)
            while cut and active[cut - 1] not in operand.dims:
                cut -= 1
            if operand.role is Role.PARTIAL:
                reduced = [i for i, d in enumerate(active) if d in self.space.reduced]
                cut = min([cut, *reduced])
            inside[operand.port] = frozenset(self.order) - frozenset(active[:cut])
        double = frozenset(
            o.port
            for o in self.space.operands
            if o.role is not Role.PARTIAL
            and any(d not in inside[o.port] for d in o.dims if d in active)
        )
        return Choice(dict(rows), inside, double, self.plan)

    def latency(self, rows: dict[str, int]) -> int | None:
        """Cycles of a choice, None when it does not fit."""
        choice = self.choice(rows)
        space = self.space
        moves: dict[str, Moves] = {}
        sizes: dict[str, int] = {}
        split = any(rows[d] for d in rows if d in space.reduced)
        for operand in space.operands:
            size, moves[operand.port] = self._operand(operand, choice)
            if operand.role is not Role.PARTIAL or split:
                sizes[operand.port] = size
        named = {d: space.rows[d][i] for d, i in rows.items()}
        jobs, steps, partials = self._jobs(rows, named)
        planned = self._banks(sizes, choice, moves, steps, partials)
        if planned is None:
            return None
        lost, self.plan = planned
        jobs = replace(jobs, compute=jobs.compute + lost)
        single = frozenset(o.port for o in space.operands) - choice.double
        longest = max(value for _, value in longest_paths(space, jobs, moves, single))
        return longest + moves[space.stores[0].port].last + space.machine.start + space.machine.end

    def _banks(
        self,
        sizes: dict[str, int],
        choice: Choice,
        moves: dict[str, Moves],
        steps: int,
        partials: int,
    ) -> tuple[int, int] | None:
        """Fewest cycles lost to bank conflicts and the plan for it, None when nothing fits."""
        space = self.space
        group = self.words // group_count(space.memory)
        copies = {p: 2 if p in choice.double else 1 for p in sizes}
        if sum(size * copies[p] for p, size in sizes.items()) > self.words:
            return None
        best: tuple[int, int] | None = None
        for index, plan in enumerate(space.plans):
            lost = 0
            if plan.shared:
                numerator, denominator = shared_loss(space.memory, space.operands)
                lost = -(-steps * numerator // denominator)
            else:
                others = sum(s * copies[p] for p, s in sizes.items() if p not in plan.groups)
                guests = PARTIAL_WEIGHT * partials + sum(
                    moves[o.port].words
                    for o in space.operands
                    if o.port not in plan.groups and o.role is not Role.PARTIAL
                )
                fits = True
                if plan.host:
                    apart = plan.apart(plan.host)
                    fits = not apart or copies[plan.host] == 2
                    others += sizes[plan.host] * (1 if apart else copies[plan.host])
                fits &= others <= guest_limit(plan, group)
                for port in (p for p in plan.groups if p):
                    fits &= sizes[port] <= copy_limit(plan, port, group, copies[port])
                    own = moves[port].words if copies[port] == 2 and collides(plan, port) else 0
                    accesses = own + (2 * guests if port == plan.host else 0)
                    lost += reader_loss(space.memory, plan, self.operands[port], steps, accesses)
                if not fits:
                    continue
            if best is None or lost < best[0]:
                best = lost, index
        return best

    def _jobs(self, rows: dict[str, int], named: dict[str, Row]) -> tuple[Jobs, int, int]:
        """Compute jobs, array steps, words of partial sums written."""
        space = self.space
        key = tuple(rows.get(d, 0) for d in space.reduced)
        if key not in self.reductions:
            self.reductions[key] = reduction_columns(space, named)
        cycles, first, last, steps, chunks = self.reductions[key]
        outer = outer_steps(space, named)
        launches = prod(r.trips for r in named.values())
        compute = outer[0] * cycles + launches * space.machine.launch_overhead
        partials = space.machine.partial_words * outer[0] * (chunks - 1)
        jobs = Jobs(compute, outer[1] * first, outer[2] * last, launches)
        return jobs, outer[0] * steps, partials

    def _operand(self, operand: Operand, choice: Choice) -> tuple[int, Moves]:
        space, port = self.space, operand.port
        inside = choice.inside[port]
        row = {d: 0 if d in inside else choice.rows[d] for d in space.tiled}
        trips = prod(space.rows[d][row[d]].trips for d in space.tiled if d in operand.dims)
        repeats = 1
        if operand.role in (Role.INPUT, Role.CONSTANT):
            repeats = prod(
                space.rows[d][row[d]].trips for d in space.tiled if d not in operand.dims
            )
        size = total = first = last = words = 1
        for table in space.tables[port]:
            made = table.rows[tuple(row[d] for d in table.dims)]
            size *= made.size
            total *= made.total
            first *= made.first
            last *= made.last
            words *= made.words
        setup = space.setup(operand)
        exchanges = repeats * trips
        return size, Moves(
            port,
            exchanges,
            repeats * total + exchanges * setup,
            first + setup,
            last + setup,
            repeats * words,
        )

    def run(self) -> tuple[int, dict[str, int]] | None:
        """Best rows found from the smallest tiles, one dim at a time."""
        rows = {d: len(self.space.rows[d]) - 1 for d in self.order}
        best = self.latency(rows)
        if best is None:
            return None
        for _ in range(_SWEEPS):
            before = best
            for dim in self.order:
                for index in range(len(self.space.rows[dim])):
                    found = self.latency({**rows, dim: index})
                    if found is not None and found < best:
                        best, rows = found, {**rows, dim: index}
            if best == before:
                break
        return best, rows


def first_choice(space: Space, words: int) -> tuple[int, Choice] | None:
    """The best choice over a few loop orders and what may stay on chip."""
    best: tuple[int, Choice] | None = None
    for order, resident in _plans(space):
        descent = _Descent(space, words, order, resident)
        found = descent.run()
        if found is not None and (best is None or found[0] < best[0]):
            descent.latency(found[1])
            best = found[0], descent.choice(found[1])
    return best


def _plans(space: Space) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Orders of the kinds of dims (columns, lanes' own, reduction), dims of a kind in the order of
    `inner`."""
    strided = next(o for o in space.loads if o.strided)
    kinds: dict[str, list[str]] = {"column": [], "lane": [], "reduction": []}
    for dim in space.tiled:
        reduced = dim in space.reduced
        kinds["reduction" if reduced else "lane" if dim in strided.dims else "column"].append(dim)
    seen = set()
    for order in itertools.permutations(kinds.values()):
        dims = tuple(itertools.chain.from_iterable(order))
        if dims not in seen:
            seen.add(dims)
            yield dims, frozenset()
