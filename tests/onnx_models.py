"""Quantised layers of real and awkward networks for tests; the single nodes are in `onnx_nodes`.

Float layers with seeded weights, quantised by onnxruntime.quantization in QDQ or QOperator format:
`resnet18_layer`, `bert_base_layer`, `odd_layer`, or `quantised(float_conv(...), style)`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnx_nodes import IR_VERSION, OPSETS, Case, random_layer

__all__ = [
    "BERT_BASE",
    "ODD_CONVS",
    "RESNET18",
    "Case",
    "bert_base_layer",
    "float_conv",
    "float_gemm",
    "float_matmul",
    "odd_layer",
    "quantised",
    "random_layer",
    "resnet18_layer",
]

Array = NDArray[Any]
Generator = np.random.Generator


def _float_case(name: str, nodes: list[Any], x: Array, stored: dict[str, Array]) -> Case:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, n) for n, v in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS[:1], ir_version=IR_VERSION)
    return Case(name, model, {"x": x})


def _normal(rng: Generator, shape: Sequence[int]) -> Array:
    return rng.standard_normal(tuple(shape)).astype(np.float32)


def _activated(node: Any, activation: str) -> list[Any]:
    """The node, followed by Relu or Clip(0, 6) where asked for."""
    if not activation:
        return [node]
    node.output[0] = "sum"
    inputs = ["sum", "clip_low", "clip_high"] if activation == "Clip" else ["sum"]
    return [node, helper.make_node(activation, inputs, ["y"], name=activation.lower())]


_CLIP = {"clip_low": np.float32(0.0), "clip_high": np.float32(1.5)}


def float_conv(
    rng: Generator,
    x_shape: Sequence[int],
    w_shape: Sequence[int],
    *,
    bias: bool = True,
    activation: str = "",
    name: str = "conv",
    **attributes: Any,
) -> Case:
    """Float Conv (-> Relu | Clip) on random data."""
    stored = {"w": _normal(rng, w_shape) / np.float32(np.sqrt(np.prod(w_shape[1:])))}
    if bias:
        stored["bias"] = _normal(rng, w_shape[:1]) * np.float32(0.1)
    node = helper.make_node("Conv", ["x", *stored], ["y"], name=name, **attributes)
    stored |= _CLIP if activation == "Clip" else {}
    return _float_case(name, _activated(node, activation), _normal(rng, x_shape), stored)


def float_matmul(
    rng: Generator, x_shape: Sequence[int], w_shape: Sequence[int], *, name: str = "matmul"
) -> Case:
    """Float MatMul of an input by stored weights."""
    stored = {"w": _normal(rng, w_shape) / np.float32(np.sqrt(w_shape[-2]))}
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name=name)
    return _float_case(name, [node], _normal(rng, x_shape), stored)


def float_gemm(
    rng: Generator,
    m: int,
    n: int,
    k: int,
    *,
    trans_b: bool = True,
    activation: str = "",
    name: str = "gemm",
) -> Case:
    """Float Gemm (-> Relu | Clip) with bias."""
    w = _normal(rng, (n, k) if trans_b else (k, n)) / np.float32(np.sqrt(k))
    stored = {"w": w, "bias": _normal(rng, (n,)) * np.float32(0.1)}
    node = helper.make_node("Gemm", ["x", "w", "bias"], ["y"], name=name, transB=int(trans_b))
    stored |= _CLIP if activation == "Clip" else {}
    return _float_case(name, _activated(node, activation), _normal(rng, (m, k)), stored)


def quantised(
    case: Case,
    style: str = "QDQ",
    *,
    activations: str = "QUInt8",
    weights: str = "QInt8",
    per_channel: bool = False,
    symmetric: bool = False,
) -> Case:
    """The case quantised by onnxruntime.quantization; style `QDQ` or `QOperator`."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class _Inputs(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [case.inputs]

        def get_next(self) -> dict[str, Array] | None:
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "quantised.onnx"
        original = onnx.ModelProto()
        original.CopyFrom(case.model)  # quantize_static alters the model it is given
        logging.disable(logging.WARNING)  # advice on pre-processing, for every call
        quantize_static(
            original,
            target,
            _Inputs(),
            quant_format=QuantFormat[style],
            per_channel=per_channel,
            activation_type=QuantType[activations],
            weight_type=QuantType[weights],
            extra_options={"ActivationSymmetric": symmetric},
        )
        logging.disable(logging.NOTSET)
        model = onnx.load(target)
    return Case(f"{case.name}_{style.lower()}", model, case.inputs)


# --- layers of real networks ----------------------------------------------------------------------

RESNET18: dict[str, tuple[Sequence[int], Sequence[int], dict[str, Any]]] = {
    "conv1": ((1, 3, 224, 224), (64, 3, 7, 7), {"strides": [2, 2], "pads": [3, 3, 3, 3]}),
    "layer1_3x3": ((1, 64, 56, 56), (64, 64, 3, 3), {"pads": [1, 1, 1, 1]}),
    "layer2_3x3s2": (
        (1, 64, 56, 56),
        (128, 64, 3, 3),
        {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    ),
    "layer2_1x1s2": ((1, 64, 56, 56), (128, 64, 1, 1), {"strides": [2, 2]}),
    "layer4_3x3": ((1, 512, 7, 7), (512, 512, 3, 3), {"pads": [1, 1, 1, 1]}),
}
"""ResNet-18 convolutions: input shape, weight shape, attributes. layer2_3x3s2 writes 28x28x128."""

BERT_BASE: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "projection": ((1, 128, 768), (768, 768)),
    "scores": ((1, 128, 64), (64, 128)),
    "ffn1": ((1, 128, 768), (768, 3072)),
    "ffn2": ((1, 128, 3072), (3072, 768)),
}
"""BERT-base matrix products at sequence length 128: shapes of x and w."""

ODD_CONVS: dict[str, tuple[Sequence[int], Sequence[int], dict[str, Any]]] = {
    "primes": ((1, 7, 13, 11), (5, 7, 3, 3), {"pads": [1, 1, 1, 1]}),
    "point": ((1, 19, 1, 1), (23, 19, 1, 1), {}),
    "batch": ((3, 6, 9, 5), (10, 6, 3, 2), {"strides": [2, 1], "pads": [0, 1, 2, 0]}),
    "depthwise": ((1, 13, 10, 10), (13, 1, 3, 3), {"group": 13, "pads": [1, 1, 1, 1]}),
    "dilated": ((1, 5, 12, 12), (7, 5, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
    "one_dimensional": ((2, 5, 31), (7, 5, 5), {"strides": [2], "pads": [2, 2]}),
}
"""Convolutions with awkward sizes."""


def resnet18_layer(layer: str, style: str = "QDQ", seed: int = 0, **options: Any) -> Case:
    """A ResNet-18 convolution with Relu, quantised; options are those of `quantised`."""
    x, w, attributes = RESNET18[layer]
    rng = np.random.default_rng(seed)
    case = float_conv(rng, x, w, activation="Relu", name=layer, **attributes)
    return quantised(case, style, **options)


def bert_base_layer(layer: str, style: str = "QDQ", seed: int = 0, **options: Any) -> Case:
    """A BERT-base matrix product, quantised; options are those of `quantised`."""
    x, w = BERT_BASE[layer]
    return quantised(float_matmul(np.random.default_rng(seed), x, w, name=layer), style, **options)


def odd_layer(layer: str, style: str = "QDQ", seed: int = 0, **options: Any) -> Case:
    """A convolution with awkward sizes, quantised; options are those of `quantised`."""
    x, w, attributes = ODD_CONVS[layer]
    case = float_conv(np.random.default_rng(seed), x, w, name=layer, **attributes)
    return quantised(case, style, **options)
