"""What `read_model` returns besides layers: refusals, shapes, boundaries, names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from covenant.core.dtypes import DType
from covenant.core.layer import Quantisation
from covenant.frontend import Model, dequantise, graph_outputs, quantise, read_model
from onnx_models import Case, float_conv
from reference_runs import interpreted

HEAD = '<ir_version: 9, opset_import: ["" : 17, "com.microsoft" : 1]>\n'


def _read(text: str, folder: Path, **shapes: tuple[int, ...]) -> Model:
    path = folder / "model.onnx"
    path.write_bytes(onnx.parser.parse_model(HEAD + text).SerializeToString())
    return read_model(path, shapes)


FLOAT_NET = """
net (float[batch,2,4,4] x) => (float y)
<float[2,2,1,1] w = {1,2,3,4}, float[32,3] v = {%s}, int64[2] size = {1,32}>
{
  [conv] c = Conv (x, w)
  [up] t = ConvTranspose (c, w)
  [pool] p = MaxPool <kernel_shape = [1,1]> (c)
  [reshape] r = Reshape (p, size)
  [fc] y = MatMul (r, v)
}""".replace("%s", ",".join("1" * 96))


def test_unsupported_nodes_are_listed_with_reason_and_work(tmp_path: Path) -> None:
    model = _read(FLOAT_NET, tmp_path, x=(1, 2, 4, 4))
    assert [layer.name for layer in model.layers] == ["conv", "pool", "fc"]
    listed = [(u.node, u.op_type, u.macs, u.code) for u in model.unsupported]
    assert listed == [("up", "ConvTranspose", 64, "ONX010")]
    assert [(a.source, a.target, a.shape) for a in model.aliases] == [("p", "r", (1, 32))]


def test_given_shapes_reach_every_layer(tmp_path: Path) -> None:
    model = _read(FLOAT_NET, tmp_path, x=(1, 2, 4, 4))
    assert model.layers[0].outputs["y"].shape == (1, 2, 4, 4)
    assert model.layers[-1].inputs["x"].shape == (1, 32)
    assert model.inputs[0].shape == (1, 2, 4, 4)
    assert model.outputs[0].shape == (1, 3)


def test_shapes_pass_through_microsoft_operators(tmp_path: Path) -> None:
    model = _read(
        """
net (uint8[1,4,6,6] x) => (int32[M,N] y)
<float s = {0.5}, uint8 z = {1}, uint8[3,2] w2 = {1,2,3,4,5,6},
 uint8[4,3] w = {1,2,3,4,5,6,7,8,9,10,11,12}>
{
  [add] a = com.microsoft.QLinearAdd (x, s, z, x, s, z, s, z)
  [pool] p = com.microsoft.QLinearGlobalAveragePool (a, s, z, s, z)
  [flatten] f = Flatten (p)
  [fc] g = com.microsoft.QGemm (f, s, z, w, s, z, , s, z)
  [last] y = MatMulInteger (g, w2)
}""",
        tmp_path,
    )
    shapes = [(1, 4, 6, 6), (1, 4, 1, 1), (1, 3), (1, 2)]
    assert [layer.outputs["y"].shape for layer in model.layers] == shapes


def test_layers_connect_by_tensor_names(tmp_path: Path) -> None:
    text = """
net (uint8[2,3] x) => (uint8[2,3] y)
<float s = {0.05}, uint8 z = {1}, uint8[3,3] w = {1,2,3,4,5,6,7,8,9}>
{
  [one] a = QLinearMatMul (x, s, z, w, s, z, s, z)
  [two] y = QLinearMatMul (a, s, z, w, s, z, s, z)
}"""
    model = onnx.parser.parse_model(HEAD + text)
    x = np.arange(6, dtype=np.uint8).reshape(2, 3)
    case = Case("chain", model, {"x": x})
    np.testing.assert_array_equal(interpreted(case, tmp_path)["y"], case.expected()["y"])


def test_equal_node_names_are_told_apart(tmp_path: Path) -> None:
    text = """
net (uint8[2,3] x) => (int32[2,3] y, int32[2,3] z)
<uint8[3,3] w = {1,2,3,4,5,6,7,8,9}>
{
  [same] y = MatMulInteger (x, w)
  [same] z = MatMulInteger (x, w)
}"""
    assert [layer.name for layer in _read(text, tmp_path).layers] == ["same", "same#2"]


def test_a_node_without_a_name_is_called_by_its_output(tmp_path: Path) -> None:
    text = "net (uint8[2,3] x, uint8[3,3] w) => (int32[2,3] y) { y = MatMulInteger (x, w) }"
    assert _read(text, tmp_path).layers[0].name == "y"


def test_float_model_needs_no_external_data(tmp_path: Path) -> None:
    case = float_conv(np.random.default_rng(0), (1, 32, 8, 8), (32, 32, 3, 3))
    path = tmp_path / "model.onnx"
    onnx.save(case.model, path, save_as_external_data=True, location="weights.bin")
    (tmp_path / "weights.bin").unlink()
    (layer,) = read_model(path).layers
    assert layer.assumed_int8
    assert layer.outputs["y"].shape == (1, 32, 6, 6)


def test_external_data_of_a_quantised_model_is_read(tmp_path: Path) -> None:
    text = """
net (uint8[2,32] x) => (int32[2,32] y)
<int8[32,32] w = {%s}> { [one] y = MatMulInteger (x, w) }""".replace("%s", ",".join("3" * 1024))
    path = tmp_path / "model.onnx"
    model = onnx.parser.parse_model(HEAD + text)
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), "w"))
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").is_file()
    values = read_model(path).layers[0].inputs["w"].values
    assert values is not None
    assert values.sum() == 3 * 1024


def test_weights_behind_a_transpose_are_transposed(tmp_path: Path) -> None:
    text = """
net (uint8[2,3] x) => (uint8[2,2] y)
<float s = {0.05}, uint8 z = {1}, int8[2,3] w = {1,2,3,4,5,6}, float[2] sw = {0.5, 0.25},
 int8[2] zw = {0, 0}>
{
  [dx] xf = DequantizeLinear (x, s, z)
  [dw] wf = DequantizeLinear <axis = 0> (w, sw, zw)
  [t] wt = Transpose <perm = [1, 0]> (wf)
  [mm] m = MatMul (xf, wt)
  [q] y = QuantizeLinear (m, s, z)
}"""
    x = np.arange(6, dtype=np.uint8).reshape(2, 3)
    case = Case("transposed", onnx.parser.parse_model(HEAD + text), {"x": x})
    np.testing.assert_array_equal(interpreted(case, tmp_path)["y"], case.expected()["y"])


def test_outputs_of_unsupported_nodes_are_left_out(tmp_path: Path) -> None:
    text = """
net (uint8[2,3] x) => (int32[2,3] y, uint8[3,2] t)
<uint8[3,3] w = {1,2,3,4,5,6,7,8,9}>
{ [one] y = MatMulInteger (x, w)
  [two] t = Transpose (x) }"""
    model = _read(text, tmp_path)
    found = graph_outputs(model, {"y": np.zeros((2, 3), np.int32)})
    assert list(found) == ["y"]


@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8])
def test_host_quantisation_rounds_to_even_and_saturates(dtype: DType) -> None:
    quantisation = Quantisation(np.float32(0.5), np.int64(3))
    real = np.array([0.25, 0.75, -0.25, 1e30, -1e30], np.float32)
    integers = quantise(real, quantisation, dtype)
    assert integers.tolist() == [3, 5, 3, dtype.maximum, dtype.minimum]
    assert dequantise(integers, quantisation)[1] == np.float32(1.0)


def test_importing_the_frontend_does_not_import_onnx() -> None:
    command = "import sys, covenant.frontend; sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_a_function_behind_a_quantiser_we_cannot_take_says_so(tmp_path: Path) -> None:
    text = """
net (uint8[2,3] x) => (uint8[2,3] y)
<float s = {0.05}, uint8 z = {1}, float[3] t = {0.5,0.25,0.1}, uint8[3] p = {1,2,3}>
{
  [dx] f = DequantizeLinear (x, s, z)
  [gate] g = Sigmoid (f)
  [q] y = QuantizeLinear <axis = 1> (g, t, p)
}"""
    (found,) = _read(text, tmp_path).unsupported
    assert (found.node, found.code) == ("gate", "ONX013")


def test_a_function_of_more_operands_than_we_take_says_so(tmp_path: Path) -> None:
    text = """
net (float[2,3] x, float[2,3] w, float[2,3] v) => (float[2,3] y, float[2,3] z, float[2,3] u)
{
  [largest] y = Max (x, w, v)
  [three] z = Sum (x, w, v)
  [two] u = Sum (x, w)
}"""
    model = _read(text, tmp_path)
    assert [(u.node, u.code) for u in model.unsupported] == [
        ("largest", "ONX016"),
        ("three", "ONX016"),
    ]
    assert [layer.family for layer in model.layers] == ["sum"]
