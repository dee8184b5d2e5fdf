"""The mnemonic that an operation is written with.

In: an operation and a control node. Out: its form; CovenantError (EMI002) when there is none.
"""

from __future__ import annotations

from typing import assert_never

from covenant.acg.control import Control, ControlUnit, Mnemonic
from covenant.core.diagnostics import did_you_mean, fail
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
)


def effect_of(operation: Operation) -> str:
    """The effect of the mnemonic that an operation needs."""
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
        case Packet():
            raise AssertionError("a packet has no effect of its own")
        case _:
            assert_never(operation)


def form_of(operation: Operation, control: Control) -> Mnemonic:
    """The form of an operation that is one word."""
    effect = effect_of(operation)
    match operation:
        case Add(value=value) if _is_high(value, control):
            unit = unit_of(operation.unit, control)
            found = control.form("add_high", unit, operation.register)
        case Write() | WriteHigh() | Add() | ReverseSubtract():
            found = control.form(effect, unit_of(operation.unit, control), operation.register)
        case Launch():
            found = control.form(effect, unit_of(operation.unit, control))
        case Instruction(mnemonic):
            found = next((m for m in control.mnemonics if m.name == mnemonic), None)
        case _:
            found = control.mnemonic(effect)
    if found is not None:
        return found
    raise fail(
        "EMI002",
        f"the program needs a mnemonic with the effect '{effect}', there is none",
        control.span,
        f"add one under control.mnemonics: name: {{effect: {effect}, fields: …}}",
    )


def _is_high(value: int, control: Control) -> bool:
    """Whether a value is added above the bits that `add` has."""
    bits = control.add_bits
    return bool(value) and not value % (1 << bits) and control.mnemonic("add_high") is not None


def unit_of(name: str, control: Control) -> ControlUnit:
    """The unit of that name."""
    units = {unit.name: unit for unit in control.units}
    if name not in units:
        raise fail("EMI002", f"no unit '{name}'", control.span, did_you_mean(name, units))
    return units[name]
