"""The tape of a C program: a folded list of instructions that expands to the words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covenant.acg.control import Control
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.encode import encode
from covenant.emit.host.tape import Region, build_tape
from covenant.emit.program import Halt, Instruction, Operation

ACG = read_architecture("gemmini")
MASK = (1 << 64) - 1


def _control() -> Control:
    assert ACG.control is not None
    return ACG.control


def _expanded(
    tape: tuple[int, ...], regions: list[int], depth: int = 0, index: tuple[int, ...] = ()
) -> Iterator[tuple[int, ...]]:
    """(head, operands…) of every instruction: a reading of the format, not its writer's."""
    at = 0
    while at < len(tape):
        head = tape[at]
        if head & 255 == 2:
            yield (2,)
            at += 1
        elif head & 255 == 1:
            body = tape[at + 2 : at + 2 + tape[at + 1]]
            for number in range(head >> 8):
                yield from _expanded(body, regions, depth + 1, (*index, number))
            at += 2 + tape[at + 1]
        else:
            values = []
            for i in (0, 1):
                source = head >> (24 + 8 * i) & 255
                value = tape[at + 1 + i] + (regions[source - 1] if source else 0)
                value += sum(n * tape[at + 3 + 2 * k + i] for k, n in enumerate(index))
                values.append(value & MASK)
            yield (head >> 8 & 0xFFFF, *values)
            at += 3 + 2 * depth


def _mvin(row: int, source: int) -> Instruction:
    values = (("src.base", source), ("bound[0]", 16), ("run", 1), ("dst.base", 16 * row))
    return Instruction("mvin", "load_a", (*values, ("fill", 0)), launches=True)


def _computes(row: int, hold: int) -> list[Operation]:
    if hold:
        first = Instruction(
            "preload_none", "mesh", (("acc.tail_lanes", 4), ("resume", 1), ("acc.base", 64 * row))
        )
    else:
        places = (
            ("b.base", 256 * row),
            ("acc.tail_lanes", 4),
            ("resume", 0),
            ("acc.base", 64 * row),
        )
        first = Instruction("preload", "mesh", (("b.tail_lanes", 16), *places))
    name = "compute_accumulated" if hold else "compute_preloaded"
    values = (("a.tail_lanes", 4), ("a.base", 16 * row), ("hold", hold))
    return [first, Instruction(name, "mesh", values, launches=True)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(0, 1)),
        max_size=6,
    )
)
def test_tape_expands_to_the_words(nests: list[tuple[int, int, int, int]]) -> None:
    operations: list[Operation] = []
    for outer, inner, step, hold in nests:
        for i in range(outer):
            operations.append(_mvin(i * step, 1024 * (1 + i % 2) + 64 * i))
            for j in range(inner):
                operations += _computes(i * step + j, hold)
    operations.append(Halt())
    words = encode(operations, _control())
    regions = [Region(1024, 1024), Region(2048, 1024)]
    cases: dict[tuple[int, ...], int] = {}
    tape = build_tape(words, ACG, regions, cases)
    functs = [values[0] for values in cases]
    found = list(_expanded(tape.entries, [1024, 2048]))
    assert found[-1] == (2,)
    split = [(word >> 128, word >> 64 & MASK, word & MASK) for word in words[:-1]]
    assert [(functs[case], *operands) for case, *operands in found[:-1]] == split
    assert tape.instructions == len(words)


def test_tape_of_a_regular_nest_is_short() -> None:
    operations = [o for i in range(40) for j in range(16) for o in _computes(16 * i + j, 0)]
    tape = build_tape(encode([*operations, Halt()], _control()), ACG, [], {})
    assert (tape.instructions, len(tape.entries)) == (1281, 13)


def test_word_that_addresses_no_tensor_is_refused() -> None:
    words = encode([_mvin(0, 4096), Halt()], _control())
    with pytest.raises(CovenantError, match=r"error.EMI011.: an instruction addresses byte 0x1000"):
        build_tape(words, ACG, [Region(1024, 64)], {})
