"""Every quantised operator computes what ONNX Runtime computes, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import onnx_nodes as nodes
from onnx_models import ODD_CONVS, bert_base_layer, odd_layer, resnet18_layer
from onnx_nodes import Quant
from reference_runs import assert_equals_onnxruntime, assert_same_layers, interpreted, lowered

TYPES = ("uint8", "int8")


def _variants() -> Iterator[Quant]:
    """All combinations that ONNX Runtime implements: x and y of one type, int8 x by int8 w."""
    for x, w in (("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8")):
        for per_channel, points in ((False, False), (True, False), (True, True)):
            yield Quant(x, w, x, per_channel, points)
        yield Quant(x, w, x, True, symmetric_w=True)


def _name(quant: Quant) -> str:
    flags = ("per_channel", "channel_points", "symmetric_w")
    return "-".join([quant.x, quant.w, *(f for f in flags if getattr(quant, f))])


variants = pytest.mark.parametrize("quant", list(_variants()), ids=_name)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@variants
def test_qlinear_conv_equals_onnxruntime(
    quant: Quant, rng: np.random.Generator, tmp_path: Path
) -> None:
    case = nodes.qlinear_conv(rng, (2, 6, 9, 7), (5, 6, 3, 2), quant, pads=[1, 0, 2, 1])
    assert_equals_onnxruntime(case, tmp_path)


@variants
def test_qlinear_matmul_equals_onnxruntime(
    quant: Quant, rng: np.random.Generator, tmp_path: Path
) -> None:
    assert_equals_onnxruntime(nodes.qlinear_matmul(rng, (3, 5, 17), (17, 11), quant), tmp_path)


@variants
def test_qgemm_equals_onnxruntime(quant: Quant, rng: np.random.Generator, tmp_path: Path) -> None:
    case = nodes.qgemm(rng, 5, 11, 17, quant, bias_shape=(11,), trans_b=True, alpha=0.37)
    assert_equals_onnxruntime(case, tmp_path)


@variants
def test_matmul_integer_equals_onnxruntime(
    quant: Quant, rng: np.random.Generator, tmp_path: Path
) -> None:
    assert_equals_onnxruntime(nodes.matmul_integer(rng, (3, 5, 17), (17, 11), quant), tmp_path)


@pytest.mark.parametrize("x", TYPES)
@pytest.mark.parametrize("w", TYPES)
@pytest.mark.parametrize("points", [True, False])
def test_conv_integer_equals_onnxruntime(
    x: str, w: str, points: bool, rng: np.random.Generator, tmp_path: Path
) -> None:
    case = nodes.conv_integer(
        rng, (1, 4, 7, 5), (6, 2, 3, 3), Quant(x, w), points=points, pads=[1] * 4, group=2
    )
    assert_equals_onnxruntime(case, tmp_path)


def test_conv_integer_subtracts_channel_zero_points(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    # ONNX Runtime has no per-channel ConvInteger: shift the weights instead.
    quant = Quant("uint8", "int8", channel_points=True)
    case = nodes.conv_integer(rng, (1, 4, 7, 5), (6, 4, 3, 3), quant)
    stored = {t.name: nodes.numpy_helper.to_array(t) for t in case.model.graph.initializer}
    x = case.inputs["x"].astype(np.int64) - int(stored["x_zero_point"])
    w = stored["w"].astype(np.int64) - stored["w_zero_point"].reshape(-1, 1, 1, 1)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    wanted = np.einsum("ncyxij,ocij->noyx", windows, w)
    np.testing.assert_array_equal(interpreted(case, tmp_path)["y"], wanted)


GEOMETRIES = {
    "same_upper": {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
    "same_lower": {"auto_pad": "SAME_LOWER", "strides": [2, 3]},
    "valid": {"auto_pad": "VALID"},
    "dilated": {"dilations": [2, 3], "pads": [2, 3, 2, 3]},
    "asymmetric": {"pads": [2, 0, 0, 1], "strides": [1, 2]},
}


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_convolution_geometry_equals_onnxruntime(
    geometry: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    case = nodes.qlinear_conv(rng, (1, 3, 11, 13), (4, 3, 3, 4), **GEOMETRIES[geometry])
    assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize(
    ("x", "w", "group"),
    [
        ((2, 6, 20), (8, 3, 5), 2),
        ((1, 12, 8, 8), (24, 1, 3, 3), 12),
        ((1, 4, 5, 6, 7), (3, 4, 2, 3, 2), 1),
    ],
    ids=["one_dimensional", "depthwise", "three_dimensional"],
)
def test_convolution_rank_and_groups_equal_onnxruntime(
    x: tuple[int, ...],
    w: tuple[int, ...],
    group: int,
    rng: np.random.Generator,
    tmp_path: Path,
) -> None:
    pads = [1] * (2 * (len(x) - 2))
    assert_equals_onnxruntime(nodes.qlinear_conv(rng, x, w, group=group, pads=pads), tmp_path)


@pytest.mark.parametrize(
    ("x", "w"),
    [
        ((4, 3, 5), (5, 6)),
        ((2, 3, 4, 5), (2, 3, 5, 6)),
        ((2, 1, 4, 5), (1, 3, 5, 6)),
        ((4, 5), (3, 5, 6)),
        ((3, 1, 4, 5), (2, 5, 6)),
        ((5,), (5, 6)),
        ((4, 5), (5,)),
        ((5,), (5,)),
    ],
)
def test_matmul_broadcasting_equals_onnxruntime(
    x: tuple[int, ...], w: tuple[int, ...], rng: np.random.Generator, tmp_path: Path
) -> None:
    assert_equals_onnxruntime(nodes.matmul_integer(rng, x, w, dynamic_w=True), tmp_path)


@pytest.mark.parametrize("bias", [None, (11,), (1, 11), (5, 11), (1,), (5, 1)])
@pytest.mark.parametrize("trans_a", [False, True])
def test_qgemm_bias_shapes_equal_onnxruntime(
    bias: tuple[int, ...] | None, trans_a: bool, rng: np.random.Generator, tmp_path: Path
) -> None:
    case = nodes.qgemm(rng, 5, 11, 17, bias_shape=bias, trans_a=trans_a)
    assert_equals_onnxruntime(case, tmp_path)


def test_convolution_takes_weights_from_a_graph_input(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    case = nodes.qlinear_conv(rng, (1, 3, 8, 8), (4, 3, 3, 3), dynamic_w=True)
    assert_equals_onnxruntime(case, tmp_path)


@pytest.mark.parametrize("layer", ODD_CONVS)
def test_odd_layers_are_equal_in_both_formats(layer: str, tmp_path: Path) -> None:
    cases = [odd_layer(layer, style, per_channel=True) for style in ("QDQ", "QOperator")]
    for case in cases:
        assert_equals_onnxruntime(case, tmp_path)
    assert_same_layers(*(lowered(case, tmp_path)[1] for case in cases))


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["layer1_3x3", "layer2_3x3s2", "layer2_1x1s2", "layer4_3x3"])
def test_resnet18_layers_equal_onnxruntime(layer: str, tmp_path: Path) -> None:
    assert_equals_onnxruntime(resnet18_layer(layer, "QOperator"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["projection", "scores", "ffn1", "ffn2"])
def test_bert_layers_equal_onnxruntime(layer: str, tmp_path: Path) -> None:
    assert_equals_onnxruntime(bert_base_layer(layer, "QOperator"), tmp_path)
