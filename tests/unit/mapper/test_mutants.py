"""Seeded mutants of solved mappings, of several layers on several architectures: all are caught."""

from __future__ import annotations

import random
import zlib
from functools import cache

import pytest

from covenant.mapper import cost
from covenant.mapper.mapping import Mapping
from covenant.mapper.solve import solve
from covenant.mapper.verify import verify
from mapper_samples import conv, gemm, snax
from mapping_mutants import MUTATIONS
from mutant_case import Case

SEEDS = 3
"""Places at which a mutation is tried on one mapping."""

_EXTENTS = "compute__gemm__capabilities__matmul__extents__"

LAYERS = {
    "conv3x3_on_8KiB": lambda: (conv(64, 24, 13), snax(memories__l1__size="8KiB")),
    "conv3x3_stride2": lambda: (conv(16, 16, 9, stride=2), snax(memories__l1__size="2KiB")),
    "conv1x1_stride2": lambda: (conv(32, 24, 13, 1, 2), snax(memories__l1__size="2KiB")),
    "conv1x1_without_groups_of_banks": lambda: (
        conv(48, 40, 7, kernel=1),
        snax(memories__l1__size="4KiB", memories__l1__bank_group="32"),
    ),
    "gemm_tails": lambda: (gemm(45, 100, 52), snax(memories__l1__size="4KiB")),
    "gemm_int32_batch": lambda: (
        gemm(24, 64, 40, batch=2, wide=True),
        snax(memories__l1__size="4KiB"),
    ),
    "gemm_on_16x16x8": lambda: (
        gemm(40, 96, 64),
        snax(memories__l1__size="8KiB", **{f"{_EXTENTS}m": "16", f"{_EXTENTS}n": "16"}),
    ),
}


@cache
def _case(layer: str) -> Case:
    codelet, acg = LAYERS[layer]()
    return Case(solve(codelet, acg), codelet, acg)


def _mutants(layer: str, name: str) -> list[Mapping]:
    """Different mutants of a kind; none where the mapping has no place for it."""
    _, mutate = MUTATIONS[name]
    found = []
    for seed in range(SEEDS):
        rng = random.Random(zlib.crc32(f"{layer} {name} {seed}".encode()))
        mutant = mutate(_case(layer), rng)
        if mutant is not None and mutant not in found:
            found.append(mutant)
    return found


@pytest.mark.parametrize("name", MUTATIONS)
def test_verify_catches_every_mutant(name: str) -> None:
    code, _ = MUTATIONS[name]
    layers = [layer for layer in LAYERS if _mutants(layer, name)]
    assert len(layers) >= 2, f"'{name}' has a place in {layers} only"
    for layer in layers:
        case = _case(layer)
        for mutant in _mutants(layer, name):
            assert mutant != case.mapping, f"{layer}: no change"
            found = {d.code for d in verify(mutant, case.codelet, case.acg)}
            assert code in found, f"{layer}: {name} survives with {sorted(found)}"


@pytest.mark.parametrize("layer", LAYERS)
def test_the_mapping_that_is_mutated_is_legal_and_costs_its_objective(layer: str) -> None:
    case = _case(layer)
    assert verify(case.mapping, case.codelet, case.acg) == ()
    assert cost.evaluate(case.mapping, case.codelet, case.acg).latency == (
        case.mapping.proof.objective
    )


def test_mutants_are_many() -> None:
    assert len(MUTATIONS) >= 40
    count = sum(len(_mutants(layer, name)) for layer in LAYERS for name in MUTATIONS)
    assert count >= 400, count
