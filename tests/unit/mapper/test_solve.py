"""What the solver promises: proofs, determinism, more is never worse, exact infeasibility."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.mapper.cost import evaluate
from covenant.mapper.feasibility import spaces_of
from covenant.mapper.mapping import Status
from covenant.mapper.model import build
from covenant.mapper.operands import step_extents
from covenant.mapper.solve import solve
from covenant.mapper.streams import binding_of
from covenant.mapper.verify import verify
from machine_samples import machine, plain_conv
from mapper_samples import conv, gemm, snax

LAYERS = [conv(16, 24, 10), conv(8, 16, 9, 3, 2), gemm(33, 72, 40), gemm(1, 128, 96)]


@cache
def _latency(codelet: Codelet, **overrides: str) -> int:
    acg = snax(**overrides)
    return evaluate(solve(codelet, acg), codelet, acg).latency


@pytest.mark.parametrize("codelet", LAYERS, ids=lambda c: c.name)
def test_solve_proves_its_objective_which_is_the_cost(codelet: Codelet) -> None:
    acg = snax(memories__l1__size="4KiB")
    mapping = solve(codelet, acg)
    cost = evaluate(mapping, codelet, acg)
    assert mapping.proof.status is Status.OPTIMAL
    assert mapping.proof.objective == mapping.proof.bound == cost.latency
    assert cost.latency >= cost.roofline_cycles
    assert cost.used_bytes <= 4096
    assert verify(mapping, codelet, acg) == ()


@pytest.mark.solver
@pytest.mark.parametrize("codelet", LAYERS, ids=lambda c: c.name)
def test_more_memory_is_never_worse(codelet: Codelet) -> None:
    sizes = ["2KiB", "4KiB", "8KiB", "16KiB", "64KiB"]
    found = [_latency(codelet, memories__l1__size=size) for size in sizes]
    assert found == sorted(found, reverse=True)


@pytest.mark.solver
@pytest.mark.parametrize("codelet", LAYERS, ids=lambda c: c.name)
def test_more_bandwidth_or_less_latency_is_never_worse(codelet: Codelet) -> None:
    wide = [
        _latency(codelet, memories__l1__size="4KiB", transfers__load__bytes_per_cycle=width)
        for width in ("8", "16", "32", "64")
    ]
    assert wide == sorted(wide, reverse=True)
    near = [
        _latency(codelet, memories__l1__size="4KiB", memories__dram__latency=latency)
        for latency in ("400", "100", "10", "0")
    ]
    assert near == sorted(near, reverse=True)


def test_longer_time_limit_is_never_worse() -> None:
    codelet, acg = conv(32, 32, 28), snax(memories__l1__size="8KiB")
    found = [solve(codelet, acg, time_limit_seconds=s).proof.objective for s in (0.0, 0.1, 20.0)]
    assert found == sorted(found, reverse=True)


def test_time_limit_returns_the_best_mapping_with_its_gap() -> None:
    codelet, acg = conv(64, 64, 56), snax()
    mapping = solve(codelet, acg, time_limit_seconds=0.0)
    assert mapping.proof.status is Status.FEASIBLE
    assert 0 < mapping.proof.bound <= mapping.proof.objective
    assert 0 <= mapping.proof.gap < 0.05
    assert verify(mapping, codelet, acg) == ()


def _with_memory(acg: Acg, size: int) -> Acg:
    memories = tuple(
        replace(m, size_bytes=size, bank_group=0) if m.name == "l1" else m for m in acg.memories
    )
    return replace(acg, memories=memories)


@pytest.mark.parametrize("codelet", [conv(16, 24, 10), gemm(33, 72, 40)], ids=lambda c: c.name)
def test_infeasible_names_the_smallest_memory_exactly(codelet: Codelet) -> None:
    acg = snax()
    with pytest.raises(CovenantError) as raised:
        solve(codelet, _with_memory(acg, 64))
    assert raised.value.exit_code is ExitCode.INFEASIBLE
    (finding,) = raised.value.diagnostics
    assert finding.span == acg.memory("l1").span
    assert codelet.name in finding.message
    needed = int(finding.message.split(" bytes (")[0].split()[-1].replace(",", ""))
    solve(codelet, _with_memory(acg, needed))
    with pytest.raises(CovenantError):
        solve(codelet, _with_memory(acg, needed - 8))


def test_infeasible_size_is_one_the_architecture_takes() -> None:
    codelet = conv(64, 64, 14)
    with pytest.raises(CovenantError) as raised:
        solve(codelet, snax(memories__l1__size="512"))
    size = raised.value.diagnostics[0].help.split(" to ")[1].split()[0]
    solve(codelet, snax(memories__l1__size=size))


PROGRAM = """
import json, sys
sys.path[:0] = {paths!r}
from machine_samples import machine, plain_conv
from mapper_samples import conv, gemm, snax
from covenant.mapper.printer import to_json
from covenant.mapper.model import build
from covenant.mapper.operands import step_extents
from covenant.mapper.solve import solve
from covenant.mapper.streams import binding_of
for codelet in (conv(16, 24, 10), gemm(33, 72, 40)):
    tree = to_json(solve(codelet, snax(memories__l1__size="4KiB")))
    del tree["proof"]["solve_seconds"], tree["proof"]["first_seconds"]
    print(json.dumps(tree))
"""


@pytest.mark.solver
def test_mapping_is_equal_whatever_the_hash_seed() -> None:
    here = Path(__file__).parent
    program = PROGRAM.format(paths=[str(here.parents[1]), str(here.parents[2])])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1


def test_bindings_that_differ_where_it_does_not_matter_ask_the_same() -> None:
    acg = machine("gemmini_like")  # one row per step: rows of an image do as well as columns
    spaces = spaces_of(plain_conv(16, 32, 6), acg)
    assert {s.binding.dim("m") for s in spaces} == {"oy", "ox"}
    models = [build(s, s.memory.size_bytes // s.memory.word_bytes) for s in spaces]
    assert len({model.question for model in models}) == 1
    others = [build(s.even(), s.memory.size_bytes // s.memory.word_bytes) for s in spaces[:1]]
    assert others[0].question != models[0].question


def test_mappings_without_tails_have_whole_tiles_and_are_no_better() -> None:
    codelet, acg = conv(16, 24, 10), snax(memories__l1__size="4KiB")
    even, best = solve(codelet, acg, even=True), solve(codelet, acg)
    assert even.proof.status is Status.OPTIMAL
    assert even.proof.objective >= best.proof.objective
    steps = step_extents(acg, codelet, binding_of(even))
    for loop in even.levels[0].loops:
        whole, tile = (-(-n // steps[loop.dim]) for n in (codelet.extents[loop.dim], loop.tile))
        assert whole % tile == 0
