"""What operations depend on: registers of units, and addresses that launches touch.

In: operations of one word each, in program order. Out: their `Effect`s, and whether one operation
must come behind another. Only for machines that execute in program order.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.acg.graph import Acg
from covenant.emit.program import (
    Instruction,
    Launch,
    Operation,
    Write,
    WriteHigh,
    started_unit,
    steps,
)
from covenant.emit.touched import Touched, touched
from covenant.emit.units import read_unit

_NOTHING = Touched((), ())


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """unit: whose registers it writes (`sets`) or which it `launches`; alone: nothing may move
    across it; touched: by its launch. Equal ones are shared: pairs are known by identity."""

    unit: str
    sets: frozenset[str] = frozenset()
    launches: bool = False
    alone: bool = False
    touched: Touched = _NOTHING

    def must_see(self, earlier: Effect) -> bool:
        """Whether it depends on what an earlier operation writes: it stands in a later packet."""
        if self.alone or earlier.alone:
            return True
        if self.unit == earlier.unit:
            both = self.launches and earlier.launches
            if both or self.sets & earlier.sets or (self.launches and earlier.sets):
                return True
        return earlier.touched.feeds(self.touched)

    def must_follow(self, earlier: Effect) -> bool:
        """Whether it may not come before an earlier operation, but may stand in the same packet."""
        overwrites = self.unit == earlier.unit and bool(earlier.launches and self.sets)
        return overwrites or self.must_see(earlier) or earlier.touched.conflicts(self.touched)


class Effects:
    """Follows the registers of all units through a program."""

    def __init__(self, acg: Acg) -> None:
        assert acg.control is not None
        self._units = {u.name: read_unit(acg, u) for u in acg.control.units}
        self._registers = {
            u.name: {r.quantity: r.reset for r in u.registers} for u in acg.control.units
        }
        self._writes: dict[tuple[str, frozenset[str]], Effect] = {}
        self._launches: dict[tuple[str, frozenset[str], tuple[int, ...]], Effect] = {}
        self._alone = Effect("", alone=True)

    def of(self, operation: Operation) -> Effect:
        """The effect of the next operation."""
        if not isinstance(operation, Write | WriteHigh | Launch | Instruction) or (
            not operation.unit
        ):
            return self._alone
        unit = operation.unit
        registers = self._registers[unit]
        sets: set[str] = set()
        for step in steps(operation):
            if isinstance(step, Write):
                registers[step.register] = step.value
                sets.add(step.register)
            elif isinstance(step, WriteHigh):
                registers[step.register] = step.over(registers[step.register])
                sets.add(step.register)
        written = frozenset(sets)
        if not started_unit(operation):
            return self._writes.setdefault((unit, written), Effect(unit, written))
        key = (unit, written, tuple(registers.values()))
        found = self._launches.get(key)
        if found is None:
            ranges = touched(self._units[unit], registers)
            found = self._launches[key] = Effect(unit, written, True, False, ranges)
        return found
