"""Runs inside the simulator: the cluster's AXI4 port against cocotbext-axi's memory model.

Environment: CVN_CASES, a folder of .npz files with `words`, `dram` and `pause_permille`. For every
file `name.npz` the bytes of the memory after the run go to `name.after.npy`.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiRam

MICROSECONDS = 200


def _pauses(permille: int, seed: int) -> Iterator[bool]:
    rng = random.Random(seed)
    return (rng.randrange(1000) < permille for _ in itertools.count())


def _stall(memory: Any, permille: int) -> None:
    """Every channel of the memory pauses at random."""
    channels = [
        memory.read_if.ar_channel,
        memory.read_if.r_channel,
        memory.write_if.aw_channel,
        memory.write_if.w_channel,
        memory.write_if.b_channel,
    ]
    for seed, channel in enumerate(channels):
        if permille:
            channel.set_pause_generator(_pauses(permille, seed))
        else:
            channel.clear_pause_generator()


async def _protocol(dut: Any) -> None:
    """AXI4 rules the memory model does not check: valid and payload stay until ready; a burst keeps
    within 4 KiB."""
    beat = len(dut.m_axi_wdata) // 8
    rules = {
        "ar": ("araddr", "arlen"),
        "aw": ("awaddr", "awlen"),
        "w": ("wdata", "wstrb", "wlast"),
    }
    waiting: dict[str, tuple[int, ...]] = {}
    while True:
        await FallingEdge(dut.clk_i)
        for channel, names in rules.items():
            valid = int(getattr(dut, f"m_axi_{channel}valid").value)
            ready = int(getattr(dut, f"m_axi_{channel}ready").value)
            if channel in waiting:
                assert valid, f"{channel}valid fell before {channel}ready"
            if not valid:
                continue
            payload = tuple(int(getattr(dut, f"m_axi_{name}").value) for name in names)
            assert waiting.get(channel, payload) == payload, f"{channel} changed while waiting"
            if channel != "w":
                address, length = payload
                assert address % beat == 0, f"{channel}: address {address:#x} is not aligned"
                last = address + (length + 1) * beat - 1
                assert address >> 12 == last >> 12, (
                    f"{channel}: burst at {address:#x} crosses 4 KiB"
                )
            if ready:
                waiting.pop(channel, None)
            else:
                waiting[channel] = payload


async def _reset(dut: Any) -> None:
    dut.start_i.value = 0
    dut.imem_we_i.value = 0
    dut.rst_ni.value = 0
    for _ in range(4):
        await RisingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    await RisingEdge(dut.clk_i)


async def _load(dut: Any, words: Any) -> None:
    dut.imem_we_i.value = 1
    for address, word in enumerate(words):
        dut.imem_addr_i.value = address
        dut.imem_wdata_i.value = int(word)
        await RisingEdge(dut.clk_i)
    dut.imem_we_i.value = 0


async def _run(dut: Any) -> None:
    dut.start_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.start_i.value = 0
    while True:
        await RisingEdge(dut.clk_i)
        if int(dut.done_o.value):
            return


@cocotb.test()
async def programs_run_against_an_independent_axi_memory(dut: Any) -> None:
    """All cases, one after the other on the same cluster."""
    cocotb.start_soon(Clock(dut.clk_i, 2, "ns").start())
    dut.rst_ni.value = 0
    await RisingEdge(dut.clk_i)
    cases = sorted(Path(os.environ["CVN_CASES"]).glob("*.npz"))
    assert cases
    size = max(np.load(case)["dram"].size for case in cases)
    bus = AxiBus.from_prefix(dut, "m_axi")
    memory = AxiRam(bus, dut.clk_i, dut.rst_ni, reset_active_level=False, size=size)
    cocotb.start_soon(_protocol(dut))
    await _reset(dut)
    for case in cases:
        given = np.load(case)
        _stall(memory, int(given["pause_permille"]))
        memory.write(0, given["dram"].tobytes())
        await _load(dut, given["words"])
        await with_timeout(_run(dut), MICROSECONDS, "us")
        after = np.frombuffer(memory.read(0, given["dram"].size), np.uint8)
        np.save(case.with_suffix(".after.npy"), after)
