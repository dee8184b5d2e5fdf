"""Values of registers over the iterations of loops.

In: operations that set registers or add to them. Out: what a sequence of them does to each
register, and the span of values it has in any iteration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covenant.emit.program import (
    Add,
    Loop,
    Operation,
    Packet,
    ReverseSubtract,
    Write,
    WriteHigh,
    steps,
)

Span = tuple[int, int]
"""The lowest and the highest value."""
Key = tuple[str, str]
"""Unit and register."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a register: it is set to `value`, or `value` is added. None: either, or the
    bits above `low` are set, depending on what it was."""

    sets: bool
    value: int | None
    low: int = 0

    def then(self, later: Change) -> Change:
        """Both, one after the other."""
        if later.low:
            if self.sets and self.value is not None and later.value is not None:
                kept = self.value & (1 << later.low) - 1
                return Change(True, _signed(later.value | kept))
            return Change(False, None)
        if later.sets or self.value is None:
            return later if later.sets else self
        if later.value is None:
            return later
        return Change(self.sets, self.value + later.value)

    def times(self, count: int) -> Change:
        """So many times."""
        if self.sets or self.value is None or self.low:
            return self
        return Change(False, self.value * count)


def change_of(operations: Sequence[Operation]) -> Mapping[Key, Change]:
    """What a sequence of operations does to every register that it writes."""
    found: dict[Key, Change] = {}
    for operation in operations:
        for key, change in _changes(operation):
            found[key] = found[key].then(change) if key in found else change
    return found


def _changes(operation: Operation) -> list[tuple[Key, Change]]:
    if isinstance(operation, Loop):
        own = change_of(operation.body).items()
        return [(key, change.times(operation.count)) for key, change in own]
    if isinstance(operation, Packet):
        return [each for member in operation.members for each in _changes(member)]
    found: list[tuple[Key, Change]] = []
    for step in steps(operation):
        match step:
            case Write(unit, register, value):
                found.append(((unit, register), Change(True, _signed(value))))
            case Add(unit, register, value):
                found.append(((unit, register), Change(False, value)))
            case WriteHigh(unit, register, value, low):
                found.append(((unit, register), Change(False, value << low, low)))
            case ReverseSubtract(unit, register, _):
                found.append(((unit, register), Change(False, None)))
            case _:
                pass
    return found


def changed(before: Span | None, change: Change, count: int) -> Span | None:
    """A register after so many times; None where nothing is known."""
    if change.value is None:
        return None
    if change.sets:
        return (change.value, change.value)
    if before is None:
        return None
    low, high = before
    if change.low:
        if low != high:
            return None
        value = _signed(change.value | low & (1 << change.low) - 1)
        return (value, value)
    low, high = low + count * change.value, high + count * change.value
    return (low, high) if low >= -(1 << 31) and high < 1 << 31 else None


def over_iterations(before: Span | None, change: Change, count: int) -> Span | None:
    """A register at the start of any of so many iterations."""
    last = changed(before, change, count - 1) if count > 1 else before
    if before is None or last is None:
        return None
    return (min(before[0], last[0]), max(before[1], last[1]))


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
