"""Convolutions with few channels on the RTL: equal to NumPy, as fast as predicted, under stalls."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from covenant.acg.reader import read_architecture
from covenant.sim.cluster import Cluster, DramTiming, dram_timing
from few_channels import STEMS, Compiled, compiled, random_stem
from handmade import conv_layer

pytestmark = pytest.mark.rtl

SEEDS = 24


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(read_architecture("snax"), dram_bytes=1 << 22) as opened:
        yield opened


def _run(cluster: Cluster, ready: Compiled, timing: DramTiming, seed: int) -> int:
    """Cycles; every output element is compared."""
    inputs = ready.inputs(seed)
    cluster.poison(seed)
    cluster.set_timing(timing)
    cluster.load_program(ready.image.words)
    ready.image.write_constants(cluster.dram)
    ready.image.write_inputs(cluster.dram, inputs)
    cycles = cluster.run().cycles
    found = ready.image.outputs(cluster.dram)
    for name, array in ready.reference(inputs).items():
        assert (found[name] == array).all()
    return cycles


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_stems_equal_the_codelet_under_stalls(cluster: Cluster, seed: int) -> None:
    acg = read_architecture("snax")
    timing = DramTiming(
        latency_cycles=seed * 5, jitter_cycles=9 * (seed % 3), stall_permille=150 * (seed % 4)
    )
    _run(cluster, compiled(random_stem(Random(1000 + seed)), acg), timing, seed)


@pytest.mark.parametrize(
    ("name", "most"),
    [("resnet18", 242_000), ("resnet8", 2_100), ("mobilenet_v2", 39_000)],
)
def test_stems_take_the_predicted_cycles(cluster: Cluster, name: str, most: int) -> None:
    acg = read_architecture("snax")
    ready = compiled(conv_layer(**STEMS[name]), acg)
    cycles = _run(cluster, ready, dram_timing(acg), 7)
    assert cycles <= most
    assert abs(ready.predicted - cycles) <= 0.03 * cycles
