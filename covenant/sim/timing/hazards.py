"""What a launch of a machine without semaphores must wait for: earlier launches that touch the same
addresses.

In: launches in program order with the addresses they read and write. Out: those that are not done
yet and conflict: one of the two writes words that the other reads or writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd

import numpy as np

from covenant.acg.graph import Acg
from covenant.emit.accesses import Accesses, Words, rescaled
from covenant.emit.steps import active, expected_beats
from covenant.emit.touched import Touched
from covenant.emit.units import ComputeUnit, Dma, Registers
from covenant.sim.timing.queues import Job


@dataclass(frozen=True, slots=True)
class _Side:
    """Words that a launch reads or writes in one memory; first and last byte are close enough where
    `words` is None."""

    memory: str
    writes: bool
    words: Words | None
    word_bytes: int

    def meets(self, other: _Side) -> bool:
        """Whether both touch a byte, and one writes it."""
        if self.memory != other.memory or not (self.writes or other.writes):
            return False
        if self.words is None or other.words is None:
            return True
        grain = gcd(self.word_bytes, other.word_bytes)
        mine = rescaled(self.words, self.word_bytes, grain)
        theirs = rescaled(other.words, other.word_bytes, grain)
        return bool(np.intersect1d(mine, theirs, assume_unique=True).size)


@dataclass(slots=True, eq=False)
class _Launch:
    """A launch that is not done."""

    unit: Dma | ComputeUnit
    registers: Registers
    touched: Touched
    sides: tuple[_Side, ...] | None = field(default=None)


class Hazards:
    """Launches that are not done."""

    def __init__(self, acg: Acg) -> None:
        self._open: list[tuple[str, Job, _Launch]] = []
        self._instances = {memory.name for memory in acg.memories if memory.per}
        self._accesses = Accesses(lambda _: None)

    def add(
        self, name: str, job: Job, unit: Dma | ComputeUnit, registers: Registers, touched: Touched
    ) -> tuple[Job, ...]:
        """A launch; returns those of other units that it must wait for; a unit keeps the order of
        its own."""
        launch = _Launch(unit, dict(registers), touched)
        self._open = [each for each in self._open if each[1].left]
        found = tuple(j for u, j, own in self._open if u != name and self._conflict(own, launch))
        self._open.append((name, job, launch))
        return found

    def _conflict(self, earlier: _Launch, later: _Launch) -> bool:
        """Whether the order of the two matters: first by ranges, then by words."""
        if not earlier.touched.conflicts(later.touched):
            return False
        return any(a.meets(b) for a in self._sides(earlier) for b in self._sides(later))

    def _sides(self, launch: _Launch) -> tuple[_Side, ...]:
        if launch.sides is None:
            launch.sides = tuple(self._touched(launch.unit, launch.registers))
        return launch.sides

    def _touched(self, unit: Dma | ComputeUnit, registers: Registers) -> Iterator[_Side]:
        if isinstance(unit, Dma):
            sides = ["dst"] if registers.get("fill", 0) else ["src", "dst"]
            for side in sides:
                memory = unit.source if side == "src" else unit.target
                exact = memory.name not in self._instances
                words = self._accesses.dma(unit, registers, side) if exact else None
                yield _Side(memory.name, side == "dst", words, unit.word_bytes)
            return
        unit = unit.shaped(registers)
        for stream in unit.streams:
            if not unit.takes_part(stream.key, registers):
                continue
            own = active(unit, stream.key, registers)
            words = None
            if own.memory not in self._instances:
                beats = expected_beats(unit, stream.key, registers)
                shape = self._accesses.shape(own, registers, beats)
                words = self._accesses.words(shape, registers[f"{own.key}.base"], own.word_bytes)
            yield _Side(own.memory, stream.key == unit.output, words, own.word_bytes)
