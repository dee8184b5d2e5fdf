"""Ctrl-C while layers are solved: the best mapping so far, with its bound and gap."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "resnet18_layer1.onnx"


@pytest.mark.solver
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("after", [2.5])
def test_an_interrupt_gives_the_best_mapping_with_its_gap(tmp_path: Path, after: float) -> None:
    environment = {**os.environ, "COVENANT_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    arguments = ["map", str(MODEL), "--arch", "snax", "--json", "--time-limit", "120"]
    process = subprocess.Popen(
        [sys.executable, "-m", "covenant", *arguments, "--objective", "edp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    line = process.stderr.readline()  # a second after the search began
    assert "mapping" in line
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 20
    assert "Traceback" not in err
    if process.returncode == 0:
        pytest.skip("this machine proved it before the interrupt")
    assert process.returncode == 130
    (layer,) = json.loads(out)["layers"]
    assert layer["status"] == "feasible"
    assert 0 <= layer["bound"] < layer["objective"]
    assert layer["gap"] > 0
    assert list(tmp_path.rglob("*.json")) == []
