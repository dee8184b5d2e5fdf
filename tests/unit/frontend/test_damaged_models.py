"""No model file, however damaged, leads to anything but a layer, a refusal or a diagnostic."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from covenant.codelets.registry import build
from covenant.core.diagnostics import CovenantError
from covenant.frontend import read_model
from onnx_nodes import random_layer

seeds = st.integers(0, 2**32 - 1)


def _codes(content: bytes) -> list[str]:
    """Codes of the diagnostics that reading and lowering the file lead to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(content)
        try:
            model = read_model(path)
        except CovenantError as error:
            return [diagnostic.code for diagnostic in error.diagnostics]
        for layer in model.layers:
            build(layer)
        return [node.code for node in model.unsupported]


@given(seed=st.integers(0, 15), cut=st.floats(0, 1))
def test_a_model_cut_short_is_diagnosed(seed: int, cut: float) -> None:
    content = random_layer(seed).model.SerializeToString()
    assert all(code.startswith("ONX") for code in _codes(content[: int(cut * len(content))]))


@given(seed=st.integers(0, 15), damage=seeds, count=st.integers(1, 6))
def test_a_model_with_flipped_bytes_is_diagnosed(seed: int, damage: int, count: int) -> None:
    content = bytearray(random_layer(seed).model.SerializeToString())
    rng = np.random.default_rng(damage)
    for position in rng.integers(0, len(content), count):
        content[position] = rng.integers(256)
    assert all(code.startswith("ONX") for code in _codes(bytes(content)))


def _edited(**stored: object) -> bytes:
    """A QDQ convolution with a bias, with some of its constants replaced or, by None, removed."""
    payloads = {
        "s": np.float32(0.1),
        "w": np.ones((4, 3, 3, 3), np.int8),
        "ws": np.full(4, 0.1, np.float32),
        "b": np.ones(4, np.int32),
        "bs": np.full(4, 0.01, np.float32),
    } | stored
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s"], ["xf"], name="dx"),
        helper.make_node("DequantizeLinear", ["w", "ws"], ["wf"], axis=0, name="dw"),
        helper.make_node("DequantizeLinear", ["b", "bs"], ["bf"], axis=0, name="db"),
        helper.make_node("Conv", ["xf", "wf", "bf"], ["c"], name="conv"),
        helper.make_node("QuantizeLinear", ["c", "s"], ["y"], name="q"),
    ]
    graph = helper.make_graph(
        nodes,
        "edited",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 3, 6, 6])],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in payloads.items() if v is not None],
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        ({"bs": np.full(3, 0.01, np.float32)}, "ONX013"),
        ({"ws": np.full(3, 0.1, np.float32)}, "ONX013"),
        ({"w": np.ones((), np.int8), "ws": np.float32(0.1)}, "ONX016"),
        ({"w": np.ones((4, 3), np.int8)}, "ONX016"),
        ({"ws": np.full(4, -0.1, np.float32)}, "ONX019"),
        ({"s": None}, "ONX012"),
    ],
)
def test_a_constant_that_does_not_fit_is_refused(stored: dict[str, object], code: str) -> None:
    assert _codes(_edited(**stored)) == [code]


@pytest.mark.parametrize("operator", ["QuantizeLinear", "Identity"])
def test_an_operator_without_its_inputs_is_no_constant(operator: str) -> None:
    node = helper.make_node(operator, ["s"] if operator == "QuantizeLinear" else [], ["c"])
    view = helper.make_node("Conv", ["x", "c"], ["y"], name="conv")
    scale = numpy_helper.from_array(np.asarray(0.1, np.float32), "s")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6, 6])]
    outputs = [helper.make_empty_tensor_value_info("y")]
    graph = helper.make_graph([node, view], "short", inputs, outputs, [scale])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    assert all(code.startswith("ONX") for code in _codes(model.SerializeToString()))
