"""The interpreter: deadlock, bad addresses, statistics, other array shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.core.diagnostics import CovenantError
from covenant.emit.encode import encode
from covenant.emit.image import build_image
from covenant.emit.lower import lower
from covenant.emit.program import Halt, Launch, Loop, Operation, Post, Write
from covenant.sim.interpret import Interpreter
from covenant.sim.machine import usual_machine
from handmade import gemm_layer, map_by_hand, random_inputs

EMPTY = np.zeros(4096, np.uint8)


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax")


def words(acg: Acg, *operations: Operation) -> tuple[int, ...]:
    assert acg.control is not None
    return encode((*operations, Halt()), acg.control)


def test_deadlock_names_the_launch_and_its_semaphore(acg: Acg) -> None:
    program = words(acg, Launch("load0", ("a_free",)), Launch("store0", ("y_full",)))
    with pytest.raises(CovenantError) as caught:
        Interpreter(acg).run(program, EMPTY)
    assert "launch 0 of load0 waits for a_free; launch 0 of store0 waits for y_full" in str(
        caught.value
    )


def test_full_queue_whose_head_waits_is_a_deadlock(acg: Acg) -> None:
    program = words(acg, Loop(9, (Launch("load0", ("a_free",)),)), Post(("a_free",)))
    with pytest.raises(CovenantError, match="deadlocks"):
        Interpreter(acg).run(program, EMPTY)


def test_address_outside_memory_names_the_launch(acg: Acg) -> None:
    program = words(acg, Launch("load0"), Write("load0", "src.base", 8192), Launch("load0"))
    with pytest.raises(CovenantError, match="launch 1 of unit 'load0': address 0x2000 lies"):
        Interpreter(acg).run(program, EMPTY)


def test_streams_must_deliver_what_the_job_needs(acg: Acg) -> None:
    steps = Write("gemm", "steps", 2)
    program = words(acg, Write("gemm", "p.bound[0]", 3), steps, Launch("gemm"))
    with pytest.raises(CovenantError, match="delivers 1 tiles, the job needs 2"):
        Interpreter(acg).run(program, EMPTY)


def test_transfers_copy_rows_and_fill(acg: Acg) -> None:
    before = np.arange(4096, dtype=np.uint8)
    store: list[Operation] = [
        Write("store0", "dst.base", 2048),
        Write("store0", "run", 8),
        Launch("store0", ("a_full",)),
    ]
    program = words(
        acg,
        Write("load0", "run", 2),
        Write("load0", "bound[0]", 2),
        Write("load0", "src.stride[0]", 64),
        Write("load0", "dst.stride[0]", 16),
        Launch("load0"),
        Write("load0", "fill", 1),
        Write("load0", "value", -3),
        Write("load0", "dst.base", 32),
        Launch("load0", (), ("a_full",)),
        *store,
    )
    after, statistics = Interpreter(acg).run(program, before)
    assert (after[2048:2064] == before[:16]).all()
    assert (after[2064:2080] == before[64:80]).all()
    assert (after[2080:2112] == 0xFD).all()
    assert (statistics.bytes_read, statistics.bytes_written) == (32, 64)
    assert dict(statistics.launches) == {"load0": 2, "store0": 1}


@pytest.mark.parametrize("shape", [(16, 8, 4), (8, 8, 16), (4, 16, 8), (8, 8, 1), (1, 8, 32)])
def test_array_of_any_shape_computes_a_matrix_product(acg: Acg, shape: tuple[int, ...]) -> None:
    other = with_extents(acg, dict(zip("mnk", shape, strict=True)))
    layer = gemm_layer(33, 20, 40)
    tiles = {"m": 17, "n": 16, "k": 32}
    mapping = map_by_hand(layer.codelet, other, tiles)
    program = lower(mapping, layer.codelet, other)
    image = build_image(program, mapping, layer.codelet, other, layer.constants)
    inputs = random_inputs(layer.codelet)
    memory, statistics = Interpreter(other).run(image.words, image.dram(inputs))
    expected = run(layer.codelet, inputs, layer.constants)
    assert (image.outputs(memory)["y"] == expected["y"]).all()
    m, n, k = shape
    least = -(-33 // m) * -(-20 // n) * -(-40 // k)
    assert statistics.steps >= least


def with_extents(acg: Acg, extents: dict[str, int]) -> Acg:
    """Other extents of the first compute node's capabilities."""
    main, *rest = acg.computes
    capabilities = tuple(replace(c, extents={**c.extents, **extents}) for c in main.capabilities)
    return replace(acg, computes=(replace(main, capabilities=capabilities), *rest))


def test_machine_that_is_meant_is_rtl_where_the_architecture_has_any() -> None:
    assert usual_machine(read_architecture("snax")) == "rtl"
    assert usual_machine(read_architecture("gemmini")) == "interpreter"
