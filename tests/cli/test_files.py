"""Files that commands read and write: saved directories, inputs, outputs; whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from command_line import Answer, assert_told, chain, covenant, small_conv
from onnx_nodes import Case

ON = ("--on", "interpreter")
SNAX = ("--arch", "snax")


@pytest.fixture(scope="module")
def case() -> Case:
    return chain()


@pytest.fixture(scope="module")
def model(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return case.save(tmp_path_factory.mktemp("models"))


def _other_inputs(case: Case, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    inputs = {
        name: rng.integers(0, 256, array.shape, dtype=np.uint8)
        if array.dtype == np.uint8
        else rng.standard_normal(array.shape).astype(array.dtype)
        for name, array in case.inputs.items()
    }
    return Case(case.name, case.model, inputs)


def _equal_to_onnxruntime(case: Case, outputs: Path) -> None:
    expected = case.expected()
    with np.load(outputs) as found:
        assert set(found.files) == set(expected)
        for name, array in expected.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)


def test_saved_directory_runs_again_with_equal_results(
    case: Case, model: Path, tmp_path: Path
) -> None:
    assert covenant("map", model, *SNAX, "-o", tmp_path / "saved").code == 0
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert {"manifest.json", "model.onnx", "architecture.yaml"} <= names
    documents = []
    for source in ([model, *SNAX], [tmp_path / "saved"]):
        for seed in ("0", "1"):
            outputs = tmp_path / "y.npz"
            answer = covenant("run", *source, *ON, "--seed", seed, "--output", outputs, "--json")
            assert answer.code == 0
            with np.load(outputs) as found:
                documents.append(found["y"].tobytes())
    assert documents[:2] == documents[2:]
    assert documents[0] != documents[1]


def test_saved_directory_needs_neither_model_nor_architecture(tmp_path: Path) -> None:
    path = chain().save(tmp_path)
    arch = tmp_path / "mine.yaml"
    arch.write_text("extends: snax\nname: mine\nmemories: {l1: {size: 64KiB}}\n")
    assert covenant("map", path, "--arch", arch, "-o", tmp_path / "saved").code == 0
    path.unlink()
    arch.unlink()
    answer = covenant("run", tmp_path / "saved", *ON, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["arch"] == "mine"
    assert covenant("check", tmp_path / "saved").code == 0


def test_saved_directory_refuses_another_architecture(model: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    assert covenant("map", model, *SNAX, "-o", saved).code == 0
    for options in (SNAX, ("--set", "l1.size=64KiB"), ("--shape", "x=1,4,6,6")):
        assert_told(covenant("run", saved, *ON, *options), 2, "error[CLI004]")


@pytest.mark.parametrize("seed", [3, 4])
def test_inputs_and_outputs_go_through_npz(
    case: Case, model: Path, tmp_path: Path, seed: int
) -> None:
    given = _other_inputs(case, seed)
    np.savez(tmp_path / "x.npz", **given.inputs)
    options = ("--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    assert covenant("run", model, *SNAX, *ON, *options).code == 0
    _equal_to_onnxruntime(given, tmp_path / "y.npz")


@pytest.mark.parametrize("style", ["QDQ", "QOperator"])
def test_float_inputs_are_quantised_on_the_host(style: str, tmp_path: Path) -> None:
    given = _other_inputs(small_conv(style), seed=5)
    np.savez(tmp_path / "x.npz", **given.inputs)
    options = ("--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    assert covenant("run", given.save(tmp_path), *SNAX, *ON, *options).code == 0
    operators = Case("operators", small_conv("QOperator").model, given.inputs)
    _equal_to_onnxruntime(operators, tmp_path / "y.npz")


def test_dynamic_model_is_saved_and_run_with_the_shape_given(tmp_path: Path) -> None:
    case = chain(dynamic=True)
    path = case.save(tmp_path)
    refused = covenant("map", path, *SNAX)
    assert_told(refused, 3, "error[ONX004]", "[batch, 4, 6, 6]", "type --shape x=1,4,6,6")
    saved = tmp_path / "saved"
    assert covenant("map", path, *SNAX, "--shape", "x=2,4,6,6", "-o", saved).code == 0
    outputs = tmp_path / "y.npz"
    assert covenant("run", saved, *ON, "--output", outputs).code == 0
    with np.load(outputs) as found:
        assert found["y"].shape == (2, 6, 6, 6)


def _failing(model: Path, folder: Path) -> list[Answer]:
    """Commands that fail for different reasons and would have written `out` or `y.npz`."""
    out, outputs = folder / "out", folder / "y.npz"
    return [
        covenant("map", model, *SNAX, "--set", "l1.size=256", "-o", out),
        covenant("map", model, *SNAX, "--set", "l1.siz=256", "-o", out),
        covenant("run", model, *SNAX, *ON, "--set", "l1.size=256", "-o", out),
        covenant("run", model, *SNAX, *ON, "--input", folder / "nosuch.npz", "--output", outputs),
        covenant("run", model, *SNAX, "--on", "fpga", "--output", outputs, "-o", out),
        covenant("run", folder / "nosuch.onnx", *SNAX, "-o", out, "--output", outputs),
        covenant("run", model, *SNAX, *ON, "--output", folder / "nowhere" / "y.npz"),
        covenant("run", model, *SNAX, *ON, "--output", folder),
    ]


def test_a_command_that_fails_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for answer in _failing(model, folder):
        assert answer.code in (2, 3, 5), answer
        assert "error[" in answer.err
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_writing_that_fails_leaves_the_earlier_directory(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "saved"
    assert covenant("map", model, *SNAX, "-o", saved).code == 0
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    write, written = Path.write_bytes, []

    def full(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = covenant("map", model, *SNAX, "-o", saved)
    assert answer.code == 3
    assert "error[EMI007]" in answer.err
    assert "No space left on device" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    assert before == {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}


def test_a_directory_with_other_files_is_not_overwritten(model: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years")
    answer = covenant("map", model, *SNAX, "-o", tmp_path)
    assert_told(answer, 3, "error[EMI007]", "holds other files")
    assert (tmp_path / "thesis.tex").read_text() == "ten years"
