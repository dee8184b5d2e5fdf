"""What operations depend on: registers of units, and addresses that launches touch.

In: operations of one word each, in program order, and the loops around them. Out: their `Effect`s,
which hold for all iterations of those loops, and whether one operation must come behind another.
Only for machines that execute in program order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covenant.acg.graph import Acg
from covenant.emit.program import (
    Add,
    Instruction,
    Launch,
    Loop,
    Operation,
    Write,
    WriteHigh,
    started_unit,
    steps,
)
from covenant.emit.spans import Change, Span, change_of, changed, over_iterations
from covenant.emit.touched import Range, Touched, touched
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
    """Follows the registers of all units through a program. Inside loops a register stands for all
    values it has in any iteration."""

    def __init__(self, acg: Acg) -> None:
        assert acg.control is not None
        self._units = {u.name: read_unit(acg, u) for u in acg.control.units}
        self._registers: dict[str, dict[str, Span | None]] = {
            u.name: {r.quantity: (r.reset, r.reset) for r in u.registers} for u in acg.control.units
        }
        self._changes: dict[int, Mapping[tuple[str, str], Change]] = {}
        self._left: list[dict[tuple[str, str], Span | None]] = []
        self._writes: dict[tuple[str, frozenset[str]], Effect] = {}
        self._launches: dict[tuple[object, ...], Effect] = {}
        self._alone = Effect("", alone=True)

    def enter(self, loop: Loop) -> None:
        """What follows are the operations of its body."""
        change = change_of(loop.body)
        after: dict[tuple[str, str], Span | None] = {}
        for (unit, register), own in change.items():
            before = self._registers[unit][register]
            after[unit, register] = changed(before, own, loop.count)
            self._registers[unit][register] = over_iterations(before, own, loop.count)
        self._left.append(after)

    def leave(self) -> None:
        """What follows comes behind the loop that was entered last."""
        for (unit, register), span in self._left.pop().items():
            self._registers[unit][register] = span

    def of(self, operation: Operation) -> Effect:
        """The effect of the next operation."""
        if not isinstance(operation, Write | WriteHigh | Add | Launch | Instruction) or (
            not operation.unit
        ):
            return self._alone
        unit = operation.unit
        registers = self._registers[unit]
        sets: set[str] = set()
        for step in steps(operation):
            if isinstance(step, Write | WriteHigh | Add):
                registers[step.register] = changed(
                    registers[step.register], change_of((step,))[unit, step.register], 1
                )
                sets.add(step.register)
        written = frozenset(sets)
        if not started_unit(operation):
            return self._writes.setdefault((unit, written), Effect(unit, written))
        key = (unit, written, tuple(registers.values()))
        found = self._launches.get(key)
        if found is None:
            found = self._launches[key] = self._launch(unit, written, registers)
        return found

    def _launch(
        self, unit: str, written: frozenset[str], registers: Mapping[str, Span | None]
    ) -> Effect:
        """A launch with any of these values; one whose shape is not known is `alone`."""
        low: dict[str, int] = {}
        high: dict[str, int] = {}
        for name, span in registers.items():
            if span is None or (span[0] != span[1] and not name.endswith("base")):
                return self._alone
            low[name], high[name] = span
        first, last = touched(self._units[unit], low), touched(self._units[unit], high)
        both = Touched(_hull(first.reads, last.reads), _hull(first.writes, last.writes))
        return Effect(unit, written, True, False, both)


def _hull(first: Sequence[Range], last: Sequence[Range]) -> tuple[Range, ...]:
    """Ranges from where the lowest addresses begin to where the highest ones end."""
    return tuple((a[0], a[1], b[2]) for a, b in zip(first, last, strict=True))
