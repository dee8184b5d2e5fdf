"""Cycles of the short benchmark, exactly: no change loses speed without showing in a diff.

`pytest --update-golden tests/rtl/test_cycles.py` rewrites cycles.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.rtl

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ("benchmarks/cluster.py", "--quick", "--table", "A,B,D,E", "--json")
GOLDEN = Path(__file__).with_name("cycles.json")
MODEL_GOAL = 0.01
"""Most that the timing model may be off on a layer of table E."""


def _document() -> dict[str, Any]:
    """What the command prints, which is nothing when a result is wrong."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_short_benchmark_takes_exactly_the_recorded_cycles(
    golden: Callable[[Path, str], None],
) -> None:
    document = _document()
    assert document["mismatches"] == 0
    tables = document["tables"]
    rows = [*tables["A"], *tables["B"], *tables["D"]["layers"]]
    recorded = {
        "command": " ".join(("python", *COMMAND)),
        "cycles": {row["name"]: row["cycles"] for row in rows},
    }
    golden(GOLDEN, json.dumps(recorded, indent=2) + "\n")
    assert all(abs(row["modelled_error"]) <= MODEL_GOAL for row in tables["E"]["layers"])
