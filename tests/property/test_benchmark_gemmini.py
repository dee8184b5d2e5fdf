"""Programs of Gemmini's hand rule and ours: both compute the product, ours in fewer cycles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.solver


def test_rule_and_ours_compute_the_same_product() -> None:
    command = [sys.executable, "benchmarks/gemmini.py", "--json", "--run", "--gemm", "160,320,96"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rule, least, fewest = json.loads(done.stdout)["rows"]
    assert [r["equal"] for r in (rule, least, fewest)] == [True] * 3
    assert least["model"] < rule["model"]
    assert fewest["dram_bytes"] <= rule["dram_bytes"]
    assert all(r["model"] >= r["ideal"] == 160 * 320 * 96 // 256 for r in (rule, least, fewest))
