"""Constants as the compute nodes want them: padded weights and records of parameters.

In: a mapping, codelet, architecture and the payloads of constant tensors. Out: bytes per placement.
Padding makes useless lanes harmless: a weight outside the tensor equals the zero point subtracted
from it, so it contributes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg, Capability, Port, Record
from covenant.codelets.fuse import unfold
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import Span, fail
from covenant.core.expression import Call, Expression, Ref
from covenant.emit.packing import Array, capacity, pack, pack_records
from covenant.mapper.candidates import Binding
from covenant.mapper.mapping import Mapping, Placement, StepBinding
from covenant.mapper.operands import Operand, operands

Payloads = Map[str, NDArray[Any]]


def pack_constant(
    placement: Placement, mapping: Mapping, codelet: Codelet, acg: Acg, payloads: Payloads
) -> NDArray[np.uint8]:
    """Home bytes of a constant placement: a weight tensor or a table of records."""
    if not placement.tensor:
        return _records(placement, mapping, codelet, acg, payloads)
    array = payload(codelet, payloads, placement.tensor)
    padding = _padding(placement, mapping, codelet, acg, payloads, array.ndim)
    return pack(array, placement.home, placement.dtype, padding)


def payload(codelet: Codelet, payloads: Payloads, name: str) -> Array:
    """The array of a tensor in codelet order; CovenantError when absent or of another shape. The
    payload of a fused tensor is that of the layer."""
    tensor = codelet.tensor(name)
    shape = tensor.source.shape if tensor.source is not None else tensor.shape
    if name not in payloads:
        raise fail(
            "EMI008",
            f"no values for {tensor.role} '{name}' of {codelet.name}",
            Span(codelet.name),
            "a layer whose constants are unknown can be mapped, not run",
        )
    array = np.asarray(payloads[name])
    if array.shape != shape or array.dtype != tensor.dtype.numpy:
        raise fail(
            "EMI008",
            f"'{name}' of {codelet.name} is {tensor.dtype}{list(shape)}, the values given "
            f"are {array.dtype}{list(array.shape)}",
            Span(codelet.name),
        )
    return unfold(array, tensor)


def zero_point(placement: Placement, mapping: Mapping, acg: Acg) -> int | str:
    """What the capability subtracts from a port's elements: a number, or the codelet tensor."""
    step = _step_of(mapping, placement.port)
    if step is None:
        return 0
    name = _subtracted(_capability(acg, step).statement.value, placement.port)
    tensor = dict(step.tensors).get(name, "")
    return tensor or dict(step.scalars).get(name, 0)


def _padding(
    placement: Placement,
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    payloads: Payloads,
    axes: int,
) -> int | Array:
    zero = zero_point(placement, mapping, acg)
    if isinstance(zero, int):
        return zero
    room = capacity(placement.home, axes)
    values = payload(codelet, payloads, zero)
    own = _dims(codelet, placement.tensor)
    result = np.zeros(
        [n if d in _dims(codelet, zero) else 1 for n, d in zip(room, own, strict=True)]
    )
    result = result.astype(values.dtype)
    spread = _over(values, _dims(codelet, zero), own)
    result[tuple(slice(0, n) for n in spread.shape)] = spread
    return result


def _records(
    placement: Placement, mapping: Mapping, codelet: Codelet, acg: Acg, payloads: Payloads
) -> NDArray[np.uint8]:
    """Records [blocks of every axis, bytes]; a field the codelet lacks holds its neutral value."""
    placed = operands(codelet, acg, Binding(mapping.steps))
    operand = next(o for o in placed if o.port == placement.port)
    record = _record(acg, mapping, placement.port)
    if record.entries:
        return _table(record, mapping, codelet, payloads)
    columns = operand.beat[0][1]
    axis = operand.packed_axis
    shape = list(operand.shape)
    if axis >= 0:
        shape[axis] = -(-shape[axis] // columns) * columns
    parts = [
        np.concatenate(
            [_field(f, operand, tuple(shape), mapping, codelet, acg, payloads) for f in group],
            axis=-1,
        )
        for group in record.groups
    ]
    records = [_blocks(part, axis, columns) for part in parts]
    return pack_records(np.ascontiguousarray(np.concatenate(records, axis=-1)), placement.home)


def _table(
    record: Record, mapping: Mapping, codelet: Codelet, payloads: Payloads
) -> NDArray[np.uint8]:
    """The entries of every group one after the other, the fields of a group interleaved."""
    bound = {p: t for step in mapping.steps for p, t in step.tensors}
    parts = []
    for group in record.groups:
        columns = [payload(codelet, payloads, bound[f]).reshape(record.entries, 1) for f in group]
        parts.append(np.concatenate([c.view(np.uint8) for c in columns], axis=1).reshape(-1))
    return np.concatenate(parts)


def _blocks(fields: NDArray[np.uint8], axis: int, columns: int) -> NDArray[np.uint8]:
    """Bytes [*shape, bytes] of a group as blocks of `columns` along an axis: [*blocks, bytes]; the
    same values in every column when there is no such axis (-1)."""
    if axis < 0:
        return np.tile(fields, columns)
    *shape, size = fields.shape
    shape[axis : axis + 1] = [shape[axis] // columns, columns]
    moved = np.moveaxis(fields.reshape(*shape, size), axis + 1, -2)
    return moved.reshape(*moved.shape[:-2], columns * size)


def _field(
    name: str,
    operand: Operand,
    shape: tuple[int, ...],
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    payloads: Payloads,
) -> NDArray[np.uint8]:
    """Bytes [*shape, element bytes] of one field, neutral beyond the tensor."""
    port = next(p for p in _ports(acg, mapping) if p.name == name)
    tensor = next((dict(s.tensors)[name] for s in mapping.steps if name in dict(s.tensors)), "")
    dtype = codelet.tensor(tensor).dtype if tensor else port.dtypes[0]
    neutral = 1.0 if dtype.numpy.kind == "f" else 0
    scalar: int | float
    values: Array
    if tensor:
        array = payload(codelet, payloads, tensor)
        own = tuple(i.dims[0] for i in operand.indices)
        values = _over(array, _dims(codelet, tensor), own)
    else:
        given = next(
            (dict(s.scalars)[name] for s in mapping.steps if name in dict(s.scalars)), None
        )
        scalar = neutral if given is None else given
        if dtype.bytes == 1:
            values = np.full((1,) * len(shape), int(scalar) & 0xFF, np.uint8).view(dtype.numpy)
        else:
            values = np.full((1,) * len(shape), scalar, dtype.numpy)
    whole = np.full(shape, neutral, dtype.numpy)
    region = tuple(slice(0, n) for n in operand.shape)
    whole[region] = np.broadcast_to(values, operand.shape)
    return whole[..., None].view(np.uint8)


def _over(array: Array, dims: tuple[str, ...], onto: tuple[str, ...]) -> Array:
    """Axes of an array named by `dims` in the order of `onto`, extent 1 for dims it lacks."""
    present = [d for d in onto if d in dims]
    moved = array.transpose([dims.index(d) for d in present])
    sizes = dict(zip(present, moved.shape, strict=True))
    return moved.reshape([sizes.get(d, 1) for d in onto])


def _dims(codelet: Codelet, tensor: str) -> tuple[str, ...]:
    """First dim of every subscript of a tensor (parameters have plain subscripts)."""
    for step in codelet.steps:
        for ref in (step.target, *step.refs):
            if ref.name == tensor:
                return tuple(i.dims[0] if i.dims else "" for i in ref.indices)
    raise KeyError(tensor)


def _record(acg: Acg, mapping: Mapping, name: str) -> Record:
    nodes = dict.fromkeys(step.node for step in mapping.steps)
    return next(r for n in nodes for r in acg.compute(n).records if r.name == name)


def _ports(acg: Acg, mapping: Mapping) -> list[Port]:
    """Ports of the bound capabilities first, then of their nodes: a field is always known."""
    bound = [p for s in mapping.steps for p in _capability(acg, s).ports]
    rest = [p for c in acg.capabilities for p in c.ports]
    return bound + rest


def _capability(acg: Acg, step: StepBinding) -> Capability:
    return next(c for c in acg.compute(step.node).capabilities if c.name == step.capability)


def _step_of(mapping: Mapping, port: str) -> StepBinding | None:
    return next((s for s in mapping.steps if port in dict(s.tensors)), None)


def _subtracted(expression: Expression, port: str) -> str:
    """The name subtracted from a port in an expression, "" for none."""
    match expression:
        case Call("sub", (Ref(name), Ref(zero))) if name == port:
            return zero
        case Call(_, arguments):
            return next((n for n in (_subtracted(a, port) for a in arguments) if n), "")
        case _:
            return ""
