"""Encoder and disassembler, from the mnemonics and bit fields of the control node only.

In: a `Program` and a `Control`. Out: instruction words as integers, and back. Field names give the
roles of bits: `unit`, `register`, `value` (two's complement), `wait`, `post` (one bit per semaphore
in the order of the control node), `length`, `count`; fields with a constant are opcodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from covenant.acg.control import Control, ControlUnit, Field, Mnemonic
from covenant.core.diagnostics import did_you_mean, fail
from covenant.emit.decoder import Decoder
from covenant.emit.forms import form_of
from covenant.emit.instructions import encode_instruction
from covenant.emit.program import (
    Add,
    Halt,
    Instruction,
    Launch,
    Loop,
    Operation,
    Packet,
    Post,
    ReverseSubtract,
    Write,
    WriteHigh,
    count_words,
    depth,
    started_unit,
)
from covenant.emit.slots import ending, fault


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
    """Operations of a program with its loops and packets; the inverse of `encode`."""
    decoder = Decoder(control)
    if control.packet is None:
        return decoder.sequence(words, 0, len(words))
    return decoder.packets(words)


def decode_flat(words: Sequence[int], control: Control) -> tuple[Operation, ...]:
    """One operation per word; a loop has an empty body here (`loop_lengths` has its length), and
    packets are dissolved (`packet_ends` has their ends)."""
    decoder = Decoder(control)
    return tuple(decoder.single(index, word) for index, word in enumerate(words))


def mnemonics_of(words: Sequence[int], control: Control) -> Iterator[tuple[Mnemonic, int]]:
    """The mnemonic of every word, and the word."""
    decoder = Decoder(control)
    known: dict[int, Mnemonic] = {}
    for index, word in enumerate(words):
        found = known.get(word)
        if found is None:
            found = known[word] = decoder.form(index, word).mnemonic
        yield found, word


def loop_lengths(words: Sequence[int], control: Control) -> tuple[int, ...]:
    """Length in words of the loop each word starts, 0 for other words."""
    decoder = Decoder(control)
    return tuple(decoder.length(index, word) for index, word in enumerate(words))


def packet_ends(words: Sequence[int], control: Control) -> tuple[bool, ...]:
    """Whether a packet ends with each word; every word by itself on a machine without packets."""
    if control.packet is None:
        return (True,) * len(words)
    return Decoder(control).ends(words)


def packet_count(words: Sequence[int], control: Control | None) -> int:
    """Packets that the words of a program make up, 0 on a machine that has none."""
    return 0 if control is None or control.packet is None else sum(packet_ends(words, control))


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
            if isinstance(operation, Packet):
                self.packet(words, operation)
                continue
            word = self.known.get(operation) if not isinstance(operation, Loop) else None
            if word is None:
                word = self.word(operation)
                if self.control.packet is not None:
                    word = ending(word, self.control.packet, last=True)
                if not isinstance(operation, Loop):
                    self.known[operation] = word
            words.append(word)
            if isinstance(operation, Loop):
                self.append(words, operation.body)

    def packet(self, words: list[int], packet: Packet) -> None:
        """Words of a packet: all but the last say that more follow."""
        start, form = len(words), self.control.packet
        self.append(words, packet.members)
        mnemonics = [form_of(member, self.control) for member in packet.members]
        started = [started_unit(member) for member in packet.members]
        reason = fault(mnemonics, started, form) if form else "the machine has no packets"
        if reason or form is None:
            raise fail("EMI002", f"the program needs {reason}", self.control.span)
        for index in range(start, len(words) - 1):
            words[index] = ending(words[index], form, last=False)

    def word(self, operation: Operation) -> int:
        if isinstance(operation, Instruction):
            return encode_instruction(operation, self.control)
        mnemonic = form_of(operation, self.control)
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

    def values(self, operation: Operation, mnemonic: Mnemonic) -> dict[str, int]:
        match operation:
            case Add(unit, name, value) if mnemonic.effect == "add_high":
                number = self.register(unit, name, mnemonic)
                high = value >> self.control.add_bits
                return {"unit": self.unit(unit).id, "register": number, "value": high}
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
                return dict(operation.values + operation.adds)
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
            case Halt() | Packet():
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
