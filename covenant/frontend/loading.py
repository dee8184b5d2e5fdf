"""The only file that knows the `onnx` package: from a model file to a `Graph` with inferred shapes.

In: a path, shapes of dynamic inputs, values of quantisation parameters that are graph inputs. Out:
a `Graph`; CovenantError ONX001..ONX006 when the file as a whole cannot be used. `onnx` is imported
when a model is loaded, so that commands without a model start quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covenant.core.diagnostics import (
    CovenantError,
    Diagnostic,
    Span,
    did_you_mean,
    fail,
    printable,
)
from covenant.frontend.graph import Graph, Node
from covenant.frontend.inference import fixed_shape, infer_shapes
from covenant.frontend.model import GraphTensor

if TYPE_CHECKING:
    import onnx

_NUMPY_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}
_CONSTANTS: dict[str, type[np.generic] | None] = {
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
"""Attributes of a Constant node and the type they imply."""


def load_graph(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    parameters: Mapping[str, NDArray[Any]],
) -> Graph:
    """Read, fix input shapes, infer the others and index the graph."""
    model = _parse(path)
    try:
        _fix_inputs(model, path, shapes)
        infer_shapes(model, Span(str(path)))
        return _graph(model.graph, path, parameters)
    except UnicodeDecodeError as error:
        raise _not_onnx(path) from error


def _graph(graph: onnx.GraphProto, path: Path, parameters: Mapping[str, NDArray[Any]]) -> Graph:
    """The graph with its tensors, constants and edges indexed."""
    dtypes, known = _types(graph)
    payloads = {tensor.name: _stored(tensor, path) for tensor in graph.initializer}
    for tensor in graph.initializer:
        dtypes[tensor.name], known[tensor.name] = _dtype(tensor.data_type), tuple(tensor.dims)
    nodes = _nodes(graph, path)
    given = {name: value for name, value in parameters.items() if name in dtypes}
    for node in nodes:
        value = _constant(node)
        if value is not None:
            given[node.outputs[0]] = value
    for name, value in given.items():
        payloads[name] = _given(value)
        known[name], dtypes[name] = tuple(value.shape), str(value.dtype)
    consumers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in dict.fromkeys(i for i in node.inputs if i):
            consumers.setdefault(name, []).append(node)
    stored = {tensor.name for tensor in graph.initializer}
    return Graph(
        file=str(path),
        nodes=nodes,
        inputs=_tensors([i for i in graph.input if i.name not in stored], dtypes, known),
        outputs=_tensors(graph.output, dtypes, known),
        shapes=known,
        dtypes=dtypes,
        payloads=payloads,
        producers={output: node for node in nodes for output in node.outputs if output},
        consumers={name: tuple(readers) for name, readers in consumers.items()},
        quantised=not {"int8", "uint8"}.isdisjoint(dtypes.values()),
    )


def _parse(path: Path) -> onnx.ModelProto:
    """The model without its external data; local functions inlined."""
    import onnx  # lazily: see the module docstring
    import onnx.inliner
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        model = onnx.ModelProto()
    if not model.graph.node or not model.ir_version:
        raise _not_onnx(path)
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def _unreadable(path: Path, error: OSError) -> CovenantError:
    """No such file, a directory, no permission."""
    if isinstance(error, FileNotFoundError):
        return fail("ONX002", "there is no such file", Span(str(path)), _neighbours(path))
    message = f"the file cannot be read: {error.strerror}"
    return fail("ONX002", message, Span(str(path)), "give the path of an .onnx file")


def _not_onnx(path: Path) -> CovenantError:
    message = f"not an ONNX model, cut short or damaged ({path.stat().st_size} bytes)"
    return fail("ONX001", message, Span(str(path)), "export or download it again")


def _neighbours(path: Path) -> str:
    """Which model the user may have meant."""
    folder = path.parent
    names = [p.name for p in folder.glob("*.onnx")] if folder.is_dir() else []
    return did_you_mean(path.name, names) if names else "give the path of an .onnx file"


def _fix_inputs(model: onnx.ModelProto, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Write the given shapes into the graph inputs; every dim must be known then."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = {i.name: i for i in model.graph.input if i.name not in stored}
    findings: list[Diagnostic] = []
    span = Span(str(path))
    for name, shape in shapes.items():
        if name not in inputs:
            message = f"--shape names {name!r}, which is no input of the model"
            findings.append(Diagnostic("ONX005", message, span, did_you_mean(name, inputs)))
            continue
        declared = inputs[name].type.tensor_type
        if declared.HasField("shape") and len(declared.shape.dim) != len(shape):
            message = f"--shape gives {name!r} {len(shape)} dims, it has {len(declared.shape.dim)}"
            findings.append(Diagnostic("ONX005", message, span, f"declared: {_spelled(declared)}"))
            continue
        declared.shape.ClearField("dim")
        for extent in shape:
            declared.shape.dim.add().dim_value = extent
    if shapes:
        model.graph.ClearField("value_info")
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
    for name, value in inputs.items():
        if value.type.HasField("tensor_type") and fixed_shape(value.type.tensor_type) is None:
            findings.append(_dynamic(name, value.type.tensor_type, span))
    if findings:
        raise CovenantError(findings)


def _dynamic(name: str, declared: onnx.TypeProto.Tensor, span: Span) -> Diagnostic:
    dims = [str(max(1, d.dim_value)) for d in declared.shape.dim] or ["1", "…"]
    message = f"input {name!r} has dynamic dims {_spelled(declared)}"
    return Diagnostic("ONX004", message, span, f"type --shape {name}={','.join(dims)}")


def _spelled(declared: onnx.TypeProto.Tensor) -> str:
    if not declared.HasField("shape"):
        return "[unknown rank]"
    dims = [str(d.dim_value) if d.dim_value > 0 else d.dim_param or "?" for d in declared.shape.dim]
    return f"[{', '.join(dims)}]"


def _types(graph: onnx.GraphProto) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Element types and fixed shapes of everything that shape inference knows."""
    dtypes: dict[str, str] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for value in (*graph.value_info, *graph.output, *graph.input):
        declared = value.type.tensor_type
        if declared.elem_type:
            dtypes[value.name] = _dtype(declared.elem_type)
        shape = fixed_shape(declared)
        if shape is not None:
            shapes[value.name] = shape
    return dtypes, shapes


def _dtype(number: int) -> str:
    import onnx

    if number not in onnx.TensorProto.DataType.values():
        return f"number {number}"
    name = str(onnx.TensorProto.DataType.Name(number))
    return _NUMPY_NAMES.get(name, name.lower())


def _given(value: NDArray[Any]) -> Callable[[], NDArray[Any]]:
    return lambda: value


def _stored(tensor: onnx.TensorProto, path: Path) -> Callable[[], NDArray[Any]]:
    """A loader of an initializer; ONX003 when its external file is missing or unreadable."""

    def load() -> NDArray[Any]:
        places = {entry.key: entry.value for entry in tensor.external_data}
        file = path.parent / places.get("location", "")
        if places and not file.is_file():
            message = f"the external data file {str(file)!r} of {tensor.name!r} is missing"
            raise fail("ONX003", message, Span(str(path)), "put it beside the model")
        return _array(tensor, tensor.name, path)

    return load


def _array(tensor: onnx.TensorProto, name: str, path: Path) -> NDArray[Any]:
    """The payload of a tensor; ONX003 when it cannot be read."""
    import onnx

    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor, str(path.parent)))
    except (ValueError, TypeError, KeyError, onnx.checker.ValidationError) as error:
        reason = (str(error).splitlines() or [""])[0]
        message = f"the data of {name!r} cannot be read: {reason}"
        raise fail("ONX003", message, Span(str(path)), "export the model again") from error


def _nodes(graph: onnx.GraphProto, path: Path) -> tuple[Node, ...]:
    """The nodes; ONNX does not promise distinct names, so later ones are numbered."""
    seen: dict[str, int] = {}
    nodes: list[Node] = []
    for proto in graph.node:
        name = proto.name or next((o for o in proto.output if o), proto.op_type)
        count = seen[name] = seen.get(name, 0) + 1
        nodes.append(_node(proto, name if count == 1 else f"{name}#{count}", path))
    return tuple(nodes)


def _node(proto: onnx.NodeProto, name: str, path: Path) -> Node:
    import onnx

    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        value = onnx.helper.get_attribute_value(attribute) if attribute.type else None
        match value:
            case bytes():
                attributes[attribute.name] = value.decode()
            case onnx.TensorProto():
                attributes[attribute.name] = _array(value, name, path)
            case _:
                attributes[attribute.name] = value
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    inputs, outputs = tuple(proto.input), tuple(proto.output)
    # str: names that are not UTF-8 arrive as bytes
    operator, shown = printable(str(proto.op_type)), printable(str(name))
    return Node(shown, operator, domain, inputs, outputs, attributes)


def _constant(node: Node) -> NDArray[Any] | None:
    """Payload of a Constant node, however it is spelled."""
    if node.op_type != "Constant" or not node.outputs:
        return None
    for name, kind in _CONSTANTS.items():
        if name in node.attributes:
            return np.asarray(node.attributes[name], kind)
    return None


def _tensors(
    values: Any, dtypes: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[GraphTensor, ...]:
    return tuple(
        GraphTensor(v.name, dtypes.get(v.name, "unknown"), shapes.get(v.name, ())) for v in values
    )
