"""float32 scales with which a machine rounds as a layer wants, for every sum of 32 bits.

In: a scale, products that the machine must not meet, the range that results are clamped to. Out: a
scale with equal results and none of these products, or None. `requantise` does not fall as sums
grow, so that two scales agree if every result begins at the same sum: 255 comparisons, no search
through all sums.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FARTHEST = 16
"""Units in the last place that a scale may move; farther ones agree with hardly any layer."""

_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1


@cache
def settled(scale: float, low: int, high: int, avoided: tuple[float, ...]) -> float | None:
    """The scale nearest to `scale` with the same `clip(requantise(sum, scale, 0), low, high)` for
    every sum and none of the products `avoided`, of either sign, where that shows; None without
    one, or for a scale that is not positive."""
    wanted = np.float32(scale)
    if not np.isfinite(wanted) or wanted <= 0:
        return None
    steps = np.arange(low + 1, high + 1) - 0.5
    begins: NDArray[Any] | None = None
    bits = int(wanted.view(np.int32))
    for distance in range(_FARTHEST + 1):
        for moved in sorted({bits + distance, bits - distance}, reverse=True):
            candidate = np.int32(moved).view(np.float32)
            if not np.isfinite(candidate) or candidate <= 0:
                continue
            if _meets(candidate, low, high, avoided):
                continue
            begins = _begins(wanted, low, high, steps) if begins is None else begins
            if (_begins(candidate, low, high, steps) == begins).all():
                return float(candidate)
    return None


def _product(sums: NDArray[Any], scale: np.float32) -> NDArray[Any]:
    return np.asarray(sums.astype(np.int32).astype(np.float32) * scale)


def _first(scale: np.float32, reached: Any, count: int) -> NDArray[Any]:
    """The least sum whose product is `reached`, which does not fall as sums grow; one beyond the
    highest without one."""
    low = np.full(count, _LOWEST, np.int64)
    high = np.full(count, _HIGHEST + 1, np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        yes = reached(_product(np.minimum(middle, _HIGHEST), scale)) | (middle > _HIGHEST)
        high = np.where(yes, middle, high)
        low = np.where(yes, low, np.minimum(middle + 1, high))
    return low


def _begins(scale: np.float32, low: int, high: int, steps: NDArray[Any]) -> NDArray[Any]:
    """The least sum of every result above `low`."""
    results = np.arange(low + 1, high + 1)
    return _first(scale, lambda product: np.rint(product) >= results, len(steps))


def _meets(scale: np.float32, low: int, high: int, avoided: tuple[float, ...]) -> bool:
    """Whether a sum has one of the products, where no clamp hides it."""
    both = [np.float32(sign * value) for value in avoided for sign in (1, -1)]
    products = np.asarray([p for p in both if low < np.rint(p) <= high], np.float32)
    if not products.size:
        return False
    first = _first(scale, lambda product: product >= products, products.size)
    return bool((_product(np.minimum(first, _HIGHEST), scale) == products).any())
