"""Every code has a folder under tests/errors: an input, the command and the exact text it gives."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from covenant.acg.codes import CODES
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.core.yaml_source import CODES as YAML_CODES
from covenant.core.yaml_source import MAX_BYTES

ROOT = Path(__file__).resolve().parents[3]
ERRORS = ROOT / "tests" / "errors"
ALL_CODES = YAML_CODES | CODES
COMMAND = "covenant arch check "


def _message(command: str) -> str:
    """Text that the command gives, run in the current folder."""
    name, *options = shlex.split(command.removeprefix("$ ").removeprefix(COMMAND))
    settings = dict(text.split("=", 1) for text in options if text != "--set")
    # a name that is not found is ACG001; as a Path it is opened and gives YAML001
    target = Path(name) if name.endswith(".yaml") else name
    with pytest.raises(CovenantError) as caught:
        read_architecture(target, settings)
    assert caught.value.exit_code == ExitCode.INVALID
    return str(caught.value)


@pytest.mark.parametrize("code", sorted(ALL_CODES))
def test_error_text_equals_golden(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    golden: Callable[[Path, str], None],
) -> None:
    expected = ERRORS / code / "expected.txt"
    folder = tmp_path / code
    shutil.copytree(expected.parent, folder)
    for base in ERRORS.glob("*.yaml"):
        shutil.copy(base, tmp_path)
    (folder / "big.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    monkeypatch.chdir(folder)
    command = expected.read_text().partition("\n")[0]
    message = _message(command)
    golden(expected, f"{command}\n{message}\n")
    assert f"error[{code}]" in message


def test_every_code_in_the_sources_is_registered_and_has_a_folder() -> None:
    sources = [*(ROOT / "covenant" / "acg").rglob("*.py"), *(ROOT / "covenant/core").glob("*.py")]
    used = {
        code
        for path in sources
        if path.name != "codes.py"
        for code in re.findall(r'"((?:ACG|YAML)\d{3})"', path.read_text())
    }
    assert used == set(ALL_CODES)
    folders = {path.parent.name for path in ERRORS.glob("*/expected.txt")}
    assert {f for f in folders if f.startswith(("ACG", "YAML"))} == set(ALL_CODES)


def test_base_of_the_error_cases_is_sound() -> None:
    assert read_architecture(ERRORS / "base.yaml").peak_macs_per_cycle == 128
    assert read_architecture(ERRORS / "instructions.yaml").control is not None


_WITHOUT_A_LINE = {"ACG001", "ACG006", "YAML001", "YAML002", "YAML003", "YAML011"}
"""No such file, not text, empty, or an option of the command line: there is no line to name."""


def test_sixty_broken_files_are_told_file_line_cause_and_repair() -> None:
    seen: set[str] = set()
    for path in sorted(ERRORS.glob("*/expected.txt")):
        code = path.parent.name
        sources = "".join(p.read_text("utf-8", "replace") for p in path.parent.glob("*.yaml"))
        if code not in ALL_CODES or not sources:
            continue
        command, _, text = path.read_text("utf-8").partition("\n")
        seen.add(command + sources)
        headers = [line for line in text.splitlines() if ": error[" in line]
        assert text.count("help: ") == len(headers) > 0, path
        for header in headers:
            place = re.fullmatch(r"(\S+\.ya?ml:\d+:\d+|--set \S+): error\[\w+\]: .{8,}", header)
            assert place or code in _WITHOUT_A_LINE, header
    assert len(seen) >= 60
