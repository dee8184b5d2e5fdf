"""Programs for machines in program order: sums in an accumulator memory, steps on nodes of their
own, weights that stay, sums that go off chip and come back."""

from __future__ import annotations

import pytest

from covenant.acg.reader import read_architecture
from machine_samples import machine, plain_conv, plain_gemm
from program_runs import assert_runs

SMALL = {"memories__scratchpad__size": "8KiB", "memories__accumulator__size": "4KiB"}

LAYERS = {
    "gemm": (plain_gemm(40, 96, 80), {}),
    "gemm_tails": (plain_gemm(21, 50, 70), {}),
    "gemm_without_bias": (plain_gemm(21, 50, 70, bias=False), {}),
    "gemm_with_zero_point": (plain_gemm(33, 47, 61, zero=7), SMALL),
    "gemm_in_small_memories": (plain_gemm(100, 200, 100, bias=False), SMALL),
    "conv_with_padding": (plain_conv(20, 40, 9), {}),
    "conv_with_stride": (plain_conv(3, 24, 9, 3, 2), {}),
    "conv_of_points": (plain_conv(20, 24, 9, 1, 2, bias=False), {}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_program_in_order_equals_codelet(name: str) -> None:
    codelet, sizes = LAYERS[name]
    assert_runs(codelet, machine("gemmini_like", **sizes))


def test_sums_that_do_not_fit_go_off_chip_and_come_back() -> None:
    sizes = {"memories__scratchpad__size": "8KiB", "memories__accumulator__size": "1KiB"}
    layer = plain_gemm(96, 512, 48)
    ready = assert_runs(layer, machine("gemmini_like", **sizes), "energy")
    assert any(t.port == "acc" for t in ready.image.tensors)


@pytest.mark.parametrize("name", ["gemm_tails", "conv_with_stride"])
def test_program_of_a_machine_with_its_own_instructions_equals_codelet(name: str) -> None:
    assert_runs(LAYERS[name][0], read_architecture("gemmini"))
