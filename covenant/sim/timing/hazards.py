"""What a launch of a machine without semaphores must wait for: earlier launches that touch the same
addresses.

In: launches in program order with the addresses they read and write. Out: those that are not done
yet and conflict: one of the two writes where the other reads or writes.
"""

from __future__ import annotations

from covenant.emit.touched import Touched
from covenant.sim.timing.queues import Job


class Hazards:
    """Launches that are not done."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Job, Touched]] = []

    def before(self, unit: str, touched: Touched) -> tuple[Job, ...]:
        """Launches of other units that one with these addresses must wait for; a unit keeps the
        order of its own."""
        self._open = [each for each in self._open if each[1].left]
        return tuple(j for u, j, own in self._open if u != unit and own.conflicts(touched))

    def add(self, unit: str, job: Job, touched: Touched) -> None:
        """A launch."""
        self._open.append((unit, job, touched))
