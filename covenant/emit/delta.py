"""Removal of redundant configuration writes: invocations become register operations and launches.

In: invocations in program order. Out: per invocation the operations that bring the registers of
its unit from what the previous launch left to what it needs. Addresses of one buffer move by
differences so that repeated steps of a loop nest become equal operations, which `emit.fold` folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from covenant.acg.control import Control, ControlUnit, Mnemonic
from covenant.core.diagnostics import fail
from covenant.emit.program import (
    Add,
    Address,
    Instruction,
    Invocation,
    Launch,
    Operation,
    ReverseSubtract,
    Write,
    WriteHigh,
)
from covenant.emit.selection import select

_REMEMBERED = 10_000
"""Launches whose instructions are kept; those of tiles that lie alike share their addresses."""


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """Instructions of a launch with these quantities whose other registers are up to date.

    quantities, names: of the launch, with its addresses; needed: registers that the instructions do
    not write; writes: the instructions, and whether each writes an address.
    """

    quantities: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    needed: tuple[tuple[str, int], ...]
    writes: tuple[tuple[Instruction, bool], ...]
    known: dict[int, tuple[tuple[Address, ...], list[tuple[tuple[str, int], ...]]]] = field(
        default_factory=dict
    )
    """What the instructions write, by identity of the addresses of a launch."""


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """Operations of a launch, and the registers of its unit after it."""

    invocation: Invocation
    operations: list[Operation]
    values: Mapping[str, int]


@dataclass(slots=True)
class _Shadow:
    """What the registers of one unit hold before its next launch."""

    values: dict[str, int]
    addresses: dict[str, Address] = field(default_factory=dict)
    quantities: tuple[tuple[str, int], ...] = ()
    defaults: Mapping[str, int] = field(default_factory=dict)
    """What is written to registers that a launch says nothing about, of a unit with instructions
    of its own; its `values` are those that are known, none at a program start."""
    chosen: dict[int, _Chosen] = field(default_factory=dict)
    """By identity of the quantities of a launch."""
    made: dict[tuple[object, ...], _Made] = field(default_factory=dict)
    """By identity of a launch and the registers before it, where loops repeat launches."""


class RegisterFile:
    """Shadow registers of all units, from a program start on."""

    def __init__(self, control: Control) -> None:
        effects = {m.effect for m in control.mnemonics}
        self._adds = "add" in effects
        self._adds_high = "add_high" in effects
        self._subtracts = "reverse_subtract" in effects
        self._low = control.low_bits
        self._bits = _value_bits(control)
        self._control = control
        self._units = {u.name: u for u in control.units if control.forms(u.name)}
        self._shadows = {
            u.name: _Shadow({}, defaults=_reset(u)) if u.name in self._units else _Shadow(_reset(u))
            for u in control.units
        }

    def operations(self, invocation: Invocation) -> list[Operation]:
        """Register operations of an invocation, then its launch."""
        unit = invocation.unit
        shadow = self._shadows[unit]
        if unit in self._units and self._control.loop_depth:
            return self._same(self._units[unit], shadow, invocation)
        if unit in self._units:
            return self._instructions(self._units[unit], shadow, invocation)
        result: list[Operation] = []
        if invocation.quantities is not shadow.quantities:
            values = shadow.values
            for quantity, value in invocation.quantities:
                old = values.get(quantity)
                if old != value:
                    result += self._written(unit, quantity, value, old)
                    values[quantity] = value
            shadow.quantities = invocation.quantities
        for address in invocation.addresses:
            result += self._move(shadow, unit, address)
        result.append(Launch(unit, invocation.waits, invocation.posts))
        return result

    def _same(self, unit: ControlUnit, shadow: _Shadow, invocation: Invocation) -> list[Operation]:
        """Instructions of a launch, the same ones whenever it comes after the same registers."""
        key = (id(invocation), *shadow.values.values())
        made = shadow.made.get(key)
        if made is None:
            operations = self._instructions(unit, shadow, invocation)
            # Registers are known in the same order from the first launch that needs all of them.
            after = dict(sorted(shadow.values.items()))
            made = shadow.made[key] = _Made(invocation, operations, after)
        shadow.values = dict(made.values)
        return made.operations

    def _instructions(
        self, unit: ControlUnit, shadow: _Shadow, invocation: Invocation
    ) -> list[Operation]:
        """Instructions of the unit that leave its registers as the launch needs them."""
        again = shadow.chosen.get(id(invocation.quantities))
        if again is not None and _applies(again, invocation, shadow.values):
            return _repeated(again, shadow.values, invocation)
        wanted = dict(invocation.quantities)
        wanted.update((address.quantity, address.value) for address in invocation.addresses)
        check_fixed(unit, wanted)
        wanted = {r.quantity: wanted[r.quantity] for r in unit.registers if r.quantity in wanted}
        wanted = {name: value for name, value in wanted.items() if not fixed(unit, name)}
        result: list[Operation] = []
        chosen = select(self._control, unit, wanted, shadow.values)
        for form in chosen:
            values = [
                (bits.name, wanted.get(bits.name, self._kept(shadow, bits.name)))
                for bits in form.fields
                if bits.constant is None and bits.name not in form.adds
            ]
            values += form.sets
            adds = _differences(form.adds, wanted, shadow.values)
            shadow.values.update(values)
            shadow.values.update((name, wanted[name]) for name in form.adds)
            last = form is chosen[-1]
            waits, posts = (invocation.waits, invocation.posts) if last else ((), ())
            written = tuple(values)
            origin = invocation.origin if last else ""
            made = Instruction(form.name, unit.name, written, last, waits, posts, origin, adds)
            result.append(made)
        self._remember(unit, shadow, invocation, wanted, chosen, result)
        return result

    def _remember(
        self,
        unit: ControlUnit,
        shadow: _Shadow,
        invocation: Invocation,
        wanted: Mapping[str, int],
        chosen: tuple[Mnemonic, ...],
        result: Sequence[Operation],
    ) -> None:
        """Keep the instructions of a launch for those that differ from it in addresses only."""
        final = chosen[-1]
        always = (*(self._control.named(name) for name in final.after), final)
        written = {name for form in always for name in form.quantities}
        names = tuple(a.quantity for a in invocation.addresses)
        registers = [unit.register(name) for name in names]
        limited = any(r is None or r.fixed or r.maximum is not None for r in registers)
        if (
            limited
            or self._control.loop_depth
            or not written >= set(names)
            or not set(wanted) >= written - _set(always)
        ):
            return
        writes = tuple(
            (operation, any(name in names for name, _ in operation.values))
            for operation in result[-len(always) :]
            if isinstance(operation, Instruction)
        )
        needed = tuple((n, v) for n, v in wanted.items() if n not in written)
        quantities = invocation.quantities
        shadow.chosen[id(quantities)] = _Chosen(quantities, names, needed, writes)

    @staticmethod
    def _kept(shadow: _Shadow, quantity: str) -> int:
        return shadow.values.get(quantity, shadow.defaults[quantity])

    def _written(self, unit: str, quantity: str, value: int, old: int | None) -> list[Operation]:
        """A register of known or unknown contents set to a value: by its low bits, which carry
        their sign, by the bits above them, or by both."""
        value = self._wrap(value)
        low = self._low
        if not low:
            return [Write(unit, quantity, value)]
        half = 1 << (low - 1)
        lowest = (value + half) % (2 * half) - half
        upper = WriteHigh(unit, quantity, value >> low, low)
        if lowest == value:
            return [Write(unit, quantity, value)]
        if old is not None and not (old ^ value) & 2 * half - 1:
            return [upper]
        return [Write(unit, quantity, lowest), upper]

    def _move(self, shadow: _Shadow, unit: str, address: Address) -> list[Operation]:
        quantity, value = address.quantity, address.value
        old = shadow.values.get(quantity)
        before = shadow.addresses.get(quantity)
        shadow.values[quantity] = value
        shadow.addresses[quantity] = address
        if old == value:
            return []
        if old is None or before is None or before.buffer != address.buffer:
            return self._written(unit, quantity, value, old)
        if before.slot != address.slot and self._subtracts:
            return [ReverseSubtract(unit, quantity, self._wrap(value + old))]
        if before.slot == address.slot and self._adds:
            moves = self._added(unit, quantity, value - old)
            if moves:
                return moves
        return self._written(unit, quantity, value, old)

    def _added(self, unit: str, quantity: str, value: int) -> list[Operation]:
        """A difference added to a register, at once or by its low bits, which carry their sign,
        and those above them; nothing when it does not fit."""
        bits = self._control.add_bits
        half = 1 << (bits - 1)
        value = self._wrap(value)
        if -half <= value < half:
            return [Add(unit, quantity, value)]
        if not self._adds_high:
            return []
        low = (value + half) % (2 * half) - half
        if not -half <= (value - low) >> bits < half:
            return []
        parts = [Add(unit, quantity, part) for part in (low, value - low) if part]
        return list(parts)

    def _wrap(self, value: int) -> int:
        """Two's complement in the width of the value field."""
        half = 1 << (self._bits - 1)
        return (value + half) % (2 * half) - half if -half <= value < 2 * half else value


def _differences(
    names: Sequence[str], wanted: Mapping[str, int], held: Mapping[str, int]
) -> tuple[tuple[str, int], ...]:
    """What is added to registers so that they hold what is wanted."""
    return tuple((name, wanted[name] - held[name]) for name in names)


def _set(forms: Sequence[Mnemonic]) -> set[str]:
    """Registers that forms write with a constant of their own."""
    return {name for form in forms for name, _ in form.sets}


def _applies(chosen: _Chosen, invocation: Invocation, held: Mapping[str, int]) -> bool:
    """Whether a launch needs the same instructions, with other addresses."""
    return (
        chosen.quantities is invocation.quantities
        and chosen.names == tuple([a.quantity for a in invocation.addresses])
        and all(held.get(name) == value for name, value in chosen.needed)
    )


def _repeated(chosen: _Chosen, held: dict[str, int], invocation: Invocation) -> list[Operation]:
    """The instructions with the addresses of another launch."""
    _, written = chosen.known.get(id(invocation.addresses), (None, None))
    if written is None:
        addresses = {a.quantity: a.value for a in invocation.addresses}
        written = [
            tuple([(name, addresses.get(name, value)) for name, value in one.values])
            if moves
            else one.values
            for one, moves in chosen.writes
        ]
        if len(chosen.known) < _REMEMBERED:
            chosen.known[id(invocation.addresses)] = invocation.addresses, written
    result: list[Operation] = []
    for (one, _), values in zip(chosen.writes, written, strict=True):
        held.update(values)
        origin = invocation.origin if one.launches else ""
        waits, posts = (invocation.waits, invocation.posts) if one.launches else ((), ())
        made = Instruction(one.mnemonic, one.unit, values, one.launches, waits, posts, origin)
        result.append(made)
    return result


def fixed(unit: ControlUnit, quantity: str) -> bool:
    """Whether the hardware fixes a register."""
    register = unit.register(quantity)
    return register is not None and register.fixed


def check_fixed(unit: ControlUnit, wanted: Mapping[str, int]) -> None:
    """CovenantError when a launch needs a register to differ from what the hardware fixes, or to
    be larger than it may be."""
    for register in unit.registers:
        value = wanted.get(register.quantity, register.reset)
        if register.fixed and value != register.reset:
            raise fail(
                "EMI005",
                f"a launch needs {register.quantity} = {value}, unit '{unit.name}' always has "
                f"{register.reset}",
                unit.span,
            )
        if register.maximum is not None and value > register.maximum:
            raise fail(
                "EMI005",
                f"a launch needs {register.quantity} = {value}, unit '{unit.name}' takes at most "
                f"{register.maximum}",
                unit.span,
            )


def _reset(unit: ControlUnit) -> dict[str, int]:
    return {r.quantity: r.reset for r in unit.registers}


def _value_bits(control: Control) -> int:
    """Bits of a register that words give, at once or in two parts."""
    found = 0
    for effect in ("write", "write_high"):
        form = control.mnemonic(effect)
        value = form.bit_field("value") if form else None
        found += value.width_bits if value else 0
    return found or control.word_bits
