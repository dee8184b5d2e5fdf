"""On a machine with two on-chip depths and a memory per lane the solver equals an enumeration of
all choices, and more memory is never worse. COVENANT_MACHINES multiplies the cases.
"""

from __future__ import annotations

import os
import random

import pytest

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.mapper import cost
from covenant.mapper.feasibility import spaces_of
from covenant.mapper.mapping import Status
from covenant.mapper.solve import solve
from every_choice import OBJECTIVES, best_of_all, choice_count
from machine_samples import machine, plain_gemm

CASES = int(os.environ.get("COVENANT_MACHINES", "1"))
CHOICES = 4_000
"""Choices of a case at most."""

pytestmark = pytest.mark.solver


def _random_case(seed: int) -> tuple[Codelet, Acg]:
    for attempt in range(400):
        rng = random.Random(1000 * seed + attempt)
        codelet = plain_gemm(rng.choice([1, 2, 3]), rng.choice([4, 8, 9]), 4, bias=False)
        acg = machine(
            "three_level",
            memories__shared__size=rng.choice(["16B", "32B", "64B", "1KiB"]),
            memories__inputs__size=rng.choice(["8B", "16B", "64B"]),
            memories__columns__size=rng.choice(["4B", "8B", "16B"]),
            memories__dram__latency=rng.choice(["0", "7"]),
            transfers__load_columns__bytes_per_cycle=rng.choice(["1", "4"]),
        )
        if 50 < sum(map(choice_count, spaces_of(codelet, acg))) <= CHOICES:
            return codelet, acg
    raise AssertionError(f"no small case from seed {seed}")


@pytest.mark.parametrize("seed", range(CASES))
def test_solver_equals_enumeration_over_two_depths_and_lanes(seed: int) -> None:
    codelet, acg = _random_case(seed)
    expected = best_of_all(codelet, acg, spaces_of(codelet, acg))
    for objective in OBJECTIVES:
        if objective not in expected:
            with pytest.raises(CovenantError):
                solve(codelet, acg, objective=objective)
            continue
        mapping = solve(codelet, acg, objective=objective)
        assert mapping.proof.status is Status.OPTIMAL
        assert objective.key(cost.evaluate(mapping, codelet, acg)) == expected[objective]


SIZES = {"shared": (256, 512, 2048), "inputs": (32, 64, 512), "columns": (16, 32, 64)}


@pytest.mark.parametrize("memory", SIZES)
def test_more_memory_at_any_depth_is_never_worse(memory: str) -> None:
    codelet = plain_gemm(12, 16, 16, bias=False)
    found = [
        solve(codelet, machine("three_level", **{f"memories__{memory}__size": f"{n}B"}))
        for n in SIZES[memory]
    ]
    assert all(mapping.proof.status is Status.OPTIMAL for mapping in found)
    cycles = [mapping.proof.objective for mapping in found]
    assert cycles == sorted(cycles, reverse=True)
