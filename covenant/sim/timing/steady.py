"""Loops in their steady state: iterations that take equally long need not all be modelled.

In: words in execution order, what the machine looks like whenever an iteration ends. Out: the same
words without those iterations, and how many were left out. An iteration repeats the one before when
it took as long, moved every register by as much, and left queues and events as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from covenant.emit.program import Loop, Operation
from covenant.sim.timing.counters import LeftOut

_ALIKE = 1
"""Times that an iteration must have been like the one before until others are left out."""
_KEPT = 1
"""Iterations at the end of a loop that are modelled whatever came before."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of an iteration: time in ticks, registers, what is in queues and when events come,
    relative to it; counters, numbers of jobs that nodes have had so far, and what was left out."""

    time: int
    registers: tuple[int, ...]
    waiting: tuple[int, ...]
    counted: Mapping[str, int]
    held: tuple[int, ...]
    more: LeftOut


@dataclass(slots=True)
class _Round:
    """A loop that runs: its body, iterations left, moments at the ends of the last ones."""

    start: int
    end: int
    left: int
    moments: list[Moment] = field(default_factory=list)
    alike: int = 0


def steady_execution(
    flat: Sequence[Operation],
    lengths: Sequence[int],
    moment: Callable[[], Moment],
    leave_out: Callable[[int, Moment, Moment], None],
) -> Iterator[tuple[int, Operation]]:
    """(word, operation) in execution order, but for iterations of which `leave_out` is told: how
    many, and the moments before and after one of them."""
    stack: list[_Round] = []
    at = 0
    while at < len(flat):
        operation = flat[at]
        yield at, operation
        at += 1
        if isinstance(operation, Loop):
            stack.append(_Round(at, at + lengths[at - 1], operation.count))
        while stack and at == stack[-1].end:
            running = stack[-1]
            running.left -= 1
            if running.left > _KEPT:
                _note(running, moment())
                if running.alike >= _ALIKE:
                    leave_out(running.left - _KEPT, *running.moments[-2:])
                    running.left, running.moments, running.alike = _KEPT, [], 0
            if running.left > 0:
                at = running.start
                break
            stack.pop()


def _note(loop: _Round, now: Moment) -> None:
    """Another end of an iteration."""
    loop.moments = [*loop.moments[-2:], now]
    if len(loop.moments) == 3:
        loop.alike = loop.alike + 1 if _repeats(*loop.moments) else 0


def _repeats(oldest: Moment, before: Moment, now: Moment) -> bool:
    """Whether the second of two iterations was like the first."""
    if now.time - before.time != before.time - oldest.time or before.waiting != now.waiting:
        return False
    return all(
        c - b == b - a
        for a, b, c in zip(oldest.registers, before.registers, now.registers, strict=True)
    )
