"""The `covenant` command in tests: called in this process, or as a process of its own; and the
models that its tests share."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from covenant.cli.main import main
from onnx_models import float_conv, quantised
from onnx_nodes import IR_VERSION, OPSETS, Case

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Answer:
    """What a command left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def covenant(*arguments: str | Path) -> Answer:
    """Run `covenant` with these arguments in this process."""
    out, err = io.StringIO(), io.StringIO()
    command = ["covenant", *map(str, arguments)]
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", command),
    ):
        try:
            main()
        except SystemExit as end:
            return Answer(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main always exits")


def covenant_process(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, timeout: float = 120
) -> Answer:
    """Run `python -m covenant` with pipes for output; `environment` is added to this one's."""
    done = subprocess.run(
        [sys.executable, "-m", "covenant", *map(str, arguments)],
        check=False,
        capture_output=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def assert_told(answer: Answer, code: int, *words: str) -> None:
    """The exit code, and one located error with these words and a help line; no traceback."""
    assert answer.code == code, answer
    errors = [line for line in answer.err.splitlines() if ": error[" in line]
    assert len(errors) == 1, answer.err
    assert "\nhelp: " in answer.err
    assert "Traceback" not in answer.err
    assert "internal error" not in answer.err
    for word in words:
        assert word in answer.err


def small_conv(style: str = "QOperator", seed: int = 1) -> Case:
    """A convolution with Relu quantised by ONNX Runtime, float input and output."""
    return quantised(small_float_conv(seed), style)


def small_float_conv(seed: int = 1) -> Case:
    """The same before quantisation."""
    rng = np.random.default_rng(seed)
    return float_conv(rng, (1, 5, 9, 7), (6, 5, 3, 3), activation="Relu", pads=[1, 1, 1, 1])


def chain(*, unsupported: bool = False, dynamic: bool = False, seed: int = 2) -> Case:
    """Three QLinearConv nodes, the second and third alike, then perhaps a Softmax."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (1, 4, 6, 6), dtype=np.uint8)
    stored = {
        "s": np.float32(0.02),
        "z": np.uint8(120),
        "ws": np.float32(0.01),
        "wz": np.int8(0),
        "w0": rng.integers(-128, 128, (6, 4, 3, 3), dtype=np.int8),
        "w1": rng.integers(-128, 128, (6, 6, 1, 1), dtype=np.int8),
        "w2": rng.integers(-128, 128, (6, 6, 1, 1), dtype=np.int8),
    }
    nodes = [
        _conv("first", "x", "w0", "t0", pads=[1, 1, 1, 1]),
        _conv("second", "t0", "w1", "t1"),
        _conv("third", "t1", "w2", "y"),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.UINT8, None)
    if unsupported:
        nodes.append(helper.make_node("DequantizeLinear", ["y", "s", "z"], ["r"], name="to_float"))
        nodes.append(helper.make_node("Softmax", ["r"], ["p"], name="normalise"))
        output = helper.make_tensor_value_info("p", TensorProto.FLOAT, None)
    shape = ["batch", *x.shape[1:]] if dynamic else x.shape
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
        [output],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS[:1], ir_version=IR_VERSION)
    return Case("chain", model, {"x": x})


def _conv(name: str, source: str, weight: str, target: str, **attributes: object) -> onnx.NodeProto:
    inputs = [source, "s", "z", weight, "ws", "wz", "s", "z"]
    return helper.make_node("QLinearConv", inputs, [target], name=name, **attributes)
