"""Layers that no compute node of an architecture can do are listed and stop nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from command_line import covenant
from onnx_nodes import IR_VERSION, OPSETS, Case


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions with a table between them, which the second one cannot do without."""
    rng = np.random.default_rng(2)
    stored = {
        "s": np.float32(0.02),
        "z": np.uint8(120),
        "ws": np.float32(0.01),
        "wz": np.int8(0),
        "w0": rng.integers(-128, 128, (6, 4, 1, 1), dtype=np.int8),
        "w1": rng.integers(-128, 128, (6, 6, 1, 1), dtype=np.int8),
    }
    nodes = [
        helper.make_node(
            "QLinearConv", ["x", "s", "z", "w0", "ws", "wz", "s", "z"], ["a"], name="first"
        ),
        helper.make_node(
            "QLinearSigmoid", ["a", "s", "z", "s", "z"], ["b"], name="gate", domain="com.microsoft"
        ),
        helper.make_node(
            "QLinearConv", ["b", "s", "z", "w1", "ws", "wz", "s", "z"], ["y"], name="second"
        ),
    ]
    x = rng.integers(0, 256, (1, 4, 5, 5), dtype=np.uint8)
    graph = helper.make_graph(
        nodes,
        "gated",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()],
    )
    case = Case("gated", helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION), {})
    return case.save(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def without_tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The default architecture, but its tables and maxima take no uint8."""
    narrow = "{ports: {x: {dtypes: [int8]}}}"
    limited = (
        "extends: snax\nname: limited\n"
        f"compute: {{vector: {{capabilities: {{max: {narrow}, table: {narrow}}}}}}}\n"
    )
    path = tmp_path_factory.mktemp("architectures") / "limited.yaml"
    path.write_text(limited, "utf-8")
    return ("--arch", str(path))


def test_a_layer_without_capability_is_listed_with_its_reason(
    model: Path, without_tables: tuple[str, str]
) -> None:
    answer = covenant("map", model, *without_tables)
    assert (answer.code, answer.err) == (0, "")
    why = "port x of vector.table takes int8, 'x' is uint8"
    assert f"not mapped: gate (QLinearSigmoid): {why}" in answer.out
    document = json.loads(covenant("map", model, *without_tables, "--json").out)
    assert [layer["name"] for layer in document["layers"]] == ["first", "second"]
    (listed,) = document["unsupported"]
    assert (listed["node"], listed["op"], listed["macs"]) == ("gate", "QLinearSigmoid", 150)


def test_a_layer_without_capability_is_4_under_strict(
    model: Path, without_tables: tuple[str, str]
) -> None:
    answer = covenant("map", model, *without_tables, "--strict")
    assert answer.code == 4
    assert "error[MAP001]: layer 'gate'" in answer.err


def test_the_other_layers_are_saved_and_run(
    model: Path, without_tables: tuple[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "out"
    assert covenant("map", model, *without_tables, "-o", target).code == 0
    for arguments in ((model, *without_tables), (target,)):
        answer = covenant("run", *arguments, "--on", "interpreter")
        assert (answer.code, answer.err) == (0, "")
        assert "300 of 300 elements equal to the integer reference" in answer.out
        assert "not mapped: gate" in answer.out


def test_a_comparison_keeps_the_row_and_ends_with_0(
    model: Path, without_tables: tuple[str, str]
) -> None:
    answer = covenant("compare", model, *without_tables, *without_tables, "--json")
    document = json.loads(answer.out)
    assert answer.code == 0
    assert [row["name"] for row in document["layers"]] == ["first", "gate", "second"]
    assert {r["status"] for r in document["layers"][1]["results"]} == {"failed"}


def test_a_model_of_such_layers_alone_is_4(tmp_path: Path, without_tables: tuple[str, str]) -> None:
    x = np.zeros((1, 4, 5, 5), np.uint8)
    nodes = [helper.make_node("MaxPool", ["x"], ["y"], name="pool", kernel_shape=[2, 2])]
    graph = helper.make_graph(
        nodes,
        "pool",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
    )
    made = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)
    answer = covenant("map", Case("pool", made, {}).save(tmp_path), *without_tables)
    assert answer.code == 4
    assert "error[MAP001]: layer 'pool'" in answer.err


def test_the_host_requantises_where_no_node_can(
    tmp_path: Path, without_tables: tuple[str, str]
) -> None:
    rng = np.random.default_rng(2)
    stored = {
        "s": np.float32(0.02),
        "z": np.uint8(120),
        "s2": np.float32(0.013),
        "ws": np.float32(0.01),
        "wz": np.int8(0),
        "w": rng.integers(-128, 128, (6, 6, 1, 1), dtype=np.int8),
    }
    nodes = [
        helper.make_node("QLinearConv", ["x", "s", "z", "w", "ws", "wz", "s", "z"], ["a"], "one"),
        helper.make_node("DequantizeLinear", ["a", "s", "z"], ["r"], "real"),
        helper.make_node("QuantizeLinear", ["r", "s2", "z"], ["b"], "again"),
        helper.make_node("QLinearConv", ["b", "s2", "z", "w", "ws", "wz", "s", "z"], ["y"], "two"),
    ]
    x = rng.integers(0, 256, (1, 6, 5, 5), dtype=np.uint8)
    graph = helper.make_graph(
        nodes,
        "rescaled",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()],
    )
    made = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)
    case = Case("rescaled", made, {"x": x})
    np.savez(tmp_path / "x.npz", x=x)
    files = ["--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz"]
    answer = covenant(
        "run", case.save(tmp_path), *without_tables, "--on", "interpreter", *map(str, files)
    )
    assert answer.code == 0
    assert "not mapped: again (QuantizeLinear)" in answer.out
    ours = np.load(tmp_path / "y.npz")["y"]
    np.testing.assert_array_equal(ours, case.expected(optimised=False)["y"])


def test_missing_c_program_is_said_with_the_nodes_that_it_lacks(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    stored = {
        "s": np.float32(0.02),
        "z": np.int8(0),
        "w": rng.integers(-128, 128, (16, 16), dtype=np.int8),
    }
    nodes = [
        helper.make_node(
            "QLinearMatMul", ["x", "s", "z", "w", "s", "z", "s", "z"], ["a"], name="product"
        ),
        helper.make_node(
            "QLinearSigmoid", ["a", "s", "z", "s", "z"], ["y"], name="gate", domain="com.microsoft"
        ),
    ]
    x = rng.integers(-128, 128, (16, 16), dtype=np.int8)
    graph = helper.make_graph(
        nodes,
        "gated",
        [helper.make_tensor_value_info("x", TensorProto.INT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()],
    )
    case = Case("gated", helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION), {})
    out = tmp_path / "out"
    path = case.save(tmp_path)
    alone = ("--set", "control.host.shares=[]")
    ran = covenant("map", path, "--arch", "gemmini", *alone, "-o", out)
    assert ran.code == 0
    assert "note: no C program of the model, it lacks gate" in ran.err
    assert (out / "manifest.json").is_file()
    assert not (out / "program.c").exists()


def test_a_processor_computes_what_no_node_can_and_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    s, z = np.float32(0.02), np.int8(-3)
    x = rng.integers(-128, 128, (1, 3, 6, 5), dtype=np.int8)
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], name="pool", kernel_shape=[2, 2]),
        helper.make_node(
            "QLinearAdd", ["a", "s", "z", "a", "s", "z", "s", "z"], ["y"], name="sum",
            domain="com.microsoft",
        ),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "processed",
        [helper.make_tensor_value_info("x", TensorProto.INT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in {"s": s, "z": z}.items()],
    )
    made = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)
    out, results = tmp_path / "out", tmp_path / "y.npz"
    case = Case("processed", made, {"x": x})
    path = case.save(tmp_path)
    np.savez(tmp_path / "x.npz", x=x)
    ran = covenant("map", path, "--arch", "gemmini", "-o", out, "--strict")
    assert (ran.code, ran.err) == (0, "")
    assert "pool (MaxPool): computes the whole layer" in ran.out
    assert "without the processor's time" in ran.out
    assert (out / "program.c").is_file()
    document = json.loads(covenant("map", path, "--arch", "gemmini", "--json").out)
    assert [layer["name"] for layer in document["processed"]] == ["pool", "sum"]
    assert (document["layers"], document["unsupported"]) == ([], [])
    files = ("--input", tmp_path / "x.npz", "--output", results)
    assert covenant("run", out, *files).code == 0
    np.testing.assert_array_equal(np.load(results)["y"], case.expected(optimised=False)["y"])
