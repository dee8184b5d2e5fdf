"""Lowering of hand-made mappings, executed and compared with the codelet's meaning."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.codelets.lowered import LoweredLayer
from covenant.core.diagnostics import CovenantError
from covenant.core.dtypes import DType
from covenant.emit.check import check_image
from covenant.emit.delta import RegisterFile
from covenant.emit.image import build_image
from covenant.emit.listing import show
from covenant.emit.lower import invocations, lower
from covenant.emit.plan import plan
from covenant.emit.program import Launch, Loop, Post, ReverseSubtract, depth, expand
from covenant.mapper.mapping import Mapping
from covenant.sim.interpret import Interpreter
from handmade import conv_layer, gemm_layer, map_by_hand, random_inputs, wide_memory

GOLDEN = Path(__file__).parents[2] / "golden" / "program"


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax")


def mismatches(mapping: Mapping, layer: LoweredLayer, acg: Acg, seed: int | None = None) -> int:
    program = lower(mapping, layer.codelet, acg)
    image = build_image(program, mapping, layer.codelet, acg, layer.constants)
    assert check_image(image, acg) == ()
    inputs = random_inputs(layer.codelet)
    memory, _ = Interpreter(acg).run(image.words, image.dram(inputs), seed)
    found, expected = image.outputs(memory), run(layer.codelet, inputs, layer.constants)
    return sum(int((found[name] != expected[name]).sum()) for name in expected)


CASES: dict[str, tuple[LoweredLayer, dict[str, Any]]] = {
    "convolution in one launch": (conv_layer(), {}),
    "matrix product in one launch": (gemm_layer(40, 24, 64), {}),
    "padding by fills, tails, split channels": (
        conv_layer(pads=(2, 1, 1, 2)),
        {"tiles": {"oy": 3, "oc": 8, "c": 8}, "order": ["oy", "oc", "c"]},
    ),
    "partial sums of many tiles": (
        conv_layer(),
        {"tiles": {"c": 8, "oc": 8, "oy": 4}, "order": ["c", "oc", "oy"]},
    ),
    "two split reductions with a loop between": (
        conv_layer(),
        {"tiles": {"c": 8, "oy": 4, "fy": 1}, "order": ["c", "oy", "fy"]},
    ),
    "weights stay, inputs stream": (
        gemm_layer(64, 32, 64),
        {"tiles": {"m": 8, "k": 32}, "order": ["k", "m"], "cuts": {"b": 0, "a": 2}},
    ),
    "weights loaded a whole exchange ahead": (
        gemm_layer(60, 40, 64),
        {"tiles": {"m": 8, "n": 8}, "order": ["n", "m"], "cuts": {"b": 1, "p": 1}},
    ),
    "single buffers": (
        gemm_layer(40, 40, 64),
        {"tiles": {"m": 16, "n": 16, "k": 32}, "copies": dict.fromkeys("abpy", 1)},
    ),
    "stride, dilation, groups, batch": (
        conv_layer(
            (2, 32, 13, 11), 32, strides=(2, 1), dilations=(1, 2), pads=(0, 2, 1, 1), group=2
        ),
        {"tiles": {"oy": 3, "n": 1, "g": 1, "c": 8}, "order": ["g", "n", "oy", "c"]},
    ),
    "int32 output without bias": (
        gemm_layer(20, 20, 30, dtypes=(DType.UINT8, DType.INT8, DType.INT32), bias=False),
        {"tiles": {"m": 8}},
    ),
    "zero point per output channel": (
        conv_layer(
            filters=10,
            dtypes=(DType.UINT8, DType.UINT8, DType.UINT8),
            zero_points=(7, range(120, 130), 9),
        ),
        {"tiles": {"oc": 8}},
    ),
    "padding larger than a tile": (
        conv_layer((1, 8, 4, 4), 8, (1, 1), pads=(5, 0, 5, 0)),
        {"tiles": {"oy": 2}},
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [None, 1])
def test_program_computes_the_codelet(name: str, seed: int | None, acg: Acg) -> None:
    layer, choices = CASES[name]
    assert mismatches(map_by_hand(layer.codelet, acg, **choices), layer, acg, seed) == 0


@pytest.mark.parametrize("name", CASES)
def test_folded_program_expands_to_the_unrolled_invocations(name: str, acg: Acg) -> None:
    layer, choices = CASES[name]
    mapping = map_by_hand(layer.codelet, acg, **choices)
    assert acg.control is not None
    registers = RegisterFile(acg.control)
    blocks = invocations(mapping, layer.codelet, acg)
    unrolled = [o for block in blocks for i in block for o in registers.operations(i)]
    program = lower(mapping, layer.codelet, acg)
    body = [o for o in expand(program.operations[:-1]) if not isinstance(o, Post)]
    assert body == unrolled
    assert depth(program.operations) <= acg.control.loop_depth


def test_ping_pong_of_a_long_nest_folds_into_one_loop(acg: Acg) -> None:
    layer = gemm_layer(800, 8, 64)
    program = lower(map_by_hand(layer.codelet, acg, {"m": 8}), layer.codelet, acg)
    (loop,) = [o for o in program.operations if isinstance(o, Loop)]
    assert loop.count == 98
    assert sum(isinstance(o, ReverseSubtract) for o in loop.body) == 4


def test_operand_that_stays_is_loaded_once(acg: Acg) -> None:
    layer = gemm_layer(64, 8, 64)
    program = lower(map_by_hand(layer.codelet, acg, {"m": 8}), layer.codelet, acg)
    launches = Counter(o.unit for o in expand(program.operations) if isinstance(o, Launch))
    assert launches == {"gemm": 8, "load0": 8, "load1": 1, "load2": 1, "store0": 8}


def test_long_load_is_launched_before_the_launches_that_hide_it(acg: Acg) -> None:
    layer, choices = CASES["weights loaded a whole exchange ahead"]
    mapping = map_by_hand(layer.codelet, acg, **choices)
    units = [i.unit for block in invocations(mapping, layer.codelet, acg) for i in block]
    loads = [units[:i].count("gemm") for i, unit in enumerate(units) if unit == "load1"]
    assert loads == [0, 1, 9, 17, 25]


def test_without_loop_mnemonic_the_program_is_unrolled(acg: Acg) -> None:
    assert acg.control is not None
    plain = tuple(m for m in acg.control.mnemonics if m.effect != "loop")
    bare = replace(acg, control=replace(acg.control, mnemonics=plain))
    layer = gemm_layer(64, 8, 16)
    mapping = map_by_hand(layer.codelet, bare, {"m": 8})
    assert depth(lower(mapping, layer.codelet, bare).operations) == 0
    assert mismatches(mapping, layer, bare) == 0


def test_without_add_and_subtract_addresses_are_set(acg: Acg) -> None:
    assert acg.control is not None
    plain = tuple(m for m in acg.control.mnemonics if m.effect not in ("add", "reverse_subtract"))
    bare = replace(acg, control=replace(acg.control, mnemonics=plain))
    layer = gemm_layer(64, 8, 16)
    assert mismatches(map_by_hand(layer.codelet, bare, {"m": 8}), layer, bare) == 0


def test_thousands_of_tiles_lower_in_about_a_second(acg: Acg) -> None:
    layer = gemm_layer(2048, 2048, 512)
    tiles = {"m": 64, "n": 64, "k": 256}
    mapping = map_by_hand(layer.codelet, acg, tiles, ["n", "m", "k"])
    start = time.process_time()  # other work of the machine does not count
    program = lower(mapping, layer.codelet, acg)
    assert time.process_time() - start < 3.0
    assert program.words < 500


def test_regions_can_be_moved_and_shared(acg: Acg) -> None:
    layer = gemm_layer(16, 16, 16)
    mapping = map_by_hand(layer.codelet, acg)
    regions = plan(mapping, acg, base=1000, given={"a": 64})
    assert regions.address("a") == 64
    assert regions.address("b") == 1024
    program = lower(mapping, layer.codelet, acg, regions)
    image = build_image(program, mapping, layer.codelet, acg, layer.constants, regions)
    assert check_image(image, acg) == ()
    inputs = random_inputs(layer.codelet)
    memory, _ = Interpreter(acg).run(image.words, image.dram(inputs))
    expected = run(layer.codelet, inputs, layer.constants)["y"]
    assert (image.outputs(memory)["y"] == expected).all()


def test_architecture_without_control_node_cannot_be_programmed(acg: Acg) -> None:
    layer = gemm_layer(8, 8, 8)
    mapping = map_by_hand(layer.codelet, acg)
    with pytest.raises(CovenantError, match="has no control node"):
        lower(mapping, layer.codelet, replace(acg, control=None))


def test_listing_of_a_tiled_matrix_product(acg: Acg, golden: Callable[[Path, str], None]) -> None:
    layer = gemm_layer(56, 8, 32)
    mapping = map_by_hand(layer.codelet, acg, {"m": 8})
    text = show(lower(mapping, layer.codelet, acg))
    golden(GOLDEN / "rows_in_a_loop.txt", f"# lower gemm 56x8x32 with tile m=8\n{text}")


def test_wide_memory_only_changes_sizes(acg: Acg) -> None:
    assert wide_memory(acg).computes == acg.computes


def test_buffers_in_another_view_of_the_memory_compute_the_same(acg: Acg) -> None:
    memories = tuple(m if m.off_chip else replace(m, bank_group=8) for m in acg.memories)
    grouped = replace(acg, memories=memories)
    layer = conv_layer()
    mapping = map_by_hand(layer.codelet, grouped, {"oy": 3, "c": 8})
    moved = moved_to_view(mapping, grouped.on_chip[0].size_bytes, {"a", "b", "p", "y", "acc"})
    assert mismatches(moved, layer, grouped) == 0


def test_buffers_that_meet_through_two_views_are_found(acg: Acg) -> None:
    memories = tuple(m if m.off_chip else replace(m, bank_group=8) for m in acg.memories)
    grouped = replace(acg, memories=memories)
    layer = conv_layer()
    mapping = map_by_hand(layer.codelet, grouped, {"oy": 3})
    moved = moved_to_view(mapping, grouped.on_chip[0].size_bytes, {"b"})
    program = lower(moved, layer.codelet, grouped)
    image = build_image(program, moved, layer.codelet, grouped, layer.constants)
    assert check_image(image, grouped)


def moved_to_view(mapping: Mapping, size_bytes: int, ports: set[str]) -> Mapping:
    """The mapping with the buffers of some ports in the second view of the addresses."""
    placements = tuple(
        replace(p, addresses=tuple(a + size_bytes for a in p.addresses)) if p.port in ports else p
        for p in mapping.placements
    )
    return replace(mapping, placements=placements)
