"""Decisions of a mapping as variables of its model, and back.

In: a `Model` with a `Choice` to start from, or with a solution. Out: hints, or the `Choice`.
"""

from __future__ import annotations

from ortools.sat.python import cp_model

from covenant.mapper.extract import Choice
from covenant.mapper.model import Model


def hint(model: Model, proto: cp_model.CpModel, choice: Choice) -> None:
    """Start from a known choice; `proto`: the model itself or a clone of it."""
    proto.proto.solution_hint.vars.clear()
    proto.proto.solution_hint.values.clear()
    for dim, row in model.tiling.row.items():
        proto.add_hint(row, choice.rows[dim])
    for port, residency in model.residencies.items():
        for dim, inside in residency.inside.items():
            proto.add_hint(inside, dim in choice.inside[port])
        if port in model.double:
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
