"""Shape inference: ONNX's own, and rules for the `com.microsoft` operators it does not know.

In: a model whose inputs have fixed shapes. Out: the same model with all shapes in value_info.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from covenant.core.diagnostics import Span, fail
from covenant.frontend.graph import Node, RefusalError
from covenant.frontend.spatial import read_pool

if TYPE_CHECKING:
    import onnx

_LARGE_ELEMENTS = 4096
"""Initializers above this never hold a shape: inference need not copy their payload."""

_SAME_SHAPE = (
    "FastGelu",
    "Gelu",
    "QLinearLeakyRelu",
    "QLinearSigmoid",
    "QLinearSoftmax",
    "QuickGelu",
)
_BROADCAST = ("QLinearAdd", "QLinearMul")
_POOLS = ("NhwcMaxPool", "QLinearAveragePool", "QLinearGlobalAveragePool")


def fixed_shape(declared: onnx.TypeProto.Tensor) -> tuple[int, ...] | None:
    """The shape, None unless every dim is a known number."""
    if not declared.HasField("shape"):
        return None
    dims = [d.dim_value if d.HasField("dim_value") else 0 for d in declared.shape.dim]
    return tuple(dims) if all(d > 0 for d in dims) else None


def infer_shapes(model: onnx.ModelProto, span: Span) -> None:
    """Write all shapes that can be inferred into the model, by ONNX and our rules in turn."""
    import onnx

    skeleton = _without_payloads(model)
    while True:
        try:
            skeleton = onnx.shape_inference.infer_shapes(skeleton, data_prop=True)
        except onnx.shape_inference.InferenceError as error:
            reason = str(error).splitlines()[0]
            repair = "the model is inconsistent: export it again"
            raise fail("ONX006", f"shape inference failed: {reason}", span, repair) from error
        if not _infer_contrib(skeleton.graph):
            break
    for name in ("value_info", "output"):
        model.graph.ClearField(name)
        getattr(model.graph, name).extend(getattr(skeleton.graph, name))


def _without_payloads(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which large initializers are inputs: same types and shapes, no data."""
    import onnx

    skeleton = onnx.ModelProto()
    skeleton.ir_version = max(model.ir_version, 4)
    skeleton.opset_import.extend(model.opset_import)
    imported = {opset.domain for opset in model.opset_import}
    for domain in dict.fromkeys(n.domain for n in model.graph.node if n.domain):
        if domain in imported:
            continue
        skeleton.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    graph = skeleton.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    declared = {value.name for value in graph.input}
    for tensor in model.graph.initializer:
        if tensor.external_data or int(np.prod(tensor.dims)) > _LARGE_ELEMENTS:
            if tensor.name not in declared:
                graph.input.append(
                    onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                )
        else:
            graph.initializer.append(tensor)
    return skeleton


def _infer_contrib(graph: onnx.GraphProto) -> bool:
    """Add shapes of `com.microsoft` outputs that are known now; whether there were any."""
    import onnx

    shapes = {t.name: tuple(t.dims) for t in graph.initializer}
    types = {t.name: t.data_type for t in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        shape = fixed_shape(value.type.tensor_type)
        types.setdefault(value.name, value.type.tensor_type.elem_type)
        if shape is not None:
            shapes[value.name] = shape
    outputs = {value.name: value for value in graph.output}
    found = False
    for node in graph.node:
        if node.domain != "com.microsoft" or not node.output or node.output[0] in shapes:
            continue
        shape = _contrib_shape(node, shapes)
        if shape is None:
            continue
        name = node.output[0]
        element = types.get(name) or _contrib_type(node, types)
        info = onnx.helper.make_tensor_value_info(name, element, shape)
        if name in outputs:
            outputs[name].CopyFrom(info)
        else:
            stale = [i for i, v in enumerate(graph.value_info) if v.name == name]
            for index in reversed(stale):
                del graph.value_info[index]
            graph.value_info.append(info)
        shapes[name], types[name] = shape, element
        found = True
    return found


def _contrib_type(node: onnx.NodeProto, types: dict[str, int]) -> int:
    import onnx

    if node.op_type == "QGemm" and len(node.input) <= 7:
        return int(onnx.TensorProto.FLOAT)
    return types.get(node.input[2 if node.op_type == "QLinearConcat" else 0], 0)


def _contrib_shape(
    node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]
) -> tuple[int, ...] | None:
    """Output shape of a `com.microsoft` node, None when unknown."""
    operator = node.op_type
    if operator == "QLinearConcat":
        return _concatenated(node, [shapes.get(name) for name in node.input[2::3]])
    first = shapes.get(node.input[0]) if node.input else None
    if first is None:
        return None
    if operator in _SAME_SHAPE:
        return first
    if operator in _BROADCAST:
        second = shapes.get(node.input[3]) if len(node.input) > 3 else None
        try:
            return None if second is None else tuple(np.broadcast_shapes(first, second))
        except ValueError:  # the reader of the node says what does not fit
            return None
    if operator in _POOLS:
        return _pooled(node, first)
    if operator == "QGemm" and len(node.input) > 3 and node.input[3] in shapes:
        return _product(node, first, shapes[node.input[3]])
    return None


def _integer(node: onnx.NodeProto, name: str, default: int = 0) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _concatenated(
    node: onnx.NodeProto, parts: list[tuple[int, ...] | None]
) -> tuple[int, ...] | None:
    """The shape of the parts one after the other."""
    known = [part for part in parts if part]
    ranks = {len(part) for part in known}
    axis = _integer(node, "axis", 1)
    if len(ranks) != 1 or len(known) < len(parts) or not -max(ranks) <= axis < max(ranks):
        return None
    axis %= max(ranks)
    return (*known[0][:axis], sum(part[axis] for part in known), *known[0][axis + 1 :])


def _pooled(node: onnx.NodeProto, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a pool of an image."""
    last = bool(_integer(node, "channels_last")) or node.op_type == "NhwcMaxPool"
    spatial = shape[1:-1] if last else shape[2:]
    if node.op_type == "QLinearGlobalAveragePool":
        output = (1,) * len(spatial)
    else:
        attributes = {a.name: list(a.ints) or a.i for a in node.attribute if a.name != "auto_pad"}
        attributes |= {a.name: a.s.decode() for a in node.attribute if a.name == "auto_pad"}
        try:
            output = read_pool(Node("", node.op_type, "", (), (), attributes), spatial).output
        except RefusalError:
            return None  # told when the node is read
    return (shape[0], *output, shape[-1]) if last else (*shape[:2], *output)


def _product(
    node: onnx.NodeProto, first: tuple[int, ...], second: tuple[int, ...]
) -> tuple[int, ...] | None:
    if len(first) != 2 or len(second) != 2:
        return None
    rows = first[1] if _integer(node, "transA") else first[0]
    return (rows, second[0] if _integer(node, "transB") else second[1])
