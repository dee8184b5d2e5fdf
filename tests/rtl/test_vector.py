"""The vector node: results of random jobs, exact cycle counts, semaphores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from rtl.bench import Bench
from rtl.vector_model import CHANNELS, OPERATIONS, Registers, Words, reset_registers, run_job

pytestmark = pytest.mark.rtl

WORDS = 16384
VARIANTS = [(8, 4), (16, 2), (4, 8)]  # pixel lanes, columns requantised per cycle
COUNTERS = ["cycles", "busy", "starved_a", "starved_b", "starved_p", "blocked_y", "config_wait"]
COUNTERS += ["conflicts", "first_step", "last_step", "last_write"]
X_FULL, X_FREE, W_FULL, W_FREE, P_FULL, P_FREE, T_FULL, T_FREE, Y_FULL, Y_FREE = range(10)
RECORD_BYTES = 9 * CHANNELS
READ_BYTES = 64 * 1024
"""Operands lie below, results above."""


class Node:
    """The node with its L1: loads memory, writes changed registers, launches, collects."""

    def __init__(self, lanes: int, columns: int) -> None:
        ports = {"clr_i": 1, "we_i": 1, "addr_i": 8, "op_i": 2, "data_i": 32, "launch_i": 1}
        ports |= {"ready_o": 1, "wait_i": 16, "post_i": 16, "allow_i": 5, "idle_o": 1}
        ports |= {"host_valid_i": 1, "host_write_i": 1, "host_addr_i": 32, "host_wdata_i": 64}
        ports |= {"host_rdata_o": 64, "noise_i": 9, "granted_o": 32, "posted_o": 32}
        ports |= {f"{name}_o": 32 for name in COUNTERS}
        parameters = {"M": lanes, "Columns": columns, "Banks": 64}
        self.bench = Bench("cvn_vector_tb", ports, parameters, ["tb/cvn_vector_tb.sv"])
        self.lanes, self.columns = lanes, columns
        self.index = {name: i for i, name in enumerate(reset_registers())}
        self.clear()

    def clear(self) -> None:
        """Program start: registers and counters to their reset values."""
        self.bench.set(clr_i=1, noise_i=0, allow_i=31)
        self.bench.tick()
        self.bench.set(clr_i=0)
        self.shadow = reset_registers()

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

    def configure(self, registers: Registers) -> None:
        """Writes the registers that change, one per cycle."""
        for name, value in registers.items():
            if self.shadow[name] != value:
                self.bench.set(we_i=1, addr_i=self.index[name], op_i=0, data_i=value)
                self.bench.tick()
                self.shadow[name] = value
        self.bench.set(we_i=0)

    def launch(self, registers: Registers, wait: int = 0, post: int = 0) -> None:
        """Writes the registers that change and launches."""
        self.configure(registers)
        self.bench.settle()
        self.bench.run_until("ready_o", 100_000)
        self.bench.set(launch_i=1, wait_i=wait, post_i=post)
        self.bench.tick()
        self.bench.set(launch_i=0)

    def finish(self) -> dict[str, int]:
        self.bench.settle()
        self.bench.run_until("idle_o", 200_000)
        return {name: self.bench.get(f"{name}_o") for name in COUNTERS}


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda v: f"m{v[0]}r{v[1]}")
def node(request: pytest.FixtureRequest) -> Node:
    return Node(*request.param)


def stream(name: str, base: int, loops: list[tuple[int, int]], **header: int) -> dict[str, int]:
    """Registers of a stream; loops are (bound, stride), innermost first."""
    registers = {f"{name}.base": base}
    registers |= {f"{name}.{key}": value for key, value in header.items()}
    for i, (bound, stride) in enumerate(loops):
        registers |= {f"{name}.bound[{i}]": bound, f"{name}.stride[{i}]": stride}
    return registers


def random_memory(rng: np.random.Generator) -> Words:
    return rng.integers(0, 1 << 64, WORDS, np.uint64, endpoint=False)


def write_records(memory: Words, base: int, count: int, rng: np.random.Generator) -> None:
    """Scales that map sums of random operands into the range of int8."""
    for record in range(count):
        start = base // 8 + record * (CHANNELS + 1)
        bias = rng.integers(-50_000, 50_000, CHANNELS).astype(np.int32).view(np.uint32)
        scale = rng.uniform(1e-5, 1e-2, CHANNELS).astype(np.float32).view(np.uint32)
        memory[start : start + CHANNELS] = bias | scale.astype(np.uint64) << np.uint64(32)


def random_job(
    rng: np.random.Generator, memory: Words, lanes: int, slot: int, slots: int
) -> dict[str, int]:
    """A job that writes its own part of L1; operands come from anywhere below."""
    operation = str(rng.choice(OPERATIONS))
    pixels, blocks = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    steps = int(rng.integers(1, 10)) if operation in ("mac", "sum", "max") else 1
    direct = operation in ("max", "table")
    out = 0 if direct else int(rng.integers(0, 3))
    reuse = pixels if out == 2 or rng.random() < 0.5 else 0
    tiles = pixels * blocks

    def place(size: int) -> int:
        return int(rng.integers(0, (READ_BYTES - size) // 8)) * 8

    tail = {"tail_loop": 1, "tail_lanes": int(rng.integers(1, lanes + 2))}
    beat = 8 * lanes
    order = [(steps, beat), (pixels, steps * beat), (blocks, pixels * steps * beat)]
    registers = reset_registers()
    registers |= stream("x", place(tiles * steps * beat), order, **tail)
    if operation == "mac":
        loops = [(steps, 8), (pixels, 0), (blocks, 8 * steps), (1, 0)]
        registers |= stream("w", place(blocks * steps * 8), loops, tail_loop=3, tail_lanes=1)
    elif operation in ("blend", "multiply"):
        registers |= stream("w", place(tiles * steps * beat), order, **tail)
    elif operation == "table":
        registers |= stream("t", place(256), [(8, 32)])
    if reuse:
        base = place(blocks * RECORD_BYTES)
        write_records(memory, base, blocks, rng)
        registers |= stream("p", base, [(9, 8), (blocks, RECORD_BYTES)])
    words = 1 if direct or out == 2 else CHANNELS // 2
    part = (8 * WORDS - READ_BYTES) // slots
    assert tiles * words * beat <= part
    order = [(words, beat), (pixels, words * beat), (blocks, pixels * words * beat)]
    registers |= stream("y", READ_BYTES + slot * part, order, **tail)
    low, high = (0, 255) if rng.random() < 0.5 else (-128, 127)
    registers |= {"steps": steps, "tiles": tiles, "reuse": reuse, "out": out}
    registers |= {"function": OPERATIONS.index(operation), "lo": low, "hi": high}
    registers |= {"zx": int(rng.integers(0, 256)), "zw": int(rng.integers(0, 256))}
    registers |= {name: int(rng.integers(-32767, 32768)) for name in ("kx", "kw")}
    registers |= {"zy": int(rng.integers(low, high + 1))}
    return registers | {name: int(rng.integers(0, 2)) for name in ("x.signed", "w.signed")}


@pytest.mark.parametrize("noise", [0, 60, 250])
def test_vector_matches_numpy_on_random_queued_jobs(node: Node, noise: int) -> None:
    rng = np.random.default_rng(noise)
    for _ in range(6):
        memory = random_memory(rng)
        jobs = [random_job(rng, memory, node.lanes, slot, 8) for slot in range(8)]
        node.load(memory)
        node.clear()
        node.bench.set(noise_i=noise)
        expected = memory
        steps = 0
        for registers in jobs:
            node.launch(registers)
            expected = run_job(expected, registers, node.lanes)
            cycles = 2 if OPERATIONS[registers["function"]] == "blend" else 1
            steps += registers["steps"] * registers["tiles"] * cycles
        counters = node.finish()
        node.bench.set(noise_i=0)
        found = node.dump()
        wrong = np.flatnonzero(found != expected)
        assert wrong.size == 0, (wrong[:8], hex(found[wrong[0]]), hex(expected[wrong[0]]))
        assert counters["busy"] == steps


def quiet_job(node: Node, operation: str, tiles: int, steps: int) -> dict[str, int]:
    """A job whose streams stay in banks of their own, so that no conflict disturbs the timing."""
    sweep = 8 * 64
    direct = operation in ("max", "table")
    registers = reset_registers()
    registers |= stream("x", 0, [(steps, sweep), (tiles, 0)])
    loops = [(steps, sweep), (tiles, 0), (1, 0)]
    lanes = 1 if operation == "mac" else node.lanes
    registers |= stream("w", 8 * node.lanes, loops, tail_loop=2, tail_lanes=lanes)
    registers |= stream("p", 16 * node.lanes, [(9, sweep)])
    registers |= stream("t", 16 * node.lanes + 8, [(8, sweep)])
    registers |= stream("y", 16 * node.lanes + 64, [(tiles, sweep)])
    registers |= {"steps": steps, "tiles": tiles, "reuse": 0 if direct else tiles}
    registers |= {"out": 0 if direct else 2, "function": OPERATIONS.index(operation)}
    return registers | {"lo": -128, "hi": 127}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_vector_first_step_and_last_write_have_the_documented_latency(
    node: Node, operation: str
) -> None:
    steps = 9 if operation in ("mac", "sum", "max") else 1
    registers = quiet_job(node, operation, 1, steps)
    node.clear()
    node.configure(registers)
    start = node.bench.get("cycles_o")
    node.launch(registers)
    counters = node.finish()
    assert counters["conflicts"] == 0
    wait = {"max": 0, "table": 8}.get(operation, 9)
    busy = steps * (2 if operation == "blend" else 1)
    assert counters["last_step"] - start == 4 + wait + busy - 1
    after = 2 if operation in ("max", "table") else 3 + 8 // node.columns
    assert counters["last_write"] - counters["last_step"] == after


@pytest.mark.parametrize("operation", OPERATIONS)
def test_vector_runs_queued_tiles_and_jobs_without_a_bubble(node: Node, operation: str) -> None:
    jobs, tiles = 5, 40
    steps = 9 if operation in ("mac", "sum", "max") else 1
    registers = quiet_job(node, operation, tiles, steps)
    node.clear()
    for _ in range(jobs):
        node.launch(registers)
    counters = node.finish()
    per_step = 2 if operation == "blend" else 1
    assert counters["busy"] == jobs * tiles * steps * per_step
    drain = 1 if operation in ("max", "table") else 8 // node.columns
    cycles = jobs * tiles * max(steps * per_step, drain)
    cycles -= max(0, drain - steps * per_step)  # the last tile drains behind its step
    table = 8 * (jobs - 1) if operation == "table" else 0
    assert counters["last_step"] - counters["first_step"] + 1 == cycles + table


def test_vector_waits_for_and_posts_the_semaphores_of_its_launch(node: Node) -> None:
    for operation in OPERATIONS:
        used = {X_FULL: X_FREE, Y_FREE: Y_FULL}
        if operation in ("mac", "blend", "multiply"):
            used[W_FULL] = W_FREE
        if operation == "table":
            used[T_FULL] = T_FREE
        elif operation != "max":
            used[P_FULL] = P_FREE
        registers = quiet_job(node, operation, 2, 1)
        node.clear()
        node.bench.set(allow_i=0)
        for _ in range(3):
            node.launch(registers, sum(1 << s for s in used), sum(1 << s for s in used.values()))
        node.finish()
        counts: Mapping[str, list[int]] = {
            "granted_o": [3 * (s in used) for s in range(16)],
            "posted_o": [3 * (s in used.values()) for s in range(16)],
        }
        for port, expected in counts.items():
            assert node.bench[port].tolist() == expected, (operation, port)
