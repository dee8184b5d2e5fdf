"""On machines of other kinds than the reference cluster the solver equals an enumeration of all
choices.

Every tile, loop order, cut and copy of tiny layers is made a mapping, judged by `verify` and costed
by `cost.evaluate`; the CP-SAT model takes no part. COVENANT_MACHINES multiplies the cases.
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
from covenant.mapper.space import Space
from every_choice import OBJECTIVES, best_of_all, choice_count
from machine_samples import machine, plain_gemm

CASES = 10 * int(os.environ.get("COVENANT_MACHINES", "1"))
CHOICES = 12_000
"""Choices of a case at most."""

pytestmark = pytest.mark.solver


def _random_case(seed: int) -> tuple[Codelet, Acg, list[Space]]:
    """A case with a mapping to judge, whose operands can be told apart by port in every space."""
    for attempt in range(1000):
        rng = random.Random(1000 * seed + attempt)
        codelet = plain_gemm(
            rng.choice([1, 2, 3, 4, 6]),
            rng.choice([8, 16, 32, 40]),
            rng.choice([4, 8, 16, 32, 40]),
            bias=rng.random() < 0.3,
        )
        acg = machine(
            "gemmini_like",
            memories__scratchpad__size=rng.choice(["512B", "1KiB", "2KiB", "4KiB"]),
            memories__accumulator__size=rng.choice(["128B", "256B", "1KiB"]),
            memories__dram__latency=rng.choice(["0", "7"]),
            memories__dram__energy__read=rng.choice(["1400000", "20000"]),
            transfers__mvin__bytes_per_cycle=rng.choice(["16", "4"]),
        )
        spaces = spaces_of(codelet, acg)
        told = all(len({x.key for x in s.sites}) == len(s.sites) for s in spaces)
        if told and 50 < sum(map(choice_count, spaces)) <= CHOICES:
            return codelet, acg, spaces
    raise AssertionError(f"no small case from seed {seed}")


@pytest.mark.parametrize("seed", range(CASES))
def test_solver_equals_enumeration_on_a_weight_stationary_array(seed: int) -> None:
    codelet, acg, spaces = _random_case(seed)
    expected = best_of_all(codelet, acg, spaces)
    for objective in OBJECTIVES:
        if objective not in expected:
            with pytest.raises(CovenantError):
                solve(codelet, acg, objective=objective)
            continue
        mapping = solve(codelet, acg, objective=objective)
        assert mapping.proof.status is Status.OPTIMAL
        assert objective.key(cost.evaluate(mapping, codelet, acg)) == expected[objective]
