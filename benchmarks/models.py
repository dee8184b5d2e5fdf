"""ONNX models of workloads in QOperator form, with seeded weights; no ONNX Runtime needed.

In: a `Workload`. Out: a model of one node, written to a folder.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from workloads import Conv, Depthwise, Elementwise, Gemm, Pool, Workload

Array = NDArray[Any]

_X_SCALE, _W_SCALE = np.float32(0.02), np.float32(0.01)
_DTYPES = {"int8": TensorProto.INT8, "int32": TensorProto.INT32, "uint8": TensorProto.UINT8}


def write_model(workload: Workload, folder: Path, *, symmetric: bool = False) -> Path:
    """Write the model of a workload; equal for equal names and shapes. `symmetric`: int8, one scale
    per tensor, no zero points, as machines without them need it."""
    generator = np.random.default_rng(zlib.crc32(workload.name.encode()))
    match workload.shape:
        case Gemm():
            model = _gemm(workload.name, workload.shape, generator, symmetric)
        case Conv() | Depthwise():
            model = _conv(workload.name, workload.shape, generator, symmetric)
        case Pool():
            model = _pool(workload.name, workload.shape)
        case Elementwise():
            model = _elementwise(workload.name, workload.shape)
    path = folder / f"{workload.name}.onnx"
    onnx.save(model, path)
    return path


def _gemm(
    name: str, shape: Gemm, generator: np.random.Generator, symmetric: bool
) -> onnx.ModelProto:
    inputs: dict[str, tuple[str, tuple[int, ...]]] = {"a": ("int8", (shape.m, shape.k))}
    stored: dict[str, Array] = {}
    if shape.stored:
        stored["b"] = _weights(generator, (shape.k, shape.n))
    else:
        inputs["b"] = ("int8", (shape.k, shape.n))
    y = (shape.result, (shape.m, shape.n))
    if shape.result == "int32":
        return _model(name, "MatMulInteger", ["a", "b"], inputs, stored, y)
    stored |= {
        "a_scale": np.asarray(_X_SCALE),
        "b_scale": np.asarray(_W_SCALE),
        "y_scale": _result_scale(shape.k),
    }
    zeros = {"a_zero": 0 if symmetric else 3, "b_zero": 0, "y_zero": 0 if symmetric else -5}
    stored |= {name: np.asarray(value, np.int8) for name, value in zeros.items()}
    order = ["a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"]
    return _model(name, "QLinearMatMul", order, inputs, stored, y)


def _conv(
    name: str, shape: Conv | Depthwise, generator: np.random.Generator, symmetric: bool
) -> onnx.ModelProto:
    """Weights with a scale per output channel, uint8 activations, as quantisers make them."""
    groups, count = (1, shape.filters) if isinstance(shape, Conv) else (shape.channels,) * 2
    depth = shape.channels // groups * shape.kernel**2
    out = (shape.size + 2 * shape.padding - shape.kernel) // shape.stride + 1
    scales = generator.uniform(0.5, 1.5, count).astype(np.float32) * _W_SCALE
    filters = (count, shape.channels // groups, shape.kernel, shape.kernel)
    stored: dict[str, Array] = {
        "x_scale": np.asarray(_X_SCALE),
        "x_zero": np.asarray(np.int8(0) if symmetric else np.uint8(120)),
        "w": _weights(generator, filters),
        "w_scale": np.asarray(_W_SCALE) if symmetric else scales,
        "w_zero": np.asarray(np.int8(0)) if symmetric else np.zeros(count, np.int8),
        "y_scale": _result_scale(depth),
        "y_zero": np.asarray(np.int8(0) if symmetric else np.uint8(128)),
        "bias": generator.integers(-5000, 5000, count).astype(np.int32),
    }
    order = ["x", *list(stored)]
    dtype = "int8" if symmetric else "uint8"
    inputs = {"x": (dtype, (1, shape.channels, shape.size, shape.size))}
    y = (dtype, (1, count, out, out))
    attributes = {"strides": [shape.stride] * 2, "pads": [shape.padding] * 4, "group": groups}
    return _model(name, "QLinearConv", order, inputs, stored, y, **attributes)


def _pool(name: str, shape: Pool) -> onnx.ModelProto:
    inputs = {"x": ("uint8", (1, shape.channels, shape.size, shape.size))}
    if shape.whole:
        y = ("uint8", (1, shape.channels, 1, 1))
        stored = _scaled("x", 120) | _scaled("y", 128)
        order = ["x", *stored]
        return _model(name, "com.microsoft.QLinearGlobalAveragePool", order, inputs, stored, y)
    out = (shape.size + 2 * shape.padding - shape.kernel) // shape.stride + 1
    y = ("uint8", (1, shape.channels, out, out))
    attributes = {
        "kernel_shape": [shape.kernel] * 2,
        "strides": [shape.stride] * 2,
        "pads": [shape.padding] * 4,
    }
    return _model(name, "MaxPool", ["x"], inputs, {}, y, **attributes)


def _elementwise(name: str, shape: Elementwise) -> onnx.ModelProto:
    y = ("uint8", shape.shape)
    if shape.operands == 1:
        stored = _scaled("a", 120) | _scaled("y", 0)
        order = ["a", *stored]
        return _model(name, "com.microsoft.QLinearSigmoid", order, {"a": y}, stored, y)
    stored = _scaled("a", 120) | _scaled("b", 131) | _scaled("y", 128)
    order = ["a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"]
    return _model(name, "com.microsoft.QLinearAdd", order, {"a": y, "b": y}, stored, y)


def _scaled(name: str, zero: int) -> dict[str, Array]:
    """Scale and zero point of a uint8 tensor."""
    return {f"{name}_scale": np.asarray(_X_SCALE), f"{name}_zero": np.asarray(np.uint8(zero))}


def _weights(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.integers(-127, 128, shape).astype(np.int8)


def _result_scale(depth: int) -> Array:
    """Random operands spread over the whole result range, few saturate."""
    return np.asarray(_X_SCALE * _W_SCALE * np.float32(120.0 * np.sqrt(depth)))


def _model(
    name: str,
    op_type: str,
    order: list[str],
    inputs: Mapping[str, tuple[str, tuple[int, ...]]],
    stored: dict[str, Array],
    y: tuple[str, tuple[int, ...]],
    **attributes: Any,
) -> onnx.ModelProto:
    """Model of one node; `op_type` with its domain, if it has one."""
    domain, _, op = op_type.rpartition(".")
    graph = helper.make_graph(
        [helper.make_node(op, order, ["y"], name=name, domain=domain or None, **attributes)],
        name,
        [helper.make_tensor_value_info(n, _DTYPES[d], s) for n, (d, s) in inputs.items()],
        [helper.make_tensor_value_info("y", _DTYPES[y[0]], y[1])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in stored.items()],
    )
    opsets = [
        helper.make_opsetid(d, v) for d, v in {"": 17, domain: 17 if not domain else 1}.items()
    ]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
