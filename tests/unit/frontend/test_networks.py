"""A network of every family, quantised in both formats, gives the results of ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from covenant.frontend import read_model
from onnx_models import quantised
from onnx_nodes import Case
from reference_runs import interpreted, lowered


def _network() -> Case:
    """Residual block, gate, concatenation, upsampling, pools, classifier."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def node(op_type: str, inputs: str, output: str, **attributes: Any) -> Any:
        return helper.make_node(op_type, inputs.split(), [output], name=output, **attributes)

    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1] * 4),
        node("Relu", "c1", "r1"),
        node("MaxPool", "r1", "p1", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        node("Conv", "p1 w2", "c2", pads=[1] * 4),
        node("Sigmoid", "c2", "s2"),
        node("Mul", "c2 s2", "m2"),
        node("Conv", "m2 w3", "c3"),
        node("Add", "c3 p1", "a3"),
        node("Relu", "a3", "r3"),
        node("AveragePool", "r3", "v3", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", "v3 none scales", "u3", mode="nearest"),
        node("GlobalAveragePool", "m2", "g2"),
        node("HardSigmoid", "g2", "h2"),
        node("Mul", "m2 h2", "e2"),
        node("Concat", "u3 e2", "cat", axis=1),
        node("GlobalAveragePool", "cat", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f w4 b4", "y", transB=1),
    ]
    nodes[10].input[1] = ""
    stored = {
        "w1": weights(8, 3, 3, 3),
        "b1": weights(8),
        "w2": weights(8, 8, 3, 3),
        "w3": weights(8, 8, 1, 1),
        "w4": weights(10, 16),
        "b4": weights(10),
        "scales": np.asarray([1, 1, 2, 2], np.float32),
    }
    x = rng.standard_normal((1, 3, 16, 16)).astype(np.float32)
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(v, n) for n, v in stored.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return Case("network", helper.make_model(graph, opset_imports=opsets, ir_version=9), {"x": x})


OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "per_channel": {"per_channel": True},
    "int8_symmetric": {"activations": "QInt8", "symmetric": True},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("style", ["QDQ", "QOperator"])
def test_network_with_every_family_equals_onnxruntime(
    style: str, options: str, tmp_path: Path
) -> None:
    case = quantised(_network(), style, **OPTIONS[options])
    _, layers = lowered(case, tmp_path)
    kinds = {layer.codelet.operation for layer in layers}
    families = {"conv", "gemm", "pool", "average", "sum", "product", "table", "move"}
    assert kinds >= families - {"move"}
    np.testing.assert_array_equal(interpreted(case, tmp_path)["y"], case.expected()["y"])


def test_float_network_is_accepted_as_assumed_int8(tmp_path: Path) -> None:
    model = read_model(_network().save(tmp_path))
    assert not model.unsupported
    assert all(layer.assumed_int8 for layer in model.layers)
    families = [layer.family for layer in model.layers]
    assert families.count("move") == 5, "gate, activation, upsampling and two parts"
    assert families.count("sum") == families.count("max_pool") == 1
    assert families.count("product") == 1, "x * sigmoid(x) is a table, the gate is a product"
    assert families.count("average_pool") == 3


def test_what_a_quantised_model_left_float_is_listed(tmp_path: Path) -> None:
    case = quantised(_network(), "QDQ")
    graph = case.model.graph
    (output,) = graph.output
    nodes = [
        helper.make_node("Exp", ["y"], ["e"], name="e"),
        helper.make_node("ReduceSum", ["e"], ["t"], name="t", keepdims=1),
        helper.make_node("Div", ["e", "t"], ["p"], name="p"),
        helper.make_node("Mul", ["p", "p"], ["square"], name="square"),
        helper.make_node("Transpose", ["square"], ["last"], name="last"),
    ]
    graph.node.extend(nodes)
    output.name = "last"
    output.ClearField("type")
    model = read_model(Case("tail", case.model, {}).save(tmp_path))
    assert not any(layer.assumed_int8 for layer in model.layers)
    assert [u.node for u in model.unsupported] == ["e", "t", "p", "square", "last"]
