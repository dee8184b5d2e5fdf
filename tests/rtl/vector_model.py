"""What a vector job means, in NumPy, from nothing but its registers and the L1 contents.

In: pixel lanes, the registers of one launch, L1 as an array of 64-bit words. Out: the words that
the job writes. It follows the register description, not the RTL's structure.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Registers = Mapping[str, int]

OPERATIONS = ("mac", "sum", "max", "blend", "multiply", "table")
CHANNELS = 8
LOOPS = {"x": 6, "w": 6, "p": 4, "t": 1, "y": 6}
_LANES = ("base", "lane_stride", "tail_loop", "tail_lanes")
_HEADERS = {"x": _LANES, "w": _LANES, "p": ("base",), "t": ("base",), "y": _LANES}
_NODE = ("steps", "tiles", "reuse", "function", "out", "zx", "zw", "kx", "kw", "zy", "lo", "hi")
_RESET = {"lane_stride": 8, "tail_lanes": 65535}


def reset_registers() -> dict[str, int]:
    """All registers of the unit in index order, with their values after a program start."""
    registers: dict[str, int] = {}
    for stream, header in _HEADERS.items():
        registers.update({f"{stream}.{name}": _RESET.get(name, 0) for name in header})
        registers.update({f"{stream}.bound[{i}]": 1 for i in range(LOOPS[stream])})
        registers.update({f"{stream}.stride[{i}]": 0 for i in range(LOOPS[stream])})
    names = (*_NODE, "x.signed", "w.signed")
    registers.update({name: int(name in ("steps", "tiles", "reuse")) for name in names})
    return registers


def _beats(registers: Registers, stream: str, lanes: int) -> tuple[Ints, Mask]:
    """Word addresses (beats, lanes) of a stream and whether each lane is enabled."""
    loops = LOOPS[stream]
    bounds = [registers[f"{stream}.bound[{i}]"] for i in range(loops)]
    strides = [registers[f"{stream}.stride[{i}]"] for i in range(loops)]
    index = np.indices(bounds[::-1]).reshape(loops, -1)[::-1]
    base = registers[f"{stream}.base"] + np.tensordot(np.array(strides), index, 1)
    lane = np.arange(lanes) * registers.get(f"{stream}.lane_stride", 8)
    tail_loop = registers.get(f"{stream}.tail_loop", 0)
    is_tail = index[tail_loop] == bounds[tail_loop] - 1
    limit = np.where(is_tail, registers.get(f"{stream}.tail_lanes", 65535), 65535)
    return (base[:, None] + lane) // 8, np.arange(lanes) < limit[:, None]


def _read(memory: Words, registers: Registers, stream: str, lanes: int) -> Words:
    addresses, enabled = _beats(registers, stream, lanes)
    return np.where(enabled, memory[addresses], np.uint64(0))


def _bytes(words: Words, signed: int) -> Ints:
    raw = np.ascontiguousarray(words).view(np.uint8)
    return (raw.view(np.int8) if signed else raw).astype(np.int64)


def _zero(registers: Registers, name: str, signed: int) -> int:
    value = registers[name] & 255
    return value - 256 * (signed & (value >> 7))


def _sixteen(value: int) -> int:
    return (value + 0x8000 & 0xFFFF) - 0x8000


def _values(
    memory: Words, registers: Registers, lanes: int, zk: Ints
) -> tuple[Ints, NDArray[np.uint8] | None]:
    """Sums [tile, lane, channel], and bytes where the operation makes bytes."""
    steps, tiles = registers["steps"], registers["tiles"]
    name = OPERATIONS[registers["function"]]
    shape = (tiles, steps, lanes, CHANNELS)
    xs, ws = registers["x.signed"], registers["w.signed"]
    raw = _bytes(_read(memory, registers, "x", lanes), xs).reshape(shape)
    x = raw - _zero(registers, "zx", xs)
    if name == "max":
        best = raw.max(axis=1)
        return best, (best & 255).astype(np.uint8)
    if name == "table":
        words = np.ascontiguousarray(_read(memory, registers, "t", 4).reshape(-1))
        found = words.view(np.uint8)[raw[:, 0] & 255]
        return raw[:, 0], found
    if name == "sum":
        return x.sum(axis=1), None
    w = _bytes(_read(memory, registers, "w", lanes), ws).reshape(shape)
    if name == "mac":
        return (x * (w[:, :, :1] - zk[:, None, None, :])).sum(axis=1), None
    second = w - _zero(registers, "zw", ws)
    if name == "multiply":
        return (x * second)[:, 0], None
    return (x * _sixteen(registers["kx"]) + second * _sixteen(registers["kw"]))[:, 0], None


def run_job(memory: Words, registers: Registers, lanes: int) -> Words:
    """L1 after the job."""
    tiles, reuse = registers["tiles"], registers["reuse"]
    bias = np.zeros((tiles, CHANNELS), np.int64)
    scale = np.zeros((tiles, CHANNELS), np.float32)
    zk = np.zeros((tiles, CHANNELS), np.int64)
    if reuse:
        words = _read(memory, registers, "p", 1).reshape(-1, CHANNELS + 1)
        words = np.repeat(words, reuse, axis=0)[:tiles]
        halves = np.ascontiguousarray(words[:, :CHANNELS]).view(np.uint32)
        halves = halves.reshape(tiles, CHANNELS, 2)
        bias, scale = halves[:, :, 0].astype(np.int64), halves[:, :, 1].view(np.float32)
        zk = _bytes(words[:, CHANNELS:], registers["w.signed"])
    sums, direct = _values(memory, registers, lanes, zk)
    out = registers["out"]
    if direct is not None and out == 0:
        data = np.ascontiguousarray(direct).view(np.uint64)
    else:
        total = sums + (bias[:, None, :] if out else 0)
        wrapped = (total & 0xFFFFFFFF).astype(np.uint32)
        if out == 2:
            exact = wrapped.view(np.int32).astype(np.float32) * scale[:, None, :]
            integers = np.rint(exact).astype(np.float64).clip(-(2.0**33), 2.0**33).astype(np.int64)
            clamped = np.clip(integers + registers["zy"], registers["lo"], registers["hi"])
            data = np.ascontiguousarray((clamped & 255).astype(np.uint8)).view(np.uint64)
        else:
            data = np.ascontiguousarray(wrapped).view(np.uint64)
    addresses, enabled = _beats(registers, "y", lanes)
    beats = data.swapaxes(1, 2).reshape(-1, lanes)
    result = memory.copy()
    result[addresses[enabled]] = beats[enabled]
    return result
