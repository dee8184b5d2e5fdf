"""Pools: the largest or the average of a window that slides over an image, or of the whole image.

In: a node of the graph, quantised, between DequantizeLinear and QuantizeLinear, or float. Out: its
`Reading`; RefusalError with the reason when it cannot be a layer.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from covenant.frontend.sources import Kind, read_kept, read_source
from covenant.frontend.spatial import read_pool

Attributes = Mapping[str, int | tuple[int, ...]]


def read_max_pool(graph: Graph, node: Node) -> Reading:
    """x; kernel_shape, strides, pads, dilations, ceil_mode."""
    if len(node.outputs) > 1 and node.outputs[1]:
        raise RefusalError("ONX016", "its second output, the indices, is not supported")
    return _largest(graph, node, False)


def read_nhwc_max_pool(graph: Graph, node: Node) -> Reading:
    """The same over an image whose channels are the last axis."""
    return _largest(graph, node, True)


def read_global_max_pool(graph: Graph, node: Node) -> Reading:
    """x."""
    kept = read_kept(graph, node)
    x = kept.source.tensor
    attributes, shape = _whole(x.shape, False)
    return _kept_layer(graph, node, attributes, shape)


def _largest(graph: Graph, node: Node, channels_last: bool) -> Reading:
    shape = graph.shape(node.input(0))
    attributes, found = _window(node, shape, channels_last)
    return _kept_layer(graph, node, attributes, found)


def _kept_layer(
    graph: Graph, node: Node, attributes: Attributes, shape: tuple[int, ...]
) -> Reading:
    kept = read_kept(graph, node)
    layer = Layer(
        name=node.name,
        op_type=node.op_type,
        family="max_pool",
        inputs={"x": kept.source.tensor},
        outputs={"y": kept.result(shape)},
        attributes=attributes,
        nodes=(*kept.source.nodes, node.name, *kept.nodes),
        assumed_int8=kept.assumed_int8,
    )
    return Reading((layer,), boundaries=kept.boundaries)


def read_average_pool(graph: Graph, node: Node) -> Reading:
    """x; as the largest, and count_include_pad."""
    shape = graph.shape(node.input(0))
    attributes, found = _window(node, shape, False)
    return _average(graph, node, {**attributes, **_counting(node)}, found)


def read_global_average_pool(graph: Graph, node: Node) -> Reading:
    """x."""
    attributes, found = _whole(graph.shape(node.input(0)), False)
    return _average(graph, node, {**attributes, **_COUNT_ALL}, found)


def read_reduce_mean(graph: Graph, node: Node) -> Reading:
    """x, axes: an average over all of the image."""
    x = graph.shape(node.input(0))
    rank = len(x)
    found = node.attributes.get("axes")
    if node.input(1) and graph.is_constant(node.input(1)):
        found = graph.constant(node.input(1)).reshape(-1).tolist()
    axes = sorted(int(a) % rank for a in found) if found and rank else []
    if rank < 3 or axes != list(range(2, rank)):
        raise RefusalError(
            "ONX016", f"it averages axes {axes} of {rank}, expected all axes of the image (2, …)"
        )
    attributes, shape = _whole(x, False)
    if not node.integer("keepdims", 1):
        shape = shape[:2]
    return _average(graph, node, {**attributes, **_COUNT_ALL}, shape)


def read_qlinear_average_pool(graph: Graph, node: Node) -> Reading:
    """x, x_scale, x_zero_point, y_scale, y_zero_point."""
    channels_last = node.integer("channels_last", 0) == 1
    attributes, found = _window(node, graph.shape(node.input(0)), channels_last)
    return _qlinear(graph, node, {**attributes, **_counting(node)}, found)


def read_qlinear_global_average_pool(graph: Graph, node: Node) -> Reading:
    """x, x_scale, x_zero_point, y_scale, y_zero_point."""
    channels_last = node.integer("channels_last", 0) == 1
    attributes, found = _whole(graph.shape(node.input(0)), channels_last)
    return _qlinear(graph, node, {**attributes, **_COUNT_ALL}, found)


_COUNT_ALL = {"count_pads": 1, "point_first": 0}


def _counting(node: Node) -> Attributes:
    return {"count_pads": node.integer("count_include_pad", 0), "point_first": 1}


def _average(graph: Graph, node: Node, attributes: Attributes, shape: tuple[int, ...]) -> Reading:
    source = read_source(graph, node.input(0))
    match source.kind:
        case Kind.INTEGER:
            found = source.tensor.dtype
            raise RefusalError("ONX011", f"{node.input(0)!r} has element type {found}, not a float")
        case Kind.REAL:
            result = real_result(graph, node.output)
        case Kind.FLOAT:
            result = float_result(graph, node.output)
    assumed = source.kind is Kind.FLOAT
    return _layer(node, source.tensor, result, attributes, shape, source.nodes, assumed)


def _qlinear(graph: Graph, node: Node, attributes: Attributes, shape: tuple[int, ...]) -> Reading:
    names = [node.input(i) for i in range(5)]
    x = operand(graph, names[0], read_quantisation(graph, names[1], names[2]))
    quantisation = read_quantisation(graph, names[3], names[4])
    dtype = graph.dtype(names[4], INT8_TYPES) if names[4] else x.dtype
    result = integer_result(graph, Result(node.output, dtype, quantisation))
    return _layer(node, x, result, attributes, shape)


def _layer(
    node: Node,
    x: LayerTensor,
    result: Result,
    attributes: Attributes,
    shape: tuple[int, ...],
    before: tuple[str, ...] = (),
    assumed: bool = False,
) -> Reading:
    y = LayerTensor(result.name, result.dtype, shape, result.quantisation)
    require_per_tensor(x)
    require_per_tensor(y)
    layer = Layer(
        name=node.name,
        op_type=node.op_type,
        family="average_pool",
        inputs={"x": x},
        outputs={"y": y},
        attributes={**attributes, **result.clamp},
        nodes=(*before, node.name, *result.nodes),
        assumed_int8=assumed,
    )
    return Reading((layer,))


def _window(
    node: Node, shape: tuple[int, ...], channels_last: bool
) -> tuple[Attributes, tuple[int, ...]]:
    """Attributes of a window over an image of this shape, and the shape of the result."""
    spatial = shape[1:-1] if channels_last else shape[2:]
    window = read_pool(node, spatial)
    attributes: Attributes = {
        "kernel": window.kernel,
        "strides": window.strides,
        "pads": window.pads,
        "dilations": window.dilations,
        "channels_last": int(channels_last),
    }
    return attributes, _image(shape, window.output, channels_last)


def _whole(shape: tuple[int, ...], channels_last: bool) -> tuple[Attributes, tuple[int, ...]]:
    """A window as large as the image."""
    spatial = shape[1:-1] if channels_last else shape[2:]
    if not spatial:
        raise RefusalError("ONX016", f"its input {list(shape)} is no image")
    ones = (1,) * len(spatial)
    attributes: Attributes = {
        "kernel": spatial,
        "strides": ones,
        "pads": (0, 0) * len(spatial),
        "dilations": ones,
        "channels_last": int(channels_last),
    }
    return attributes, _image(shape, ones, channels_last)


def _image(
    shape: tuple[int, ...], spatial: tuple[int, ...], channels_last: bool
) -> tuple[int, ...]:
    if channels_last:
        return (shape[0], *spatial, shape[-1])
    return (*shape[:2], *spatial)
