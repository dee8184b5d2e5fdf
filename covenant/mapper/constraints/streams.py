"""Loop limits of the streams: one launch may need no more loops than its stream absorbs, where a
launch cannot be divided into several (`Acg.divides_launches`).

Counted before coalescing, but for runs that always coalesce: neighbouring dims an operand does not
depend on, and the reduction of a contiguous operand when only its outermost dim is split.
"""

from __future__ import annotations

from collections.abc import Mapping

from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import total
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import granule
from covenant.mapper.space import Row, Space
from covenant.mapper.streams import stream_lanes


def add_stream_limits(model: cp_model.CpModel, space: Space, tiling: Tiling) -> None:
    """At most as many loops as every operand's stream has."""
    if space.acg.divides_launches:
        return
    for operand in (o for o in space.operands if not o.follows):
        limit = space.acg.transfer(operand.stream).loops
        used: list[cp_model.IntVar | int] = [_beat_loops(space, operand)]
        for run in _runs(space, operand):
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


def enough_loops(space: Space, rows: Mapping[str, Row]) -> bool:
    """The same for given rows of the innermost level."""
    if space.acg.divides_launches:
        return True
    return all(_loops(space, o, rows) for o in space.operands if not o.follows)


def _loops(space: Space, operand: Operand, rows: Mapping[str, Row]) -> bool:
    used = _beat_loops(space, operand)
    limit = space.acg.transfer(operand.stream).loops
    for run in _runs(space, operand):
        used += any(_needs_loop(space, operand, d, rows.get(d, space.rows[d][0])) for d in run)
    return used <= limit


def _beat_loops(space: Space, operand: Operand) -> int:
    """Loops inside a beat or a record, and the one that masks lanes which an operand has not."""
    word = space.acg.memory(operand.memory).word_bytes
    if operand.record_bytes:
        return 1
    masked = int(operand.strided and not operand.lane and stream_lanes(space.acg, operand) > 1)
    if operand.role in (Role.OUTPUT, Role.PARTIAL):
        return masked + int(operand.beat[-1][1] > operand.block(word))
    return masked


def _runs(space: Space, operand: Operand) -> list[list[str]]:
    """Dims of one launch, grouped into runs that coalesce into one loop."""
    written = operand.role in (Role.OUTPUT, Role.PARTIAL) or operand.record_bytes > 0
    stays = set(space.swept) == set(space.reduced)
    runs: list[list[str]] = []
    kind = ""
    merges = not operand.strided and not operand.record_bytes
    reduced = [d for d in space.inner if d in space.reduced]
    merges = merges and all(len(space.rows[d]) == 1 for d in reduced[1:])
    for dim in space.inner:
        if dim in space.reduced and ((written and stays) or operand.pace):
            continue
        now = "repeat" if dim not in operand.dims else "own"
        if merges and dim in space.reduced:
            now = "reduction"
        if runs and now == kind and now != "own":
            runs[-1].append(dim)
        else:
            runs.append([dim])
        kind = now
    if operand.record_bytes and runs and runs[-1][0] not in operand.dims:
        runs.pop()
    return runs


def _active(
    model: cp_model.CpModel, space: Space, tiling: Tiling, operand: Operand, dim: str
) -> cp_model.IntVar | bool:
    """Whether a dim needs a loop, for every row of its tile choice."""
    flags = [_needs_loop(space, operand, dim, row) for row in space.rows[dim]]
    if all(flags) or not any(flags) or dim not in tiling.row:
        return flags[0]
    variable = model.new_bool_var(f"active_{operand.port}_{dim}")
    model.add_element(tiling.row[dim], [int(f) for f in flags], variable)
    return variable


def _needs_loop(space: Space, operand: Operand, dim: str, row: Row) -> bool:
    unit = dict(operand.pace).get(dim, 1) if operand.pace else space.steps[dim]
    read = operand.role in (Role.INPUT, Role.CONSTANT) and not operand.record_bytes
    if dim == operand.packed and read:
        unit = granule(operand, space.acg.memory(operand.memory).word_bytes)
    tail = space.extents[dim] - (row.trips - 1) * row.tile
    masked = operand.strided and dim == operand.lane
    if masked and (row.tile % operand.lanes or tail % operand.lanes):
        return True
    return -(-row.tile // unit) > 1
