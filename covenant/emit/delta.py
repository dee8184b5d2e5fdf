"""Removal of redundant configuration writes: invocations become register operations and launches.

In: invocations in program order. Out: per invocation the operations that bring the registers of
its unit from what the previous launch left to what it needs. Addresses of one buffer move by
differences so that repeated steps of a loop nest become equal operations, which `emit.fold` folds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from covenant.acg.control import Control, ControlUnit
from covenant.emit.program import (
    Add,
    Address,
    Invocation,
    Launch,
    Operation,
    ReverseSubtract,
    Write,
)


@dataclass(slots=True)
class _Shadow:
    """What the registers of one unit hold before its next launch."""

    values: dict[str, int]
    addresses: dict[str, Address] = field(default_factory=dict)
    quantities: tuple[tuple[str, int], ...] = ()


class RegisterFile:
    """Shadow registers of all units, from a program start on."""

    def __init__(self, control: Control) -> None:
        effects = {m.effect for m in control.mnemonics}
        self._adds = "add" in effects
        self._subtracts = "reverse_subtract" in effects
        self._bits = _value_bits(control)
        self._shadows = {u.name: _Shadow(_reset(u)) for u in control.units}

    def operations(self, invocation: Invocation) -> list[Operation]:
        """Register operations of an invocation, then its launch."""
        unit = invocation.unit
        shadow = self._shadows[unit]
        result: list[Operation] = []
        if invocation.quantities is not shadow.quantities:
            values = shadow.values
            for quantity, value in invocation.quantities:
                if values.get(quantity) != value:
                    result.append(Write(unit, quantity, self._wrap(value)))
                    values[quantity] = value
            shadow.quantities = invocation.quantities
        for address in invocation.addresses:
            operation = self._move(shadow, unit, address)
            if operation is not None:
                result.append(operation)
        result.append(Launch(unit, invocation.waits, invocation.posts))
        return result

    def _move(self, shadow: _Shadow, unit: str, address: Address) -> Operation | None:
        quantity, value = address.quantity, address.value
        old = shadow.values.get(quantity)
        before = shadow.addresses.get(quantity)
        shadow.values[quantity] = value
        shadow.addresses[quantity] = address
        if old == value:
            return None
        if old is None or before is None or before.buffer != address.buffer:
            return Write(unit, quantity, self._wrap(value))
        if before.slot != address.slot and self._subtracts:
            return ReverseSubtract(unit, quantity, self._wrap(value + old))
        if before.slot == address.slot and self._adds:
            return Add(unit, quantity, self._wrap(value - old))
        return Write(unit, quantity, self._wrap(value))

    def _wrap(self, value: int) -> int:
        """Two's complement in the width of the value field."""
        half = 1 << (self._bits - 1)
        return (value + half) % (2 * half) - half if -half <= value < 2 * half else value


def _reset(unit: ControlUnit) -> dict[str, int]:
    return {r.quantity: r.reset for r in unit.registers}


def _value_bits(control: Control) -> int:
    for mnemonic in control.mnemonics:
        for bits in mnemonic.fields:
            if mnemonic.effect == "write" and bits.name == "value":
                return bits.high - bits.low + 1
    return control.word_bits
