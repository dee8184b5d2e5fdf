"""Property: layers under mappings that no solver chose, on machines of several memories, depths and
nodes, give exactly the codelet's result in program order, and the checker finds nothing wrong."""

from __future__ import annotations

from random import Random

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.emit.check import check_image
from machine_samples import machine, plain_conv, plain_gemm
from mapper_samples import conv, gemm
from program_runs import Ready, differing, lowered
from random_mappings import random_mapping

ROUNDS = 3
NEED_BIAS = ("simba_like", "eyeriss", "hvx")
"""Machines that add a bias where they rescale."""


def _machine(name: str, random: Random) -> Acg:
    if name == "two_depths":
        sizes = {"memories__l1__size": ["1KiB", "8KiB"], "memories__l2__size": ["6KiB", "64KiB"]}
    elif name == "gemmini_like":
        sizes = {
            "memories__scratchpad__size": ["1KiB", "64KiB"],
            "memories__accumulator__size": ["512", "64KiB"],
        }
    elif name == "lanes":
        sizes = {
            "memories__inputs__size": ["64", "512"],
            "memories__weights__size": ["64", "512"],
            "memories__shared__size": ["1KiB", "16KiB"],
            "kx": ["4", "8"],
            "nw": ["1", "2", "4"],
            "width": ["2", "4"],
        }
    else:
        return read_architecture(name)
    return machine(name, **{key: random.choice(values) for key, values in sizes.items()})


def _layer(name: str, random: Random) -> Codelet:
    bias = random.random() < 0.5
    if random.random() < 0.6:
        sizes = [random.randint(1, 40) for _ in range(3)]
        if name == "two_depths":
            return gemm(*sizes, batch=random.choice([1, 2]), wide=bias)
        bias = bias or name in NEED_BIAS
        return plain_gemm(*sizes, bias=bias, zero=random.choice([0, 7]))
    kernel, stride = random.choice([1, 3]), random.choice([1, 2])
    shape = (random.randint(1, 20), random.randint(1, 36), random.randint(3, 8), kernel, stride)
    if name == "two_depths":
        return conv(*shape, batch=random.choice([1, 2]))
    return plain_conv(*shape, bias=bias or name in NEED_BIAS)


def _case(name: str, seed: int) -> tuple[Acg, Ready] | None:
    """A machine and a layer ready to run on it; None where no mapping or program was found."""
    random = Random(seed)
    acg, codelet = _machine(name, random), _layer(name, random)
    try:
        mapping = random_mapping(codelet, acg, random)
        return None if mapping is None else (acg, lowered(codelet, mapping, acg, seed))
    except CovenantError as error:
        if "the program needs" in str(error) or error.diagnostics[0].code.startswith("MAP"):
            return None
        raise


MACHINES = ["gemmini_like", "two_depths", "gemmini", "lanes", "simba_like", "eyeriss"]
MACHINES += ["hvx", "tpu_like"]


@pytest.mark.parametrize("name", MACHINES)
def test_random_mapping_runs_in_program_order(name: str) -> None:
    done = 0
    for seed in range(10 * ROUNDS):
        found = _case(name, seed)
        if found is None:
            continue
        acg, ready = found
        assert check_image(ready.image, acg) == (), seed
        assert differing(ready, ready.image, acg) == 0, seed
        done += 1
        if done == ROUNDS:
            return
    raise AssertionError("too few mappings were found")
