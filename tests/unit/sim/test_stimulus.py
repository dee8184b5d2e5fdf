"""Inputs and outputs of a run: seeded random arrays, and .npz files good and bad."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import small_conv
from covenant.core.diagnostics import CovenantError
from covenant.frontend import Model, layer_inputs, read_model
from covenant.frontend.model import GraphTensor
from covenant.sim.stimulus import random_inputs, random_tensor, read_inputs, write_outputs

X = GraphTensor("x", "uint8", (3, 4))
Z = GraphTensor("z", "float32", ())
MODEL = Model("model.onnx", (), (), (X, Z), (), ())
GOOD: dict[str, Any] = {"x": np.arange(12, dtype=np.uint8).reshape(3, 4), "z": np.float32(2.5)}


def test_random_inputs_are_those_of_the_seed() -> None:
    once, again, other = (random_inputs(MODEL, seed) for seed in (1, 1, 2))
    assert list(once) == ["x", "z"]
    for name in once:
        np.testing.assert_array_equal(once[name], again[name])
    assert (once["x"] != other["x"]).any()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_random_integers_cover_their_whole_range(dtype: str) -> None:
    drawn = random_tensor(dtype, (20_000,), 1)
    limits = np.iinfo(dtype)
    assert drawn.dtype == np.dtype(dtype)
    step = (int(limits.max) - int(limits.min)) // 100
    assert drawn.min() <= limits.min + step
    assert drawn.max() >= limits.max - step


def test_float_input_covers_its_quantised_range(tmp_path: Path) -> None:
    case = small_conv("QDQ")
    model = read_model(case.save(tmp_path))
    inputs = random_inputs(model, 3)
    assert inputs["x"].dtype == np.float32
    quantised = layer_inputs(model, model.layers[0], inputs)["x"]
    assert len(np.unique(quantised)) > 150
    assert (quantised.min(), quantised.max()) == (0, 255)


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "x.npz", **GOOD)
        found = read_inputs(MODEL, tmp_path / "x.npz")
        assert set(found) == {"x", "z"}
        np.testing.assert_array_equal(found["x"], GOOD["x"])


@pytest.mark.parametrize(
    ("arrays", "code", "words"),
    [
        ({"x": GOOD["x"]}, "RUN002", "add z: float32[]"),
        ({**GOOD, "y": GOOD["x"]}, "RUN002", "no input 'y'"),
        ({**GOOD, "x": GOOD["x"].T}, "RUN003", "is uint8[4, 3], the model's input is uint8[3, 4]"),
        ({**GOOD, "x": GOOD["x"].astype(np.int8)}, "RUN003", "give uint8[3, 4]"),
        ({**GOOD, "z": np.array(["2.5"])}, "RUN003", "is <U3[1]"),
        ({**GOOD, "z": np.array([{}])}, "RUN001", "numpy.savez"),
    ],
    ids=["missing", "unknown", "transposed", "signed", "text", "objects"],
)
def test_arrays_that_do_not_fit_are_told(
    arrays: dict[str, Any], code: str, words: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(CovenantError) as caught:
        read_inputs(MODEL, tmp_path / "x.npz")
    assert f"x.npz: error[{code}]" in str(caught.value)
    assert words in str(caught.value)


def _array_file(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, GOOD["x"])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\x03\x04junk"),
        lambda path: path.write_text("0 1 2 3"),
        _array_file,
    ],
    ids=["nothing", "directory", "empty", "cut", "text", "npy"],
)
def test_files_that_are_no_archives_are_told(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    write(path)
    with pytest.raises(CovenantError, match=r"error\[RUN001\]: the inputs cannot be read"):
        read_inputs(MODEL, path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_told_or_read(save: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    save(path, **GOOD)
    original = path.read_bytes()
    for seed in range(300):
        chosen, content = random.Random(seed), bytearray(original)
        for _ in range(chosen.randint(1, 3)):
            content[chosen.randrange(len(content))] = chosen.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(CovenantError):  # nothing else may be raised
            read_inputs(MODEL, path)


def test_outputs_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "y.npz"
    outputs = {"a/b": GOOD["x"], "file": GOOD["x"][0], "z": GOOD["z"]}
    write_outputs(path, outputs)
    with np.load(path) as found:
        assert set(found.files) == set(outputs)
        for name, array in outputs.items():
            np.testing.assert_array_equal(found[name], array)
    content = path.read_bytes()
    write_outputs(path, outputs)
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["y.npz"]


def test_outputs_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "taken", tmp_path / "nowhere" / "y.npz", tmp_path / ("a" * 300)):
        with pytest.raises(CovenantError, match="RUN007"):
            write_outputs(path, GOOD)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["taken"]
