"""Timing of machines without semaphores: what waits for what, and what comes early."""

from __future__ import annotations

from dataclasses import replace

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.emit.encode import encode
from covenant.emit.program import Halt, Launch, Write
from covenant.sim.timing.model import time_program
from covenant.sim.timing.pipeline import Pipeline
from machine_samples import plain_conv, plain_gemm
from program_runs import differing, prepare

MACHINES = ("eyeriss", "simba_like", "dnnweaver2", "tpu_like", "hvx")


def _cycles(base: int, acg: Acg) -> int:
    """Cycles of a load into every other word of a buffer and a store of such words from `base`."""
    assert acg.control is not None
    rows = {"bound[0]": 16, "src.stride[0]": 16, "dst.stride[0]": 16}
    load = [Write("load_x", name, value) for name, value in rows.items()]
    rows |= {"src.base": base, "dst.base": 1 << 16}
    store = [Write("store_y", name, value) for name, value in rows.items()]
    program = (*load, Launch("load_x"), *store, Launch("store_y"), Halt())
    return time_program(encode(program, acg.control), acg).cycles


def test_transfers_that_share_a_range_but_no_word_run_at_once() -> None:
    acg = read_architecture("eyeriss")
    apart, among, same = (_cycles(base, acg) for base in (4096, 8, 16))
    assert among == apart < same


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_loaded_early_is_right_and_a_slower_memory_is_never_faster(name: str) -> None:
    acg = read_architecture(name)
    slow = replace(
        acg,
        memories=tuple(
            replace(m, read_bytes_per_cycle=m.read_bytes_per_cycle // 2) if m.off_chip else m
            for m in acg.memories
        ),
    )
    for codelet in (plain_gemm(40, 64, 64), plain_conv(8, 24, 9)):
        ready = prepare(codelet, acg)
        assert differing(ready, ready.image, acg) == 0
        words = ready.image.words
        assert time_program(words, acg).cycles <= time_program(words, slow).cycles


def test_tiles_come_before_the_iteration_that_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose operands have transfers of their own and pass two memories."""
    acg, codelet = read_architecture("eyeriss"), plain_gemm(64, 64, 64)
    early = time_program(prepare(codelet, acg).image.words, acg).cycles
    monkeypatch.setattr("covenant.emit.ordered.Ordered._prefetched", lambda *_: iter(()))
    assert early < 0.95 * time_program(prepare(codelet, acg).image.words, acg).cycles


def test_launches_start_up_while_others_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    acg = read_architecture("dnnweaver2")
    words = prepare(plain_conv(64, 64, 14, 1), acg).image.words
    early = time_program(words, acg).cycles
    monkeypatch.setattr(Pipeline, "starts_ahead", False)
    assert early < time_program(words, acg).cycles
