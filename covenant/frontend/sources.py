"""Operands of the operators beside the matrix product, however the model spells them.

In: a tensor's name. Out: `Source`: an 8-bit tensor as it is, one behind a DequantizeLinear, or a
float tensor that is taken as int8; and for operators that keep the scale `Kept`: what they read and
write. RefusalError with the reason when it is neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from covenant.core.dtypes import DType
from covenant.core.layer import LayerTensor
from covenant.frontend.graph import QUANTISE, Graph, Node, RefusalError
from covenant.frontend.model import Boundary
from covenant.frontend.quantisation import (
    INT8_TYPES,
    dequantised,
    feeding,
    kept_name,
    operand,
    require_per_tensor,
)

FLOATS = ("float32", "float16", "bfloat16", "float64")


class Kind(Enum):
    """How a model spells an operand."""

    INTEGER = auto()
    REAL = auto()
    """Float in the graph, made of a quantised tensor."""
    FLOAT = auto()
    """Float, taken as int8."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An operand; `nodes` only make it of the quantised tensor."""

    tensor: LayerTensor
    kind: Kind
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Operand and result of an operator that keeps the scale; boundaries: the float result."""

    source: Source
    name: str
    nodes: tuple[str, ...] = ()
    boundaries: tuple[Boundary, ...] = ()

    def result(self, shape: tuple[int, ...]) -> LayerTensor:
        """What the layer writes."""
        x = self.source.tensor
        return LayerTensor(self.name, x.dtype, shape, x.quantisation)

    @property
    def assumed_int8(self) -> bool:
        """Whether the operator is float."""
        return self.source.kind is Kind.FLOAT


def read_source(graph: Graph, name: str) -> Source:
    """The 8-bit tensor that an operator reads."""
    found = graph.dtypes.get(name, "unknown")
    if found in {d.value for d in INT8_TYPES}:
        return Source(operand(graph, name, None), Kind.INTEGER)
    stored = dequantised(graph, name)
    if stored is None:
        return Source(left_float(graph, name), Kind.FLOAT)
    if stored.dtype not in INT8_TYPES:
        raise RefusalError("ONX011", f"{stored.name!r} has element type {stored.dtype}")
    require_per_tensor(stored)
    return Source(stored, Kind.REAL, feeding(graph, name))


def assumed(graph: Graph, name: str) -> LayerTensor:
    """A float tensor taken as int8, without its payload."""
    found = graph.dtypes.get(name, "unknown")
    if found not in FLOATS:
        raise RefusalError("ONX011", f"{name!r} has element type {found}, expected a float")
    constant = graph.is_constant(name)
    return LayerTensor(name, DType.INT8, graph.shape(name), constant=constant)


def left_float(graph: Graph, name: str) -> LayerTensor:
    """A float tensor of a float model taken as int8; RefusalError in a quantised one."""
    if graph.quantised:
        raise RefusalError(
            "ONX018",
            f"{name!r} is float in a model that is quantised",
            "quantise the inputs of this operator too",
        )
    return assumed(graph, name)


def read_kept(graph: Graph, node: Node) -> Kept:
    """Operand and result of an operator that keeps the scale of its first input."""
    source = read_source(graph, node.input(0))
    if source.kind is not Kind.REAL:
        return Kept(source, node.output)
    x = source.tensor
    assert x.quantisation is not None
    name = kept_name(graph, node.output, x)
    reader = graph.sole_consumer(node.output)
    if reader is not None and reader.op_type == QUANTISE and reader.output == name:
        return Kept(source, name, (reader.name,))
    return Kept(source, name, (), (Boundary(name, node.output, False, x.quantisation, x.dtype),))
