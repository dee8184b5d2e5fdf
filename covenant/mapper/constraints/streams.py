"""Loop limits of the streams: one launch may need no more loops than its stream absorbs, where a
launch cannot be divided into several (`Acg.divides_launches`).

Counted as `mapper.loops` does.
"""

from __future__ import annotations

from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import total
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.loops import beat_loops, needs_loop, runs
from covenant.mapper.operands import Operand
from covenant.mapper.space import Space


def add_stream_limits(model: cp_model.CpModel, space: Space, tiling: Tiling) -> None:
    """At most as many loops as every operand's stream has."""
    if space.acg.divides_launches:
        return
    for operand in (o for o in space.operands if not o.follows):
        limit = space.acg.transfer(operand.stream).loops
        used: list[cp_model.IntVar | int] = [beat_loops(space, operand)]
        for run in runs(space, operand):
            parts = [_active(model, space, tiling, operand, d) for d in run]
            if any(p is True for p in parts):
                used.append(1)
                continue
            variables = [p for p in parts if not isinstance(p, bool)]
            if len(variables) == 1:
                used.append(variables[0])
            elif variables:
                either = model.new_bool_var(f"loop_{operand.port}_{run[0]}")
                model.add_max_equality(either, variables)
                used.append(either)
        if len(used) > limit:
            model.add(total(used) <= limit)


def _active(
    model: cp_model.CpModel, space: Space, tiling: Tiling, operand: Operand, dim: str
) -> cp_model.IntVar | bool:
    """Whether a dim needs a loop, for every row of its tile choice."""
    flags = [needs_loop(space, operand, dim, row) for row in space.rows[dim]]
    if all(flags) or not any(flags) or dim not in tiling.row:
        return flags[0]
    variable = model.new_bool_var(f"active_{operand.port}_{dim}")
    model.add_element(tiling.row[dim], [int(f) for f in flags], variable)
    return variable
