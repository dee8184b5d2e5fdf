"""Stream reader and writer around the L1: addresses, masks, job order, throughput."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from rtl.bench import Bench
from rtl.gemm_model import passed_rows

pytestmark = pytest.mark.rtl

PIXELS, PER_PIXEL, LOOPS, BANKS, WORDS = 4, 2, 3, 16, 1024
LANES = PIXELS * PER_PIXEL
ROWS = ("row_lanes", "row_step", "row_jump")


@dataclass(frozen=True, slots=True)
class Job:
    """Registers of one stream job; bytes."""

    base: int
    lane_stride: int
    word_stride: int
    tail_loop: int
    tail_lanes: int
    bounds: tuple[int, ...]
    strides: tuple[int, ...]
    row_lanes: int = 0
    row_step: int = 0
    row_jump: int = 0

    def beats(self, per_pixel: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Word addresses (beats, lanes) and whether each lane is enabled."""
        index = np.indices(self.bounds[::-1]).reshape(LOOPS, -1)[::-1]
        base = self.base + np.array(self.strides) @ index
        lanes = np.arange(LANES)
        pixel, word = lanes // per_pixel, lanes % per_pixel
        offset = pixel * self.lane_stride + word * (self.word_stride if per_pixel > 1 else 0)
        turn = index[self.tail_loop]
        rows = passed_rows(turn, LANES // per_pixel, self.row_lanes, self.row_step)
        offset = offset + self.row_jump * rows[:, pixel]
        tail = turn == self.bounds[self.tail_loop] - 1
        limit = np.where(tail, self.tail_lanes, LANES)
        return (base[:, None] + offset) // 8, pixel[None, :] < limit[:, None]


class Streams:
    """The bench with loaded memory; runs lists of jobs of reader and writer."""

    def __init__(self) -> None:
        ports = dict.fromkeys(("read_done_o", "write_done_o", "beats_o"), 32)
        for side in ("read", "write"):
            ports |= {f"{side}_valid_i": 1, f"{side}_ready_o": 1}
            for name in ("base", "lane_stride", "tail_loop", "tail_lanes", "bound", "stride"):
                ports[f"{side}_{name}_i"] = 32
        ports |= {f"read_{name}_i": 32 for name in ("word_stride", *ROWS)}
        ports |= {"stall_i": 9, "noise_i": 9}
        ports |= {"host_valid_i": 1, "host_write_i": 1, "host_addr_i": 32}
        ports |= {"host_wdata_i": 64, "host_rdata_o": 64}
        parameters = {"Pixels": PIXELS, "LanesPerPixel": PER_PIXEL, "Loops": LOOPS}
        parameters |= {"Banks": BANKS, "Words": WORDS}
        self.bench = Bench("cvn_stream_tb", ports, parameters, ["tb/cvn_stream_tb.sv"])

    def load(self, memory: NDArray[np.uint64]) -> None:
        self.bench.set(host_valid_i=1, host_write_i=1)
        for i, word in enumerate(memory):
            self.bench["host_addr_i"][0], self.bench["host_wdata_i"][0] = i, word
            self.bench.tick()
        self.bench.set(host_valid_i=0)
        self.bench.tick()

    def dump(self) -> NDArray[np.uint64]:
        self.bench.set(host_valid_i=1, host_write_i=0)
        result = np.zeros(WORDS, np.uint64)
        for i in range(WORDS + 1):
            self.bench["host_addr_i"][0] = min(i, WORDS - 1)
            self.bench.tick()
            if i:
                result[i - 1] = self.bench["host_rdata_o"][0]
        self.bench.set(host_valid_i=0)
        return result

    def offer(self, side: str, job: Job | None) -> None:
        self.bench.set(**{f"{side}_valid_i": int(job is not None)})
        if job is None:
            return
        values = {"base": job.base, "lane_stride": job.lane_stride}
        values |= {"tail_loop": job.tail_loop, "tail_lanes": job.tail_lanes}
        if side == "read":
            values |= {name: getattr(job, name) for name in ("word_stride", *ROWS)}
        self.bench.set(**{f"{side}_{name}_i": value & 0xFFFFFFFF for name, value in values.items()})
        self.bench[f"{side}_bound_i"][:] = job.bounds
        self.bench[f"{side}_stride_i"][:] = np.array(job.strides, np.int64).astype(np.uint32)

    def run(self, reads: list[Job], writes: list[Job], limit: int = 20_000) -> int:
        """Offers the jobs in order, until all are done; the number of cycles."""
        queues = {"read": list(reads), "write": list(writes)}
        done = [self.bench.get("read_done_o") + len(reads)]
        done.append(self.bench.get("write_done_o") + len(writes))
        for side, jobs in queues.items():
            self.offer(side, jobs[0] if jobs else None)
        for cycle in range(limit):
            self.bench.settle()
            taken = [
                side for side, jobs in queues.items() if jobs and self.bench.get(f"{side}_ready_o")
            ]
            self.bench.tick()
            for side in taken:
                queues[side].pop(0)
                self.offer(side, queues[side][0] if queues[side] else None)
            if [self.bench.get("read_done_o"), self.bench.get("write_done_o")] == done:
                return cycle + 1
        raise AssertionError("the streams did not finish")


@pytest.fixture(scope="module")
def streams() -> Streams:
    return Streams()


def random_jobs(rng: np.random.Generator) -> tuple[Job, Job]:
    """A reader job of the lower half of L1, a writer job of as many beats into the upper half."""
    bounds = tuple(int(rng.integers(1, 5)) for _ in range(LOOPS))
    strides = tuple(int(rng.integers(-6, 7)) * 8 for _ in range(LOOPS))
    tail_loop, tail = int(rng.integers(0, LOOPS)), int(rng.integers(0, PIXELS + 1))
    low = sum(min(0, s * (b - 1)) for s, b in zip(strides, bounds, strict=True))
    row_lanes = int(rng.integers(0, 10))
    row_step = int(rng.integers(0, row_lanes)) if row_lanes else 0
    row_jump = 8 * int(rng.integers(-4, 20))
    low += min(0, row_jump) * (PIXELS + bounds[tail_loop])
    read = Job(
        -low + 8 * int(rng.integers(0, 40)),
        8 * int(rng.integers(0, 20)),
        8 * int(rng.integers(0, 10)),
        tail_loop,
        tail,
        bounds,
        strides,
        row_lanes,
        row_step,
        row_jump,
    )
    # The same beats, in another loop order, every word at an address of its own.
    dense, step = [0] * LOOPS, 8 * LANES
    for loop in rng.permutation(LOOPS):
        dense[loop], step = step, step * bounds[loop]
    base = 4 * WORDS
    write = Job(
        base,
        8,
        0,
        int(rng.integers(0, LOOPS)),
        int(rng.integers(0, LANES + 1)),
        bounds,
        tuple(dense),
    )
    return read, write


def expected_memory(memory: NDArray[np.uint64], read: Job, write: Job) -> NDArray[np.uint64]:
    addresses, enabled = read.beats(PER_PIXEL)
    data = np.where(enabled, memory[addresses], np.uint64(0))
    result = memory.copy()
    target, written = write.beats(1)
    result[target[written]] = data[written]
    return result


@pytest.mark.parametrize(("stall", "noise"), [(0, 0), (128, 60), (20, 250), (200, 0)])
def test_streams_copy_strided_data_under_random_stalls(
    streams: Streams, stall: int, noise: int
) -> None:
    rng = np.random.default_rng(stall + noise)
    for _ in range(4):
        memory = rng.integers(0, 1 << 64, WORDS, np.uint64)
        streams.load(memory)
        jobs = [random_jobs(rng) for _ in range(5)]
        expected = memory
        for read, write in jobs:
            expected = expected_memory(expected, read, write)
        streams.bench.set(stall_i=stall, noise_i=noise)
        streams.run([read for read, _ in jobs], [write for _, write in jobs])
        streams.bench.set(stall_i=0, noise_i=0)
        assert np.array_equal(streams.dump(), expected)


def test_streams_move_one_beat_per_cycle_across_queued_jobs(streams: Streams) -> None:
    """Reader and writer stay in different banks: 5 cycles for the first, then no bubble."""
    sweep = 8 * BANKS
    read = Job(0, 16, 8, 0, PIXELS, (8, 3, 1), (sweep, 0, 0))
    write = Job(8 * LANES, 8, 0, 0, LANES, (8, 3, 1), (sweep, 8 * sweep, 0))
    for jobs in (1, 2, 5):
        cycles = streams.run([read] * jobs, [write] * jobs)
        # First beat: job taken, read granted, data, passed on, write granted.
        assert cycles == 24 * jobs + 4


def test_streams_finish_reading_before_the_beats_are_consumed(streams: Streams) -> None:
    job = Job(0, 16, 8, 0, PIXELS, (4, 1, 1), (8 * BANKS, 0, 0))
    done = streams.bench.get("read_done_o")
    streams.bench.set(stall_i=256)
    streams.bench.tick(2)
    streams.offer("read", job)
    streams.bench.tick()
    streams.offer("read", None)
    streams.bench.tick(8)
    assert streams.bench.get("read_done_o") == done + 1
    streams.bench.set(stall_i=0)
    streams.run([], [Job(4 * WORDS, 8, 0, 0, LANES, (4, 1, 1), (8 * LANES, 0, 0))])
