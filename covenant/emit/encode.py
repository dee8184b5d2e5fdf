"""Encoder and disassembler, from the mnemonics and bit fields of the control node only.

In: a `Program` and a `Control`. Out: instruction words as integers, and back. Field names give the
roles of bits: `unit`, `register`, `value` (two's complement), `wait`, `post` (one bit per semaphore
in the order of the control node), `length`, `count`; fields with a constant are opcodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from covenant.acg.control import Control, ControlUnit, Field, Mnemonic
from covenant.core.diagnostics import CovenantError, Span, did_you_mean, fail
from covenant.emit.instructions import decode_instruction, encode_instruction
from covenant.emit.program import (
    Add,
    Halt,
    Instruction,
    Launch,
    Loop,
    Operation,
    Post,
    ReverseSubtract,
    Write,
    WriteHigh,
    count_words,
    depth,
)


def encode(operations: Sequence[Operation], control: Control) -> tuple[int, ...]:
    """Instruction words, each below 2**word_bits; CovenantError when the program does not fit."""
    operations = tuple(operations)
    total = count_words(operations)
    if total > control.program_words:
        raise fail(
            "EMI001",
            f"the program needs {total} words, the program memory holds {control.program_words}",
            control.span,
            f"set control.program_words to {_round_up_power(total)} or pin larger tiles",
        )
    nested = depth(operations)
    if nested > control.loop_depth:
        raise fail(
            "EMI002",
            f"loops nest {nested} deep, control.loop_depth is {control.loop_depth}",
            control.span,
        )
    words: list[int] = []
    _Encoder(control).append(words, operations)
    return tuple(words)


def decode(words: Sequence[int], control: Control) -> tuple[Operation, ...]:
    """Operations of a program with its loops; the inverse of `encode`."""
    return _Decoder(control).sequence(words, 0, len(words))


def decode_flat(words: Sequence[int], control: Control) -> tuple[Operation, ...]:
    """One operation per word; a loop has an empty body here (`loop_lengths` has its length)."""
    decoder = _Decoder(control)
    return tuple(decoder.single(index, word) for index, word in enumerate(words))


def mnemonics_of(words: Sequence[int], control: Control) -> Iterator[tuple[Mnemonic, int]]:
    """The mnemonic of every word, and the word."""
    decoder = _Decoder(control)
    known: dict[int, Mnemonic] = {}
    for index, word in enumerate(words):
        found = known.get(word)
        if found is None:
            found = known[word] = decoder.form(index, word).mnemonic
        yield found, word


def loop_lengths(words: Sequence[int], control: Control) -> tuple[int, ...]:
    """Length in words of the loop each word starts, 0 for other words."""
    decoder = _Decoder(control)
    return tuple(decoder.length(index, word) for index, word in enumerate(words))


def word_bytes(control: Control) -> int:
    """Bytes of one instruction word in a file."""
    return (control.word_bits + 7) // 8


def to_bytes(words: Sequence[int], control: Control) -> bytes:
    """Little-endian image of the program memory."""
    size = word_bytes(control)
    return b"".join(word.to_bytes(size, "little") for word in words)


def from_bytes(content: bytes, control: Control) -> tuple[int, ...]:
    """Words of a little-endian image."""
    size = word_bytes(control)
    return tuple(
        int.from_bytes(content[i : i + size], "little") for i in range(0, len(content), size)
    )


def _round_up_power(value: int) -> int:
    return 1 << (value - 1).bit_length()


def _effect(operation: Operation) -> str:
    match operation:
        case Write():
            return "write"
        case WriteHigh():
            return "write_high"
        case Add():
            return "add"
        case ReverseSubtract():
            return "reverse_subtract"
        case Launch() | Instruction():
            return "launch"
        case Post():
            return "post"
        case Loop():
            return "loop"
        case Halt():
            return "halt"
        case _:
            assert_never(operation)


class _Encoder:
    """Field values of every operation of one control node."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.units = {u.name: u for u in control.units}
        self.bits = {name: 1 << i for i, name in enumerate(control.semaphores)}
        self.numbers: dict[tuple[str, str], dict[str, int]] = {}
        self.known: dict[Operation, int] = {}

    def append(self, words: list[int], operations: Sequence[Operation]) -> None:
        for operation in operations:
            word = self.known.get(operation) if not isinstance(operation, Loop) else None
            if word is None:
                word = self.word(operation)
                if not isinstance(operation, Loop):
                    self.known[operation] = word
            words.append(word)
            if isinstance(operation, Loop):
                self.append(words, operation.body)

    def word(self, operation: Operation) -> int:
        if isinstance(operation, Instruction):
            return encode_instruction(operation, self.control)
        effect = _effect(operation)
        mnemonic = self.form(effect, operation)
        values = self.values(operation, mnemonic)
        word = 0
        for field in mnemonic.fields:
            if field.constant is not None:
                word |= field.constant << field.low
            else:
                word |= _fit(field, values.pop(field.name, 0), mnemonic) << field.low
        missing = [name for name, value in values.items() if value]
        if missing and not (missing == ["unit"] and len(self.units) == 1):
            raise fail(
                "EMI002",
                f"mnemonic '{mnemonic.name}' has no field '{missing[0]}', the program needs it",
                mnemonic.span,
            )
        return word

    def form(self, effect: str, operation: Operation) -> Mnemonic:
        """The form of an operation; EMI002 when there is none."""
        match operation:
            case Write() | WriteHigh() | Add() | ReverseSubtract():
                found = self.control.form(effect, self.unit(operation.unit), operation.register)
            case Launch():
                found = self.control.form(effect, self.unit(operation.unit))
            case _:
                found = self.control.mnemonic(effect)
        if found is not None:
            return found
        raise fail(
            "EMI002",
            f"the program needs a mnemonic with the effect '{effect}', there is none",
            self.control.span,
            f"add one under control.mnemonics: name: {{effect: {effect}, fields: …}}",
        )

    def values(self, operation: Operation, mnemonic: Mnemonic) -> dict[str, int]:
        match operation:
            case (
                Write(unit, name, value)
                | WriteHigh(unit, name, value)
                | Add(unit, name, value)
                | ReverseSubtract(unit, name, value)
            ):
                return {
                    "unit": self.unit(unit).id,
                    "register": self.register(unit, name, mnemonic),
                    "value": value,
                }
            case Instruction():
                return dict(operation.values)
            case Launch(unit, waits, posts, _):
                return {
                    "unit": self.unit(unit).id,
                    "wait": self.mask(waits),
                    "post": self.mask(posts),
                }
            case Post(semaphores):
                return {"post": self.mask(semaphores)}
            case Loop(count, body):
                return {"count": count, "length": count_words(body)}
            case Halt():
                return {}
            case _:
                assert_never(operation)

    def unit(self, name: str) -> ControlUnit:
        if name not in self.units:
            raise fail(
                "EMI002", f"no unit '{name}'", self.control.span, did_you_mean(name, self.units)
            )
        return self.units[name]

    def register(self, unit: str, quantity: str, mnemonic: Mnemonic) -> int:
        key = (mnemonic.name, unit)
        if key not in self.numbers:
            own = mnemonic.numbered(self.units[unit])
            self.numbers[key] = {r.quantity: number for number, r in enumerate(own)}
        found = self.numbers[key].get(quantity)
        if found is None:
            raise fail(
                "EMI002",
                f"unit '{unit}' has no register for '{quantity}'",
                self.units[unit].span,
                did_you_mean(quantity, self.numbers[key]),
            )
        return found

    def mask(self, names: Sequence[str]) -> int:
        mask = 0
        for name in names:
            if name not in self.bits:
                raise fail(
                    "EMI002",
                    f"no semaphore '{name}'",
                    self.control.span,
                    did_you_mean(name, self.bits),
                )
            mask |= self.bits[name]
        return mask


def _fit(field: Field, value: int, mnemonic: Mnemonic) -> int:
    """The value as the bits of a field; only `value` may be negative."""
    width = field.high - field.low + 1
    lowest = -(1 << (width - 1)) if field.name == "value" else 0
    if not lowest <= value < (1 << width):
        raise fail(
            "EMI003",
            f"{value} does not fit field '{field.name}' of {width} bits of mnemonic "
            f"'{mnemonic.name}'",
            mnemonic.span,
            "widen the field in control.mnemonics",
        )
    return value & ((1 << width) - 1)


@dataclass(frozen=True, slots=True)
class _Form:
    """A mnemonic prepared for matching: word & mask == match, bits outside its fields are zero."""

    mnemonic: Mnemonic
    mask: int
    match: int
    used: int


class _Decoder:
    """Turns words of one control node back into operations."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.units = {u.id: u for u in control.units}
        self.forms = [_form(m) for m in control.mnemonics]
        self.known: dict[int, Operation] = {}

    def sequence(self, words: Sequence[int], start: int, end: int) -> tuple[Operation, ...]:
        operations: list[Operation] = []
        index = start
        while index < end:
            operation = self.single(index, words[index])
            if isinstance(operation, Loop):
                length = self.length(index, words[index])
                if length < 1 or index + 1 + length > end:
                    raise self.bad(index, f"a loop over {length} words leaves its enclosing block")
                body = self.sequence(words, index + 1, index + 1 + length)
                operation = Loop(operation.count, body)
                index += length
            operations.append(operation)
            index += 1
        return tuple(operations)

    def single(self, index: int, word: int) -> Operation:
        found = self.known.get(word)
        if found is None:
            found = self.operation(index, word)
            self.known[word] = found
        return found

    def length(self, index: int, word: int) -> int:
        form = self.form(index, word)
        return _fields(form, word)["length"] if form.mnemonic.effect == "loop" else 0

    def form(self, index: int, word: int) -> _Form:
        for form in self.forms:
            if word & form.mask == form.match and not word & ~form.used:
                return form
        raise self.bad(index, "no mnemonic of the control node has this form")

    def operation(self, index: int, word: int) -> Operation:
        form = self.form(index, word)
        if form.mnemonic.unit or form.mnemonic.effect == "start":
            return decode_instruction(form.mnemonic, word, index)
        fields = _fields(form, word)
        match form.mnemonic.effect:
            case "write":
                return Write(*self.register(index, fields, form.mnemonic))
            case "write_high":
                low_bits = self.control.low_bits
                return WriteHigh(*self.register(index, fields, form.mnemonic), low_bits)
            case "add":
                return Add(*self.register(index, fields, form.mnemonic))
            case "reverse_subtract":
                return ReverseSubtract(*self.register(index, fields, form.mnemonic))
            case "launch":
                waits = self.names(index, fields.get("wait", 0))
                posts = self.names(index, fields.get("post", 0))
                return Launch(self.unit(index, fields).name, waits, posts)
            case "post":
                return Post(self.names(index, fields["post"]))
            case "loop":
                if fields["count"] < 1:
                    raise self.bad(index, "a loop runs at least once")
                return Loop(fields["count"], ())
            case "halt":
                return Halt()
            case effect:
                raise self.bad(index, f"effect '{effect}' is unknown")

    def unit(self, index: int, fields: dict[str, int]) -> ControlUnit:
        number = fields.get("unit", min(self.units))
        if number not in self.units:
            raise self.bad(index, f"no unit has the id {number}")
        return self.units[number]

    def register(
        self, index: int, fields: dict[str, int], mnemonic: Mnemonic
    ) -> tuple[str, str, int]:
        unit, number = self.unit(index, fields), fields["register"]
        own = mnemonic.numbered(unit)
        if number >= len(own):
            raise self.bad(index, f"unit '{unit.name}' has no register {number}")
        return unit.name, own[number].quantity, fields["value"]

    def names(self, index: int, mask: int) -> tuple[str, ...]:
        if mask >> len(self.control.semaphores):
            raise self.bad(index, f"semaphore mask {mask:#x} names a semaphore that does not exist")
        return tuple(n for i, n in enumerate(self.control.semaphores) if mask >> i & 1)

    def bad(self, index: int, reason: str) -> CovenantError:
        return fail("EMI004", f"word {index} is no instruction: {reason}", Span("program"))


def _form(mnemonic: Mnemonic) -> _Form:
    mask = match = used = 0
    for field in mnemonic.fields:
        bits = ((1 << (field.high - field.low + 1)) - 1) << field.low
        used |= bits
        if field.constant is not None:
            mask |= bits
            match |= field.constant << field.low
    return _Form(mnemonic, mask, match, used)


def _fields(form: _Form, word: int) -> dict[str, int]:
    """Field values; `value` is signed."""
    values: dict[str, int] = {}
    for field in form.mnemonic.fields:
        width = field.high - field.low + 1
        value = word >> field.low & ((1 << width) - 1)
        if field.name == "value" and value >> (width - 1):
            value -= 1 << width
        values[field.name] = value
    return values
