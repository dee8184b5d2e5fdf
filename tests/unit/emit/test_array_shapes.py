"""An array with two run-time shapes: programs of both are right, the mapper picks, the RTL refuses
shapes that it has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codelet_runs import Image2d, convolution
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.codelets.ir import Codelet
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.parser import parse_codelet
from covenant.core.diagnostics import CovenantError
from covenant.core.dtypes import DType
from covenant.emit.check import check_image
from covenant.emit.image import build_image
from covenant.emit.lower import lower
from covenant.emit.rtl_config import rtl_config
from covenant.mapper.candidates import match
from covenant.mapper.operands import operands
from covenant.mapper.placement import half_step, tile_layout
from covenant.mapper.solve import solve
from covenant.sim.interpret import Interpreter
from handmade import conv_layer, gemm_layer, map_by_hand, random_inputs


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax")


def bindings(codelet: Codelet, acg: Acg, capability: str) -> list[int]:
    """Numbers of the bindings whose first step is bound to a capability."""
    found = match(codelet, acg).bindings
    return [i for i, b in enumerate(found) if b.steps[0].capability == capability]


CASES: dict[str, tuple[LoweredLayer, dict[str, Any]]] = {
    "convolution": (conv_layer(), {}),
    "padding, tails, split channels": (
        conv_layer((1, 40, 9, 7), 24, pads=(2, 1, 1, 2)),
        {"tiles": {"oy": 3, "oc": 8, "c": 16}, "order": ["oy", "oc", "c"]},
    ),
    "partial sums of many tiles": (
        conv_layer((1, 48, 7, 7), 16),
        {"tiles": {"c": 16, "oc": 8, "oy": 4}, "order": ["c", "oc", "oy"]},
    ),
    "lanes at a stride, batch": (
        conv_layer((2, 32, 13, 11), 32, strides=(2, 2), pads=(0, 2, 1, 1)),
        {"tiles": {"oy": 1, "n": 1}, "order": ["n", "oy"]},
    ),
    "matrix product of one row": (gemm_layer(1, 24, 48), {}),
    "matrix product, int32, odd extents": (
        gemm_layer(21, 20, 30, dtypes=(DType.UINT8, DType.INT8, DType.INT32), bias=False),
        {"tiles": {"m": 8}},
    ),
}


@pytest.mark.parametrize("capability", ["matmul", "matmul_folded"])
@pytest.mark.parametrize("name", CASES)
def test_program_of_either_shape_computes_the_codelet(name: str, capability: str, acg: Acg) -> None:
    layer, choices = CASES[name]
    numbers = bindings(layer.codelet, acg, capability)
    assert numbers
    for number in numbers[:2]:
        mapping = map_by_hand(layer.codelet, acg, binding=number, **choices)
        image = build_image(
            lower(mapping, layer.codelet, acg), mapping, layer.codelet, acg, layer.constants
        )
        assert check_image(image, acg) == ()
        inputs = random_inputs(layer.codelet)
        memory, _ = Interpreter(acg).run(image.words, image.dram(inputs), 1)
        found, expected = image.outputs(memory), run(layer.codelet, inputs, layer.constants)
        assert all((found[key] == expected[key]).all() for key in expected)


@pytest.mark.parametrize(("size", "tail"), [(7, "matmul_folded"), (8, ""), (14, "matmul_folded")])
def test_mapper_gives_the_last_positions_to_the_shape_that_is_quicker(
    size: int, tail: str, acg: Acg
) -> None:
    image = Image2d(1, 160, size, size)
    mapping = solve(parse_codelet(convolution(image, 320, 1, 1, 0)), acg, time_limit_seconds=30.0)
    assert (mapping.steps[0].capability, mapping.steps[0].tail) == ("matmul", tail)


def test_beats_of_the_deep_shape_change_the_half_of_the_banks_at_every_step(acg: Acg) -> None:
    codelet = parse_codelet(convolution(Image2d(1, 64, 7, 7), 16, 3, 1, 1))
    memory = acg.memory("l1")
    for number in bindings(codelet, acg, "matmul_folded"):
        placed = operands(codelet, acg, match(codelet, acg).bindings[number])
        operand = next(o for o in placed if o.port == "a")
        assert half_step(operand, memory) == 8
        layout = tile_layout(operand, codelet.extents, (), memory)
        block = next(x for x in layout.axes if x.axis == operand.packed_axis)
        assert 2 * block.stride // memory.word_bytes % memory.banks == 16


def test_number_and_fold_of_the_shapes_reach_the_rtl(acg: Acg) -> None:
    text = rtl_config(acg)
    assert "GemmFold[1] = '{2}" in text
    assert "GemmFolded[1] = '{2}" in text
    assert acg.control is not None
    function = acg.control.units[0].register("function")
    assert function is not None
    assert f"GemmOffsetShape[1] = '{{{function.index}}}" in text
    single = read_architecture("snax", {"compute.gemm.capabilities.matmul.fold": "null"})
    assert "GemmFold[1] = '{1}" in rtl_config(single)


@pytest.mark.parametrize(
    ("extents", "message"),
    [
        ("{m: 4, n: 8, k: 8}", "'deep' is no other shape of 'matmul'"),
        ("{m: 4, n: 16, k: 8}", "'deep' is no other shape of 'matmul'"),
    ],
)
def test_shape_that_the_rtl_has_not_is_refused_where_it_is_written(
    extents: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.yaml"
    deep = f"{{like: matmul, extents: {extents}}}"
    capabilities = f"{{matmul: {{fold: null}}, deep: {deep}}}"
    path.write_text(
        f"extends: snax\nname: wrong\ncompute: {{gemm: {{capabilities: {capabilities}}}}}\n"
    )
    with pytest.raises(CovenantError, match=message) as caught:
        rtl_config(read_architecture(str(path)))
    assert caught.value.diagnostics[0].span.file.endswith("wrong.yaml")


@pytest.mark.parametrize(
    ("extents", "folded"),
    [
        ("{m: 16, n: 8, k: 8}", {"m": 8, "n": 8, "k": 16}),
        ("{m: 4, n: 16, k: 16}", {"m": 2, "n": 16, "k": 32}),
        ("{m: 16, n: 8, k: 4}", None),
        ("{m: 1, n: 8, k: 8}", None),
    ],
)
def test_array_folds_where_steps_take_whole_words(
    extents: str, folded: dict[str, int] | None
) -> None:
    acg = read_architecture("snax", {"compute.gemm.capabilities.matmul.extents": extents})
    found = {c.name: dict(c.extents) for c in acg.compute("gemm").capabilities}
    assert found.get("matmul_folded") == folded
    assert rtl_config(acg)


def test_fold_of_a_dim_without_an_extent_is_refused() -> None:
    with pytest.raises(CovenantError, match="'fold' names 'q', which has no extent"):
        read_architecture("snax", {"compute.gemm.capabilities.matmul.fold": "{m: q}"})
