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

    def content(self, dram: Words) -> Words:
        """What a load writes, word by word in the order of `words`, from the words of DRAM."""
        filled = np.uint64(int.from_bytes(bytes([self.value] * 8)))
        far, near = self.words()
        if self.fill:
            return np.full(len(near), filled)
        if not self.line:
            return dram[far]
        source, found = dram.view(np.uint8), []
        for outer in np.ndindex(*self.bound[::-1]):
            first, *rest = outer[::-1]
            line = self.dram + sum(i * s for i, s in zip(rest, self.dram_stride[1:], strict=True))
            start = self.at + first * self.dram_stride[0]
            places = range(start, start + 8 * self.run)
            found += [source[line + p] if 0 <= p < self.line else self.value for p in places]
        return np.array(found, np.uint8).view(np.uint64)

    def words(self) -> tuple[list[int], list[int]]:
        """DRAM and L1 word addresses in the order of transfer."""
        dram, near = [], []
        for outer in np.ndindex(*self.bound[::-1]):
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
    """A job of windows: lines and windows start at any byte, windows leave their line."""
    while True:
        run = int(rng.choice([1, 2, 3, 5, 8, 13, 20]))
        line = int(rng.choice([1, 5, 21, 64, 100, 400]))
        bound = tuple(int(n) for n in rng.integers(1, (12, 4, 3, 3)))
        stride = int(rng.integers(-9, 50))
        job = Job(
            dram=int(rng.integers(8 * dram_words)),
            l1=8 * int(rng.integers(l1_words)),
            run=run,
            bound=bound,
            dram_stride=(stride, *(int(n) for n in rng.integers(-500, 501, LOOPS - 1))),
            l1_stride=tuple(8 * int(n) for n in rng.integers(-80, 81, LOOPS)),
            value=int(rng.integers(256)),
            line=line,
            at=int(rng.integers(-line - 8 * run, line + 20)),
        )
        lines = [
            job.dram + sum(i * s for i, s in zip(index, job.dram_stride[1:], strict=True))
            for index in np.ndindex(*bound[1:])
        ]
        _, near = job.words()
        inside = min(near) >= 0 and max(near) < l1_words
        inside &= min(lines) >= 0 and max(lines) + line <= 8 * dram_words
        if inside and len(set(near)) == len(near):
            return job


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
