"""Running models through frontend, codelets and interpreter, next to ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.interpret import run_layer
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.registry import build
from covenant.frontend import Model, graph_outputs, layer_inputs, read_model
from onnx_nodes import Case

Array = NDArray[Any]


def lowered(case: Case, folder: Path) -> tuple[Model, list[LoweredLayer]]:
    """The model of a case and its layers as codelets; nothing may be unsupported."""
    model = read_model(case.save(folder), {}, case.inputs)
    assert not model.unsupported, model.unsupported
    return model, [build(layer) for layer in model.layers]


def interpreted(case: Case, folder: Path) -> dict[str, Array]:
    """Graph outputs of a case by ONNX name, from the codelet interpreter and the host functions."""
    model, layers = lowered(case, folder)
    tensors = dict(case.inputs)
    for layer, codelet in zip(model.layers, layers, strict=True):
        results = run_layer(codelet, layer_inputs(model, layer, tensors))
        tensors |= {layer.outputs[role].name: array for role, array in results.items()}
    return graph_outputs(model, tensors)


def assert_equals_onnxruntime(case: Case, folder: Path) -> None:
    """Every output has the shape, type and elements that ONNX Runtime computes."""
    ours, theirs = interpreted(case, folder), case.expected()
    assert ours.keys() == theirs.keys()
    for name, wanted in theirs.items():
        assert ours[name].shape == wanted.shape
        assert ours[name].dtype == wanted.dtype
        np.testing.assert_array_equal(ours[name], wanted)


def assert_same_layers(left: list[LoweredLayer], right: list[LoweredLayer]) -> None:
    """Equal codelets (but for names) and equal constants."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert one.codelet.dims == other.codelet.dims
        assert one.codelet.tensors == other.codelet.tensors
        assert one.codelet.steps == other.codelet.steps
        assert one.constants.keys() == other.constants.keys()
        for name, values in one.constants.items():
            np.testing.assert_array_equal(values, other.constants[name])
