"""Pools, sums, tables and moves: any geometry equals ONNX Runtime, any nonsense is told."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from covenant.codelets.parser import parse_codelet
from covenant.codelets.printer import print_codelet
from covenant.codelets.registry import build
from covenant.core.diagnostics import CovenantError
from covenant.frontend import read_model
from onnx_nodes import Case
from quantised_nodes import integer, node, qdq, qlinear, random_scale
from reference_runs import assert_equals_onnxruntime, interpreted, lowered

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["uint8", "int8"])


def _check(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert_equals_onnxruntime(case, Path(folder))
        for layer in lowered(case, Path(folder))[1]:
            assert parse_codelet(print_codelet(layer.codelet)) == layer.codelet


@given(data=st.data(), seed=seeds, dtype=dtypes, axes=st.integers(1, 3))
def test_any_max_pool_equals_onnxruntime(
    data: st.DataObject, seed: int, dtype: str, axes: int
) -> None:
    def draw(low: int, high: int) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes))

    kernel, dilations, strides, spatial = draw(1, 4), draw(1, 2), draw(1, 3), draw(1, 8)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = [data.draw(st.integers(0, min(k, r) - 1)) for k, r in zip(kernel, reach, strict=True)]
    ends = [data.draw(st.integers(0, min(k, r) - 1)) for k, r in zip(kernel, reach, strict=True)]
    spans = zip(spatial, pads, ends, reach, strict=True)
    assume(all(n + b + e >= r for n, b, e, r in spans))
    shape = (data.draw(st.integers(1, 2)), data.draw(st.integers(1, 5)), *spatial)
    x = random_scale(np.random.default_rng(seed), dtype).integers(
        np.random.default_rng(seed), shape
    )
    ceil = data.draw(st.integers(0, 1))
    case = integer(
        "MaxPool",
        x,
        kernel_shape=kernel,
        dilations=dilations,
        strides=strides,
        pads=pads + ends,
        ceil_mode=ceil,
    )
    _check(case)


@given(data=st.data(), seed=seeds, rank=st.integers(1, 5))
def test_any_broadcast_is_within_one_step_of_onnxruntime(
    data: st.DataObject, seed: int, rank: int
) -> None:
    rng = np.random.default_rng(seed)
    full = [data.draw(st.integers(1, 5)) for _ in range(rank)]
    shapes = []
    for _ in range(2):
        kept = [extent if data.draw(st.booleans()) else 1 for extent in full]
        shapes.append(tuple(kept[data.draw(st.integers(0, rank - 1)) :]))
    quants = [random_scale(rng, "int8") for _ in range(2)]
    inputs = [(q.integers(rng, s), q) for q, s in zip(quants, shapes, strict=True)]
    operator = data.draw(st.sampled_from(["QLinearAdd", "QLinearMul"]))
    case = qlinear(operator, inputs, random_scale(rng, "int8", 2.0))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = interpreted(case, Path(folder))["y"], case.expected()["y"]
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


@given(data=st.data(), seed=seeds, rank=st.integers(1, 5))
def test_any_transpose_slice_and_pad_equal_onnxruntime(
    data: st.DataObject, seed: int, rank: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = [data.draw(st.integers(1, 5)) for _ in range(rank)]
    quant = random_scale(rng, "uint8")
    x = quant.integers(rng, shape)
    order = data.draw(st.permutations(range(rank)))
    _check(qdq("Transpose", [(x, quant)], [quant], perm=list(order)))
    starts = [data.draw(st.integers(0, n - 1)) for n in shape]
    ends = [data.draw(st.integers(s + 1, n + 3)) for s, n in zip(starts, shape, strict=True)]
    steps = [data.draw(st.integers(1, 3)) for _ in shape]
    bounds: list[Any] = [np.asarray(v, np.int64) for v in (starts, ends, range(rank), steps)]
    _check(qdq("Slice", [(x, quant)], [quant], constants=bounds))
    pads = [data.draw(st.integers(0, 3)) for _ in range(2 * rank)]
    _check(qdq("Pad", [(x, quant)], [quant], constants=[np.asarray(pads, np.int64)]))


@given(data=st.data(), seed=seeds, axis=st.integers(-4, 3))
def test_any_concatenation_equals_onnxruntime(data: st.DataObject, seed: int, axis: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = []
    for _ in range(data.draw(st.integers(1, 4))):
        shape = [2, 3, 2, 4]
        shape[axis] = data.draw(st.integers(1, 6))
        quant = random_scale(rng, "uint8")
        inputs.append((quant.integers(rng, shape), quant))
    out = inputs[0][1] if data.draw(st.booleans()) else random_scale(rng, "uint8")
    _check(qlinear("QLinearConcat", inputs, out, axis=axis))


UNARY = ["Relu", "Sigmoid", "Tanh", "HardSwish", "Abs", "Neg", "Erf", "Softsign"]


@given(data=st.data(), seed=seeds, count=st.integers(1, 5))
def test_any_expression_of_one_tensor_is_one_table(
    data: st.DataObject, seed: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    quant, out = random_scale(rng, "int8"), random_scale(rng, "int8", 2.0)
    x = np.arange(256, dtype=np.uint8).view(np.int8).reshape(1, 16, 16)
    body, names = [], ["a"]
    for position in range(count):
        name = "r" if position == count - 1 else f"v{position}"
        if data.draw(st.booleans()):
            operands = [data.draw(st.sampled_from(names)) for _ in range(2)]
            operator = data.draw(st.sampled_from(["Add", "Mul", "Sub"]))
            body.append(node(operator, operands, name))
        else:
            operator = data.draw(st.sampled_from(UNARY))
            body.append(node(operator, [data.draw(st.sampled_from(names))], name))
        names.append(name)
    case = qdq("", [(x, quant)], [out], body=body)
    with tempfile.TemporaryDirectory() as folder:
        model = read_model(case.save(Path(folder)))
        assert [build(layer).codelet.operation for layer in model.layers] == ["table"]
        unread = {u.node for u in model.unsupported} - {n.name for n in body}
        assert not unread
        (layer,) = map(build, model.layers)
    ours = layer.constants["t"].astype(int)
    theirs = case.expected(optimised=False)["r_q"].reshape(-1).astype(int)
    assert np.abs(ours - theirs).max() <= 1
    assert np.count_nonzero(ours != theirs) <= 2, "float32 functions differ in the last bit"


OPERATORS = [
    "MaxPool",
    "AveragePool",
    "GlobalMaxPool",
    "Transpose",
    "Slice",
    "Pad",
    "Split",
    "Resize",
    "Concat",
    "Add",
    "Clip",
    "DepthToSpace",
    "SpaceToDepth",
    "ReduceMean",
    "Flatten",
    "Reshape",
]
ATTRIBUTES: dict[str, st.SearchStrategy[Any]] = {
    "kernel_shape": st.lists(st.integers(-1, 9), min_size=1, max_size=3),
    "pads": st.lists(st.integers(-3, 9), min_size=1, max_size=8),
    "strides": st.lists(st.integers(-1, 3), min_size=1, max_size=3),
    "perm": st.lists(st.integers(-5, 5), min_size=1, max_size=5),
    "axis": st.integers(-6, 6),
    "blocksize": st.integers(-1, 5),
    "auto_pad": st.sampled_from(["SAME_UPPER", "SAME", ""]),
    "mode": st.sampled_from(["nearest", "constant", "edge", "DCR", ""]),
    "ceil_mode": st.integers(-1, 2),
    "axes": st.lists(st.integers(-5, 5), max_size=4),
}


@settings(max_examples=200)
@given(data=st.data(), operator=st.sampled_from(OPERATORS), quantised=st.booleans())
def test_a_node_that_makes_no_sense_is_told(
    data: st.DataObject, operator: str, quantised: bool
) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), unique=True, max_size=4))
    attributes = {name: data.draw(ATTRIBUTES[name]) for name in names}
    attributes = {k: v for k, v in attributes.items() if v != []}
    numbers = st.lists(st.integers(-9, 9), min_size=1, max_size=5)
    constants = [
        np.asarray(values, np.int64) for values in data.draw(st.lists(numbers, max_size=4))
    ]
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    rng = np.random.default_rng(0)
    quant = random_scale(rng, "int8")
    x = quant.integers(rng, shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            if quantised:
                model = _raw(operator, x, quant, constants, attributes)
            else:
                model = integer(operator, x, constants, **attributes).model
            path.write_bytes(model.SerializeToString())
            read = read_model(path)
        except (CovenantError, onnx.shape_inference.InferenceError):
            return
        for layer in read.layers:
            build(layer)


def _raw(
    operator: str, x: Any, quant: Any, constants: list[Any], attributes: dict[str, Any]
) -> onnx.ModelProto:
    body = [node(operator, ["a", *(f"k{i}" for i in range(len(constants)))], "r", **attributes)]
    case = qdq("", [(x, quant)], [quant], constants=constants, body=body)
    return case.model
