"""Solving: candidates in, the best mapping with its proof out.

In: a codelet, an architecture, an objective. Out: a `Mapping` whose goals equal `cost.evaluate`.
Ties are broken by latency, off-chip bytes, then energy. A fixed seed and one worker give equal
mappings on every run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper import cost
from covenant.mapper.conflict import no_mapping
from covenant.mapper.coverage import unsupported
from covenant.mapper.extract import Choice, extract
from covenant.mapper.feasibility import pinned_spaces, spaces_of
from covenant.mapper.greedy import first_choice
from covenant.mapper.infeasible import (
    interrupted,
    no_address,
    no_path,
    no_pinned_binding,
    no_room,
    time_limit,
    wrong_address,
)
from covenant.mapper.interrupts import Watch
from covenant.mapper.mapping import Goal, Mapping, Proof, Status
from covenant.mapper.model import Model, build
from covenant.mapper.objective import LATENCY, UNITS, Objective, Term, value
from covenant.mapper.pinning import restrict
from covenant.mapper.pins import AddressPin, BanksPin, Pin, broken
from covenant.mapper.pins_check import check_pins, keeps_banks, unlike
from covenant.mapper.pins_place import addressed, ordered
from covenant.mapper.search import FAR, Found, Search, least, refine
from covenant.mapper.space import Space
from covenant.mapper.verify import verify

GREEDY = 3
"""Bindings that get a greedy mapping though one is known; where a mapping is known, another
binding's model is solved in less time."""


@dataclass(frozen=True)
class _Start:
    """A binding's model, and a greedy choice (None when none was found) with its value in the
    objective's first term."""

    index: int
    model: Model
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
    pins: Sequence[Pin] = (),
    time_limit_seconds: float = 60.0,
    seed: int = 0,
    workers: int = 1,
    watch: Watch | None = None,
    even: bool = False,
) -> Mapping:
    """The mapping that is best by the objective among those that keep the pins; raises
    CovenantError when there is none. watch: hears of progress, and may end the search early. even:
    only tiles without tails."""
    deadline = time.monotonic() + time_limit_seconds
    search = Search(objective, deadline, seed, workers, tuple(pins), watch or Watch())
    with search.watch.heard():
        best, bound, proven = _searched(codelet, acg, search, even=even)
        if best:
            return _finish(codelet, acg, search, best, bound, proven=proven)
        if proven:
            raise no_mapping(codelet, acg, pins, search)
    if search.watch.stopped:
        raise interrupted(codelet, acg)
    raise time_limit(codelet, acg, time_limit_seconds)


def _searched(
    codelet: Codelet, acg: Acg, search: Search, *, even: bool
) -> tuple[list[_Answer], int, bool]:
    """The best choice of every binding that has one as good as any, a bound on all, and whether
    that is proven."""
    spaces = _spaces(codelet, acg, search.pins)
    starts = _starts([s.even() for s in spaces] if even else spaces, search, codelet, acg)
    first = search.objective.ranked[0]
    best: list[_Answer] = []
    bounds: list[int] = []
    proven = True
    limit = min((s.value for s in starts if s.choice is not None), default=None)
    for start in starts:
        if limit is not None and _least_possible(first, start.model.space) > limit:
            continue
        found = _least(search, limit, start)
        proven = proven and found.proven
        bounds.append(found.bound)
        if found.choice is None:
            continue
        if best and found.value < best[0].found.value:
            best = []
        search.known()
        best.append(_Answer(start.index, start.model, found))
        limit = found.value
    return best, min(bounds, default=0), proven


def _spaces(codelet: Codelet, acg: Acg, pins: Sequence[Pin]) -> list[Space]:
    """The space of every binding that keeps the pins and whose operands have a way on and off the
    chip."""
    if (crowded := no_room(codelet, acg)) is not None:
        raise crowded
    spaces = spaces_of(codelet, acg)
    if not spaces:
        raise unsupported(codelet, acg)
    unreachable = [no_path(codelet, acg, space) for space in spaces]
    spaces = [s for s, error in zip(spaces, unreachable, strict=True) if error is None]
    if not spaces:
        raise next(error for error in unreachable if error is not None)
    check_pins(pins, codelet, acg, spaces)
    kept = pinned_spaces(spaces, pins)
    if not kept:
        refused = [p for p in pins if any(p in unlike(pins, s) for s in spaces)]
        raise no_pinned_binding(codelet, acg, refused, [s.binding for s in spaces])
    return kept


def _starts(spaces: list[Space], search: Search, codelet: Codelet, acg: Acg) -> list[_Start]:
    """Greedy mappings of all bindings, the most promising binding first, without those that cannot
    be as good as the greedy mapping of another one and those that ask what another one does. They
    are made for latency and without pins; another objective takes them at their cost."""
    term = search.objective.ranked[0]
    found: list[_Start] = []
    asked: set[str] = set()
    limit = FAR
    for index, space in sorted(enumerate(spaces), key=lambda s: _least_possible(term, s[1])):
        if _least_possible(term, space) > limit:
            continue
        words = space.memory.size_bytes // space.memory.word_bytes
        model = build(space, words)
        restrict(model, search.pins)
        question = model.question
        if question in asked:
            continue
        asked.add(question)
        guess = limit == FAR or len(found) < GREEDY
        reached, choice = (first_choice(space, words) if guess else None) or (FAR, None)
        if choice is not None and search.pins:
            plans = [p.decision for p in search.pins if isinstance(p.decision, BanksPin)]
            kept = all(keeps_banks(plan, space.plans[choice.plan]) for plan in plans)
            if not kept or any(broken(search.pins, extract(space, choice), codelet)):
                reached, choice = FAR, None
        if choice is not None:
            search.known()
        if choice is not None and term is not Term.LATENCY:
            reached = value(term, cost.evaluate(extract(space, choice), codelet, acg))
        limit = min(limit, reached)
        found.append(_Start(index, model, reached, choice))
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


def _least(search: Search, limit: int | None, start: _Start) -> Found:
    """Best choice of a binding no worse than `limit`; its greedy choice when time runs out."""
    term, model = search.objective.ranked[0], start.model
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
    finals: list[_Final] = []
    for answer in best:
        known = min((f.key for f in finals), default=())
        made = _final(codelet, acg, search, answer, known, proven=proven)
        finals += [made] if made is not None else []
    final = min(finals, key=lambda f: (f.key, f.index))
    ranked = search.objective.ranked
    listed = [ranked.index(term) for term in search.objective.terms]
    whole = proven and all(f.proven > max(listed) for f in finals)
    whole = whole or (listed == [0] and final.key[0] == bound)
    goals = []
    for index in listed:
        reached = final.key[index]
        least_of_all = min([f.bounds[index] for f in finals] if index else [bound])
        below = reached if whole else min(reached, least_of_all)
        goals.append(Goal(str(ranked[index]), UNITS[ranked[index]], reached, below))
    proof = Proof(
        status=Status.FEASIBLE if not whole else Status.PINNED if search.pins else Status.OPTIMAL,
        goals=tuple(goals),
        solve_seconds=round(time.monotonic() - search.started, 3),
        seed=search.seed,
        workers=search.workers,
        pins=len(search.pins),
        first_seconds=search.first_seconds,
    )
    return _checked(replace(final.mapping, proof=proof), codelet, acg, search)


@dataclass(frozen=True)
class _Final:
    """The mapping of one binding: values of the ranked terms, a bound on each, and how many of
    them, from the first on, are proven."""

    index: int
    mapping: Mapping
    key: tuple[int, ...]
    bounds: tuple[int, ...]
    proven: int


def _final(
    codelet: Codelet,
    acg: Acg,
    search: Search,
    answer: _Answer,
    known: tuple[int, ...],
    *,
    proven: bool,
) -> _Final | None:
    """Decide what the first term left open; None when that cannot be as good as what is known.
    What is proven must be the cost of the mapping."""
    found = refine(answer.model, answer.found, search, known) if proven else [answer.found]
    if found is None:
        return None
    choice = found[-1].choice
    assert choice is not None
    mapping = extract(answer.model.space, ordered(choice, search.pins))
    mapping = addressed(mapping, search.pins, acg)
    if faults := _pinned_addresses(search) and verify(mapping, codelet, acg):
        raise no_address(codelet, search.pins, faults)
    key = search.objective.key(cost.evaluate(mapping, codelet, acg))
    count = sum(f.proven for f in found) if proven else 0
    for term, spent, wanted in zip(search.objective.ranked, key, found[:count], strict=False):
        if spent != wanted.value and _pinned_addresses(search):
            raise wrong_address(codelet, search.pins, wanted.value, spent, term)
        assert spent == wanted.value, f"{term}: cost {spent} is not the objective {wanted.value}"
    bounds = [f.bound for f in found] + [0] * (len(key) - len(found))
    return _Final(answer.index, mapping, key, tuple(bounds), count)


def _pinned_addresses(search: Search) -> bool:
    return any(isinstance(pin.decision, AddressPin) for pin in search.pins)


def _checked(mapping: Mapping, codelet: Codelet, acg: Acg, search: Search) -> Mapping:
    """The mapping itself, legal and with all pins kept."""
    faults = verify(mapping, codelet, acg)
    assert not faults, "\n".join(map(str, faults))
    lost = list(broken(search.pins, mapping, codelet))
    assert not lost, f"pins are not kept: {'; '.join(map(str, lost))}"
    return mapping
