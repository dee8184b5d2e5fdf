"""Matrix multiplication with batches, broadcasting and transposed operands.

Dims: `b` batch, `m` rows, `n` output channels, `k` reduction. Neighbouring batch axes of equal
broadcasting are merged; those of x alone next to its rows are folded into `m`; each further one is
a dim `b1`, `b2`, …; `b` is kept where its extent is 1. Tensors: `x[b,m,k]`, `w[b,k,n]`, `bias[n]`
(or `bias[b,n]`), `scale[n]`, `zw[n]`, `y[b,m,n]`; an operand that is broadcast over a batch lacks
its subscript. Where every row has a bias of its own, rows are the dim `b` and `m` is 1: a machine
adds what varies over its columns and over its outer loops, not over its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.requantised import Product, lower, plain
from covenant.codelets.samples import Numbers, Sample, biases, sample, sums, weights
from covenant.codelets.views import View
from covenant.core.layer import Layer


@dataclass(frozen=True, slots=True)
class _Batch:
    """Merged batch axes: name, extent, and which operands they index."""

    name: str
    extent: int
    in_x: bool
    in_w: bool


@dataclass(frozen=True, slots=True)
class _Sizes:
    batches: tuple[_Batch, ...]
    m: int
    n: int
    k: int
    rows_are_batches: bool = False


def build(layer: Layer) -> LoweredLayer:
    """The codelet of a `gemm` layer."""
    sizes = _sizes(layer)
    extents = {b.name: b.extent for b in sizes.batches}
    extents |= {"m": sizes.m, "n": sizes.n, "k": sizes.k}
    dims = {
        "x": (*(b.name for b in sizes.batches if b.in_x), "m", "k"),
        "w": (*(b.name for b in sizes.batches if b.in_w), "k", "n"),
        "y": (*(b.name for b in sizes.batches), "m", "n"),
    }
    shapes = {role: tuple(extents[d] for d in named) for role, named in dims.items()}
    trans_x, trans_w = _transposed(layer, "x"), _transposed(layer, "w")
    views = {
        "x": _rows_view(shapes["x"], layer.inputs["x"].shape, trans_x)
        if sizes.rows_are_batches
        else _view("x", shapes["x"], layer.inputs["x"].shape, trans_x),
        "w": _view("w", shapes["w"], layer.inputs["w"].shape, trans_w),
        "y": _view("y", shapes["y"], layer.outputs["y"].shape, False),
    }
    bias = None
    if "bias" in layer.inputs:
        shape = layer.inputs["bias"].shape
        bias = plain("bias", ("b", "n")[-len(shape) :])
        views["bias"] = _view("bias", shape, shape, False)
    product = Product(
        operation="gemm",
        extents=extents,
        x=plain("x", dims["x"]),
        w=plain("w", dims["w"]),
        y=plain("y", dims["y"]),
        columns=("n",),
        views=views,
        bias=bias,
    )
    return lower(layer, product)


def samples(numbers: Numbers) -> tuple[Sample, ...]:
    """Products of 64 x 256 and 256 x 256 elements."""
    x, w, y = numbers.activation("x", 64, 256), weights(256, 256), numbers.activation("y", 64, 256)
    batches = {"x": numbers.activation("x", 4, 64, 256), "w": numbers.activation("w", 4, 256, 256)}
    return (
        sample("matrix product", "gemm", {"x": x, "w": w, "bias": biases(256)}, y, {}),
        sample("matrix product with int32 results", "gemm", {"x": x, "w": w}, sums(64, 256), {}),
        sample(
            "matrix product of activations",
            "gemm",
            batches,
            numbers.activation("y", 4, 64, 256),
            {},
        ),
    )


def _transposed(layer: Layer, role: str) -> bool:
    """Whether the last two axes of an operand are exchanged."""
    return layer.attributes.get(f"trans_{role}", 0) == 1


def _sizes(layer: Layer) -> _Sizes:
    """Split the operand shapes into batches, rows, columns and reduction."""
    x, w = layer.inputs["x"].shape, layer.inputs["w"].shape
    m, k = _matrix(x, _transposed(layer, "x"), row=True)
    _, n = _matrix(w, _transposed(layer, "w"), row=False)
    if "bias" in layer.inputs and len(layer.inputs["bias"].shape) == 2:
        return _Sizes((_Batch("b", m, True, False),), 1, n, k, True)
    batches = _merged(x[:-2], w[:-2])
    if not _transposed(layer, "x") and batches and not batches[-1][2]:
        m *= batches.pop()[0]
    named = [
        _Batch("b" if i == 0 else f"b{i}", extent, in_x, in_w)
        for i, (extent, in_x, in_w) in enumerate(batches or [(1, True, True)])
    ]
    return _Sizes(tuple(named), m, n, k)


def _matrix(shape: tuple[int, ...], transposed: bool, row: bool) -> tuple[int, int]:
    """Rows and columns of an operand; a vector is one row of x or one column of w."""
    if len(shape) == 1:
        return (1, shape[0]) if row else (shape[0], 1)
    return (shape[-1], shape[-2]) if transposed else (shape[-2], shape[-1])


def _merged(x: tuple[int, ...], w: tuple[int, ...]) -> list[tuple[int, bool, bool]]:
    """Batch axes as (extent, indexes x, indexes w), neighbours of equal kind merged."""
    rank = max(len(x), len(w))
    padded_x, padded_w = (1,) * (rank - len(x)) + x, (1,) * (rank - len(w)) + w
    merged: list[tuple[int, bool, bool]] = []
    for in_x, in_w in zip(padded_x, padded_w, strict=True):
        if in_x == in_w == 1:
            continue
        axis = (max(in_x, in_w), in_x > 1, in_w > 1)
        if merged and merged[-1][1:] == axis[1:]:
            merged[-1] = (merged[-1][0] * axis[0], *axis[1:])
        else:
            merged.append(axis)
    return merged


def _view(
    source: str, shape: tuple[int, ...], onnx_shape: tuple[int, ...], transposed: bool
) -> View:
    order = list(range(len(shape)))
    if not transposed:
        return View(source, shape, tuple(order), onnx_shape)
    order[-1], order[-2] = order[-2], order[-1]
    stored = tuple(shape[i] for i in order)
    return View(source, stored, tuple(order), onnx_shape)


def _rows_view(shape: tuple[int, ...], onnx_shape: tuple[int, ...], transposed: bool) -> View:
    """x[b,m,k] of a matrix whose rows are batches of one row."""
    rows, one, inner = shape
    if not transposed:
        return View("x", shape, (0, 1, 2), onnx_shape)
    return View("x", (inner, rows, one), (1, 2, 0), onnx_shape)
