"""Element types of tensors: the one place that knows their widths and ranges."""

from __future__ import annotations

from enum import StrEnum

import numpy as np


class DType(StrEnum):
    """An element type; the value is the name used in YAML, text forms and JSON."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    FLOAT32 = "float32"

    @property
    def bytes(self) -> int:
        """Size of one element in bytes."""
        return self.numpy.itemsize

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy type of the same name."""
        return np.dtype(self.value)

    @property
    def signed(self) -> bool:
        """Whether negative values can be stored."""
        return self.numpy.kind != "u"

    @property
    def minimum(self) -> int:
        """Smallest integer; only for integer types."""
        return -(1 << (8 * self.bytes - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest integer; only for integer types."""
        return (1 << (8 * self.bytes - self.signed)) - 1
