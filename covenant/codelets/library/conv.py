"""Convolution of any rank, stride, dilation, padding and grouping (depthwise: one channel a group).

Dims: `n` batch, `g` group, `oc` output channel of the group, `oz oy ox` output position, `c` input
channel of the group, `fz fy fx` filter position; a 1-D convolution has `ox` and `fx` only. Every
dim is kept, also where its extent is 1: all convolutions of a rank have one structure. A pointwise
convolution (filter 1, stride 1, no padding) has one spatial axis of all positions.
Tensors: `x[n,g,c,iz,iy,ix]` with i = o*stride + f*dilation - pad, which outside its shape reads the
zero point of x; `w[g,oc,c,fz,fy,fx]`; `bias[g,oc]`, `scale[g,oc]` and `zw[g,oc]` where they exist.
"""

from __future__ import annotations

from math import prod

from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.requantised import Product, lower, plain
from covenant.codelets.samples import Numbers, Sample, biases, sample, weights
from covenant.codelets.views import View
from covenant.codelets.windows import Window, integers
from covenant.core.affine import Affine
from covenant.core.expression import Ref
from covenant.core.layer import Layer


def build(layer: Layer) -> LoweredLayer:
    """The codelet of a `conv` layer."""
    x, w, y = layer.inputs["x"].shape, layer.inputs["w"].shape, layer.outputs["y"].shape
    groups = integers(layer, "group")[0]
    batch, per_group, outputs = x[0], w[1], w[0] // groups
    window = _flattened(_window(layer))
    positions, filters = window.dims
    extents = {"n": batch, "g": groups, "oc": outputs}
    extents |= dict(zip(positions, window.outputs, strict=True))
    extents |= {"c": per_group} | dict(zip(filters, window.kernel, strict=True))
    columns = ("g", "oc")
    views = {
        "x": _view("x", (batch, groups, per_group, *window.inputs), x),
        "w": _view("w", (groups, outputs, per_group, *window.kernel), w),
        "y": _view("y", (batch, groups, outputs, *window.outputs), y),
    }
    bias = None
    if "bias" in layer.inputs:
        bias = plain("bias", columns)
        views["bias"] = _view("bias", (groups, outputs), w[:1])
    product = Product(
        operation="conv",
        extents=extents,
        x=Ref("x", (*map(Affine.of, ("n", "g", "c")), *window.positions)),
        w=plain("w", (*columns, "c", *filters)),
        y=plain("y", ("n", *columns, *positions)),
        columns=columns,
        views=views,
        bias=bias,
        pads=window.leaves,
    )
    return lower(layer, product)


def samples(numbers: Numbers) -> tuple[Sample, ...]:
    """Convolutions of an image of 8 x 8 positions and 256 channels."""
    found = []
    for kind, stride, groups in (
        ("convolution", 1, 1),
        ("convolution, stride 2", 2, 1),
        ("depthwise convolution", 1, 256),
    ):
        inputs = {
            "x": numbers.activation("x", 1, 256, 8, 8),
            "w": weights(256, 256 // groups, 3, 3),
            "bias": biases(256),
        }
        attributes: dict[str, int | tuple[int, ...]] = {
            "strides": (stride, stride),
            "pads": (1, 1, 1, 1),
            "dilations": (1, 1),
            "group": groups,
        }
        result = numbers.activation("y", 1, 256, 8 // stride, 8 // stride)
        found.append(sample(kind, "conv", inputs, result, attributes))
    return tuple(found)


def _window(layer: Layer) -> Window:
    inputs = layer.inputs["x"].shape[2:]
    return Window(
        inputs,
        layer.inputs["w"].shape[2:],
        layer.outputs["y"].shape[2:],
        integers(layer, "strides"),
        integers(layer, "dilations"),
        integers(layer, "pads")[: len(inputs)],
    )


def _flattened(window: Window) -> Window:
    """A window that looks at one position and moves by one has no use for rows: all positions of an
    image become one axis, so that no machine has to stop at the end of a row."""
    pointwise = set(window.kernel) == {1} and set(window.strides) == {1}
    if not pointwise or window.inputs != window.outputs or any(window.begins):
        return window
    positions = prod(window.inputs)
    return Window((positions,), (1,), (positions,), (1,), (1,), (0,))


def _view(source: str, shape: tuple[int, ...], onnx_shape: tuple[int, ...]) -> View:
    """Groups are split off the channels; the order of axes stays that of ONNX."""
    return View(source, shape, tuple(range(len(shape))), onnx_shape)
