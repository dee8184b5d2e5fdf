"""Real and awkward layers on the RTL: every output element equals ONNX's or ONNX Runtime's.

Every case starts from a cluster whose L1, DRAM and registers hold random bits, and is repeated with
other inputs on the same cluster with the program still loaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from cluster_runs import Bench, Compiled, assert_equal, other_inputs
from layer_strategies import layers
from onnx_models import BERT_BASE, ODD_CONVS, RESNET18, bert_base_layer, odd_layer, resnet18_layer
from onnx_nodes import Case, Quant, matmul_integer, qgemm, qlinear_conv, qlinear_matmul
from reference_runs import assert_same_layers

pytestmark = pytest.mark.rtl

ROOT = Path(__file__).resolve().parents[2]
SNAX = ROOT / "architectures" / "snax.yaml"
SUITE_OPERATORS = {"QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger"}

QUANTISATIONS: dict[str, dict[str, Any]] = {
    "layer1_3x3": {"per_channel": True},
    "layer4_3x3": {"activations": "QInt8", "symmetric": True},
    "layer2_1x1s2": {"weights": "QUInt8"},
    "ffn1": {"activations": "QInt8"},
    "projection": {"per_channel": True},
}
"""Options of `quantised` by layer; the others have uint8 inputs and per-tensor int8 weights."""

LONGEST = ("ffn1", "ffn2")
"""Layers of more than half a million cycles: run once, not again with other inputs."""

EDITS: dict[str, dict[str, str]] = {
    "16x8x4_64KiB_16banks": {
        "extents: {m: 8, n: 8, k: 8}": "extents: {m: 16, n: 8, k: 4}",
        "size: 128KiB": "size: 64KiB",
        "banks: 32": "banks: 16",
    },
    "16x8x8": {"extents: {m: 8, n: 8, k: 8}": "extents: {m: 16, n: 8, k: 8}"},
}
"""Texts replaced in a copy of snax.yaml, nothing else."""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(str(SNAX)) as opened:
        yield opened


@pytest.fixture(
    scope="module",
    params=["16x8x4_64KiB_16banks", pytest.param("16x8x8", marks=pytest.mark.nightly)],
)
def edited_bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    text = SNAX.read_text()
    for old, new in EDITS[request.param].items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("arch") / "edited.yaml"
    path.write_text(text)
    with Bench(str(path)) as opened:
        yield opened


def _run_twice(bench: Bench, compiled: Compiled, expected: dict[str, Any]) -> None:
    """The case's inputs against `expected`, then other inputs without loading the program again."""
    case = compiled.case
    found = bench.run(compiled, case.inputs, seed=5)
    assert_equal(found, compiled.reference(case.inputs))
    assert_equal(compiled.graph_outputs(found), expected)
    others = other_inputs(compiled, seed=6)
    assert_equal(bench.run_again(compiled, others), compiled.reference(others))


def _equal_to_onnxruntime(bench: Bench, case: Case, folder: Path) -> Compiled:
    compiled = bench.compile(case, folder)
    _run_twice(bench, compiled, case.expected())
    others = Case(case.name, case.model, other_inputs(compiled, seed=6))
    found = compiled.outputs(bench.cluster.dram)
    assert_equal(compiled.graph_outputs(found), others.expected())
    return compiled


def _suite_cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    return [
        pytest.param(case, id=case.name)
        for case in cases
        if case.model is not None and {n.op_type for n in case.model.graph.node} & SUITE_OPERATORS
    ]


@pytest.mark.parametrize("suite_case", _suite_cases())
def test_onnx_suite_case_gives_its_golden(suite_case: Any, bench: Bench, tmp_path: Path) -> None:
    inputs, (golden,) = suite_case.data_sets[0]
    names = [i.name for i in suite_case.model.graph.input]
    arrays = dict(zip(names, map(np.asarray, inputs), strict=True))
    case = Case(suite_case.name, suite_case.model, arrays)
    output = suite_case.model.graph.output[0].name
    _run_twice(bench, bench.compile(case, tmp_path), {output: np.asarray(golden)})


def _network_layer(name: str, style: str) -> Case:
    build = resnet18_layer if name in RESNET18 else bert_base_layer
    return build(name, style, **QUANTISATIONS.get(name, {}))


@pytest.mark.parametrize("name", [*RESNET18, *BERT_BASE])
def test_network_layer_in_both_formats_equals_onnxruntime(
    name: str, bench: Bench, tmp_path: Path
) -> None:
    case = _network_layer(name, "QOperator")
    if name in LONGEST:
        operators = bench.compile(case, tmp_path)
        found = bench.run(operators, case.inputs, seed=5)
        assert_equal(operators.graph_outputs(found), case.expected())
    else:
        operators = _equal_to_onnxruntime(bench, case, tmp_path)
    pairs = bench.compile(_network_layer(name, "QDQ"), tmp_path)
    assert_same_layers([pairs.lowered], [operators.lowered])
    # the same words in the same memory: what the RTL makes of them is known from above
    assert pairs.image.words == operators.image.words
    memories = [c.image.dram(c.seen(c.case.inputs)) for c in (operators, pairs)]
    np.testing.assert_array_equal(*memories)
    assert pairs.image.tensors == operators.image.tensors


@pytest.mark.parametrize("style", ["QOperator", "QDQ"])
@pytest.mark.parametrize("name", ODD_CONVS)
def test_odd_convolution_equals_onnxruntime(
    name: str, style: str, bench: Bench, tmp_path: Path
) -> None:
    compiled = bench.compile(odd_layer(name, style), tmp_path)
    _run_twice(bench, compiled, odd_layer(name, "QOperator").expected())


def _odd_nodes() -> dict[str, Case]:
    rng = np.random.default_rng(17)
    mixed = Quant("uint8", "uint8", "uint8")
    return {
        case.name: case
        for case in (
            qlinear_matmul(rng, (1, 1), (1, 1), name="one_by_one"),
            qlinear_matmul(rng, (17, 13), (13, 11), mixed, name="prime_matmul"),
            qlinear_matmul(rng, (2, 3, 7, 9), (2, 3, 9, 5), dynamic_w=True, name="two_batch_dims"),
            qlinear_matmul(rng, (1, 1, 1000), (1000, 1), name="dot_product"),
            matmul_integer(rng, (5, 300), (300, 3), name="long_sum"),
            qgemm(rng, 3, 29, 31, trans_b=True, bias_shape=(29,), alpha=0.5, name="odd_gemm"),
            qlinear_conv(rng, (2, 6, 5, 7), (8, 3, 3, 3), group=2, pads=[1] * 4, name="grouped"),
            qlinear_conv(rng, (1, 4, 9, 9), (8, 1, 3, 3), group=4, name="channel_multiplier"),
            qlinear_conv(rng, (2, 11, 8, 8), (11, 1, 5, 5), group=11, name="depthwise_5x5"),
            qlinear_conv(rng, (1, 3, 3, 3), (2, 3, 3, 3), pads=[2] * 4, name="more_pad_than_image"),
            qlinear_conv(rng, (1, 2, 1, 50), (9, 2, 1, 7), strides=[1, 3], name="one_row"),
            qlinear_conv(rng, (3, 9, 4), (7, 9, 3), dilations=[1], pads=[1, 1], name="batch_1d"),
            qlinear_conv(rng, (1, 8, 6, 6), (8, 8, 6, 6), name="kernel_as_large_as_image"),
            qlinear_conv(
                rng, (1, 5, 9, 9), (3, 5, 1, 1), strides=[4, 3], name="stride_past_kernel"
            ),
        )
    }


@pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in _odd_nodes().items()])
def test_odd_node_equals_onnxruntime(case: Case, bench: Bench, tmp_path: Path) -> None:
    _equal_to_onnxruntime(bench, case, tmp_path)


def test_random_layers_are_equal_in_rtl_interpreter_reference_and_onnxruntime(
    bench: Bench, tmp_path: Path
) -> None:
    @settings(
        max_examples=200,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=layers())
    def check(case: Case) -> None:
        compiled = bench.compile(case, tmp_path)
        found = bench.run(compiled, case.inputs, seed=8)
        assert_equal(found, compiled.reference(case.inputs))
        assert_equal(bench.interpret(compiled, case.inputs, seed=9), found)
        assert_equal(compiled.graph_outputs(found), case.expected())

    check()


EDITED_LAYERS = ["layer1_3x3", "layer2_1x1s2", "scores", "projection"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITED_LAYERS)
def test_network_layer_is_equal_on_a_cluster_of_other_size(
    name: str, edited_bench: Bench, tmp_path: Path
) -> None:
    _equal_to_onnxruntime(edited_bench, _network_layer(name, "QOperator"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD_CONVS)
def test_odd_convolution_is_equal_on_a_cluster_of_other_size(
    name: str, edited_bench: Bench, tmp_path: Path
) -> None:
    _equal_to_onnxruntime(edited_bench, odd_layer(name, "QOperator"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in _odd_nodes().items()])
def test_odd_node_is_equal_on_a_cluster_of_other_size(
    case: Case, edited_bench: Bench, tmp_path: Path
) -> None:
    _equal_to_onnxruntime(edited_bench, case, tmp_path)
