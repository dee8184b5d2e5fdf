"""The timing model: cycles of an encoded program on any architecture, without its data.

In: instruction words, an `Acg`. Out: `Timing`. The command processor executes a word per cycle and
waits for room in the queues of the unit it launches (RTL: cvn_command); a packet of words, where
the machine has them, takes one cycle too. Jobs wait for semaphores,
or, on a machine that has none, for earlier launches that touch the same addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from covenant.acg.graph import Acg
from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail
from covenant.emit.encode import decode_flat, loop_lengths, packet_ends
from covenant.emit.program import (
    Add,
    Halt,
    Instruction,
    Launch,
    Loop,
    Operation,
    Post,
    ReverseSubtract,
    Write,
    WriteHigh,
    steps,
)
from covenant.emit.touched import touched
from covenant.emit.units import ComputeUnit, Dma, read_unit
from covenant.emit.walk import execution
from covenant.sim.timing.agenda import TICKS, Agenda
from covenant.sim.timing.contention import Contention
from covenant.sim.timing.counters import LeftOut, counters, covered, events
from covenant.sim.timing.hazards import Hazards
from covenant.sim.timing.nodes import Node
from covenant.sim.timing.pipeline import pipeline_of
from covenant.sim.timing.queues import Job, Queue, Semaphores
from covenant.sim.timing.steady import Moment, steady_execution
from covenant.sim.timing.transfers import Path
from covenant.sim.timing.work import Works

_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Timing:
    """Modelled cycles from the first instruction fetch to the last byte written. counters: by the
    names of the hardware's, where it has them."""

    cycles: int
    counters: Mapping[str, int]


def time_program(words: Sequence[int], acg: Acg) -> Timing:
    """The modelled time of a program; CovenantError when it hangs."""
    if acg.control is None:
        raise fail("SIM010", f"architecture '{acg.name}' has no control node", Span(acg.file))
    return _Processor(acg).run(words)


class _Processor:
    """The command processor and everything it starts."""

    def __init__(self, acg: Acg) -> None:
        assert acg.control is not None
        self._control = control = acg.control
        self._stall = control.stall
        self._pipeline = pipeline = pipeline_of(acg)
        self._agenda = agenda = Agenda(Contention().slowness)
        self._works = Works(acg, pipeline)
        self._semaphores = Semaphores(agenda, control.semaphores, pipeline.credit)
        self._hazards = Hazards(acg) if control.in_order else None
        self._units = {u.name: read_unit(acg, u) for u in control.units}
        self._registers = {
            u.name: {r.quantity: r.reset for r in u.registers} for u in control.units
        }
        self._paths: dict[str, Path] = {}
        self._nodes: dict[str, Node] = {}
        shared = (agenda, self._semaphores)
        for name, unit in self._units.items():
            match unit:
                case Dma(transfer=transfer):
                    if transfer.name not in self._paths:
                        path = Path(*shared, unit, control.queue_depth, pipeline)
                        self._paths[transfer.name] = path
                case ComputeUnit():
                    self._nodes[name] = Node(*shared, acg, unit, control.queue_depth, pipeline)
        for queue in self._queues():
            queue.freed = self._room
        self._operations: Iterator[tuple[int, Operation]] = iter(())
        self._ends: tuple[bool, ...] = ()
        self._pending: tuple[Operation, ...] = ()
        self._blocked_since = -1
        self._blocked = 0
        self._launches = 0
        self._time = 0
        self._more = LeftOut()
        self._halted = -1

    def _queues(self) -> Iterator[Queue]:
        for path in self._paths.values():
            yield from path.queues
        for node in self._nodes.values():
            yield from node.queues

    def run(self, words: Sequence[int]) -> Timing:
        """Execute a whole program."""
        lengths = loop_lengths(words, self._control)
        flat = decode_flat(words, self._control)
        self._operations = execution(flat, lengths)
        if self._control.in_order:
            self._operations = steady_execution(flat, lengths, self._moment, self._leave_out)
        self._ends = packet_ends(words, self._control)
        self._agenda.at(TICKS, self._advance)
        self._agenda.run()
        if self._halted < 0 or not all(queue.idle for queue in self._queues()):
            raise self._deadlock()
        last = max((queue.finished for queue in self._queues()), default=0)
        ends = (self._halted, last + self._pipeline.idle * TICKS)
        cycles = -(-max(ends) // TICKS) + 1
        blocked = self._blocked // TICKS
        found = counters(cycles, self._nodes, self._paths, blocked, self._more)
        return Timing(found["cycles"], found)

    def _moment(self) -> Moment:
        """The machine at the end of an iteration."""
        registers = tuple(v for own in self._registers.values() for v in own.values())
        jobs = tuple(number for queue in self._queues() for number in queue.jobs)
        waiting = (*jobs, *self._agenda.ahead(self._time))
        counted = events(self._nodes, self._paths, self._blocked // TICKS)
        held = tuple(len(node.held) for node in self._nodes.values())
        time = self._time + self._more.cycles * TICKS
        return Moment(time, registers, waiting, counted, held, self._more.copy())

    def _leave_out(self, count: int, before: Moment, after: Moment) -> None:
        """Iterations like the one between two moments are not modelled: what they change."""
        moved = [b - a for a, b in zip(before.registers, after.registers, strict=True)]
        names = [(unit, name) for unit, own in self._registers.items() for name in own]
        for (unit, name), step in zip(names, moved, strict=True):
            own = self._registers[unit]
            own[name] = _signed(own[name] + count * step)
        ranges = zip(self._nodes.values(), before.held, after.held, strict=True)
        intervals = [each for node, first, end in ranges for each in node.held[first:end]]
        more, inner = self._more, after.more.without(before.more)
        more.cycles += count * (after.time - before.time) // TICKS
        more.covered += count * (covered(intervals) + inner.covered)
        more.held += count * (sum(b - a for a, b in intervals) // TICKS + inner.held)
        for name, value in after.counted.items():
            grown = value - before.counted.get(name, 0) + inner.events.get(name, 0)
            more.events[name] = more.events.get(name, 0) + count * grown

    def _advance(self) -> None:
        """Execute words from the one at hand on, a packet per cycle, up to the next launch."""
        time = self._time = self._agenda.now
        found: tuple[Operation, ...] = ()
        for word, operation in self._operations:
            if isinstance(operation, Halt):
                self._halted = time
                return
            found += tuple(steps(operation))
            if not self._ends[word]:
                continue
            if any(map(self._may_stall, found)):
                self._pending = found
                self._agenda.at(time, self._resume)
                return
            for step in found:
                self._write(step, time)
            found = ()
            time += TICKS
            self._time = time

    def _may_stall(self, step: Operation) -> bool:
        """Whether the word of a step may have to wait."""
        if isinstance(step, Write | WriteHigh | Add | ReverseSubtract):
            return self._stall == "write"
        return isinstance(step, Launch)

    def _stalled(self, step: Operation) -> bool:
        """Whether it has to wait now: for room, or as `stall` says (RTL: cvn_command)."""
        if not isinstance(step, Launch | Write | WriteHigh | Add | ReverseSubtract):
            return False
        own, stall = self._of(step.unit), self._stall
        if isinstance(step, Launch) and any(queue.full for queue in own):
            return True
        if stall == "barrier":
            return isinstance(step, Launch) and not all(queue.idle for queue in self._queues())
        return (stall == "write" or (stall == "launch" and isinstance(step, Launch))) and not all(
            queue.idle for queue in own
        )

    def _write(self, step: Operation, time: int) -> None:
        """A word that starts nothing."""
        match step:
            case Write(unit, register, value):
                self._registers[unit][register] = _signed(value)
            case WriteHigh(unit, register):
                own = self._registers[unit]
                own[register] = _signed(step.over(own[register]))
            case Add(unit, register, value):
                own = self._registers[unit]
                own[register] = _signed(own[register] + value)
            case ReverseSubtract(unit, register, value):
                own = self._registers[unit]
                own[register] = _signed(value - own[register])
            case Post(semaphores):
                self._agenda.at(time, partial(self._semaphores.post, semaphores))
            case Loop():
                pass
            case Launch() | Instruction() | Halt():
                raise AssertionError("instructions are expanded, launches and halt end the row")

    def _resume(self) -> None:
        """Execute the word at hand, if it has not to wait."""
        if any(map(self._stalled, self._pending)):
            if self._blocked_since < 0:
                self._blocked_since = self._agenda.now
            return
        if self._blocked_since >= 0:
            self._blocked += self._agenda.now - self._blocked_since
            self._blocked_since = -1
        for step in self._pending:
            if isinstance(step, Launch):
                self._push(step)
            else:
                self._write(step, self._agenda.now)
        self._pending = ()
        self._agenda.at(self._agenda.now + TICKS, self._advance)

    def _room(self) -> None:
        if self._blocked_since >= 0:
            self._resume()

    def _of(self, name: str) -> tuple[Queue, ...]:
        """Queues that a launch of a unit needs room in."""
        if name in self._nodes:
            return self._nodes[name].queues
        unit = self._units[name]
        assert isinstance(unit, Dma)
        return (self._paths[unit.transfer.name].queues[self._control.unit(name).channel],)

    def _push(self, launch: Launch) -> None:
        unit, registers = self._units[launch.unit], self._registers[launch.unit]
        self._launches += 1
        match unit:
            case Dma():
                job = Job(self._launches, self._works.transfer(launch.unit, unit, registers))
            case ComputeUnit():
                computed = self._works.compute(launch.unit, unit, registers)
                job = Job(self._launches, computed, 1 + len(computed.beats))
        if self._hazards is not None:
            found = touched(unit, registers)
            job.after = self._hazards.add(launch.unit, job, unit, registers, found)
        if isinstance(unit, Dma):
            self._of(launch.unit)[0].push(job, launch.waits, launch.posts)
        else:
            self._push_parts(launch, job, computed.beats)

    def _push_parts(self, launch: Launch, job: Job, beats: Mapping[str, int]) -> None:
        """Every stream that takes part waits for its own semaphores and posts its own."""
        node, unit = self._nodes[launch.unit], self._control.unit(launch.unit)
        node.array.push(job)
        for key in beats:
            own_waits, own_posts = unit.waits.get(key, ()), unit.posts.get(key, ())
            waits = tuple(s for s in launch.waits if s in own_waits)
            posts = tuple(s for s in launch.posts if s in own_posts)
            node.queue(key).push(job, waits, posts)

    def _deadlock(self) -> CovenantError:
        missing = ", ".join(self._semaphores.missing) or "nothing that is posted"
        return fail(
            "SIM011",
            f"the program deadlocks: units wait for {missing}",
            Span("program"),
            "a semaphore is waited for more often than posted; run `covenant check` on the program",
            ExitCode.MISMATCH,
        )


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 32) if value >> 31 else value
