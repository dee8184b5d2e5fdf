"""Properties of codelets: text round trip, views, and random layers against ONNX Runtime."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from covenant.codelets.interpret import run
from covenant.codelets.ir import Role
from covenant.codelets.parser import parse_codelet
from covenant.codelets.printer import print_codelet
from covenant.codelets.views import View
from onnx_nodes import Quant, conv_integer, matmul_integer, qgemm, qlinear_conv, random_layer
from reference_runs import assert_equals_onnxruntime, lowered

seeds = st.integers(0, 2**32 - 1)
small = st.integers(1, 9)


@given(seed=seeds)
def test_parsing_a_printed_codelet_gives_it_back(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, layers = lowered(random_layer(seed), Path(folder))
    for layer in layers:
        assert parse_codelet(print_codelet(layer.codelet)) == layer.codelet


@given(seed=seeds)
def test_a_random_layer_equals_onnxruntime(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert_equals_onnxruntime(random_layer(seed), Path(folder))


@given(data=st.data(), seed=seeds, axes=st.integers(1, 2), group=st.integers(1, 3))
def test_any_convolution_equals_onnxruntime(
    data: st.DataObject, seed: int, axes: int, group: int
) -> None:
    rng = np.random.default_rng(seed)

    def draw(low: int, high: int, count: int = axes) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    kernel, dilations, strides, pads = draw(1, 3), draw(1, 2), draw(1, 3), draw(0, 2, 2 * axes)
    spatial = [(k - 1) * d + e for k, d, e in zip(kernel, dilations, draw(1, 7), strict=True)]
    channels, outputs, batch = draw(1, 5, 3)
    kind = data.draw(st.sampled_from(["uint8", "int8"]))
    quant = Quant(kind, "int8", kind, per_channel=data.draw(st.booleans()))
    case = qlinear_conv(
        rng,
        (batch, group * channels, *spatial),
        (group * outputs, channels, *kernel),
        quant,
        bias=data.draw(st.booleans()),
        group=group,
        dilations=dilations,
        strides=strides,
        pads=pads,
    )
    with tempfile.TemporaryDirectory() as folder:
        assert_equals_onnxruntime(case, Path(folder))


@given(seed=seeds, m=small, n=small, k=small, flags=st.tuples(*[st.booleans()] * 4))
def test_any_gemm_equals_onnxruntime(
    seed: int, m: int, n: int, k: int, flags: tuple[bool, bool, bool, bool]
) -> None:
    rng = np.random.default_rng(seed)
    trans_a, trans_b, per_channel, biased = flags
    bias = (n,) if biased else None
    quant = Quant(per_channel=per_channel)
    case = qgemm(rng, m, n, k, quant, trans_a=trans_a, trans_b=trans_b, bias_shape=bias)
    with tempfile.TemporaryDirectory() as folder:
        assert_equals_onnxruntime(case, Path(folder))
        assert_equals_onnxruntime(matmul_integer(rng, (m, k), (k, n), quant), Path(folder))


@given(seed=seeds)
def test_the_general_path_gives_the_same_layer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = conv_integer(rng, (1, 2, 4, 5), (3, 2, 2, 3), pads=[1, 1, 1, 1])
    with tempfile.TemporaryDirectory() as folder:
        _, (layer,) = lowered(case, Path(folder))
    inputs = {
        t.name: layer.views[t.name].apply(case.inputs["x"])
        for t in layer.codelet.tensors
        if t.role is Role.INPUT
    }
    both = [run(layer.codelet, inputs, layer.constants, fast=fast)["y"] for fast in (True, False)]
    np.testing.assert_array_equal(*both)


@given(shape=st.lists(small, min_size=1, max_size=4), data=st.data())
def test_inverting_a_view_gives_the_tensor_back(shape: list[int], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    tensor = np.arange(int(np.prod(shape))).reshape(-1)
    view = View("x", tuple(shape), tuple(order), tensor.shape)
    assert view.apply(tensor).shape == view.shape
    np.testing.assert_array_equal(view.invert(view.apply(tensor)), tensor)
