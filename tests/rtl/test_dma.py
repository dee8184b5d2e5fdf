"""The DMA engines against NumPy: random jobs, latencies, pauses and bank conflicts; throughput."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from rtl.bench import Bench
from rtl.dma_model import LOOPS, AxiMemory, Job, Words, random_job, random_windows

pytestmark = pytest.mark.rtl

DRAM_WORDS = 1 << 15
L1_WORDS = 1 << 14
SOURCES = [
    "dma/cvn_dma_pkg.sv",
    *(f"dma/cvn_dma_{name}.sv" for name in ("jobs", "rows", "bursts", "beats")),
]
LOAD = [
    *SOURCES,
    *(f"dma/cvn_dma_{name}.sv" for name in ("clip", "requests", "windows", "words")),
    *("dma/cvn_dma_completion.sv", "dma/cvn_dma_load.sv", "tb/cvn_dma_load_tb.sv"),
]
STORE = [*SOURCES, "dma/cvn_dma_read_lane.sv", "dma/cvn_dma_store.sv", "tb/cvn_dma_store_tb.sv"]
COMMON = {"clr_i": 1, "job_valid_i": 8, "job_ready_o": 8, "regs_i": 32, "job_done_o": 8}
COMMON |= {"idle_o": 1, "tcdm_valid_o": 8, "tcdm_addr_o": 32, "tcdm_gnt_i": 8}
SHAPES = [(8, 64), (2, 16)]


@dataclass
class Rates:
    """How often things pause, and how late the memory answers (cycles, at most)."""

    pause: float = 0.0
    latency: int = 0
    conflict: float = 0.0
    idle: float = 0.0


@dataclass
class Channels:
    """Jobs per channel: offered one by one, taken, done in order."""

    bench: Bench
    waiting: list[deque[Job]]
    rates: Rates
    rng: np.random.Generator
    running: list[deque[Job]] = field(default_factory=list)
    offered: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.running = [deque() for _ in self.waiting]
        self.offered = [False] * len(self.waiting)

    def drive(self, registers: int) -> None:
        valid = 0
        for channel, jobs in enumerate(self.waiting):
            if jobs and (self.offered[channel] or self.rng.random() >= self.rates.idle):
                self.offered[channel] = True
                valid |= 1 << channel
                values = _registers(jobs[0], registers)
                start = channel * registers
                self.bench["regs_i"][start : start + registers] = values
        self.bench.set(job_valid_i=valid)

    def sample(self) -> list[Job]:
        """Moves taken jobs on; the jobs that are done in this cycle."""
        taken = self.bench.get("job_ready_o") & self.bench.get("job_valid_i")
        done = self.bench.get("job_done_o")
        finished = []
        for channel in range(len(self.waiting)):
            if done >> channel & 1:
                finished.append(self.running[channel].popleft())
            if taken >> channel & 1:
                self.running[channel].append(self.waiting[channel].popleft())
                self.offered[channel] = False
        return finished

    def empty(self) -> bool:
        return not any(self.waiting) and not any(self.running)


def _registers(job: Job, count: int) -> Words:
    store = count == 4 + 3 * LOOPS
    far, near = (job.l1, job.dram) if store else (job.dram, job.l1)
    strides = (job.l1_stride, job.dram_stride) if store else (job.dram_stride, job.l1_stride)
    values = [far, near, job.run, job.word_stride, *job.bound, *strides[0], *strides[1]]
    if not store:
        values += [int(job.fill), job.value, job.line, job.at]
        values += [job.plane, job.top, job.bytes]
    return np.array([value & 0xFFFFFFFF for value in values], np.uint32)


def _bits(rng: np.random.Generator, lanes: int, chance: float) -> int:
    return sum(1 << lane for lane in range(lanes) if rng.random() >= chance)


def run_load(bench: Bench, lanes: int, jobs: list[deque[Job]], rates: Rates, seed: int) -> int:
    """Runs load jobs; checks every job when it is done; the number of cycles."""
    rng = np.random.default_rng(seed)
    dram = rng.integers(0, 1 << 63, DRAM_WORDS, dtype=np.uint64)
    l1 = np.zeros(L1_WORDS, np.uint64)
    axi = AxiMemory(dram, lanes, rng, rates.latency, rates.pause)
    channels = Channels(bench, jobs, rates, rng)
    for axi.cycle in range(200_000):
        channels.drive(11 + 3 * LOOPS)
        beat = axi.read_beat()
        if beat is not None:
            bench["r_data_i"][:] = beat[0]
        bench.set(r_valid_i=beat is not None, r_last_i=beat is not None and beat[1])
        bench.set(ar_ready_i=axi.ready(), tcdm_gnt_i=_bits(rng, lanes, rates.conflict))
        bench.settle()
        if bench.get("ar_valid_o") and bench.get("ar_ready_i"):
            axi.read_request(bench.get("ar_addr_o"), bench.get("ar_len_o"))
        if beat is not None and bench.get("r_ready_o"):
            axi.read_taken()
        for job in channels.sample():
            _, near = job.words()
            wanted = job.content(dram)
            assert np.array_equal(l1[near], wanted), f"done before its words were written: {job}"
        granted = bench.get("tcdm_valid_o") & bench.get("tcdm_gnt_i")
        for lane in range(lanes):
            if granted >> lane & 1:
                l1[bench["tcdm_addr_o"][lane]] = bench["tcdm_wdata_o"][lane]
        if channels.empty():
            _check_idle(bench)
            assert axi.most_outstanding <= 32
            return axi.cycle
        bench.tick()
    raise AssertionError("the load DMA does not finish")


def run_store(bench: Bench, lanes: int, jobs: list[deque[Job]], rates: Rates, seed: int) -> int:
    """Runs store jobs; checks every job when it is done and the rest of DRAM; cycles."""
    rng = np.random.default_rng(seed)
    l1 = rng.integers(0, 1 << 63, L1_WORDS, dtype=np.uint64)
    dram = np.zeros(DRAM_WORDS, np.uint64)
    axi = AxiMemory(dram, lanes, rng, rates.latency, rates.pause)
    channels = Channels(bench, jobs, rates, rng)
    granted = 0
    wanted = np.zeros(DRAM_WORDS, bool)
    for axi.cycle in range(200_000):
        channels.drive(4 + 3 * LOOPS)
        bench.set(b_valid_i=axi.response(), aw_ready_i=axi.ready(), w_ready_i=axi.ready())
        bench.set(tcdm_gnt_i=_bits(rng, lanes, rates.conflict))
        bench.settle()
        for job in channels.sample():
            far, near = job.words()
            assert np.array_equal(dram[far], l1[near]), f"done before its words were written: {job}"
            wanted[far] = True
        if bench.get("w_valid_o") and bench.get("w_ready_i"):
            data = bench["w_data_o"][:lanes].copy()
            axi.write_beat(data, bench.get("w_strb_o"), bool(bench.get("w_last_o")))
        if bench.get("aw_valid_o") and bench.get("aw_ready_i"):
            axi.write_request(bench.get("aw_addr_o"), bench.get("aw_len_o"))
        granted = bench.get("tcdm_valid_o") & bench.get("tcdm_gnt_i")
        addresses = bench["tcdm_addr_o"][:lanes].copy()
        if channels.empty():
            _check_idle(bench)
            assert not dram[~wanted].any(), "words were written that no job names"
            return axi.cycle
        bench.tick()
        bench.set(tcdm_rvalid_i=granted)
        for lane in range(lanes):
            bench["tcdm_rdata_i"][lane] = (
                l1[addresses[lane] % L1_WORDS] if granted >> lane & 1 else 7
            )
    raise AssertionError("the store DMA does not finish")


def _check_idle(bench: Bench) -> None:
    """One cycle after the last job the engine rests, and no assertion has failed."""
    bench.tick()
    bench.set(job_valid_i=0, **{"b_valid_i" if "b_valid_i" in bench.ports else "r_valid_i": 0})
    bench.settle()
    assert bench.get("idle_o")
    bench.check()


def _load_bench(lanes: int, max_beats: int) -> Bench:
    ports = COMMON | {"ar_valid_o": 1, "ar_ready_i": 1, "ar_addr_o": 32, "ar_len_o": 8}
    ports |= {"r_valid_i": 1, "r_ready_o": 1, "r_data_i": 64, "r_last_i": 1, "tcdm_wdata_o": 64}
    return Bench("cvn_dma_load_tb", ports, {"Lanes": lanes, "MaxBeats": max_beats}, LOAD)


def _store_bench(lanes: int, max_beats: int) -> Bench:
    ports = COMMON | {"aw_valid_o": 1, "aw_ready_i": 1, "aw_addr_o": 32, "aw_len_o": 8}
    ports |= {"w_valid_o": 1, "w_ready_i": 1, "w_data_o": 64, "w_strb_o": 8 * lanes, "w_last_o": 1}
    ports |= {"b_valid_i": 1, "b_ready_o": 1, "tcdm_rvalid_i": 8, "tcdm_rdata_i": 64}
    return Bench("cvn_dma_store_tb", ports, {"Lanes": lanes, "MaxBeats": max_beats}, STORE)


RATES = [Rates(), Rates(0.3, 40, 0.3, 0.2), Rates(0.7, 5, 0.1, 0.9), Rates(0.05, 0, 0.8, 0.0)]


@pytest.mark.parametrize(("lanes", "max_beats"), SHAPES)
def test_load_moves_every_word_of_random_jobs(lanes: int, max_beats: int) -> None:
    bench = _load_bench(lanes, max_beats)
    for seed, rates in enumerate(RATES * 5):
        # Channels write regions of their own, so that each job can be checked when it is done.
        rng = np.random.default_rng(seed)
        region = L1_WORDS // 4
        jobs: list[deque[Job]] = [deque() for _ in range(4)]
        for channel in range(4):
            for _ in range(12):
                windows = rng.random() < 0.4
                draw = random_windows if windows else random_load
                job = draw(rng, DRAM_WORDS, region)
                jobs[channel].append(_moved(job, 8 * region * channel))
        # Jobs of one channel may overlap; the next one may then already have written.
        for queue in jobs:
            _keep_disjoint(queue, "l1")
        run_load(bench, lanes, jobs, rates, seed)


@pytest.mark.parametrize(("lanes", "max_beats"), SHAPES)
def test_store_moves_every_word_of_random_jobs(lanes: int, max_beats: int) -> None:
    bench = _store_bench(lanes, max_beats)
    for seed, rates in enumerate(RATES * 5):
        rng = np.random.default_rng(seed)
        jobs: list[deque[Job]] = [deque() for _ in range(2)]
        for index in range(24):
            jobs[index % 2].append(random_job(rng, DRAM_WORDS, L1_WORDS, "store"))
        together = deque(job for queue in jobs for job in queue)
        _keep_disjoint(together, "dram")
        for queue in jobs:
            kept = [job for job in queue if job in together]
            queue.clear()
            queue.extend(kept)
        run_store(bench, lanes, jobs, rates, seed)


def random_load(rng: np.random.Generator, dram_words: int, l1_words: int) -> Job:
    return random_job(rng, dram_words, l1_words, "load")


def _moved(job: Job, l1: int) -> Job:
    return replace(job, l1=job.l1 + l1)


def _keep_disjoint(jobs: deque[Job], side: str) -> None:
    """Drops jobs that write a word which an earlier one writes."""
    seen: set[int] = set()
    kept = []
    for job in jobs:
        words = set(job.words()[1 if side == "l1" else 0])
        if not words & seen:
            seen |= words
            kept.append(job)
    jobs.clear()
    jobs.extend(kept)


def test_load_streams_a_beat_per_cycle_across_rows_jobs_and_channels() -> None:
    bench = _load_bench(8, 64)
    rows = [Job(0, 0, 16, bound=(8, 1, 1, 1), dram_stride=(256, 0, 0, 0), l1_stride=(136, 0, 0, 0))]
    block = [Job(4096 * i, 2048 * i, 256) for i in range(8)]
    jobs = [deque([*block[:4]]), deque(block[4:]), deque(rows), deque()]
    beats = 8 * 32 + 8 * 2
    assert run_load(bench, 8, jobs, Rates(), 0) <= beats + 8


def test_load_folds_short_contiguous_rows_into_full_beats() -> None:
    # 16 channels per pixel, packed in DRAM, scattered to two planes in L1.
    bench = _load_bench(8, 64)
    job = Job(8, 0, 2, 1024, (128, 1, 1, 1), (16, 0, 0, 0), (8, 0, 0, 0))
    assert run_load(bench, 8, [deque([job]), deque(), deque(), deque()], Rates(), 0) <= 33 + 8


@pytest.mark.parametrize(
    ("step", "size", "at", "cycles"),
    [(6, 21, 0, 65), (6, 21, -9, 65), (48, 48, 0, 20), (64, 64, 1, 32), (1, 64, -600, 16)],
)
def test_load_takes_a_window_per_cycle_and_beat(step: int, size: int, at: int, cycles: int) -> None:
    """A window in one beat takes a cycle, one in two beats two, one outside its line one."""
    bench = _load_bench(8, 64)
    count = 16 if size > 21 else 50
    job = Job(0, 0, -(-size // 8), bound=(1, count, 1, 1), line=4096, at=at, bytes=size)
    job = replace(job, dram_stride=(0, step, 0, 0), l1_stride=(0, 8 * job.run, 0, 0))
    assert run_load(bench, 8, [deque([job]), deque(), deque(), deque()], Rates(), 0) <= cycles + 9


def test_load_puts_the_runs_of_a_window_together_without_a_pause() -> None:
    """16 windows of 7 runs of 16 bytes, each in one beat, a run per cycle; two chunk ends a row."""
    bench = _load_bench(8, 64)
    job = Job(0, 0, 14, bound=(7, 16, 1, 1), line=256, plane=256 * 7, bytes=16)
    job = replace(job, dram_stride=(256, 16, 0, 0), l1_stride=(0, 112, 0, 0))
    assert run_load(bench, 8, [deque([job]), deque(), deque(), deque()], Rates(), 0) <= 112 + 9


def test_store_streams_a_beat_per_cycle_across_rows_jobs_and_channels() -> None:
    bench = _store_bench(8, 64)
    block = [Job(4096 * i, 2048 * i, 256) for i in range(8)]
    rows = Job(40960, 8, 8, bound=(16, 1, 1, 1), dram_stride=(128,) * 4, l1_stride=(72,) * 4)
    jobs = [deque([*block[:4], rows]), deque(block[4:])]
    assert run_store(bench, 8, jobs, Rates(), 0) <= 8 * 32 + 16 + 14
