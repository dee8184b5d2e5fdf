"""The interpreter: executes an encoded program of any architecture in NumPy.

In: instruction words, the off-chip memory before, an `Acg`. Out: the off-chip memory after, and
statistics. Units have job queues and start a job when its semaphores have credit; the order in
which ready units run can be shuffled, so that a missing semaphore shows. On-chip memories start
with random bytes, so that a read of something never written shows too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from covenant.acg.control import Control
from covenant.acg.graph import Acg
from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail
from covenant.emit.encode import decode
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
    count_words,
    steps,
)
from covenant.emit.program import expand as expand_operations
from covenant.emit.units import ComputeUnit, Dma, read_unit
from covenant.sim.batches import Kind
from covenant.sim.beats import JobError, Memories
from covenant.sim.flow import Flow, LaunchError
from covenant.sim.jobs import run_compute, run_dma

_MASK = 0xFFFFFFFF
_MANY = 64
"""Launches that have to be executed alone, after which all of them are."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a run did: operations executed, launches per unit, array steps, off-chip bytes."""

    operations: int
    launches: tuple[tuple[str, int], ...]
    steps: int
    bytes_read: int
    bytes_written: int


@dataclass(slots=True)
class _Job:
    launch: Launch
    registers: dict[str, int]
    number: int


@dataclass(frozen=True, slots=True)
class _Step:
    """Words of a packet, its launches with the writes before each, its other writes."""

    words: int
    launches: tuple[tuple[tuple[Operation, ...], Launch], ...]
    others: tuple[Operation, ...]


@dataclass(slots=True)
class _State:
    """A machine in the middle of a program."""

    memories: Memories
    shadows: dict[str, dict[str, int]]
    credits: dict[str, int]
    queues: dict[str, deque[_Job]]
    launches: dict[str, int] = field(default_factory=dict)
    operations: int = 0
    steps: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


class Interpreter:
    """Executes programs of one architecture."""

    def __init__(self, acg: Acg) -> None:
        if acg.control is None:
            raise fail("SIM010", f"architecture '{acg.name}' has no control node", Span(acg.file))
        self._acg = acg
        self._control: Control = acg.control
        self._units = {u.name: read_unit(acg, u) for u in acg.control.units}
        self._off_chip = next(m.name for m in acg.memories if m.off_chip)

    def run(
        self,
        words: Sequence[int],
        dram: NDArray[np.uint8],
        seed: int | None = None,
        poison: int = 0,
    ) -> tuple[NDArray[np.uint8], Statistics]:
        """The off-chip memory after the program, and statistics.

        seed: shuffles the order of ready units; None runs them as late as the queues allow. poison:
        seed of what on-chip memories hold before.
        """
        after, statistics = self.run_sequence([words], dram, seed, poison)
        return after, statistics[0]

    def run_sequence(
        self,
        programs: Sequence[Sequence[int]],
        dram: NDArray[np.uint8],
        seed: int | None = None,
        poison: int = 0,
    ) -> tuple[NDArray[np.uint8], tuple[Statistics, ...]]:
        """Programs one after the other on the same memories; each starts from reset registers."""
        random = np.random.default_rng(poison)
        arrays = {
            m.name: random.integers(0, 256, m.total_bytes, np.uint8) for m in self._acg.on_chip
        }
        arrays[self._off_chip] = dram.copy()
        memories = Memories(arrays, {m.name: m for m in self._acg.memories})
        choose = _chooser(seed)
        statistics = tuple(self._run_one(words, memories, choose) for words in programs)
        return arrays[self._off_chip], statistics

    def _run_one(self, words: Sequence[int], memories: Memories, choose: _Choice) -> Statistics:
        operations = decode(words, self._control)
        state = self._start(memories)
        if self._control.in_order:
            self._in_order(state, operations)
            return _statistics(state)
        for operation in expand_operations(operations):
            state.operations += count_words((operation,))
            if isinstance(operation, Halt):
                break
            for step in steps(operation):
                self._execute(state, step, choose)
        self._drain(state, choose)
        return _statistics(state)

    def _in_order(self, state: _State, operations: tuple[Operation, ...]) -> None:
        """Execute a program whose launches take effect one after the other, or a packet's at
        once: by the flow of data where that is possible for nearly all of them."""
        flow = Flow(self._units, state.memories)
        known: dict[int, _Step] = {}
        alone = 0
        for time, operation in enumerate(expand_operations(operations)):
            step = known.get(id(operation))
            if step is None:
                step = known[id(operation)] = _step_of(operation)
            state.operations += step.words
            if isinstance(operation, Halt):
                break
            jobs = self._launched(state, step)
            logs = [flow.log(name, job.registers) for name, job in jobs] if alone < _MANY else []
            if logs and None not in logs:
                for (_, job), log in zip(jobs, logs, strict=True):
                    assert log is not None
                    self._note(state, log.kind)
                    flow.add(log, job.registers, time, job.number)
            elif jobs:
                alone += 1
                self._flush(flow)
                self._at_once(state, jobs)
            if flow.full:
                self._flush(flow)
                alone = 0
            for other in step.others:
                self._execute(state, other, _chooser(None))
        self._flush(flow)

    def _launched(self, state: _State, step: _Step) -> list[tuple[str, _Job]]:
        """Jobs of a packet, with the registers before it and what their own words write."""
        jobs: list[tuple[str, _Job]] = []
        for own, launch in step.launches:
            for other in own:
                self._execute(state, other, _chooser(None))
            number = state.launches.get(launch.unit, 0)
            state.launches[launch.unit] = number + 1
            jobs.append((launch.unit, _Job(launch, state.shadows[launch.unit], number)))
        return jobs

    def _note(self, state: _State, kind: Kind) -> None:
        state.steps += kind.steps
        state.bytes_read += kind.fetched
        state.bytes_written += kind.stored

    def _flush(self, flow: Flow) -> None:
        try:
            flow.flush()
        except LaunchError as error:
            raise _impossible(error.unit, error.number, str(error)) from error

    def _start(self, memories: Memories) -> _State:
        control = self._control
        return _State(
            memories,
            {u.name: {r.quantity: r.reset for r in u.registers} for u in control.units},
            dict.fromkeys(control.semaphores, 0),
            {u.name: deque() for u in control.units},
        )

    def _execute(self, state: _State, operation: Operation, choose: _Choice) -> None:
        match operation:
            case Write(unit, register, value):
                state.shadows[unit][register] = _signed(value)
            case WriteHigh(unit, register):
                old = state.shadows[unit][register]
                state.shadows[unit][register] = _signed(operation.over(old))
            case Add(unit, register, value):
                state.shadows[unit][register] = _signed(state.shadows[unit][register] + value)
            case ReverseSubtract(unit, register, value):
                state.shadows[unit][register] = _signed(value - state.shadows[unit][register])
            case Post(semaphores):
                for name in semaphores:
                    state.credits[name] += 1
            case Launch(unit):
                self._push(state, operation, unit, choose)
            case Instruction() | Loop() | Packet() | Halt():
                raise AssertionError("instructions and loops are expanded, halt ends the run")

    def _at_once(self, state: _State, jobs: Sequence[tuple[str, _Job]]) -> None:
        """Jobs of a packet: what one writes, the others see only afterwards."""
        memories = state.memories
        if len(jobs) == 1:
            self._run(state, *jobs[0])
            return
        written: list[tuple[str, NDArray[np.int64], NDArray[np.uint8]]] = []
        for name, job in jobs:
            target = _target(self._units[name])
            own = memories.arrays[target].copy()
            state.memories = replace(memories, arrays={**memories.arrays, target: own})
            self._run(state, name, job)
            at = np.flatnonzero(own != memories.arrays[target])
            written.append((target, at, own[at]))
        state.memories = memories
        for target, at, content in written:
            memories.arrays[target][at] = content

    def _push(self, state: _State, launch: Launch, unit: str, choose: _Choice) -> None:
        queue = state.queues[unit]
        if self._control.in_order:
            self._queue(state, launch, unit)
            self._drain(state, choose)
            return
        while len(queue) >= self._control.queue_depth or choose(2):
            if not self._step(state, choose):
                break
        if len(queue) >= self._control.queue_depth:
            raise self._deadlock(state)
        self._queue(state, launch, unit)

    def _queue(self, state: _State, launch: Launch, unit: str) -> None:
        number = state.launches.get(unit, 0)
        state.launches[unit] = number + 1
        state.queues[unit].append(_Job(launch, dict(state.shadows[unit]), number))

    def _drain(self, state: _State, choose: _Choice) -> None:
        while any(state.queues.values()):
            if not self._step(state, choose):
                raise self._deadlock(state)

    def _step(self, state: _State, choose: _Choice) -> bool:
        """Run one job that can start; False when none can."""
        ready = [
            unit
            for unit, queue in state.queues.items()
            if queue and all(state.credits[s] > 0 for s in queue[0].launch.waits)
        ]
        if not ready:
            return False
        unit = ready[choose(len(ready))] if len(ready) > 1 else ready[0]
        job = state.queues[unit].popleft()
        for name in job.launch.waits:
            state.credits[name] -= 1
        self._run(state, unit, job)
        for name in job.launch.posts:
            state.credits[name] += 1
        return True

    def _run(self, state: _State, name: str, job: _Job) -> None:
        unit = self._units[name]
        try:
            match unit:
                case Dma():
                    moved = run_dma(unit, job.registers, state.memories)
                    state.bytes_read += moved if unit.source.off_chip else 0
                    state.bytes_written += moved if unit.target.off_chip else 0
                case ComputeUnit():
                    state.steps += run_compute(unit, job.registers, state.memories)
        except JobError as error:
            raise _impossible(name, job.number, str(error)) from error

    def _deadlock(self, state: _State) -> CovenantError:
        stuck = []
        for unit, queue in state.queues.items():
            if queue:
                missing = [s for s in queue[0].launch.waits if not state.credits[s]]
                stuck.append(f"launch {queue[0].number} of {unit} waits for {', '.join(missing)}")
        return fail(
            "SIM011",
            "the program deadlocks: " + "; ".join(stuck),
            Span("program"),
            "a semaphore is waited for more often than posted; run `covenant check` on the program",
            ExitCode.MISMATCH,
        )


def _impossible(unit: str, number: int, reason: str) -> CovenantError:
    return fail(
        "SIM012",
        f"launch {number} of unit '{unit}': {reason}",
        Span("program"),
        exit_code=ExitCode.MISMATCH,
    )


def _statistics(state: _State) -> Statistics:
    return Statistics(
        state.operations,
        tuple(sorted(state.launches.items())),
        state.steps,
        state.bytes_read,
        state.bytes_written,
    )


def _step_of(operation: Operation) -> _Step:
    """What a packet, or a word by itself, does. Launches come first: none sees what another word of
    its packet writes."""
    launches: list[tuple[tuple[Operation, ...], Launch]] = []
    others: list[Operation] = []
    members = operation.members if isinstance(operation, Packet) else (operation,)
    for member in members:
        own = steps(member)
        if own and isinstance(own[-1], Launch):
            launches.append((own[:-1], own[-1]))
        elif not isinstance(member, Halt):
            others += own
    return _Step(count_words((operation,)), tuple(launches), tuple(others))


def _target(unit: Dma | ComputeUnit) -> str:
    """The memory that a unit writes."""
    return unit.target.name if isinstance(unit, Dma) else unit.stream(unit.output).memory


_Choice = Callable[[int], int]


def _chooser(seed: int | None) -> _Choice:
    """Picks 0..n-1; without a seed the first, which with n=2 means: no need to wait."""
    if seed is None:
        return lambda count: 0
    random = np.random.default_rng(seed)
    return lambda count: int(random.integers(count))


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 32) if value >> 31 else value


def with_sizes(acg: Acg, sizes: dict[str, int]) -> Acg:
    """The architecture with other memory sizes in bytes, for tests and what-if runs."""
    memories = tuple(replace(m, size_bytes=sizes.get(m.name, m.size_bytes)) for m in acg.memories)
    return replace(acg, memories=memories)
