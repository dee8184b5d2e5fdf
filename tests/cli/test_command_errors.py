"""Every RUN and CLI code has a folder in `tests/errors`: the command and the exact text it gives.

The commands find `chain.onnx`, `float.onnx`, the directory `saved` with `chain.onnx` mapped and
without its last layer, `misnamed.npz`, `float.npz`, an architecture without RTL `base.yaml`, and
what the folder of the code holds.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from command_line import ROOT, chain, covenant, small_float_conv

ERRORS = ROOT / "tests" / "errors"
CODES = sorted(
    {
        code
        for path in (ROOT / "covenant").rglob("*.py")
        for code in re.findall(r'"((?:RUN|CLI)\d{3})"', path.read_text("utf-8"))
    }
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    case = chain()
    path = case.save(folder)
    small_float_conv().save(folder).rename(folder / "float.onnx")
    shutil.copy(ERRORS / "base.yaml", folder)
    np.savez(folder / "misnamed.npz", y=case.inputs["x"])
    np.savez(folder / "float.npz", x=case.inputs["x"].astype(np.float32))
    assert covenant("map", path, "--arch", "snax", "-o", folder / "saved").code == 0
    manifest = folder / "saved" / "manifest.json"
    content = json.loads(manifest.read_bytes())
    del content["details"]["mappings"]["third"]
    manifest.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("code", CODES)
def test_error_text_equals_golden(
    code: str,
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    golden: Callable[[Path, str], None],
) -> None:
    expected = ERRORS / code / "expected.txt"
    folder = tmp_path / code
    shutil.copytree(prepared, folder)
    shutil.copytree(expected.parent, folder, dirs_exist_ok=True)
    for text in folder.glob("*.onnxtxt"):
        model = onnx.parser.parse_model(text.read_text("utf-8"))
        text.with_suffix(".onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(folder)
    command = expected.read_text("utf-8").partition("\n")[0]
    answer = covenant(*shlex.split(command.removeprefix("$ covenant ")))
    golden(expected, f"{command}\n{answer.err}[exit code {answer.code}]\n")
    assert f"error[{code}]" in answer.err
    assert "help: " in answer.err
