"""The CP-SAT model of one binding: decisions, constraints, objectives.

In: a `Space`. Out: a `Model` with the variables that solving reads back.
"""

from __future__ import annotations

from dataclasses import dataclass

from ortools.sat.python import cp_model

from covenant.mapper.constraints.allocation import Allocation, add_allocation
from covenant.mapper.constraints.placement import Residency, add_residency
from covenant.mapper.constraints.product import total
from covenant.mapper.constraints.schedule import add_copies, add_latency, add_nesting
from covenant.mapper.constraints.streams import add_stream_limits
from covenant.mapper.constraints.tiling import Tiling, add_tiling
from covenant.mapper.space import Space


@dataclass(frozen=True)
class Model:
    """A built model."""

    space: Space
    proto: cp_model.CpModel
    tiling: Tiling
    residencies: dict[str, Residency]
    double: dict[str, cp_model.IntVar]
    latency: cp_model.IntVar
    dram_words: cp_model.LinearExpr
    energy: cp_model.LinearExpr
    allocation: Allocation


def build(space: Space, limit_words: int | None) -> Model:
    """The model; without a limit it asks for the smallest memory instead of fitting one."""
    proto = cp_model.CpModel()
    tiling = add_tiling(proto, space)
    residencies = {
        o.port: add_residency(proto, space, tiling, o, limit_words) for o in space.operands
    }
    listed = list(residencies.values())
    add_nesting(proto, space, listed)
    double = add_copies(proto, listed)
    allocation = add_allocation(proto, space, tiling, residencies, double, limit_words)
    add_stream_limits(proto, space, tiling)
    latency = add_latency(proto, space, tiling, residencies, double, allocation)
    moved = [residencies[o.port].words for o in (*space.loads, *space.stores)]
    return Model(
        space,
        proto,
        tiling,
        residencies,
        double,
        latency,
        total(moved),
        _energy(space, tiling, residencies),
        allocation,
    )


def _energy(space: Space, tiling: Tiling, residencies: dict[str, Residency]) -> cp_model.LinearExpr:
    """Femtojoules: off-chip and on-chip bytes moved, array steps, output tiles, raw partial
    sums."""
    machine = space.machine
    spent = (
        machine.step_energy * tiling.steps
        + machine.tile_energy * tiling.tiles
        + machine.partial_energy * tiling.partials
    )
    for operand in (*space.loads, *space.stores):
        spent = spent + space.word_energy(operand) * residencies[operand.port].words
    return spent
