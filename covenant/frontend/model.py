"""What the frontend returns: the layers of a model, what it could not take, and the host's share.

In: built by `reader`. Out: read by the pipeline and, through it, by reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from covenant.core.diagnostics import Diagnostic, Span
from covenant.core.dtypes import DType
from covenant.core.layer import Layer, Quantisation


@dataclass(frozen=True, slots=True)
class GraphTensor:
    """An input or output of the ONNX graph; `dtype` is its ONNX name in NumPy spelling."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A node that is no layer: why, and its share of the model's work in multiply-accumulates."""

    node: str
    op_type: str
    reason: str
    macs: int
    code: str
    help: str = ""

    def diagnostic(self, file: str) -> Diagnostic:
        """The finding as an error, for `--strict`."""
        message = f"node {self.node!r} ({self.op_type}): {self.reason}"
        return Diagnostic(self.code, message, Span(file), self.help)


@dataclass(frozen=True, slots=True, eq=False)
class Boundary:
    """A QuantizeLinear (`quantises`) or DequantizeLinear node, which the host may have to run.

    `dtype` is the type of the quantised side. Where a layer absorbed the activation after its
    DequantizeLinear, `target` is the activation's output, whose real bounds the host applies.
    """

    source: str
    target: str
    quantises: bool
    quantisation: Quantisation
    dtype: DType
    bounds: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Alias:
    """A tensor that holds the elements of another one in the same order: no computation."""

    source: str
    target: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """A tensor written in parts, one after the other along an axis, each by a layer."""

    target: str
    parts: tuple[str, ...]
    axis: int


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a node became: layers in order, tensors that are others seen differently, the host's
    share; `nodes` are absorbed beside those of the layers."""

    layers: tuple[Layer, ...] = ()
    aliases: tuple[Alias, ...] = ()
    joins: tuple[Join, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model as read: layers and unsupported nodes in graph order, graph inputs and outputs.

    Tensors connect by their ONNX names: `layer.inputs[role].name` is a graph input, the output of
    an earlier layer, or the target of a boundary, an alias or a join. `host.layer_inputs` and
    `host.graph_outputs` follow these names.
    """

    file: str
    layers: tuple[Layer, ...]
    unsupported: tuple[Unsupported, ...]
    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    boundaries: tuple[Boundary, ...]
    aliases: tuple[Alias, ...] = ()
    joins: tuple[Join, ...] = ()
    parameters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Graph inputs that are scales or zero points, with the values they were read with."""
