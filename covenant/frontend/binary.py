"""Sums, differences and products of two tensors.

In: a node of the graph, quantised, between DequantizeLinear and QuantizeLinear, or float. Out: its
`Reading`; RefusalError with the reason when it cannot be a layer.
"""

from __future__ import annotations

import numpy as np

from covenant.core.layer import Layer, LayerTensor
from covenant.frontend.activation import Result, float_result, integer_result, real_result
from covenant.frontend.graph import Graph, Node, RefusalError
from covenant.frontend.model import Reading
from covenant.frontend.quantisation import (
    INT8_TYPES,
    operand,
    read_quantisation,
    require_per_tensor,
)
from covenant.frontend.sources import Kind, Source, read_source

FAMILIES = {
    "Add": "sum",
    "Sub": "sum",
    "Sum": "sum",
    "Mul": "product",
    "QLinearAdd": "sum",
    "QLinearMul": "product",
}
"""Family of layers by operator."""


def read_binary(graph: Graph, node: Node) -> Reading:
    """a, b."""
    sources = [read_source(graph, node.input(i)) for i in range(2)]
    kinds = {source.kind for source in sources}
    if Kind.INTEGER in kinds:
        raise RefusalError("ONX011", "it computes with integers that have no scale")
    assumed = kinds == {Kind.FLOAT}
    result = (float_result if assumed else real_result)(graph, node.output)
    return _layer(node, sources, result, assumed)


def read_qlinear_binary(graph: Graph, node: Node) -> Reading:
    """a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point."""
    sources = []
    for first in (0, 3):
        name, scale, point = (node.input(first + i) for i in range(3))
        tensor = operand(graph, name, read_quantisation(graph, scale, point))
        sources.append(Source(tensor, Kind.INTEGER))
    scale, point = node.input(6), node.input(7)
    dtype = graph.dtype(point, INT8_TYPES) if point else sources[0].tensor.dtype
    quantisation = read_quantisation(graph, scale, point)
    result = integer_result(graph, Result(node.output, dtype, quantisation))
    return _layer(node, sources, result, False)


def _layer(node: Node, sources: list[Source], result: Result, assumed: bool) -> Reading:
    x, w = (source.tensor for source in sources)
    try:
        shape = np.broadcast_shapes(x.shape, w.shape)
    except ValueError as error:
        message = f"cannot combine {list(x.shape)} with {list(w.shape)}"
        raise RefusalError("ONX016", message) from error
    y = LayerTensor(result.name, result.dtype, shape, result.quantisation)
    for tensor in (x, w, y):
        require_per_tensor(tensor)
    if x.constant and w.constant:
        raise RefusalError("ONX017", "both operands are constants", "fold the model's constants")
    subtract = {"subtract": 1} if node.op_type == "Sub" else {}
    layer = Layer(
        name=node.name,
        op_type=node.op_type,
        family=FAMILIES[node.op_type],
        inputs={"x": x, "w": w},
        outputs={"y": y},
        attributes={**subtract, **result.clamp},
        nodes=(*dict.fromkeys((*sources[0].nodes, *sources[1].nodes)), node.name, *result.nodes),
        assumed_int8=assumed,
    )
    return Reading((layer,))
