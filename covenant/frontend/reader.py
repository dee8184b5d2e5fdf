"""From an ONNX file to a `Model`: every node becomes a layer, part of one, or a stated refusal.

In: a path and the shapes of dynamic inputs. Out: `Model`. Never silent: a node that is neither a
layer nor absorbed by one is listed in `Model.unsupported`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.core.layer import Layer
from covenant.frontend.activation import ACTIVATIONS
from covenant.frontend.graph import DEQUANTISE, QUANTISE, Graph, Node, RefusalError
from covenant.frontend.loading import load_graph
from covenant.frontend.model import Boundary, Model, Unsupported
from covenant.frontend.qdq import read_conv, read_gemm, read_matmul
from covenant.frontend.qoperator import (
    read_conv_integer,
    read_matmul_integer,
    read_qgemm,
    read_qlinear_conv,
    read_qlinear_matmul,
)
from covenant.frontend.quantisation import INT8_TYPES, node_quantisation
from covenant.frontend.spatial import macs

OPERATORS: dict[tuple[str, str], Callable[[Graph, Node], Layer]] = {
    ("", "Conv"): read_conv,
    ("", "ConvInteger"): read_conv_integer,
    ("", "Gemm"): read_gemm,
    ("", "MatMul"): read_matmul,
    ("", "MatMulInteger"): read_matmul_integer,
    ("", "QLinearConv"): read_qlinear_conv,
    ("", "QLinearMatMul"): read_qlinear_matmul,
    ("com.microsoft", "QGemm"): read_qgemm,
}
"""Readers by (domain, operator)."""

_BOUNDARIES = (QUANTISE, DEQUANTISE)
_FREE = ("Constant", "Identity")
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
    layers: list[Layer] = []
    refused: list[Unsupported] = []
    for node in graph.nodes:
        if node.op_type in _BOUNDARIES or node.op_type in _FREE:
            continue
        try:
            layers.append(_read(graph, node))
        except RefusalError as refusal:
            work = macs(graph, node)
            operator, reason = node.op_type, refusal.reason
            refused.append(
                Unsupported(node.name, operator, reason, work, refusal.code, refusal.help)
            )
    absorbed = {name for layer in layers for name in layer.nodes}
    return Model(
        file=graph.file,
        layers=tuple(layers),
        unsupported=tuple(u for u in refused if u.node not in absorbed),
        inputs=tuple(i for i in graph.inputs if i.name not in bound),
        outputs=graph.outputs,
        boundaries=_boundaries(graph, absorbed),
        parameters=bound,
    )


def _read(graph: Graph, node: Node) -> Layer:
    reader = OPERATORS.get((node.domain, node.op_type))
    if reader is None and node.op_type in ACTIVATIONS:
        raise RefusalError(
            "ONX010",
            f"{node.op_type} follows no layer that could absorb it",
            "it is supported as the only reader of a layer's output, with constant bounds",
        )
    if reader is None:
        operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        raise RefusalError(
            "ONX010",
            f"the operator {operator} is not supported",
            "supported: " + ", ".join(sorted({name for _, name in OPERATORS})),
        )
    return reader(graph, node)


def _parameters(graph: Graph) -> set[str]:
    """Graph inputs that some node reads as a scale or a zero point."""
    positions = {
        "QLinearConv": (1, 2, 4, 5, 6, 7),
        "QLinearMatMul": (1, 2, 4, 5, 6, 7),
        "QGemm": (1, 2, 4, 5, 7, 8),
        "ConvInteger": (2, 3),
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
        target = node.output if quantises else _absorbed_end(graph, node.output, absorbed)
        found.append(Boundary(node.input(0), target, quantises, quantisation, dtype))
    return tuple(found)


def _absorbed_end(graph: Graph, name: str, absorbed: set[str]) -> str:
    """The last output of the absorbed activations that read a dequantised tensor."""
    reader = graph.sole_consumer(name)
    if reader is None or reader.op_type not in ACTIVATIONS or reader.name not in absorbed:
        return name
    return _absorbed_end(graph, reader.output, absorbed)
