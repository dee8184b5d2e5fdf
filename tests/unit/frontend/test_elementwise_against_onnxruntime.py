"""Pools, functions by table and moves compute what ONNX Runtime computes, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_nodes import Case
from quantised_nodes import Scale, integer, node, qdq, qlinear, random_scale
from reference_runs import assert_equals_onnxruntime, interpreted, lowered

TYPES = ("uint8", "int8")
IMAGE = (2, 3, 11, 9)

WINDOWS: dict[str, dict[str, Any]] = {
    "plain": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "padded": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "asymmetric": {"kernel_shape": [3, 2], "strides": [1, 3], "pads": [2, 0, 1, 1]},
    "ceil": {"kernel_shape": [3, 3], "strides": [3, 2], "ceil_mode": 1, "pads": [0, 1, 1, 0]},
    "ceil_starts_outside": {"kernel_shape": [1, 2], "strides": [7, 4], "ceil_mode": 1},
    "same_upper": {"kernel_shape": [4, 3], "strides": [3, 2], "auto_pad": "SAME_UPPER"},
    "same_lower": {"kernel_shape": [4, 3], "strides": [3, 2], "auto_pad": "SAME_LOWER"},
    "valid": {"kernel_shape": [4, 3], "auto_pad": "VALID"},
    "whole": {"kernel_shape": [11, 9]},
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(17)


def _image(rng: np.random.Generator, dtype: str, shape: tuple[int, ...] = IMAGE) -> Any:
    quant = random_scale(rng, dtype)
    return quant.integers(rng, shape), quant


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("window", WINDOWS)
def test_max_pool_equals_onnxruntime(
    window: str, dtype: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    x, quant = _image(rng, dtype)
    # the lowest value too: what lies outside must never win
    x = np.minimum(x, np.iinfo(dtype).min + 3).astype(dtype)
    assert_equals_onnxruntime(integer("MaxPool", x, **WINDOWS[window]), tmp_path)
    assert_equals_onnxruntime(qdq("MaxPool", [(x, quant)], [quant], **WINDOWS[window]), tmp_path)


def test_dilated_max_pool_equals_onnxruntime(rng: np.random.Generator, tmp_path: Path) -> None:
    x, _ = _image(rng, "int8")
    case = integer("MaxPool", x, kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 0, 1])
    assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("shape", [(2, 5, 13), (1, 2, 5, 6, 7)], ids=["1d", "3d"])
def test_max_pool_of_any_rank_equals_onnxruntime(
    shape: tuple[int, ...], rng: np.random.Generator, tmp_path: Path
) -> None:
    x, _ = _image(rng, "uint8", shape)
    axes = len(shape) - 2
    case = integer("MaxPool", x, kernel_shape=[3] * axes, strides=[2] * axes, pads=[1] * 2 * axes)
    assert_equals_onnxruntime(case, tmp_path)


def test_pool_to_another_scale_is_a_pool_and_a_table(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    x, quant = _image(rng, "uint8")
    case = qdq("MaxPool", [(x, quant)], [Scale(0.07, 9)], **WINDOWS["padded"])
    _, layers = lowered(case, tmp_path)
    assert [layer.codelet.operation for layer in layers] == ["pool", "table"]
    assert_equals_onnxruntime(case, tmp_path)


def test_global_max_pool_equals_onnxruntime(rng: np.random.Generator, tmp_path: Path) -> None:
    x, quant = _image(rng, "int8")
    assert_equals_onnxruntime(qdq("GlobalMaxPool", [(x, quant)], [quant]), tmp_path)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels_last", [0, 1])
def test_global_average_pool_equals_onnxruntime(
    channels_last: int, dtype: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    for size in ((7, 7), (2, 2), (8, 4), (1, 1), (5, 3)):
        for exact in (False, True):
            x, quant = _image(rng, dtype, (3, 64, *size) if not channels_last else (3, *size, 64))
            out = random_scale(rng, dtype, 0.3)
            if exact:  # ties occur
                quant, out = Scale(0.5, quant.point, dtype), Scale(0.25, out.point | 1, dtype)
            case = qlinear(
                "QLinearGlobalAveragePool", [(x, quant)], out, channels_last=channels_last
            )
            assert_equals_onnxruntime(case, tmp_path)


FUNCTIONS: dict[str, dict[str, Any]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.13},
    "Sigmoid": {},
    "Tanh": {},
    "Elu": {"alpha": 0.7},
    "Selu": {},
    "Celu": {"alpha": 0.4},
    "HardSigmoid": {"alpha": 0.3},
    "HardSwish": {},
    "Softplus": {},
    "Softsign": {},
    "Exp": {},
    "Erf": {},
    "Abs": {},
    "Neg": {},
    "Sin": {},
    "Floor": {},
    "Ceil": {},
    "Round": {},
    "Sign": {},
    "Gelu": {},
    "Mish": {},
    "ThresholdedRelu": {"alpha": 0.2},
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_by_table_equals_onnxruntime(
    function: str, dtype: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    for _ in range(3):
        quant, out = random_scale(rng, dtype), random_scale(rng, dtype, 0.5)
        x = np.arange(256, dtype=np.uint8).view(dtype).reshape(2, 8, 16)
        case = qdq(function, [(x, quant)], [out], **FUNCTIONS[function])
        model, (layer,) = lowered(case, tmp_path)
        assert layer.codelet.operation == "table"
        assert not model.unsupported
        assert_equals_onnxruntime(case, tmp_path)


BODIES: dict[str, list[Any]] = {
    "silu": [node("Sigmoid", "a", "s"), node("Mul", "as", "r")],
    "hard_swish_of_clip": [
        node("Add", ["a", "three"], "p"),
        node("Clip", ["p", "zero", "six"], "c"),
        node("Mul", "ac", "m"),
        node("Div", ["m", "six"], "r"),
    ],
    "gelu_of_erf": [
        node("Div", ["a", "root"], "d"),
        node("Erf", "d", "e"),
        node("Add", ["e", "one"], "f"),
        node("Mul", "af", "g"),
        node("Mul", ["g", "half"], "r"),
    ],
    "gelu_of_tanh": [
        node("Pow", ["a", "three"], "u"),
        node("Mul", ["u", "small"], "v"),
        node("Add", "av", "w"),
        node("Mul", ["w", "slope"], "t"),
        node("Tanh", "t", "h"),
        node("Add", ["one", "h"], "i"),
        node("Mul", "ai", "j"),
        node("Mul", ["j", "half"], "r"),
    ],
    "softplus_of_log": [
        node("Exp", "a", "e"),
        node("Add", ["e", "one"], "f"),
        node("Log", "f", "r"),
    ],
    "scaled": [node("Mul", ["a", "half"], "b"), node("Sub", ["one", "b"], "r")],
}
CONSTANTS = {
    "three": 3.0,
    "zero": 0.0,
    "six": 6.0,
    "root": 2.0**0.5,
    "one": 1.0,
    "half": 0.5,
    "small": 0.044715,
    "slope": 0.7978845608,
}


def _with_constants(case: Case) -> Case:
    used = {name for each in case.model.graph.node for name in each.input}
    for name, value in CONSTANTS.items():
        if name in used:
            tensor = np.asarray(value, np.float32)
            case.model.graph.initializer.append(_stored(tensor, name))
    return case


def _stored(array: Any, name: str) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(array, name)


@pytest.mark.parametrize("body", BODIES)
def test_expression_of_one_tensor_is_one_table(
    body: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    quant, out = random_scale(rng, "int8"), random_scale(rng, "int8", 0.7)
    x = np.arange(256, dtype=np.uint8).view(np.int8).reshape(1, 16, 4, 4)
    case = _with_constants(qdq("", [(x, quant)], [out], body=BODIES[body]))
    model, (layer,) = lowered(case, tmp_path)
    assert layer.codelet.operation == "table"
    assert len(model.layers[0].nodes) == len(BODIES[body]) + 2
    assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("dtype", TYPES)
def test_qlinear_functions_equal_onnxruntime(
    dtype: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    x = np.arange(256, dtype=np.uint8).view(dtype).reshape(4, 64)
    for _ in range(10):
        quant, out = random_scale(rng, dtype), random_scale(rng, dtype, 0.3)
        for case in (
            qlinear("QLinearSigmoid", [(x, quant)], out),
            qlinear("QLinearLeakyRelu", [(x, quant)], out, alpha=0.07),
        ):
            assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("source", TYPES)
@pytest.mark.parametrize("target", TYPES)
def test_requantising_equals_onnxruntime(
    source: str, target: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    x = np.arange(256, dtype=np.uint8).view(source).reshape(1, 16, 16)
    for factor in (0.5, 1.0, 3.0):
        quant, out = random_scale(rng, source), random_scale(rng, target, factor)
        case = qdq("", [(x, quant)], [out], body=[node("Identity", "a", "r")])
        assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("op_type", ["Relu", "Clip"])
def test_activation_on_integers_equals_onnxruntime(
    op_type: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    x = np.arange(256, dtype=np.uint8).view(np.int8).reshape(4, 64)
    bounds = [np.asarray(-7, np.int8), np.asarray(33, np.int8)] if op_type == "Clip" else []
    assert_equals_onnxruntime(integer(op_type, x, bounds), tmp_path)


def _int64(*values: int) -> Any:
    return np.asarray(values, np.int64)


MOVES: dict[str, tuple[str, tuple[int, ...], list[Any], dict[str, Any]]] = {
    "transpose": ("Transpose", (2, 3, 4, 5), [], {"perm": [0, 2, 3, 1]}),
    "transpose_reversed": ("Transpose", (3, 4, 5), [], {}),
    "pad": ("Pad", (2, 3, 4), [_int64(0, 1, 2, 0, 0, 3)], {}),
    "crop": ("Pad", (2, 3, 6), [_int64(0, 0, -1, 0, 0, -2)], {}),
    "slice": ("Slice", (4, 9, 5), [_int64(1, 0), _int64(9, 99), _int64(1, 2), _int64(3, 2)], {}),
    "slice_backwards": ("Slice", (4, 9), [_int64(-1), _int64(-99), _int64(1), _int64(-2)], {}),
    "depth_to_space": ("DepthToSpace", (2, 12, 3, 5), [], {"blocksize": 2}),
    "depth_to_space_crd": ("DepthToSpace", (1, 18, 2, 3), [], {"blocksize": 3, "mode": "CRD"}),
    "space_to_depth": ("SpaceToDepth", (2, 3, 4, 6), [], {"blocksize": 2}),
    "flatten": ("Flatten", (2, 3, 4, 5), [], {"axis": 1}),
    "reshape": ("Reshape", (2, 3, 4, 5), [_int64(6, -1)], {}),
    "squeeze": ("Squeeze", (2, 1, 5), [_int64(1)], {}),
}
RESIZES: dict[str, tuple[list[float], dict[str, Any]]] = {
    "twice": ([1, 1, 2, 2], {}),
    "thrice_asymmetric": (
        [1, 1, 3, 1],
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    "half": ([1, 1, 0.5, 0.5], {}),
    "half_ceil": (
        [1, 1, 0.5, 1],
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"},
    ),
}


@pytest.mark.parametrize("move", MOVES)
def test_moved_elements_equal_onnxruntime(
    move: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    op_type, shape, constants, attributes = MOVES[move]
    x, quant = _image(rng, "int8", shape)
    case = qdq(op_type, [(x, quant)], [quant], constants=constants, **attributes)
    _, layers = lowered(case, tmp_path)
    assert len(layers) == (op_type not in ("Flatten", "Reshape", "Squeeze"))
    assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("resize", RESIZES)
def test_nearest_resize_equals_onnxruntime(
    resize: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    scales, attributes = RESIZES[resize]
    x, quant = _image(rng, "uint8", (2, 3, 4, 6))
    constants = [None, np.asarray(scales, np.float32)]
    case = qdq("Resize", [(x, quant)], [quant], constants=constants, mode="nearest", **attributes)
    assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("axis", [1, -1])
def test_concatenation_equals_onnxruntime(
    axis: int, rng: np.random.Generator, tmp_path: Path
) -> None:
    shapes = [(2, 3, 4, 5), (2, 6, 4, 5)] if axis == 1 else [(2, 3, 4, 5), (2, 3, 4, 1)]
    inputs = [_image(rng, "uint8", shape) for shape in shapes]
    out = inputs[0][1]
    case = qlinear("QLinearConcat", inputs, out, axis=axis)
    _, layers = lowered(case, tmp_path)
    assert [layer.codelet.operation for layer in layers] == ["move", "table"]
    assert_equals_onnxruntime(case, tmp_path)
    assert_equals_onnxruntime(qdq("Concat", inputs, [out], axis=axis), tmp_path)


def test_split_equals_onnxruntime(rng: np.random.Generator, tmp_path: Path) -> None:
    x, quant = _image(rng, "uint8", (2, 9, 4))
    constants = [_int64(2, 4, 3)]
    case = qdq("Split", [(x, quant)], [quant] * 3, constants=constants, axis=1)
    assert_equals_onnxruntime(case, tmp_path)


def test_kept_scale_reaches_the_float_output(rng: np.random.Generator, tmp_path: Path) -> None:
    x, quant = _image(rng, "uint8", (2, 4, 6, 6))
    body = [
        node("MaxPool", "a", "p", kernel_shape=[2, 2]),
        node("Transpose", "p", "t", perm=[0, 2, 3, 1]),
        node("Flatten", "t", "r"),
    ]
    case = qdq("", [(x, quant)], [quant], body=body)
    del case.model.graph.node[-1]
    case.model.graph.output[0].name = "r"
    case.model.graph.output[0].ClearField("type")
    case.model.graph.ClearField("value_info")
    ours = interpreted(case, tmp_path)["r"]
    wanted = case.expected(optimised=False)["r"]
    assert ours.dtype == wanted.dtype == np.float32
    np.testing.assert_array_equal(ours, wanted)


def test_activation_that_nobody_quantises_is_one_table_for_its_readers(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    inputs = [_image(rng, "uint8", (2, 4, 6, 6)) for _ in range(2)]
    body = [
        node("Relu", ["a"], "relu"),
        node("Sigmoid", ["relu"], "r0"),
        node("Add", ["relu", "b"], "r1"),
        node("MaxPool", ["relu"], "r2", kernel_shape=[2, 2]),
    ]
    outputs = [random_scale(rng, "uint8", 0.3), random_scale(rng, "uint8", 2.0), inputs[0][1]]
    case = qdq("", inputs, outputs, body=body)
    model, _ = lowered(case, tmp_path)
    assert [layer.op_type for layer in model.layers] == ["Relu", "Sigmoid", "Add", "MaxPool"]
    ours, theirs = interpreted(case, tmp_path), case.expected(optimised=False)
    for name, wanted in theirs.items():
        np.testing.assert_array_equal(ours[name], wanted)
