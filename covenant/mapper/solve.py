"""Solving: candidates in, the best mapping with its proof out.

In: a codelet and an architecture. Out: a `Mapping` whose objective equals `cost.evaluate`. Ties are
broken by off-chip bytes, then energy. A fixed seed and one worker give equal mappings on every run.
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
from covenant.mapper.extract import Choice, extract
from covenant.mapper.greedy import first_choice
from covenant.mapper.infeasible import no_binding, no_path, no_room, time_limit, too_small
from covenant.mapper.mapping import Mapping, Proof, Status
from covenant.mapper.model import Model, build
from covenant.mapper.space import Space, space_of
from covenant.mapper.verify import verify


@dataclass
class _Search:
    """Parameters and the clock of one layer's search."""

    deadline: float
    seed: int
    workers: int
    started: float

    def solver(self) -> cp_model.CpSolver:
        """A solver with what is left of the time; probing costs more than it finds on these
        models."""
        solver = cp_model.CpSolver()
        solver.parameters.cp_model_probing_level = 0
        solver.parameters.num_workers = self.workers
        solver.parameters.random_seed = self.seed
        solver.parameters.interleave_search = self.workers > 1
        solver.parameters.max_time_in_seconds = max(0.01, self.deadline - time.monotonic())
        return solver


@dataclass(frozen=True)
class _Found:
    """The best choice of one binding."""

    choice: Choice
    objective: int


@dataclass(frozen=True)
class _Start:
    """A binding's space, its memory in words, and a greedy choice (None when none was found)."""

    index: int
    space: Space
    words: int
    latency: int
    choice: Choice | None


def solve(
    codelet: Codelet,
    acg: Acg,
    *,
    time_limit_seconds: float = 60.0,
    seed: int = 0,
    workers: int = 1,
) -> Mapping:
    """The mapping of least latency; raises CovenantError when there is none."""
    started = time.monotonic()
    search = _Search(started + time_limit_seconds, seed, workers, started)
    if (crowded := no_room(codelet, acg)) is not None:
        raise crowded
    candidates = match(codelet, acg)
    if not candidates.bindings:
        raise no_binding(codelet, acg, candidates.refusals)
    spaces = [space_of(codelet, acg, binding) for binding in candidates.bindings]
    unreachable = [no_path(codelet, acg, space) for space in spaces]
    spaces = [s for s, error in zip(spaces, unreachable, strict=True) if error is None]
    if not spaces:
        raise next(error for error in unreachable if error is not None)
    starts = _starts(spaces)
    best: list[tuple[int, Model, _Found]] = []
    bounds: list[int] = []
    proven = True
    limit = min((s.latency for s in starts if s.choice is not None), default=None)
    for start in starts:
        if limit is not None and fewest_cycles(start.space) > limit:
            continue
        model = build(start.space, start.words)
        found, bound, done = _least_latency(model, search, limit, start)
        proven = proven and done
        bounds.append(bound)
        if found is None:
            continue
        if best and found.objective < best[0][2].objective:
            best = []
        best.append((start.index, model, found))
        limit = found.objective
    if not best:
        if proven:
            raise too_small(codelet, acg, _smallest([s.space for s in starts], search))
        raise time_limit(codelet, acg, time_limit_seconds)
    return _finish(codelet, acg, search, best, min(bounds), proven=proven)


def _starts(spaces: list[Space]) -> list[_Start]:
    """Greedy mappings of all bindings, the most promising binding first."""
    found = []
    for index, space in enumerate(spaces):
        words = space.memory.size_bytes // space.memory.word_bytes
        first = first_choice(space, words)
        latency, choice = first if first is not None else (1 << 62, None)
        found.append(_Start(index, space, words, latency, choice))
    return sorted(found, key=lambda s: (s.latency, s.index))


def fewest_cycles(space: Space) -> int:
    """A lower bound on the latency of a binding: its array steps and the fixed cycles."""
    steps = prod(space.job_steps(d, space.extents[d]) for d in space.inner)
    return steps * space.machine.step_cycles + space.machine.start + space.machine.end


def _least_latency(
    model: Model, search: _Search, limit: int | None, start: _Start
) -> tuple[_Found | None, int, bool]:
    """Best choice of a binding no worse than `limit`, a bound on its latency, and whether that is
    final."""
    if start.choice is not None and start.latency == limit:
        hint(model, start.choice)
    if limit is not None:
        model.proto.add(model.latency <= limit)
    model.proto.minimize(model.latency)
    solver = search.solver()
    status = solver.solve(model.proto)
    if status == cp_model.INFEASIBLE:
        return None, limit if limit is not None else 1 << 62, True
    bound = max(0, round(solver.best_objective_bound))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        kept = start.choice is not None and start.latency == limit
        greedy = _Found(start.choice, start.latency) if kept and start.choice is not None else None
        return greedy, max(bound, fewest_cycles(model.space)), False
    objective = round(solver.objective_value)
    proven = status == cp_model.OPTIMAL
    return _Found(read(model, solver), objective), bound, proven


def _finish(
    codelet: Codelet,
    acg: Acg,
    search: _Search,
    best: list[tuple[int, Model, _Found]],
    bound: int,
    *,
    proven: bool,
) -> Mapping:
    """Break ties, extract, check that the objective is the cost."""
    ranked = []
    for index, model, found in best:
        choice = _tie_break(model, found, search) if proven else found.choice
        mapping = extract(model.space, choice)
        spent = cost.evaluate(mapping, codelet, acg)
        key = (spent.latency, spent.dram_bytes, spent.energy_femtojoules, index)
        ranked.append((key, mapping, found))
    key, mapping, found = min(ranked, key=lambda r: r[0])
    if proven:
        assert key[0] == found.objective, f"cost {key[0]} is not the objective {found.objective}"
    proof = Proof(
        status=Status.OPTIMAL if proven else Status.FEASIBLE,
        objective=key[0],
        bound=key[0] if proven else min(bound, key[0]),
        solve_seconds=round(time.monotonic() - search.started, 3),
        seed=search.seed,
        workers=search.workers,
    )
    mapping = replace(mapping, proof=proof)
    faults = verify(mapping, codelet, acg)
    assert not faults, "\n".join(map(str, faults))
    return mapping


def _tie_break(model: Model, found: _Found, search: _Search) -> Choice:
    """Among mappings of least latency the one with the fewest off-chip bytes, then the least
    energy."""
    choice = found.choice
    proto = model.proto
    proto.add(model.latency == found.objective)
    for objective in (model.dram_words, model.energy):
        hint(model, choice)
        proto.minimize(objective)
        solver = search.solver()
        status = solver.solve(proto)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            break
        choice = read(model, solver)
        proto.add(objective <= round(solver.objective_value))
    return choice


def hint(model: Model, choice: Choice) -> None:
    """Start from a known choice."""
    proto = model.proto
    proto.proto.solution_hint.vars.clear()
    proto.proto.solution_hint.values.clear()
    for dim, row in model.tiling.row.items():
        proto.add_hint(row, choice.rows[dim])
    for port, residency in model.residencies.items():
        for dim, inside in residency.inside.items():
            proto.add_hint(inside, dim in choice.inside[port])
        proto.add_hint(model.double[port], port in choice.double)
    for index, selected in enumerate(model.allocation.plan):
        proto.add_hint(selected, index == choice.plan)


def read(model: Model, solver: cp_model.CpSolver) -> Choice:
    """The decisions of a solution."""
    return Choice(
        {d: solver.value(v) for d, v in model.tiling.row.items()},
        {
            p: frozenset(d for d, v in r.inside.items() if solver.value(v))
            for p, r in model.residencies.items()
        },
        frozenset(p for p, v in model.double.items() if solver.value(v)),
        next((i for i, v in enumerate(model.allocation.plan) if solver.value(v)), 0),
    )


def _smallest(spaces: list[Space], search: _Search) -> tuple[Space, Choice]:
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
