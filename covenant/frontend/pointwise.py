"""Functions of one tensor, element by element, as tables: any expression of one quantised tensor.

In: a QuantizeLinear whose input is an expression of one dequantised tensor, a node that carries its
quantisation, or a float node. Out: `Reading` with a `move` layer that looks its elements up in a
table of 256 results; an alias where nothing changes. RefusalError when it is no such function.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor, Quantisation
from covenant.frontend.functions import apply, is_function
from covenant.frontend.graph import Graph, Node, RefusalError
from covenant.frontend.host import dequantise, quantise
from covenant.frontend.model import Alias, Boundary, Reading
from covenant.frontend.quantisation import (
    INT8_TYPES,
    KEEPING,
    dequantised,
    equal,
    feeding,
    node_quantisation,
    operand,
    read_quantisation,
    require_per_tensor,
)
from covenant.frontend.sources import FLOATS, left_float

UNIT = Quantisation(np.ones((), np.float32), np.zeros((), np.int64))
"""Integers that stand for themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """An expression of one tensor: its leaves (float tensors, all the same quantised one) and the
    nodes in the order of computation."""

    leaves: tuple[str, ...]
    nodes: tuple[Node, ...]

    def values(self, graph: Graph, name: str, real: NDArray[np.float32]) -> NDArray[np.float32]:
        """The expression for these values of its tensor."""
        known = dict.fromkeys(self.leaves, real)
        for node in self.nodes:
            operands = [
                known[i] if i in known else _constant(graph, i) for i in node.inputs[: _arity(node)]
            ]
            known[node.output] = apply(node, list(operands))
        return known[name]


def trace(graph: Graph, name: str, stop: Collection[str] = ()) -> Trace:
    """Follow a float tensor back to the tensors it is made of; results of the nodes named in `stop`
    are such tensors. Constants have one element, else the operand counts as a tensor."""
    leaves: dict[str, None] = {}
    nodes: dict[str, Node] = {}
    _follow(graph, name, stop, leaves, nodes)
    return Trace(tuple(leaves), tuple(nodes.values()))


def _follow(
    graph: Graph,
    name: str,
    stop: Collection[str],
    leaves: dict[str, None],
    nodes: dict[str, Node],
) -> None:
    node = graph.producers.get(name)
    real = graph.dtypes.get(name, "") in FLOATS
    if node is None or not real or not has_known_operands(node) or node.name in stop:
        leaves[name] = None
        return
    if node.name in nodes:
        return
    for source in node.inputs[: _arity(node)]:
        if source and _constant(graph, source).size != 1:
            _follow(graph, source, stop, leaves, nodes)
    nodes[node.name] = node


def _arity(node: Node) -> int:
    return 3 if node.op_type == "Clip" else 2


def has_known_operands(node: Node) -> bool:
    """Whether a node is a function of as many operands as we compute with."""
    return is_function(node) and len(node.inputs) <= _arity(node)


def _constant(graph: Graph, name: str) -> NDArray[np.float32]:
    """The value of a constant of one element, NaN for an absent operand; empty for a tensor."""
    if not name:
        return np.full((), np.nan, np.float32)
    if prod(graph.shape(name)) != 1:
        return np.empty(0, np.float32)
    stored = dequantised(graph, name)
    if stored is not None and stored.values is not None:
        assert stored.quantisation is not None
        return dequantise(stored.values, stored.quantisation).reshape(())
    if graph.is_constant(name):
        return graph.constant(name).astype(np.float32).reshape(())
    return np.empty(0, np.float32)


def sole_source(graph: Graph, found: Trace) -> LayerTensor | None:
    """The one quantised tensor behind all leaves; None when there are several or it is float."""
    tensors = [dequantised(graph, leaf) for leaf in found.leaves]
    first = tensors[0] if tensors else None
    if first is None or first.quantisation is None or first.constant:
        return None
    for tensor in tensors:
        if tensor is None or tensor.name != first.name or tensor.quantisation is None:
            return None
        if not equal(tensor.quantisation, first.quantisation):
            return None
    return first if first.dtype in INT8_TYPES else None


def read_quantised(graph: Graph, quantiser: Node) -> Reading:
    """A QuantizeLinear of an expression of one quantised tensor; RefusalError when it is none."""
    name = quantiser.input(0)
    found = trace(graph, name)
    x = sole_source(graph, found)
    if x is None:
        raise RefusalError("ONX014", f"{name!r} is no function of one quantised tensor")
    quantisation = node_quantisation(graph, quantiser)
    dtype = graph.dtype(quantiser.output, INT8_TYPES)
    shape = graph.shape(quantiser.output)
    y = LayerTensor(quantiser.output, dtype, shape, quantisation)
    own = x.quantisation
    assert own is not None
    require_per_tensor(x)
    require_per_tensor(y)
    if x.shape != shape:
        raise RefusalError("ONX016", f"{x.name!r} {list(x.shape)} is repeated to {list(shape)}")
    inner = (*_within(graph, found), quantiser.name)
    before = tuple(n for leaf in found.leaves for n in feeding(graph, leaf))
    if not found.nodes and x.dtype is dtype and equal(own, quantisation):
        return Reading((), (Alias(x.name, y.name, shape),), nodes=(*before, *inner))
    real = found.values(graph, name, dequantise(_bytes(x.dtype), own))
    last = found.nodes[-1] if found.nodes else quantiser
    # The host can quantise too, where no compute node has tables and the real values are known.
    host = Boundary(name, y.name, True, quantisation, dtype)
    return Reading((_table(last, x, y, real, (*before, *inner)),), boundaries=(host,))


def _within(graph: Graph, found: Trace) -> tuple[str, ...]:
    """Names of the nodes of an expression whose results do not leave the graph."""
    leaving = {output.name for output in graph.outputs}
    return tuple(n.name for n in found.nodes if not leaving & set(n.outputs))


def read_unquantised(graph: Graph, node: Node) -> Reading:
    """A function that keeps the scale, for readers that need its integers: no QuantizeLinear says
    what they are."""
    found = trace(graph, node.output)
    x = sole_source(graph, found)
    assert x is not None
    assert x.quantisation is not None
    if node.op_type not in KEEPING or _all_fold(graph, node):
        raise RefusalError(
            "ONX014",
            f"its output {node.output!r} is not quantised: no QuantizeLinear reads it",
            "quantise the outputs of this operator too",
        )
    kept = dequantised(graph, node.output)
    assert kept is not None
    inner = dequantised(graph, node.input(0))
    assert inner is not None
    real = apply(node, [dequantise(_bytes(inner.dtype), inner.quantisation or UNIT)])
    nodes = (*feeding(graph, node.input(0)), node.name)
    host = Boundary(kept.name, node.output, False, kept.quantisation or UNIT, kept.dtype)
    return Reading((_table(node, inner, kept, real, nodes),), boundaries=(host,))


def read_absorbed(graph: Graph, node: Node) -> Reading:
    """The integers of an activation that the layer before it absorbed, by the name that readers of
    its float output know."""
    inner = dequantised(graph, node.input(0)) if node.op_type in KEEPING else None
    kept = dequantised(graph, node.output)
    if inner is None or kept is None or graph.producers.get(kept.name) is not None:
        return Reading()
    return Reading(aliases=(Alias(inner.name, kept.name, kept.shape),))


def _all_fold(graph: Graph, node: Node) -> bool:
    """Whether all that read a node are themselves functions of one quantised tensor."""
    if any(output.name == node.output for output in graph.outputs):
        return False
    return all(
        has_known_operands(r) and sole_source(graph, trace(graph, r.output)) is not None
        for r in graph.consumers.get(node.output, ())
    )


def read_qlinear(graph: Graph, node: Node) -> Reading:
    """x, x_scale, x_zero_point, y_scale, y_zero_point."""
    names = [node.input(i) for i in range(5)]
    x = operand(graph, names[0], read_quantisation(graph, names[1], names[2]))
    dtype = graph.dtype(names[4], INT8_TYPES) if names[4] else x.dtype
    quantisation = read_quantisation(graph, names[3], names[4])
    y = LayerTensor(node.output, dtype, x.shape, quantisation)
    require_per_tensor(x)
    require_per_tensor(y)
    assert x.quantisation is not None
    function = Node(node.name, node.op_type.removeprefix("QLinear"), "", (), (), node.attributes)
    real = apply(function, [dequantise(_bytes(x.dtype), x.quantisation)])
    return Reading((_table(node, x, y, real, (node.name,)),))


def read_integer(graph: Graph, node: Node) -> Reading:
    """An activation on the integers themselves."""
    dtype = graph.dtype(node.input(0), INT8_TYPES)
    shape = graph.shape(node.output)
    x = LayerTensor(node.input(0), dtype, shape)
    y = LayerTensor(node.output, dtype, shape, UNIT)
    operands = [_constant(graph, name) for name in node.inputs[1:]]
    if any(o.size != 1 for o in operands):
        raise RefusalError("ONX017", "its bounds are no constants")
    real = apply(node, [dequantise(_bytes(dtype), UNIT), *operands])
    return Reading((_table(node, x, y, real, (node.name,)),))


def read_float(graph: Graph, node: Node, absorbed: Collection[str]) -> Reading:
    """A float expression of one tensor, at its last node."""
    found = trace(graph, node.output, absorbed)
    if len(found.leaves) != 1 or graph.shape(found.leaves[0]) != graph.shape(node.output):
        raise RefusalError("ONX018", "it is a function of several tensors")
    if _continues(graph, node, found.leaves, absorbed):
        raise RefusalError("ONX014", "it is part of a longer expression")
    x = left_float(graph, found.leaves[0])
    y = LayerTensor(node.output, DType.INT8, x.shape)
    layer = _table(node, x, y, None, (*_within(graph, found), node.name))
    return Reading((layer,))


def _continues(
    graph: Graph, node: Node, leaves: tuple[str, ...], absorbed: Collection[str]
) -> bool:
    """Whether all that read a node's result are expressions of the same one tensor."""
    readers = graph.consumers.get(node.output, ())
    if not readers or any(output.name == node.output for output in graph.outputs):
        return False
    return all(
        has_known_operands(r) and trace(graph, r.output, absorbed).leaves == leaves for r in readers
    )


def _bytes(dtype: DType) -> NDArray[np.generic]:
    """All values of an 8-bit type by their byte."""
    return np.arange(256, dtype=np.uint8).view(dtype.numpy)


def _table(
    node: Node,
    x: LayerTensor,
    y: LayerTensor,
    real: NDArray[np.float32] | None,
    nodes: tuple[str, ...],
) -> Layer:
    """The layer that looks every element of x up; `real` by byte, None for a float model."""
    values = None
    if real is not None:
        assert y.quantisation is not None
        values = quantise(np.where(np.isnan(real), 0, real), y.quantisation, y.dtype)
    table = LayerTensor(f"{node.name}.table", y.dtype, (256,), None, values, True)
    return Layer(
        name=node.name,
        op_type=node.op_type,
        family="move",
        inputs={"x": x, "t": table},
        outputs={"y": y},
        attributes=identity(x.shape),
        nodes=tuple(dict.fromkeys(nodes)),
        assumed_int8=real is None,
    )


def requantising_table(owner: str, x: LayerTensor, y: LayerTensor) -> LayerTensor:
    """The table from the integers of x to those of y with the nearest real value."""
    assert x.quantisation is not None
    assert y.quantisation is not None
    real = dequantise(_bytes(x.dtype), x.quantisation)
    values = quantise(real, y.quantisation, y.dtype)
    return LayerTensor(f"{owner}.table", y.dtype, (256,), None, values, True)


def identity(shape: tuple[int, ...]) -> dict[str, int | tuple[int, ...]]:
    """Attributes of a `move` layer that reads every element in its place."""
    loops = shape or (1,)
    rank = len(loops)
    strides = tuple(int(j == k) for j in range(rank) for k in range(rank))
    return {"x_shape": loops, "loops": loops, "strides": strides, "offsets": (0,) * rank}
