"""What a job asks of the banks, beat by beat: the banks of its lanes for a stretch of the job.

In: the register values of a launch. Out: `NodeTraffic` of a compute job, `PathTraffic` of a
transfer; equal ones are one object. RTL: cvn_agu (addresses of beats), cvn_dma_beats (lanes of a
transfer are the words of a bus beat), cvn_tcdm (bank of an address).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.emit.units import Dma, Registers, Stream

BEATS = 1024
"""Most beats of a job that are looked at."""

Lanes = tuple[tuple[int, ...], ...]
"""Bank of every lane by beat, -1 where a lane has no word."""


@dataclass(frozen=True, slots=True)
class StreamTraffic:
    """Beats of one stream. fifo: beats it holds; tile: beats per tile, 0 for one per array step;
    group: tiles that share the beats of a record; prompt: whether they go before others of their
    class."""

    lanes: Lanes
    fifo: int
    writes: bool
    urgent: bool
    tile: int = 0
    group: int = 1
    prompt: bool = False


@dataclass(frozen=True, slots=True)
class NodeTraffic:
    """A compute job: steps per tile, cycles per step, cycles a tile takes to leave."""

    streams: tuple[StreamTraffic, ...]
    steps: int
    step_cycles: int
    exchange: int


@dataclass(frozen=True, slots=True)
class PathTraffic:
    """A transfer on its on-chip side; `cycles` per `beats` when nothing is in its way."""

    lanes: Lanes
    writes: bool
    beats: int
    cycles: int


Traffic = NodeTraffic | PathTraffic


class Banks:
    """All banks of the on-chip memories of an architecture, numbered."""

    def __init__(self, acg: Acg) -> None:
        self._nodes = {m.name: m for m in acg.on_chip if m.banks > 1}
        self._first: dict[str, int] = {}
        count = 0
        for memory in self._nodes.values():
            self._first[memory.name] = count
            count += memory.banks

    def of(self, memory: str, addresses: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bank of every byte address; -1 for -1 and for memories without banks."""
        node = self._nodes.get(memory)
        if node is None:
            return np.full_like(addresses, -1)
        words = np.maximum(addresses, 0) // node.word_bytes
        banks = node.places(words) % node.banks + self._first[memory]
        return np.where(addresses < 0, -1, banks)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._nodes)

    def stream(self, stream: Stream, registers: Registers, beats: int) -> Lanes:
        """Banks of the first beats of a job of so many."""
        found = self.of(stream.memory, stream.addresses(_cut(stream, registers), beats))
        return _tuples(found.reshape(found.shape[0], -1)[:BEATS])

    def transfer(self, dma: Dma, registers: Registers) -> Lanes:
        """Banks of the words of the first bus beats of a transfer."""
        near, memory = ("dst", dma.target) if dma.loads else ("src", dma.source)
        width = max(1, dma.transfer.bytes_per_cycle // dma.word_bytes)
        found = self.of(memory.name, dma.addresses(registers, near))
        rows, run = found.shape
        first = _first_lanes(dma, registers, rows, width)
        if first is None:
            found, first = found.reshape(1, -1), _first_lanes(dma, registers, 1, width)
            rows, run = found.shape
        beats: list[tuple[int, ...]] = []
        for row in range(rows):
            lead = int(first[row]) if first is not None else 0
            padded = np.full(-(-(lead + run) // width) * width, -1, np.int64)
            padded[lead : lead + run] = found[row]
            beats += _tuples(padded.reshape(-1, width))
            if len(beats) >= BEATS:
                break
        return tuple(beats[:BEATS])


def _first_lanes(dma: Dma, registers: Registers, rows: int, width: int) -> NDArray[np.int64] | None:
    """Lane of the first word of every row; None when all rows are one."""
    if registers.get("fill", 0) or dma.windowed(registers):
        return np.zeros(rows, np.int64) if rows == 1 or dma.windowed(registers) else None
    far = "src" if dma.loads else "dst"
    run = registers.get("run", 1) * dma.word_bytes
    starts = dma.addresses(registers, far)[:, 0] // dma.word_bytes
    folds = registers.get(f"{far}.stride[0]", run) == run
    if rows > 1 and folds and rows == registers.get("bound[0]", 1):
        return None
    return np.asarray(starts[:rows] % width, np.int64)


def _cut(stream: Stream, registers: Registers) -> Registers:
    """The registers with outer loops cut short, so that few beats are left."""
    cut = dict(registers)
    beats = 1
    for i in range(stream.loops):
        name = f"{stream.key}.bound[{i}]"
        if name in registers:
            cut[name] = max(1, min(registers[name], -(-BEATS // beats)))
            beats *= cut[name]
    return cut


def _tuples(array: NDArray[np.int64]) -> Lanes:
    return tuple(tuple(row) for row in array.tolist())


def conflicts(flows: tuple[Traffic, ...]) -> bool:
    """Whether two words of different lanes may meet in a bank at all."""
    seen: set[int] = set()
    for lanes in streams_of(flows):
        own: set[int] = set()
        for beat in lanes:
            banks = [bank for bank in beat if bank >= 0]
            own.update(banks)
            if len(set(banks)) != len(banks):
                return True
        if own & seen:
            return True
        seen |= own
    return False


def streams_of(flows: tuple[Traffic, ...]) -> list[Lanes]:
    """Lanes of all streams."""
    found: list[Lanes] = []
    for flow in flows:
        if isinstance(flow, PathTraffic):
            found.append(flow.lanes)
        else:
            found += [stream.lanes for stream in flow.streams]
    return found
