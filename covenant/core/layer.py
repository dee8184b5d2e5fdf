"""The layer: one operator of a model with its shapes and quantisation, as the frontend read it.

In: built by `frontend`. Out: read by `codelets` (meaning), `pipeline` (payloads, names). Both QDQ
and QOperator spellings arrive here in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from covenant.core.dtypes import DType


@dataclass(frozen=True, slots=True, eq=False)
class Quantisation:
    """Affine quantisation `real = scale * (q - zero_point)`.

    scale: float32 of shape () or (channels,); zero_point: int64 of the same shape. Channels are
    those of `axis` of the ONNX tensor.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LayerTensor:
    """An operand as ONNX names it; `values` is the payload of a constant, None for activations."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    quantisation: Quantisation | None = None
    values: NDArray[np.generic] | None = None
    constant: bool = False
    """True for a weight or bias whose payload is fixed, also where `values` was not needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One operator. `family` is the key of the codelet registry.

    inputs/outputs are keyed by role (`x`, `w`, `bias`, `t`, `y`) and named as the *quantised*
    tensors of the graph. Attributes by family:
    - `conv`: `strides`, `pads` (all begins, then all ends), `dilations`, one entry per spatial
      axis, and `group`;
    - `gemm`: `trans_x`, `trans_w` (0 or 1: the last two axes are exchanged);
    - `max_pool`, `average_pool`: `kernel`, `strides`, `pads`, `dilations`, `channels_last` (0 or
      1); an average also has `count_pads` (1: padding counts as elements) and `point_first` (1: the
      zero point is added before rounding);
    - `sum`: `subtract` (1: x - w); `product`: none;
    - `move`: `x_shape`, `loops`, `strides`, `offsets`, `pad`: see its library file.
    `low`/`high` clamp the quantised output, where an activation asks for it. `bias` has shape
    (channels,), for `gemm` also (rows, channels), in units of the accumulator. `t` is a table of
    256 results by the byte of x.
    """

    name: str
    op_type: str
    family: str
    inputs: Mapping[str, LayerTensor]
    outputs: Mapping[str, LayerTensor]
    attributes: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    """ONNX node names this layer covers (QDQ groups cover several)."""
    assumed_int8: bool = False
    """True for a float operator mapped as if quantised: it can be mapped, not run."""
    alpha: float = 1.0
    """Factor on the product of the input scales (Gemm's alpha), a float32 value."""
