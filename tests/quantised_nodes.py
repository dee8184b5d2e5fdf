"""Quantised nodes beside the matrix product for tests: pools, sums, tables, moves.

Each builder makes one node in one spelling: `qdq` between DequantizeLinear and QuantizeLinear,
`integer` on the 8-bit tensors themselves, `qlinear` of com.microsoft with its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnx_nodes import Case, node_case

Array = NDArray[Any]
OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]


@dataclass(frozen=True)
class Scale:
    """Scale and zero point of a tensor of an 8-bit type."""

    scale: float
    point: int
    dtype: str = "uint8"

    @property
    def parameters(self) -> tuple[Array, Array]:
        """As ONNX tensors."""
        return np.asarray(self.scale, np.float32), np.asarray(self.point, self.dtype)

    def integers(self, rng: np.random.Generator, shape: Sequence[int]) -> Array:
        """Over the whole range of the type."""
        limits = np.iinfo(self.dtype)
        return rng.integers(limits.min, limits.max, tuple(shape), self.dtype, endpoint=True)


def random_scale(rng: np.random.Generator, dtype: str = "uint8", factor: float = 1.0) -> Scale:
    """An arbitrary scale around 0.03 and any zero point."""
    limits = np.iinfo(dtype)
    point = int(rng.integers(limits.min, limits.max, endpoint=True))
    return Scale(float(np.float32(rng.uniform(0.01, 0.05) * factor)), point, dtype)


def qdq(
    op_type: str,
    inputs: Sequence[tuple[Array, Scale]],
    outputs: Sequence[Scale],
    *,
    constants: Sequence[Array | None] = (),
    body: Sequence[Any] = (),
    domain: str = "",
    **attributes: Any,
) -> Case:
    """DequantizeLinear of every input, the operator (or the nodes of `body`, from `a`, `b`, … to
    `r`), QuantizeLinear of every output."""
    nodes, stored, feeds = [], {}, {}
    names = [chr(ord("a") + i) for i in range(len(inputs))]
    for name, (values, quant) in zip(names, inputs, strict=True):
        stored[f"{name}_s"], stored[f"{name}_z"] = quant.parameters
        feeds[f"{name}_q"] = values
        source = [f"{name}_q", f"{name}_s", f"{name}_z"]
        nodes.append(helper.make_node("DequantizeLinear", source, [name], name=f"dq_{name}"))
    extra = []
    for position, constant in enumerate(constants):
        extra.append("" if constant is None else f"k{position}")
        if constant is not None:
            stored[f"k{position}"] = constant
    results = ["r"] if len(outputs) == 1 else [f"r{i}" for i in range(len(outputs))]
    if body:
        nodes += list(body)
    else:
        nodes.append(
            helper.make_node(
                op_type, [*names, *extra], results, name="op", domain=domain, **attributes
            )
        )
    graph_outputs = []
    for result, quant in zip(results, outputs, strict=True):
        stored[f"{result}_s"], stored[f"{result}_z"] = quant.parameters
        source = [result, f"{result}_s", f"{result}_z"]
        nodes.append(
            helper.make_node("QuantizeLinear", source, [f"{result}_q"], name=f"q_{result}")
        )
        graph_outputs.append(helper.make_empty_tensor_value_info(f"{result}_q"))
    graph = helper.make_graph(
        nodes,
        op_type or "body",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in feeds.items()
        ],
        graph_outputs,
        [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
    return Case("qdq", onnx.shape_inference.infer_shapes(model), feeds)


def qlinear(
    op_type: str, inputs: Sequence[tuple[Array, Scale]], output: Scale, **attributes: Any
) -> Case:
    """A com.microsoft node: tensor, scale, zero point of every input, then of the output."""
    named: list[tuple[str, Array | None]] = []
    feeds = {}
    for position, (values, quant) in enumerate(inputs):
        name = chr(ord("a") + position)
        scale, point = quant.parameters
        named += [(name, values), (f"{name}_s", scale), (f"{name}_z", point)]
        feeds[name] = values
    scale, point = output.parameters
    own: list[tuple[str, Array | None]] = [("y_s", scale), ("y_z", point)]
    named = [*own, *named] if op_type == "QLinearConcat" else [*named, *own]
    return node_case(op_type, op_type, named, feeds, output.dtype, "com.microsoft", **attributes)


def integer(op_type: str, x: Array, constants: Sequence[Array] = (), **attributes: Any) -> Case:
    """A node of the ONNX standard on an 8-bit tensor."""
    named: list[tuple[str, Array | None]] = [("a", x)]
    named += [(f"k{i}", c) for i, c in enumerate(constants)]
    return node_case(op_type, op_type, named, {"a": x}, x.dtype, **attributes)


def node(op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    """A node of a `body`."""
    return helper.make_node(op_type, list(inputs), [output], name=f"n_{output}", **attributes)
