"""Scales that meet no product which implementations of a machine round apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from covenant.acg.reader import read_architecture
from covenant.core.scales import settled

AVOIDED = read_architecture("gemmini").compute("scale_out").capabilities[0].avoids


def _results(sums: NDArray[np.int64], scale: float) -> NDArray[np.float32]:
    return np.rint(sums.astype(np.float32) * np.float32(scale)).clip(-128, 127)


def _by_adding(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Round to nearest even, the next integer taken from x + 1 in float32."""
    whole = np.trunc(x).astype(np.int64)
    after = np.trunc(np.where(x < 0, x - np.float32(1), x + np.float32(1))).astype(np.int64)
    rest = np.abs(x - whole.astype(np.float32))
    even = np.where(whole % 2 == 0, whole, after)
    return np.where(rest < 0.5, whole, np.where(rest > 0.5, after, even))


def test_the_products_avoided_are_those_that_adding_one_rounds_up() -> None:
    """All float32 from 1/2 to 256, by their bits."""
    found: list[float] = []
    for exponent in range(126, 135):
        bits = (exponent << 23) + np.arange(1 << 23, dtype=np.int32)
        x = bits.view(np.float32)
        apart = _by_adding(x).clip(-128, 127) != np.rint(x).clip(-128, 127)
        found += x[apart].tolist()
    assert found == [float(np.float32(value)) for value in AVOIDED]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 1500), st.floats(0.99, 1.01), st.booleans())
def test_a_settled_scale_gives_the_same_results_and_none_of_the_products(
    step: int, factor: float, relu: bool
) -> None:
    scale = float(np.float32(factor / step))
    low = 0 if relu else -128
    found = settled(scale, low, 127, AVOIDED)
    if found is None:
        return
    sums = np.arange(-140 * step, 140 * step)
    np.testing.assert_array_equal(
        _results(sums, found).clip(low, 127), _results(sums, scale).clip(low, 127)
    )
    product = sums.astype(np.float32) * np.float32(found)
    np.testing.assert_array_equal(
        _by_adding(product).clip(low, 127), _results(sums, scale).clip(low, 127)
    )


def test_a_scale_that_meets_a_product_moves_by_as_little_as_possible() -> None:
    scale = float(np.float32(1 / 41))
    assert np.float32(41) * np.float32(scale) == np.float32(AVOIDED[0])
    found = settled(scale, -128, 127, AVOIDED)
    assert found is not None
    assert abs(int(np.float32(found).view(np.int32)) - int(np.float32(scale).view(np.int32))) == 1


@pytest.mark.parametrize("scale", [1 / 82, 0.0, -0.5, float("inf")])
def test_there_is_none_for_scales_without_room_or_sign(scale: float) -> None:
    assert settled(scale, -128, 127, AVOIDED) is None


@pytest.mark.parametrize("scale", [0.25, 1 / 1024, 0.0037])
def test_a_scale_that_meets_none_stays(scale: float) -> None:
    assert settled(scale, -128, 127, AVOIDED) == float(np.float32(scale))
