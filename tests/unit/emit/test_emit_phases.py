"""A layer as three programs on the same on-chip memory."""

from __future__ import annotations

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.codelets.lowered import LoweredLayer
from covenant.core.diagnostics import CovenantError
from covenant.emit.encode import encode
from covenant.emit.image import build_image
from covenant.emit.lower import lower
from covenant.emit.phases import split
from covenant.sim.interpret import Interpreter
from handmade import conv_layer, gemm_layer, map_by_hand, random_inputs


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax")


@pytest.mark.parametrize(
    ("layer", "tiles"),
    [
        (gemm_layer(16, 16, 16), {}),
        (conv_layer(), {}),
        (conv_layer(), {"oc": 8, "c": 8}),
    ],
)
def test_phases_compute_the_codelet(layer: LoweredLayer, tiles: dict[str, int], acg: Acg) -> None:
    assert acg.control is not None
    mapping = map_by_hand(layer.codelet, acg, tiles, cuts=dict.fromkeys(("a", "b", "p", "y"), 0))
    program = lower(mapping, layer.codelet, acg)
    image = build_image(program, mapping, layer.codelet, acg, layer.constants)
    phases = [encode(p.operations, acg.control) for p in split(mapping, layer.codelet, acg)]
    inputs = random_inputs(layer.codelet)
    memory, statistics = Interpreter(acg).run_sequence(phases, image.dram(inputs))
    expected = run(layer.codelet, inputs, layer.constants)["y"]
    assert (image.outputs(memory)["y"] == expected).all()
    assert [s.steps > 0 for s in statistics] == [False, True, False]
    assert [s.bytes_read > 0 for s in statistics] == [True, False, False]
    assert [s.bytes_written > 0 for s in statistics] == [False, False, True]


def test_operand_that_does_not_stay_is_refused(acg: Acg) -> None:
    layer = gemm_layer(16, 16, 16)
    mapping = map_by_hand(layer.codelet, acg, {"m": 8})
    with pytest.raises(CovenantError, match="one is exchanged 2 times"):
        split(mapping, layer.codelet, acg)
