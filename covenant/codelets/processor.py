"""A layer in two shares: what a processor does to its tensors, and the codelet that is left.

In: a `LoweredLayer`, what the processor can do. Out: the layer in other forms with the same result:
`centred`: 8-bit inputs are signed and their padding is part of them; so are the results;
`rescaled`: inputs as before, and the results are int32 sums, which the processor requantises.
Constant weights lose their zero points; those that leave the range of a signed byte are the sum of
several, over which one more dim runs. Values do not change: a signed byte is the unsigned one with
its highest bit flipped, and its zero point is less by 128.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.codelets.lowered import SUMS, LoweredLayer
from covenant.codelets.verify import verify
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Ref, Statement, replaced

CENTRE, PAD, RESCALE, ARRANGE, EVALUATE = "centre", "pad", "rescale", "arrange", "evaluate"
CENTRED, RESCALED = "centred", "rescaled"
_HALF = 128
_PART = "part"
"""The dim over which weights of more than 8 bits fall apart."""


def forms(lowered: LoweredLayer, abilities: tuple[str, ...]) -> Iterator[LoweredLayer]:
    """The layer itself, then with ever larger shares of a processor with these abilities."""
    yield lowered
    inputs = _inputs(lowered, abilities)
    centred = _centred_result(inputs) if CENTRE in abilities else inputs
    if centred.codelet is not lowered.codelet:
        yield _form(lowered, centred, CENTRED)
    rescaled = _rescaled(inputs) if RESCALE in abilities else None
    if rescaled is not None:
        yield _form(lowered, rescaled, RESCALED)


def is_one_nest(lowered: LoweredLayer) -> bool:
    """Whether all steps are at one output position, as is every value between two of them."""
    codelet = lowered.codelet
    place = codelet.steps[-1].target.indices
    local = {t.name for t in codelet.tensors if t.role is Role.LOCAL}
    refs = [ref for step in codelet.steps for ref in (step.target, *step.refs)]
    alike = all(ref.indices == place for ref in refs if ref.name in local)
    return alike and all(index.is_plain for index in place)


def form(lowered: LoweredLayer, abilities: tuple[str, ...], name: str) -> LoweredLayer:
    """The form of that name; KeyError without one."""
    for found in forms(lowered, abilities):
        if found.form == name:
            return found
    raise KeyError(name)


def _form(whole: LoweredLayer, made: LoweredLayer, name: str) -> LoweredLayer:
    verify(made.codelet)
    return replace(made, form=name, whole=whole)


def _inputs(lowered: LoweredLayer, abilities: tuple[str, ...]) -> LoweredLayer:
    """Signed inputs and weights without what the processor takes over."""
    for tensor in lowered.codelet.tensors:
        if tensor.dtype.bytes != 1 or tensor.role not in (Role.INPUT, Role.CONSTANT):
            continue
        operand = _operand(lowered.codelet, tensor.name)
        if operand is None:
            continue
        if tensor.role is Role.CONSTANT:
            lowered = _weights(lowered, tensor, operand)
            continue
        if CENTRE in abilities and tensor.dtype is DType.UINT8:
            lowered = _signed(lowered, tensor, operand)
        if PAD in abilities:
            lowered = _padded(lowered, lowered.codelet.tensor(tensor.name), operand.ref)
    return lowered


@dataclass(frozen=True, slots=True)
class _Operand:
    """The one place where a tensor is read: `whole` is `ref`, or `ref - point`."""

    ref: Ref
    point: Expression
    whole: Expression


def _operand(codelet: Codelet, name: str) -> _Operand | None:
    """How the first step reads a tensor; None where it is read otherwise or elsewhere too."""
    reads = [r for step in codelet.steps for r in step.refs if r.name == name]
    value = codelet.steps[0].value
    if len(reads) != 1 or not isinstance(value, Call) or value.function != "mul":
        return None
    for side in value.arguments:
        match side:
            case Ref() if side.name == name:
                return _Operand(side, Number(0), side)
            case Call("sub", (Ref() as ref, (Number() | Ref()) as point)) if ref.name == name:
                return _Operand(ref, point, side)
            case _:
                pass
    return None


def _signed(lowered: LoweredLayer, tensor: Tensor, operand: _Operand) -> LoweredLayer:
    """An unsigned input as a signed one."""
    if not isinstance(operand.point, Number):
        return lowered
    codelet = lowered.codelet
    pad = None if tensor.pad is None else tensor.pad - _HALF
    made = replace(tensor, dtype=DType.INT8, pad=pad)
    value = _less(operand.ref, operand.point.value - _HALF)
    codelet = _with_tensor(_replacing(codelet, operand.whole, value), made)
    view = lowered.views[tensor.name]
    view = replace(view, flip=True, fill=view.fill - _HALF if view.margins else 0)
    return replace(lowered, codelet=codelet, views={**lowered.views, tensor.name: view})


def _padded(lowered: LoweredLayer, tensor: Tensor, ref: Ref) -> LoweredLayer:
    """An input that is read outside its shape, where that is not zero, with its padding."""
    view = lowered.views[tensor.name]
    if not tensor.pad or view.margins:
        return lowered
    extents = lowered.codelet.extents
    margins = []
    for index, size in zip(ref.indices, tensor.shape, strict=True):
        reach = [c * (extents[d] - 1) for d, c in index.terms]
        low = index.constant + sum(min(0, r) for r in reach)
        high = index.constant + sum(max(0, r) for r in reach)
        margins.append((max(0, -low), max(0, high + 1 - size)))
    moved = Ref(
        ref.name,
        tuple(
            Affine(i.terms, i.constant + before)
            for i, (before, _) in zip(ref.indices, margins, strict=True)
        ),
    )
    view = replace(view, margins=tuple(margins), fill=tensor.pad)
    codelet = _replacing(lowered.codelet, ref, moved)
    codelet = _with_tensor(codelet, replace(tensor, shape=view.shape, pad=None))
    return replace(lowered, codelet=codelet, views={**lowered.views, tensor.name: view})


def _weights(lowered: LoweredLayer, tensor: Tensor, operand: _Operand) -> LoweredLayer:
    """Constant weights less their zero point, as signed bytes."""
    points = _points(lowered, operand)
    if points is None or tensor.name not in lowered.constants:
        return lowered
    if tensor.dtype is DType.INT8 and operand.whole == operand.ref:
        return lowered
    values = lowered.constants[tensor.name].astype(np.int64) - points
    limits = DType.INT8
    low, high = min(0, int(values.min())), max(0, int(values.max()))
    count = max(1, -(-high // limits.maximum), -(low // -limits.minimum))
    ref, codelet = operand.ref, lowered.codelet
    if count > 1:
        values = _parts(values, count)
        ref = Ref(ref.name, (Affine.of(_PART), *ref.indices))
        codelet = replace(codelet, dims=(*codelet.dims, Dim(_PART, count)))
    codelet = _replacing(codelet, operand.whole, ref)
    gone = operand.point.name if isinstance(operand.point, Ref) else ""
    codelet = replace(codelet, tensors=tuple(t for t in codelet.tensors if t.name != gone))
    codelet = _with_tensor(codelet, replace(tensor, dtype=DType.INT8, shape=values.shape))
    constants = {k: v for k, v in lowered.constants.items() if k != gone}
    constants[tensor.name] = np.ascontiguousarray(values.astype(np.int8))
    return replace(lowered, codelet=codelet, constants=constants)


def _parts(values: NDArray[Any], count: int) -> NDArray[Any]:
    """So many arrays of signed bytes, along a new first axis, whose sum is the array."""
    found = []
    for _ in range(count):
        found.append(np.clip(values, DType.INT8.minimum, DType.INT8.maximum))
        values = values - found[-1]
    assert not values.any()
    return np.stack(found)


def _points(lowered: LoweredLayer, operand: _Operand) -> NDArray[Any] | None:
    """Zero points that broadcast to the tensor's shape; None where they are not known."""
    point = operand.point
    if isinstance(point, Number):
        return np.asarray(point.value, np.int64)
    if not isinstance(point, Ref) or point.name not in lowered.constants:
        return None
    values = lowered.constants[point.name].astype(np.int64)
    own = [index.dims[0] for index in point.indices]
    axes = [index.dims[0] if index.is_plain else "" for index in operand.ref.indices]
    if [d for d in axes if d in own] != own:
        return None
    sizes = dict(zip(own, values.shape, strict=True))
    return values.reshape([sizes.get(d, 1) for d in axes])


@dataclass(frozen=True, slots=True)
class _Requantised:
    """`clip(requantise(value, scale, point), low, high)`."""

    value: Expression
    scale: Ref
    point: int
    low: int
    high: int


def _requantised(step: Statement) -> _Requantised | None:
    match step.value:
        case Call(
            "clip",
            (
                Call("requantise", (value, Ref() as scale, Number(point))),
                Number(low),
                Number(high),
            ),
        ) if not step.reduction:
            return _Requantised(value, scale, point, low, high)
        case _:
            return None


def _centred_result(lowered: LoweredLayer) -> LoweredLayer:
    """An unsigned result as a signed one."""
    codelet = lowered.codelet
    last = codelet.steps[-1]
    parts, target = _requantised(last), codelet.tensor(last.target.name)
    if parts is None or target.dtype is not DType.UINT8 or target.name not in lowered.views:
        return lowered
    made = Call("requantise", (parts.value, parts.scale, Number(parts.point - _HALF)))
    value = Call("clip", (made, Number(parts.low - _HALF), Number(parts.high - _HALF)))
    codelet = replace(codelet, steps=(*codelet.steps[:-1], replace(last, value=value)))
    codelet = _with_tensor(codelet, replace(target, dtype=DType.INT8))
    view = replace(lowered.views[target.name], flip=True)
    return replace(lowered, codelet=codelet, views={**lowered.views, target.name: view})


def _rescaled(lowered: LoweredLayer) -> LoweredLayer | None:
    """Sums of 32 bits as results, and the processor's share; None for a layer without sums."""
    codelet = lowered.codelet
    last = codelet.steps[-1]
    parts = _requantised(last)
    if parts is None or codelet.steps[0].reduction != "+":
        return None
    target = codelet.tensor(last.target.name)
    sums = replace(target, dtype=DType.INT32)
    left = replace(
        codelet,
        tensors=tuple(
            sums if t.name == target.name else t
            for t in codelet.tensors
            if t.name != parts.scale.name
        ),
        steps=(*codelet.steps[:-1], replace(last, value=parts.value)),
    )
    read = Ref(SUMS, last.target.indices)
    made = Call("requantise", (read, parts.scale, Number(parts.point)))
    value = Call("clip", (made, Number(parts.low), Number(parts.high)))
    used = {d for index in last.target.indices for d in index.dims}
    finish = Codelet(
        codelet.operation,
        codelet.name,
        tuple(d for d in codelet.dims if d.name in used),
        (
            replace(sums, name=SUMS, role=Role.INPUT),
            codelet.tensor(parts.scale.name),
            target,
        ),
        (Statement(last.target, "", value),),
    )
    return replace(lowered, codelet=left, finish=verify(finish))


def _less(ref: Ref, point: int) -> Expression:
    return Call("sub", (ref, Number(point))) if point else ref


def _with_tensor(codelet: Codelet, tensor: Tensor) -> Codelet:
    """The codelet with another tensor in the place of that of its name."""
    tensors = tuple(tensor if t.name == tensor.name else t for t in codelet.tensors)
    return replace(codelet, tensors=tensors)


def _replacing(codelet: Codelet, old: Expression, new: Expression) -> Codelet:
    """The codelet with another expression in the place of `old` in its first step."""
    first = codelet.steps[0]
    changed = replace(first, value=replaced(first.value, old, new))
    return replace(codelet, steps=(changed, *codelet.steps[1:]))
