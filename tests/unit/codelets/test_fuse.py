"""Fusing a filter dim and the channel: which pairs, what the fused codelet computes."""

from __future__ import annotations

from random import Random

import pytest

from covenant.codelets.fuse import fuse, fusions, unfold
from covenant.codelets.interpret import run
from few_channels import random_stem
from handmade import conv_layer, gemm_layer, random_inputs


def test_every_filter_dim_fuses_with_the_channel() -> None:
    assert fusions(conv_layer((1, 3, 10, 10)).codelet) == (
        ("fy", "c"),
        ("fx", "c"),
        ("fx", "fy", "c"),
        ("fy", "fx", "c"),
    )


@pytest.mark.parametrize(
    "layer",
    [
        gemm_layer(8, 8, 8),
        conv_layer((1, 3, 10, 10), kernel=(1, 1), pads=(0, 0, 0, 0)),
        conv_layer((1, 3, 10, 10), dilations=(2, 2), pads=(2, 2, 2, 2)),
    ],
    ids=["no_window", "one_position", "dilated"],
)
def test_nothing_fuses_without_a_window_of_neighbours(layer: object) -> None:
    assert fusions(layer.codelet) == ()  # type: ignore[attr-defined]


def test_a_dilated_filter_dim_moves_across_lines_only() -> None:
    layer = conv_layer((1, 3, 12, 12), dilations=(2, 1), pads=(2, 1, 2, 1))
    assert fusions(layer.codelet) == (("fx", "c"), ("fy", "fx", "c"))


def test_fused_codelet_has_one_dim_for_the_pair_and_overlapping_rows() -> None:
    fused = fuse(conv_layer((1, 3, 10, 9), strides=(2, 2)).codelet, ("fx", "c"))
    assert fused.extents == {"n": 1, "g": 1, "oc": 24, "oy": 5, "ox": 5, "fy": 3, "fx_c": 9}
    assert "x[n,g,2*oy+fy-1,ox,fx_c]" in str(fused.steps[0])
    assert fused.tensor("x").shape == (1, 1, 10, 5, 9)
    source = fused.tensor("x").source
    assert source is not None
    assert source.shape == (1, 1, 3, 10, 9)
    assert fuse(fused, ("fx", "c")) is fused


@pytest.mark.parametrize("seed", range(30))
def test_fused_codelet_computes_the_same(seed: int) -> None:
    layer = random_stem(Random(seed))
    inputs = random_inputs(layer.codelet, seed)
    expected = run(layer.codelet, inputs, layer.constants)
    for pair in fusions(layer.codelet):
        fused = fuse(layer.codelet, pair)
        seen = [
            {name: unfold(array, fused.tensor(name)) for name, array in arrays.items()}
            for arrays in (inputs, dict(layer.constants))
        ]
        found = run(fused, *seen)
        assert all((found[name] == array).all() for name, array in expected.items())
