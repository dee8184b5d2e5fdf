"""Activations that a layer absorbs: Relu and Clip as clamps of its quantised output.

In: the tensor a multiply-accumulate node writes. Out: `Result`, what the layer writes instead.
A clamp of reals and one of integers agree because rounding is monotonic: low = rint(x/s) + z.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from covenant.core.dtypes import DType
from covenant.core.layer import Quantisation
from covenant.frontend.graph import DEQUANTISE, QUANTISE, Graph, Node, RefusalError
from covenant.frontend.host import dequantise
from covenant.frontend.quantisation import INT8_TYPES, equal, node_quantisation

ACTIVATIONS = ("Relu", "Clip")

_INFINITY = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a layer writes: tensor name, type, quantisation, integer clamp, names of the nodes
    absorbed on the way."""

    name: str
    dtype: DType
    quantisation: Quantisation | None
    nodes: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    real: bool = False
    """An activation was absorbed whose float output is not quantised again in the same way."""

    @property
    def clamp(self) -> dict[str, int]:
        """The clamp as attributes of a layer."""
        bounds = {"low": self.low, "high": self.high}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def clamped(self, low: int | None, high: int | None) -> Result:
        """The result with the clamp applied after the one it has."""
        lows = [v for v in (self.low, low) if v is not None]
        highs = [v for v in (self.high, high) if v is not None]
        # Clip(Clip(v, a, b), c, d): the later bounds win where the ranges do not overlap.
        new_low = max(lows) if lows else None
        new_high = min(highs) if highs else None
        if new_low is not None and new_high is not None and new_low > new_high:
            new_low = new_high = low if low is not None and low > new_high else high
        return replace(self, low=new_low, high=new_high)


@dataclass(frozen=True, slots=True)
class RealBounds:
    """A Relu or Clip on real values: its node, what it writes, its bounds."""

    node: str
    output: str
    low: float
    high: float


def real_result(graph: Graph, name: str) -> Result:
    """Result of a QDQ group: float tensor -> (Relu | Clip) -> QuantizeLinear, and what follows."""
    bounds = _chain(graph, name)
    last = bounds[-1].output if bounds else name
    quantiser = graph.sole_consumer(last)
    if quantiser is None or quantiser.op_type != QUANTISE:
        raise RefusalError(
            "ONX014",
            f"its output {last!r} is not quantised: no single QuantizeLinear reads it",
            "quantise the outputs of this operator too",
        )
    quantisation = node_quantisation(graph, quantiser)
    dtype = graph.dtype(quantiser.output, INT8_TYPES)
    names = (*(b.node for b in bounds), quantiser.name)
    result = Result(quantiser.output, dtype, quantisation, names)
    for bound in bounds:
        result = result.clamped(*_quantised_bounds(bound, result))
    return integer_result(graph, result)


def float_result(graph: Graph, name: str) -> Result:
    """Result of a float layer, which is mapped as int8: Relu and Clip cost nothing there."""
    bounds = _chain(graph, name)
    last = bounds[-1].output if bounds else name
    return Result(last, DType.INT8, None, tuple(b.node for b in bounds))


def integer_result(graph: Graph, result: Result) -> Result:
    """Absorb activations after the quantised output: DequantizeLinear -> Relu | Clip ->
    QuantizeLinear with equal parameters, and Relu | Clip on the integers themselves."""
    while True:
        reader = graph.sole_consumer(result.name)
        following = None
        if reader is not None and reader.op_type == DEQUANTISE:
            following = _through_reals(graph, result, reader)
        elif reader is not None:
            following = _on_integers(graph, result, reader)
        if following is None:
            return result
        result = following


def _through_reals(graph: Graph, result: Result, dequantiser: Node) -> Result | None:
    bounds = _chain(graph, dequantiser.output)
    own = result.quantisation
    if not bounds or own is None or result.real:
        return None
    if not equal(node_quantisation(graph, dequantiser), own):
        return None
    names = (*result.nodes, dequantiser.name, *(b.node for b in bounds))
    quantiser = graph.sole_consumer(bounds[-1].output)
    if quantiser is not None and quantiser.op_type == QUANTISE:
        same = equal(node_quantisation(graph, quantiser), own)
        if same and graph.dtypes.get(quantiser.output) == result.dtype.value:
            for bound in bounds:
                result = result.clamped(*_quantised_bounds(bound, result))
            return replace(result, name=quantiser.output, nodes=(*names, quantiser.name))
    # The clamped integers stand for the activation's float output: see `reader._boundaries`.
    for bound in bounds:
        result = result.clamped(*_enclosing_bounds(bound, result))
    return replace(result, nodes=names, real=True)


def _on_integers(graph: Graph, result: Result, node: Node) -> Result | None:
    bound = real_bounds(graph, node)
    if bound is None or result.dtype not in INT8_TYPES:
        return None
    low = None if bound.low == -_INFINITY else int(bound.low)
    high = None if bound.high == _INFINITY else int(bound.high)
    clamped = result.clamped(low, high)
    return replace(clamped, name=node.output, nodes=(*result.nodes, node.name))


def _chain(graph: Graph, name: str) -> list[RealBounds]:
    """Relu and Clip nodes that follow a tensor, each its predecessor's only reader."""
    found: list[RealBounds] = []
    while True:
        reader = graph.sole_consumer(name)
        bound = None if reader is None else real_bounds(graph, reader)
        if bound is None:
            return found
        found.append(bound)
        name = bound.output


def real_bounds(graph: Graph, node: Node) -> RealBounds | None:
    """The bounds of a Relu, or of a Clip by constants; None for anything else."""
    match node.op_type:
        case "Relu":
            return RealBounds(node.name, node.output, 0.0, _INFINITY)
        case "Clip":
            limits = [node.real("min", -_INFINITY), node.real("max", _INFINITY)]
            for position in (0, 1):
                name = node.input(position + 1)
                if name and not graph.is_constant(name):
                    return None
                if name:
                    limits[position] = float(graph.constant(name).reshape(-1)[0])
            return RealBounds(node.name, node.output, limits[0], limits[1])
        case _:
            return None


def _quantised_bounds(bound: RealBounds, result: Result) -> tuple[int | None, int | None]:
    return _quantised(bound.low, result), _quantised(bound.high, result)


def _enclosing_bounds(bound: RealBounds, result: Result) -> tuple[int | None, int | None]:
    """The last integers at or beyond the bounds: whoever reads the clamped integers and applies the
    bounds again has what they give for all integers, also where a bound lies between two."""
    quantisation = _per_tensor(result)
    integers = np.arange(result.dtype.minimum, result.dtype.maximum + 1)
    real = dequantise(integers, quantisation)
    low, high = bound.low, bound.high
    below = integers[real <= low].max(initial=result.dtype.minimum)
    above = integers[real >= high].min(initial=result.dtype.maximum)
    return (None if low == -_INFINITY else int(below), None if high == _INFINITY else int(above))


def _quantised(value: float, result: Result) -> int | None:
    """rint(x/s) + z within the dtype; None for an infinite bound."""
    if abs(value) == _INFINITY:
        return None
    quantisation = _per_tensor(result)
    step = float(np.rint(np.float32(value) / quantisation.scale.reshape(())))
    integer = int(step) + int(quantisation.zero_point.reshape(()))
    return min(max(integer, result.dtype.minimum), result.dtype.maximum)


def _per_tensor(result: Result) -> Quantisation:
    """The quantisation of a result; RefusalError when it has one per channel."""
    assert result.quantisation is not None
    if result.quantisation.scale.size != 1:
        raise RefusalError(
            "ONX013", f"{result.name!r} is quantised per channel, expected per tensor"
        )
    return result.quantisation
