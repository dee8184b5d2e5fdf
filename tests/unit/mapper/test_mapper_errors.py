"""Every MAP code has a case in `tests/errors/<CODE>/`: a codelet, maybe an architecture or a
mapping file, and the findings they lead to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import covenant.mapper.solve
from covenant.acg.reader import read_architecture
from covenant.codelets.parser import parse_codelet
from covenant.core.diagnostics import CovenantError
from covenant.mapper.objective import parse_objective
from covenant.mapper.printer import from_json
from covenant.mapper.solve import solve
from covenant.mapper.verify import check
from mapper_samples import snax

ERRORS = Path(__file__).parents[2] / "errors"
FOLDERS = sorted(ERRORS.glob("MAP*"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_findings_are_as_expected(
    folder: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    asked = Path("objective.txt")
    if asked.is_file():
        with pytest.raises(CovenantError) as refused:
            parse_objective(asked.read_text("utf-8").strip())
        golden(folder / "expected.txt", f"# objective\n{refused.value}\n")
        return
    codelet = parse_codelet(Path("case.codelet").read_text("utf-8"), "case.codelet")
    acg = read_architecture("input.yaml") if Path("input.yaml").is_file() else snax()
    command = "# map case.codelet"
    saved = Path("mapping.json")
    if saved.is_file():
        command = "# verify mapping.json of case.codelet"
        mapping = from_json(json.loads(saved.read_text("utf-8")))
        with pytest.raises(CovenantError) as raised:
            check(mapping, codelet, acg)
    else:
        limit = 0.0 if folder.name == "MAP003" else 60.0
        with pytest.raises(CovenantError) as raised:
            solve(codelet, acg, time_limit_seconds=limit)
    assert f"error[{folder.name}]" in str(raised.value)
    text = re.sub(r"(?m)^/\S*/(?=\w+\.yaml)", "", str(raised.value))
    golden(folder / "expected.txt", f"{command}\n{text}\n")


def test_every_code_has_a_case() -> None:
    sources = Path(covenant.mapper.solve.__file__).parent.glob("*.py")
    codes = {c for s in sources for c in re.findall(r'"(MAP\d{3})"', s.read_text("utf-8"))}
    assert codes == {folder.name for folder in FOLDERS}
