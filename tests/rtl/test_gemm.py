"""The gemm node: results of random jobs, exact cycle counts, semaphores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from rtl.bench import Bench
from rtl.gemm_model import Registers, Shape, Words, reset_registers, run_job

pytestmark = pytest.mark.rtl

WORDS = 16384
SHAPES = [
    Shape(8, 8, 8, 4),
    Shape(16, 8, 4, 2),
    Shape(4, 16, 16, 8),
    Shape(8, 8, 8, 4, fold=2),
    Shape(16, 8, 8, 4, fold=4),
]
BANKS = dict(zip(SHAPES, (32, 64, 64, 64, 128), strict=True))  # room for all streams side by side
COUNTERS = [
    "cycles",
    "busy",
    "starved_a",
    "starved_b",
    "starved_c",
    "starved_p",
    "blocked_y",
    "config_wait",
    "conflicts",
    "first_step",
    "last_step",
    "last_write",
]
A_FULL, A_FREE, B_FULL, B_FREE, P_FULL, P_FREE, Y_FULL, Y_FREE, ACC_FULL, ACC_FREE = range(10)


class Node:
    """The node with its L1: loads memory, writes changed registers, launches, collects."""

    def __init__(self, shape: Shape) -> None:
        ports = {"clr_i": 1, "we_i": 1, "addr_i": 8, "op_i": 2, "data_i": 32, "launch_i": 1}
        ports |= {"ready_o": 1, "wait_i": 16, "post_i": 16, "allow_i": 5, "idle_o": 1}
        ports |= {"host_valid_i": 1, "host_write_i": 1, "host_addr_i": 32, "host_wdata_i": 64}
        ports |= {"host_rdata_o": 64, "noise_i": 9, "quiet_o": 1}
        ports |= {"granted_o": 32, "posted_o": 32}
        ports |= {f"{name}_o": 32 for name in COUNTERS}
        parameters = {"M": shape.m, "N": shape.n, "K": shape.k, "Columns": shape.columns}
        parameters["Fold"] = shape.fold
        parameters["Banks"] = BANKS[shape]
        self.bench = Bench("cvn_gemm_tb", ports, parameters, ["tb/cvn_gemm_tb.sv"])
        self.shape = shape
        self.index = {name: i for i, name in enumerate(reset_registers())}
        self.clear()

    def clear(self) -> None:
        """Program start: registers and counters to their reset values."""
        self.bench.set(clr_i=1, noise_i=0, allow_i=31)
        self.bench.tick()
        self.bench.set(clr_i=0)
        self.shadow = reset_registers()

    def silence(self) -> None:
        """Ends the disturbance: masters that still ask are served before the host may read."""
        self.bench.set(noise_i=0)
        self.bench.run_until("quiet_o", 1000)

    def load(self, memory: Words) -> None:
        self.bench.set(host_valid_i=1, host_write_i=1)
        address, data = self.bench["host_addr_i"], self.bench["host_wdata_i"]
        for i, word in enumerate(memory):
            address[0], data[0] = i, word
            self.bench.tick()
        self.bench.set(host_valid_i=0)

    def dump(self) -> Words:
        self.bench.set(host_valid_i=1, host_write_i=0)
        address, data = self.bench["host_addr_i"], self.bench["host_rdata_o"]
        result = np.zeros(WORDS, np.uint64)
        for i in range(WORDS + 1):
            address[0] = min(i, WORDS - 1)
            self.bench.tick()
            if i:
                result[i - 1] = data[0]
        self.bench.set(host_valid_i=0)
        return result

    def configure(self, registers: Registers) -> int:
        """Writes the registers that change, one per cycle; how many."""
        changed = [name for name, value in registers.items() if self.shadow[name] != value]
        for name in changed:
            self.bench.set(we_i=1, addr_i=self.index[name], op_i=0, data_i=registers[name])
            self.bench.tick()
            self.shadow[name] = registers[name]
        self.bench.set(we_i=0)
        return len(changed)

    def launch(self, wait: int = 0, post: int = 0) -> None:
        self.bench.settle()
        self.bench.run_until("ready_o", 100_000)
        self.bench.set(launch_i=1, wait_i=wait, post_i=post)
        self.bench.tick()
        self.bench.set(launch_i=0)

    def finish(self) -> dict[str, int]:
        self.bench.settle()
        self.bench.run_until("idle_o", 200_000)
        return {name: self.bench.get(f"{name}_o") for name in COUNTERS}


@pytest.fixture(
    scope="module", params=SHAPES, ids=lambda s: f"{s.m}x{s.n}x{s.k}r{s.columns}f{s.fold}"
)
def node(request: pytest.FixtureRequest) -> Node:
    return Node(request.param)


def stream(name: str, base: int, loops: list[tuple[int, int]], **header: int) -> dict[str, int]:
    """Registers of a stream; loops are (bound, stride), innermost first."""
    registers = {f"{name}.base": base}
    registers |= {f"{name}.{key}": value for key, value in header.items()}
    for i, (bound, stride) in enumerate(loops):
        registers |= {f"{name}.bound[{i}]": bound, f"{name}.stride[{i}]": stride}
    return registers


def random_memory(rng: np.random.Generator) -> Words:
    return rng.integers(0, 1 << 64, WORDS, np.uint64, endpoint=False)


def write_records(
    memory: Words, base: int, count: int, shape: Shape, rng: np.random.Generator
) -> None:
    """Scales that map sums of random operands into the range of int8."""
    for record in range(count):
        start = base // 8 + record * shape.record_words
        bias = rng.integers(-50_000, 50_000, shape.n).astype(np.int32).view(np.uint32)
        scale = rng.uniform(1e-5, 1e-2, shape.n).astype(np.float32).view(np.uint32)
        memory[start : start + shape.n] = bias | scale.astype(np.uint64) << np.uint64(32)


def random_rows(rng: np.random.Generator) -> dict[str, int]:
    """Lanes in one endless row, or in rows of any length, also shorter than a beat."""
    lanes = int(rng.integers(1, 20)) if rng.random() < 0.6 else 0
    step = int(rng.integers(0, lanes)) if lanes else 0
    return {"row_lanes": lanes, "row_step": step, "row_jump": 8 * int(rng.integers(0, 4))}


def random_job(
    rng: np.random.Generator, memory: Words, shape: Shape, slot: int, slots: int
) -> dict[str, int]:
    """A job of tm x tn tiles that writes its own part of L1; operands come from anywhere."""
    function = int(rng.integers(0, 2)) if shape.fold > 1 else 0
    shape = shape.chosen(function)
    tm, tn, steps = (int(rng.integers(1, 5)) for _ in range(3))
    steps = int(rng.integers(1, 13)) if rng.random() < 0.7 else steps
    out, resume = int(rng.integers(0, 3)), int(rng.integers(0, 2))
    m_outside = bool(rng.integers(0, 2))
    reuse = 1 if m_outside else tm
    if out < 2 and rng.random() < 0.3:
        reuse = 0
    read_bytes = 8 * WORDS // 2
    beats = -(-steps // shape.parts)
    word_bytes = 8 * shape.words_per_pixel
    gap = int(rng.integers(0, 3)) * 8
    pixel = word_bytes + gap
    a_loops = [(beats, shape.m * pixel), (tn, 0), (tm, beats * shape.m * pixel)]
    b_step = shape.n * shape.k
    b_loops = [(steps, b_step), (tn, steps * b_step), (tm, 0)]
    record = shape.record_words * 8
    p_loops = [(shape.record_words // shape.p_lanes, 8 * shape.p_lanes), (tn, record)]
    if m_outside:
        p_loops.append((tm, 0))
    else:
        a_loops[1:], b_loops[1:] = a_loops[:0:-1], b_loops[:0:-1]
    registers = reset_registers()

    def place(size: int) -> int:
        return int(rng.integers(0, (read_bytes - size) // 8)) * 8

    tail = {"tail_loop": 2 if m_outside else 1, "tail_lanes": int(rng.integers(1, shape.m + 2))}
    rows = random_rows(rng)
    extent = tm * beats * shape.m * pixel + (tm + tn + shape.m) * rows["row_jump"]
    header = {"lane_stride": pixel, "word_stride": 8, **tail, **rows}
    registers |= stream("a", place(extent), a_loops, **header)
    registers |= stream("b", place(tn * steps * b_step), b_loops)
    records = place(tn * record)
    write_records(memory, records, tn, shape, rng)
    if reuse:
        registers |= stream("p", records, p_loops)
    wide, narrow = 4 * shape.n, shape.n
    for name, row in (("acc", wide), ("y", narrow if out == 2 else wide)):
        tile = row * shape.m
        order = [(tn, tile), (tm, tn * tile)]
        loops = [(row // 8, 8), *(order if m_outside else order[::-1])]
        if name == "acc":
            base = place(tm * tn * tile)
        else:
            part = read_bytes // slots
            assert tm * tn * tile <= part
            base = read_bytes + slot * part
        if name == "y" or resume:
            registers |= stream(name, base, loops, lane_stride=row, **tail)
    a_signed, b_signed = int(rng.integers(0, 2)), int(rng.integers(0, 2))
    low, high = (0, 255) if rng.random() < 0.5 else (-128, 127)
    registers |= {"steps": steps, "tiles": tm * tn, "reuse": reuse, "resume": resume, "out": out}
    registers |= {"function": function}
    registers |= {"za": int(rng.integers(0, 256)), "zy": int(rng.integers(low, high + 1))}
    registers |= {"lo": low, "hi": high, "a.signed": a_signed, "b.signed": b_signed}
    return registers


@pytest.mark.parametrize("noise", [0, 60, 250])
def test_gemm_matches_numpy_on_random_queued_jobs(node: Node, noise: int) -> None:
    rng = np.random.default_rng(noise)
    for _ in range(3):
        memory = random_memory(rng)
        jobs = [random_job(rng, memory, node.shape, slot, 8) for slot in range(8)]
        node.load(memory)
        node.clear()
        node.bench.set(noise_i=noise)
        expected = memory
        steps = 0
        for registers in jobs:
            node.configure(registers)
            node.launch()
            expected = run_job(expected, registers, node.shape)
            steps += registers["steps"] * registers["tiles"]
        counters = node.finish()
        node.silence()
        found = node.dump()
        wrong = np.flatnonzero(found != expected)
        assert wrong.size == 0, (wrong[:8], hex(found[wrong[0]]), hex(expected[wrong[0]]))
        assert counters["busy"] == steps


def quiet_job(shape: Shape, tiles: int, steps: int, out: int, reuse: int) -> dict[str, int]:
    """A job whose streams stay in banks of their own, so that no conflict disturbs the timing."""
    sweep = 8 * BANKS[shape]
    beats = -(-steps // shape.parts)
    b_bank = shape.m * shape.words_per_pixel
    y_bank = b_bank + shape.n * shape.k // 8
    p_bank = y_bank + shape.m
    y_beats = shape.n // 8 if out == 2 else shape.n // 2
    registers = reset_registers()
    lane = 8 * shape.words_per_pixel
    registers |= stream("a", 0, [(beats, sweep), (tiles, 0)], lane_stride=lane)
    registers |= stream("b", 8 * b_bank, [(steps, sweep), (tiles, 0)])
    if reuse:
        loops = [(shape.record_words // shape.p_lanes, sweep), (-(-tiles // reuse), 0)]
        registers |= stream("p", 8 * p_bank, loops)
    registers |= stream("y", 8 * y_bank, [(y_beats, sweep), (tiles, y_beats * sweep)])
    registers |= {"steps": steps, "tiles": tiles, "reuse": reuse, "out": out}
    registers |= {"a.signed": 1, "b.signed": 1, "lo": -128, "hi": 127}
    return registers


def drain_cycles(shape: Shape, out: int) -> int:
    return shape.n // shape.columns if out == 2 else shape.n // 2


@pytest.mark.parametrize("out", [0, 2])
def test_gemm_first_step_and_last_write_have_the_documented_latency(node: Node, out: int) -> None:
    shape = node.shape
    reuse = 1 if out == 2 else 0
    registers = quiet_job(shape, 1, 16, out, reuse)
    node.clear()
    node.configure(registers)
    start = node.bench.get("cycles_o")
    node.launch()
    counters = node.finish()
    assert counters["conflicts"] == 0
    record_beats = shape.record_words // shape.p_lanes if reuse else 0
    assert counters["first_step"] - start == 4 + record_beats
    assert counters["last_step"] - counters["first_step"] == 15
    parts = 8 // shape.columns
    # First word written, then one word per pixel every `parts` cycles (int8) or every cycle.
    tail = (2 + parts) + 1 + (shape.n // 8 - 1) * parts if out == 2 else 2 + shape.n // 2 - 1
    assert counters["last_write"] - counters["last_step"] == tail
    assert node.bench.get("cycles_o") == counters["last_write"] + 1


@pytest.mark.parametrize("out", [0, 2])
def test_gemm_runs_queued_tiles_and_jobs_without_a_bubble(node: Node, out: int) -> None:
    shape = node.shape
    jobs, tiles = 6, 16
    steps = max(drain_cycles(shape, out), 4)
    registers = quiet_job(shape, tiles, steps, out, tiles if out == 2 else 0)
    node.clear()
    node.configure(registers)
    for job in range(jobs):
        registers["y.base"] += 8 * BANKS[shape] * (job % 2)
        node.configure(registers)
        node.launch()
    counters = node.finish()
    assert counters["busy"] == jobs * tiles * steps
    assert counters["last_step"] - counters["first_step"] + 1 == counters["busy"]


def test_gemm_64x64x64_in_l1_takes_at_most_570_cycles() -> None:
    shape = SHAPES[0]
    node = Node(shape)
    registers = reset_registers()
    registers |= stream("a", 0, [(8, 64), (8, 0), (8, 512)])
    registers |= stream("b", 0x1000, [(8, 64), (8, 512), (8, 0)])
    registers |= stream("y", 0x2000, [(4, 64), (64, 256)])
    registers |= {"steps": 8, "tiles": 64, "reuse": 0, "out": 0, "a.signed": 1, "b.signed": 1}
    rng = np.random.default_rng(3)
    memory = random_memory(rng)
    node.load(memory)
    node.clear()
    node.configure(registers)
    node.launch()
    counters = node.finish()
    assert np.array_equal(node.dump(), run_job(memory, registers, shape))
    assert counters["cycles"] <= 570, counters


def test_gemm_16x16x16_in_l1_takes_at_most_60_cycles() -> None:
    shape = SHAPES[0]
    node = Node(shape)
    registers = reset_registers()
    registers |= stream("a", 0, [(2, 64), (2, 0), (2, 128)])
    registers |= stream("b", 0x240, [(2, 64), (2, 128), (2, 0)])
    registers |= stream("y", 0x480, [(4, 64), (4, 256)])
    registers |= {"steps": 2, "tiles": 4, "reuse": 0, "out": 0, "a.signed": 1, "b.signed": 1}
    memory = random_memory(np.random.default_rng(4))
    node.load(memory)
    node.clear()
    node.configure(registers)
    node.launch()
    counters = node.finish()
    assert np.array_equal(node.dump(), run_job(memory, registers, shape))
    assert counters["cycles"] <= 56, counters


def test_gemm_waits_for_and_posts_the_semaphores_of_its_launch(node: Node) -> None:
    wait = 1 << A_FULL | 1 << B_FULL | 1 << P_FULL | 1 << Y_FREE
    post = 1 << A_FREE | 1 << B_FREE | 1 << P_FREE | 1 << Y_FULL
    registers = quiet_job(node.shape, 2, 4, 2, 1)
    node.clear()
    node.bench.set(allow_i=0)
    node.configure(registers)
    for _ in range(3):
        node.launch(wait, post)
    node.finish()
    expected = np.zeros(16, np.uint32)
    expected[[A_FULL, B_FULL, P_FULL, Y_FREE]] = 3
    assert np.array_equal(node.bench["granted_o"], expected)
    expected[:] = 0
    expected[[A_FREE, B_FREE, P_FREE, Y_FULL]] = 3
    assert np.array_equal(node.bench["posted_o"], expected)


def test_gemm_leaves_unused_streams_out_of_a_launch(node: Node) -> None:
    registers = quiet_job(node.shape, 2, 4, 0, 0)
    node.clear()
    node.configure(registers)
    node.launch(1 << ACC_FREE, 1 << ACC_FULL)
    node.finish()
    posted: Mapping[int, int] = dict(enumerate(node.bench["posted_o"]))
    assert (posted[ACC_FULL], posted[P_FREE], posted[ACC_FREE]) == (1, 0, 0)
