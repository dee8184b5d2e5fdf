"""Units with instructions of their own: which instructions a launch takes, and their words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covenant.acg.control import Control, Field
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.delta import RegisterFile
from covenant.emit.encode import decode, encode
from covenant.emit.listing import show_operation
from covenant.emit.program import (
    Address,
    Halt,
    Instruction,
    Invocation,
    Launch,
    Operation,
    Write,
    steps,
)


def _control() -> Control:
    control = read_architecture("gemmini").control
    assert control is not None
    return control


CONTROL = _control()
ONE = 0x3F800000


def _load(stride: int, *, unit: str = "load_a", rows: int = 16, fill: int = 0) -> Invocation:
    quantities = (("run", 4), ("dst.word_stride", 256), ("bound[0]", rows), ("fill", fill))
    addresses = () if fill else (Address("src.base", 4096, "x home"),)
    return Invocation(
        unit,
        (*quantities, ("src.stride[0]", stride), ("dst.stride[0]", 16)),
        (*addresses, Address("dst.base", 32, "x")),
    )


def _multiply(b: int, *, hold: int = 0, resume: int = 0) -> Invocation:
    rows = (("a.tail_lanes", 5), ("acc.tail_lanes", 5), ("b.tail_lanes", 16))
    bases = (Address("a.base", 0, "a"), Address("b.base", b, "b"), Address("acc.base", 64, "acc"))
    return Invocation("mesh", (*rows, ("resume", resume), ("hold", hold)), bases)


def _names(invocations: list[Invocation]) -> list[str]:
    registers = RegisterFile(CONTROL)
    found: list[str] = []
    for invocation in invocations:
        for operation in registers.operations(invocation):
            assert isinstance(operation, Instruction)
            found.append(operation.mnemonic)
    return found


def test_configuration_is_written_once_and_again_when_it_changes() -> None:
    loads = [_load(512), _load(512, rows=3), _load(64), _load(512, unit="load_b")]
    assert _names(loads) == [
        "config_ld",
        "mvin",
        "mvin",
        "config_ld",
        "mvin",
        "config_ld2",
        "mvin2",
    ]


def test_launch_takes_the_form_whose_constants_agree() -> None:
    assert _names([_load(512), _load(512, fill=1)]) == ["config_ld", "mvin", "mvin_zeros"]
    multiplies = [_multiply(0), _multiply(0, hold=1, resume=1), _multiply(256)]
    assert _names(multiplies) == [
        *("preload", "compute_preloaded"),
        *("preload_none", "compute_accumulated"),
        *("preload", "compute_preloaded"),
    ]


def test_words_are_those_of_the_published_encoding() -> None:
    """Expected values by hand from the ISA's field tables, not from the YAML."""
    registers = RegisterFile(CONTROL)
    operations = [
        o for i in (_load(512), _multiply(512, resume=1)) for o in registers.operations(i)
    ]
    parts = [
        (w >> 128, w >> 64 & (1 << 64) - 1, w & (1 << 64) - 1) for w in encode(operations, CONTROL)
    ]
    assert parts == [
        (0, ONE << 32 | 16 << 16 | 1 << 8 | 1, 512),
        (2, 4096, 16 << 48 | 64 << 32 | 2),
        (6, 16 << 48 | 16 << 32 | 32, 5 << 48 | 16 << 32 | 1 << 31 | 1 << 30 | 1),
        (4, 5 << 48 | 16 << 32 | 0, 16 << 48 | 16 << 32 | 0xFFFFFFFF),
    ]
    store = Invocation(
        "scale_out",
        (("acc.bound[0]", 7), ("y.stride[0]", 48), ("scale", 0x3C000000), ("lo", 0), ("hi", 127)),
        (Address("acc.base", 128, "acc"), Address("y.base", 1 << 33, "y home")),
    )
    words = encode(registers.operations(store), CONTROL)
    assert [w >> 128 for w in words] == [0, 3]
    assert words[0] & (1 << 128) - 1 == (1 << 2 | 2) << 64 | 0x3C000000 << 32 | 48
    assert words[1] & (1 << 128) - 1 == 1 << 97 | 7 << 48 | 16 << 32 | 1 << 31 | 2


def test_steps_of_an_instruction_are_its_writes_and_its_launch() -> None:
    instruction = Instruction("mvin", "load_a", (("run", 4), ("fill", 0)), launches=True)
    assert steps(instruction) == (
        Write("load_a", "run", 4),
        Write("load_a", "fill", 0),
        Launch("load_a"),
    )
    assert show_operation(instruction) == "mvin load_a: run=4 fill=0"


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [("dst.stride[0]", 32, "always has 16"), ("run", 5, "at most 4")],
)
def test_launch_beyond_the_hardware_is_refused(quantity: str, value: int, text: str) -> None:
    invocation = Invocation("load_a", ((quantity, value),), (Address("dst.base", 0, "x"),))
    with pytest.raises(CovenantError, match=text) as caught:
        RegisterFile(CONTROL).operations(invocation)
    assert "error[EMI005]" in str(caught.value)


def test_value_without_an_encoding_is_refused() -> None:
    with pytest.raises(CovenantError, match="30 is not a multiple of 16"):
        encode([_mvin(dst=30)], CONTROL)
    with pytest.raises(CovenantError, match="does not fit field 'run'"):
        encode([_mvin(run=4096)], CONTROL)


def _mvin(dst: int = 0, run: int = 1) -> Instruction:
    values = (("src.base", 0), ("bound[0]", 1), ("run", run), ("dst.base", dst), ("fill", 0))
    return Instruction("mvin", "load_a", values, launches=True)


def _values(field: Field) -> st.SearchStrategy[int]:
    most = (field.largest + field.plus) // field.granule
    return st.integers(1, most).map(lambda n: n * field.granule - field.plus)


@st.composite
def _instructions(draw: st.DrawFn) -> Operation:
    mnemonic = draw(st.sampled_from(CONTROL.mnemonics))
    if mnemonic.effect == "halt":
        return Halt()
    values = [(f.name, draw(_values(f))) for f in mnemonic.fields if f.constant is None]
    return Instruction(
        mnemonic.name, mnemonic.unit, (*values, *mnemonic.sets), mnemonic.effect == "launch"
    )


@given(st.lists(_instructions(), max_size=12))
def test_decoding_gives_back_what_was_encoded(operations: list[Operation]) -> None:
    assert decode(encode(operations, CONTROL), CONTROL) == tuple(operations)
