"""The text form of a model: its layers with operands and quantisation, and what is no layer.

In: a `Model`. Out: text for people, goldens and `--dump-after`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from covenant.core.layer import Layer, LayerTensor
from covenant.frontend.model import GraphTensor, Model


def print_model(model: Model) -> str:
    """All of the model but the payloads of constants, ending in a newline."""
    lines = [f"model {_quoted(model.file)}"]
    lines += [f"  input {_graph_tensor(tensor)}" for tensor in model.inputs]
    lines += [f"  output {_graph_tensor(tensor)}" for tensor in model.outputs]
    for layer in model.layers:
        lines += [f"  {line}" for line in _layer(layer)]
    for boundary in model.boundaries:
        verb = "quantise" if boundary.quantises else "dequantise"
        source, target = _quoted(boundary.source), _quoted(boundary.target)
        lines.append(f"  host {verb} {source} -> {target}")
    for alias in model.aliases:
        shape = ",".join(map(str, alias.shape))
        lines.append(f"  alias {_quoted(alias.source)} -> {_quoted(alias.target)}[{shape}]")
    for join in model.joins:
        parts = " ".join(map(_quoted, join.parts))
        lines.append(f"  join {parts} -> {_quoted(join.target)} axis={join.axis}")
    for node in model.unsupported:
        lines.append(f"  unsupported {node.op_type} {_quoted(node.node)}: {node.reason}")
    return "\n".join(lines) + "\n"


def _layer(layer: Layer) -> Iterator[str]:
    assumed = " assumed_int8" if layer.assumed_int8 else ""
    yield f"layer {layer.family} {_quoted(layer.name)} from {layer.op_type}{assumed}"
    for role, tensor in (*layer.inputs.items(), *layer.outputs.items()):
        yield f"  {role} {_tensor(tensor)}"
    for name, value in layer.attributes.items():
        text = str(value) if isinstance(value, int) else ",".join(map(str, value))
        yield f"  {name}={text}"
    if layer.alpha != 1.0:
        yield f"  alpha={layer.alpha:.9g}"
    yield f"  nodes {' '.join(map(_quoted, layer.nodes))}"


def _tensor(tensor: LayerTensor) -> str:
    shape = ",".join(map(str, tensor.shape))
    text = f"{tensor.dtype}[{shape}] {_quoted(tensor.name)}"
    if tensor.quantisation is not None:
        scale, zero_point = tensor.quantisation.scale, tensor.quantisation.zero_point
        text += f" scale={_values(scale)} zero={_values(zero_point)}"
    return text + (" constant" if tensor.constant else "")


def _values(values: NDArray[np.float32] | NDArray[np.int64]) -> str:
    """One value, or the range of several."""
    low, high = values.min(), values.max()
    if low == high:
        return f"{low:.9g}"
    return f"{low:.9g}..{high:.9g}"


def _graph_tensor(tensor: GraphTensor) -> str:
    return f"{tensor.dtype}[{','.join(map(str, tensor.shape))}] {_quoted(tensor.name)}"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
