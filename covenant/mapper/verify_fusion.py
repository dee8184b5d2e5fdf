"""Does a fused codelet add up the same products, and do its windows lie where they are fetched?

In: a mapping, the layer's codelet, layouts. Out: findings as sentences. Part of `verify`: products
are listed one by one and offsets compared, no rule of the mapper is used.
"""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Iterator
from math import prod

import numpy as np

from covenant.codelets.ir import Codelet, Source, Tensor
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.expression import Ref
from covenant.mapper.mapping import Layout

_Place = tuple[int, ...] | None
"""Indices of an element of the layer's tensor, None in its padding."""


def fusion_faults(codelet: Codelet, fused: Codelet) -> Iterator[str]:
    """Whether a fused codelet sums the products of the layer, at some of its results."""
    if fused == codelet:
        return
    own = {t.name: t for t in codelet.tensors}
    for tensor in fused.tensors:
        shape = tensor.source.shape if tensor.source is not None else tensor.shape
        if shape != own[tensor.name].shape or tensor.dtype is not own[tensor.name].dtype:
            yield f"'{tensor.name}' is another tensor once {_names(fused)} run as one"
            return
    kept = {d for i in codelet.steps[0].target.indices for d in i.dims}
    for trial in range(4):
        at = {d: _pick(codelet, d, trial) for d in sorted(kept)}
        if _products(codelet, at) != _products(fused, at):
            yield f"the products of a result change once {_names(fused)} run as one"
            return


def _names(fused: Codelet) -> str:
    return " and ".join(f"'{d}'" for d in fused.fused)


def _pick(codelet: Codelet, dim: str, trial: int) -> int:
    """The first position, the last one, then any."""
    last = codelet.dim(dim).extent - 1
    noise = zlib.crc32(f"{dim} {trial}".encode()) % (last + 1)
    return (0, last, noise, noise)[trial]


def _products(codelet: Codelet, at: dict[str, int]) -> Counter[tuple[_Place, ...]]:
    """Elements of the layer's tensors that are multiplied for one result, with their number."""
    first = codelet.steps[0]
    summed = [d for d in codelet.dims if d.name not in at]
    refs = [r for r in dict.fromkeys(first.refs) if r.indices]
    found: Counter[tuple[_Place, ...]] = Counter()
    for point in itertools.product(*(range(d.extent) for d in summed)):
        place = at | dict(zip((d.name for d in summed), point, strict=True))
        found[tuple(_place(codelet.tensor(r.name), r, place) for r in refs)] += 1
    return found


def _place(tensor: Tensor, ref: Ref, point: dict[str, int]) -> _Place:
    index = tuple(i.evaluate(point) for i in ref.indices)
    if any(not 0 <= i < n for i, n in zip(index, tensor.shape, strict=True)):
        return None
    if tensor.source is None:
        return index
    digits: dict[str, int] = {}
    for value, axis in zip(index, tensor.source.digits, strict=True):
        left = value
        for name, extent in reversed(axis):
            digits[name] = left % extent
            left //= extent
    seen = tuple(i.evaluate(digits) for i in tensor.source.indices)
    inside = all(0 <= i < n for i, n in zip(seen, tensor.source.shape, strict=True))
    return seen if inside else None


def window_faults(
    port: str, home: Layout, tile: Layout, source: Source, dtype: DType, word: int
) -> Iterator[str]:
    """Lines are contiguous off chip and disjoint; a window on chip is contiguous in whole words."""
    *_, window, inner = source.digits[-1]
    line = next(a for a, i in enumerate(source.indices) if window[0] in i.dims)
    element = source.indices.index(Affine.of(inner[0]))
    width = dtype.bytes
    starts = np.zeros(1, np.int64)
    for axis, size in enumerate(source.shape):
        places = _offsets(home, axis, size)
        step = {line: inner[1] * width, element: width}.get(axis)
        if step is None:
            starts = (starts[:, None] + places[None, :]).ravel()
        elif not np.array_equal(places, np.arange(size) * step):
            yield f"home of '{port}': axis {axis} is not contiguous in a line"
            return
    starts = np.sort(starts)
    length = source.shape[line] * inner[1] * width
    if np.any(np.diff(starts) < length):
        yield f"home of '{port}': lines of {length} bytes overlap"
    if int(starts[-1]) + length > home.bytes or int(starts[0]) < 0 or home.bytes % word:
        yield f"home of '{port}': lines reach byte {int(starts[-1]) + length} of {home.bytes}"
    last = len(source.digits) - 1
    inside = _offsets(tile, last, prod(extent for _, extent in source.digits[-1]))
    if not np.array_equal(inside, np.arange(inside.size) * width):
        yield f"tile of '{port}': a window is not contiguous"
    if any(a.stride % word for a in tile.axes if a.axis != last):
        yield f"tile of '{port}': a window does not start at a word"


def _offsets(layout: Layout, axis: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    index = np.arange(size, dtype=np.int64)
    places = np.zeros(size, np.int64)
    for part in layout.axes:
        if part.axis == axis:
            places += index // part.step % part.extent * part.stride
    return places
