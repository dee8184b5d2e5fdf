"""QDQ and QOperator spellings of one model become one codelet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from covenant.codelets.registry import build
from covenant.frontend import read_model
from onnx_models import Case, float_conv, float_gemm, float_matmul, quantised
from reference_runs import assert_equals_onnxruntime, assert_same_layers, interpreted, lowered

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "per_channel": {"per_channel": True},
    "int8": {"activations": "QInt8"},
    "int8_symmetric": {"activations": "QInt8", "symmetric": True},
    "uint8_weights": {"weights": "QUInt8"},
}


def _float_layer(kind: str, activation: str) -> Case:
    rng = np.random.default_rng(3)
    if kind == "conv":
        return float_conv(rng, (1, 8, 7, 9), (6, 8, 3, 3), activation=activation, pads=[1] * 4)
    return float_gemm(rng, 5, 9, 20, activation=activation)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("activation", ["", "Relu", "Clip"])
@pytest.mark.parametrize("kind", ["conv", "gemm"])
def test_both_formats_become_equal_codelets(
    kind: str, activation: str, options: str, tmp_path: Path
) -> None:
    case = _float_layer(kind, activation)
    styles = [quantised(case, style, **OPTIONS[options]) for style in ("QDQ", "QOperator")]
    assert_same_layers(*(lowered(style, tmp_path)[1] for style in styles))


@pytest.mark.parametrize("style", ["QDQ", "QOperator"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("activation", ["", "Relu", "Clip"])
def test_quantised_convolution_runs_from_float_to_float(
    activation: str, options: str, style: str, tmp_path: Path
) -> None:
    case = quantised(_float_layer("conv", activation), style, **OPTIONS[options])
    assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("options", ["default", "per_channel"])
def test_both_formats_of_matmul_become_equal_codelets(options: str, tmp_path: Path) -> None:
    case = float_matmul(np.random.default_rng(3), (2, 5, 20), (20, 9))
    styles = [quantised(case, style, **OPTIONS[options]) for style in ("QDQ", "QOperator")]
    assert_same_layers(*(lowered(style, tmp_path)[1] for style in styles))


def _qdq_case(nodes: list[Any], stored: dict[str, Any]) -> Case:
    """x uint8[1,3,6,6] -> … -> y, a tensor of the kind the last node writes."""
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 6, 6), dtype=np.uint8)
    graph = helper.make_graph(
        nodes,
        "qdq",
        [helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, x.shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return Case("qdq", helper.make_model(graph, opset_imports=opsets, ir_version=9), {"x": x})


def _parameters(bias: Any = None) -> dict[str, Any]:
    w = np.random.default_rng(1).integers(-128, 128, (4, 3, 3, 3), dtype=np.int8)
    stored = {
        "s": np.float32(0.05),
        "z": np.uint8(120),
        "w": w,
        "sw": np.float32(0.01),
        "zw": np.int8(3),
        "sy": np.float32(0.4),
        "zy": np.uint8(100),
    }
    return stored if bias is None else stored | {"bias": bias}


_HEAD = [
    helper.make_node("DequantizeLinear", ["x", "s", "z"], ["xf"], name="dx"),
    helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wf"], name="dw"),
]


def _conv(*inputs: str) -> Any:
    return helper.make_node("Conv", ["xf", "wf", *inputs], ["c"], name="conv")


def test_float_bias_is_quantised_to_the_accumulator(tmp_path: Path) -> None:
    unit = np.float32(0.05) * np.float32(0.01)
    steps = np.array([100, -2000, 7, 0], np.int32)
    bias = (steps * unit).astype(np.float32)
    tail = helper.make_node("QuantizeLinear", ["c", "sy", "zy"], ["y"], name="q")
    case = _qdq_case([*_HEAD, _conv("bias"), tail], _parameters(bias))
    _, (layer,) = lowered(case, tmp_path)
    np.testing.assert_array_equal(layer.constants["bias"], steps.reshape(1, 4))


@pytest.mark.parametrize("activation", ["Relu", "Clip"])
def test_activation_after_equal_requantisation_is_a_clamp(activation: str, tmp_path: Path) -> None:
    limits = {"lo": np.float32(-1.0), "hi": np.float32(2.2)} if activation == "Clip" else {}
    nodes = [
        *_HEAD,
        _conv(),
        helper.make_node("QuantizeLinear", ["c", "sy", "zy"], ["q1"], name="q1"),
        helper.make_node("DequantizeLinear", ["q1", "sy", "zy"], ["d1"], name="d1"),
        helper.make_node(activation, ["d1", *limits], ["r"], name="r"),
        helper.make_node("QuantizeLinear", ["r", "sy", "zy"], ["y"], name="q2"),
    ]
    case = _qdq_case(nodes, _parameters() | limits)
    model, (layer,) = lowered(case, tmp_path)
    wanted = "100, 255)" if activation == "Relu" else "98, 106)"  # rint(-1/0.4)+100 = 98
    assert str(layer.codelet.steps[1]).endswith(wanted)
    assert model.layers[0].nodes == ("dx", "dw", "conv", "q1", "d1", "r", "q2")
    assert_equals_onnxruntime(case, tmp_path)


def test_activation_between_different_scales_keeps_both_roundings(tmp_path: Path) -> None:
    nodes = [
        *_HEAD,
        _conv(),
        helper.make_node("QuantizeLinear", ["c", "sy", "zy"], ["q1"], name="q1"),
        helper.make_node("DequantizeLinear", ["q1", "sy", "zy"], ["d1"], name="d1"),
        helper.make_node("Relu", ["d1"], ["r"], name="r"),
        helper.make_node("QuantizeLinear", ["r", "s2", "z2"], ["y"], name="q2"),
    ]
    extra = {"s2": np.float32(0.13), "z2": np.uint8(0)}
    case = _qdq_case(nodes, _parameters() | extra)
    unoptimised = case.expected(optimised=False)["y"]
    np.testing.assert_array_equal(interpreted(case, tmp_path)["y"], unoptimised)


@pytest.mark.parametrize("rescaled", [True, False])
@pytest.mark.parametrize("bounds", [(-1.0, 2.2), (-1.2, 2.0), (0.1, 0.3), (-900.0, 900.0)])
def test_clip_between_two_steps_of_the_scale_before_it_is_exact(
    rescaled: bool, bounds: tuple[float, float], tmp_path: Path
) -> None:
    nodes = [
        *_HEAD,
        _conv(),
        helper.make_node("QuantizeLinear", ["c", "sy", "zy"], ["q1"], name="q1"),
        helper.make_node("DequantizeLinear", ["q1", "sy", "zy"], ["d1"], name="d1"),
        helper.make_node("Clip", ["d1", "lo", "hi"], ["r"] if rescaled else ["y"], name="r"),
    ]
    if rescaled:
        nodes.append(helper.make_node("QuantizeLinear", ["r", "s2", "z2"], ["y"], name="q2"))
    extra = {"s2": np.float32(0.013), "z2": np.uint8(90)}
    limits = dict(zip(("lo", "hi"), map(np.float32, bounds), strict=True))
    case = _qdq_case(nodes, _parameters() | extra | limits)
    unoptimised = case.expected(optimised=False)["y"]
    np.testing.assert_array_equal(interpreted(case, tmp_path)["y"], unoptimised)


@pytest.mark.parametrize("op_type", ["Gemm", "MatMul"])
@pytest.mark.parametrize("view", ["Flatten", "Reshape"])
def test_product_reads_a_view_that_is_not_quantised_again(
    op_type: str, view: str, tmp_path: Path
) -> None:
    shape = {"Reshape": ["shape"], "Flatten": []}[view]
    nodes = [
        *_HEAD,
        helper.make_node(view, ["xf", *shape], ["v"], name="view"),
        helper.make_node(op_type, ["v", "wf"], ["c"], name="product"),
        helper.make_node("QuantizeLinear", ["c", "sy", "zy"], ["y"], name="q"),
    ]
    weights = np.random.default_rng(2).integers(-128, 128, (108, 5), dtype=np.int8)
    stored = _parameters() | {"w": weights, "shape": np.array([1, 108])}
    assert_equals_onnxruntime(_qdq_case(nodes, stored), tmp_path)


def test_float_model_is_accepted_as_assumed_int8(tmp_path: Path) -> None:
    case = float_conv(np.random.default_rng(0), (1, 3, 8, 8), (4, 3, 3, 3), activation="Relu")
    model = read_model(case.save(tmp_path))
    (layer,) = model.layers
    assert layer.assumed_int8
    assert layer.nodes == ("conv", "relu")
    assert layer.outputs["y"].name == "y"
    assert not model.unsupported
    lowered_layer = build(layer)
    roles = [str(t.role) for t in lowered_layer.codelet.tensors]
    assert roles == ["input", "constant", "constant", "constant", "output", "local"]
    assert not lowered_layer.constants
