"""The least value of an objective's terms over one binding's model, with a bound for each.

In: a `Model`, a term, a clock. Out: `Found`: decisions, value and bound in the term's unit. Linear
terms are one solve; an energy-delay product is a walk along the hull of (latency, energy).
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from math import gcd

from ortools.sat.python import cp_model

from covenant.mapper.decisions import hint, read
from covenant.mapper.extract import Choice
from covenant.mapper.hull import Answer, Box, Point, least_product
from covenant.mapper.interrupts import Watch
from covenant.mapper.model import Model
from covenant.mapper.objective import Objective, Term
from covenant.mapper.pins import Pin

FAR = 1 << 200
"""More than any term of any mapping."""

PRESOLVED_ROWS = 4000
"""Rows of all tables up to which a model is presolved: the presolve's fix point over the values of
larger ones takes longer than the search without it (`benchmarks/mapper.py`: GEMM of 1024x768x2304
8.2 and 3.3 s)."""


@dataclass
class Search:
    """Objective, parameters and the clock of one layer's search."""

    objective: Objective
    deadline: float
    seed: int
    workers: int
    pins: tuple[Pin, ...] = ()
    watch: Watch = field(default_factory=Watch)
    started: float = field(default_factory=time.monotonic)
    first: float | None = None
    """When the first mapping was known."""

    def known(self) -> None:
        """A mapping is known from now on."""
        if self.first is None:
            self.first = time.monotonic()

    @property
    def first_seconds(self) -> float:
        """Seconds until the first mapping was known."""
        return round((self.first or time.monotonic()) - self.started, 3)

    def solver(self) -> cp_model.CpSolver:
        """A solver with what is left of the time. Probing, repeated presolving, inprocessing and
        the linear relaxation cost more than they find on these models (`benchmarks/mapper.py`: half
        of the processor time of all layers without the last two, none takes longer)."""
        solver = cp_model.CpSolver()
        solver.parameters.cp_model_probing_level = 0
        solver.parameters.max_presolve_iterations = 1
        solver.parameters.use_sat_inprocessing = False
        solver.parameters.linearization_level = 0
        solver.parameters.num_workers = self.workers
        solver.parameters.random_seed = self.seed
        solver.parameters.interleave_search = self.workers > 1
        left = 0.0 if self.watch.stopped else self.deadline - time.monotonic()
        solver.parameters.max_time_in_seconds = max(0.01, left)
        solver.parameters.catch_sigint_signal = False
        return solver

    def run(
        self, solver: cp_model.CpSolver, proto: cp_model.CpModel, label: str = "", unit: int = 1
    ) -> cp_model.CpSolverStatus:
        """Solve, so that Ctrl-C ends it with the best so far; with a label value and bound are told
        as they improve."""
        status = [cp_model.UNKNOWN]
        told = _Told(self.watch, label, unit) if label and self.watch.tell is not None else None
        if told is not None:
            solver.best_bound_callback = told.on_bound

        def work() -> None:
            try:
                status[0] = solver.solve(proto, told)
            except IndexError:  # OR-Tools 9.15 loses a variable of some models on their way back
                solver.parameters.keep_all_feasible_solutions_in_presolve = True
                status[0] = solver.solve(proto, told)

        def stop() -> None:
            with suppress(RuntimeError):  # not begun yet: asked again a moment later
                solver.stop_search()

        solver.parameters.cp_model_presolve = _table_rows(proto) <= PRESOLVED_ROWS
        self.watch.until(work, stop)
        return status[0]


def _table_rows(model: cp_model.CpModel) -> int:
    tables = (c.table for c in model.proto.constraints if c.has_table())
    return sum(len(t.values) // max(1, len(t.exprs)) for t in tables)


class _Told(cp_model.CpSolverSolutionCallback):
    """Tells value and bound of a term in its unit."""

    def __init__(self, watch: Watch, label: str, unit: int) -> None:
        super().__init__()
        self.watch, self.label, self.unit = watch, label, unit
        self.reached: int | None = None
        self.bound = 0

    def on_solution_callback(self) -> None:
        self.reached = round(self.objective_value)
        self._tell()

    def on_bound(self, bound: float) -> None:
        self.bound = max(0, round(bound))
        self._tell()

    def _tell(self) -> None:
        if self.watch.tell is None or self.reached is None:
            return
        gap = (self.reached - min(self.bound, self.reached)) / max(1, self.reached)
        reached, bound = self.reached * self.unit, self.bound * self.unit
        self.watch.tell(f"{self.label} {reached:,}, bound {bound:,}, gap {gap:.1%}")


@dataclass(frozen=True, slots=True)
class Found:
    """The best choice (None when there is none within the limit), its value, a bound on every
    choice within the limit, and whether that is final. point: (latency, energy in the model's unit)
    of a product."""

    choice: Choice | None
    value: int
    bound: int
    proven: bool
    point: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A linear term: `unit` times an expression over the model's variables."""

    expression: cp_model.LinearExprT
    unit: int


def measure(model: Model, term: Term) -> Measure:
    """A linear term of a model. Energies are divided by what all of them have in common: their
    products with cycles must stay within 62 bits."""
    if term is Term.LATENCY:
        return Measure(model.latency, 1)
    if term is Term.DRAM:
        return Measure(model.dram_words, model.space.dram_unit)
    flat = cp_model.FlatIntExpr(model.energy)
    unit = gcd(flat.offset, *flat.coeffs) or 1
    scaled = [c // unit * v for c, v in zip(flat.coeffs, flat.vars, strict=True)]
    return Measure(cp_model.LinearExpr.sum([*scaled, flat.offset // unit]), unit)


def least(
    model: Model,
    proto: cp_model.CpModel,
    term: Term,
    search: Search,
    limit: int | None,
    start: Choice | None,
) -> Found:
    """The least value of a term that is at most `limit`; `start`: a choice to begin with."""
    if term is Term.EDP:
        return _least_product(model, proto, search, limit, start)
    target = measure(model, term)
    if limit is not None:
        proto.add(target.expression <= limit // target.unit)
    found = _solve(model, proto, target.expression, search, start, str(term), target.unit)
    bound = found.bound * target.unit
    if found.choice is None:
        bound = (limit if limit is not None else FAR) if found.proven else bound
        return Found(None, FAR, bound, found.proven)
    return Found(found.choice, found.value * target.unit, bound, found.proven)


def refine(
    model: Model, first: Found, search: Search, known: tuple[int, ...] = ()
) -> list[Found] | None:
    """Among the best choices by the first ranked term the best by the others, one after the other:
    what was found of each, the first one too, until time runs out. `known`: values of the terms
    that another choice has; None when there is none as good."""
    found = [first]
    for place, term in enumerate(search.objective.ranked[1:], 1):
        _fix(model, model.proto, search.objective.ranked[place - 1], found[-1])
        equal = len(known) > place and all(f.value == k for f, k in zip(found, known, strict=False))
        limit = known[place] if equal else None
        further = least(model, model.proto, term, search, limit, found[-1].choice)
        if further.choice is None:
            if further.proven and limit is not None:
                return None
            break
        found.append(further)
        if not further.proven:
            break
    return found


def _fix(model: Model, proto: cp_model.CpModel, term: Term, found: Found) -> None:
    """Only choices as good as the one found."""
    if term is Term.EDP:
        assert found.point is not None
        latency, energy = found.point
        proto.add(model.latency <= latency)
        proto.add(measure(model, Term.ENERGY).expression <= energy)
        return
    target = measure(model, term)
    proto.add(target.expression <= found.value // target.unit)


def _solve(
    model: Model,
    proto: cp_model.CpModel,
    expression: cp_model.LinearExprT,
    search: Search,
    start: Choice | None,
    label: str = "",
    unit: int = 1,
) -> Found:
    """One solve; value and bound as the expression counts."""
    if start is not None:
        hint(model, proto, start)
    proto.minimize(expression)
    solver = search.solver()
    status = search.run(solver, proto, label, unit)
    if status == cp_model.INFEASIBLE:
        return Found(None, FAR, FAR, True)
    bound = max(0, round(solver.best_objective_bound))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Found(None, FAR, bound, False)
    latency = solver.value(model.latency)
    energy = solver.value(measure(model, Term.ENERGY).expression)
    done = status == cp_model.OPTIMAL
    value = round(solver.objective_value)
    return Found(read(model, solver), value, bound, done, (latency, energy))


def _least_product(
    model: Model, proto: cp_model.CpModel, search: Search, limit: int | None, start: Choice | None
) -> Found:
    """The least product of latency and energy; every question is asked of a clone."""
    energy = measure(model, Term.ENERGY)
    choices: dict[Point, Choice] = {}

    def ask(a: int, b: int, box: Box) -> Answer:
        asked = proto.clone()
        asked.add(model.latency >= box.low_x)
        asked.add(energy.expression >= box.low_y)
        if box.high_x is not None:
            asked.add(model.latency <= box.high_x)
        if box.high_y is not None:
            asked.add(energy.expression <= box.high_y)
        expression, offset = _weighted(model, asked, energy, a, b, box)
        known = [c for (x, y), c in choices.items() if _holds(box, x, y)]
        found = _solve(model, asked, expression, search, known[-1] if known else start)
        if found.choice is not None and found.point is not None:
            choices[found.point] = found.choice
        return Answer(found.point, found.bound + offset, found.proven)

    made = least_product(ask, None if limit is None else limit // energy.unit)
    if made.point is None:
        return Found(None, FAR, made.bound * energy.unit, made.proven)
    value = made.point[0] * made.point[1] * energy.unit
    return Found(choices[made.point], value, made.bound * energy.unit, made.proven, made.point)


def _weighted(
    model: Model, asked: cp_model.CpModel, energy: Measure, a: int, b: int, box: Box
) -> tuple[cp_model.LinearExprT, int]:
    """a * latency + b * energy, counted from the corner of the box so that it stays small."""
    if not b:
        return a * model.latency, 0
    if not a:
        return b * energy.expression, 0
    assert box.high_x is not None
    assert box.high_y is not None
    over = asked.new_int_var(0, box.high_x - box.low_x, "over_latency")
    more = asked.new_int_var(0, box.high_y - box.low_y, "over_energy")
    asked.add(over == model.latency - box.low_x)
    asked.add(more == energy.expression - box.low_y)
    return a * over + b * more, a * box.low_x + b * box.low_y


def _holds(box: Box, x: int, y: int) -> bool:
    inside_x = box.low_x <= x and (box.high_x is None or x <= box.high_x)
    return inside_x and box.low_y <= y and (box.high_y is None or y <= box.high_y)
