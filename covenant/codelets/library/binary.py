"""Sums and products of two quantised tensors, element by element, with broadcasting.

Dims: axes of the broadcast result; from the third on, neighbours that broadcast alike are one dim.
Tensors: `x`, `w` and `y`; an operand that is repeated along a dim lacks its subscript. A sum is
`acc = (x - zx) * kx + (w - zw) * kw`: kx and kw are the whole numbers up to 32767 whose quotient is
nearest to that of the scales (negative where w is subtracted), so that |acc| < 2^24 and one rescale
is exact to the rounding. A product is `acc = (x - zx) * (w - zw)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.requantised import less, plain, role_of, scalar_zero_point
from covenant.codelets.rescaled import Rescaled, lower, ratio
from covenant.codelets.samples import Numbers, Sample, sample
from covenant.codelets.views import View, axis_names
from covenant.core.expression import Call, Expression, Number
from covenant.core.layer import Layer

_LARGEST_FACTOR = 32767
"""A factor is a 16-bit literal."""

_KEPT = 2
"""Leading axes that stay dims of their own: batch and channel."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """A dim of the result: extent, and which operands it subscripts."""

    name: str
    extent: int
    in_x: bool
    in_w: bool

    def within(self, role: str) -> bool:
        """Whether the tensor of a role has this axis."""
        return {"x": self.in_x, "w": self.in_w}.get(role, True)


@dataclass(frozen=True, slots=True, eq=False)
class _Blend:
    """Factors of both operands, and the real value of one step of their sum."""

    x: int
    w: int
    scale: NDArray[np.float32] | None


def build_sum(layer: Layer) -> LoweredLayer:
    """The codelet of a `sum` layer; attribute `subtract` for x - w."""
    blend = _blend(layer)
    x, w = _operand(layer, "x"), _operand(layer, "w")
    value = Call("add", (_times(x, blend.x), _times(w, blend.w)))
    largest = 255 * (abs(blend.x) + abs(blend.w))
    return _lower(layer, "sum", value, blend.scale, largest)


def build_product(layer: Layer) -> LoweredLayer:
    """The codelet of a `product` layer."""
    value = Call("mul", (_operand(layer, "x"), _operand(layer, "w")))
    return _lower(layer, "product", value, _product_scale(layer), 255 * 255)


def samples(numbers: Numbers) -> tuple[Sample, ...]:
    """Tensors of 8 x 8 positions and 256 channels, with a scale each."""
    x, w, y = (numbers.activation(name, 1, 256, 8, 8) for name in ("x", "w", "y"))
    return (
        sample("sum of two tensors", "sum", {"x": x, "w": w}, y, {}),
        sample("product of two tensors", "product", {"x": x, "w": w}, y, {}),
    )


def _lower(
    layer: Layer,
    operation: str,
    value: Expression,
    scale: NDArray[np.float32] | None,
    largest: int,
) -> LoweredLayer:
    axes = _axes(layer)
    views = {role: _view(layer, role, axes) for role in ("x", "w", "y")}
    operands = {role: layer.inputs[role] for role in ("x", "w")}
    parts = Rescaled(
        operation=operation,
        extents={axis.name: axis.extent for axis in axes},
        tensors=tuple(
            Tensor(role, tensor.dtype, views[role].shape, role_of(tensor))
            for role, tensor in operands.items()
        ),
        reduction="",
        value=value,
        dims=tuple(axis.name for axis in axes),
        views=views,
        scale=scale,
        largest=largest,
    )
    return lower(layer, parts)


def _axes(layer: Layer) -> tuple[_Axis, ...]:
    """Dims of the result; neighbours that broadcast alike are merged."""
    y = layer.outputs["y"].shape or (1,)
    shapes = [(1,) * (len(y) - len(s)) + s for s in (layer.inputs[r].shape for r in ("x", "w"))]
    found: list[tuple[int, bool, bool]] = []
    for position, extents in enumerate(zip(y, *shapes, strict=True)):
        extent, own_x, own_w = extents
        axis = (extent, own_x == extent, own_w == extent)
        if position > _KEPT and found[-1][1:] == axis[1:]:
            found[-1] = (found[-1][0] * extent, *axis[1:])
        else:
            found.append(axis)
    names = axis_names(len(found))
    return tuple(_Axis(name, *axis) for name, axis in zip(names, found, strict=True))


def _view(layer: Layer, role: str, axes: tuple[_Axis, ...]) -> View:
    tensor = layer.outputs["y"] if role == "y" else layer.inputs[role]
    shape = tuple(axis.extent for axis in axes if axis.within(role))
    return View(role, shape, tuple(range(len(shape))), tensor.shape)


def _operand(layer: Layer, role: str) -> Expression:
    """The operand less its zero point, subscripted by the dims it has."""
    axes = _axes(layer)
    dims = tuple(axis.name for axis in axes if axis.within(role))
    return less(plain(role, dims), scalar_zero_point(layer.inputs[role]))


def _times(value: Expression, factor: int) -> Expression:
    return value if factor == 1 else Call("mul", (value, Number(factor)))


def _blend(layer: Layer) -> _Blend:
    """Both factors share as few bits as the quotient of the scales needs."""
    sign = -1 if layer.attributes.get("subtract") else 1
    x, w = layer.inputs["x"].quantisation, layer.inputs["w"].quantisation
    y = layer.outputs["y"].quantisation
    if x is None or w is None or y is None:
        return _Blend(1, sign, None)
    first, second = float(x.scale.item()), float(w.scale.item())
    larger, smaller = max(first, second), min(first, second)
    quotient = (Fraction(smaller) / Fraction(larger)).limit_denominator(_LARGEST_FACTOR)
    scale = ratio(larger, quotient.denominator, float(y.scale.item()))
    factors = (quotient.denominator, quotient.numerator)
    if first < second:
        factors = factors[::-1]
    return _Blend(factors[0], sign * factors[1], scale)


def _product_scale(layer: Layer) -> NDArray[np.float32] | None:
    """m = f32(f32(sx * sw) / sy); None when unknown."""
    x, w = layer.inputs["x"].quantisation, layer.inputs["w"].quantisation
    y = layer.outputs["y"].quantisation
    if x is None or w is None or y is None:
        return None
    product = np.float32(x.scale.item()) * np.float32(w.scale.item())
    return np.asarray(product / np.float32(y.scale.item()), np.float32)
