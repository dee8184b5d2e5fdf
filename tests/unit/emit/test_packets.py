"""Packets: what may stand together, words and back, equal results, one cycle each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from covenant.acg.control import Control, Field, Mnemonic, PacketForm
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError, Span
from covenant.emit.encode import decode, decode_flat, encode, packet_ends
from covenant.emit.listing import show
from covenant.emit.packets import dependent, pack
from covenant.emit.program import Halt, Instruction, Launch, Operation, Packet, Program, Write
from covenant.emit.slots import fault, taken_slots
from covenant.sim.interpret import Interpreter
from covenant.sim.timing.model import time_program
from machine_samples import plain_gemm
from program_runs import assert_runs

ACG = read_architecture("hvx")
HALF = 8192
"""Bytes of VTCM that random programs use, and of what they read and write off chip."""


def _control() -> Control:
    assert ACG.control is not None
    return ACG.control


def _instruction(name: str, **values: int) -> Instruction:
    form = _control().named(name)
    pairs = [(f.name, values[f.name.replace(".", "_")]) for f in form.fields if f.constant is None]
    return Instruction(name, form.unit, (*pairs, *form.sets), form.effect == "launch")


def _load(line: int, vector: int) -> Instruction:
    return _instruction("vmem_load", src_base=128 * line, dst_base=128 * vector)


def _store(vector: int, line: int) -> Instruction:
    return _instruction("vmem_store", src_base=128 * vector, dst_base=128 * line)


def _multiply(a: int, b: int, acc: int, name: str = "vrmpyacc") -> Instruction:
    where = {"a_base": 4 * a, "b_base": 128 * b, "acc_base": 128 * acc}
    return _instruction(name, **where, a_signed=0)


def _dma(unit: str, far: int, near: int, words: int) -> list[Operation]:
    source, target = ("src", "dst") if unit == "fetch" else ("dst", "src")
    word_stride = f"{target}.word_stride"
    writes = ((f"{source}.base", far), (f"{target}.base", near), ("run", words), (word_stride, 4))
    return [*(Write(unit, name, value) for name, value in writes), Launch(unit)]


_V, _R, _LINE = st.integers(0, 31), st.integers(0, 31), st.integers(0, HALF // 128 - 1)
_OPERATIONS = st.one_of(
    st.builds(lambda a, r: [_instruction("memw", src_base=4 * a, dst_base=4 * r)], _LINE, _R),
    st.builds(lambda line, v: [_load(line, v)], _LINE, _V),
    st.builds(lambda line, v: [_store(v, line)], _LINE, _V),
    st.builds(
        lambda a, b, acc, name: [_multiply(a, b, acc, name)],
        *(_R, _V, _V, st.sampled_from(("vrmpy", "vrmpyacc"))),
    ),
    st.builds(lambda z: [_instruction("vzero", zy=z)], st.integers(-128, 127)),
    st.builds(
        lambda unit, far, line, n: _dma(unit, 4 * far + HALF * (unit == "flush"), 128 * line, n),
        *(st.sampled_from(("fetch", "flush")), st.integers(0, 1000), _LINE, st.integers(1, 32)),
    ),
)


def _program(groups: Sequence[Sequence[Operation]]) -> tuple[Operation, ...]:
    """The operations between filling the memory and reading it and the registers back."""
    kept = [_store(vector, 32 + vector) for vector in range(32)]
    back = _dma("flush", HALF, 0, HALF // 4)
    own = [operation for group in groups for operation in group]
    return (*_dma("fetch", 0, 0, HALF // 4), *own, *kept, *back, Halt())


def _after(words: Sequence[int]) -> NDArray[np.uint8]:
    dram = np.random.default_rng(5).integers(0, 256, 2 * HALF + 4096, np.uint8)
    return Interpreter(ACG).run(words, dram)[0]


def _members(operations: Sequence[Operation]) -> list[Operation]:
    return [m for o in operations for m in (o.members if isinstance(o, Packet) else (o,))]


@settings(max_examples=60, deadline=None)
@given(st.lists(_OPERATIONS, max_size=40))
def test_random_programs_mean_the_same_in_packets(groups: list[list[Operation]]) -> None:
    plain = _program(groups)
    packed = pack(plain, ACG)
    assert sorted(map(str, _members(packed))) == sorted(map(str, plain))
    words = encode(packed, _control())
    assert decode(words, _control()) == packed
    assert list(dependent(words, ACG)) == []
    assert len(words) == len(plain)
    assert (_after(words) == _after(encode(plain, _control()))).all()


def test_members_of_a_packet_read_what_was_there_before() -> None:
    """Two registers of vectors trade places in memory: no order of the two would do that."""
    swap = Packet((_load(3, 1), _store(1, 3)))
    plain = _program([[_load(2, 1)], [swap]])
    order = _program([[_load(2, 1)], [_load(3, 1)], [_store(1, 3)]])
    lines = _after(encode(plain, _control()))[HALF:].reshape(-1, 128)
    first = _after(encode(_program([]), _control()))[HALF:].reshape(-1, 128)
    assert (lines[3] == first[2]).all()
    assert (lines[32 + 1] == first[3]).all()
    assert not (_after(encode(order, _control()))[HALF:].reshape(-1, 128)[3] == first[2]).all()


def test_dependent_operations_are_apart_and_others_together() -> None:
    operations = (_load(0, 1), _multiply(0, 1, 2, "vrmpy"), _store(2, 5), _load(6, 7), Halt())
    packed = pack(operations, ACG)
    assert packed == (
        _load(0, 1),
        Packet((_multiply(0, 1, 2, "vrmpy"), _load(6, 7))),
        _store(2, 5),
        Halt(),
    )
    text = show(Program("hvx", "x", packed)).splitlines()
    assert text[2].split()[1:3] == ["{", "vrmpy"]
    assert text[3].endswith("}")


def test_a_later_write_may_stand_with_an_earlier_read() -> None:
    operations = (_multiply(0, 1, 2), _load(0, 1), Halt())
    assert pack(operations, ACG) == (Packet(operations[:2]), Halt())


def test_words_of_a_dependent_packet_are_found() -> None:
    words = encode((Packet((_load(0, 1), _multiply(0, 1, 2))), Halt()), _control())
    (found,) = dependent(words, ACG)
    assert found == (1, "depends on word 0, which stands in the same packet")


def _form(name: str, *slots: int, effect: str = "launch") -> Mnemonic:
    return Mnemonic(name, effect, (), Span("t"), slots=slots)


def test_slots_are_found_where_there_are_any() -> None:
    packet = PacketForm(3, Field("end", 1, 0, 3), Field("more", 1, 0, 1), Span("t"))
    any_slot, low, first = _form("any"), _form("low", 0, 1), _form("first", 0)
    assert taken_slots([low, first, any_slot], packet) == (1, 0, 2)
    assert taken_slots([low, first, low], packet) is None
    assert "no slots that first, first" in fault([first, first], ["a", "b"], packet)
    assert "starts unit 'a' twice" in fault([any_slot, low], ["a", "a"], packet)
    assert "3 slots" in fault([any_slot] * 4, [""] * 4, packet)
    assert "starts or ends" in fault([any_slot, _form("h", effect="halt")], ["", ""], packet)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: [w[0] & ~(3 << 14), *w[1:]], "neither ends a packet nor goes on"),
        (lambda w: [*w[:-1], w[-1] & ~(3 << 14) | 1 << 14], "the last packet does not end"),
        (lambda w: [w[0] & ~(3 << 14) | 1 << 14, *w[1:]], "starts unit 'vmem_load' twice"),
    ],
)
def test_words_that_are_no_packets_are_refused(change: object, reason: str) -> None:
    assert callable(change)
    words = list(encode((_load(0, 1), _load(1, 2), Halt()), _control()))
    with pytest.raises(CovenantError, match=reason) as caught:
        decode(change(words), _control())
    assert "EMI004" in str(caught.value)


def test_packets_that_the_machine_does_not_have_are_not_encoded() -> None:
    packet = Packet((_store(0, 1), Launch("flush")))
    with pytest.raises(CovenantError, match="no slots that vmem_store, dmstart could take"):
        encode((packet, Halt()), _control())
    plain = replace(_control(), packet=None)
    with pytest.raises(CovenantError, match="the machine has no packets"):
        encode((Packet((_load(0, 1), _multiply(0, 1, 2))), Halt()), plain)


def test_a_packet_takes_one_cycle() -> None:
    writes = tuple(Write("fetch", f"bound[{i}]", 2) for i in range(4))
    alone = time_program(encode((*writes, Halt()), _control()), ACG).cycles
    together = time_program(encode((Packet(writes), Halt()), _control()), ACG).cycles
    assert alone - together == 3


def test_a_layer_in_packets_is_equal_and_reads_back() -> None:
    ready = assert_runs(plain_gemm(6, 32, 64), ACG)
    words = ready.image.words
    again = decode(words, _control())
    assert encode(again, _control()) == words
    assert sum(isinstance(o, Packet) for o in again) > len(words) / 6
    assert _members(again) == list(decode_flat(words, _control()))
    assert sum(packet_ends(words, _control())) == len(again)
