"""Architectures of the tests are readable and print what they were written as."""

from __future__ import annotations

from pathlib import Path

import pytest

from covenant.acg.dump import resolved_yaml
from covenant.acg.reader import read_architecture

FOLDER = Path(__file__).parents[2] / "architectures"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda p: p.stem)
def test_architecture_reads_back_from_its_resolved_text(path: Path, tmp_path: Path) -> None:
    acg = read_architecture(path)
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(resolved_yaml(acg), "utf-8")
    assert read_architecture(resolved) == acg
