"""Small layers of every kind that the library knows, for asking what an architecture can run.

In: how tensors are quantised. Out: `Sample`s, built by the library files; the registry lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor, Quantisation

_SCALES = {"x": 0.02, "w": 0.01, "y": 0.05}
"""Real values of one step; their quotients are no powers of two, as in real models."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the activations of a sample are quantised; weights are int8 with zero point 0."""

    title: str
    dtype: DType
    zero_point: int

    def activation(self, name: str, *shape: int) -> LayerTensor:
        """A tensor that is known at run time only."""
        return LayerTensor(name, self.dtype, shape, _quantisation(name, self.zero_point))


NUMBERS = (
    Numbers("uint8 and int8 with any zero point", DType.UINT8, 128),
    Numbers("int8 with any zero point", DType.INT8, 3),
    Numbers("int8 with zero point 0", DType.INT8, 0),
)
"""From what asks most of a machine to what asks least."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A kind of layer and a small example of it."""

    kind: str
    layer: Layer


def sample(
    kind: str,
    family: str,
    inputs: Mapping[str, LayerTensor],
    output: LayerTensor,
    attributes: Mapping[str, int | tuple[int, ...]],
) -> Sample:
    """A sample of a family of layers."""
    return Sample(kind, Layer(kind, kind, family, inputs, {"y": output}, attributes))


def weights(*shape: int) -> LayerTensor:
    """A constant factor, its payload unknown."""
    return LayerTensor("w", DType.INT8, shape, _quantisation("w", 0), constant=True)


def biases(channels: int) -> LayerTensor:
    """A constant bias, its payload unknown."""
    return LayerTensor("bias", DType.INT32, (channels,), constant=True)


def sums(*shape: int) -> LayerTensor:
    """A result that is not requantised."""
    return LayerTensor("y", DType.INT32, shape)


def _quantisation(name: str, zero_point: int) -> Quantisation:
    scale = np.asarray(_SCALES[name[0]], np.float32)
    return Quantisation(scale, np.asarray(zero_point, np.int64))
