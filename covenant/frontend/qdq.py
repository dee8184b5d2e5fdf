"""Float operators, with DequantizeLinear and QuantizeLinear around them (QDQ) or without (float).

In: a Conv, Gemm or MatMul node. Out: its `Layer`, equal to that of the QOperator spelling; a float
operator becomes a layer with `assumed_int8`. RefusalError with the reason when it can be neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor
from covenant.frontend.activation import Result, float_result, real_result
from covenant.frontend.assemble import Operands, conv_layer, gemm_layer, spread_bias
from covenant.frontend.graph import Graph, Node, RefusalError
from covenant.frontend.host import dequantise
from covenant.frontend.quantisation import dequantised, feeding, require_int8
from covenant.frontend.sources import assumed

_SAME_SCALE = 1e-5
"""Relative difference up to which a bias scale counts as sx*sw: it was rounded along the way."""


def read_conv(graph: Graph, node: Node) -> Layer:
    """x, w, bias."""
    operands = _operands(graph, node)
    _require_rank(operands.w, 3)
    if node.input(2):
        channels = operands.w.shape[0]
        operands = _with_bias(graph, node, operands, channels, 1, 1.0, 1.0)
    return conv_layer(node, operands, _result(graph, node, operands))


def read_matmul(graph: Graph, node: Node) -> Layer:
    """a, b."""
    operands = _operands(graph, node)
    return gemm_layer(node, operands, _result(graph, node, operands))


def read_gemm(graph: Graph, node: Node) -> Layer:
    """a, b, c: alpha * a * b + beta * c."""
    operands = _operands(graph, node)
    trans_x = bool(node.integer("transA", 0))
    trans_w = bool(node.integer("transB", 0))
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    for operand in (operands.x, operands.w):
        _require_rank(operand, 2)
    if node.input(2) and beta != 0:
        channels = operands.w.shape[0 if trans_w else -1]
        rows = operands.x.shape[1 if trans_x else 0]
        operands = _with_bias(graph, node, operands, channels, rows, alpha, beta)
    result = _result(graph, node, operands)
    return gemm_layer(node, operands, result, trans_x=trans_x, trans_w=trans_w, alpha=alpha)


def _require_rank(tensor: LayerTensor, least: int) -> None:
    if len(tensor.shape) < least:
        shape = list(tensor.shape)
        raise RefusalError("ONX016", f"{tensor.name!r} has shape {shape}, expected {least} dims")


def _operands(graph: Graph, node: Node) -> Operands:
    """x and w, both behind a DequantizeLinear or both float."""
    names = (node.input(0), node.input(1))
    tensors = [dequantised(graph, name) for name in names]
    x, w = tensors
    if x is not None and w is not None:
        for tensor in (x, w):
            require_int8(tensor)
        before = tuple(dict.fromkeys(n for name in names for n in feeding(graph, name)))
        return Operands(x, w, before=before)
    if x is None and w is None:
        return Operands(assumed(graph, names[0]), assumed(graph, names[1]), assumed_int8=True)
    missing = names[0] if x is None else names[1]
    raise RefusalError(
        "ONX018",
        f"{missing!r} is float while the other operand is quantised",
        "quantise both operands (weight-only quantisation leaves the inputs float)",
    )


def _result(graph: Graph, node: Node, operands: Operands) -> Result:
    follow = float_result if operands.assumed_int8 else real_result
    return follow(graph, node.output)


def _with_bias(
    graph: Graph,
    node: Node,
    operands: Operands,
    channels: int,
    rows: int,
    alpha: float,
    beta: float,
) -> Operands:
    """Operands with input 2 as an int32 bias in units of alpha * sx * sw."""
    name = node.input(2)
    before = operands.before
    if operands.assumed_int8:
        constant = graph.is_constant(name)
        bias = LayerTensor(name, DType.INT32, graph.shape(name), constant=constant)
        if not constant:
            raise RefusalError("ONX017", f"the bias {name!r} is no constant")
    else:
        stored = dequantised(graph, name)
        if stored is None and not graph.is_constant(name):
            raise RefusalError("ONX017", f"the bias {name!r} is no constant")
        if stored is not None and stored.values is None:
            raise RefusalError("ONX017", f"the bias {stored.name!r} is no constant")
        unit = _unit(operands, alpha / beta)
        if stored is None:
            bias = LayerTensor(name, DType.INT32, graph.shape(name), None, graph.constant(name))
            values = _steps(graph.constant(name), unit)
        else:
            before = (*before, *feeding(graph, name))
            bias, values = stored, _bias_steps(stored, unit)
        bias = LayerTensor(bias.name, DType.INT32, values.shape, None, values, True)
    spread = spread_bias(bias, channels, rows)
    return Operands(operands.x, operands.w, spread, before, operands.assumed_int8)


def _unit(operands: Operands, ratio: float) -> NDArray[np.float32]:
    """Real value of one step of the accumulator, a scalar or one per channel."""
    x, w = operands.x.quantisation, operands.w.quantisation
    assert x is not None
    assert w is not None
    return np.asarray(np.float32(ratio) * x.scale * w.scale, np.float32)


def _bias_steps(bias: LayerTensor, unit: NDArray[np.float32]) -> NDArray[np.int32]:
    """The stored integers if their scale is the unit, else the nearest steps of their values."""
    assert bias.quantisation is not None
    assert bias.values is not None
    own = bias.quantisation
    if bias.dtype is DType.INT32 and not own.zero_point.any():
        fits = own.scale.size in (1, unit.size) or unit.size == 1
        if fits and np.allclose(own.scale, unit, rtol=_SAME_SCALE, atol=0.0):
            return bias.values.astype(np.int32)
    return _steps(dequantise(bias.values, own), unit)


def _steps(real: NDArray[Any], unit: NDArray[np.float32]) -> NDArray[np.int32]:
    """Nearest integers of real / unit, saturated to int32; channels are the last axis."""
    steps = np.rint(real.astype(np.float64) / unit.astype(np.float64))
    limits = np.iinfo(np.int32)
    return np.clip(steps, limits.min, limits.max).astype(np.int32)
