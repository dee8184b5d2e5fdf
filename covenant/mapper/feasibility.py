"""Whether any mapping keeps given pins, without an objective: the questions behind a conflict.

In: a codelet, an architecture, pins, with or without the limit of the on-chip memory. Out: a
mapping, `None` when there is none, or `unknown` when time ran out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper.candidates import match
from covenant.mapper.decisions import read
from covenant.mapper.extract import extract
from covenant.mapper.mapping import Mapping
from covenant.mapper.model import build
from covenant.mapper.pinning import restrict
from covenant.mapper.pins import Pin
from covenant.mapper.pins_check import unlike, with_tiles
from covenant.mapper.pins_place import ordered
from covenant.mapper.search import Search
from covenant.mapper.space import Space, routed_spaces
from covenant.mapper.variants import variants
from covenant.mapper.windows import fused_forms

_SECONDS = 10.0
"""Most a single question may take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A mapping that keeps everything asked, or none; `known` is false when time ran out."""

    mapping: Mapping | None
    known: bool = True

    @property
    def impossible(self) -> bool:
        """Whether it is certain that there is no mapping."""
        return self.known and self.mapping is None


def pinned_spaces(spaces: Sequence[Space], pins: Sequence[Pin]) -> list[Space]:
    """Spaces of the bindings that keep the pins, with pinned tiles among their choices."""
    return [with_tiles(s, pins) for s in spaces if not list(unlike(pins, s))]


def spaces_of(codelet: Codelet, acg: Acg) -> list[Space]:
    """The spaces of every binding, its variants and fused forms; those that place two operands
    under one port name only where there is nothing else: a mapping finds operands by port."""
    plain = match(codelet, acg).bindings
    fused = fused_forms(codelet, acg, plain)
    found = [
        *(s for b in variants(codelet, acg, plain) for s in routed_spaces(codelet, acg, b)),
        *(s for f in fused for s in routed_spaces(f.codelet, acg, f.binding)),
    ]
    return [s for s in found if len({x.key for x in s.sites}) == len(s.sites)] or found


def possible(
    codelet: Codelet, acg: Acg, pins: Sequence[Pin], search: Search, *, capacity: bool
) -> Answer:
    """Some mapping that keeps the pins, on any binding."""
    known = True
    for space in pinned_spaces(spaces_of(codelet, acg), pins):
        words = space.memory.size_bytes // space.memory.word_bytes
        model = build(space, words if capacity else None)
        restrict(model, pins)
        solver = _solver(search)
        status = search.run(solver, model.proto)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Answer(extract(space, ordered(read(model, solver), pins)))
        known &= status == cp_model.INFEASIBLE
    return Answer(None, known)


def smallest(codelet: Codelet, acg: Acg, pins: Sequence[Pin], search: Search) -> Mapping | None:
    """The mapping that keeps the pins in the least on-chip memory, None when there is none."""
    found: list[tuple[int, int, Mapping]] = []
    for index, space in enumerate(pinned_spaces(spaces_of(codelet, acg), pins)):
        model = build(space, None)
        restrict(model, pins)
        model.proto.minimize(model.allocation.used)
        solver = _solver(search)
        if search.run(solver, model.proto) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            choice = ordered(read(model, solver), pins)
            found.append((round(solver.objective_value), index, extract(space, choice)))
    return min(found, key=lambda f: f[:2])[2] if found else None


def _solver(search: Search) -> cp_model.CpSolver:
    """A solver with time of its own: why there is no mapping is worth more than the limit."""
    return Search(search.objective, time.monotonic() + _SECONDS, search.seed, 1).solver()
