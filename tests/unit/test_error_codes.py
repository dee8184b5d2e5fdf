"""Codes of errors: each one that the sources use has a folder under `tests/errors`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ERRORS = ROOT / "tests" / "errors"
CODE = re.compile(r'"([A-Z]{3,4}\d{3})"')


def _used() -> dict[str, set[Path]]:
    """Files that mention a code, by code."""
    used: dict[str, set[Path]] = {}
    for path in sorted((ROOT / "covenant").rglob("*.py")):
        for code in CODE.findall(path.read_text("utf-8")):
            used.setdefault(code, set()).add(path.relative_to(ROOT / "covenant"))
    return used


def test_every_code_has_a_folder_with_the_text_it_gives() -> None:
    folders = {path.parent.name for path in ERRORS.glob("*/expected.txt")}
    assert folders == set(_used())


def test_expected_text_names_its_code() -> None:
    for expected in sorted(ERRORS.glob("*/expected.txt")):
        assert f"error[{expected.parent.name}]" in expected.read_text("utf-8"), expected


def test_one_code_belongs_to_one_package() -> None:
    packages = {code: {path.parts[0] for path in paths} for code, paths in _used().items()}
    assert {code: found for code, found in packages.items() if len(found) > 1} == {}
