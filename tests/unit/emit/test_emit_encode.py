"""Encoder and disassembler on the shipped control node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from covenant.acg.control import Control
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.encode import decode, encode, from_bytes, to_bytes
from covenant.emit.program import Add, Halt, Launch, Loop, Post, ReverseSubtract, Write


@pytest.fixture(scope="module")
def control() -> Control:
    control = read_architecture("snax").control
    assert control is not None
    return control


def test_word_has_the_fields_of_its_mnemonic(control: Control) -> None:
    unit = control.unit("gemm")
    register = unit.register("a.base")
    assert register is not None
    words = encode((Write("gemm", "a.base", -2), Halt()), control)
    assert words[0] == 1 << 60 | unit.id << 56 | register.index << 48 | 0xFFFFFFFE
    assert words[1] == 15 << 60


def test_semaphores_are_bits_in_the_order_of_the_control_node(control: Control) -> None:
    names = (control.semaphores[0], control.semaphores[3])
    (word,) = encode((Launch("load0", names, (control.semaphores[1],)),), control)
    assert word & 0xFFFF == 0b1001
    assert word >> 28 & 0xFFFF == 0b10


def test_loop_length_counts_words_of_nested_loops(control: Control) -> None:
    inner = Loop(3, (Add("gemm", "a.base", 8), Launch("gemm")))
    words = encode((Loop(2, (Launch("gemm"), inner)), Halt()), control)
    assert words[0] >> 32 & 0xFFFFFF == 4
    assert len(words) == 6


def test_decode_inverts_encode_for_every_operation(control: Control) -> None:
    program = (
        Post(("a_free", "y_free")),
        Write("gemm", "hi", 127),
        Loop(5, (ReverseSubtract("load1", "dst.base", 4096), Loop(2, (Launch("load1"),)))),
        Halt(),
    )
    words = encode(program, control)
    assert decode(words, control) == program
    assert from_bytes(to_bytes(words, control), control) == words


def test_encode_refuses_a_program_larger_than_its_memory(control: Control) -> None:
    small = replace(control, program_words=2)
    with pytest.raises(CovenantError, match="needs 3 words, the program memory holds 2"):
        encode((Launch("gemm"), Launch("gemm"), Halt()), small)


def test_encode_refuses_a_value_wider_than_its_field(control: Control) -> None:
    with pytest.raises(CovenantError, match="EMI003"):
        encode((Write("gemm", "a.base", 1 << 40),), control)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (Write("gemm", "a.bass", 0), "no register for 'a.bass'"),
        (Launch("gemmm"), "no unit 'gemmm'"),
        (Post(("a_fre",)), "no semaphore 'a_fre'"),
    ],
)
def test_encode_names_what_is_unknown(
    control: Control, operation: Write | Launch | Post, reason: str
) -> None:
    with pytest.raises(CovenantError, match=reason) as caught:
        encode((operation,), control)
    assert "did you mean" in str(caught.value)


@pytest.mark.parametrize("word", [0, 9 << 60, 1 << 60 | 14 << 56, 15 << 60 | 1, 6 << 60 | 9 << 32])
def test_decode_refuses_words_that_are_no_instruction(control: Control, word: int) -> None:
    with pytest.raises(CovenantError, match="word 0 is no instruction"):
        decode((word,), control)


def test_decode_refuses_a_loop_that_leaves_the_program(control: Control) -> None:
    words = encode((Loop(2, (Launch("gemm"), Halt())),), control)
    with pytest.raises(CovenantError, match="leaves its enclosing block"):
        decode(words[:2], control)
