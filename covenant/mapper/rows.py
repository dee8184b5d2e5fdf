"""Lanes that run through rows, and array steps along a dim.

In: a codelet, an architecture, a binding. Out: `Rows`, counts of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper.candidates import Binding
from covenant.mapper.joints import capability_at
from covenant.mapper.lanes import is_strided
from covenant.mapper.mapping import StepBinding


@dataclass(frozen=True, slots=True)
class Rows:
    """Lanes of a beat that run through rows: position (row, lane) is number row * length + lane of
    a launch, `lanes` of them make a step. row, lane: codelet dims; length: lanes in a row."""

    row: str
    lane: str
    lanes: int
    length: int


def rows_of(codelet: Codelet, acg: Acg, binding: Binding) -> Rows | None:
    """The rows of a binding, None when beats stay in one row."""
    step = binding.steps[0]
    if not step.rows:
        return None
    dims = dict(step.dims)
    lane = next(d for d in strided_dims(acg, step) if dims.get(d) and dims[d] != step.rows)
    extent = capability_at(acg, step).extents.get(lane, 1)
    return Rows(step.rows, dims[lane], extent, codelet.dim(dims[lane]).extent)


def strided_dims(acg: Acg, step: StepBinding) -> tuple[str, ...]:
    """Capability dims of the lanes of all ports whose lanes have a stride of their own."""
    capability = capability_at(acg, step)
    wide = (port for port in capability.ports if len(port.tile) > 1)
    found = (port.tile[0] for port in wide if is_strided(acg, step.node, port.name))
    return tuple(dict.fromkeys(found))


def steps_along(extents: dict[str, int], rows: Rows | None, dim: str, tile: int) -> int:
    """Array steps that `tile` iterations of a dim take; those of a row and of its lanes together
    are steps along the row's dim."""
    if rows is not None and dim == rows.lane:
        return 1
    if rows is not None and dim == rows.row:
        return -(-tile * rows.length // rows.lanes)
    return -(-tile // extents[dim])
