"""Records of packed constants: what a job of a compute unit reads of them.

In: register values of a launch and the memories. Out: one array per field.
"""

from __future__ import annotations

import numpy as np

from covenant.core.expression import Call, Expression, Ref
from covenant.emit.steps import record_reuse
from covenant.emit.units import ComputeUnit, Registers, record_width
from covenant.sim.beats import Array, JobError, Memories, dtype_of, read


def records(
    unit: ComputeUnit, registers: Registers, memories: Memories, tiles: int
) -> dict[str, Array]:
    """Fields of the records that take part, each [tiles, extent of the record's dim], or [entries]
    of a table."""
    ports = {p.name: p for c in (*unit.capabilities, *unit.results) for p in c.ports}
    fields: dict[str, Array] = {}
    for record in unit.node.records:
        if not unit.takes_part(record.name, registers):
            continue
        extent = record_width(unit, record)
        content = read(unit.stream(record.name), registers, memories).reshape(-1)
        sizes = [sum(ports[f].kinds[0].bytes for f in group) * extent for group in record.groups]
        reuse = tiles if record.entries else registers.get("reuse", 0)
        reuse = reuse if "reuse" in registers else record_reuse(unit, record, registers)
        if reuse < 1:
            raise JobError(f"reuse is {reuse}, stream '{record.name}' takes part")
        count = -(-tiles // reuse)
        if content.size != count * sum(sizes):
            raise JobError(
                f"stream '{record.name}' delivers {content.size} bytes, "
                f"{count} records of {sum(sizes)} are needed"
            )
        rows = content.reshape(count, sum(sizes))[np.arange(tiles) // reuse]
        at = 0
        for group, size in zip(record.groups, sizes, strict=True):
            part = rows[:, at : at + size].reshape(tiles, extent, -1)
            at += size
            inner = 0
            for name in group:
                dtype = dtype_of(ports[name].kinds, registers, _sign_of(unit, name, registers))
                raw = np.ascontiguousarray(part[:, :, inner : inner + dtype.bytes])
                values = raw.view(dtype.numpy)[:, :, 0]
                fields[name] = values[0] if record.entries else values
                inner += dtype.bytes
    return fields


def _sign_of(unit: ComputeUnit, field: str, registers: Registers) -> str:
    """The port whose signedness a zero-point field shares: the one it is subtracted from."""
    for function, left, right in _differences(unit.selected(registers).statement.value):
        if function == "sub" and right == field:
            return left
    return field


def _differences(expression: Expression) -> list[tuple[str, str, str]]:
    if not isinstance(expression, Call):
        return []
    found = [pair for argument in expression.arguments for pair in _differences(argument)]
    names = [a.name if isinstance(a, Ref) else "" for a in expression.arguments]
    return [*found, (expression.function, names[0], names[1])] if len(names) == 2 else found
