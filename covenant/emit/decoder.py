"""Instruction words back to operations, from the mnemonics and bit fields of a control node.

In: words and a `Control`. Out: operations; CovenantError (EMI004) for a word that is none. The
other half of `emit.encode`, whose functions use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covenant.acg.control import Control, ControlUnit, Mnemonic
from covenant.core.diagnostics import CovenantError, Span, fail
from covenant.emit.instructions import decode_instruction
from covenant.emit.program import (
    Add,
    Halt,
    Launch,
    Loop,
    Operation,
    Packet,
    Post,
    ReverseSubtract,
    Write,
    WriteHigh,
    started_unit,
)
from covenant.emit.slots import fault


@dataclass(frozen=True, slots=True)
class _Form:
    """A mnemonic prepared for matching: word & mask == match, bits outside its fields are zero."""

    mnemonic: Mnemonic
    mask: int
    match: int
    used: int


class Decoder:
    """Turns words of one control node back into operations."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.units = {u.id: u for u in control.units}
        self.forms = [_form(m) for m in control.mnemonics]
        self.known: dict[int, Operation] = {}
        self.unused = 0 if control.packet is None else control.packet.mask
        """Bits that no mnemonic has: those that end packets."""
        self.legal: set[tuple[tuple[str, str], ...]] = set()

    def ends(self, words: Sequence[int]) -> tuple[bool, ...]:
        """Whether a packet ends with each word."""
        packet = self.control.packet
        assert packet is not None, "every word is executed by itself"
        ends: list[bool] = []
        for index, word in enumerate(words):
            bits = (word & packet.mask) >> packet.end.low
            if bits not in (packet.end.constant, packet.more.constant):
                raise self.bad(index, f"it neither ends a packet nor goes on: bits {bits:#x}")
            ends.append(bits == packet.end.constant)
        if words and not ends[-1]:
            raise self.bad(len(words) - 1, "the last packet does not end")
        return tuple(ends)

    def packets(self, words: Sequence[int]) -> tuple[Operation, ...]:
        """Operations of a program; those of a packet together, a loop with its packets."""
        return self.packed(words, self.ends(words), 0, len(words))

    def packed(
        self, words: Sequence[int], ends: Sequence[bool], first: int, end: int
    ) -> tuple[Operation, ...]:
        """Operations of some words, which are whole packets."""
        operations: list[Operation] = []
        start = index = first
        while index < end:
            if not ends[index]:
                index += 1
                continue
            members = tuple(self.single(i, words[i]) for i in range(start, index + 1))
            if len(members) > 1:
                self.check_packet(start, words[start : index + 1], members)
            index += 1
            operation = Packet(members) if len(members) > 1 else members[0]
            if isinstance(operation, Loop):
                length = self.body(index - 1, words, end)
                if not ends[index + length - 1]:
                    raise self.bad(index - 1, "its loop ends inside a packet")
                body = self.packed(words, ends, index, index + length)
                operation = Loop(operation.count, body)
                index += length
            operations.append(operation)
            start = index
        return tuple(operations)

    def body(self, index: int, words: Sequence[int], end: int) -> int:
        """Words of the body of the loop at `index`, which lie before `end`."""
        length = self.length(index, words[index])
        if length < 1 or index + 1 + length > end:
            raise self.bad(index, f"a loop over {length} words leaves its enclosing block")
        return length

    def check_packet(
        self, index: int, words: Sequence[int], members: tuple[Operation, ...]
    ) -> None:
        """Raise for words that cannot stand in one packet."""
        assert self.control.packet is not None
        forms = [self.form(index, word).mnemonic for word in words]
        started = [started_unit(member) for member in members]
        key = tuple((m.name, unit) for m, unit in zip(forms, started, strict=True))
        if key in self.legal:
            return
        reason = fault(forms, started, self.control.packet)
        if reason:
            raise self.bad(index, reason)
        self.legal.add(key)

    def sequence(self, words: Sequence[int], start: int, end: int) -> tuple[Operation, ...]:
        operations: list[Operation] = []
        index = start
        while index < end:
            operation = self.single(index, words[index])
            if isinstance(operation, Loop):
                length = self.body(index, words, end)
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
        word &= ~self.unused
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
            case "add_high":
                unit, name, value = self.register(index, fields, form.mnemonic)
                return Add(unit, name, value << self.control.add_bits)
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
