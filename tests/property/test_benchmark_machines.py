"""A cheap part of the matrix of machines: every cell equals the codelet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = {
    ("tpu_like", "dnnweaver2", "hvx"): ("gemm 1xN", "max pool"),
    ("simba_like", "eyeriss"): ("conv 3x3", "gemm 1xN"),
}

pytestmark = pytest.mark.solver


@pytest.mark.parametrize("names", LAYERS)
def test_layers_run_equal_on_machines_of_other_kinds(names: tuple[str, ...]) -> None:
    layers = LAYERS[names]
    options = [o for name in names for o in ("--arch", name)]
    options += [o for name in layers for o in ("--layer", name)]
    command = [sys.executable, "benchmarks/machines.py", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {(c["architecture"], c["layer"]) for c in document["cells"]} == {
        (a, layer) for a in names for layer in layers
    }
    assert {c["result"] for c in document["cells"]} == {"equal"}
    assert all(lines <= 200 for lines in document["yaml_lines"].values())
