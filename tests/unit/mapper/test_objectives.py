"""Objectives: each is the cost it names, is least of all, and lists rank as they are written."""

from __future__ import annotations

import itertools
from functools import cache

import pytest

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.mapper.cost import Cost, evaluate
from covenant.mapper.mapping import Mapping, Status
from covenant.mapper.objective import UNITS, Term, parse_objective, value
from covenant.mapper.solve import solve
from mapper_samples import conv, gemm, snax

LAYERS = [conv(16, 24, 10), gemm(64, 96, 40)]
ORDERS = ["latency", "energy", "dram", "edp", "dram,latency", "dram,energy", "energy,dram"]


def _acg() -> Acg:
    return snax(memories__l1__size="8KiB")


@cache
def _best(codelet: Codelet, text: str) -> tuple[Mapping, Cost]:
    mapping = solve(codelet, _acg(), objective=parse_objective(text))
    return mapping, evaluate(mapping, codelet, _acg())


@pytest.mark.parametrize("text", ORDERS)
@pytest.mark.parametrize("codelet", LAYERS, ids=lambda c: c.name)
def test_goals_are_the_cost_in_the_unit_of_their_term(codelet: Codelet, text: str) -> None:
    mapping, cost = _best(codelet, text)
    proof = mapping.proof
    assert proof.status is Status.OPTIMAL
    assert proof.terms == text
    for goal in proof.goals:
        term = Term(goal.term)
        assert goal.value == goal.bound == value(term, cost)
        assert goal.unit == UNITS[term]
    assert proof.gap == 0.0


@pytest.mark.solver
@pytest.mark.parametrize("codelet", LAYERS, ids=lambda c: c.name)
def test_no_objective_beats_another_at_its_own(codelet: Codelet) -> None:
    for one, other in itertools.permutations(ORDERS, 2):
        ranked = parse_objective(one)
        assert ranked.key(_best(codelet, one)[1]) <= ranked.key(_best(codelet, other)[1])


def test_no_time_gives_a_mapping_with_a_true_bound_for_every_objective() -> None:
    codelet = LAYERS[0]
    for text in ORDERS:
        mapping = solve(codelet, _acg(), objective=parse_objective(text), time_limit_seconds=0.0)
        best = _best(codelet, text)[0].proof.goals[0].value
        first = mapping.proof.goals[0]
        assert first.bound <= best <= first.value
        assert mapping.proof.status is Status.OPTIMAL or mapping.proof.gap > 0


@pytest.mark.parametrize(
    ("text", "ranked"),
    [
        ("latency", "latency dram energy"),
        ("energy", "energy latency dram"),
        ("dram, latency", "dram latency energy"),
        ("edp", "edp latency dram energy"),
        ("dram,edp,energy", "dram edp latency energy"),
    ],
)
def test_ties_go_to_latency_then_bytes_then_energy(text: str, ranked: str) -> None:
    assert " ".join(parse_objective(text).ranked) == ranked


@pytest.mark.parametrize("text", ["", "latency,latency", "speed", "latency,", "LATENCY"])
def test_an_unknown_objective_is_refused(text: str) -> None:
    with pytest.raises(CovenantError) as raised:
        parse_objective(text)
    assert raised.value.exit_code is ExitCode.USAGE
    assert raised.value.diagnostics[0].code == "MAP006"
