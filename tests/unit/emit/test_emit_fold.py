"""Folding and removal of redundant writes."""

from __future__ import annotations

import time

import pytest

from covenant.acg.reader import read_architecture
from covenant.emit.delta import RegisterFile
from covenant.emit.fold import Limits, fold
from covenant.emit.program import (
    Add,
    Address,
    Invocation,
    Launch,
    Loop,
    Operation,
    ReverseSubtract,
    Write,
    annotated,
    count_words,
    depth,
    expand,
)


def step(*values: int) -> list[Operation]:
    return [Add("u", "base", value) for value in values]


def flat(blocks: list[list[Operation]]) -> list[Operation]:
    return [operation for block in blocks for operation in block]


def test_fold_turns_equal_blocks_into_one_loop() -> None:
    blocks = [step(1, 2)] * 5
    assert fold(blocks, [5], Limits(4)) == (Loop(5, tuple(step(1, 2))),)


def test_fold_finds_alternating_blocks() -> None:
    blocks = [step(1), step(2, 3)] * 6
    assert fold(blocks, [12], Limits(4)) == (Loop(6, tuple(step(1, 2, 3))),)


def test_fold_nests_loops_and_merges_a_loop_that_is_a_whole_body() -> None:
    blocks = [step(1, 1)] * 12
    assert fold(blocks, [3, 4], Limits(4)) == (Loop(12, tuple(step(1, 1))),)


def test_fold_keeps_to_the_loop_depth_and_unrolls_the_cheapest() -> None:
    blocks: list[list[Operation]] = []
    for i in range(2):
        for j in range(3):
            blocks += [step(10 * (i == 0 and j == 0) + j, 5)] + [step(7, 8)] * 3
    shallow = fold(blocks, [2, 3, 4], Limits(1))
    assert depth(shallow) <= 1
    assert list(expand(shallow)) == flat(blocks)
    assert list(expand(fold(blocks, [2, 3, 4], Limits(0)))) == flat(blocks)
    assert count_words(fold(blocks, [2, 3, 4], Limits(4))) <= count_words(shallow)


def test_fold_of_many_blocks_is_fast() -> None:
    blocks = [step(0 if i % 50 else 1, 2, 3) for i in range(20000)]
    start = time.perf_counter()
    folded = fold(blocks, [400, 50], Limits(4))
    assert time.perf_counter() - start < 2.0
    assert count_words(folded) < 12
    assert list(expand(folded)) == flat(blocks)


def test_annotated_names_launches_by_their_first_execution() -> None:
    launch = Launch("u")
    named = annotated((Loop(2, (launch, Loop(2, (launch,)))), launch), list("abcdefg"))
    loop = named[0]
    assert isinstance(loop, Loop)
    inner = loop.body[1]
    assert isinstance(inner, Loop)
    launches = [loop.body[0], inner.body[0], named[1]]
    assert [o.origin for o in launches if isinstance(o, Launch)] == ["a", "b", "g"]


@pytest.fixture
def registers() -> RegisterFile:
    control = read_architecture("snax").control
    assert control is not None
    return RegisterFile(control)


def test_registers_that_hold_their_value_are_not_written(registers: RegisterFile) -> None:
    quantities = (("run", 4), ("bound[0]", 1), ("fill", 0))
    first = registers.operations(Invocation("load0", quantities))
    again = registers.operations(Invocation("load0", quantities))
    assert first == [Write("load0", "run", 4), Launch("load0")]
    assert again == [Launch("load0")]


def test_addresses_advance_by_add_and_change_slot_by_reverse_subtract(
    registers: RegisterFile,
) -> None:
    def to(value: int, slot: int, buffer: str = "a") -> Operation:
        address = Address("dst.base", value, buffer, slot)
        return registers.operations(Invocation("load0", (), (address,)))[0]

    assert to(64, 0) == Write("load0", "dst.base", 64)
    assert to(96, 0) == Add("load0", "dst.base", 32)
    assert to(512, 1) == ReverseSubtract("load0", "dst.base", 608)
    assert to(96, 0) == ReverseSubtract("load0", "dst.base", 608)
    assert to(8, 0, "b") == Write("load0", "dst.base", 8)
