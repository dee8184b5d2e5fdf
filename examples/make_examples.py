"""Make the example models: layers of real networks with seeded weights, quantised by ONNX Runtime.

`python examples/make_examples.py` (needs the `test` extra) rewrites the .onnx files beside this
script. The shapes are those of the published networks; weights and calibration inputs are random.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

FOLDER = Path(__file__).parent


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Four random inputs."""

    def __init__(self, shape: tuple[int, ...], generator: np.random.Generator) -> None:
        self._inputs: Iterator[dict[str, np.ndarray]] = iter(
            [{"x": generator.standard_normal(shape).astype(np.float32)} for _ in range(4)]
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._inputs, None)


def _model(
    nodes: list[onnx.NodeProto], x: tuple[int, ...], **stored: np.ndarray
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _quantised(
    model: onnx.ModelProto, x: tuple[int, ...], style: QuantFormat, target: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "float.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Calibration(x, np.random.default_rng(1)),
            quant_format=style,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    print(target)


def resnet18_layer1() -> None:
    """The 3x3 convolution of ResNet-18's first stage with its Relu, QDQ format."""
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((64, 64, 3, 3)).astype(np.float32) / 24
    bias = generator.standard_normal(64).astype(np.float32) / 10
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="layer1.0.conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["y"], name="layer1.0.relu"),
    ]
    shape = (1, 64, 56, 56)
    model = _model(nodes, shape, w=weights, b=bias)
    _quantised(model, shape, QuantFormat.QDQ, FOLDER / "resnet18_layer1.onnx")


def bert_scores() -> None:
    """A 128x64x128 matrix product of BERT-base's size of attention scores, QOperator format."""
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((64, 128)).astype(np.float32) / 8
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="scores")]
    shape = (1, 128, 64)
    model = _model(nodes, shape, w=weights)
    _quantised(model, shape, QuantFormat.QOperator, FOLDER / "bert_scores.onnx")


if __name__ == "__main__":
    resnet18_layer1()
    bert_scores()
