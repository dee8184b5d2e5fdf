"""Launches that differ in nothing but where they start, executed together.

In: a unit and the registers of a launch. Out: a `Kind`: which words such a launch reads and writes
relative to its base registers, and a function from what it reads to what it writes, over any number
of launches at once. None for launches that `sim.jobs` alone can execute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Capability, Port
from covenant.core.evaluate import evaluate
from covenant.emit.steps import active, adds, ends_inside, expected_beats, steps_of
from covenant.emit.units import Addresses, ComputeUnit, Dma, Registers, Stream
from covenant.sim.beats import Array, Memories, as_tiles, dtype_of
from covenant.sim.jobs import scalars_of, stepwise, subscripted

Bytes = NDArray[np.uint8]
Compute = Callable[[Sequence[Bytes], int], Bytes]
"""From bytes [launches, bytes] of every access that reads, and the number of launches."""


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Words of `word_bytes` at `offsets` bytes from the register `base`."""

    memory: str
    base: str
    word_bytes: int
    offsets: Addresses


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Launches of one unit with the same registers but for bases. steps: of the array; fetched,
    stored: off-chip bytes."""

    unit: str
    bases: tuple[str, ...]
    reads: tuple[Access, ...]
    write: Access
    compute: Compute
    steps: int = 0
    fetched: int = 0
    stored: int = 0

    @property
    def words(self) -> int:
        """Words that a launch reads and writes."""
        return sum(a.offsets.size for a in (*self.reads, self.write))


def kind_of(
    name: str, unit: Dma | ComputeUnit, registers: Registers, memories: Memories
) -> Kind | None:
    """The kind of a launch, None when it can only be executed by itself."""
    match unit:
        case Dma():
            found = _transfer(name, unit, registers)
        case ComputeUnit():
            found = _steps(name, unit, registers)
    if found is None:
        return None
    nodes = [memories.nodes[a.memory] for a in (*found.reads, found.write)]
    if any(node.per or len(node.views) > 1 for node in nodes):
        return None
    written = found.write.offsets
    return found if np.unique(written).size == written.size else None


def _transfer(name: str, dma: Dma, registers: Registers) -> Kind | None:
    if dma.windowed(registers):
        return None
    zeros = {**registers, "src.base": 0, "dst.base": 0}

    def side(key: str, memory: str) -> Access:
        return Access(memory, f"{key}.base", dma.word_bytes, _signed(dma.addresses(zeros, key)))

    write = side("dst", dma.target.name)
    size = write.offsets.size * dma.word_bytes
    if registers.get("fill", 0):
        each = registers.get("value_bytes", 1)
        value = (registers["value"] & (1 << 8 * each) - 1).to_bytes(each, "little")
        row = np.frombuffer(value * (size // each), np.uint8)
        return Kind(name, ("dst.base",), (), write, lambda _, jobs: np.tile(row, (jobs, 1)))
    return Kind(
        name,
        ("src.base", "dst.base"),
        (side("src", dma.source.name),),
        write,
        lambda read, jobs: read[0],
        0,
        size if dma.source.off_chip else 0,
        size if dma.target.off_chip else 0,
    )


def _steps(name: str, unit: ComputeUnit, registers: Registers) -> Kind | None:
    """A job whose steps give one result each; none of its operands stays for another."""
    if unit.shapes or unit.results or unit.node.records or registers.get("steps", 1) != 1:
        return None
    if not 0 <= registers.get("function", 0) < len(unit.capabilities):
        return None
    if ends_inside(unit, registers):
        return None
    capability, target = unit.selected(registers), unit.output
    if capability.stationary not in (None, "", capability.statement.target.name):
        return None
    ports = [p for p in capability.inputs if p.stream]
    streams = [active(unit, p.name, registers) for p in ports]
    reads = [_access(s, unit, registers) for s in streams]
    write = _access(active(unit, target, registers), unit, registers)
    if write is None or any(access is None for access in reads):
        return None
    known = [access for access in reads if access is not None]
    job = _Job(unit, capability, registers, tuple(zip(ports, streams, strict=True)), write)
    if job.adds:
        unique = np.unique(write.offsets)
        write = Access(write.memory, write.base, write.word_bytes, unique)
        known += [write] if job.resumes else []
    bases = tuple(dict.fromkeys(a.base for a in (*known, write)))
    return Kind(name, bases, tuple(known), write, job.compute, job.count)


def _access(stream: Stream, unit: ComputeUnit, registers: Registers) -> Access | None:
    """Words of a stream in the order of its beats; None where lanes are masked or copied."""
    base = f"{stream.key}.base"
    beats = expected_beats(unit, stream.key, registers)
    if stream.starts or stream.copies or f"{stream.key}.run" in registers:
        return None
    found = stream.addresses({**registers, base: 0}, beats)
    if found.shape[0] != beats or bool((found < 0).any()):
        return None
    return Access(stream.memory, base, stream.word_bytes, _signed(found))


class _Job:
    """The meaning of a compute job over many launches."""

    def __init__(
        self,
        unit: ComputeUnit,
        capability: Capability,
        registers: Registers,
        operands: tuple[tuple[Port, Stream], ...],
        write: Access,
    ) -> None:
        self.capability = capability
        self.count = steps_of(unit, registers)
        self.adds = adds(unit, registers)
        self.resumes = bool(registers.get("resume", 0))
        self._operands = operands
        self._registers = dict(registers)
        self._scalars = scalars_of(capability, registers)
        self._output = active(unit, unit.output, registers)
        self._places = np.searchsorted(np.unique(write.offsets), write.offsets)

    def compute(self, read: Sequence[Bytes], jobs: int) -> Bytes:
        """Bytes [launches, bytes] written."""
        capability, count = self.capability, jobs * self.count
        sources: dict[str, Array | int | float] = dict(self._scalars)
        for (port, stream), content in zip(self._operands, read, strict=False):
            sources[port.name] = self._operand(port, stream, content, count)
        extents = {**capability.extents, "tile ": 1, "step ": count}
        statement = stepwise(capability, sources)
        rounding = capability.rounding or "ort_f32"
        total = evaluate(statement, extents, sources, rounding=rounding)
        kind = capability.port(capability.statement.target.name).kinds[0].numpy
        made = self._beats(total.reshape(count, *total.shape[2:]).astype(kind))
        made = made.reshape(jobs, -1, self._output.word_bytes)
        if not self.adds:
            return made.reshape(jobs, -1)
        return self._added(made.view(kind), read[-1] if self.resumes else None, jobs)

    def _operand(self, port: Port, stream: Stream, content: Bytes, count: int) -> Array:
        capability = self.capability
        shape = tuple(capability.extents[d] for d in port.tile)
        data = content.reshape(-1, stream.lanes, stream.words * stream.word_bytes)
        if stream.strided_lanes:
            data = data[:, : int(np.prod(shape[:-1]))]
        dtype = dtype_of(port.kinds, self._registers, port.name)
        array = as_tiles(data, dtype, shape, count, port.name)
        return subscripted(array, capability, port.name, port.tile, count)[None, :, 0]

    def _beats(self, made: Array) -> Bytes:
        """Results [steps, axes] as words in the order of the beats of the output."""
        out = self._output
        raw = np.ascontiguousarray(made).view(np.uint8)
        raw = raw.reshape(made.shape[0], out.lanes, -1, out.words, out.word_bytes)
        return np.ascontiguousarray(raw.transpose(0, 2, 1, 3, 4))

    def _added(self, made: Array, before: Bytes | None, jobs: int) -> Bytes:
        """Sums in the memory after all steps, from those before or from nothing."""
        largest = self.capability.statement.reduction == "max"
        unique = int(self._places.max()) + 1
        if before is None:
            least = np.iinfo(made.dtype).min if largest else 0
            sums = np.full((jobs, unique, made.shape[2]), least, made.dtype)
        else:
            sums = before.view(made.dtype).reshape(jobs, unique, -1).copy()
        into = np.maximum if largest else np.add
        if unique == made.shape[1]:
            sums[:, self._places] = into(sums[:, self._places], made)
        else:
            for step, place in enumerate(self._places):
                sums[:, place] = into(sums[:, place], made[:, step])
        return sums.reshape(jobs, -1).view(np.uint8)


def _signed(addresses: Addresses) -> Addresses:
    """Offsets in one row; those that went below zero."""
    found = addresses.reshape(-1)
    return np.where(found >= 1 << 31, found - (1 << 32), found)
