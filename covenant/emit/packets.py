"""Packing of a program into packets of operations that execute at once.

In: operations in program order and an `Acg` whose control node has packets. Out: operations in
which `Packet`s stand for several; every one stands behind what it depends on. Packets are filled
one after the other with the first operations of a window that fit (list scheduling); the body of a
loop is packed by itself. `dependent`
finds words of a packet that depend on one another, from the words alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from covenant.acg.control import Control, Mnemonic
from covenant.acg.graph import Acg
from covenant.emit.effects import Effect, Effects
from covenant.emit.encode import decode
from covenant.emit.forms import form_of
from covenant.emit.program import Loop, Operation, Packet, count_words, started_unit
from covenant.emit.slots import fault

_WINDOW = 24
"""Operations that are looked at for one packet; bounds the work and how far they move."""


@dataclass(slots=True, eq=False)
class _Entry:
    """An operation that waits; sees, follows: entries before it that it depends on."""

    operation: Operation
    form: Mnemonic
    effect: Effect
    sees: list[_Entry] = field(default_factory=list)
    follows: list[_Entry] = field(default_factory=list)
    packet: int = -1

    def ready(self, packet: int) -> bool:
        """Whether it can stand in a packet with all it depends on in earlier ones."""
        return all(0 <= e.packet < packet for e in self.sees) and all(
            e.packet >= 0 for e in self.follows
        )


def pack(operations: Sequence[Operation], acg: Acg) -> tuple[Operation, ...]:
    """The program in packets; as it is on a machine that has none."""
    control = acg.control
    if control is None or control.packet is None:
        return tuple(operations)
    return tuple(_Packer(acg, control).packets(operations))


class _Packer:
    """Fills packets from a window of operations."""

    def __init__(self, acg: Acg, control: Control) -> None:
        assert control.packet is not None
        self._control = control
        self._packet = control.packet
        self._effects = Effects(acg)
        self._legal: dict[tuple[tuple[str, str], ...], bool] = {}
        self._pairs: dict[tuple[Effect, Effect], tuple[bool, bool]] = {}

    def packets(self, operations: Sequence[Operation]) -> Iterator[Operation]:
        """Operations, several in a packet, in the order of execution; none moves into a loop, out
        of it, or past it."""
        straight: list[Operation] = []
        for operation in operations:
            if not isinstance(operation, Loop):
                straight.append(operation)
                continue
            yield from self._straight(straight)
            straight = []
            self._effects.enter(operation)
            yield Loop(operation.count, tuple(self.packets(operation.body)))
            self._effects.leave()
        yield from self._straight(straight)

    def _straight(self, operations: Sequence[Operation]) -> Iterator[Operation]:
        """Packets of operations without loops."""
        window: list[_Entry] = []
        coming = iter(operations)
        number = 0
        while True:
            while len(window) < _WINDOW:
                operation = next(coming, None)
                if operation is None:
                    break
                window.append(self._entry(operation, window))
            if not window:
                return
            members = self._chosen(window, number)
            window = [entry for entry in window if entry.packet < 0]
            number += 1
            yield members[0] if len(members) == 1 else Packet(members)

    def _entry(self, operation: Operation, window: Sequence[_Entry]) -> _Entry:
        effect = self._effects.of(operation)
        entry = _Entry(operation, form_of(operation, self._control), effect)
        for other in window:
            sees, follows = self._dependence(effect, other.effect)
            if sees:
                entry.sees.append(other)
            elif follows:
                entry.follows.append(other)
        return entry

    def _dependence(self, effect: Effect, earlier: Effect) -> tuple[bool, bool]:
        """Whether one must see or follow an earlier one; programs repeat the same pairs."""
        key = (effect, earlier)
        found = self._pairs.get(key)
        if found is None:
            found = self._pairs[key] = (effect.must_see(earlier), effect.must_follow(earlier))
        return found

    def _chosen(self, window: Sequence[_Entry], number: int) -> tuple[Operation, ...]:
        """Operations of the next packet, in program order; at least the first that waits."""
        chosen: list[_Entry] = []
        for entry in window:
            if entry.ready(number) and self._fits([*chosen, entry]):
                entry.packet = number
                chosen.append(entry)
                if len(chosen) == self._packet.slots:
                    break
        return tuple(entry.operation for entry in chosen)

    def _fits(self, entries: Sequence[_Entry]) -> bool:
        key = tuple((e.form.name, started_unit(e.operation)) for e in entries)
        found = self._legal.get(key)
        if found is None:
            forms, started = [e.form for e in entries], [unit for _, unit in key]
            found = self._legal[key] = not fault(forms, started, self._packet)
        return found


def dependent(words: Sequence[int], acg: Acg) -> Iterator[tuple[int, str]]:
    """Words that depend on one of their own packet, in any iteration of the loops around them, and
    how."""
    control = acg.control
    if control is not None and control.packet is not None:
        yield from _dependent(decode(words, control), Effects(acg), 0)


def _dependent(
    operations: Sequence[Operation], effects: Effects, word: int
) -> Iterator[tuple[int, str]]:
    """Of operations that begin at a word."""
    for operation in operations:
        together: list[tuple[int, Effect]] = []
        members = operation.members if isinstance(operation, Packet) else (operation,)
        for number, member in enumerate(members, word):
            if isinstance(member, Loop):
                effects.enter(member)
                yield from _dependent(member.body, effects, word + 1)
                effects.leave()
                continue
            effect = effects.of(member)
            for other, earlier in together:
                if effect.must_see(earlier):
                    yield number, f"depends on word {other}, which stands in the same packet"
            together.append((number, effect))
        word += count_words((operation,))
