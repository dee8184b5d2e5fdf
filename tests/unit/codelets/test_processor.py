"""A layer with a processor's share, or in another shape, computes what the whole layer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covenant.codelets.interpret import finished, run, run_layer
from covenant.codelets.ir import Role
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.neutral import biased
from covenant.codelets.processor import CENTRE, CENTRED, PAD, RESCALE, RESCALED, form, forms
from covenant.codelets.reshaped import joined, phased, shapes
from onnx_nodes import Case, Quant, qlinear_conv, qlinear_matmul, random_layer
from reference_runs import lowered

ALL = (CENTRE, PAD, RESCALE)


def _layer(case: Case, folder: Path) -> LoweredLayer:
    return lowered(case, folder)[1][0]


def _check(whole: LoweredLayer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = {}
    for tensor in whole.codelet.tensors:
        if tensor.role is Role.INPUT:
            view = whole.views[tensor.name]
            kind = np.iinfo(tensor.dtype.numpy)
            values = rng.integers(kind.min, kind.max, view.onnx_shape, kind.dtype, endpoint=True)
            inputs[view.source] = values
    expected = run_layer(whole, inputs)
    bases = [whole, *(made for _, made in shapes(whole))]
    split = [made for base in bases for made in forms(base, ALL)]
    for made in (*split, *filter(None, map(biased, split))):
        seen = {n: v.apply(inputs[v.source]) for n, v in made.views.items() if v.source in inputs}
        found = finished(made, run(made.codelet, seen, made.constants))
        for role, array in expected.items():
            assert array.dtype == found[role].dtype
            np.testing.assert_array_equal(found[role], array, err_msg=f"{made.form} {role}")


@pytest.mark.parametrize("seed", range(60))
def test_every_form_of_a_random_layer_is_equal(seed: int, tmp_path: Path) -> None:
    _check(_layer(random_layer(seed), tmp_path), seed)


def test_the_forms_are_signed_and_read_nothing_outside(tmp_path: Path) -> None:
    """An unsigned convolution with padding, and weights of nine bits."""
    rng = np.random.default_rng(1)
    case = qlinear_conv(rng, (1, 3, 6, 7), (5, 3, 3, 3), Quant("uint8", "uint8"), pads=[1, 0, 2, 1])
    whole = _layer(case, tmp_path)
    assert [each.form for each in forms(whole, ALL)] == ["", CENTRED, RESCALED]
    centred, rescaled = form(whole, ALL, CENTRED), form(whole, ALL, RESCALED)
    for made in (centred, rescaled):
        kinds = {t.dtype.value for t in made.codelet.tensors if t.dtype.bytes == 1}
        assert kinds <= {"int8"}
        assert made.codelet.tensor("x").pad is None
        assert made.codelet.tensor("x").shape[-2:] == (9, 8)
        assert made.codelet.tensor("w").shape[0] == made.codelet.dim("part").extent == 2
        assert "zw" not in str(made.codelet.steps[0])
    assert rescaled.codelet.tensor("y").dtype.value == "int32"
    assert str(rescaled.codelet.steps[-1]) == "y[n,g,oc,oy,ox] = acc[n,g,oc,oy,ox] + bias[g,oc]"


@pytest.mark.parametrize(
    ("x", "w", "attributes"),
    [
        ((2, 3, 9, 8), (4, 3, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((1, 3, 11, 10), (4, 3, 5, 2), {"strides": [3, 2], "pads": [0, 1, 2, 0]}),
        ((1, 4, 10, 10), (6, 4, 3, 1), {"strides": [2, 2], "pads": [1, 0, 1, 0]}),
        ((1, 2, 10, 12), (3, 2, 2, 3), {"strides": [1, 3], "pads": [1, 1, 0, 1]}),
        ((1, 6, 7, 9), (12, 1, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 6}),
        ((1, 8, 6, 6), (8, 2, 3, 3), {"dilations": [2, 1], "group": 4}),
        ((1, 3, 20), (4, 3, 7), {"strides": [2], "pads": [3, 3]}),
    ],
)
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_every_shape_of_a_convolution_is_equal(
    x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    case = qlinear_conv(rng, x, w, Quant(kind, kind, kind), **attributes)
    whole = _layer(case, tmp_path)
    assert list(shapes(whole))
    _check(whole, 3)


def test_a_strided_window_moves_by_one_position_of_a_phase(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    whole = _layer(qlinear_conv(rng, (1, 3, 9, 8), (4, 3, 3, 3), strides=[2, 2]), tmp_path)
    made = phased(whole)
    assert made is not None
    assert "x[n,g,c,oy+fy,fy_phase,ox+fx,fx_phase]" in str(made.codelet.steps[0])
    extents = made.codelet.extents
    assert [extents[d] for d in ("fy", "fy_phase", "oy")] == [2, 2, 4]
    assert made.codelet.tensor("x").shape == (1, 1, 3, 5, 2, 4, 2)
    assert phased(made) is None


def test_groups_are_joined_with_weights_of_the_zero_point_between_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    whole = _layer(qlinear_conv(rng, (1, 6, 5, 5), (6, 2, 3, 3), group=3), tmp_path)
    made = joined(whole, 3)
    assert made is not None
    weights, blocks = made.constants["w"], whole.constants["w"]
    assert weights.shape == (1, 6, 6, 3, 3)
    np.testing.assert_array_equal(weights[0, 2:4, 2:4], blocks[1])
    point = whole.codelet.steps[0].value.arguments[1].arguments[1].value
    assert (weights[0, 0:2, 2:] == point).all()


def test_without_abilities_the_layer_stays_as_it_is(tmp_path: Path) -> None:
    whole = _layer(qlinear_matmul(np.random.default_rng(2), (3, 4), (4, 5)), tmp_path)
    (only,) = [each for each in forms(whole, ()) if each.form != CENTRED]
    assert only is whole
    with pytest.raises(KeyError):
        form(whole, (), RESCALED)
