"""Tiles in two launches of different shapes of the array on the RTL, under stalls."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.emit.image import build_image
from covenant.emit.lower import lower
from covenant.sim.cluster import Cluster, DramTiming
from handmade import conv_layer, gemm_layer, random_inputs
from random_mappings import random_mapping

pytestmark = pytest.mark.rtl

LAYERS = {
    "rows with a halo": conv_layer((1, 48, 7, 7), 24),
    "rows at a stride": conv_layer((1, 32, 9, 9), 16, kernel=(1, 1), strides=(2, 2), pads=(0,) * 4),
    "a map as one row": conv_layer((1, 96, 7, 7), 16, kernel=(1, 1), pads=(0, 0, 0, 0)),
    "fewer than a step": gemm_layer(3, 40, 64),
    "matrix product": gemm_layer(52, 24, 48),
}


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax")


@pytest.fixture(scope="module")
def cluster(acg: Acg) -> Iterator[Cluster]:
    with Cluster(acg, dram_bytes=1 << 22) as opened:
        yield opened


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", LAYERS)
def test_random_mapping_in_two_shapes_computes_the_codelet(
    name: str, seed: int, acg: Acg, cluster: Cluster
) -> None:
    layer = LAYERS[name]
    mapping = random_mapping(layer.codelet, acg, Random(seed), keep=lambda s: s.pieces is not None)
    assert mapping is not None
    program = lower(mapping, layer.codelet, acg)
    image = build_image(program, mapping, layer.codelet, acg, layer.constants)
    inputs = random_inputs(layer.codelet)
    cluster.poison(seed)
    cluster.set_timing(
        DramTiming(
            latency_cycles=seed * 25, jitter_cycles=9 * (seed % 3), stall_permille=150 * seed
        )
    )
    cluster.load_program(image.words)
    image.write_constants(cluster.dram)
    image.write_inputs(cluster.dram, inputs)
    cluster.run()
    found, expected = image.outputs(cluster.dram), run(layer.codelet, inputs, layer.constants)
    assert all((found[key] == expected[key]).all() for key in expected)
