"""Every exit code of design.md section 8 is reached, and says what it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import assert_told, chain, covenant, small_conv, small_float_conv
from covenant import pipeline

SNAX = ("--arch", "snax")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain().save(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def saved(model: Path) -> Path:
    target = model.parent / "saved"
    assert covenant("map", model, *SNAX, "-o", target).code == 0
    return target


def test_map_and_run_end_with_0(model: Path) -> None:
    assert covenant("map", model, *SNAX).code == 0
    assert covenant("run", model, *SNAX, "--on", "interpreter").code == 0


def test_an_internal_error_is_1_and_shows_no_traceback(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("our fault")

    monkeypatch.setattr(pipeline, "map_model", broken)
    monkeypatch.delenv("COVENANT_TRACEBACK", raising=False)
    answer = covenant("map", model, *SNAX)
    assert answer.code == 1
    assert answer.err.startswith("internal error: ZeroDivisionError: our fault\nhelp: ")
    assert "Traceback" not in answer.err
    monkeypatch.setenv("COVENANT_TRACEBACK", "1")
    assert "Traceback" in covenant("map", model, *SNAX).err


@pytest.mark.parametrize(
    "arguments",
    [
        ["map"],
        ["run"],
        ["mapp", "model.onnx"],
        ["map", "model.onnx", "--nosuch"],
        ["map", "model.onnx", *SNAX, "--time-limit", "-1"],
        ["map", "model.onnx", *SNAX, "--time-limit", "soon"],
        ["map", "model.onnx", *SNAX, "--workers", "0"],
        ["map", "model.onnx", *SNAX, "--seed", "-1"],
        ["map", "model.onnx", *SNAX, "--seed", "99999999999999"],
        ["arch", "nosuch"],
        ["arch", "check"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    answer = covenant(*arguments)
    assert answer.code == 2
    assert "Usage: " in answer.err
    assert "Error: " in answer.err


def test_an_invalid_model_or_architecture_is_3(model: Path, tmp_path: Path) -> None:
    assert_told(covenant("map", tmp_path / "nosuch.onnx", *SNAX), 3, "error[ONX002]")
    assert_told(covenant("map", model, "--arch", "snaxx"), 3, "did you mean 'snax'?")


def test_a_float_model_is_mapped_but_3_when_run(tmp_path: Path) -> None:
    path = small_float_conv().save(tmp_path)
    mapped = covenant("map", path, *SNAX)
    assert mapped.code == 0
    assert "the model is float: int8 operands are assumed" in mapped.out
    ran = covenant("run", path, *SNAX, "--on", "interpreter")
    assert_told(ran, 3, "error[RUN010]", "onnxruntime.quantization")


def test_an_unsupported_operator_is_4_under_strict_only(tmp_path: Path) -> None:
    path = chain(unsupported=True).save(tmp_path)
    answer = covenant("map", path, *SNAX)
    assert answer.code == 0
    assert "not mapped: normalise (Softmax): the operator Softmax is not supported" in answer.out
    for command in (["map"], ["run", "--on", "interpreter"]):
        answer = covenant(*command, path, *SNAX, "--strict")
        assert_told(answer, 4, "error[ONX010]", "'normalise' (Softmax)", "help: supported: ")
        assert answer.out == ""


def test_a_memory_that_is_too_small_is_5(model: Path) -> None:
    answer = covenant("map", model, *SNAX, "--set", "l1.size=256")
    assert_told(answer, 5, "error[MAP002]", "layer 'first'")


def test_no_mapping_in_time_is_6(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "examples" / "resnet18_layer1.onnx"
    tight = ["--set", "l1.size=1KiB", "--time-limit", "0"]
    assert_told(covenant("map", path, *SNAX, *tight), 6, "error[MAP003]", "--time-limit")
    target = tmp_path / "out"
    assert covenant("map", path, *SNAX, *tight, "-o", target).code == 6
    assert not any(tmp_path.iterdir())


def test_outputs_that_differ_are_7(saved: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    constants = next(copy.glob("*second*")) / "constants.bin"
    weights = np.frombuffer(constants.read_bytes(), np.uint8).copy()
    weights[: weights.size // 2] ^= 1
    constants.write_bytes(weights.tobytes())
    answer = covenant("run", copy, "--on", "interpreter")
    assert answer.code == 7
    assert "DIFFER from the integer reference" in answer.out
    document = json.loads(covenant("run", copy, "--on", "interpreter", "--json").out)
    first, second, third = document["layers"]
    assert first["mismatches"] == 0 < second["mismatches"] == document["mismatches"]
    assert third["mismatches"] == 0, "each layer is compared on the inputs it was given"
    found = second["first_mismatch"]
    assert found["tensor"] == "t1"
    assert found["expected"] != found["found"]


def test_a_damaged_directory_is_3(saved: Path, tmp_path: Path) -> None:
    for file in sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file()):
        if file.suffix == ".txt":
            continue  # for people only
        for damage in (b"", b"\xff\x00junk"):
            copy = tmp_path / "copy"
            shutil.copytree(saved, copy)
            (copy / file).write_bytes(damage)
            answer = covenant("run", copy, "--on", "interpreter")
            assert answer.code == 3, (file, answer)
            assert "error[" in answer.err, file
            shutil.rmtree(copy)


def test_quantised_models_of_both_formats_end_with_0(tmp_path: Path) -> None:
    for style in ("QDQ", "QOperator"):
        path = small_conv(style).save(tmp_path)
        answer = covenant("run", path, *SNAX, "--on", "interpreter")
        assert (answer.code, answer.err) == (0, "")
        assert "378 of 378 elements equal to the integer reference" in answer.out
