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
from covenant.mapper.pins import NO_PINS, PinnedLayer
from covenant.mapper.pins_reader import read_pins
from covenant.mapper.pins_saved import write_pins
from covenant.mapper.printer import from_json
from covenant.mapper.solve import solve
from covenant.mapper.verify import check
from mapper_samples import snax

ERRORS = Path(__file__).parents[2] / "errors"
FOLDERS = sorted(ERRORS.glob("MAP*"))


def _solved(folder: Path) -> str:
    codelet = parse_codelet(Path("case.codelet").read_text("utf-8"), "case.codelet")
    acg = read_architecture("input.yaml") if Path("input.yaml").is_file() else snax()
    limit = 0.0 if folder.name == "MAP003" else 60.0
    given = Path("pins.yaml")
    command = "# map case.codelet" + (" --pins pins.yaml" if given.is_file() else "")

    def solved() -> None:
        pins = read_pins(given) if given.is_file() else NO_PINS
        (kept,) = pins.of_layers([PinnedLayer(codelet.operation, codelet)])
        solve(codelet, acg, pins=kept, time_limit_seconds=limit)

    with pytest.raises(CovenantError) as raised:
        solved()
    return f"{command}\n{raised.value}"


def _verified(folder: Path) -> str:
    codelet = parse_codelet(Path("case.codelet").read_text("utf-8"), "case.codelet")
    mapping = from_json(json.loads(Path("mapping.json").read_text("utf-8")))
    with pytest.raises(CovenantError) as raised:
        check(mapping, codelet, snax())
    return f"# verify mapping.json of case.codelet\n{raised.value}"


def _refused(folder: Path) -> str:
    with pytest.raises(CovenantError) as raised:
        parse_objective(Path("objective.txt").read_text("utf-8").strip())
    return f"# objective\n{raised.value}"


def _unsaved(folder: Path) -> str:
    with pytest.raises(CovenantError) as raised:
        write_pins(Path(Path("save.txt").read_text("utf-8").strip()), "pins: 1\n")
    return f"# save pins\n{raised.value}"


CASES = {"mapping.json": _verified, "objective.txt": _refused, "save.txt": _unsaved}
"""What to do by the file that a folder has; all others are solved."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_findings_are_as_expected(
    folder: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    found = next((case for name, case in CASES.items() if Path(name).is_file()), _solved)(folder)
    assert f"error[{folder.name}]" in found
    text = re.sub(r"(?m)^/\S*/(?=\w+\.yaml)", "", found)
    golden(folder / "expected.txt", re.sub(r"(?<=\()/\S*/(?=\w+\.yaml)", "", text) + "\n")


def test_every_code_has_a_case() -> None:
    sources = Path(covenant.mapper.solve.__file__).parent.glob("*.py")
    codes = {c for s in sources for c in re.findall(r'"(MAP\d{3})"', s.read_text("utf-8"))}
    assert codes == {folder.name for folder in FOLDERS}
