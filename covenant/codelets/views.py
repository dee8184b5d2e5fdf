"""How a codelet's tensor is seen in an ONNX tensor: reshape and permute only, never padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class View:
    """codelet_tensor = onnx_tensor.reshape(reshape).transpose(permutation), of shape `shape`.

    `source` is the role in the layer (`x`, `w`, `y`, …).
    """

    source: str
    reshape: tuple[int, ...]
    permutation: tuple[int, ...]
    onnx_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the codelet's tensor."""
        return tuple(self.reshape[i] for i in self.permutation)

    def apply(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        """ONNX order to codelet order."""
        return tensor.reshape(self.reshape).transpose(self.permutation)

    def invert(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        """Codelet order back to ONNX order and shape."""
        inverse = np.argsort(np.asarray(self.permutation))
        return tensor.transpose(tuple(int(i) for i in inverse)).reshape(self.onnx_shape)
