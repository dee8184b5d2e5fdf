"""Loops over packets: words and back, program size, spans of registers, equal results and times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from covenant.acg.control import Control, Field
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.check import check_image
from covenant.emit.effects import Effects
from covenant.emit.encode import decode, encode
from covenant.emit.fold import Limits
from covenant.emit.loops import folded
from covenant.emit.packets import dependent, pack
from covenant.emit.program import (
    Add,
    Halt,
    Instruction,
    Launch,
    Loop,
    Operation,
    Packet,
    Write,
    count_words,
    depth,
    expand,
)
from covenant.emit.spans import Change, change_of, changed, over_iterations
from covenant.mapper.cost import evaluate
from covenant.sim import interpret
from covenant.sim.interpret import Interpreter
from covenant.sim.timing import model
from covenant.sim.timing.model import time_program
from machine_samples import plain_gemm
from program_runs import Ready, differing, prepare

ACG = read_architecture("hvx")


def _control(acg: Acg = ACG) -> Control:
    assert acg.control is not None
    return acg.control


def _load(step: int, vector: int) -> Instruction:
    """A load from `step` vectors further on."""
    own = ("dst.base", 128 * vector)
    return Instruction(
        "vmem_load_next", "vmem_load", (own,), True, adds=(("src.base", 128 * step),)
    )


def _multiply(b: int, acc: int) -> Instruction:
    values = (("a.base", 0), ("b.base", 128 * b), ("acc.base", 128 * acc), ("a.signed", 0))
    return Instruction("vrmpyacc", "vmul", (*values, ("resume", 1)), True)


BODY: tuple[Operation, ...] = (_load(1, 0), _multiply(0, 4), _load(-3, 1), _multiply(1, 5))


def test_words_of_loops_over_packets_decode_to_the_same() -> None:
    inner = Loop(7, (Packet((_load(1, 0), _multiply(1, 4))), _multiply(0, 5)))
    operations = (Loop(3, (_load(-2, 2), inner)), Halt())
    assert decode(encode(operations, _control()), _control()) == operations


def test_a_loop_that_ends_inside_a_packet_is_refused() -> None:
    words = list(encode((Loop(2, (_multiply(0, 4),)), _load(1, 0), Halt()), _control()))
    packet = _control().packet
    assert packet is not None
    words[1] ^= (3 ^ 1) << packet.end.low
    with pytest.raises(CovenantError, match="ends inside a packet"):
        decode(words, _control())


def test_a_difference_that_no_field_holds_is_refused() -> None:
    with pytest.raises(CovenantError, match="a difference of 524288 does not fit"):
        encode((_load(4096, 0),), _control())


def test_registers_in_loops_stand_for_all_iterations() -> None:
    body = (Add("u", "r", 4), Loop(3, (Add("u", "r", 2), Add("u", "s", 1))), Write("u", "t", 9))
    change = change_of(body)
    assert change == {
        ("u", "r"): Change(False, 10),
        ("u", "s"): Change(False, 3),
        ("u", "t"): Change(True, 9),
    }
    assert over_iterations((0, 0), change["u", "r"], 5) == (0, 40)
    assert changed((0, 0), change["u", "r"], 5) == (50, 50)
    assert over_iterations((1, 1), change["u", "t"], 5) == (1, 9)


def test_dependence_in_a_later_iteration_is_found() -> None:
    """The store moves on into the line that the load of its packet reads in the third iteration."""
    store = Instruction(
        "vmem_store_next", "vmem_store", (("src.base", 256),), True, adds=(("dst.base", 128),)
    )
    first = Instruction("vmem_store", "vmem_store", (("dst.base", 0), ("src.base", 256)), True)
    load = Instruction("vmem_load", "vmem_load", (("src.base", 384), ("dst.base", 0)), True)
    both = Packet((store, load))
    words = encode((first, Loop(2, (both,)), Halt()), _control())
    assert not list(dependent(words, ACG))
    words = encode((first, Loop(3, (both,)), Halt()), _control())
    assert [message for _, message in dependent(words, ACG)]


def test_effects_follow_registers_past_a_loop() -> None:
    effects = Effects(ACG)
    effects.of(Instruction("vmem_load", "vmem_load", (("src.base", 0), ("dst.base", 0)), True))
    loop = Loop(5, (_load(2, 0),))
    effects.enter(loop)
    inside = effects.of(loop.body[0])
    effects.leave()
    assert inside.touched.reads == (("vtcm", 256, 11 * 128),)
    assert effects.of(_load(1, 0)).touched.reads == (("vtcm", 11 * 128, 12 * 128),)


def test_loops_that_no_field_holds_are_cut_or_unrolled() -> None:
    control = _control()
    plain = replace(control, packet=None)
    blocks = [BODY] * 10_000
    found = folded(blocks, [-1, *[0] * 9_999], 1, plain)
    assert [o.count for o in found if isinstance(o, Loop)] == [4095, 4095, 1810]
    assert list(expand(found)) == list(BODY) * 10_000
    assert not Limits(1, 9, 3).allow(2, 4)


def test_short_bodies_are_repeated_before_packing() -> None:
    found = folded([BODY] * 1_001, [-1, *[0] * 1_000], 1, _control())
    loops = [o for o in found if isinstance(o, Loop)]
    assert [(o.count, count_words(o.body)) for o in loops] == [(15, 256)]
    assert list(expand(found)) == list(BODY) * 1_001
    packed = pack((*found, Halt()), ACG)
    assert sum(isinstance(o, Packet) for o in expand(packed)) > 1_900


def test_unrolling_inside_a_body_keeps_it_short_enough() -> None:
    control = _control()
    narrow = [
        replace(m, fields=tuple(_narrowed(f) for f in m.fields)) if m.effect == "loop" else m
        for m in control.mnemonics
    ]
    control = replace(control, mnemonics=tuple(narrow))
    blocks = [BODY if i % 40 else (_load(9, 3),) for i in range(400)]
    found = folded(blocks, [-1, *(int(i % 40 > 0) for i in range(1, 400))], 2, control)
    assert list(expand(found)) == [operation for block in blocks for operation in block]
    assert decode(encode((*found, Halt()), control), control)


def _narrowed(field: Field) -> Field:
    return replace(field, high=field.low + 5) if field.name == "length" else field


@pytest.fixture(scope="module", name="tall")
def _tall() -> Ready:
    return prepare(plain_gemm(96, 64, 64), ACG)


def test_program_size_does_not_grow_with_the_number_of_tiles(tall: Ready) -> None:
    sizes = [len(tall.image.words)]
    sizes += [len(prepare(plain_gemm(m, 64, 64), ACG).image.words) for m in (384, 1536)]
    assert sizes[2] < 1.1 * sizes[1] < 2.2 * sizes[0]
    assert depth(decode(tall.image.words, _control())) > 0


def test_flow_of_data_gives_what_one_by_one_gives(
    tall: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    dram = tall.image.dram(tall.inputs)
    found, statistics = Interpreter(ACG).run(tall.image.words, dram)
    assert differing(tall, tall.image, ACG) == 0
    assert check_image(tall.image, ACG) == ()
    monkeypatch.setattr(interpret, "_MANY", 0)
    wanted, expected = Interpreter(ACG).run(tall.image.words, dram)
    assert np.array_equal(found, wanted)
    assert statistics == expected


@pytest.mark.parametrize("rows", [96, 700])
def test_left_out_iterations_take_as_long_as_modelled_ones(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = prepare(plain_gemm(rows, 64, 64), ACG).image.words
    found = time_program(words, ACG)
    monkeypatch.setattr(
        model,
        "steady_execution",
        lambda flat, lengths, moment, leave_out: model.execution(flat, lengths),
    )
    wanted = time_program(words, ACG)
    assert abs(found.cycles - wanted.cycles) <= 0.005 * wanted.cycles
    assert found.counters["busy"] == wanted.counters["busy"]


def test_prediction_agrees_with_the_timing_model() -> None:
    codelet = plain_gemm(128, 64, 128)
    ready = prepare(codelet, ACG)
    predicted = evaluate(ready.mapping, codelet, ACG).latency
    assert abs(time_program(ready.image.words, ACG).cycles - predicted) <= 0.05 * predicted


def test_launches_of_the_loop_word_stand_alone() -> None:
    with pytest.raises(CovenantError, match="starts or ends a program or a loop"):
        encode((Packet((Loop(2, (Launch("fetch"),)), _load(1, 0))), Halt()), _control())
