"""Tensors as bytes in memory order, and back.

In: arrays in codelet order and a `Layout`. Out: bytes. A layout is a strided view of memory with
one axis per digit of an index, so packing is one assignment whatever the layout.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from covenant.core.dtypes import DType
from covenant.mapper.mapping import Layout, LayoutAxis

Array = NDArray[Any]


def pack(array: Array, layout: Layout, dtype: DType, padding: int | Array = 0) -> NDArray[np.uint8]:
    """Bytes [layout.bytes] of a tensor; positions outside its shape hold `padding`, a number or an
    array that broadcasts to `capacity(layout, axes)`."""
    buffer = np.zeros(layout.bytes, np.uint8)
    shape = capacity(layout, array.ndim)
    whole = np.empty(shape, dtype.numpy)
    if shape != array.shape:
        whole[...] = padding
    whole[tuple(slice(0, n) for n in array.shape)] = array
    digits = _ordered(layout, array.ndim)
    _view(buffer.view(dtype.numpy), digits)[...] = whole.reshape([d.extent for d in digits])
    return buffer


def unpack(
    content: NDArray[np.uint8], layout: Layout, dtype: DType, shape: tuple[int, ...]
) -> Array:
    """The tensor of that shape from its bytes; the inverse of `pack`."""
    digits = _ordered(layout, len(shape))
    aligned = np.ascontiguousarray(content).view(dtype.numpy)
    whole = _view(aligned, digits).reshape(capacity(layout, len(shape)))
    return np.ascontiguousarray(whole[tuple(slice(0, n) for n in shape)])


def pack_records(records: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """Bytes of records [blocks of every axis, record bytes]."""
    buffer = np.zeros(layout.bytes, np.uint8)
    digits = _ordered(layout, records.ndim - 1)
    shape = (*(d.extent for d in digits), records.shape[-1])
    strides = (*(d.stride for d in digits), 1)
    as_strided(buffer, shape, strides)[...] = records.reshape(shape)
    return buffer


def capacity(layout: Layout, axes: int) -> tuple[int, ...]:
    """How many indices of every axis a layout has room for."""
    return tuple(
        max((d.step * d.extent for d in layout.axes if d.axis == axis), default=1)
        for axis in range(axes)
    )


def _ordered(layout: Layout, axes: int) -> list[LayoutAxis]:
    """Digits axis by axis, most significant first; each counts whole turns of the next."""
    digits: list[LayoutAxis] = []
    for axis in range(axes):
        own = sorted((d for d in layout.axes if d.axis == axis), key=lambda d: -d.step)
        for high, low in pairwise(own):
            assert high.step == low.step * low.extent, f"digits of axis {axis} do not nest"
        digits += own or [LayoutAxis(axis, 1, 1, 0)]
    return digits


def _view(buffer: Array, digits: list[LayoutAxis]) -> Array:
    return as_strided(buffer, [d.extent for d in digits], [d.stride for d in digits])
