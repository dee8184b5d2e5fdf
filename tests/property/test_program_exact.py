"""Property: any layer, under any mapping that fits the streams, on arrays of several shapes, gives
exactly the codelet's result; and the static checker agrees that it does so by right."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.core.diagnostics import CovenantError
from covenant.emit.check import check_image
from covenant.emit.image import build_image
from covenant.emit.lower import lower
from covenant.mapper.candidates import match
from covenant.sim.interpret import Interpreter
from handmade import random_inputs, random_layer, random_mapping, wide_memory

SHAPES = [(8, 8, 8), (16, 8, 4), (8, 8, 16), (4, 16, 8)]


@cache
def machine(shape: tuple[int, ...]) -> Acg:
    """The shipped cluster with another array and room for any hand-made mapping."""
    acg = wide_memory(read_architecture("snax"))
    main, *rest = acg.computes
    extents = dict(zip("mnk", shape, strict=True))
    capabilities = tuple(replace(c, extents=extents) for c in main.capabilities)
    return replace(acg, computes=(replace(main, capabilities=capabilities), *rest))


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 10**9))
def test_interpreted_program_equals_codelet(shape: tuple[int, ...], seed: int) -> None:
    random = Random(seed)
    acg = machine(shape)
    layer = random_layer(random)
    assume(match(layer.codelet, acg).bindings)
    mapping = random_mapping(random, layer.codelet, acg)
    try:
        program = lower(mapping, layer.codelet, acg)
    except CovenantError as error:
        assume("loops for a tile" not in str(error))
        raise
    image = build_image(program, mapping, layer.codelet, acg, layer.constants)
    assert check_image(image, acg) == ()
    inputs = random_inputs(layer.codelet, seed)
    memory, _ = Interpreter(acg).run(image.words, image.dram(inputs), random.choice([None, seed]))
    found, expected = image.outputs(memory), run(layer.codelet, inputs, layer.constants)
    for name, array in expected.items():
        assert (found[name] == array).all()
