"""The timing model, one mechanism at a time, with cycles counted by hand from the RTL's headers.

A word executes per cycle from cycle 1 on. A load launched in cycle t is taken in t+1, requests in
t+2, has its first beat 100 cycles later and is done two cycles after the last; the processor sees
that a cycle later and the program has taken one cycle more, as it began in cycle 0.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.encode import encode
from covenant.emit.program import Halt, Launch, Loop, Operation, Post, Write
from covenant.sim.timing import Timing, time_program
from covenant.sim.timing.contention import TICKS, Contention
from covenant.sim.timing.hazards import Touched
from covenant.sim.timing.traffic import NodeTraffic, PathTraffic, StreamTraffic

LATENCY, DONE, END = 100, 2, 2
FULL_SPEED = TICKS


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax")


def timed(acg: Acg, *operations: Operation) -> Timing:
    assert acg.control is not None
    return time_program(encode((*operations, Halt()), acg.control), acg)


def written(unit: str, **values: int) -> tuple[Write, ...]:
    """Register writes; `__` stands for a dot, a trailing digit for an index."""
    names = (name.replace("__", ".") for name in values)
    named = (f"{n[:-1]}[{n[-1]}]" if n[-1].isdigit() else n for n in names)
    return tuple(Write(unit, n, v) for n, v in zip(named, values.values(), strict=True))


def test_words_take_a_cycle_each_and_loop_words_one_per_entry(acg: Acg) -> None:
    assert timed(acg).cycles == 2
    body = Loop(3, written("gemm", steps=2, tiles=2))
    assert timed(acg, Loop(5, (body,))).cycles == 2 + 1 + 5 * (1 + 3 * 2)


@pytest.mark.parametrize(("words", "beats"), [(8, 1), (9, 2), (512, 64)])
def test_load_takes_latency_and_a_cycle_per_beat(acg: Acg, words: int, beats: int) -> None:
    launched = 2
    first = launched + 2 + LATENCY
    found = timed(acg, *written("load0", run=words), Launch("load0"))
    assert found.cycles == first + beats - 1 + DONE + END
    assert found.counters["dma_read_beats"] == beats


def test_beats_and_bursts_follow_the_alignment_of_rows(acg: Acg) -> None:
    rows = written("load0", src__base=56, run=2, bound0=3, src__stride0=64, dst__stride0=16)
    assert timed(acg, *rows, Launch("load0")).counters["dma_read_beats"] == 3 * 2


def test_queued_loads_follow_one_another_without_a_gap(acg: Acg) -> None:
    jobs = (*written("load0", run=512), *(Launch("load0") for _ in range(3)))
    assert timed(acg, *jobs).cycles == 2 + 2 + LATENCY + 3 * 64 - 1 + DONE + END
    other = (*written("load1", run=512), Launch("load1"))
    both = timed(acg, *written("load0", run=512), Launch("load0"), *other)
    assert both.cycles == 2 + 2 + LATENCY + 2 * 64 - 1 + DONE + END


def test_narrow_memory_and_few_requests_slow_a_load_down(acg: Acg) -> None:
    jobs = (*written("load0", run=512), Launch("load0"))
    slow = tuple(replace(m, read_bytes_per_cycle=32) if m.off_chip else m for m in acg.memories)
    assert timed(replace(acg, memories=slow), *jobs).cycles - timed(acg, *jobs).cycles == 64
    few = tuple(replace(t, outstanding=1) for t in acg.transfers)
    rows = written("load0", run=1, bound0=4, src__stride0=64, dst__stride0=64)
    assert (
        timed(replace(acg, transfers=few), *rows, Launch("load0")).cycles
        == 6 + 2 + 4 * (LATENCY + 1) - 1 + DONE + END - 1
    )


def test_store_is_done_when_its_last_beat_is_acknowledged(acg: Acg) -> None:
    found = timed(acg, *written("store0", run=512), Launch("store0"))
    enters, reaches_bus, acknowledged = 2 + 2, 3, 10
    assert found.cycles == enters + 63 + reaches_bus + acknowledged + END


def test_semaphore_starts_the_waiting_unit_a_cycle_after_the_post(acg: Acg) -> None:
    load = (*written("load0", run=8), Launch("load0", posts=("y_full",)))
    store = (*written("store0", run=8), Launch("store0", ("y_full",)))
    posted = 2 + 2 + LATENCY + DONE
    assert timed(acg, *load, *store).cycles == posted + 1 + 1 + 3 + 10 + END


@pytest.mark.parametrize(("out", "beats"), [(0, 4), (2, 1)])
def test_array_has_the_documented_latencies(acg: Acg, out: int, beats: int) -> None:
    """First step 4 cycles after the launch and three more for a record of three beats; int32 words
    in the 2nd to 5th cycle after the last step, requantised ones in the 5th."""
    streams = {"a__stride0": 1024, "b__stride0": 1024, "a__bound0": 16, "b__bound0": 16}
    apart = {"b__base": 64, "y__base": 128, "p__base": 192}
    rest = {"p__bound0": 3, "y__bound0": beats, "y__stride0": 256}
    node = written("gemm", steps=16, out=out, **streams, **apart, **rest)
    launched = len(node) + 1
    found = timed(acg, *node, Launch("gemm"))
    assert found.cycles == launched + (4 + 3) + 16 + 4 + END
    assert found.counters["busy"] == 16


def test_results_that_leave_slowly_bound_the_tiles(acg: Acg) -> None:
    """A tile of one step leaves in four beats of int32, while the array computes the next one."""
    streams = {"a__bound0": 10, "b__bound0": 10, "y__bound0": 4, "y__bound1": 10}
    apart = {"b__base": 64, "y__base": 128, "p__base": 192, "p__bound0": 3}
    node = written("gemm", tiles=10, reuse=10, **streams, **apart)
    launched = len(node) + 1
    assert timed(acg, *node, Launch("gemm")).cycles == launched + (4 + 3) + 1 + 9 * 4 + 4 + END


def test_launch_waits_for_room_in_the_queues(acg: Acg) -> None:
    """Four jobs wait and one runs; the sixth launch waits until another is taken."""
    jobs = (*written("store0", run=512), *(Launch("store0") for _ in range(7)))
    assert timed(acg, *jobs).counters["command_blocked"] > 0
    assert timed(acg, *jobs[:-3]).counters["command_blocked"] == 0


def test_stall_says_what_a_word_waits_for(acg: Acg) -> None:
    """A load of 64 beats that another unit's launch, its own next launch, or a write follows."""
    alone = timed(acg, *written("load0", run=512), Launch("load0")).cycles
    other = (*written("load0", run=512), Launch("load0"), Launch("load1"))
    again = (*written("load0", run=512), Launch("load0"), *written("load0", run=1))
    found = {}
    for stall in ("none", "launch", "write", "barrier"):
        assert acg.control is not None
        machine = replace(acg, control=replace(acg.control, stall=stall))
        found[stall] = [timed(machine, *words).cycles for words in (other, again)]
    assert found["none"] == found["launch"] == [alone + 1, alone]
    assert found["write"] == [alone + 1, alone + 1]
    assert found["barrier"][0] > alone + LATENCY
    assert found["barrier"][1] == alone


def test_program_that_hangs_names_its_semaphore(acg: Acg) -> None:
    with pytest.raises(CovenantError, match="deadlocks: units wait for a_free"):
        timed(acg, Launch("load0", ("a_free",)))
    assert timed(acg, Post(("a_free",)), Launch("load0", ("a_free",))).cycles > 0


def _reader(banks: tuple[int, ...], *, urgent: bool = True) -> StreamTraffic:
    return StreamTraffic((banks,), 8, writes=False, urgent=urgent)


def _node(*streams: StreamTraffic) -> NodeTraffic:
    return NodeTraffic(streams, 4, 1, 1)


def test_streams_in_banks_of_their_own_run_at_full_speed() -> None:
    flows = (_node(_reader((0, 1)), _reader((2, 3))), PathTraffic(((4, 5),), True, 1, 1))
    assert Contention().slowness(flows) == (FULL_SPEED, FULL_SPEED)


def test_streams_in_one_bank_share_its_cycles() -> None:
    (slow,) = Contention().slowness((_node(_reader((0,)), _reader((0,))),))
    assert slow == pytest.approx(2 * FULL_SPEED, rel=0.02)
    (slow,) = Contention().slowness((_node(_reader((0, 0, 0))),))
    assert slow == pytest.approx(3 * FULL_SPEED, rel=0.02)


def test_transfer_gets_every_sixteenth_cycle_of_banks_that_operands_fill() -> None:
    node, path = _node(_reader((0, 1))), PathTraffic(((0, 1),), True, 1, 1)
    array, transfer = Contention().slowness((node, path))
    assert transfer == pytest.approx(16 * FULL_SPEED, rel=0.1)
    assert array == pytest.approx(16 / 15 * FULL_SPEED, rel=0.02)


def test_transfer_that_meets_nobody_half_of_the_time_waits_for_its_bank() -> None:
    node, path = _node(_reader((0, 1))), PathTraffic(((0, 1), (2, 3)), True, 1, 1)
    _, transfer = Contention().slowness((node, path))
    assert transfer == pytest.approx(8 * FULL_SPEED, rel=0.1)


def test_hazards_order_launches_that_touch_the_same_bytes() -> None:
    write = Touched((), (("m", 0, 64),))
    assert write.conflicts(Touched((("m", 32, 33),), ()))
    assert Touched((("m", 32, 33),), ()).conflicts(write)
    assert write.conflicts(Touched((), (("m", 63, 70),)))
    assert not write.conflicts(Touched((("m", 64, 70),), (("n", 0, 64),)))
    assert not Touched((("m", 0, 9),), ()).conflicts(Touched((("m", 0, 9),), ()))
