"""What reaches the terminal: colours, progress, and how soon."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import pytest

from command_line import chain, covenant_process
from covenant.cli.progress import StageProgress

SNAX = ("--arch", "snax")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain(unsupported=True).save(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize(
    "environment", [{}, {"NO_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}], ids=str
)
def test_output_into_a_pipe_has_no_escape_codes(model: Path, environment: dict[str, str]) -> None:
    for arguments in (
        ["map", model, *SNAX, "-v"],
        ["run", model, *SNAX, "--on", "interpreter"],
        ["map", "nosuch.onnx", *SNAX],
        ["arch", "show", "snax"],
        ["--help"],
    ):
        answer = covenant_process(*arguments, environment=environment)
        assert "\x1b" not in answer.out + answer.err


def test_names_from_a_model_cannot_drive_the_terminal(tmp_path: Path) -> None:
    case = chain()
    for node in case.model.graph.node:
        node.name = f"\x1b[31m{node.name}\x07\nforged: ok"
    path = case.save(tmp_path)
    for command in (["map", "-v"], ["run", "--on", "interpreter"]):
        answer = covenant_process(*command, path, *SNAX)
        assert answer.code == 0
        assert not {"\x1b", "\x07"} & set(answer.out + answer.err)
        assert not any(line.startswith("forged") for line in answer.out.splitlines())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_reaches_a_terminal_of_any_encoding(model: Path, encoding: str) -> None:
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for arguments in (["map", model, *SNAX], ["arch", "show", "snax"], ["map", "--help"]):
        assert covenant_process(*arguments, environment=environment).code == 0


def test_json_is_all_there_is_on_stdout(model: Path) -> None:
    slow = Path(__file__).parents[2] / "examples" / "resnet18_layer1.onnx"
    for path in (model, slow):
        answer = covenant_process("map", path, *SNAX, "--json")
        assert answer.code == 0
        assert json.loads(answer.out)["schema_version"] == 1
    assert all(line.startswith(("mapping ", "reading ")) for line in answer.err.splitlines())


def test_progress_is_told_on_stderr_after_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    progress = StageProgress()
    with progress.stage("quick"):
        pass
    with progress.stage("slow"):
        time.sleep(1.2)
    captured = capsys.readouterr()
    assert captured.out == ""
    told, ended = captured.err.splitlines()
    assert told == "slow …"
    assert ended.startswith("slow: 1.")


def test_progress_ends_when_the_stage_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="wrong"), StageProgress().stage("failing"):
        raise ValueError("wrong")
    time.sleep(1.1)
    assert capsys.readouterr().err == ""


def test_help_answers_within_half_a_second() -> None:
    seconds = []
    for _ in range(5):
        start = time.monotonic()
        answer = covenant_process("--help")
        seconds.append(time.monotonic() - start)
        assert answer.code == 0
    print(f"covenant --help: {statistics.median(seconds):.2f} s", file=sys.stderr)
    assert statistics.median(seconds) < 0.5


def test_help_of_every_command_names_its_options() -> None:
    for command, option in (
        ("map", "--time-limit"),
        ("run", "--input"),
        ("check", "DIR"),
        ("arch", "schema"),
        ("doctor", "--json"),
    ):
        answer = covenant_process(command, "--help")
        assert answer.code == 0
        assert option in answer.out
