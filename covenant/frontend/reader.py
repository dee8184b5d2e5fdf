"""From an ONNX file to a `Model`: every node becomes a layer, part of one, or a stated refusal.

In: a path and the shapes of dynamic inputs. Out: `Model`. Never silent: a node that is neither a
layer nor absorbed by one is listed in `Model.unsupported`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.core.layer import Layer
from covenant.frontend.activation import ACTIVATIONS, RealBounds, real_bounds
from covenant.frontend.binary import read_binary, read_qlinear_binary
from covenant.frontend.functions import FUNCTIONS, is_function
from covenant.frontend.graph import DEQUANTISE, QUANTISE, Graph, Node, RefusalError
from covenant.frontend.joining import read_concat, read_qlinear_concat
from covenant.frontend.loading import load_graph
from covenant.frontend.model import Boundary, Model, Reading, Unsupported
from covenant.frontend.movement import (
    read_depth_to_space,
    read_pad,
    read_resize,
    read_slice,
    read_space_to_depth,
    read_split,
    read_transpose,
    read_view,
)
from covenant.frontend.pointwise import (
    has_known_operands,
    read_absorbed,
    read_float,
    read_integer,
    read_qlinear,
    read_quantised,
    read_unquantised,
    sole_source,
    trace,
)
from covenant.frontend.pooling import (
    read_average_pool,
    read_global_average_pool,
    read_global_max_pool,
    read_max_pool,
    read_nhwc_max_pool,
    read_qlinear_average_pool,
    read_qlinear_global_average_pool,
    read_reduce_mean,
)
from covenant.frontend.qdq import read_conv, read_gemm, read_matmul
from covenant.frontend.qoperator import (
    read_conv_integer,
    read_matmul_integer,
    read_qgemm,
    read_qlinear_conv,
    read_qlinear_matmul,
)
from covenant.frontend.quantisation import INT8_TYPES, VIEWS, node_quantisation
from covenant.frontend.spatial import macs

_Reader = Callable[[Graph, Node], Layer | Reading]

OPERATORS: dict[tuple[str, str], _Reader] = {
    ("", "Add"): read_binary,
    ("", "AveragePool"): read_average_pool,
    ("", "Concat"): read_concat,
    ("", "Conv"): read_conv,
    ("", "ConvInteger"): read_conv_integer,
    ("", "DepthToSpace"): read_depth_to_space,
    ("", "Gemm"): read_gemm,
    ("", "GlobalAveragePool"): read_global_average_pool,
    ("", "GlobalMaxPool"): read_global_max_pool,
    ("", "MatMul"): read_matmul,
    ("", "MatMulInteger"): read_matmul_integer,
    ("", "MaxPool"): read_max_pool,
    ("", "Mul"): read_binary,
    ("", "Pad"): read_pad,
    ("", "QLinearConv"): read_qlinear_conv,
    ("", "QLinearMatMul"): read_qlinear_matmul,
    ("", "ReduceMean"): read_reduce_mean,
    ("", "Resize"): read_resize,
    ("", "Slice"): read_slice,
    ("", "SpaceToDepth"): read_space_to_depth,
    ("", "Split"): read_split,
    ("", "Sub"): read_binary,
    ("", "Sum"): read_binary,
    ("", "Transpose"): read_transpose,
    ("", "Upsample"): read_resize,
    ("com.microsoft", "NhwcMaxPool"): read_nhwc_max_pool,
    ("com.microsoft", "QGemm"): read_qgemm,
    ("com.microsoft", "QLinearAdd"): read_qlinear_binary,
    ("com.microsoft", "QLinearAveragePool"): read_qlinear_average_pool,
    ("com.microsoft", "QLinearConcat"): read_qlinear_concat,
    ("com.microsoft", "QLinearGlobalAveragePool"): read_qlinear_global_average_pool,
    ("com.microsoft", "QLinearLeakyRelu"): read_qlinear,
    ("com.microsoft", "QLinearMul"): read_qlinear_binary,
    ("com.microsoft", "QLinearSigmoid"): read_qlinear,
    **{("", name): read_view for name in VIEWS},
}
"""Readers by (domain, operator), beside those of element functions (`functions.FUNCTIONS`)."""

_BOUNDARIES = (QUANTISE, DEQUANTISE)
_FREE = ("Constant",)
"""Operators that compute nothing."""


def read_model(
    path: str | Path,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    values: Mapping[str, NDArray[Any]] | None = None,
) -> Model:
    """Read a model.

    shapes: of graph inputs with dynamic dims. values: by graph input; only those that are
    quantisation parameters (a scale or zero point given as an input) are used, as constants; the
    rest is ignored, so that all inputs of a run can be passed. CovenantError when the file as a
    whole cannot be used.
    """
    given = shapes or {}
    graph = load_graph(Path(path), given, {})
    parameters = _parameters(graph)
    bound = {name: array for name, array in (values or {}).items() if name in parameters}
    if bound:
        graph = load_graph(Path(path), given, bound)
    found, refused = _read_nodes(graph)
    absorbed = _absorbed(found)
    return Model(
        file=graph.file,
        layers=tuple(layer for reading in found for layer in reading.layers),
        unsupported=tuple(u for u in refused if u.node not in absorbed),
        inputs=tuple(i for i in graph.inputs if i.name not in bound),
        outputs=graph.outputs,
        boundaries=(*_boundaries(graph, absorbed), *(b for r in found for b in r.boundaries)),
        aliases=tuple(alias for reading in found for alias in reading.aliases),
        joins=tuple(join for reading in found for join in reading.joins),
        parameters=bound,
    )


def _read_nodes(graph: Graph) -> tuple[list[Reading], list[Unsupported]]:
    """What every node became, in graph order, and those that became nothing of their own."""
    found: list[Reading] = []
    refused: list[Unsupported] = []
    absorbed: set[str] = set()
    for node in graph.nodes:
        if node.op_type in _FREE or node.op_type == DEQUANTISE:
            continue
        if node.name in absorbed and node.op_type not in ACTIVATIONS:
            continue
        try:
            known = node.name in absorbed
            reading = read_absorbed(graph, node) if known else _read(graph, node, absorbed)
        except RefusalError as refusal:
            if node.op_type == QUANTISE:
                continue  # the host's, or the end of a layer that was refused with its reason
            work = macs(graph, node)
            operator, reason = node.op_type, refusal.reason
            refused.append(
                Unsupported(node.name, operator, reason, work, refusal.code, refusal.help)
            )
            continue
        found.append(reading)
        absorbed |= _absorbed([reading])
    return found, refused


def _absorbed(found: Iterable[Reading]) -> set[str]:
    """Names of all nodes that are part of a reading."""
    layers = {name for reading in found for layer in reading.layers for name in layer.nodes}
    return layers | {name for reading in found for name in reading.nodes}


def _read(graph: Graph, node: Node, absorbed: Collection[str]) -> Reading:
    if node.op_type == QUANTISE:
        if graph.is_constant(node.input(0)):
            return Reading()
        return read_quantised(graph, node)
    if is_function(node):
        return _read_function(graph, node, absorbed)
    reader = OPERATORS.get((node.domain, node.op_type))
    if reader is None:
        operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        known = sorted({name for _, name in (*OPERATORS, *FUNCTIONS)})
        raise RefusalError(
            "ONX010",
            f"the operator {operator} is not supported",
            "supported: " + ", ".join(known),
        )
    return _reading(reader(graph, node))


def _reading(found: Layer | Reading) -> Reading:
    return found if isinstance(found, Reading) else Reading((found,))


def _read_function(graph: Graph, node: Node, absorbed: Collection[str]) -> Reading:
    """A function of one tensor, or the sum or product of two. One of a quantised tensor is read
    with the QuantizeLinear behind it, one that another layer absorbed not at all."""
    if node.op_type in ACTIVATIONS and graph.dtypes.get(node.output) in INT8_TYPES:
        return read_integer(graph, node)
    if not has_known_operands(node):
        raise RefusalError("ONX016", f"it has {len(node.inputs)} operands")
    found = trace(graph, node.output)
    if sole_source(graph, found) is not None:
        quantiser = graph.sole_consumer(node.output)
        if quantiser is not None and quantiser.op_type == QUANTISE:
            return read_quantised(graph, quantiser)
        return read_unquantised(graph, node)
    reader = OPERATORS.get((node.domain, node.op_type))
    if reader is not None and len(trace(graph, node.output, absorbed).leaves) != 1:
        return _reading(reader(graph, node))
    return read_float(graph, node, absorbed)


def _parameters(graph: Graph) -> set[str]:
    """Graph inputs that some node reads as a scale or a zero point."""
    positions = {
        "QLinearConv": (1, 2, 4, 5, 6, 7),
        "QLinearMatMul": (1, 2, 4, 5, 6, 7),
        "QGemm": (1, 2, 4, 5, 7, 8),
        "ConvInteger": (2, 3),
        "QLinearAdd": (1, 2, 4, 5, 6, 7),
        "QLinearMul": (1, 2, 4, 5, 6, 7),
        "QLinearAveragePool": (1, 2, 3, 4),
        "QLinearGlobalAveragePool": (1, 2, 3, 4),
        "QLinearLeakyRelu": (1, 2, 3, 4),
        "QLinearSigmoid": (1, 2, 3, 4),
        "MatMulInteger": (2, 3),
        QUANTISE: (1, 2),
        DEQUANTISE: (1, 2),
    }
    inputs = {i.name for i in graph.inputs}
    read = {n.input(p) for n in graph.nodes for p in positions.get(n.op_type, ())}
    return read & inputs


def _boundaries(graph: Graph, absorbed: set[str]) -> tuple[Boundary, ...]:
    """All QuantizeLinear and DequantizeLinear nodes of activations that the host can run."""
    found: list[Boundary] = []
    for node in graph.nodes:
        if node.op_type not in _BOUNDARIES or graph.is_constant(node.input(0)):
            continue
        quantises = node.op_type == QUANTISE
        if quantises and node.name in absorbed:
            continue  # the last step of a layer
        try:
            quantised = node.output if quantises else node.input(0)
            dtype = graph.dtype(quantised, (*INT8_TYPES, DType.INT32))
            quantisation = node_quantisation(graph, node)
        except RefusalError:
            continue  # what depends on it is refused with the reason
        chain = () if quantises else _absorbed_chain(graph, node.output, absorbed)
        target = chain[-1].output if chain else node.output
        bounds = tuple((b.low, b.high) for b in chain)
        found.append(Boundary(node.input(0), target, quantises, quantisation, dtype, bounds))
    return tuple(found)


def _absorbed_chain(graph: Graph, name: str, absorbed: set[str]) -> tuple[RealBounds, ...]:
    """The absorbed activations that read a dequantised tensor, one after the other."""
    reader = graph.sole_consumer(name)
    if reader is None or reader.op_type not in ACTIVATIONS or reader.name not in absorbed:
        return ()
    bound = real_bounds(graph, reader)
    if bound is None:
        return ()
    return (bound, *_absorbed_chain(graph, bound.output, absorbed))
