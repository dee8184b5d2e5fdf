"""How a codelet's tensor is seen in an ONNX tensor: reshape, cut and permute, never pad."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class View:
    """codelet_tensor = onnx_tensor.reshape(reshape)[:extents].transpose(permutation).

    `source` is the role in the layer (`x`, `w`, `y`, …); `extents`: of the leading part of every
    axis that an input is read of, () for all of it.
    """

    source: str
    reshape: tuple[int, ...]
    permutation: tuple[int, ...]
    onnx_shape: tuple[int, ...]
    extents: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the codelet's tensor."""
        extents = self.extents or self.reshape
        return tuple(extents[i] for i in self.permutation)

    def apply(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        """ONNX order to codelet order."""
        part = tuple(slice(0, extent) for extent in self.extents)
        return tensor.reshape(self.reshape)[part].transpose(self.permutation)

    def invert(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        """Codelet order back to ONNX order and shape."""
        inverse = np.argsort(np.asarray(self.permutation))
        return tensor.transpose(tuple(int(i) for i in inverse)).reshape(self.onnx_shape)


def axis_names(count: int) -> tuple[str, ...]:
    """Dims of elementwise codelets: n, c, then i, i1, i2, …; a matrix is m by c, a vector is c."""
    if count < 3:
        return ("m", "c")[-count:] if count else ()
    return ("n", "c", "i", *(f"i{k}" for k in range(1, count - 2)))
