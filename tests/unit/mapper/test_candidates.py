"""Binding by unification: which candidates, which reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codelet_runs import (
    Image2d,
    add,
    average_pool,
    binary,
    depthwise,
    max_pool,
    table,
)
from covenant.codelets.ir import Codelet
from covenant.codelets.parser import parse_codelet
from covenant.core.dtypes import DType
from covenant.core.expression import parse_statement
from covenant.mapper.candidates import Binding, Candidates, match
from mapper_samples import conv, gemm, snax


def _on_array(found: Candidates) -> list[Binding]:
    """Bindings to the matrix array in its first shape; products also bind to the vector node, one
    term at a time."""
    own = ("gemm", "matmul")
    return [b for b in found.bindings if (b.steps[0].node, b.steps[0].capability) == own]


def _bound(codelet: Codelet) -> list[tuple[tuple[str, str], ...]]:
    return [b.steps[0].dims for b in _on_array(match(codelet, snax()))]


def test_conv_binds_pixels_columns_and_channels() -> None:
    assert _bound(conv(16, 24, 10)) == [
        (("m", "oy"), ("n", "oc"), ("k", "c")),
        (("m", "ox"), ("n", "oc"), ("k", "c")),
    ]


def test_conv_with_batch_may_bind_the_batch_to_rows() -> None:
    assert (("m", "n"), ("n", "oc"), ("k", "c")) in _bound(conv(16, 24, 10, batch=4))


def test_depthwise_conv_binds_with_idle_channels() -> None:
    assert (("m", "ox"), ("n", "oc"), ("k", "c")) in _bound(conv(16, 16, 10, groups=16))


def test_gemm_may_swap_operands_when_columns_need_no_record() -> None:
    assert _bound(gemm(16, 24, 32)) == [(("m", "m"), ("n", "n"), ("k", "k"))]
    assert _bound(gemm(16, 24, 32, wide=True)) == [
        (("m", "m"), ("n", "n"), ("k", "k")),
        (("m", "n"), ("n", "m"), ("k", "k")),
    ]


def test_zero_points_become_scalars_of_the_port_they_stand_at() -> None:
    plain, swapped = _on_array(match(gemm(16, 24, 32, wide=True), snax()))
    assert dict(plain.steps[0].scalars) == {"za": 5}
    assert dict(swapped.steps[0].scalars) == {"za": 0, "zb": 5}


def test_factors_match_in_either_order() -> None:
    codelet = gemm(16, 24, 32)
    turned = parse_statement("acc[b,m,n] += w[b,k,n] * (x[b,m,k] - 5)")
    found = match(replace(codelet, steps=(turned, codelet.steps[1])), snax())
    assert [b.steps[0].dims for b in _on_array(found)] == _bound(codelet)


def test_absent_clip_takes_the_range_of_the_result() -> None:
    codelet = gemm(16, 24, 32, bias=False)
    last = parse_statement("y[b,m,n] = requantise(acc[b,m,n], scale[n], 0)")
    found = match(replace(codelet, steps=(codelet.steps[0], last)), snax())
    (binding,) = _on_array(found)
    assert dict(binding.steps[1].scalars) == {"zy": 0, "lo": -128, "hi": 127}
    assert "bias" not in dict(binding.steps[1].tensors)


def _whys(codelet: Codelet) -> str:
    found = match(codelet, snax())
    assert not _on_array(found)
    return " | ".join(map(str, found.refusals))


def test_refusal_names_a_dtype_no_port_takes() -> None:
    codelet = gemm(16, 24, 32)
    tensors = tuple(replace(t, dtype=DType.INT16) if t.name == "x" else t for t in codelet.tensors)
    assert "'x' is int16" in _whys(replace(codelet, tensors=tensors))


def test_refusal_names_the_rounding() -> None:
    acg = snax()
    post = acg.compute("post")
    other = tuple(replace(c, rounding="half_up") for c in post.capabilities)
    computes = tuple(replace(c, capabilities=other) if c is post else c for c in acg.computes)
    found = match(gemm(16, 24, 32), replace(acg, computes=computes))
    assert not _on_array(found)
    assert any("rounds as 'half_up'" in r.why for r in found.refusals)


def test_refusal_of_a_bias_over_rows() -> None:
    codelet = gemm(16, 24, 32)
    text = str(codelet.steps[1]).replace("bias[n]", "bias[m]")
    broken = replace(codelet, steps=(codelet.steps[0], parse_statement(text)))
    assert "'bias' varies over 'm', port bias cannot" in _whys(broken)


VECTOR_FORMS = {
    "mac": depthwise(Image2d(1, 16, 9, 9)),
    "max": max_pool(Image2d(1, 16, 9, 9)),
    "sum": average_pool(Image2d(1, 16, 9, 9), 3, 3),
    "blend": add(Image2d(1, 16, 9, 9), 300, -5),
    "multiply": binary(Image2d(1, 16, 9, 9), "x[n,c,y,x] * w[n,c,y,x]"),
    "table": table(Image2d(1, 16, 9, 9)),
}


@pytest.mark.parametrize("capability", VECTOR_FORMS)
def test_channels_are_packed_and_a_spatial_dim_is_the_lane(capability: str) -> None:
    codelet = parse_codelet(VECTOR_FORMS[capability])
    found = [b for b in match(codelet, snax()).bindings if b.steps[0].capability == capability]
    channel = "g" if capability == "mac" else "c"
    assert {b.dim("c") for b in found} == {channel}
    assert {b.dim("m") for b in found} in ({"oy", "ox"}, {"y", "x"})
    assert len(found) == 2  # not once more with exchanged operands


def test_required_range_of_a_scalar_is_kept() -> None:
    found = match(parse_codelet(add(Image2d(1, 16, 9, 9), 32768, 1)), snax())
    assert not found.bindings
    assert "kx is 32768, it requires kx <= 32767" in " | ".join(map(str, found.refusals))
