"""The form in which a layer is mapped where a machine always adds a bias."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command_line import covenant
from covenant.acg.reader import read_architecture
from covenant.codelets.neutral import BIASED
from covenant.core.diagnostics import ExitCode
from covenant.mapper.shares import form_of, shared
from onnx_nodes import Case, Quant, qlinear_conv, qlinear_matmul
from reference_runs import lowered

SIGNED = Quant("int8", "int8", "int8", symmetric_w=True, symmetric_x=True)
RNG = np.random.default_rng(3)
LAYERS = {
    "conv": qlinear_conv(RNG, (1, 3, 6, 7), (5, 3, 3, 3), SIGNED, pads=[1, 1, 1, 1], bias=False),
    "gemm": qlinear_matmul(RNG, (9, 17), (17, 12), SIGNED),
}


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_a_machine_that_always_adds_a_bias_adds_zeros(case: Case, tmp_path: Path) -> None:
    whole = lowered(case, tmp_path)[1][0]
    acg = read_architecture("simba_like")
    made = shared(whole, acg)
    assert made.form == BIASED
    assert made.whole is whole
    assert not made.constants["bias"].any()
    assert form_of(whole, acg, BIASED).codelet == made.codelet
    with pytest.raises(KeyError):
        form_of(whole, acg, "other")


def test_a_machine_that_may_leave_the_bias_out_leaves_it_out(tmp_path: Path) -> None:
    whole = lowered(LAYERS["gemm"], tmp_path)[1][0]
    for name in ("snax", "dnnweaver2"):
        assert shared(whole, read_architecture(name)) is whole


def test_saved_with_its_zeros_it_runs_again(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    made = covenant("map", LAYERS["gemm"].save(tmp_path), "--arch", "simba_like", "-o", saved)
    assert made.code == ExitCode.OK, made.err
    again = covenant("run", saved)
    assert again.code == ExitCode.OK, again.err
    assert "108 of 108 elements equal" in again.out
