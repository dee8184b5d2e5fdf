"""What every multiply-accumulate codelet shares: accumulate, add the bias, requantise, clamp.

In: the layer, and as `Product` the subscripts that its library file chose. Out: the `LoweredLayer`.
Steps: `acc += (x - zx) * (w - zw)`, then `y = clip(requantise(acc + bias, scale, zy), low, high)`,
or `y = acc` for an int32 output. Zero points of 0 and an absent bias do not occur; zw is a number
when it is uniform, else a tensor; scale has one element per output channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.views import View
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Ref, Statement
from covenant.core.layer import Layer, LayerTensor

_ACCUMULATOR = "acc"


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """The structure of a multiply-accumulate layer.

    extents: iterations of every dim, in the order of the codelet. x, w, y, bias: the tensors with
    their subscripts. columns: dims that number the output channels, slowest first. views: how x, w,
    y (and bias) are seen in ONNX tensors. pads: whether x is read outside its shape.
    """

    operation: str
    extents: Mapping[str, int]
    x: Ref
    w: Ref
    y: Ref
    columns: tuple[str, ...]
    views: Mapping[str, View]
    bias: Ref | None = None
    pads: bool = False

    def spread(self, values: NDArray[Any], dtype: DType) -> NDArray[Any]:
        """A scalar or a vector over the output channels as array[columns]."""
        shape = tuple(self.extents[d] for d in self.columns)
        flat = values.reshape(-1).astype(dtype.numpy)
        return np.ascontiguousarray(np.broadcast_to(flat, (int(np.prod(shape)),)).reshape(shape))


def plain(name: str, dims: tuple[str, ...]) -> Ref:
    """The tensor `name` subscripted by plain dims."""
    return Ref(name, tuple(Affine.of(d) for d in dims))


def lower(layer: Layer, product: Product) -> LoweredLayer:
    """The codelet of a layer of this structure, with its views and constants."""
    x, w, y = layer.inputs["x"], layer.inputs["w"], layer.outputs["y"]
    shapes = {role: view.shape for role, view in product.views.items()}
    zero_point = scalar_zero_point(x)
    constants: dict[str, NDArray[Any]] = {}
    tensors = [
        Tensor("x", x.dtype, shapes["x"], Role.INPUT, zero_point if product.pads else None),
        Tensor("w", w.dtype, shapes["w"], role_of(w)),
    ]
    weight: Expression = product.w
    points = np.zeros(1, np.int64) if w.quantisation is None else w.quantisation.zero_point
    if np.unique(points).size > 1:
        constants["zw"] = product.spread(points, w.dtype)
        tensors.append(Tensor("zw", w.dtype, constants["zw"].shape, Role.CONSTANT))
        weight = Call("sub", (weight, plain("zw", product.columns)))
    else:
        weight = less(weight, int(points.reshape(-1)[0]))
    accumulator = Ref(_ACCUMULATOR, product.y.indices)
    multiply = Call("mul", (less(product.x, zero_point), weight))
    if product.bias is not None:
        bias = layer.inputs["bias"]
        tensors.append(Tensor("bias", DType.INT32, shapes["bias"], role_of(bias)))
    value, scale = _result(layer, product, accumulator)
    if y.dtype is not DType.INT32:
        shape = tuple(product.extents[d] for d in product.columns)
        same = scale is None or np.unique(scale).size == 1
        tensors.append(Tensor("scale", DType.FLOAT32, shape, Role.CONSTANT, uniform=same))
    if scale is not None:
        constants["scale"] = scale
    tensors.append(Tensor("y", y.dtype, shapes["y"], Role.OUTPUT))
    tensors.append(Tensor(_ACCUMULATOR, DType.INT32, shapes["y"], Role.LOCAL))
    for role in layer.inputs:
        values = layer.inputs[role].values
        if values is not None:
            constants[role] = product.views[role].apply(values)
    codelet = Codelet(
        operation=product.operation,
        name=layer.name,
        dims=tuple(Dim(name, extent) for name, extent in product.extents.items()),
        tensors=tuple(tensors),
        steps=(Statement(accumulator, "+", multiply), Statement(product.y, "", value)),
    )
    return LoweredLayer(codelet, product.views, constants)


def _result(
    layer: Layer, product: Product, accumulator: Ref
) -> tuple[Expression, NDArray[Any] | None]:
    """What the last step stores, and the payload of `scale` where it is known."""
    value: Expression = accumulator
    if product.bias is not None:
        value = Call("add", (value, product.bias))
    y = layer.outputs["y"]
    if y.dtype is DType.INT32:
        return value, None
    scale = plain("scale", product.columns)
    rescaled = Call("requantise", (value, scale, Number(scalar_zero_point(y))))
    low, high = clamp(layer)
    factors = _multiplier(layer)
    known = None if factors is None else product.spread(factors, DType.FLOAT32)
    return Call("clip", (rescaled, Number(low), Number(high))), known


def scalar_zero_point(tensor: LayerTensor) -> int:
    """Zero point of a per-tensor quantisation, 0 when there is none."""
    if tensor.quantisation is None:
        return 0
    points = np.unique(tensor.quantisation.zero_point)
    assert points.size == 1, "the frontend admits per-tensor zero points of x and y only"
    return int(points[0])


def less(expression: Expression, zero_point: int) -> Expression:
    """`expression - zero_point`, or itself for 0."""
    return Call("sub", (expression, Number(zero_point))) if zero_point else expression


def clamp(layer: Layer) -> tuple[int, int]:
    """Range of the quantised output: that of its dtype or, after an activation, a tighter one."""
    dtype = layer.outputs["y"].dtype
    low = layer.attributes.get("low", dtype.minimum)
    high = layer.attributes.get("high", dtype.maximum)
    assert isinstance(low, int)
    assert isinstance(high, int)
    return max(low, dtype.minimum), min(high, dtype.maximum)


def _multiplier(layer: Layer) -> NDArray[np.float32] | None:
    """m = f32(f32(f32(alpha*sx)*sw)/sy), a scalar or one per output channel; None when unknown."""
    x, w = layer.inputs["x"].quantisation, layer.inputs["w"].quantisation
    y = layer.outputs["y"].quantisation
    if x is None or w is None or y is None:
        return None
    product = np.float32(layer.alpha) * x.scale.astype(np.float32) * w.scale.astype(np.float32)
    return np.asarray(product / y.scale.astype(np.float32), np.float32)


def role_of(tensor: LayerTensor) -> Role:
    """Constant for weights and biases with a fixed payload, input for activations."""
    return Role.CONSTANT if tensor.constant or tensor.values is not None else Role.INPUT
