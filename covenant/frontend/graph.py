"""The ONNX graph without ONNX: nodes, types, shapes, constants and who produces and consumes what.

In: built by `loading`. Out: read by the operator readers. `RefusalError` is how a reader says that
a node cannot become a layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.frontend.model import GraphTensor

QUANTISE, DEQUANTISE = "QuantizeLinear", "DequantizeLinear"


class RefusalError(Exception):
    """A node that cannot become a layer: code, reason, and what the user can do."""

    def __init__(self, code: str, reason: str, help: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.help = help


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node. `name` is unique, that of its first output where ONNX gives none; attributes are
    Python or NumPy values, read by type."""

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def input(self, index: int) -> str:
        """Name of an input, "" when it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    @property
    def output(self) -> str:
        """Name of the first output; RefusalError when there is none."""
        if not self.outputs or not self.outputs[0]:
            raise RefusalError("ONX016", "it has no output")
        return self.outputs[0]

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return int(self._attribute(name, default, (int,)))

    def real(self, name: str, default: float) -> float:
        """A float attribute."""
        return float(self._attribute(name, default, (int, float)))

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        return str(self._attribute(name, default, (str,)))

    def integers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """An attribute with as many integers as the default; RefusalError otherwise."""
        found = self._attribute(name, list(default), (list,))
        if len(found) != len(default) or not all(isinstance(value, int) for value in found):
            wanted = f"expected {len(default)} integers"
            raise RefusalError("ONX016", f"the attribute {name} is {found!r}, {wanted}")
        return tuple(found)

    def _attribute(self, name: str, default: Any, kinds: tuple[type, ...]) -> Any:
        value = self.attributes.get(name, default)
        if not isinstance(value, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise RefusalError("ONX016", f"the attribute {name} is {value!r}, expected {wanted}")
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """All that is known of the graph. `dtypes` are ONNX names in NumPy spelling; a tensor without a
    fixed shape is absent from `shapes`; `payloads` load constants when they are needed."""

    file: str
    nodes: tuple[Node, ...]
    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    payloads: Mapping[str, Callable[[], NDArray[Any]]]
    producers: Mapping[str, Node]
    consumers: Mapping[str, tuple[Node, ...]]
    quantised: bool = False
    """Whether any tensor has 8-bit elements: what is float then was left out on purpose."""

    def is_constant(self, name: str) -> bool:
        """Whether `constant` has a payload for the name."""
        if name in self.payloads:
            return True
        producer = self.producers.get(name)
        least = {"Identity": 1, QUANTISE: 2}
        if producer is None or len(producer.inputs) < least.get(producer.op_type, math.inf):
            return False
        return all(map(self.is_constant, producer.inputs))

    def constant(self, name: str) -> NDArray[Any]:
        """Payload of a constant: an initializer, a Constant node or a fold of one."""
        if name in self.payloads:
            return self.payloads[name]()
        producer = self.producers[name]
        values = [self.constant(i) for i in producer.inputs]
        if producer.op_type == "Identity":
            return values[0]
        return _quantised(producer, values)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor; RefusalError when it could not be inferred."""
        if name not in self.shapes:
            producer = self.producers.get(name)
            raise RefusalError(
                "ONX015",
                f"the shape of {name!r} could not be inferred",
                f"export node {producer.name!r} with a fixed shape" if producer else "",
            )
        return self.shapes[name]

    def dtype(self, name: str, allowed: tuple[DType, ...]) -> DType:
        """Element type of a tensor; RefusalError unless it is one of the allowed."""
        found = self.dtypes.get(name, "unknown")
        if found not in {d.value for d in allowed}:
            wanted = " or ".join(d.value for d in allowed)
            raise RefusalError("ONX011", f"{name!r} has element type {found}, expected {wanted}")
        return DType(found)

    def sole_consumer(self, name: str) -> Node | None:
        """The only node that reads a tensor; None if several do or it leaves the graph."""
        readers = self.consumers.get(name, ())
        leaves = any(output.name == name for output in self.outputs)
        return readers[0] if len(readers) == 1 and not leaves else None


def _quantised(node: Node, values: list[NDArray[Any]]) -> NDArray[Any]:
    """QuantizeLinear of a constant."""
    real, scale = values[0], values[1]
    zero_point = values[2] if len(values) > 2 else np.zeros(scale.shape, np.uint8)
    shape = [1] * real.ndim
    if scale.size > 1:
        shape[node.integer("axis", 1)] = scale.size
    steps = np.rint(real.astype(np.float32) / scale.reshape(shape)) + zero_point.reshape(shape)
    limits = np.iinfo(zero_point.dtype)
    return np.asarray(np.clip(steps, limits.min, limits.max), zero_point.dtype)
