"""How a codelet's tensor is seen in an ONNX tensor: reshaped, cut, permuted, padded, centred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOP = 0x80
"""The highest bit of a byte: flipping it subtracts 128 from an unsigned one, as a signed one."""


@dataclass(frozen=True, slots=True)
class View:
    """codelet_tensor = onnx_tensor.reshape(reshape)[:extents].transpose(permutation), then margins,
    then splits.

    `source` is the role in the layer (`x`, `w`, `y`, …); `extents`: of the leading part of every
    axis that an input is read of, () for all of it. `margins`: elements before and after the tensor
    on every axis of the codelet's, () for none, which hold `fill`; `flip`: uint8 elements are seen
    as int8 ones less 128; `splits`: an axis of n positions becomes two, of n / split and split,
    where that is not 1.
    """

    source: str
    reshape: tuple[int, ...]
    permutation: tuple[int, ...]
    onnx_shape: tuple[int, ...]
    extents: tuple[int, ...] = ()
    margins: tuple[tuple[int, int], ...] = ()
    fill: int = 0
    flip: bool = False
    splits: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the codelet's tensor."""
        inner = self.inner
        margins = self.margins or ((0, 0),) * len(inner)
        whole = (a + n + b for n, (a, b) in zip(inner, margins, strict=True))
        splits = self.splits or (1,) * len(inner)
        parts = ((n,) if s == 1 else (n // s, s) for n, s in zip(whole, splits, strict=True))
        return tuple(n for part in parts for n in part)

    @property
    def digits(self) -> tuple[tuple[int, int], ...]:
        """For every axis of the codelet's tensor the axis before splits, and how many of its
        positions one makes."""
        splits = self.splits or (1,) * len(self.permutation)
        found: list[tuple[int, int]] = []
        for axis, split in enumerate(splits):
            found += [(axis, 1)] if split == 1 else [(axis, split), (axis, 1)]
        return tuple(found)

    @property
    def inner(self) -> tuple[int, ...]:
        """Shape within the margins."""
        extents = self.extents or self.reshape
        return tuple(extents[i] for i in self.permutation)

    @property
    def is_plain(self) -> bool:
        """Whether elements are those of the ONNX tensor and no others."""
        return not self.margins and not self.flip and not self.splits

    def apply(self, tensor: NDArray[np.generic]) -> NDArray[Any]:
        """ONNX order to codelet order."""
        part = tuple(slice(0, extent) for extent in self.extents)
        seen = tensor.reshape(self.reshape)[part].transpose(self.permutation)
        if self.flip:
            seen = _flipped(seen)
        if self.margins:
            seen = np.pad(seen, self.margins, constant_values=self.fill)
        return seen.reshape(self.shape) if self.splits else seen

    def invert(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Codelet order back to ONNX order and shape."""
        if self.flip:
            tensor = _flipped(tensor)
        inverse = np.argsort(np.asarray(self.permutation))
        return tensor.transpose(tuple(int(i) for i in inverse)).reshape(self.onnx_shape)


def _flipped(tensor: NDArray[np.generic]) -> NDArray[Any]:
    """uint8 as int8 less 128, and back."""
    other = np.int8 if tensor.dtype == np.uint8 else np.uint8
    bits = np.ascontiguousarray(tensor).view(np.uint8) ^ np.uint8(_TOP)
    return bits.view(other)


def axis_names(count: int) -> tuple[str, ...]:
    """Dims of elementwise codelets: n, c, then i, i1, i2, …; a matrix is m by c, a vector is c."""
    if count < 3:
        return ("m", "c")[-count:] if count else ()
    return ("n", "c", "i", *(f"i{k}" for k in range(1, count - 2)))
