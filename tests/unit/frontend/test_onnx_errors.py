"""Every ONX code has a case in `tests/errors/<CODE>/`: a model and the message it leads to.

`expected.txt` starts with the command; `--shape` is read from it. The model is ONNX text
(`model.onnxtxt`), a binary (`model.onnx`) or, for a missing file, neither. Nodes that are no layers
print what `--strict` prints.
"""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx.parser
import pytest

import covenant.frontend
from covenant.core.diagnostics import CovenantError
from covenant.frontend import read_model

ERRORS = Path(__file__).parents[2] / "errors"
FOLDERS = sorted(ERRORS.glob("ONX*"))


def _messages(command: list[str]) -> str:
    shapes = {}
    for option, value in itertools.pairwise(command):
        if option == "--shape":
            name, dims = value.split("=")
            shapes[name] = tuple(map(int, dims.split(",")))
    try:
        model = read_model(command[3], shapes)
    except CovenantError as error:
        return str(error)
    return "\n".join(str(u.diagnostic(model.file)) for u in model.unsupported)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_message_is_as_expected(
    folder: Path,
    golden: Callable[[Path, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in folder.glob("*"):
        shutil.copy(file, tmp_path)
    if (text := folder / "model.onnxtxt").is_file():
        model = onnx.parser.parse_model(text.read_text("utf-8"))
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    command = (folder / "expected.txt").read_text("utf-8").splitlines()[0]
    found = _messages(shlex.split(command))
    assert f"error[{folder.name}]" in found
    golden(folder / "expected.txt", f"{command}\n{found}\n")


def test_every_code_has_a_case() -> None:
    sources = Path(covenant.frontend.__file__).parent.glob("*.py")
    codes = {c for s in sources for c in re.findall(r'"(ONX\d{3})"', s.read_text("utf-8"))}
    assert codes == {folder.name for folder in FOLDERS}
