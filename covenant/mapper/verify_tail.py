"""May another capability take the positions behind the last whole step, and which are these?

In: a mapping whose first step names one (`tail`). Out: findings as sentences, the mapping that the
rest follows, and the launches of a tile. Part of `verify`; it shares no code with the mapper's own
pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.verify_binding import capability_of
from covenant.mapper.verify_rows import rows_of


@dataclass(frozen=True, slots=True)
class Launched:
    """Iterations of every dim in one launch, positions that its last row lacks."""

    tile: Mapping[str, int]
    short: int = 0


def rest_of(mapping: LayerMapping) -> LayerMapping | None:
    """The mapping as the other capability sees it, whose lanes stay in a row; None without one."""
    first = mapping.steps[0] if mapping.steps else None
    if first is None or not first.tail:
        return None
    other = replace(first, capability=first.tail, rows="", tail="")
    return replace(mapping, steps=(other, *mapping.steps[1:]))


def tail_faults(mapping: LayerMapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    """The other capability means the same, on fewer positions that are deeper by whole factors, of
    dims that consist of them."""
    for number, step in enumerate(mapping.steps[1:], start=2):
        if step.tail:
            yield f"step {number}: '{step.tail}' takes the last positions; only step 1 moves lanes"
    rest = rest_of(mapping)
    if rest is None:
        return
    first, name = mapping.steps[0], mapping.steps[0].tail
    own, other = capability_of(acg, first), capability_of(acg, rest.steps[0])
    if own is None or other is None:
        yield f"no capability {first.node}.{name} for the last positions"
        return
    units = [] if acg.control is None else acg.control.units
    if not any(first.node in u.nodes and u.register("function") for u in units):
        yield f"no register says whether '{first.node}' runs '{own.name}' or '{name}'"
    meant = str(own.statement) == str(other.statement)
    if not meant or (own.ports, own.scalars) != (other.ports, other.scalars):
        yield f"'{name}' does not mean the same as '{own.name}'"
        return
    lane = _lane(mapping, acg)
    bound = dict(first.dims)
    target = {d for i in own.statement.target.indices for d in i.dims}
    for dim, count in own.extents.items():
        wide = other.extents[dim]
        if dim == lane:
            if wide >= count:
                yield f"'{name}' takes {wide} positions, '{own.name}' {count}"
        elif wide != count and (wide % count or dim in target or not bound.get(dim)):
            yield f"'{name}' takes {wide} of '{dim}', '{own.name}' {count}"
        elif wide != count and codelet.dim(bound[dim]).extent % wide:
            whole = codelet.dim(bound[dim]).extent
            yield f"the {whole} iterations of '{bound[dim]}' are no multiple of {wide} of '{name}'"


def _lane(mapping: LayerMapping, acg: Acg) -> str:
    """The capability dim of the first step's lanes with a stride."""
    capability = capability_of(acg, mapping.steps[0])
    assert capability is not None
    units = [] if acg.control is None else acg.control.units
    for port in capability.ports:
        strided = any(
            u.register(f"{port.name}.lane_stride") for u in units if capability.node in u.nodes
        )
        if len(port.tile) == 2 and strided:
            return port.tile[0]
    return ""


def launched(
    mapping: LayerMapping, codelet: Codelet, acg: Acg, tile: Mapping[str, int], *, rest: bool
) -> list[Launched]:
    """The launch of a tile by the first capability, or by the other one; none where it takes
    nothing."""
    other = rest_of(mapping)
    if other is None:
        return [Launched(tile)]
    first, second = capability_of(acg, mapping.steps[0]), capability_of(acg, other.steps[0])
    assert first is not None
    assert second is not None
    name = _lane(mapping, acg)
    lane, rows = dict(mapping.steps[0].dims)[name], rows_of(mapping, codelet, acg)
    count = tile[lane] * (tile[rows.row] if rows is not None else 1)
    behind = count % first.extents[name]
    one_row = rows is None or behind <= rows.length
    shallow, deep = (prod(e for d, e in c.extents.items() if d != name) for c in (first, second))
    quicker = -(-behind // second.extents[name]) * shallow < deep
    if not behind or not one_row or not quicker:
        return [] if rest else [Launched(tile)]
    if rest:
        single = {rows.row: 1} if rows is not None else {}
        return [Launched({**tile, **single, lane: behind})]
    if behind == count:
        return []
    if rows is not None:
        return [Launched(tile, behind)]
    return [Launched({**tile, lane: count - behind})]
