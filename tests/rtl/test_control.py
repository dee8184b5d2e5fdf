"""Command processor, job queues and semaphores against a model that runs the program in Python."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from rtl.bench import Bench

pytestmark = pytest.mark.rtl

UNITS, REGISTERS, SEMAPHORES = 3, 5, 16
SET, ADD, RSUB, LAUNCH, POST, LOOP, HALT = 1, 2, 3, 4, 5, 6, 15
SOURCES = ["control/cvn_command_pkg.sv", "control/cvn_command.sv", "control/cvn_semaphores.sv"]


def open_bench(**parameters: int) -> Bench:
    ports = {"start_i": 1, "done_o": 1, "running_o": 1, "blocked_o": 1, "pc_o": 8, "imem_we_i": 1}
    ports |= {"imem_addr_i": 8, "imem_wdata_i": 64, "job_valid_o": 3, "job_ready_i": 3}
    ports |= {"regs_o": 32, "job_done_i": 3, "missing_o": 28}
    return Bench("cvn_control_tb", ports, parameters, [*SOURCES, "tb/cvn_control_tb.sv"])


@pytest.fixture(scope="module")
def bench() -> Bench:
    return open_bench()


def write(op: int, unit: int, register: int, value: int) -> int:
    return op << 60 | unit << 56 | register << 48 | value & 0xFFFFFFFF


def launch(unit: int, wait: int = 0, post: int = 0) -> int:
    return LAUNCH << 60 | unit << 56 | post << 16 | wait


def post(mask: int) -> int:
    return POST << 60 | mask << 16


def loop(length: int, count: int) -> int:
    return LOOP << 60 | length << 32 | count


@dataclass
class Job:
    """What a unit should get: its registers, and semaphores to wait for and post."""

    registers: tuple[int, ...]
    wait: int
    post: int


@dataclass
class Expected:
    """Jobs per unit, semaphores posted by the program, words executed."""

    jobs: list[deque[Job]]
    posted: np.ndarray
    words: int = 0
    shadow: list[list[int]] = field(
        default_factory=lambda: [[100 + i for i in range(REGISTERS)] for _ in range(UNITS)]
    )


def bits(mask: int) -> np.ndarray:
    return np.array([mask >> s & 1 for s in range(SEMAPHORES)])


def interpret(words: Sequence[int]) -> Expected:
    """Runs a program by the meaning of its words."""
    result = Expected([deque() for _ in range(UNITS)], np.zeros(SEMAPHORES, int))
    _block(result, words, 0, len(words))
    return result


def _block(result: Expected, words: Sequence[int], start: int, end: int) -> None:
    at = start
    while at < end:
        word = words[at]
        op, unit, register, value = word >> 60, word >> 56 & 15, word >> 48 & 255, word & 0xFFFFFFFF
        result.words += 1
        at += 1
        if op in (SET, ADD, RSUB):
            old = result.shadow[unit][register]
            new = {SET: value, ADD: old + value, RSUB: value - old}[op]
            result.shadow[unit][register] = new & 0xFFFFFFFF
        elif op == LAUNCH:
            job = Job(tuple(result.shadow[unit]), word & 0xFFFF, word >> 16 & 0xFFFF)
            result.jobs[unit].append(job)
        elif op == POST:
            result.posted += bits(word >> 16 & 0xFFFF)
        elif op == LOOP:
            length = word >> 32 & 0xFFFFFF
            for _ in range(value):
                _block(result, words, at, at + length)
            at += length


def run(
    bench: Bench, words: Sequence[int], seed: int, eager: bool = False, stall: str = "none"
) -> int:
    """Loads and runs a program with random engines, checks every job, and that no more jobs are
    under way than `stall` allows; cycles from start to done."""
    rng = np.random.default_rng(seed)
    expected = interpret(words)
    available = expected.posted.copy()
    running: list[deque[Job]] = [deque() for _ in range(UNITS)]
    paid = [False] * UNITS
    for address, word in enumerate(words):
        bench.set(imem_we_i=1, imem_addr_i=address, imem_wdata_i=word)
        bench.tick()
    bench.set(imem_we_i=0, start_i=1)
    for cycle in range(20_000):
        done = 0
        for unit in range(UNITS):
            if running[unit] and (eager or rng.random() < 0.3):
                done |= 1 << unit
        bench.set(job_done_i=done, job_ready_i=7 if eager else int(rng.integers(8)))
        bench.settle()
        if cycle and bench.get("done_o"):
            assert not any(expected.jobs), "halted before every job was run"
            assert not any(running), "halted before every job was done"
            return cycle
        under_way = [
            len(jobs) + (bench.get("job_valid_o") >> u & 1) for u, jobs in enumerate(running)
        ]
        if stall == "barrier":
            assert sum(under_way) <= 1
        elif stall != "none":
            assert max(under_way) <= 1
        for unit in range(UNITS):
            if bench.get("job_valid_o") >> unit & 1:
                job = expected.jobs[unit][0]
                first = unit * REGISTERS
                seen = tuple(bench["regs_o"][first : first + REGISTERS].tolist())
                assert seen == job.registers
                if not paid[unit]:
                    available -= bits(job.wait)
                    assert (available >= 0).all(), "a job started without its semaphores"
                    paid[unit] = True
                if bench.get("job_ready_i") >> unit & 1:
                    running[unit].append(expected.jobs[unit].popleft())
                    paid[unit] = False
            if done >> unit & 1:
                available += bits(running[unit].popleft().post)
        bench.tick()
        bench.set(start_i=0)
    raise AssertionError("the program does not end")


def run_free(words: Sequence[int]) -> int:
    """Cycles of a program whose words never wait, of which the last but one is a launch."""
    return interpret(words).words + 3


def random_body(rng: np.random.Generator, depth: int, budget: int) -> list[int]:
    """Words without waits: writes, launches, posts and nested loops."""
    words: list[int] = []
    for _ in range(int(rng.integers(1, 6))):
        unit = int(rng.integers(UNITS))
        kind = rng.random()
        if kind < 0.55:
            op = int(rng.choice([SET, ADD, RSUB]))
            value = int(rng.integers(1 << 32))
            words.append(write(op, unit, int(rng.integers(REGISTERS)), value))
        elif kind < 0.75 or depth == 0:
            words.append(launch(unit))
        else:
            inner = random_body(rng, depth - 1, budget)
            words += [loop(len(inner), int(rng.integers(1, 4))), *inner]
    return words


@pytest.mark.parametrize("seed", range(30))
def test_random_programs_deliver_every_job_with_its_registers(bench: Bench, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = [*random_body(rng, 3, 40), HALT << 60]
    run(bench, words, seed, eager=bool(seed % 2))


@pytest.mark.parametrize("seed", range(20))
def test_semaphores_order_producer_and_consumer(bench: Bench, seed: int) -> None:
    # Unit 0 fills two buffers, unit 1 works on them and fills two more, unit 2 empties those.
    full, free, out_full, out_free = 1, 2, 4, 8
    body = [write(ADD, unit, 0, 1) for unit in range(UNITS)]
    body += [launch(0, free, full), launch(1, full | out_free, free | out_full)]
    body += [launch(2, out_full, out_free)]
    start = [post(free | out_free), post(free | out_free)]
    run(bench, [*start, loop(len(body), 9), *body, HALT << 60], seed, eager=bool(seed % 2))


@pytest.mark.parametrize(("number", "stall"), [(1, "launch"), (2, "write"), (3, "barrier")])
def test_processor_stalls_as_it_is_told_to(number: int, stall: str) -> None:
    bench = open_bench(Stall=number)
    for seed in range(6):
        words = [*random_body(np.random.default_rng(seed), 3, 40), HALT << 60]
        run(bench, words, seed, eager=bool(seed % 2), stall=stall)
    # A write waits for the unit only if there are no shadow registers.
    words = [launch(0), *(write(ADD, 0, 1, 1) for _ in range(9)), launch(0), HALT << 60]
    waited = run(bench, words, 0, eager=True, stall=stall) - run_free(words)
    assert waited == {"launch": 0, "write": 2, "barrier": 0}[stall]


def test_program_runs_one_word_per_cycle_through_nested_loops(bench: Bench) -> None:
    # The innermost word ends all three loops at once.
    words = [loop(4, 5), write(ADD, 0, 0, 1), loop(2, 3), loop(1, 7), write(ADD, 0, 1, 2)]
    words.append(HALT << 60)
    assert run(bench, words, 0, eager=True) == interpret(words).words + 1


def test_second_start_begins_with_reset_registers(bench: Bench) -> None:
    words = [write(ADD, 1, 3, 7), launch(1), HALT << 60]
    assert run(bench, words, 0, eager=True) == run(bench, words, 0, eager=True)


def test_launch_waits_until_the_queue_has_room(bench: Bench) -> None:
    words = [launch(0)] * 12 + [HALT << 60]
    run(bench, words, 3)


def test_job_waits_for_a_semaphore_that_is_not_there(bench: Bench) -> None:
    words = [launch(0, wait=32), HALT << 60]
    for address, word in enumerate(words):
        bench.set(imem_we_i=1, imem_addr_i=address, imem_wdata_i=word)
        bench.tick()
    bench.set(imem_we_i=0, start_i=1, job_ready_i=7, job_done_i=0)
    bench.tick()
    bench.set(start_i=0)
    bench.tick(50)
    assert bench.get("running_o")
    assert bench.get("missing_o") == 32
    assert not bench.get("job_valid_o")
    bench.reset()
