"""Pools of any rank, kernel, stride, dilation and padding: the largest or the average of a window.

Dims: `n` batch, `c` channel, `oz oy ox` output position, `fz fy fx` position in the window. A
window that covers the whole image has one spatial axis. Tensors: `x[n,c,iz,iy,ix]` with
i = o*stride + f*dilation - pad and `y[n,c,oz,oy,ox]`. The largest of a window is one step, and
positions outside the image hold the lowest value of the type. An average sums `x - zx` in int32
and is rescaled by 1 / (elements of the window): positions outside the image hold zx; where they do
not count, the elements that do depend on the position and `scale` is a tensor over positions.
"""

from __future__ import annotations

from functools import reduce
from math import prod

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.requantised import less, plain, scalar_zero_point
from covenant.codelets.rescaled import Rescaled, lower
from covenant.codelets.samples import Numbers, Sample, sample
from covenant.codelets.views import View
from covenant.codelets.windows import Window, integers
from covenant.core.affine import Affine
from covenant.core.expression import Ref, Statement
from covenant.core.layer import Layer


def build_max(layer: Layer) -> LoweredLayer:
    """The codelet of a `max_pool` layer."""
    x, y = layer.inputs["x"], layer.outputs["y"]
    window = _flattened(_window(layer))
    views = _views(layer, window)
    extents = _extents(views, window)
    pad = x.dtype.minimum if window.leaves else None
    codelet = Codelet(
        operation="pool",
        name=layer.name,
        dims=tuple(Dim(name, extent) for name, extent in extents.items()),
        tensors=(
            Tensor("x", x.dtype, views["x"].shape, Role.INPUT, pad),
            Tensor("y", y.dtype, views["y"].shape, Role.OUTPUT),
        ),
        steps=(Statement(plain("y", ("n", "c", *window.dims[0])), "max", _image(window)),),
    )
    return LoweredLayer(codelet, views, {})


def build_average(layer: Layer) -> LoweredLayer:
    """The codelet of an `average_pool` layer."""
    x = layer.inputs["x"]
    whole = _window(layer)
    window = _flattened(whole)
    counts = _counts(whole, integers(layer, "pads"), bool(layer.attributes["count_pads"]))
    uniform = np.unique(counts).size == 1
    views = _views(layer, window)
    zero_point = scalar_zero_point(x)
    pad = zero_point if window.leaves else None
    parts = Rescaled(
        operation="average",
        extents=_extents(views, window),
        tensors=(Tensor("x", x.dtype, views["x"].shape, Role.INPUT, pad),),
        reduction="+",
        value=less(_image(window), zero_point),
        dims=("n", "c", *window.dims[0]),
        views=views,
        scale=_scale(layer, counts.reshape(-1)[:1].reshape(()) if uniform else counts),
        largest=255 * prod(window.kernel),
        scale_dims=() if uniform else window.dims[0],
        point_first=bool(layer.attributes["point_first"]),
    )
    return lower(layer, parts)


def samples(numbers: Numbers) -> tuple[Sample, ...]:
    """Windows of 2 x 2 positions of an image of 8 x 8 positions and 256 channels."""
    attributes: dict[str, int | tuple[int, ...]] = {
        "kernel": (2, 2),
        "strides": (2, 2),
        "pads": (0, 0, 0, 0),
        "dilations": (1, 1),
        "channels_last": 0,
        "count_pads": 0,
        "point_first": 0,
    }
    x, y = numbers.activation("x", 1, 256, 8, 8), numbers.activation("y", 1, 256, 4, 4)
    return (
        sample("largest of a window", "max_pool", {"x": x}, y, attributes),
        sample("average of a window", "average_pool", {"x": x}, y, attributes),
    )


def _window(layer: Layer) -> Window:
    inputs = _channels_first(layer, layer.inputs["x"].shape)[2:]
    outputs = _channels_first(layer, layer.outputs["y"].shape)[2:]
    begins = integers(layer, "pads")[: len(inputs)]
    kernel, strides = integers(layer, "kernel"), integers(layer, "strides")
    return Window(inputs, kernel, outputs, strides, integers(layer, "dilations"), begins)


def _flattened(window: Window) -> Window:
    """A window over the whole image has no use for rows."""
    whole = window.kernel == window.inputs and set(window.outputs) == {1}
    if not whole or any(window.begins) or set(window.dilations) != {1}:
        return window
    size = prod(window.inputs)
    return Window((size,), (size,), (1,), (1,), (1,), (0,))


def _image(window: Window) -> Ref:
    return Ref("x", (Affine.of("n"), Affine.of("c"), *window.positions))


def _extents(views: dict[str, View], window: Window) -> dict[str, int]:
    batch, channels = views["x"].shape[:2]
    return {"n": batch, "c": channels} | window.extents


def _channels_first(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape as (n, c, …), however the ONNX tensor stores it."""
    if layer.attributes.get("channels_last"):
        return (shape[0], shape[-1], *shape[1:-1])
    return shape


def _views(layer: Layer, window: Window) -> dict[str, View]:
    tensors = {"x": layer.inputs["x"].shape, "y": layer.outputs["y"].shape}
    spatial = {"x": window.inputs, "y": window.outputs}
    views = {}
    for role, shape in tensors.items():
        batch, channels = _channels_first(layer, shape)[:2]
        rank = 2 + len(spatial[role])
        if layer.attributes.get("channels_last"):
            order = (0, rank - 1, *range(1, rank - 1))
            views[role] = View(role, (batch, *spatial[role], channels), order, shape)
        else:
            views[role] = View(role, (batch, channels, *spatial[role]), (*range(rank),), shape)
    return views


def _counts(window: Window, pads: tuple[int, ...], count_pads: bool) -> NDArray[np.int64]:
    """Elements of the window that count, over output positions: all but those in the padding, or
    (`count_pads`) all but those beyond it, where the last window of a row may reach."""
    counts = []
    for axis, extent in enumerate(window.inputs):
        first = np.arange(window.outputs[axis]) * window.strides[axis] - window.begins[axis]
        taps = np.arange(window.kernel[axis]) * window.dilations[axis]
        at = first[:, None] + taps[None, :]
        end = extent + (pads[len(window.inputs) + axis] if count_pads else 0)
        low = -window.begins[axis] if count_pads else 0
        counts.append(((at >= low) & (at < end)).sum(axis=1))
    return np.asarray(reduce(np.multiply.outer, counts), np.int64)


def _scale(layer: Layer, counts: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """m = f32(sx / f32(sy * count)), as ONNX Runtime's global pool has it; None when unknown."""
    x, y = layer.inputs["x"].quantisation, layer.outputs["y"].quantisation
    if x is None or y is None:
        return None
    steps = y.scale.reshape(()) * np.asarray(counts, np.float32)
    return np.asarray(x.scale.reshape(()) / steps, np.float32)
