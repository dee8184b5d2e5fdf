"""Solving: candidates in, the best mapping with its proof out.

In: a codelet, an architecture, an objective. Out: a `Mapping` whose goals equal `cost.evaluate`.
Ties are broken by latency, off-chip bytes, then energy. A fixed seed and one worker give equal
mappings on every run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import prod

from ortools.sat.python import cp_model

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper import cost
from covenant.mapper.candidates import match
from covenant.mapper.decisions import read
from covenant.mapper.extract import Choice, extract
from covenant.mapper.greedy import first_choice
from covenant.mapper.infeasible import no_binding, no_path, no_room, time_limit, too_small
from covenant.mapper.mapping import Goal, Mapping, Proof, Status
from covenant.mapper.model import Model, build
from covenant.mapper.objective import LATENCY, UNITS, Objective, Term, value
from covenant.mapper.search import FAR, Found, Search, least, refine
from covenant.mapper.space import Space, space_of
from covenant.mapper.verify import verify
from covenant.mapper.windows import fused_forms


@dataclass(frozen=True)
class _Start:
    """A binding's space, its memory in words, and a greedy choice (None when none was found) with
    its value in the objective's first term."""

    index: int
    space: Space
    words: int
    value: int
    choice: Choice | None


@dataclass(frozen=True)
class _Answer:
    """The best choice found of one binding."""

    index: int
    model: Model
    found: Found


def solve(
    codelet: Codelet,
    acg: Acg,
    *,
    objective: Objective = LATENCY,
    time_limit_seconds: float = 60.0,
    seed: int = 0,
    workers: int = 1,
) -> Mapping:
    """The mapping that is best by the objective; raises CovenantError when there is none."""
    search = Search(objective, time.monotonic() + time_limit_seconds, seed, workers)
    starts = _starts(_spaces(codelet, acg), objective, codelet, acg)
    first = objective.ranked[0]
    best: list[_Answer] = []
    bounds: list[int] = []
    proven = True
    limit = min((s.value for s in starts if s.choice is not None), default=None)
    for start in starts:
        if limit is not None and _least_possible(first, start.space) > limit:
            continue
        model = build(start.space, start.words)
        found = _least(model, search, limit, start)
        proven = proven and found.proven
        bounds.append(found.bound)
        if found.choice is None:
            continue
        if best and found.value < best[0].found.value:
            best = []
        best.append(_Answer(start.index, model, found))
        limit = found.value
    if not best:
        if proven:
            raise too_small(codelet, acg, _smallest([s.space for s in starts], search))
        raise time_limit(codelet, acg, time_limit_seconds)
    return _finish(codelet, acg, search, best, min(bounds), proven=proven)


def _spaces(codelet: Codelet, acg: Acg) -> list[Space]:
    """The space of every binding whose operands have a way on and off the chip."""
    if (crowded := no_room(codelet, acg)) is not None:
        raise crowded
    candidates = match(codelet, acg)
    if not candidates.bindings:
        raise no_binding(codelet, acg, candidates.refusals)
    spaces = [space_of(codelet, acg, binding) for binding in candidates.bindings]
    spaces += [
        space_of(form.codelet, acg, form.binding)
        for form in fused_forms(codelet, acg, candidates.bindings)
    ]
    unreachable = [no_path(codelet, acg, space) for space in spaces]
    spaces = [s for s, error in zip(spaces, unreachable, strict=True) if error is None]
    if not spaces:
        raise next(error for error in unreachable if error is not None)
    return spaces


def _starts(spaces: list[Space], objective: Objective, codelet: Codelet, acg: Acg) -> list[_Start]:
    """Greedy mappings of all bindings, the most promising binding first, without those that cannot
    be as good as the greedy mapping of another one. They are made for latency; another objective
    takes them at their cost."""
    term = objective.ranked[0]
    found: list[_Start] = []
    limit = FAR
    for index, space in sorted(enumerate(spaces), key=lambda s: _least_possible(term, s[1])):
        if _least_possible(term, space) > limit:
            continue
        words = space.memory.size_bytes // space.memory.word_bytes
        reached, choice = first_choice(space, words) or (FAR, None)
        if choice is not None and term is not Term.LATENCY:
            reached = value(term, cost.evaluate(extract(space, choice), codelet, acg))
        limit = min(limit, reached)
        found.append(_Start(index, space, words, reached, choice))
    return sorted(found, key=lambda s: (s.value, s.index))


def _least_possible(term: Term, space: Space) -> int:
    """A lower bound on a term for a binding; 0 where the model has to tell."""
    match term:
        case Term.LATENCY:
            return fewest_cycles(space)
        case Term.DRAM:
            return 0
        case Term.ENERGY:
            return _array_steps(space) * space.machine.step_energy
        case Term.EDP:
            return fewest_cycles(space) * _least_possible(Term.ENERGY, space)


def fewest_cycles(space: Space) -> int:
    """A lower bound on the latency of a binding: its array steps and the fixed cycles."""
    return _array_steps(space) * space.machine.step_cycles + space.machine.start + space.machine.end


def _array_steps(space: Space) -> int:
    return prod(space.job_steps(d, space.extents[d]) for d in space.inner)


def _least(model: Model, search: Search, limit: int | None, start: _Start) -> Found:
    """Best choice of a binding no worse than `limit`; its greedy choice when time runs out."""
    term = search.objective.ranked[0]
    choice = start.choice if start.value == limit else None
    found = least(model, model.proto, term, search, limit, choice)
    bound = max(found.bound, _least_possible(term, model.space))
    if found.choice is None and not found.proven and choice is not None:
        return Found(choice, start.value, min(bound, start.value), False)
    return replace(found, bound=bound)


def _finish(
    codelet: Codelet,
    acg: Acg,
    search: Search,
    best: list[_Answer],
    bound: int,
    *,
    proven: bool,
) -> Mapping:
    """Break ties, extract, check that the objective is the cost."""
    objective = search.objective
    listed = [objective.ranked.index(term) for term in objective.terms]
    ranked = []
    lower: list[list[int]] = []
    for answer in best:
        choice, bounds, done = answer.found.choice, [bound], [proven]
        if proven:
            choice, more, finals = refine(answer.model, answer.found, search)
            bounds, done = [*bounds, *more], [*done, *finals]
        assert choice is not None
        bounds += [0] * (len(objective.ranked) - len(bounds))
        done += [False] * (len(objective.ranked) - len(done))
        mapping = extract(answer.model.space, choice)
        key = objective.key(cost.evaluate(mapping, codelet, acg))
        if proven:
            wanted = answer.found.value
            assert key[0] == wanted, f"cost {key[0]} is not the objective {wanted}"
        proven_all = all(done[i] for i in listed)
        lower.append(bounds)
        ranked.append((key, answer.index, mapping, proven_all))
    key, _, mapping, _ = min(ranked, key=lambda r: r[:2])
    whole = all(r[3] for r in ranked)
    goals = tuple(
        Goal(str(term), UNITS[term], key[i], min([key[i], *(b[i] for b in lower)]))
        for term, i in zip(objective.terms, listed, strict=True)
    )
    proof = Proof(
        status=Status.OPTIMAL if whole else Status.FEASIBLE,
        goals=tuple(replace(g, bound=g.value) for g in goals) if whole else goals,
        solve_seconds=round(time.monotonic() - search.started, 3),
        seed=search.seed,
        workers=search.workers,
    )
    mapping = replace(mapping, proof=proof)
    faults = verify(mapping, codelet, acg)
    assert not faults, "\n".join(map(str, faults))
    return mapping


def _smallest(spaces: list[Space], search: Search) -> tuple[Space, Choice]:
    """The binding and choice that need the least on-chip memory."""
    found: list[tuple[int, int, Space, Choice]] = []
    for index, space in enumerate(spaces):
        model = build(space, None)
        model.proto.minimize(model.allocation.used)
        solver = search.solver()
        solver.parameters.max_time_in_seconds = 30.0
        if solver.solve(model.proto) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            found.append((round(solver.objective_value), index, space, read(model, solver)))
    _, _, space, choice = min(found, key=lambda f: f[:2])
    return space, choice
