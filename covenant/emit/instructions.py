"""Words of instructions that belong to a unit: registers as bit fields, and back.

In: an `Instruction` with natural values (bytes, counts) or a word. Out: the word or the
instruction. A field holds (value + plus) / granule * times; both ways are exact.
"""

from __future__ import annotations

from covenant.acg.control import Control, Field, Mnemonic
from covenant.core.diagnostics import CovenantError, Span, did_you_mean, fail
from covenant.emit.program import Instruction


def encode_instruction(instruction: Instruction, control: Control) -> int:
    """The word of an instruction; CovenantError for an unknown one or a value that does not fit."""
    names = [mnemonic.name for mnemonic in control.mnemonics]
    if instruction.mnemonic not in names:
        raise fail(
            "EMI002",
            f"no mnemonic '{instruction.mnemonic}'",
            control.span,
            did_you_mean(instruction.mnemonic, names),
        )
    mnemonic = control.named(instruction.mnemonic)
    values = dict(instruction.values + instruction.adds)
    word = 0
    for field in mnemonic.fields:
        bits = field.constant
        if bits is None:
            if field.name not in values:
                raise fail(
                    "EMI002",
                    f"'{mnemonic.name}' needs a value for '{field.name}'",
                    mnemonic.span,
                )
            signed = field.name in mnemonic.adds
            bits = (_difference if signed else field_bits)(field, values[field.name], mnemonic)
        word |= bits << field.low
    return word


def field_bits(field: Field, value: int, mnemonic: Mnemonic) -> int:
    """How a value stands in a field."""
    moved = value + field.plus
    bits = moved // field.granule * field.times
    if moved % field.granule:
        raise fail(
            "EMI003",
            f"{value} is not a multiple of {field.granule}, as field '{field.name}' of mnemonic "
            f"'{mnemonic.name}' needs",
            mnemonic.span,
        )
    if moved < 0 or bits >> field.width_bits:
        raise fail(
            "EMI003",
            f"{value} does not fit field '{field.name}' of {field.width_bits} bits of mnemonic "
            f"'{mnemonic.name}'",
            mnemonic.span,
            f"values from {-field.plus} to {field.largest} fit",
        )
    return bits


def adds_bits(field: Field, value: int) -> int | None:
    """How a difference stands in a field, with its sign; None when it does not fit."""
    bits, half = value // field.granule * field.times, 1 << (field.width_bits - 1)
    if value % field.granule or not -half <= bits < half:
        return None
    return bits & 2 * half - 1


def _difference(field: Field, value: int, mnemonic: Mnemonic) -> int:
    bits = adds_bits(field, value)
    if bits is None:
        raise fail(
            "EMI003",
            f"a difference of {value} does not fit field '{field.name}' of {field.width_bits} bits "
            f"of mnemonic '{mnemonic.name}'",
            mnemonic.span,
        )
    return bits


def decode_instruction(mnemonic: Mnemonic, word: int, index: int) -> Instruction:
    """The instruction of a word that has the mnemonic's form; `index` is for the message."""
    values: list[tuple[str, int]] = []
    adds: list[tuple[str, int]] = []
    for field in mnemonic.fields:
        if field.constant is not None:
            continue
        bits = word >> field.low & ((1 << field.width_bits) - 1)
        if bits % field.times:
            raise _bad(index, mnemonic, field, bits)
        if field.name in mnemonic.adds:
            bits -= bits >> field.width_bits - 1 << field.width_bits
            adds.append((field.name, bits // field.times * field.granule))
            continue
        values.append((field.name, bits // field.times * field.granule - field.plus))
    return Instruction(
        mnemonic.name,
        mnemonic.unit,
        (*values, *mnemonic.sets),
        mnemonic.effect == "launch",
        adds=tuple(adds),
    )


def _bad(index: int, mnemonic: Mnemonic, field: Field, bits: int) -> CovenantError:
    return fail(
        "EMI004",
        f"word {index} is no instruction: field '{field.name}' of '{mnemonic.name}' holds {bits}, "
        f"no multiple of {field.times}",
        Span("program"),
    )
