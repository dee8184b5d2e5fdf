"""Two launches per tile in two shapes of an array: every position once, and right results."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.codelets.lowered import LoweredLayer
from covenant.emit.check import check_image
from covenant.emit.image import build_image
from covenant.emit.lower import invocations, lower
from covenant.mapper.mapping import Mapping
from covenant.mapper.operands import operands
from covenant.mapper.pieces import Pieces
from covenant.mapper.pins_saved import pins_text
from covenant.mapper.placement import tile_layout
from covenant.mapper.printer import from_json, show, to_json
from covenant.mapper.solve import solve
from covenant.mapper.streams import binding_of
from covenant.mapper.verify import verify
from covenant.sim.interpret import Interpreter
from handmade import conv_layer, gemm_layer, random_inputs
from random_mappings import random_mapping

LAYERS: dict[str, LoweredLayer] = {
    "rows with a halo": conv_layer((1, 32, 7, 7), 24),
    "rows at a stride": conv_layer((1, 16, 9, 9), 16, kernel=(1, 1), strides=(2, 2), pads=(0,) * 4),
    "a map as one row": conv_layer((1, 48, 7, 7), 16, kernel=(1, 1), pads=(0, 0, 0, 0)),
    "four positions": conv_layer((2, 32, 14, 14), 8, kernel=(1, 1), pads=(0, 0, 0, 0)),
    "fewer than a step": gemm_layer(3, 40, 32),
    "matrix product": gemm_layer(20, 24, 32),
}


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax", {"memories.l1.size": "16KiB"})


def mapped(layer: LoweredLayer, acg: Acg, seed: int) -> Mapping:
    found = random_mapping(layer.codelet, acg, Random(seed), keep=lambda s: s.pieces is not None)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", LAYERS)
def test_random_mapping_in_two_shapes_computes_the_codelet(name: str, seed: int, acg: Acg) -> None:
    layer = LAYERS[name]
    mapping = mapped(layer, acg, seed)
    program = lower(mapping, layer.codelet, acg)
    image = build_image(program, mapping, layer.codelet, acg, layer.constants)
    assert check_image(image, acg) == ()
    inputs = random_inputs(layer.codelet)
    memory, _ = Interpreter(acg).run(image.words, image.dram(inputs), 1)
    found, expected = image.outputs(memory), run(layer.codelet, inputs, layer.constants)
    assert all((found[key] == expected[key]).all() for key in expected)


def test_both_shapes_are_launched_and_the_second_takes_half_the_steps(acg: Acg) -> None:
    layer = LAYERS["rows with a halo"]
    mapping = solve(layer.codelet, read_architecture("snax"))
    assert mapping.steps[0].tail
    made = [i for block in invocations(mapping, layer.codelet, acg) for i in block]
    launched = [dict(i.quantities) for i in made if i.unit == "gemm"]
    steps = {q["function"]: (q["steps"], q["tiles"]) for q in launched}
    (first, many), (second, few) = steps[0], steps[1]
    assert (first, many) == (2 * second, 6 * few)


@pytest.mark.parametrize("length", [1, 3, 7, 14])
@pytest.mark.parametrize("lanes", [(8, 4), (8, 2), (16, 4)])
def test_pieces_cover_every_position_of_a_tile_once(length: int, lanes: tuple[int, int]) -> None:
    depth = (8, 8 * lanes[0] // lanes[1])
    pieces = Pieces("y" if length > 1 else "x", "x", length, lanes, depth)
    for rows in range(1, 60):
        tile = {"y": rows, "x": length} if length > 1 else {"x": rows}
        count = rows * length
        covered = 0
        for shape in (0, 1):
            part = pieces.part(tile, shape)
            if part is None:
                continue
            at = part.origin.get("y", 0) * length + part.origin.get("x", 0)
            assert at == covered
            taken = part.tile["x"] * part.tile.get("y", 1) - part.short
            assert pieces.steps(rows, shape) == -(-taken // lanes[shape])
            covered += taken
        assert covered == count
        cycles = pieces.steps(rows, 0) * depth[1] + pieces.steps(rows, 1) * depth[0]
        assert cycles <= -(-count // lanes[0]) * depth[1]


def test_mapping_with_a_second_shape_is_printed_saved_and_pinned(acg: Acg) -> None:
    layer = LAYERS["a map as one row"]
    mapping = mapped(layer, acg, 1)
    assert "last positions on matmul_folded" in show(mapping)
    assert from_json(to_json(mapping)) == mapping
    assert "tail: matmul_folded" in pins_text([(mapping, layer.codelet)], acg)


def test_verify_refuses_other_capabilities_for_the_last_positions(acg: Acg) -> None:
    layer = LAYERS["a map as one row"]
    mapping = mapped(layer, acg, 1)
    assert verify(mapping, layer.codelet, acg) == ()
    first, *others = mapping.steps
    single = read_architecture("snax", {"compute.gemm.capabilities.matmul.fold": "null"})
    for steps, where, message in (
        ((replace(first, tail="matmul"), *others), acg, "takes 8 positions, 'matmul' 8"),
        ((replace(first, tail="mac"), *others), acg, "no capability gemm.mac"),
        ((first, replace(others[0], tail="write")), acg, "only step 1 moves lanes"),
        (mapping.steps, single, "no capability gemm.matmul_folded"),
    ):
        found = verify(replace(mapping, steps=tuple(steps)), layer.codelet, where)
        assert any(message in f.message for f in found), (message, found)


def test_verify_refuses_weights_that_a_deep_step_does_not_find_together(acg: Acg) -> None:
    layer = LAYERS["rows with a halo"]
    mapping = mapped(layer, acg, 2)
    weights = mapping.placement("b")
    operand = next(o for o in operands(layer.codelet, acg, binding_of(mapping)) if o.port == "b")
    sizes = [0] * len(operand.indices)
    for part in weights.layout.axes:
        sizes[part.axis] = max(sizes[part.axis], part.step * part.extent)
    extents = {i.dims[0]: n for i, n in zip(operand.indices, sizes, strict=True)}
    order = ("n", "g", "oc", "oy", "ox", "c", "fy", "fx")
    layout = tile_layout(operand, extents, order, acg.memory("l1"))
    assert layout != weights.layout
    assert layout.bytes == weights.layout.bytes
    wrong = replace(weights, layout=layout)
    placements = tuple(wrong if p is weights else p for p in mapping.placements)
    found = verify(replace(mapping, placements=placements), layer.codelet, acg)
    assert any("is not in its place in a beat" in f.message for f in found)
