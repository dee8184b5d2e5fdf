"""Hypothesis strategies of small quantised layers: every operator, attribute and operand type."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from onnx_nodes import (
    Case,
    Quant,
    conv_integer,
    matmul_integer,
    qgemm,
    qlinear_conv,
    qlinear_matmul,
)

_SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def quants(draw: st.DrawFn) -> Quant:
    """Operand types that ONNX Runtime can run: signed weights wherever activations are signed."""
    x = draw(st.sampled_from(["uint8", "int8"]))
    w = "int8" if x == "int8" else draw(st.sampled_from(["int8", "uint8"]))
    per_channel = w == "int8" and draw(st.booleans())
    return Quant(x, w, x, per_channel, symmetric_w=draw(st.booleans()))


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    """QLinearConv or ConvInteger in one or two dims, with groups, dilation, strides and pads."""
    axes = draw(st.integers(1, 2))

    def each(low: int, high: int, count: int = axes) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    group = draw(st.sampled_from([1, 1, 2, 5]))
    channels, outputs, batch = draw(st.integers(1, 19)), draw(st.integers(1, 17)), each(1, 2, 1)[0]
    if group > 1:
        channels, outputs = -(-channels // 4), -(-outputs // 4)
    kernel, dilations, strides, pads = each(1, 3), each(1, 2), each(1, 2), each(0, 2, 2 * axes)
    spatial = [(k - 1) * d + e for k, d, e in zip(kernel, dilations, each(1, 9), strict=True)]
    x_shape, w_shape = (batch, group * channels, *spatial), (group * outputs, channels, *kernel)
    rng, quant = np.random.default_rng(draw(_SEEDS)), draw(quants())
    attributes = {"group": group, "dilations": dilations, "strides": strides, "pads": pads}
    if draw(st.integers(0, 3)) == 0 and axes == 2:
        # ONNX Runtime's ConvInteger takes two spatial dims and one weight zero point
        kind = Quant(quant.x, quant.w, symmetric_w=quant.symmetric_w)
        return conv_integer(rng, x_shape, w_shape, kind, points=draw(st.booleans()), **attributes)
    return qlinear_conv(rng, x_shape, w_shape, quant, bias=draw(st.booleans()), **attributes)


@st.composite
def products(draw: st.DrawFn) -> Case:
    """QLinearMatMul, MatMulInteger or QGemm, batched, with weights stored or given."""
    m, n, k = (draw(st.integers(1, 40)) for _ in range(3))
    rng, quant = np.random.default_rng(draw(_SEEDS)), draw(quants())
    kind = draw(st.sampled_from(["QLinearMatMul", "QLinearMatMul", "MatMulInteger", "QGemm"]))
    if kind == "MatMulInteger":
        return matmul_integer(rng, (m, k), (k, n), quant, points=draw(st.booleans()))
    if kind == "QGemm":
        flags = [draw(st.booleans()) for _ in range(3)]
        bias = (n,) if flags[2] else None
        return qgemm(rng, m, n, k, quant, trans_a=flags[0], trans_b=flags[1], bias_shape=bias)
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    dynamic = draw(st.booleans()) and not quant.per_channel
    w_shape = (*batch, k, n) if dynamic else (k, n)
    return qlinear_matmul(rng, (*batch, m, k), w_shape, quant, dynamic_w=dynamic)


def layers() -> st.SearchStrategy[Case]:
    """Any small layer that ONNX Runtime can run too."""
    return st.one_of(convolutions(), products())
