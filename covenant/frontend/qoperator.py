"""Operators that carry their quantisation: QLinearConv, QLinearMatMul, QGemm, *Integer.

In: a node of the graph. Out: its `Layer`; RefusalError with the reason when it cannot be one.
"""

from __future__ import annotations

from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor
from covenant.frontend.activation import Result, integer_result
from covenant.frontend.assemble import (
    Operands,
    conv_layer,
    gemm_layer,
    integer_bias,
    spread_bias,
)
from covenant.frontend.graph import Graph, Node, RefusalError
from covenant.frontend.quantisation import INT8_TYPES, operand, read_quantisation


def read_qlinear_conv(graph: Graph, node: Node) -> Layer:
    """x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias."""
    x, w = _operand(graph, node, 0), _operand(graph, node, 3, axis=0)
    bias = integer_bias(graph, node.input(8), w.shape[0])
    return conv_layer(node, Operands(x, w, bias), _quantised_output(graph, node, 6))


def read_qlinear_matmul(graph: Graph, node: Node) -> Layer:
    """a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point."""
    x = _operand(graph, node, 0)
    w = _operand(graph, node, 3, axis=len(graph.shape(node.input(3))) - 1)
    return gemm_layer(node, Operands(x, w), _quantised_output(graph, node, 6))


def read_qgemm(graph: Graph, node: Node) -> Layer:
    """a, a_scale, a_zero_point, b, b_scale, b_zero_point, c, y_scale, y_zero_point."""
    if not node.input(7):
        raise RefusalError(
            "ONX014",
            "its output is float: y_scale is missing",
            "quantise the outputs of this operator too",
        )
    trans_x = bool(node.integer("transA", 0))
    trans_w = bool(node.integer("transB", 0))
    w_shape = graph.shape(node.input(3))
    w = _operand(graph, node, 3, axis=0 if trans_w else len(w_shape) - 1)
    x = _operand(graph, node, 0)
    bias = None
    if node.input(6):
        stored = operand(graph, node.input(6), None, (DType.INT32,))
        channels = w.shape[0] if trans_w else w.shape[-1]
        bias = spread_bias(stored, channels, x.shape[1 if trans_x else 0])
    return gemm_layer(
        node,
        Operands(x, w, bias),
        _quantised_output(graph, node, 7),
        trans_x=trans_x,
        trans_w=trans_w,
        alpha=node.real("alpha", 1.0),
    )


def read_conv_integer(graph: Graph, node: Node) -> Layer:
    """x, w, x_zero_point, w_zero_point; int32 output."""
    x = _with_zero_point(graph, node.input(0), node.input(2), None)
    w = _with_zero_point(graph, node.input(1), node.input(3), 0)
    return conv_layer(node, Operands(x, w), _int32_output(node))


def read_matmul_integer(graph: Graph, node: Node) -> Layer:
    """a, b, a_zero_point, b_zero_point; int32 output."""
    x = _with_zero_point(graph, node.input(0), node.input(2), None)
    axis = len(graph.shape(node.input(1))) - 1
    w = _with_zero_point(graph, node.input(1), node.input(3), axis)
    return gemm_layer(node, Operands(x, w), _int32_output(node))


def _operand(graph: Graph, node: Node, position: int, axis: int | None = None) -> LayerTensor:
    """Tensor, scale and zero point at three consecutive inputs."""
    name, scale, zero_point = (node.input(position + i) for i in range(3))
    return operand(graph, name, read_quantisation(graph, scale, zero_point, axis))


def _with_zero_point(graph: Graph, name: str, zero_point: str, axis: int | None) -> LayerTensor:
    return operand(graph, name, read_quantisation(graph, "", zero_point, axis))


def _quantised_output(graph: Graph, node: Node, position: int) -> Result:
    scale, zero_point = node.input(position), node.input(position + 1)
    quantisation = read_quantisation(graph, scale, zero_point)
    dtype = graph.dtype(zero_point, INT8_TYPES) if zero_point else DType.UINT8
    return integer_result(graph, Result(node.output, dtype, quantisation))


def _int32_output(node: Node) -> Result:
    return Result(node.output, DType.INT32, None)
