"""The replay behind the static checker: executes words on clocks instead of data.

In: instruction words, an `Acg`, off-chip extents. Out: findings. One engine per DMA unit and per
stream; a launch gives each engine of its unit one job, ordered by that engine's semaphores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg, Memory
from covenant.emit.accesses import Accesses, Shape, Words, rescaled
from covenant.emit.encode import decode_flat, loop_lengths
from covenant.emit.engines import Engines
from covenant.emit.far import far_words, reaches_off_chip
from covenant.emit.order import Clock, Engine, History, Race, Written
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
)
from covenant.emit.steps import active, adds, expected_beats
from covenant.emit.units import ComputeUnit, Dma, Registers, Stream, read_unit
from covenant.emit.walk import execution

_MOST_FINDINGS = 20
_RACES = {
    "unwritten": "reads {0}, which nothing has written",
    "early": "may read {0} before {1} has written it",
    "stale": "reads {0}, which {1} wrote for an earlier tile",
    "overwrites": "may write {0} before an earlier write by {1} is complete",
    "in use": "may overwrite {0} while {1} still reads it",
    "twice": "writes {0} twice in one exchange",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that cannot be proven, at an instruction word."""

    word: int
    message: str

    def __str__(self) -> str:
        return f"word {self.word}: {self.message}"


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes [address, address + bytes) of the off-chip memory."""

    address: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Use:
    """A stream as a launch uses it: beats needed, beats its loops make, what it touches."""

    stream: Stream
    needed: int
    beats: int
    shape: Shape


class Replay:
    """One program on one architecture; `run` once, then read `findings`."""

    def __init__(
        self,
        acg: Acg,
        words: Sequence[int],
        inputs: Sequence[Extent],
        constants: Sequence[Extent],
        outputs: Sequence[Extent],
        scratch: Sequence[Extent] = (),
    ) -> None:
        assert acg.control is not None, "an architecture without a control node has no program"
        self.findings: list[Finding] = []
        self._acg = acg
        self._word = 0
        self._in_order = acg.control.in_order
        self._units = {u.name: read_unit(acg, u) for u in acg.control.units}
        self._shadows = {
            u.name: {r.quantity: r.reset for r in u.registers} for u in acg.control.units
        }
        self._flat = decode_flat(words, acg.control)
        self._lengths = loop_lengths(words, acg.control)
        self._engines = Engines(acg.control, self._units, self._flat, self._lengths, self._find)
        self._histories = {m.name: self._history(m) for m in acg.on_chip}
        self._uses: dict[tuple[str, tuple[int, ...]], tuple[_Use, ...]] = {}
        self._accesses = Accesses(self._find)
        self._inside = {n for n, u in self._units.items() if not reaches_off_chip(acg, u)}
        self._passed: set[tuple[object, ...]] = set()
        self._memories = {m.name: m for m in acg.memories}
        self._sizes = {
            u.name: tuple(r.quantity for r in u.registers if not r.quantity.endswith(".base"))
            for u in acg.control.units
        }
        self._far_word = min(far_words(acg, self._units.values()))
        extents = (*inputs, *constants, *outputs, *scratch)
        end = max((self._span(e).stop for e in extents), default=0)
        self._readable = np.zeros(end, np.bool_)
        self._unread = np.zeros(end, np.bool_)
        self._unwritten = np.zeros(end, np.bool_)
        self._writable = np.zeros(end, np.bool_)
        for extent in (*inputs, *constants):
            self._readable[self._span(extent)] = True
        for extent in constants:
            self._unread[self._span(extent)] = True
        self._scratch = np.zeros(end, np.bool_)
        for extent in scratch:
            self._writable[self._span(extent)] = self._scratch[self._span(extent)] = True
        for extent in outputs:
            self._writable[self._span(extent)] = self._unwritten[self._span(extent)] = True

    def _span(self, extent: Extent) -> slice:
        first = extent.address // self._far_word
        return slice(first, -(-(extent.address + extent.bytes) // self._far_word))

    def _find(self, message: str) -> None:
        finding = Finding(self._word, message)
        if len(self.findings) < _MOST_FINDINGS and finding not in self.findings:
            self.findings.append(finding)

    def run(self) -> None:
        """Replay the whole program, then look at what is left over."""
        halted = False
        for word, operation in execution(self._flat, self._lengths):
            self._word = word
            if isinstance(operation, Halt):
                halted = True
                break
            self._step(operation)
        if not halted:
            self._find("the program does not halt")
        self._finish()

    def _step(self, operation: Operation) -> None:
        match operation:
            case Write(unit, register, value):
                self._shadows[unit][register] = value
            case WriteHigh(unit, register):
                own = self._shadows[unit]
                own[register] = _signed(operation.over(own[register]))
            case Add(unit, register, value):
                self._shadows[unit][register] = _signed(self._shadows[unit][register] + value)
            case ReverseSubtract(unit, register, value):
                self._shadows[unit][register] = _signed(value - self._shadows[unit][register])
            case Post(semaphores):
                self._engines.give(semaphores)
            case Launch():
                self._launch(operation)
            case Instruction(_, unit, values, launches, waits, posts):
                own = self._shadows.get(unit, {})
                own.update(values)
                own.update((name, _signed(own[name] + step)) for name, step in operation.adds)
                if launches:
                    self._launch(Launch(unit, waits, posts))
            case Loop() | Halt():
                pass

    def _finish(self) -> None:
        for message in self._engines.unbalanced():
            self._find(message)
        for left, text in (
            (self._unwritten, "bytes of outputs are never written"),
            (self._unread, "bytes of constants are never read"),
        ):
            at = np.flatnonzero(left)
            if at.size:
                first = int(at[0]) * self._far_word
                self._find(f"{at.size * self._far_word} {text}, the first at {first:#x}")

    def _launch(self, launch: Launch) -> None:
        unit, registers = self._units[launch.unit], self._shadows[launch.unit]
        bad = [q for q, v in registers.items() if v < 1 and (".bound[" in f".{q}" or q == "run")]
        if bad:
            self._find(f"{launch.unit}.{bad[0]} is {registers[bad[0]]}, at least 1 is needed")
            return
        if self._in_order and launch.unit in self._inside:
            # Words stay written, so what was found of such a launch once holds again.
            key = (launch.unit, *registers.values())
            if key in self._passed:
                return
            self._passed.add(key)
        match unit:
            case Dma():
                self._dma(launch, unit, registers)
            case ComputeUnit():
                self._compute(launch, unit, registers)

    def _dma(self, launch: Launch, unit: Dma, registers: Registers) -> None:
        engine = self._engines.of(launch.unit, "")
        start = self._engines.start(engine, launch)
        if not registers.get("fill", 0):
            words = self._accesses.dma(unit, registers, "src")
            if unit.source.off_chip:
                self._read_off_chip(engine, rescaled(words, unit.word_bytes, self._far_word))
            elif (words := self._places(engine, unit.source, words, unit.word_bytes)).size:
                race = self._histories[unit.source.name].read(words, engine, start, False)
                self._report(engine, race, unit.word_bytes)
        words = self._accesses.dma(unit, registers, "dst")
        if unit.target.off_chip:
            self._write_off_chip(engine, rescaled(words, unit.word_bytes, self._far_word))
        elif (words := self._places(engine, unit.target, words, unit.word_bytes)).size:
            once = not self._in_order
            race = self._histories[unit.target.name].write(words, engine, start, -1, once)
            self._report(engine, race, unit.word_bytes)
        self._engines.complete(engine, launch, start)

    def _read_off_chip(self, engine: Engine, words: Words) -> None:
        if not _all(self._readable, words):
            self._find(f"{engine.name} reads off-chip bytes that hold no input or constant")
            return
        self._unread[words] = False

    def _write_off_chip(self, engine: Engine, words: Words) -> None:
        if not _all(self._writable, words):
            self._find(f"{engine.name} writes off-chip bytes outside the outputs")
            return
        if not (self._unwritten[words] | self._scratch[words]).all():
            self._find(f"{engine.name} writes off-chip bytes a second time")
        self._unwritten[words] = False
        self._readable[words[self._scratch[words]]] = True

    def _history(self, memory: Memory) -> History | Written:
        words = memory.total_bytes // memory.word_bytes
        return Written(words) if self._in_order else History(words, self._engines.count)

    def _one_by_one(self, launch: Launch, unit: ComputeUnit, registers: Registers) -> None:
        """A launch in program order: what it touches follows from its registers, once for all."""
        key = launch.unit, tuple([registers[q] for q in self._sizes[launch.unit]])
        uses = self._uses.get(key)
        if uses is None:
            found = [self._use(s, unit, registers) for s in _sides(unit, registers)]
            uses = self._uses[key] = tuple(found)
        for use in uses:
            engine = self._engines.of(launch.unit, use.stream.key)
            if self._is_whole(engine, use):
                self._touch(engine, use, registers, engine.done, (-1, False))

    def _compute(self, launch: Launch, unit: ComputeUnit, registers: Registers) -> None:
        """Readers run ahead freely; a writer follows all readers of earlier launches, since the
        node takes launches in order, and ends after the readers of its own."""
        found, count = registers.get("function", 0), len(unit.capabilities)
        if not 0 <= found < count:
            self._find(f"{launch.unit}.function is {found}, below {count} is needed")
            return
        unit = unit.shaped(registers)
        if self._in_order:
            self._one_by_one(launch, unit, registers)
            return
        both = unit.stream(unit.output) if not unit.stream(unit.output).writes else None
        readers = [s for s in unit.streams if not s.writes and s is not both]
        writers = [s for s in unit.streams if s.writes or s is both]
        inputs = [self._engines.of(launch.unit, s.key) for s in readers]
        earlier = [engine.done for engine in inputs]
        finished: list[Clock] = []
        for stream in readers:
            engine = self._engines.of(launch.unit, stream.key)
            if not unit.takes_part(stream.key, registers):
                self._engines.refuse(engine, launch)
                continue
            start = self._engines.start(engine, launch)
            self._stream(engine, stream, unit, registers, start)
            self._engines.complete(engine, launch, start)
            finished.append(engine.done)
        for stream in writers:
            engine = self._engines.of(launch.unit, stream.key)
            start = self._engines.start(engine, launch)
            np.maximum.reduce([start, *earlier], out=start)
            if stream is both and registers.get("resume", 0):
                self._stream(engine, stream, unit, registers, start)
            self._stream(engine, replace(stream, writes=True), unit, registers, start)
            np.maximum.reduce([start, *finished], out=start)
            self._engines.complete(engine, launch, start)

    def _stream(
        self,
        engine: Engine,
        stream: Stream,
        unit: ComputeUnit,
        registers: Registers,
        start: Clock,
    ) -> None:
        use = self._use(stream, unit, registers)
        if not self._is_whole(engine, use):
            return
        in_place = self._in_place(engine, stream, unit, registers) if stream.writes else -1
        one_job = stream.key == unit.partial and not adds(unit, registers)
        self._touch(engine, use, registers, start, (in_place, one_job))

    def _use(self, stream: Stream, unit: ComputeUnit, registers: Registers) -> _Use:
        needed = expected_beats(unit, stream.key, registers)
        beats = int(np.prod(stream.nest(registers, needed)[0], dtype=np.int64))
        used = replace(active(unit, stream.key, registers), writes=stream.writes)
        return _Use(used, needed, beats, self._accesses.shape(used, registers, needed))

    def _is_whole(self, engine: Engine, use: _Use) -> bool:
        if use.beats != use.needed:
            self._find(f"{engine.name} moves {use.beats} beats, the job needs {use.needed}")
        return use.beats == use.needed

    def _touch(
        self,
        engine: Engine,
        use: _Use,
        registers: Registers,
        start: Clock,
        order: tuple[int, bool],
    ) -> None:
        """Record a stream. order: the reader a writer follows, whether words come from one job."""
        stream = used = use.stream
        base = registers[f"{used.key}.base"]
        words = self._accesses.words(use.shape, base, used.word_bytes)
        memory = self._memories[stream.memory]
        if memory.off_chip:
            words = rescaled(words, used.word_bytes, self._far_word)
            (self._write_off_chip if used.writes else self._read_off_chip)(engine, words)
            return
        words = self._places(engine, memory, words, used.word_bytes)
        if not words.size:
            return
        history = self._histories[stream.memory]
        if used.writes:
            race = history.write(words, engine, start, order[0], False)
        else:
            race = history.read(words, engine, start, order[1])
        self._report(engine, race, memory.word_bytes)

    def _in_place(
        self, engine: Engine, stream: Stream, unit: ComputeUnit, registers: Registers
    ) -> int:
        """The partial-sum reader when it reads exactly what this job writes, in the same order."""
        if not unit.partial or not registers.get("resume", 0):
            return -1
        other = unit.stream(unit.partial)
        if other.key == stream.key:
            return engine.number
        if not self._accesses.same(stream, other, registers):
            return -1
        return self._engines.of(engine.unit, other.key).number

    def _report(self, engine: Engine, race: Race | None, word_bytes: int) -> None:
        if race is not None:
            where = f"{race.word * word_bytes:#x}"
            other = self._engines.name(race.engine)
            self._find(f"{engine.name} {_RACES[race.kind].format(where, other)}")

    def _places(self, engine: Engine, node: Memory, words: Words, word_bytes: int) -> Words:
        """Sorted words of so many bytes as words of the memory; none, and a finding, outside."""
        words = rescaled(words, word_bytes, node.word_bytes)
        if words.size and (words[0] < 0 or words[-1] >= node.reach_bytes // node.word_bytes):
            self._find(f"{engine.name} leaves memory '{node.name}' of {node.total_bytes} bytes")
            return words[:0]
        first_view = not words.size or words[-1] < node.size_bytes // node.word_bytes
        return words if first_view else node.places(words)


def _sides(unit: ComputeUnit, registers: Registers) -> Iterator[Stream]:
    """Streams of a launch in order: what is read, then what is written; a result that is added to
    is read before."""
    output = unit.stream(unit.output)
    for stream in unit.streams:
        reads = stream.key != unit.output and not stream.writes
        if reads and unit.takes_part(stream.key, registers):
            yield stream
    if not output.writes and registers.get("resume", 0):
        yield output
    for stream in unit.streams:
        if stream.writes or stream.key == unit.output:
            yield replace(stream, writes=True)


def _all(allowed: NDArray[np.bool_], words: Words) -> bool:
    return not words.size or bool(
        words[0] >= 0 and words[-1] < allowed.size and allowed[words].all()
    )


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
