"""The host's share of a quantised model: quantise its inputs, dequantise its outputs.

In: arrays by ONNX tensor name. Out: arrays by layer role, or by the names of the graph's outputs.
A QDQ model with a float input runs as: host QuantizeLinear, layers on integers, host
DequantizeLinear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.core.layer import Layer, Quantisation
from covenant.frontend.model import Model

Array = NDArray[Any]


def quantise(real: Array, quantisation: Quantisation, dtype: DType) -> Array:
    """`clamp(rint(real / scale) + zero_point)` in the dtype; the division is in float32."""
    scale = _along_axis(quantisation.scale, quantisation, real.ndim)
    zero_point = _along_axis(quantisation.zero_point, quantisation, real.ndim)
    steps = np.rint(np.asarray(real, np.float32) / scale)
    limit = np.float32(2.0**40)
    integers = np.clip(steps, -limit, limit).astype(np.int64) + zero_point
    return np.clip(integers, dtype.minimum, dtype.maximum).astype(dtype.numpy)


def dequantise(integers: Array, quantisation: Quantisation) -> NDArray[np.float32]:
    """`(integers - zero_point) * scale` in float32."""
    scale = _along_axis(quantisation.scale, quantisation, integers.ndim)
    zero_point = _along_axis(quantisation.zero_point, quantisation, integers.ndim)
    centred = integers.astype(np.int64) - zero_point
    return np.asarray(centred.astype(np.float32) * scale, np.float32)


def layer_inputs(model: Model, layer: Layer, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays of a layer's non-constant inputs by role, ONNX shapes.

    tensors: by ONNX name, the graph inputs and the outputs of the layers run so far. KeyError with
    the tensor's name when it depends on something that was not run.
    """
    return {
        role: _tensor(model, operand.name, tensors)
        for role, operand in layer.inputs.items()
        if operand.values is None and not operand.constant
    }


def graph_outputs(model: Model, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays of the graph outputs that can be had from `tensors` (see `layer_inputs`), by name."""
    outputs: dict[str, Array] = {}
    for output in model.outputs:
        try:
            outputs[output.name] = _tensor(model, output.name, tensors)
        except KeyError:
            continue
    return outputs


def _tensor(model: Model, name: str, tensors: Mapping[str, Array]) -> Array:
    """The tensor, through as many aliases, joins and boundaries as it takes."""
    if name in tensors:
        return tensors[name]
    for alias in model.aliases:
        if alias.target == name:
            return _tensor(model, alias.source, tensors).reshape(alias.shape)
    for join in model.joins:
        if join.target == name:
            parts = [_tensor(model, part, tensors) for part in join.parts]
            return np.concatenate(parts, join.axis)
    for boundary in model.boundaries:
        if boundary.target == name:
            source = _tensor(model, boundary.source, tensors)
            if boundary.quantises:
                return quantise(source, boundary.quantisation, boundary.dtype)
            real = dequantise(source, boundary.quantisation)
            for low, high in boundary.bounds:
                real = np.minimum(np.maximum(real, np.float32(low)), np.float32(high))
            return real
    raise KeyError(name)


def _along_axis(values: Array, quantisation: Quantisation, rank: int) -> Array:
    """Per-channel values shaped to broadcast along the quantised axis."""
    if values.size == 1:
        return values.reshape(())
    assert quantisation.axis is not None
    shape = [1] * rank
    shape[quantisation.axis] = values.size
    return values.reshape(shape)
