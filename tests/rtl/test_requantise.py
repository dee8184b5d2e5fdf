"""The requantiser against NumPy float32, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rtl.bench import Bench

pytestmark = pytest.mark.rtl

LANES = 64
I32 = np.iinfo(np.int32)


@pytest.fixture(scope="module")
def bench() -> Bench:
    ports = {"sum_i": 32, "scale_i": 32, "zy_i": 32, "lo_i": 32, "hi_i": 32, "y_o": 8}
    return Bench("cvn_requantise_tb", ports, {"Lanes": LANES}, ["tb/cvn_requantise_tb.sv"])


def golden(
    sums: NDArray[np.int32], scales: NDArray[np.float32], zy: int, lo: int, hi: int
) -> NDArray[np.uint8]:
    """The contract's float32 semantics; sums beyond int64 cannot matter to an int32 clamp."""
    with np.errstate(over="ignore"):
        product = sums.astype(np.float32) * scales
    integers = np.rint(product).astype(np.float64).clip(-(2.0**33), 2.0**33).astype(np.int64)
    clamped: NDArray[np.int64] = np.minimum(np.maximum(integers + zy, lo), hi)
    return (clamped & 255).astype(np.uint8)


def check(
    bench: Bench,
    sums: NDArray[np.int32],
    scales: NDArray[np.float32],
    bounds: tuple[int, int, int] = (0, -128, 127),
) -> None:
    zy, lo, hi = bounds
    rows = -(-len(sums) // LANES)
    padded_sums = np.zeros((rows + 2, LANES), np.int32)
    padded_scales = np.ones((rows + 2, LANES), np.float32)
    padded_sums.reshape(-1)[: len(sums)] = sums
    padded_scales.reshape(-1)[: len(scales)] = scales
    results = np.zeros((rows, LANES), np.uint8)
    bench.set(zy_i=zy, lo_i=lo, hi_i=hi)
    sum_port, scale_port, y_port = bench["sum_i"], bench["scale_i"], bench["y_o"]
    for row in range(rows + 1):
        sum_port[:] = padded_sums[row].view(np.uint32)
        scale_port[:] = padded_scales[row].view(np.uint32)
        bench.tick()
        if row:
            results[row - 1] = y_port
    found = results.reshape(-1)[: len(sums)]
    expected = golden(sums, scales, zy, lo, hi)
    wrong = np.flatnonzero(found != expected)
    assert wrong.size == 0, [
        (int(sums[i]), float(scales[i]), bounds, int(found[i]), int(expected[i])) for i in wrong[:4]
    ]


def sums_of_all_sizes(rng: np.random.Generator, count: int) -> NDArray[np.int32]:
    """Random integers whose number of significant bits is uniform."""
    full = rng.integers(I32.min, I32.max, count, endpoint=True)
    return (full >> rng.integers(0, 32, count)).astype(np.int32)


def test_requantise_equals_float32_on_a_million_network_like_values(bench: Bench) -> None:
    rng = np.random.default_rng(1)
    for bounds in [
        (0, -128, 127),
        (-3, -128, 127),
        (128, 0, 255),
        (17, 17, 255),
        (-128, -128, 100),
    ]:
        sums = sums_of_all_sizes(rng, 200_000)
        target = rng.uniform(0.1, 300.0, sums.size)
        scales = (target / np.maximum(np.abs(sums.astype(np.float64)), 1)).astype(np.float32)
        check(bench, sums, scales, bounds)


def test_requantise_equals_float32_for_every_exponent(bench: Bench) -> None:
    rng = np.random.default_rng(2)
    sums = sums_of_all_sizes(rng, 200_000)
    bits = rng.integers(1 << 23, 255 << 23, sums.size).astype(np.uint32)
    for bounds in [(0, -128, 127), (1 << 30, I32.min, I32.max), (I32.min, I32.min, I32.max)]:
        check(bench, sums, bits.view(np.float32), bounds)


def test_requantise_rounds_ties_to_even(bench: Bench) -> None:
    halves = np.arange(-601, 601, dtype=np.int32)
    for shift in (0, 3, 15):
        sums = (halves << shift).astype(np.int32)
        check(bench, sums, np.full(sums.size, 2.0 ** (-1 - shift), np.float32))
    # The conversion to float32 ties as well: 25-bit odd integers.
    sums = (np.arange(1 << 12, dtype=np.int32) * 2 + 1 + (1 << 24)).astype(np.int32)
    check(bench, np.concatenate([sums, -sums]), np.full(2 * sums.size, 2.0**-18, np.float32))


def test_requantise_equals_float32_at_extremes(bench: Bench) -> None:
    edges = [0, 1, -1, 2, 3, I32.max, I32.min, I32.max - 1, I32.min + 1]
    edges += [
        sign * ((1 << bit) + delta)
        for bit in range(2, 31)
        for delta in (-1, 0, 1)
        for sign in (1, -1)
    ]
    scale_bits = [
        0x00800000,
        0x00800001,
        0x7F7FFFFF,
        0x7F000000,
        0x3F800000,
        0x3F7FFFFF,
        0x3F000000,
    ]
    scale_bits += [(e << 23) | m for e in range(90, 170) for m in (0, 1, 0x400000, 0x7FFFFF)]
    sums, bits = np.meshgrid(np.array(edges, np.int64), np.array(scale_bits, np.uint32))
    sums32 = sums.reshape(-1).astype(np.int32)
    scales = bits.reshape(-1).astype(np.uint32).view(np.float32)
    for bounds in [(0, -128, 127), (255, 0, 255), (-128, -128, 127), (0, 127, -128)]:
        check(bench, sums32, scales, bounds)


def test_requantise_treats_zero_and_subnormal_scales_as_zero(bench: Bench) -> None:
    scales = np.array([0, 1, 0x7FFFFF], np.uint32).view(np.float32)
    check(bench, np.full(3, I32.max, np.int32), scales, (5, -128, 127))
