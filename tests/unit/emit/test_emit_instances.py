"""Memories with an instance per lane: where elements lie, what transfers move, what streams read,
and that programs which do it wrong are found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import prod
from random import Random

import numpy as np
import pytest

from covenant.acg.graph import Acg, Memory
from covenant.acg.reader import read_architecture
from covenant.core.affine import Affine
from covenant.core.diagnostics import CovenantError, Span
from covenant.core.dtypes import DType
from covenant.emit.check import check_image
from covenant.emit.encode import decode, encode
from covenant.emit.exchanges import Exchange, Part
from covenant.emit.lower import lower
from covenant.emit.program import Launch, Operation, Write
from covenant.emit.spread import Lane, Spread
from covenant.emit.units import Dma, read_unit
from covenant.mapper.mapping import Layout, LayoutAxis, Role
from covenant.mapper.operands import Operand
from covenant.mapper.sites import Site, lane_layout
from covenant.mapper.solve import solve
from covenant.mapper.traffic import Path
from covenant.sim.timing.pipeline import pipeline_of
from covenant.sim.timing.work import Works
from machine_samples import machine, plain_conv, plain_gemm
from program_runs import Ready, assert_runs, differing

Mutation = Callable[[Random, list[Operation]], list[Operation]]

FILLER = 255
WORD = 4


def _case(random: Random) -> tuple[Spread, dict[str, int], dict[str, int]]:
    """A tile over instances, its sizes, elements per array step: two axes, one of windows, the last
    packed; lanes along some of the dims."""
    sizes = {d: random.randint(1, 13) for d in ("o", "f", "n")}
    step = {"o": random.choice([1, 2, 3]), "f": random.choice([1, 2]), "n": random.choice([4, 8])}
    each = {d: random.choice([e for e in range(1, s + 1) if s % e == 0]) for d, s in step.items()}
    each["n"] = random.choice([4, step["n"]])
    indices = (Affine((("o", random.choice([1, 2])), ("f", 1))), Affine.of("n"))
    shape = tuple(i.span(sizes) for i in indices)
    beat = tuple((d, step[d]) for d in ("o", "f", "n"))
    kind, dtype = random.choice([Role.INPUT, Role.CONSTANT]), DType.INT8
    operand = Operand("x", "x", kind, dtype, indices, shape, beat, True, 0, "s", "m", None)
    spread = [d for d in ("o", "f", "n") if random.random() < 0.7] or ["n"]
    memory = Memory("m", False, 1024, WORD, 1, 1, 4, 4, 0, 0, Span("m"))
    lanes = tuple((d, step[d] // each[d], each[d]) for d in spread)
    site = Site("x", operand, memory, memory, 1, None, Path(0, 0, 0), lanes=lanes)
    layout = lane_layout(site, sizes, step)
    made, stride = [], 1024
    for dim, count, own in reversed([*lanes, ("", random.choice([1, 2]), 1)]):
        made.append(Lane(dim, count, own, step[dim] if dim else 1, stride))
        stride *= count
    each_of = {d: each[d] for d in spread}
    return (
        Spread(operand, layout, tuple(made), each_of, WORD, sizes, FILLER, Span("m")),
        sizes,
        step,
    )


def _places(part: Part) -> list[tuple[int, int]]:
    """(far, near) bytes of all elements that a part moves."""
    found = []
    for at in product(*(range(s.count) for s in part.steps)):
        far = part.far + sum(i * s.far for i, s in zip(at, part.steps, strict=True))
        near = part.near + sum(i * s.near for i, s in zip(at, part.steps, strict=True))
        found.append((far, near))
    return found


@pytest.mark.parametrize("seed", range(60))
def test_elements_lie_where_streams_look_for_them(seed: int) -> None:
    spread, sizes, step = _case(Random(seed))
    rows, columns = spread.operand.shape
    width = -(-columns // 8) * 8
    far = np.full((rows, width), FILLER, np.int64)
    far[:, :columns] = np.arange(rows * columns).reshape(rows, columns) % 251
    blocks = LayoutAxis(1, WORD, width // WORD, WORD)
    home = Layout((LayoutAxis(0, 1, rows, width), blocks, LayoutAxis(1, 1, WORD, 1)), far.size)
    total = 1024 * prod(lane.count for lane in spread.lanes)
    held = np.full(total, -1, np.int64)
    filled, moved = Exchange(spread, home).parts((0, 0), sizes, width, inward=True)
    for part in filled:
        held[[near for _, near in _places(part)]] = FILLER
    for part in moved:
        for at, near in _places(part):
            held[near] = far.ravel()[at]
    copies = [lane.stride * i for lane in spread.lanes if not lane.dim for i in range(lane.count)]
    lanes = {lane.dim for lane in spread.lanes}
    whole = {d: -(-n // step[d]) * step[d] if d in lanes else n for d, n in sizes.items()}
    coefficient = spread.operand.indices[0].coefficient("o")
    for o, f, n in product(*(range(whole[d]) for d in ("o", "f", "n"))):
        inside = o < sizes["o"] and f < sizes["f"] and n < columns
        wanted = far[coefficient * o + f, n] if inside else FILLER
        offset = spread.offset({"o": o, "f": f, "n": n})
        assert offset % 1024 < spread.layout.bytes
        for copy in copies or [0]:
            got = held[offset + copy]
            if inside:
                assert got == wanted, (o, f, n)
            assert got >= 0, f"{(o, f, n)} is read, nothing was written"


@pytest.fixture(scope="module")
def small() -> tuple[Acg, Ready]:
    """A product of whole tiles: every word matters, so no mutant does the same."""
    acg = machine("lanes")
    return acg, assert_runs(plain_gemm(8, 16, 8), acg)


def test_program_of_cut_tiles_equals_codelet() -> None:
    assert_runs(plain_gemm(6, 20, 7), machine("lanes"))


@pytest.mark.parametrize(
    "given", [{}, {"kx": "8", "nw": "1"}, {"np": "1", "width": "2", "mx": "1"}]
)
def test_program_for_instances_equals_codelet(given: dict[str, str]) -> None:
    assert_runs(plain_conv(5, 6, 6), machine("lanes", **given))


def test_two_depths_of_instances_are_refused() -> None:
    acg, codelet = read_architecture("eyeriss"), plain_gemm(6, 20, 7)
    mapping = solve(codelet, acg)
    near = {m.name: m for m in acg.memories if m.per}
    port, memory = next((p.port, p.memory) for p in mapping.placements if p.memory in near)
    outer = next(p.memory for p in mapping.placements if p.port == port and p.memory != memory)
    changed = (replace(m, per=near[memory].per) if m.name == outer else m for m in acg.memories)
    with pytest.raises(CovenantError, match="which both have an instance per lane") as found:
        lower(mapping, codelet, replace(acg, memories=tuple(changed)))
    assert found.value.diagnostics[0].code == "EMI002"


def dropped(random: Random, operations: list[Operation]) -> list[Operation]:
    """Without one launch."""
    at = random.choice([i for i, o in enumerate(operations) if isinstance(o, Launch)])
    return [*operations[:at], *operations[at + 1 :]]


def _changed(
    random: Random, operations: list[Operation], names: tuple[str, ...], by: tuple[int, ...]
) -> list[Operation]:
    """With one register of a transfer into instances changed."""
    units = ("load_weights", "send", "load_sums", "array", "post")
    writes = [
        (i, o)
        for i, o in enumerate(operations)
        if isinstance(o, Write) and o.unit in units and any(n in o.register for n in names)
    ]
    at, write = random.choice(writes)
    value = write.value + random.choice(by)
    return [*operations[:at], replace(write, value=value), *operations[at + 1 :]]


def moved(random: Random, operations: list[Operation]) -> list[Operation]:
    """With one address changed by a word, or by the distance of instances."""
    return _changed(random, operations, (".base",), (4, -4, 512, -512, 1 << 16))


def elsewhere(random: Random, operations: list[Operation]) -> list[Operation]:
    """With the stride of a loop of a transfer or a stream changed."""
    return _changed(
        random,
        operations,
        ("dst.stride[", "a.stride[", "b.stride[", "acc.stride["),
        (4, -4, 512, -512),
    )


def fewer(random: Random, operations: list[Operation]) -> list[Operation]:
    """With one iteration less or more of a loop."""
    return _changed(random, operations, ("bound",), (1, -1))


def _is_caught(acg: Acg, ready: Ready, words: tuple[int, ...]) -> bool:
    image = replace(ready.image, words=words)
    if check_image(image, acg):
        return True
    try:
        return differing(ready, image, acg) > 0
    except CovenantError:
        return True


@pytest.mark.parametrize("mutation", [dropped, moved, elsewhere, fewer])
def test_mutant_of_a_program_for_instances_is_caught(
    small: tuple[Acg, Ready], mutation: Mutation
) -> None:
    acg, ready = small
    assert acg.control is not None
    operations = list(decode(ready.image.words, acg.control))
    for seed in range(12):
        words = encode(mutation(Random(seed), operations), acg.control)
        if words != ready.image.words:
            assert _is_caught(acg, ready, words), seed


def test_word_for_several_instances_is_sent_once() -> None:
    acg = machine("lanes")
    assert acg.control is not None
    unit = read_unit(acg, acg.control.unit("load_weights"))
    assert isinstance(unit, Dma)
    registers = {r.quantity: r.reset for r in acg.control.unit("load_weights").registers}
    registers |= {"run": 4, "dst.word_stride": 4, "dst.stride[0]": 512, "bound[0]": 2}
    works = Works(acg, pipeline_of(acg))
    apart = works.transfer("load_weights", unit, {**registers, "src.stride[0]": 16})
    same = works.transfer("load_weights", unit, {**registers, "src.stride[0]": 0})
    assert (apart.beats, same.beats) == (4, 2)


def test_lanes_without_elements_need_a_transfer_that_fills() -> None:
    acg = machine("lanes")
    assert acg.control is not None
    units = tuple(
        replace(u, registers=tuple(r for r in u.registers if r.quantity not in ("fill", "value")))
        if u.name == "load_weights"
        else u
        for u in acg.control.units
    )
    found = "lanes of 'b' have no elements in the last tile, transfer 'load_weights' cannot fill"
    with pytest.raises(CovenantError, match=found) as caught:
        assert_runs(plain_gemm(2, 9, 6), replace(acg, control=replace(acg.control, units=units)))
    assert caught.value.diagnostics[0].code == "EMI002"


def test_instance_that_takes_part_of_a_word_is_refused() -> None:
    acg = read_architecture("simba_like", {"weights.word_bytes": "16"})
    with pytest.raises(CovenantError, match="an instance takes 8 bytes of 'b' per step"):
        assert_runs(plain_gemm(2, 32, 32), acg)
