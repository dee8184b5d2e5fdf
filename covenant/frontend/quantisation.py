"""Reading scales and zero points, and what a DequantizeLinear says of the tensor behind it.

In: names of parameters in the graph. Out: `Quantisation`, `LayerTensor`; RefusalError when they are
not constant or not of a supported granularity.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.core.layer import LayerTensor, Quantisation
from covenant.frontend.graph import DEQUANTISE, QUANTISE, Graph, Node, RefusalError

INT8_TYPES = (DType.INT8, DType.UINT8)


def read_quantisation(
    graph: Graph, scale: str, zero_point: str, axis: int | None = None
) -> Quantisation:
    """Quantisation of a tensor whose parameters have these names; "" means 1 and 0."""
    scales = np.ones((), np.float32) if not scale else _parameter(graph, scale).astype(np.float32)
    points = _parameter(graph, zero_point) if zero_point else np.zeros((), np.int64)
    if not np.all(np.isfinite(scales) & (scales > 0)):
        raise RefusalError("ONX019", f"{scale!r} is not positive and finite: {_first_bad(scales)}")
    size = max(scales.size, points.size)
    shape = (size,) if size > 1 else ()
    for name, values in ((scale, scales), (zero_point, points)):
        if values.size not in (1, size):
            raise RefusalError(
                "ONX013", f"{name!r} has {values.size} elements, its partner has {size}"
            )
    return Quantisation(
        np.broadcast_to(scales.reshape(-1), (size,)).reshape(shape),
        np.broadcast_to(points.reshape(-1), (size,)).reshape(shape).astype(np.int64),
        axis if size > 1 else None,
    )


def _first_bad(scales: NDArray[np.float32]) -> float:
    flat = scales.reshape(-1)
    return float(flat[~(np.isfinite(flat) & (flat > 0))][0])


def _parameter(graph: Graph, name: str) -> NDArray[Any]:
    if not graph.is_constant(name):
        raise RefusalError(
            "ONX012",
            f"the quantisation parameter {name!r} is not a constant",
            "quantise the model statically, or give the value of a graph input with --input",
        )
    return graph.constant(name)


def operand(
    graph: Graph,
    name: str,
    quantisation: Quantisation | None,
    allowed: tuple[DType, ...] = INT8_TYPES,
) -> LayerTensor:
    """A tensor that is quantised in the graph, with its payload if it is a constant."""
    dtype = graph.dtype(name, allowed)
    constant = graph.is_constant(name)
    if quantisation is not None and quantisation.scale.size > 1 and quantisation.axis is not None:
        shape, axis, size = graph.shape(name), quantisation.axis, quantisation.scale.size
        if axis >= len(shape) or shape[axis] not in (1, size):
            raise RefusalError(
                "ONX013", f"{name!r} {list(shape)} has {size} scales along axis {axis}"
            )
    values = graph.constant(name) if constant else None
    return LayerTensor(name, dtype, graph.shape(name), quantisation, values, constant)


VIEWS = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that keep all elements in their order."""

KEEPING = (
    *VIEWS,
    "DepthToSpace",
    "GlobalMaxPool",
    "MaxPool",
    "Relu",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Transpose",
)
"""Operators whose result needs no other scale than their operand."""


def dequantised(graph: Graph, name: str) -> LayerTensor | None:
    """The quantised tensor behind a float tensor; None when there is none.

    It is what a DequantizeLinear reads. An operator that keeps the scale of such a tensor writes
    one too (see `kept_name`); a Transpose of a dequantised constant is applied to the constant.
    """
    node = graph.producers.get(name)
    if node is None:
        return None
    if node.op_type == DEQUANTISE:
        allowed = (*INT8_TYPES, DType.INT32)
        return operand(graph, node.input(0), node_quantisation(graph, node), allowed)
    if node.domain or node.op_type not in KEEPING or not node.inputs:
        return None
    stored = dequantised(graph, node.input(0))
    if stored is not None and stored.constant:
        return _transposed(stored, node) if node.op_type == "Transpose" else None
    if stored is None or stored.dtype not in INT8_TYPES or stored.quantisation is None:
        return None
    written = kept_name(graph, name, stored)
    return LayerTensor(written, stored.dtype, graph.shape(name), stored.quantisation)


def kept_name(graph: Graph, name: str, stored: LayerTensor) -> str:
    """Name of the integers of a float tensor that keeps the scale of `stored`: that of the only
    QuantizeLinear that reads it, if its parameters are the same, else one of our own."""
    reader = graph.sole_consumer(name)
    if reader is not None and reader.op_type == QUANTISE and stored.quantisation is not None:
        same = equal(node_quantisation(graph, reader), stored.quantisation)
        if same and graph.dtypes.get(reader.output) == stored.dtype.value:
            return reader.output
    return f"{name}.quantised"


def feeding(graph: Graph, name: str) -> tuple[str, ...]:
    """Names of the nodes that only make a float tensor of the quantised one behind it."""
    node = graph.producers[name]
    if node.op_type == DEQUANTISE:
        return (node.name,)
    inner = dequantised(graph, node.input(0))
    if inner is None or not inner.constant:
        return ()
    return (*feeding(graph, node.input(0)), node.name)


def equal(left: Quantisation, right: Quantisation) -> bool:
    """Whether two quantisations have the same numbers."""
    return np.array_equal(left.scale, right.scale) and np.array_equal(
        left.zero_point, right.zero_point
    )


def _transposed(tensor: LayerTensor, node: Node) -> LayerTensor:
    """A constant with its axes permuted as the Transpose node says."""
    rank = len(tensor.shape)
    order = node.integers("perm", range(rank)[::-1])
    quantisation = tensor.quantisation
    if quantisation is not None and quantisation.axis is not None:
        quantisation = replace(quantisation, axis=order.index(quantisation.axis))
    assert tensor.values is not None
    return replace(
        tensor,
        shape=tuple(tensor.shape[i] for i in order),
        values=tensor.values.transpose(order),
        quantisation=quantisation,
    )


def node_quantisation(graph: Graph, node: Node) -> Quantisation:
    """Parameters of a QuantizeLinear or DequantizeLinear node."""
    if node.integer("block_size", 0):
        raise RefusalError(
            "ONX013", f"{node.name!r} quantises blocks, expected tensors or channels"
        )
    axis = node.integer("axis", 1)
    if axis < 0:
        axis += len(graph.shape(node.input(0)))
    return read_quantisation(graph, node.input(1), node.input(2), axis)


def require_int8(tensor: LayerTensor) -> None:
    """RefusalError unless a tensor has 8 bits, be it in the graph or of our own (`kept_name`)."""
    if tensor.dtype not in INT8_TYPES:
        wanted = " or ".join(d.value for d in INT8_TYPES)
        raise RefusalError(
            "ONX011", f"{tensor.name!r} has element type {tensor.dtype}, expected {wanted}"
        )


def require_per_tensor(tensor: LayerTensor) -> None:
    """RefusalError unless an activation has one scale and one zero point."""
    if tensor.quantisation is not None and tensor.quantisation.scale.size > 1:
        raise RefusalError(
            "ONX013",
            f"{tensor.name!r} is quantised per row or channel, "
            "expected one scale and zero point for activations",
        )


def require_channels(tensor: LayerTensor, axis: int) -> None:
    """RefusalError unless a weight is quantised per tensor or along `axis`, its output channels."""
    quantisation = tensor.quantisation
    if quantisation is None or quantisation.scale.size == 1:
        return
    if quantisation.axis != axis or quantisation.scale.size != tensor.shape[axis]:
        raise RefusalError(
            "ONX013",
            f"{tensor.name!r} has {quantisation.scale.size} scales along axis "
            f"{quantisation.axis}, expected {tensor.shape[axis]} along axis {axis}, "
            "the output channels",
        )
