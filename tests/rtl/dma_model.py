"""What DMA jobs mean, in NumPy, and an AXI4 memory with random latencies and pauses.

In: job registers; what the DMA does on its bus, cycle by cycle. Out: word addresses in order; DRAM
contents; an AssertionError when the bus is used against AXI4 or the DMA's promises.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
LOOPS = 4


@dataclass(frozen=True)
class Job:
    """Registers of a job by side; addresses and strides in bytes, loop 0 innermost."""

    dram: int
    l1: int
    run: int
    word_stride: int = 8
    bound: tuple[int, ...] = (1,) * LOOPS
    dram_stride: tuple[int, ...] = (0,) * LOOPS
    l1_stride: tuple[int, ...] = (0,) * LOOPS
    fill: bool = False
    value: int = 0
    line: int = 0
    at: int = 0
    plane: int = 0
    top: int = 0
    bytes: int = 0

    def content(self, dram: Words) -> Words:
        """What a load writes, word by word in the order of `words`, from the words of DRAM."""
        filled = np.uint64(int.from_bytes(bytes([self.value] * 8)))
        far, near = self.words()
        if self.fill:
            return np.full(len(near), filled)
        if not self.line:
            return dram[far]
        source, found = dram.view(np.uint8), []
        for fourth, third, second in np.ndindex(*self.bound[:0:-1]):
            row: list[int] = []
            along = self.at + second * self.dram_stride[1]
            for first in range(self.bound[0]):
                across = self.top + first * self.dram_stride[0] + third * self.dram_stride[2]
                line = self.dram + across + fourth * self.dram_stride[3]
                seen = not self.plane or 0 <= across < self.plane
                for p in range(along, along + self.bytes):
                    inside = seen and 0 <= p < self.line
                    row.append(int(source[line + p]) if inside else self.value)
            found += row + [self.value] * (8 * self.run - len(row))
        return np.array(found, np.uint8).view(np.uint64)

    def words(self) -> tuple[list[int], list[int]]:
        """DRAM and L1 word addresses in the order of transfer; windows have one row for all
        iterations of loop 0, and no DRAM words of their own."""
        dram, near = [], []
        bound = (1, *self.bound[1:]) if self.line and not self.fill else self.bound
        for outer in np.ndindex(*bound[::-1]):
            index = outer[::-1]
            far_row = self.dram + sum(i * s for i, s in zip(index, self.dram_stride, strict=True))
            near_row = self.l1 + sum(i * s for i, s in zip(index, self.l1_stride, strict=True))
            for word in range(self.run):
                dram.append((far_row + 8 * word) // 8)
                near.append((near_row + word * self.word_stride) // 8)
        return dram, near


def random_job(rng: np.random.Generator, dram_words: int, l1_words: int, kind: str = "") -> Job:
    """A job whose L1 words are distinct and lie within bounds; strides may be negative."""
    while True:
        run = int(rng.choice([1, 2, 3, 5, 8, 13, 40]))
        bound = tuple(int(rng.integers(1, 5)) for _ in range(LOOPS))
        dram_stride = [8 * int(rng.integers(-60, 61)) for _ in range(LOOPS)]
        if rng.random() < 0.5:
            dram_stride[0] = 8 * run  # rows that follow one another
        l1_stride = [8 * int(rng.integers(-80, 81)) for _ in range(LOOPS)]
        job = Job(
            dram=8 * int(rng.integers(dram_words)),
            l1=8 * int(rng.integers(l1_words)),
            run=run,
            word_stride=8 * int(rng.choice([1, 1, 3, -2])),
            bound=bound,
            dram_stride=tuple(dram_stride),
            l1_stride=tuple(l1_stride),
            fill=kind == "fill" or (kind == "load" and rng.random() < 0.2),
            value=int(rng.integers(256)),
        )
        far, near = job.words()
        low, high = min(far) >= 0 and min(near) >= 0, (max(far) < dram_words, max(near) < l1_words)
        inside = low and all(high)
        unique = len(set(near)) == len(near) and (kind != "store" or len(set(far)) == len(far))
        if inside and unique:
            return job


def random_windows(rng: np.random.Generator, dram_words: int, l1_words: int) -> Job:
    """A job of windows: planes, lines and runs start at any byte, runs leave line and plane."""
    while True:
        size = int(rng.choice([1, 3, 8, 21, 49, 64, 100, 170]))
        runs = int(rng.choice([1, 1, 2, 3, 7]))
        line = int(rng.choice([1, 5, 21, 64, 100, 400]))
        pitch, plane = line + int(rng.integers(20)), 0
        lines = int(rng.integers(1, 12))
        if rng.random() < 0.5:
            plane = pitch * lines
        job = Job(
            dram=int(rng.integers(8 * dram_words)),
            l1=8 * int(rng.integers(l1_words)),
            run=-(-runs * size // 8) + int(rng.integers(3)),
            bound=(runs, *(int(n) for n in rng.integers(1, (10, 4, 3)))),
            dram_stride=(
                pitch * int(rng.integers(3)),
                int(rng.integers(-9, 50)),
                pitch * int(rng.integers(4)),
                int(rng.integers(-500, 501)),
            ),
            l1_stride=(8, *(8 * int(n) for n in rng.integers(-80, 81, LOOPS - 1))),
            value=int(rng.integers(256)),
            line=line,
            at=int(rng.integers(-line - size, line + 20)),
            plane=plane,
            top=pitch * int(rng.integers(-3, lines)),
            bytes=size,
        )
        if _inside(job, dram_words, l1_words):
            return job


def _inside(job: Job, dram_words: int, l1_words: int) -> bool:
    """Whether L1 words are distinct and all lines that are read lie in the memory."""
    for index in np.ndindex(job.bound[0], *job.bound[2:]):
        across = job.top + index[0] * job.dram_stride[0] + index[1] * job.dram_stride[2]
        line = job.dram + across + index[2] * job.dram_stride[3]
        seen = not job.plane or 0 <= across < job.plane
        if seen and not 0 <= line <= 8 * dram_words - job.line:
            return False
    _, near = job.words()
    return min(near) >= 0 and max(near) < l1_words and len(set(near)) == len(near)


@dataclass
class AxiMemory:
    """A slave with one ID: requests queue up, data and responses come in order, late and with
    pauses. `latency` and `pause` are an upper bound in cycles and a probability."""

    memory: Words
    beat_words: int
    rng: np.random.Generator
    latency: int = 0
    pause: float = 0.0
    max_beats: int = 64
    reads: deque[tuple[int, int, int]] = field(default_factory=deque)
    writes: deque[tuple[int, int]] = field(default_factory=deque)
    responses: deque[int] = field(default_factory=deque)
    cycle: int = 0
    offered: bool = False
    most_outstanding: int = 0

    def ready(self) -> bool:
        """Whether a channel moves in this cycle."""
        return self.rng.random() >= self.pause

    def _late(self) -> int:
        return self.cycle + 1 + (int(self.rng.integers(self.latency + 1)) if self.latency else 0)

    def _check(self, address: int, beats: int) -> None:
        size = 8 * self.beat_words
        assert address % size == 0, "bursts of full beats start at a beat"
        assert beats <= self.max_beats, "burst too long"
        assert address // 4096 == (address + beats * size - 1) // 4096, "burst crosses 4 KiB"

    def read_request(self, address: int, length: int) -> None:
        self._check(address, length + 1)
        self.reads.append((address, length + 1, self._late()))
        self.most_outstanding = max(self.most_outstanding, len(self.reads))

    def read_beat(self) -> tuple[Words, bool] | None:
        """The data offered in this cycle and whether it ends its burst; held until taken."""
        if not self.reads or not (
            self.offered or (self.reads[0][2] <= self.cycle and self.ready())
        ):
            return None
        self.offered = True
        address, beats, _ = self.reads[0]
        first = address // 8
        return self.memory[first : first + self.beat_words], beats == 1

    def read_taken(self) -> None:
        self.offered = False
        address, beats, ready = self.reads.popleft()
        if beats > 1:
            self.reads.appendleft((address + 8 * self.beat_words, beats - 1, ready))

    def write_request(self, address: int, length: int) -> None:
        self._check(address, length + 1)
        self.writes.append((address, length + 1))

    def write_beat(self, data: Words, strobe: int, last: bool) -> None:
        assert self.writes, "data before its address"
        address, beats = self.writes.popleft()
        assert last == (beats == 1), "wlast at the wrong beat"
        assert strobe, "a beat without a byte"
        for lane in range(self.beat_words):
            mask = strobe >> (8 * lane) & 0xFF
            assert mask in (0, 0xFF), "words are written whole"
            if mask:
                self.memory[address // 8 + lane] = data[lane]
        if beats > 1:
            self.writes.appendleft((address + 8 * self.beat_words, beats - 1))
        else:
            self.responses.append(self._late())

    def response(self) -> bool:
        """Whether a write response is offered (it is always taken)."""
        if self.responses and self.responses[0] <= self.cycle and self.ready():
            self.responses.popleft()
            return True
        return False
