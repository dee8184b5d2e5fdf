"""Concatenation: every input is one part of the result, written by a layer of its own.

In: a node of the graph, quantised, between DequantizeLinear and QuantizeLinear, or float. Out: its
`Reading`: a copy per input, through a table where its scale is another than that of the result.
"""

from __future__ import annotations

from dataclasses import replace

from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor
from covenant.frontend.graph import QUANTISE, Graph, Node, RefusalError
from covenant.frontend.model import Boundary, Join, Reading
from covenant.frontend.pointwise import identity, requantising_table
from covenant.frontend.quantisation import (
    INT8_TYPES,
    equal,
    node_quantisation,
    operand,
    read_quantisation,
    require_per_tensor,
)
from covenant.frontend.sources import Kind, Source, read_source


def read_concat(graph: Graph, node: Node) -> Reading:
    """inputs; axis."""
    sources = [read_source(graph, name) for name in node.inputs]
    kinds = {source.kind for source in sources}
    if len(kinds) > 1:
        raise RefusalError("ONX011", "its inputs are of several element types")
    if kinds != {Kind.REAL}:
        return _joined(graph, node, sources, LayerTensor(node.output, _dtype(sources), ()))
    reader = graph.sole_consumer(node.output)
    if reader is not None and reader.op_type == QUANTISE:
        dtype = graph.dtype(reader.output, INT8_TYPES)
        y = LayerTensor(reader.output, dtype, (), node_quantisation(graph, reader))
        return _joined(graph, node, sources, y, (reader.name,))
    quantisation = sources[0].tensor.quantisation
    assert quantisation is not None
    y = LayerTensor(f"{node.output}.quantised", _dtype(sources), (), quantisation)
    if not all(_same(source.tensor, y) for source in sources):
        raise RefusalError(
            "ONX014",
            f"its output {node.output!r} is not quantised, its inputs have several scales",
            "quantise the outputs of this operator too",
        )
    found = _joined(graph, node, sources, y)
    boundary = Boundary(y.name, node.output, False, quantisation, y.dtype)
    return replace(found, boundaries=(boundary,))


def read_qlinear_concat(graph: Graph, node: Node) -> Reading:
    """y_scale, y_zero_point, then tensor, scale, zero point of every input; axis."""
    quantisation = read_quantisation(graph, node.input(0), node.input(1))
    y = LayerTensor(node.output, graph.dtype(node.input(1), INT8_TYPES), (), quantisation)
    sources = []
    for first in range(2, len(node.inputs), 3):
        own = read_quantisation(graph, node.input(first + 1), node.input(first + 2))
        sources.append(Source(operand(graph, node.input(first), own), Kind.INTEGER))
    return _joined(graph, node, sources, y)


def _dtype(sources: list[Source]) -> DType:
    return sources[0].tensor.dtype


def _same(x: LayerTensor, y: LayerTensor) -> bool:
    """Whether elements stay as they are."""
    if x.quantisation is None or y.quantisation is None:
        return x.dtype is y.dtype
    return x.dtype is y.dtype and equal(x.quantisation, y.quantisation)


def _joined(
    graph: Graph,
    node: Node,
    sources: list[Source],
    y: LayerTensor,
    after: tuple[str, ...] = (),
) -> Reading:
    """One layer per input, and the join of what they write."""
    shapes = [source.tensor.shape for source in sources]
    axis, rank = node.integer("axis", 1), len(shapes[0]) if shapes else 0
    rests = {(*s[:axis], *s[axis:][1:]) for s in shapes} if -rank <= axis < rank else set()
    if len(rests) != 1 or len({len(s) for s in shapes}) != 1:
        raise RefusalError("ONX016", f"cannot join {[list(s) for s in shapes]} along axis {axis}")
    axis %= rank
    require_per_tensor(y)
    layers: list[Layer] = []
    for position, source in enumerate(sources):
        x = source.tensor
        require_per_tensor(x)
        part = replace(y, name=f"{y.name}#part{position}", shape=x.shape)
        inputs = {"x": x}
        name = f"{node.name}#part{position}"
        if not _same(x, y):
            inputs["t"] = requantising_table(name, x, y)
        layers.append(
            Layer(
                name=name,
                op_type=node.op_type,
                family="move",
                inputs=inputs,
                outputs={"y": part},
                attributes=identity(x.shape),
                nodes=(*source.nodes, node.name, *after),
                assumed_int8=source.kind is Kind.FLOAT,
            )
        )
    parts = tuple(layer.outputs["y"].name for layer in layers)
    return Reading(tuple(layers), joins=(Join(y.name, parts, axis),))
