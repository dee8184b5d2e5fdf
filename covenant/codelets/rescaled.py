"""What the codelets beside the matrix product share: an int32 value in one step, rescaled in the
next.

In: the first statement and how its unit compares with that of the output. Out: `LoweredLayer`.
Steps: `acc = …` or `acc += …`, then `y = clip(requantise(acc, scale, zy), low, high)`; a scale that
is the same everywhere is a tensor without axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.requantised import clamp, plain, scalar_zero_point
from covenant.codelets.views import View
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Statement
from covenant.core.layer import Layer

_EXACT_FLOAT32 = 2**24
"""Integers up to here are exact in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Rescaled:
    """The structure of such a layer.

    extents: iterations of every dim, in the order of the codelet. tensors: those that the first
    step reads. reduction, value: the first step without its target. dims: those of the output.
    views: how tensors are seen in ONNX tensors. scale: real value of one step of the accumulator in
    steps of the output, without axes or over `scale_dims`; None where it is not known. largest:
    bound of the accumulator. point_first: the reference adds the zero point before it rounds.
    """

    operation: str
    extents: Mapping[str, int]
    tensors: tuple[Tensor, ...]
    reduction: str
    value: Expression
    dims: tuple[str, ...]
    views: Mapping[str, View]
    scale: NDArray[np.float32] | None
    largest: int
    scale_dims: tuple[str, ...] = ()
    point_first: bool = True


def lower(layer: Layer, parts: Rescaled) -> LoweredLayer:
    """The codelet of a layer of this structure, with its views and constants."""
    y = layer.outputs["y"]
    accumulator, target = plain("acc", parts.dims), plain("y", parts.dims)
    scale = plain("scale", parts.scale_dims)
    extra, zero_point = 0, scalar_zero_point(y)
    if parts.point_first and parts.scale is not None:
        extra, zero_point = _ties(parts.scale, zero_point, parts.largest)
    value: Expression = accumulator
    if extra:
        value = Call("add", (value, Number(extra)))
    rescaled = Call("requantise", (value, scale, Number(zero_point)))
    low, high = clamp(layer)
    shape = tuple(parts.extents[d] for d in parts.dims)
    scales = tuple(parts.extents[d] for d in parts.scale_dims)
    codelet = Codelet(
        operation=parts.operation,
        name=layer.name,
        dims=tuple(Dim(name, extent) for name, extent in parts.extents.items()),
        tensors=(
            *parts.tensors,
            Tensor("scale", DType.FLOAT32, scales, Role.CONSTANT),
            Tensor("y", y.dtype, shape, Role.OUTPUT),
            Tensor("acc", DType.INT32, shape, Role.LOCAL),
        ),
        steps=(
            Statement(accumulator, parts.reduction, parts.value),
            Statement(target, "", Call("clip", (rescaled, Number(low), Number(high)))),
        ),
    )
    constants: dict[str, NDArray[Any]] = {
        role: parts.views[role].apply(tensor.values)
        for role, tensor in layer.inputs.items()
        if tensor.values is not None
    }
    if parts.scale is not None:
        constants["scale"] = np.broadcast_to(parts.scale, scales).copy()
    return LoweredLayer(codelet, parts.views, constants)


def _ties(scale: NDArray[np.float32], zero_point: int, largest: int) -> tuple[int, int]:
    """What to add to the accumulator, and the zero point that is left to add after rounding.

    A reference that rounds `acc * scale + zero_point` breaks ties by the parity of the sum, the
    requantiser by that of the product. Where one step of the output is a whole number of the
    accumulator's (else ties hardly occur) an odd zero point moves one step into the accumulator.
    """
    if scale.size != 1 or zero_point % 2 == 0 or scale.item() > 1:
        return 0, zero_point
    step = int(np.rint(1.0 / float(scale.item())))
    whole = np.float32(step) * scale.reshape(())[()] == np.float32(1.0)
    if not whole or largest + step >= _EXACT_FLOAT32:
        return 0, zero_point
    return step, zero_point - 1


def ratio(numerator: float, *denominators: float) -> NDArray[np.float32]:
    """A scale without axes: the quotient in float64, rounded once."""
    value = float(numerator)
    for denominator in denominators:
        value /= float(denominator)
    return np.asarray(value, np.float32)
