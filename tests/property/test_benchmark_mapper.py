"""The short benchmark of the mapper: everything proven, every optimum exactly as recorded.

`pytest --update-golden tests/property/test_benchmark_mapper.py` rewrites the golden file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.solver

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ("benchmarks/mapper.py", "--quick", "--target", "snax", "--table", "solve,growth")
GOLDEN = ROOT / "tests" / "golden" / "mapper" / "benchmark.json"


def test_short_benchmark_proves_exactly_the_recorded_optima(
    golden: Callable[[Path, str], None],
) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *COMMAND, "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    tables = json.loads(done.stdout)["tables"]
    optima = {}
    for table in tables["solve"]:
        for row in table["layers"]:
            assert row["status"] == "optimal"
            assert row["bound"] == row["value"]
            optima[f"{table['target']} {table['objective']} {row['name']}"] = row["value"]
    for row in tables["growth"]:
        optima[f"{row['target']} latency {row['name']}"] = row["value"]
    recorded = {"command": " ".join(("python", *COMMAND, "--json")), "optima": optima}
    golden(GOLDEN, json.dumps(recorded, indent=2) + "\n")
