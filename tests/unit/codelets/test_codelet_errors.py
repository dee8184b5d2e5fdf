"""Every CDL code has a case in `tests/errors/<CODE>/`: a codelet and the findings it leads to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import covenant.codelets.verify
from covenant.codelets.parser import parse_codelet
from covenant.codelets.verify import verify
from covenant.core.diagnostics import CovenantError

ERRORS = Path(__file__).parents[2] / "errors"
FOLDERS = sorted(ERRORS.glob("CDL*"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_findings_are_as_expected(folder: Path, golden: Callable[[Path, str], None]) -> None:
    text = (folder / "case.codelet").read_text("utf-8")
    with pytest.raises(CovenantError) as raised:
        verify(parse_codelet(text, "case.codelet"))
    assert f"error[{folder.name}]" in str(raised.value)
    golden(folder / "expected.txt", f"# verify case.codelet\n{raised.value}\n")


def test_every_code_has_a_case() -> None:
    sources = Path(covenant.codelets.verify.__file__).parent.glob("*.py")
    codes = {c for s in sources for c in re.findall(r'"(CDL\d{3})"', s.read_text("utf-8"))}
    assert codes == {folder.name for folder in FOLDERS}
