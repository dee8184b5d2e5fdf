"""The statement forms beside the matrix product, as text: each prints back, is verified and means
what plain NumPy says. `tests/golden/statements/*.codelet` are also samples for those who bind
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from covenant.codelets.interpret import run
from covenant.codelets.ir import Codelet, Role, Tensor
from covenant.codelets.parser import parse_codelet
from covenant.codelets.printer import print_codelet
from covenant.codelets.verify import verify
from covenant.core.dtypes import DType

FOLDER = Path(__file__).parents[2] / "golden" / "statements"
SAMPLES = sorted(path.stem for path in FOLDER.glob("*.codelet"))
Arrays = Mapping[str, NDArray[Any]]


def _sample(name: str) -> Codelet:
    path = FOLDER / f"{name}.codelet"
    return verify(parse_codelet(path.read_text("utf-8"), path.name))


SCALES = {"average_pool": 0.2, "blend_broadcast": 2e-5, "multiply_per_channel": 0.01}


def _array(rng: np.random.Generator, tensor: Tensor, scale: float) -> NDArray[Any]:
    if tensor.dtype is DType.FLOAT32:
        return rng.uniform(scale / 2, scale, tensor.shape).astype(np.float32)
    low, high = tensor.dtype.minimum, tensor.dtype.maximum
    return rng.integers(low, high, tensor.shape, tensor.dtype.numpy, endpoint=True)


def _windows(x: NDArray[Any], size: tuple[int, int], strides: tuple[int, int]) -> NDArray[Any]:
    views = np.lib.stride_tricks.sliding_window_view(x, size, axis=(-2, -1))
    return views[..., :: strides[0], :: strides[1], :, :]


def _padded(x: NDArray[Any], rows: tuple[int, int], value: int) -> NDArray[Any]:
    return np.pad(x, [(0, 0), (0, 0), rows, (0, 0)], constant_values=value)


def _rescaled(acc: NDArray[Any], scale: NDArray[Any], zero: int, low: int, high: int) -> Any:
    steps = np.rint(acc.astype(np.float32) * scale).astype(np.int64) + zero
    return np.clip(steps, low, high)


def _max_pool(a: Arrays) -> Any:
    return _windows(_padded(a["x"], (1, 1), -128), (3, 2), (2, 2)).max(axis=(-2, -1))


def _average_pool(a: Arrays) -> Any:
    windows = _windows(_padded(a["x"], (1, 1), 7), (3, 2), (2, 1)).astype(np.int64) - 7
    return _rescaled(windows.sum(axis=(-2, -1)), a["scale"], 12, 0, 255)


def _blend(a: Arrays) -> Any:
    left = (a["x"].astype(np.int64) + 3) * 32767
    right = (a["w"].astype(np.int64) - 9) * -1204
    return _rescaled(left + right[..., None], a["scale"], -4, -128, 127)


def _multiply(a: Arrays) -> Any:
    product = (a["x"].astype(np.int64) - 128) * a["w"].astype(np.int64)[:, None]
    return _rescaled(product, a["scale"][:, None], 3, 0, 200)


MEANINGS: dict[str, Callable[[Arrays], Any]] = {
    "average_pool": _average_pool,
    "blend_broadcast": _blend,
    "max_pool": _max_pool,
    "multiply_per_channel": _multiply,
    "padded_copy": lambda a: np.pad(a["x"][:, :, 1:4], [(0, 0), (1, 2), (0, 0)], constant_values=9),
    "repeated_copy": lambda a: a["x"].repeat(2, 1).repeat(2, 2).reshape(5, 3, 2, 4, 2),
    "table": lambda a: a["t"][a["x"].view(np.uint8)],
    "transposed_copy": lambda a: a["x"].transpose(0, 2, 1),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_statement_means_what_numpy_says(name: str) -> None:
    codelet = _sample(name)
    rng = np.random.default_rng(5)
    arrays = {
        tensor.name: _array(rng, tensor, SCALES.get(name, 0.0))
        for tensor in codelet.tensors
        if tensor.role in (Role.INPUT, Role.CONSTANT)
    }
    found = run(codelet, arrays)["y"]
    wanted = np.asarray(MEANINGS[name](arrays))
    assert found.shape == wanted.shape
    assert np.unique(found).size > 10, "the sample must not be a constant"
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", SAMPLES)
def test_statement_prints_as_it_was_written(name: str) -> None:
    text = (FOLDER / f"{name}.codelet").read_text("utf-8")
    assert print_codelet(parse_codelet(text)) == text


def test_a_store_that_may_overflow_is_refused_for_each_form() -> None:
    for name, broken in (
        ("max_pool", ("x int8", "x uint8")),
        ("table", ("t uint8", "t int8")),
        ("transposed_copy", ("y int8", "y uint8")),
        ("padded_copy", ("pad=9", "pad=300")),
    ):
        text = (FOLDER / f"{name}.codelet").read_text("utf-8").replace(*broken)
        with pytest.raises(Exception, match="CDL008"):
            verify(parse_codelet(text))
