"""Simulated time: events in order, and flows whose speed depends on which others run.

In: actions at times, flows of work. Out: actions called in the order of their times. Times and work
are whole ticks, `TICKS` of them per cycle, so that a flow may run at any speed without rounding.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from covenant.sim.timing.traffic import Traffic

TICKS = 1024
"""Ticks of a cycle."""

Action = Callable[[], None]


@dataclass(slots=True, eq=False)
class Flow:
    """Work that goes on until its last mark.

    total: ticks it takes at full speed. traffic: what it asks of the banks meanwhile. done: ticks
    of work up to `since`; slowness: ticks of time per TICKS of work; marks: actions at positions.
    """

    total: int
    traffic: Traffic
    done: int = 0
    since: int = 0
    slowness: int = TICKS
    marks: list[tuple[int, int, Action]] = field(default_factory=list)
    version: int = 0
    running: bool = False


class Agenda:
    """The clock. `slowness` tells how slow flows with these traffic are when they run at once."""

    def __init__(self, slowness: Callable[[Sequence[Traffic]], Sequence[int]]) -> None:
        self.now = 0
        self._slowness = slowness
        self._events: list[tuple[int, int, Action]] = []
        self._order = count()
        self._flows: list[Flow] = []

    def at(self, time: int, action: Action) -> None:
        """Call the action at a time, in ticks; not before now."""
        heapq.heappush(self._events, (max(time, self.now), next(self._order), action))

    def ahead(self, time: int) -> tuple[int, ...]:
        """When events come, from a time on."""
        return tuple(sorted(at - time for at, _, _ in self._events))

    def run(self) -> None:
        """Call actions until none is left."""
        while self._events:
            self.now, _, action = heapq.heappop(self._events)
            action()

    def start(self, flow: Flow) -> None:
        """The flow goes on from where it is."""
        flow.running = True
        flow.since = self.now
        self._flows.append(flow)
        self._share()

    def finish(self, flow: Flow) -> None:
        """The flow has ended; marks at its end that are left are reached now."""
        self.stop(flow)
        while flow.marks:
            heapq.heappop(flow.marks)[2]()

    def stop(self, flow: Flow) -> None:
        """The flow pauses."""
        self._settle(flow)
        flow.running = False
        flow.version += 1
        self._flows.remove(flow)
        self._share()

    def mark(self, flow: Flow, position: int, action: Action) -> None:
        """Call the action when so much work is done; at once when it is."""
        if flow.running:
            self._settle(flow)
        heapq.heappush(flow.marks, (min(position, flow.total), next(self._order), action))
        if flow.running:
            self._schedule(flow)

    def _share(self) -> None:
        for flow, slowness in zip(
            self._flows, self._slowness([f.traffic for f in self._flows]), strict=True
        ):
            if slowness != flow.slowness or flow.since == self.now:
                self._settle(flow)
                flow.slowness = slowness
                self._schedule(flow)

    def _settle(self, flow: Flow) -> None:
        flow.done += (self.now - flow.since) * TICKS // flow.slowness
        flow.since = self.now

    def _schedule(self, flow: Flow) -> None:
        if not flow.marks:
            return
        flow.version += 1
        version = flow.version
        left = max(0, flow.marks[0][0] - flow.done)
        time = flow.since + -(-left * flow.slowness // TICKS)
        self.at(time, lambda: self._reach(flow, version))

    def _reach(self, flow: Flow, version: int) -> None:
        """The first mark of a flow is due, unless its speed has changed meanwhile."""
        if version != flow.version:
            return
        self._settle(flow)
        position, _, action = heapq.heappop(flow.marks)
        flow.done = max(flow.done, position)
        self._schedule(flow)
        action()
