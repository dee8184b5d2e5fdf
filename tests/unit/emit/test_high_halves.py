"""Registers that words give in two parts, and forms for some registers or some units only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covenant.acg.control import Control
from covenant.acg.reader import find_architecture, read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.delta import RegisterFile
from covenant.emit.encode import decode, encode
from covenant.emit.program import Address, Halt, Invocation, Launch, Operation, Write, WriteHigh

ACG = read_architecture("dnnweaver2")
VALUES = st.integers(-(1 << 31), (1 << 31) - 1)


def _control() -> Control:
    assert ACG.control is not None
    return ACG.control


def _held(operations: list[Operation], old: int) -> int:
    """A register after writes, as hardware of 32 bits has it."""
    for operation in operations:
        match operation:
            case Write(_, _, value):
                assert -(1 << 15) <= value < 1 << 15
                old = value
            case WriteHigh():
                assert -(1 << 15) <= operation.value < 1 << 15
                old = operation.over(old)
            case _:
                pass
    old &= (1 << 32) - 1
    return old - (1 << 32) if old >> 31 else old


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_parts_make_up_every_value_and_survive_encoding(values: list[int]) -> None:
    registers = RegisterFile(_control())
    held = 0
    for value in values:
        made = registers.operations(Invocation("st", (("src.stride[0]", value),)))
        assert len(made) <= 3
        assert decode(encode([*made, Halt()], _control()), _control()) == (*made, Halt())
        held = _held(made, held)
        assert held == value


def test_only_the_part_that_changes_is_written() -> None:
    registers = RegisterFile(_control())

    def writes(address: int) -> list[Operation]:
        where = (Address("src.base", address, "x"),)
        return registers.operations(Invocation("ld0", (), where))[:-1]

    assert writes(0x12340010) == [
        Write("ld0", "src.base", 0x10),
        WriteHigh("ld0", "src.base", 0x1234, 16),
    ]
    assert writes(0x12350010) == [WriteHigh("ld0", "src.base", 0x1235, 16)]
    assert writes(0x20) == [Write("ld0", "src.base", 0x20)]
    assert writes(0x20) == []


def test_words_have_the_published_opcodes() -> None:
    unit = _control().unit("ld_obuf")
    assert unit.id == 1 << 3
    words = encode(
        [
            Write("ld_obuf", "src.stride[1]", 0x100),
            WriteHigh("ld_obuf", "src.stride[1]", 2, 16),
            Write("ld_obuf", "bound[3]", 7),
            Launch("ld_obuf"),
            Launch("st_obuf"),
            Halt(),
        ],
        _control(),
    )
    assert [word >> 28 for word in words] == [6, 5, 7, 1, 2, 8]
    assert [word >> 21 & 63 for word in words[:5]] == [8, 8, 8, 8, 9]
    assert words[0] & 0xFFFF == 0x100
    assert words[2] >> 16 & 31 == 1 + 3  # `run`, then the bounds


STARTS, WRITES = "starts: [ld_ibuf, ld_wbuf,", "writes: [bound, run, steps, tiles]"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (STARTS, "starts: [ld_ibuf,", "ACG067]: no instruction launches unit 'ld_wbuf'"),
        (STARTS, "starts: [ld_ibus, ld_wbuf,", "ACG066]: 'ld_ibus' is no unit"),
        (WRITES, "writes: [run, steps, tiles]", "ACG067]: no instruction with `effect: write`"),
        (WRITES, "writes: [bond, run]", "ACG066]: 'bond' is no kind of register"),
        (STARTS, f"writes: [run], {STARTS}", "ACG066]: `writes` has no meaning for 'ldmem'"),
        (WRITES, f"{WRITES}, starts: [array]", "ACG066]: `starts` has no meaning for 'loop'"),
    ],
)
def test_forms_that_leave_something_out_are_refused(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    text = find_architecture("dnnweaver2").read_text()
    assert old in text
    file = tmp_path / "changed.yaml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(CovenantError) as caught:
        read_architecture(file)
    assert f"error[{message}" in str(caught.value)
