"""The solver equals an exhaustive search on random small layers and architectures.

The search (`exhaustive_search`) is independent of the CP-SAT model and knows the matrix array; the
vector node is measured against the RTL instead (`tests/rtl/test_vector_layers.py`).
COVENANT_EXHAUSTIVE sets the number of cases: 300 by default, more for a long run.
"""

from __future__ import annotations

import os
import random

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.mapper import cost
from covenant.mapper.candidates import match
from covenant.mapper.mapping import Status
from covenant.mapper.objective import parse_objective
from covenant.mapper.solve import solve
from covenant.mapper.space import space_of
from covenant.mapper.variants import variants
from covenant.mapper.windows import fused_forms
from exhaustive_search import RANKS, Best, Walk, better
from mapper_samples import conv, first_chain, gemm, snax

CASES = int(os.environ.get("COVENANT_EXHAUSTIVE", "300"))
NESTS = 250
"""Loop nests of a case at most, so that all cases take about a minute."""


def _random_layer(rng: random.Random) -> Codelet:
    if rng.random() < 0.5:
        return gemm(
            rng.choice([1, 5, 8, 12, 17]),
            rng.choice([8, 16, 24, 40]),
            rng.choice([8, 16, 20, 32]),
            wide=rng.random() < 0.2,
            bias=rng.random() < 0.8,
            batch=rng.choice([1, 1, 1, 2]),
        )
    kernel = rng.choice([1, 2, 3])
    return conv(
        rng.choice([3, 8, 16]),
        rng.choice([8, 16]),
        rng.choice([3, 4, 5, 7]),
        kernel,
        rng.choice([1, 1, 2]),
        rng.choice([0, kernel // 2]),
        batch=rng.choice([1, 1, 1, 2]),
    )


def _random_architecture(rng: random.Random) -> Acg:
    array = "compute__gemm__capabilities__matmul__"
    m, n, k = rng.choice(
        [(8, 8, 8)] * 4 + [(4, 8, 8), (16, 8, 8), (8, 16, 8), (8, 8, 4), (2, 8, 16)]
    )
    banks, group = rng.choice([(32, 8)] * 3 + [(32, 32), (16, 8), (64, 8), (32, 4), (64, 16)])
    return first_chain(
        snax(
            memories__l1__size=rng.choice(["512B", "1KiB", "1KiB", "2KiB", "4KiB"]),
            memories__l1__banks=str(banks),
            memories__l1__bank_group=str(group),
            memories__dram__latency=rng.choice(["0", "20", "100"]),
            memories__dram__energy__read=rng.choice(["10000", "900"]),
            transfers__load__bytes_per_cycle=rng.choice(["8", "16", "64"]),
            transfers__load__outstanding=rng.choice(["128", "16", "4"]),
            transfers__load__setup_cycles=rng.choice(["0", "6"]),
            transfers__store__bytes_per_cycle=rng.choice(["8", "64"]),
            control__queue_depth=rng.choice(["4", "1"]),
            **{
                f"{array}extents__m": str(m),
                f"{array}extents__n": str(n),
                f"{array}extents__k": str(k),
                f"{array}step_cycles": rng.choice(["1", "1", "2"]),
                f"{array}startup_cycles": rng.choice(["10", "3"]),
            },
        )
    )


def _random_case(seed: int) -> tuple[Codelet, Acg, list[Walk]]:
    """A case that can be searched in a fraction of a second."""
    for attempt in range(100):
        rng = random.Random(100 * seed + attempt)
        codelet, acg = _random_layer(rng), _random_architecture(rng)
        walks = _walks(codelet, acg)
        if sum(1 for walk in walks for _ in walk.nests()) <= NESTS:
            return codelet, acg, walks
    raise AssertionError(f"no small case from seed {seed}")


def _walks(codelet: Codelet, acg: Acg) -> list[Walk]:
    """A walk over the space of every binding, of fused forms too."""
    plain = match(codelet, acg).bindings
    walks = [Walk(space_of(codelet, acg, b)) for b in variants(codelet, acg, plain)]
    fused = fused_forms(codelet, acg, plain)
    return walks + [Walk(space_of(f.codelet, acg, f.binding)) for f in fused]


FEW = [(1, 4, 4, 3, 2, 1), (2, 4, 4, 3, 1, 0), (3, 2, 5, 5, 2, 2)]
"""Channels, filters, size, kernel, stride, pad of layers whose best mapping has fused dims."""


@pytest.mark.solver
@pytest.mark.parametrize("bus", ["8", "64"])
@pytest.mark.parametrize("shape", FEW, ids=str)
def test_solver_equals_exhaustive_search_on_few_channels(shape: tuple[int, ...], bus: str) -> None:
    channels, filters, size, kernel, stride, pad = shape
    codelet = conv(channels, filters, size, kernel, stride, pad)
    acg = first_chain(snax(memories__l1__size="4KiB", transfers__load__bytes_per_cycle=bus))
    expected: Best = {}
    for walk in _walks(codelet, acg):
        expected = better(expected, walk.best())
    mapping = solve(codelet, acg)
    assert mapping.fused
    assert mapping.proof.objective == expected["latency"][0]


STRIDED = [(8, 8, 9, 1, 2, 0), (8, 16, 7, 1, 2, 1), (16, 8, 9, 1, 3, 2), (8, 8, 9, 3, 2, 0)]
"""The same of layers with a stride: positions that no filter touches are not loaded."""


@pytest.mark.solver
@pytest.mark.parametrize("size", ["1KiB", "4KiB"])
@pytest.mark.parametrize("shape", STRIDED, ids=str)
def test_solver_equals_exhaustive_search_on_strided_layers(
    shape: tuple[int, ...], size: str
) -> None:
    channels, filters, width, kernel, stride, pad = shape
    codelet = conv(channels, filters, width, kernel, stride, pad)
    acg = first_chain(snax(memories__l1__size=size, transfers__load__bytes_per_cycle="16"))
    expected: Best = {}
    for walk in _walks(codelet, acg):
        expected = better(expected, walk.best())
    assert solve(codelet, acg).proof.objective == expected["latency"][0]


TAILED = [
    (16, 8, 7, 1, 1, 0),
    (32, 16, 5, 1, 1, 0),
    (16, 8, 5, 3, 1, 1),
    (48, 8, 9, 1, 2, 0),
    (32, 24, 1, 1, 1, 0),
]
"""The same on an array with a second shape for the last positions of a tile; the last layer has no
others."""


@pytest.mark.solver
@pytest.mark.parametrize("size", ["2KiB", "4KiB", "8KiB"])
@pytest.mark.parametrize("shape", TAILED, ids=str)
def test_solver_equals_exhaustive_search_with_two_shapes_of_the_array(
    shape: tuple[int, ...], size: str
) -> None:
    channels, filters, width, kernel, stride, pad = shape
    codelet = conv(channels, filters, width, kernel, stride, pad)
    settings = {"memories.l1.size": size, "transfers.load.bytes_per_cycle": "16"}
    acg = first_chain(read_architecture("snax", settings))
    expected: Best = {}
    for walk in _walks(codelet, acg):
        expected = better(expected, walk.best())
    for name in RANKS:
        mapping = solve(codelet, acg, objective=parse_objective(name))
        assert mapping.proof.objective == expected[name][0], name
        assert parse_objective(name).key(cost.evaluate(mapping, codelet, acg)) == expected[name]


@pytest.mark.solver
@pytest.mark.parametrize("seed", range(CASES))
def test_solver_equals_exhaustive_search_in_every_objective(seed: int) -> None:
    codelet, acg, walks = _random_case(seed)
    expected: Best = {}
    for walk in walks:
        expected = better(expected, walk.best())
    for name, ranks in RANKS.items():
        objective = parse_objective(name)
        if not expected:
            with pytest.raises(CovenantError, match="does not fit"):
                solve(codelet, acg, objective=objective)
            continue
        mapping = solve(codelet, acg, objective=objective)
        assert mapping.proof.status is Status.OPTIMAL
        assert mapping.proof.objective == expected[name][0], name
        assert objective.ranked == tuple(ranks)
        assert objective.key(cost.evaluate(mapping, codelet, acg)) == expected[name], name
