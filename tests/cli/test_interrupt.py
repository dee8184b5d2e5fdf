"""Ctrl-C: the best mapping so far, with its bound and gap; twice, an end with 130 at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_nodes import IR_VERSION, OPSETS, Case

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "interrupted_command.py"
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


@pytest.fixture(scope="module")
def large_layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products that are solved in processes, no two alike."""
    names = [f"y{i}" for i in range(4)]
    nodes = [helper.make_node("MatMulInteger", ["x", f"w{i}"], [n]) for i, n in enumerate(names)]
    weights = [np.ones((256, 128 + 64 * i), np.int8) for i in range(4)]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [128, 256])],
        [helper.make_tensor_value_info(name, TensorProto.INT32, None) for name in names],
        [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)
    return Case("large", model, {}).save(tmp_path_factory.mktemp("large"))


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("delays", ["0.02,0", "0.15,0.05", "0.4,0.01", "1.1,0", "1.6,0.1"])
def test_two_interrupts_end_with_130_and_without_a_traceback(
    tmp_path: Path, large_layers: Path, delays: str
) -> None:
    """While modules are imported, processes started, layers solved; nothing stays behind."""
    environment = {**os.environ, "COVENANT_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    arguments = ["map", str(large_layers), "--arch", "snax", "--jobs", "2", "--objective", "edp"]
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), delays, *arguments, "-o", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        preexec_fn=_listening,
    )
    _, err = process.communicate(timeout=60)  # also until all others have closed their output
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "internal error" not in err
    assert not (tmp_path / "out").exists()


def _listening() -> None:
    """A shell's background jobs ignore SIGINT; this one shall not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
