"""What a launch of a control unit touches: its streams or its transfer, and their addresses.

In: an `Acg` and register values of a launch. Out: word addresses in the order of access. Read by
the static checker and the interpreter; the emitter does not use it, so errors cannot cancel out.
Quantities: `<port>.base`, `.bound[i]`, `.stride[i]` (loop 0 innermost), `.lane_stride`,
`.word_stride`, `.tail_loop`, `.tail_lanes`, `.row_lanes`, `.row_step`, `.row_jump`; for a DMA
`src`/`dst` `.base`, `.stride[i]`, `.word_stride`, `bound[i]`, `run`, `fill`, `value`, `line`, `at`,
`plane`, `top`, `bytes`. All in bytes but bounds, run, tails, lanes and steps of a row. With a
`line`, rows are windows: loop 0 runs over `bytes`-long runs that follow one another on chip, loop 1
moves along a line of `line` bytes, loop 2 across lines. `at` and `top` are the first window's place
along and across; outside of the line, and of `plane` bytes of lines when it is not 0, `value` is
read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from covenant.acg.control import ControlUnit
from covenant.acg.graph import Acg, Capability, Compute, Memory, Port, Record, Transfer
from covenant.emit.grid import instances_of

Registers = Mapping[str, int]
Addresses = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of a compute unit: one beat is `lanes` x `words` memory words.

    key: prefix of its registers; strided_lanes, strided_words: whether registers hold the distance
    of lanes and of the words of a lane (else a beat is contiguous). Of a memory with an instance
    per lane, addresses lie in an instance, each word goes to that of its lane: starts: (instance,
    lane in it, word of that lane in it) of every word of a beat, lane by lane; copies: bytes from
    there to other instances that take the same beat.
    """

    key: str
    memory: str
    writes: bool
    lanes: int
    words: int
    loops: int
    word_bytes: int
    strided_lanes: bool
    strided_words: bool
    starts: tuple[tuple[int, int, int], ...] = ()
    copies: tuple[int, ...] = ()

    @property
    def inside(self) -> tuple[int, int]:
        """Lanes and words per lane of a beat in one memory."""
        if not self.starts:
            return self.lanes, self.words
        return max(x for _, x, _ in self.starts) + 1, max(x for _, _, x in self.starts) + 1

    def nest(self, registers: Registers, beats: int = 0) -> tuple[list[int], list[int]]:
        """Bounds and strides of its loops, innermost first. A bound without a register is what is
        left of the job's `beats`, a stride without one continues the loops inside."""
        bounds: list[int] = []
        strides: list[int] = []
        known = [registers.get(f"{self.key}.bound[{i}]", 0) for i in range(self.loops)]
        left = beats // max(1, int(np.prod([b for b in known if b], dtype=np.int64)))
        lanes, words = self.inside
        covered = words * self.word_bytes * (1 if self.strided_lanes else lanes)
        for i, bound in enumerate(known):
            bounds.append(bound or max(1, left))
            strides.append(registers.get(f"{self.key}.stride[{i}]", covered))
            covered = bounds[-1] * strides[-1]
        return bounds, strides

    def addresses(self, registers: Registers, beats: int = 0) -> Addresses:
        """Byte addresses [beats, lanes, words]; -1 where a tail mask disables the lane. beats: of
        the job, for loops without a register."""
        bounds, strides = self.nest(registers, beats)
        starts = strided(registers[f"{self.key}.base"], bounds, strides)
        lane = registers[f"{self.key}.lane_stride"] if self.strided_lanes else 0
        word = registers[f"{self.key}.word_stride"] if self.strided_words else self.word_bytes
        if self.starts:
            dense = self.inside[1] * self.word_bytes
            weights = np.array([1, lane if self.strided_lanes else dense, word], np.int64)
            placed = np.array(self.starts, np.int64) @ weights
            return (starts[:, None, None] + placed.reshape(1, self.lanes, self.words)) & 0xFFFFFFFF
        lanes = np.arange(self.lanes, dtype=np.int64) * lane
        words = np.arange(self.words, dtype=np.int64) * word
        result = starts[:, None, None] + lanes[None, :, None] + words[None, None, :]
        result += self._jumps(registers, bounds)[:, :, None]
        result &= 0xFFFFFFFF
        tail = registers.get(f"{self.key}.tail_lanes", self.lanes)
        if tail < self.lanes:
            loop = registers.get(f"{self.key}.tail_loop", -1)
            last = _tail_beats(bounds, loop) if loop >= 0 else np.ones(len(starts), np.bool_)
            result[last, tail:] = -1
        return result

    def everywhere(self, registers: Registers, beats: int = 0) -> Addresses:
        """Byte addresses [beats, lanes, words] in the first instance that takes a beat, and in its
        copies, one after the other."""
        found = self.addresses(registers, beats)
        return (
            np.concatenate([found, *(found + far for far in self.copies)]) if self.copies else found
        )

    def _jumps(self, registers: Registers, bounds: list[int]) -> Addresses:
        """Bytes [beats, lanes] that ends of rows add: a row has `row_lanes` lanes, the first lane
        of a beat moves on by `row_step` of them per turn of its loop, besides whole rows."""
        length = registers.get(f"{self.key}.row_lanes", 0)
        if not length:
            return np.zeros((1, 1), np.int64)
        turns = _turns(bounds, registers[f"{self.key}.tail_loop"])
        column = turns[:, None] * registers[f"{self.key}.row_step"] + np.arange(self.lanes)[None, :]
        jumps: Addresses = column // length * registers[f"{self.key}.row_jump"]
        return jumps


@dataclass(frozen=True, slots=True)
class Dma:
    """A transfer between memories as one unit starts it."""

    transfer: Transfer
    source: Memory
    target: Memory
    loops: int
    word_bytes: int

    @property
    def loads(self) -> bool:
        """True when data moves on chip."""
        return self.source.off_chip

    def addresses(self, registers: Registers, side: str) -> Addresses:
        """Byte addresses [rows, run] of `side` (`src` or `dst`); runs of a window make one row."""
        bounds = [registers.get(f"bound[{i}]", 1) for i in range(self.loops)]
        if self.windowed(registers):
            bounds[0] = 1
        word = registers.get(f"{side}.word_stride", self.word_bytes)
        spaced = f"{side}.word_stride" in registers
        covered = self.word_bytes if spaced else registers.get("run", 1) * word
        strides: list[int] = []
        for i, bound in enumerate(bounds):
            strides.append(registers.get(f"{side}.stride[{i}]", covered))
            covered = bound * strides[-1]
        rows = strided(registers[f"{side}.base"], bounds, strides)
        run = np.arange(registers.get("run", 1), dtype=np.int64) * word
        return (rows[:, None] + run[None, :]) & 0xFFFFFFFF

    def windowed(self, registers: Registers) -> bool:
        """Whether a launch reads rows of bytes that may leave their line."""
        return bool(registers.get("line", 0)) and not registers.get("fill", 0)

    def window_bytes(self, registers: Registers) -> Addresses:
        """Source byte addresses [rows, run * word_bytes] of such a launch; -1 where the row takes
        none: outside line and plane, and after its runs."""
        bounds = [registers[f"bound[{i}]"] for i in range(self.loops)]
        strides = [registers[f"src.stride[{i}]"] for i in range(self.loops)]
        kinds = ["across", "along", "across", *["other"] * self.loops]

        def moved(kind: str, start: int) -> Addresses:
            own = [s if k == kind else 0 for k, s in zip(kinds, strides, strict=False)]
            return strided(start, bounds, own)[:, None]

        at = moved("along", registers["at"]) + np.arange(registers["bytes"], dtype=np.int64)
        across, plane = moved("across", registers["top"]), registers["plane"]
        inside = (at >= 0) & (at < registers["line"])
        if plane:
            inside &= (across >= 0) & (across < plane)
        places = (moved("other", registers["src.base"]) + across + at) & 0xFFFFFFFF
        runs = np.where(inside, places, -1).reshape(-1, bounds[0] * registers["bytes"])
        width = registers.get("run", 1) * self.word_bytes
        return np.pad(runs, ((0, 0), (0, width - runs.shape[1])), constant_values=-1)


@dataclass(frozen=True, slots=True)
class ComputeUnit:
    """A compute node with the nodes chained to it, started together.

    capabilities: of the node, in the order of the register `function`; results: of the chained
    node, in the order of `out`; streams: by register prefix.
    """

    node: Compute
    capabilities: tuple[Capability, ...]
    results: tuple[Capability, ...]
    streams: tuple[Stream, ...]
    partial: str
    """Key of the stream that brings partial sums back, "" when there is none."""
    output: str
    """Key of the stream that writes results."""
    apart: Mapping[tuple[str, str], Stream] = field(default_factory=dict)
    """Streams of memories with an instance per lane, by capability and register prefix: which
    instances a beat takes follows from the lanes of the capability."""
    shapes: tuple[tuple[Stream, ...], ...] = ()
    """Streams per capability where some mean the same in other extents, else ()."""

    def shaped(self, registers: Registers) -> ComputeUnit:
        """The unit with streams as wide as a launch needs them; raises what `selected` does."""
        if not self.shapes:
            return self
        number = self.capabilities.index(self.selected(registers))
        return replace(self, streams=self.shapes[number], shapes=())

    def stream(self, key: str) -> Stream:
        """The stream of that prefix; KeyError when absent."""
        return {s.key: s for s in self.streams}[key]

    def selected(self, registers: Registers) -> Capability:
        """The capability that a launch executes; IndexError when there is none of that number."""
        number = registers.get("function", 0)
        if number < 0:
            raise IndexError(number)
        return self.capabilities[number]

    def outlet(self, registers: Registers) -> int:
        """0: sums leave as they are; else 1 + index of the chained capability they pass. Without a
        register the only one there is."""
        return registers.get("out", min(1, len(self.results)))

    def takes_part(self, key: str, registers: Registers) -> bool:
        """Whether a launch gives the stream of that prefix a job."""
        if key == self.output:
            return True
        if registers.get("hold", 0) and key == self.selected(registers).stationary:
            return False
        if key == self.partial:
            return bool(registers.get("resume", 0))
        out = self.outlet(registers)
        used = [self.selected(registers), *self.results[out - 1 : out if out else 0]]
        ports = {port.name for capability in used for port in capability.ports}
        for record in self.node.records:
            if record.name == key:
                return bool(ports.intersection(record.fields))
        return key in ports


def record_bytes(unit: ComputeUnit, record: Record) -> int:
    """Bytes of one record: all fields for the extent of its dim, or all entries of a table."""
    ports = {p.name: p for c in (*unit.capabilities, *unit.results) for p in c.ports}
    each = sum(ports[name].kinds[0].bytes for name in record.fields)
    return each * record_width(unit, record)


def record_width(unit: ComputeUnit, record: Record) -> int:
    """Values of each field in one record."""
    extents = {d: e for c in unit.capabilities for d, e in c.extents.items()}
    return record.entries or extents.get(record.dim, 1)


def strided(base: int, bounds: list[int], strides: list[int]) -> Addresses:
    """base + sum(index * stride) over all iterations, loop 0 innermost."""
    result = np.full(1, base, np.int64)
    for bound, stride in zip(bounds, strides, strict=True):
        if bound != 1:
            result = (np.arange(bound, dtype=np.int64)[:, None] * stride + result[None, :]).ravel()
    return result


def _tail_beats(bounds: list[int], loop: int) -> NDArray[np.bool_]:
    """Which beats lie in the last iteration of a loop."""
    return np.asarray(_turns(bounds, loop) == bounds[loop] - 1)


def _turns(bounds: list[int], loop: int) -> NDArray[np.int64]:
    """Iteration of a loop in every beat."""
    inner = int(np.prod(bounds[:loop], dtype=np.int64))
    beats = np.arange(int(np.prod(bounds, dtype=np.int64)))
    return beats // inner % bounds[loop]


def read_unit(acg: Acg, unit: ControlUnit) -> Dma | ComputeUnit:
    """What one unit starts."""
    transfers = {t.name: t for t in acg.transfers}
    for name in unit.nodes:
        if name in transfers:
            transfer = transfers[name]
            source, target = acg.memory(transfer.source), acg.memory(transfer.target)
            return Dma(transfer, source, target, _loops(unit, ""), transfer.granule)
    return _compute_unit(acg, unit)


def _compute_unit(acg: Acg, unit: ControlUnit) -> ComputeUnit:
    nodes = [acg.compute(name) for name in unit.nodes]
    main = next(n for n in nodes if not n.after)
    chained = [n for n in nodes if n.after]
    results = tuple(c for n in chained for c in n.capabilities)
    sums = ["", *(p.name for c in main.capabilities for p in c.ports if p.partial)]
    last = [r.statement.target.name for r in results or main.capabilities[:1]]
    meant = [str(c.statement) for c in main.capabilities]
    shapes: tuple[tuple[Stream, ...], ...] = ()
    if len(set(meant)) < len(meant):
        pairs = zip(main.capabilities, meant, strict=True)
        alike = [(c,) if meant.count(m) > 1 else main.capabilities for c, m in pairs]
        shapes = tuple(_streams(acg, unit, main, own, results) for own in alike)
    streams = _streams(acg, unit, main, main.capabilities, results)
    apart = dict(_apart(acg, unit, main.capabilities, results))
    return ComputeUnit(main, main.capabilities, results, streams, sums[-1], last[-1], apart, shapes)


def _streams(
    acg: Acg,
    unit: ControlUnit,
    main: Compute,
    capabilities: tuple[Capability, ...],
    results: tuple[Capability, ...],
) -> tuple[Stream, ...]:
    """Streams of a node that are wide enough for all of these capabilities."""
    streams: dict[str, Stream] = {}
    for capability in capabilities:
        for port in capability.ports:
            if (port.partial or port.stream) and port.tile:
                found = _stream(acg, unit, port, port.partial or port.stream, capability)
                widest = streams.get(port.name)
                if widest is None or found.lanes > widest.lanes:
                    streams[port.name] = found
    for result in results:
        for port in result.ports:
            if port.stream and port.tile:
                own = _stream(acg, unit, port, port.stream, capabilities[0])
                streams.setdefault(port.name, own)
    for record in main.records:
        transfer = acg.transfer(record.stream)
        streams[record.name] = _flat(acg, unit, record.name, transfer, transfer.lanes)
    return tuple(streams.values())


def _apart(
    acg: Acg, unit: ControlUnit, own: tuple[Capability, ...], results: tuple[Capability, ...]
) -> Iterator[tuple[tuple[str, str], Stream]]:
    for capability in own:
        taken = {port.name for port in capability.ports}
        after = [p for r in results for p in r.ports if p.name not in taken]
        for port in (*capability.ports, *after):
            name = port.partial or port.stream
            if name and port.tile and acg.stream_memory(name).per:
                yield (capability.name, port.name), _stream(acg, unit, port, name, capability)


def _stream(acg: Acg, unit: ControlUnit, port: Port, name: str, capability: Capability) -> Stream:
    transfer = acg.transfer(name)
    writes = transfer.target in {m.name for m in acg.memories}
    memory = acg.memory(transfer.target if writes else transfer.source)
    elements = [capability.extents.get(d, 1) for d in port.tile]
    bytes_each = port.kinds[0].bytes
    strided_lanes = unit.register(f"{port.name}.lane_stride") is not None
    strided_words = unit.register(f"{port.name}.word_stride") is not None
    if memory.per:
        own = dict(zip(memory.per, memory.lanes_each, strict=True)).get(port.tile[-1], 1 << 30)
        word = min(memory.word_bytes, min(elements[-1], own) * bytes_each)
        starts, copies = instances_of(memory, port, capability, word)
        lanes = int(np.prod(elements[:-1]))
        return Stream(
            port.name,
            memory.name,
            writes,
            lanes,
            len(starts) // lanes,
            _loops(unit, port.name),
            word,
            strided_lanes,
            strided_words,
            starts,
            copies,
        )
    if not strided_lanes:
        words = int(np.prod(elements)) * bytes_each // memory.word_bytes
        return _flat(acg, unit, port.name, transfer, words)
    words = -(-elements[-1] * bytes_each // memory.word_bytes) if strided_words else 1
    return Stream(
        port.name,
        memory.name,
        writes,
        int(np.prod(elements[:-1])),
        words,
        _loops(unit, port.name),
        memory.word_bytes,
        True,
        strided_words,
    )


def _flat(acg: Acg, unit: ControlUnit, key: str, transfer: Transfer, words: int) -> Stream:
    """A stream whose beat is contiguous."""
    writes = transfer.target in {m.name for m in acg.memories}
    memory = acg.memory(transfer.target if writes else transfer.source)
    return Stream(
        key, memory.name, writes, 1, words, _loops(unit, key), memory.word_bytes, False, False
    )


def _loops(unit: ControlUnit, key: str) -> int:
    sides = [f"{key}."] if key else ["", "src.", "dst."]
    names = [f"{side}{kind}" for side in sides for kind in ("bound", "stride")]
    count = 0
    while any(unit.register(f"{name}[{count}]") is not None for name in names):
        count += 1
    return count
