"""Engines and semaphores of a machine during a replay.

In: the control node, its units, the program. Out: what each engine knows when it starts a job, and
findings about waits that starve, lose their way or do not balance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from covenant.acg.control import Control
from covenant.emit.order import Clock, Credit, Engine, Semaphore
from covenant.emit.program import Launch, Operation, Post
from covenant.emit.units import ComputeUnit, Dma
from covenant.emit.walk import execution


class Engines:
    """All engines by unit and stream, and the semaphores between them."""

    def __init__(
        self,
        control: Control,
        units: Mapping[str, Dma | ComputeUnit],
        flat: Sequence[Operation],
        lengths: Sequence[int],
        find: Callable[[str], None],
    ) -> None:
        keys = [
            (name, key)
            for name, unit in units.items()
            for key in ([""] if isinstance(unit, Dma) else [s.key for s in unit.streams])
        ]
        self.count = len(keys)
        self._find = find
        self._in_order = control.in_order
        self._list = [
            Engine(i, unit, key, np.zeros(len(keys), np.int64), np.full(len(keys), -1, np.int64))
            for i, (unit, key) in enumerate(keys)
        ]
        self._engines = dict(zip(keys, self._list, strict=True))
        self._tables = {
            u.name: {"wait": self._table(u.name, u.waits), "post": self._table(u.name, u.posts)}
            for u in control.units
        }
        self._semaphores = self._prepared(control, flat, lengths)

    def of(self, unit: str, key: str) -> Engine:
        """The engine of a unit's stream; "" for a DMA unit."""
        return self._engines[unit, key]

    def name(self, number: int) -> str:
        """Name of an engine by its place in a clock."""
        return self._list[number].name

    def give(self, semaphores: Sequence[str]) -> None:
        """Credits from the command processor."""
        for name in semaphores:
            self._semaphores[name].given += 1

    def start(self, engine: Engine, launch: Launch) -> Clock:
        """What an engine knows when it starts its part of a launch; takes its credits."""
        if self._in_order:
            return engine.done
        start = engine.done.copy()
        waited = False
        for name in launch.waits:
            if self._routed(launch.unit, name, "wait") is not engine:
                continue
            waited = True
            semaphore = self._semaphores[name]
            if semaphore.credit < 1:
                self._find(f"{engine.name} waits for {name}, nothing launched before posts it")
            credit = semaphore.wait()
            if credit is not None:
                np.maximum(start, credit.clock, out=start)
                engine.fresh[credit.engine] = credit.epoch
        engine.epoch += waited
        return start

    def complete(self, engine: Engine, launch: Launch, start: Clock) -> None:
        """The engine's part of a launch is done: it posts what it knows."""
        engine.jobs += 1
        if self._in_order:
            return
        start[engine.number] = engine.jobs
        engine.done = start
        for name in launch.posts:
            if self._routed(launch.unit, name, "post") is engine:
                self._semaphores[name].posts.append(Credit(start, engine.number, engine.epoch))

    def refuse(self, engine: Engine, launch: Launch) -> None:
        """Semaphores of an engine that gets no job in a launch are lost."""
        for verb, names in (("wait", launch.waits), ("post", launch.posts)):
            for name in names:
                if self._routed(launch.unit, name, verb) is engine:
                    self._find(f"{engine.name} has no job in this launch to {verb} {name}")

    def unbalanced(self) -> Iterator[str]:
        """Semaphores whose credits differ from the initial ones after the program."""
        for name, semaphore in self._semaphores.items():
            if semaphore.credit != semaphore.initial:
                yield (
                    f"semaphore {name} ends with {semaphore.credit} credits, began with "
                    f"{semaphore.initial}"
                )

    def _table(self, unit: str, by_port: Mapping[str, tuple[str, ...]]) -> dict[str, Engine]:
        return {
            name: self._engines[unit, port]
            for port, names in by_port.items()
            for name in names
            if (unit, port) in self._engines
        }

    def _routed(self, unit: str, semaphore: str, verb: str) -> Engine:
        table = self._tables[unit][verb]
        if semaphore in table:
            return table[semaphore]
        own = [engine for (name, _), engine in self._engines.items() if name == unit]
        if table or len(own) > 1:
            self._find(f"no part of unit {unit} can {verb} {semaphore}")
        return own[0]

    def _prepared(
        self, control: Control, flat: Sequence[Operation], lengths: Sequence[int]
    ) -> dict[str, Semaphore]:
        initial = dict.fromkeys(control.semaphores, 0)

        def posts(start: int, end: int) -> bool:
            return any(isinstance(o, Post) for o in flat[start:end])

        for _, operation in execution(flat, lengths, posts):
            if isinstance(operation, Post):
                for name in operation.semaphores:
                    initial[name] += 1
        found = {}
        for name, given in initial.items():
            posters = self._parties(flat, name, "post")
            waiters = self._parties(flat, name, "wait")
            if len(waiters) > 1:
                self._find(f"semaphore {name} is waited for by {' and '.join(waiters)}")
            found[name] = Semaphore(given, len(posters) <= 1)
        return found

    def _parties(self, flat: Sequence[Operation], name: str, verb: str) -> list[str]:
        """Engines that a semaphore is routed to anywhere in the program."""
        units = {
            o.unit
            for o in flat
            if isinstance(o, Launch) and name in (o.waits if verb == "wait" else o.posts)
        }
        return sorted({self._routed(unit, name, verb).name for unit in sorted(units)})
