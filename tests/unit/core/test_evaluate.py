"""Statements mean the same on the fast path, on the general path and in ONNX Runtime."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covenant.core.evaluate import evaluate, requantise
from covenant.core.expression import parse_statement
from onnx_nodes import node_case


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.integers(-128, 128, shape, dtype=np.int8)


CONVOLUTION = parse_statement("acc[n,oc,oy,ox] += (x[n,c,2*oy+fy-1,ox+2*fx-2] - 7) * w[oc,c,fy,fx]")


@given(
    sizes=st.lists(st.integers(1, 4), min_size=7, max_size=7),
    pad=st.integers(-128, 127),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolution_is_equal_on_both_paths(sizes: list[int], pad: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    extents = dict(zip(["n", "oc", "oy", "ox", "c", "fy", "fx"], sizes, strict=True))
    x = _random(rng, (extents["n"], extents["c"], 5, 6))
    w = _random(rng, tuple(extents[d] for d in ("oc", "c", "fy", "fx")))
    results = [
        evaluate(CONVOLUTION, extents, {"x": x, "w": w}, pads={"x": pad}, fast=fast)
        for fast in (True, False)
    ]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    "text",
    [
        "acc[m,n] += (a[m,k] - za) * (b[k,n] - zb[n])",
        "acc[n,m] += a[m,k] * b[k,n]",
        "acc[m] += a[m,k] * b[k,n]",
        "acc[k,m] += a[m,k] * 3",
        "acc[m,n] += a[m,k]",
    ],
)
def test_capability_statements_are_equal_on_both_paths(text: str) -> None:
    rng = np.random.default_rng(0)
    extents = {"m": 3, "n": 5, "k": 4}
    arrays = {"a": _random(rng, (3, 4)), "b": _random(rng, (4, 5)), "zb": _random(rng, (5,))}
    both = [
        evaluate(parse_statement(text), extents, arrays | {"za": 9}, fast=fast)
        for fast in (True, False)
    ]
    np.testing.assert_array_equal(*both)


def test_a_scalar_stands_for_every_element_of_a_missing_operand() -> None:
    statement = parse_statement(
        "y[m,n] = clip(requantise(acc[m,n] + bias[n], scale[n], zy), lo, hi)"
    )
    environment = {
        "acc": np.array([[10, -10]], np.int32),
        "bias": 0,
        "scale": np.array([0.25, 0.25], np.float32),
        "zy": 3,
        "lo": -128,
        "hi": 127,
    }
    result = evaluate(statement, {"m": 1, "n": 2}, environment)
    np.testing.assert_array_equal(result, [[5, 1]])  # 2.5 and -2.5 round to even


def test_a_reduction_resumes_from_partial_sums() -> None:
    statement = parse_statement("acc[m] += a[m,k] * b[k]")
    arrays = {"a": np.ones((2, 3), np.int8), "b": np.arange(3)}
    result = evaluate(statement, {"m": 2, "k": 3}, arrays, into=np.array([10, 20], np.int32))
    np.testing.assert_array_equal(result, [13, 23])


def test_max_reduces_over_a_padded_window() -> None:
    statement = parse_statement("y[o] max= x[2*o+f-1]")
    x = np.array([-5, -7, -9, -3], np.int8)
    result = evaluate(statement, {"o": 2, "f": 3}, {"x": x}, pads={"x": -128})
    np.testing.assert_array_equal(result, [-5, -3])


def test_negative_strides_read_backwards() -> None:
    statement = parse_statement("y[i] = x[3-i]")
    result = evaluate(statement, {"i": 4}, {"x": np.arange(4)})
    np.testing.assert_array_equal(result, [3, 2, 1, 0])


def test_a_table_is_indexed_by_the_low_byte() -> None:
    statement = parse_statement("y[i] = table(x[i], lut)")
    arrays = {"x": np.array([-1, 2], np.int8), "lut": np.arange(256)}
    np.testing.assert_array_equal(evaluate(statement, {"i": 2}, arrays), [255, 2])


def test_an_index_outside_an_unpadded_tensor_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside its shape"):
        evaluate(parse_statement("y[i] = x[i+1]"), {"i": 4}, {"x": np.arange(4)})


def test_sums_beyond_float64_stay_exact() -> None:
    a = np.array([[2**40, 2**40 + 1]])
    statement = parse_statement("acc[m] += a[m,k] * b[k]")
    result = evaluate(statement, {"m": 1, "k": 2}, {"a": a, "b": np.array([2**20, 1])})
    assert int(result[0]) == 2**60 + 2**40 + 1


def test_requantise_equals_onnxruntime_on_a_million_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    rows, columns = 1000, 1000
    magnitude = rng.integers(1, 31, columns)
    accumulator = rng.integers(-(2**magnitude), 2**magnitude, (rows, columns)).astype(np.int32)
    scale = (rng.uniform(20, 400, columns) / 2.0**magnitude).astype(np.float32)
    inputs = [
        ("a", np.zeros((rows, 1), np.uint8)),
        ("sa", np.float32(1.0)),
        ("za", np.uint8(0)),
        ("b", np.zeros((1, columns), np.int8)),
        ("sb", scale),
        ("zb", np.zeros(columns, np.int8)),
        ("c", accumulator),
        ("sy", np.float32(1.0)),
        ("zy", np.uint8(131)),
    ]
    arrays = [(n, np.asarray(v)) for n, v in inputs]
    feeds = {"a": arrays[0][1]}
    case = node_case("qgemm", "QGemm", arrays, feeds, np.uint8, "com.microsoft", alpha=1.0)
    ours = np.clip(requantise(accumulator, scale, np.asarray(131)), 0, 255)
    theirs = case.expected()["y"]
    assert len(np.unique(theirs)) == 256
    assert int(np.count_nonzero(ours != theirs)) == 0


@pytest.mark.slow
def test_large_layers_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    gemm = parse_statement("acc[m,n] += (a[m,k] - 128) * b[k,n]")
    a, b = _random(rng, (128, 3072)), _random(rng, (3072, 768))
    evaluate(gemm, {"m": 128, "n": 768, "k": 3072}, {"a": a, "b": b})
    conv = parse_statement("acc[oc,oy,ox] += (x[c,oy+fy-1,ox+fx-1] - 3) * w[oc,c,fy,fx]")
    extents = {"oc": 64, "oy": 56, "ox": 56, "c": 64, "fy": 3, "fx": 3}
    arrays = {"x": _random(rng, (64, 56, 56)), "w": _random(rng, (64, 64, 3, 3))}
    evaluate(conv, extents, arrays, pads={"x": 3})
    assert time.perf_counter() - started < 5
