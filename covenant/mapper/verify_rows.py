"""Are lanes that run through rows legal, and where does a stream find them?

In: a mapping whose first step names rows. Out: findings as sentences, and the `Rows` that the walk
of the streams needs. Part of `verify`; it shares no code with the mapper's own rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from covenant.acg.graph import Acg, Capability
from covenant.codelets.ir import Codelet
from covenant.mapper.mapping import Mapping
from covenant.mapper.verify_binding import capability_of


@dataclass(frozen=True, slots=True)
class Rows:
    """Codelet dims of rows and of the lanes in them, lanes per array step, lanes in a row."""

    row: str
    lane: str
    width: int
    length: int


def has_stride(acg: Acg, capability: Capability, port: str) -> bool:
    """Whether a register holds the distance of a port's lanes."""
    units = (
        [] if acg.control is None else [u for u in acg.control.units if capability.node in u.nodes]
    )
    return not units or any(u.register(f"{port}.lane_stride") for u in units)


def rows_of(mapping: Mapping, codelet: Codelet, acg: Acg) -> Rows | None:
    """The rows of a mapping without faults; None when beats stay in one row."""
    step = mapping.steps[0]
    capability = capability_of(acg, step)
    if not step.rows or capability is None:
        return None
    bound = dict(step.dims)
    for port in capability.ports:
        if len(port.tile) == 2 and has_stride(acg, capability, port.name):
            lane = bound.get(port.tile[0], "")
            if lane:
                width = capability.extents[port.tile[0]]
                return Rows(step.rows, lane, width, codelet.dim(lane).extent)
    return None


def row_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    """Rows must be whole, next to their lanes in the launch, and in the same tensors."""
    for number, step in enumerate(mapping.steps[1:], start=2):
        if step.rows:
            yield f"step {number}: lanes run through rows of '{step.rows}'; only step 1 moves lanes"
    name = mapping.steps[0].rows
    if not name:
        return
    names = {d.name for d in codelet.dims}
    rows = rows_of(mapping, codelet, acg)
    if rows is None or name not in names or name in dict(mapping.steps[0].dims).values():
        yield f"lanes cannot run through rows of '{name}'"
        return
    for loop in mapping.levels[0].loops:
        if loop.dim == rows.lane and loop.trips > 1:
            yield f"rows of '{rows.lane}' are cut in {loop.trips}, lanes run through whole ones"
    order = list(mapping.inner)
    if sorted(order) == sorted(names) and order.index(rows.lane) != order.index(name) + 1:
        yield f"inner loop '{rows.lane}' does not follow '{name}', whose rows its lanes run through"
    for statement in codelet.steps:
        for ref in (statement.target, *statement.refs):
            found = {d for i in ref.indices for d in i.dims} & {name, rows.lane}
            if len(found) == 1:
                yield (
                    f"'{ref.name}' changes with '{found.pop()}' alone, lanes run through rows of "
                    f"'{name}' and '{rows.lane}'"
                )
