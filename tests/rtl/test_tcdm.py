"""The banked memory: data, one grant per bank and cycle, fairness, urgent masters."""

from __future__ import annotations

import numpy as np
import pytest

from rtl.bench import Bench

pytestmark = pytest.mark.rtl

MASTERS, BANKS, WORDS, URGENT, VIEWS = 12, 8, 256, 4, 2


@pytest.fixture(scope="module")
def bench() -> Bench:
    ports = {"valid_i": 1, "write_i": 1, "behind_i": 1, "addr_i": 32, "wdata_i": 64, "gnt_o": 1}
    ports |= {"rvalid_o": 1, "rdata_o": 64, "denied_o": 32}
    parameters = {"NumMasters": MASTERS, "Banks": BANKS, "Words": WORDS, "Urgent": URGENT}
    parameters["Views"] = VIEWS
    return Bench("cvn_tcdm_tb", ports, parameters, ["tb/cvn_tcdm_tb.sv"])


@pytest.fixture(autouse=True)
def quiet(bench: Bench) -> None:
    bench["valid_i"][:] = 0
    bench["behind_i"][:] = 0
    bench.reset()


def place(address: int) -> tuple[int, int]:
    """Bank and row of a word: in view v words interleave over groups of BANKS >> v banks."""
    view, word = divmod(address, WORDS)
    group_banks = BANKS >> view
    group, offset = divmod(word, WORDS >> view)
    return group * group_banks + offset % group_banks, offset // group_banks


def test_tcdm_serves_one_access_per_bank_and_returns_the_data_one_cycle_later(bench: Bench) -> None:
    rng = np.random.default_rng(1)
    memory: dict[tuple[int, int], np.uint64] = {}
    for address, word in enumerate(rng.integers(0, 1 << 64, WORDS, np.uint64)):
        memory[place(address)] = word
        bench["valid_i"][0], bench["write_i"][0] = 1, 1
        bench["addr_i"][0], bench["wdata_i"][0] = address, word
        bench.tick()
    bench["valid_i"][:] = 0
    expected: dict[int, np.uint64] = {}
    for cycle in range(4000):
        load = (0.1, 0.5, 1.0)[cycle // 500 % 3]
        idle = bench["valid_i"] == 0
        start = idle & (rng.random(MASTERS) < load)
        bench["valid_i"][start] = 1
        bench["write_i"][start] = rng.integers(0, 2, start.sum())
        bench["addr_i"][start] = rng.integers(0, WORDS * (VIEWS + 1), start.sum())
        bench["wdata_i"][start] = rng.integers(0, 1 << 64, start.sum(), np.uint64)
        bench.settle()
        assert set(np.flatnonzero(bench["rvalid_o"])) == set(expected)
        for master, word in expected.items():
            assert bench["rdata_o"][master] == word
        valid, granted = bench["valid_i"] != 0, bench["gnt_o"] != 0
        places = [place(int(address)) for address in bench["addr_i"]]
        banks = np.array([bank for bank, _ in places])
        assert not np.any(granted & ~valid)
        assert sorted(banks[granted]) == sorted(set(banks[valid])), "one grant per requested bank"
        assert bench.get("denied_o") == (valid & ~granted).sum()
        expected = {}
        for master in map(int, np.flatnonzero(granted)):
            if bench["write_i"][master]:
                memory[places[master]] = bench["wdata_i"][master]
            else:
                expected[master] = memory[places[master]]
        bench.tick()
        bench["valid_i"][granted] = 0


def grants_of_one_bank(bench: Bench, masters: list[int], cycles: int) -> dict[int, int]:
    """How often each master is granted if all always ask for the same bank."""
    counts = dict.fromkeys(masters, 0)
    bench["write_i"][:] = 0
    bench["addr_i"][:] = 3
    bench["valid_i"][masters] = 1
    for _ in range(cycles):
        bench.settle()
        for master in np.flatnonzero(bench["gnt_o"]):
            counts[int(master)] += 1
        bench.tick()
    return counts


@pytest.mark.parametrize("masters", [[0, 1, 2, 3], [4, 5, 7, 9, 11]])
def test_tcdm_shares_a_bank_equally_among_masters_of_a_class(
    bench: Bench, masters: list[int]
) -> None:
    counts = grants_of_one_bank(bench, masters, 32 * len(masters))
    assert set(counts.values()) <= {31, 32, 33}, "equal but for the turns of single masters"


def test_tcdm_prefers_urgent_masters_but_starves_nobody(bench: Bench) -> None:
    counts = grants_of_one_bank(bench, [1, 6], 1600)
    assert counts[1] >= 1490
    assert counts[6] >= 40


def test_tcdm_prefers_lanes_that_hold_their_beat_back_within_their_class(bench: Bench) -> None:
    bench["behind_i"][[1, 6, 9]] = 1
    counts = grants_of_one_bank(bench, [0, 1], 1600)
    assert counts[1] >= 1490
    assert counts[0] >= 8, "and starves nobody"
    bench.reset()
    bench["valid_i"][:] = 0
    counts = grants_of_one_bank(bench, [6, 7, 9], 1600)
    assert min(counts[6], counts[9]) >= 700
    bench.reset()
    bench["valid_i"][:] = 0
    counts = grants_of_one_bank(bench, [0, 6], 1600)
    assert counts[0] >= 1490, "an urgent master goes before"


def test_tcdm_serves_all_of_the_other_masters_in_turn_beside_an_urgent_one(bench: Bench) -> None:
    counts = grants_of_one_bank(bench, [0, 5, 6, 11], 1600)
    assert counts[0] >= 1470
    assert min(counts[5], counts[6], counts[11]) >= 32


def test_tcdm_lets_streams_in_step_lock_into_different_phases(bench: Bench) -> None:
    addresses = np.zeros(2, np.int64)
    lost = 0
    for _ in range(200):
        bench["valid_i"][:2] = 1
        bench["addr_i"][:2] = addresses % WORDS
        bench.settle()
        granted = bench["gnt_o"][:2].astype(np.int64)
        lost += 2 - int(granted.sum())
        addresses += granted
        bench.tick()
    assert lost == 1
