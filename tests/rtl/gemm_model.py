"""What a gemm job means, in NumPy, from nothing but its registers and the L1 contents.

In: the shape of the array, the registers of one launch, L1 as an array of 64-bit words. Out: the
words that the job writes. It follows the register description, not the RTL's structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
Registers = Mapping[str, int]

LOOPS = {"a": 6, "b": 4, "acc": 6, "p": 4, "y": 6}
_HEADERS = {
    "a": (
        *("base", "lane_stride", "word_stride", "tail_loop", "tail_lanes"),
        *("row_lanes", "row_step", "row_jump"),
    ),
    "b": ("base",),
    "acc": ("base", "lane_stride", "tail_loop", "tail_lanes"),
    "p": ("base",),
    "y": ("base", "lane_stride", "tail_loop", "tail_lanes"),
}
_ARRAY = (
    "steps",
    "tiles",
    "reuse",
    "za",
    "zy",
    "lo",
    "hi",
    "a.signed",
    "b.signed",
    "resume",
    "out",
    "function",
)
_RESET = {"lane_stride": 8, "word_stride": 8, "tail_lanes": 65535}


@dataclass(frozen=True, slots=True)
class Shape:
    """Extents of the array, columns requantised per cycle, words per parameter beat. In the folded
    shape (register `function` 1) m is `fold` times smaller and k as many times larger."""

    m: int
    n: int
    k: int
    columns: int
    p_lanes: int = 3
    fold: int = 1
    run: int = 0
    """Of a folded shape k of the other one, whose beats of b it takes one after the other."""

    def chosen(self, function: int) -> Shape:
        """The array as a launch uses it."""
        if not function:
            return self
        return replace(self, m=self.m // self.fold, k=self.k * self.fold, fold=1, run=self.k)

    @property
    def words_per_pixel(self) -> int:
        return max(1, self.k // 8)

    @property
    def parts(self) -> int:
        """Array steps per a beat."""
        return max(1, 8 // self.k)

    @property
    def record_words(self) -> int:
        return 9 * self.n // 8


def reset_registers() -> dict[str, int]:
    """All registers of the unit in index order, with their values after a program start."""
    registers: dict[str, int] = {}
    for stream, header in _HEADERS.items():
        registers.update({f"{stream}.{name}": _RESET.get(name, 0) for name in header})
        registers.update({f"{stream}.bound[{i}]": 1 for i in range(LOOPS[stream])})
        registers.update({f"{stream}.stride[{i}]": 0 for i in range(LOOPS[stream])})
    registers.update({name: int(name in ("steps", "tiles", "reuse")) for name in _ARRAY})
    return registers


def beat_words(registers: Registers, stream: str, pixels: int, words: int) -> tuple[Ints, Mask]:
    """Word addresses (beats, pixels, words) of a stream and whether each pixel is enabled."""
    loops = LOOPS[stream]
    bounds = [registers[f"{stream}.bound[{i}]"] for i in range(loops)]
    strides = [registers[f"{stream}.stride[{i}]"] for i in range(loops)]
    index = np.indices(bounds[::-1]).reshape(loops, -1)[::-1]
    base = registers[f"{stream}.base"] + np.tensordot(np.array(strides), index, 1)
    lane = np.arange(pixels)[:, None] * registers.get(f"{stream}.lane_stride", 8 * words)
    word = np.arange(words)[None, :] * registers.get(f"{stream}.word_stride", 8)
    tail_loop = registers.get(f"{stream}.tail_loop", 0)
    rows = passed_rows(
        index[tail_loop],
        pixels,
        registers.get(f"{stream}.row_lanes", 0),
        registers.get(f"{stream}.row_step", 0),
    )
    jumps = rows * registers.get(f"{stream}.row_jump", 0)
    addresses = (base[:, None, None] + jumps[:, :, None] + lane + word) // 8
    is_tail = index[tail_loop] == bounds[tail_loop] - 1
    limit = np.where(is_tail, registers.get(f"{stream}.tail_lanes", 65535), 65535)
    return addresses, np.arange(pixels)[None, :] < limit[:, None]


def passed_rows(turn: Ints, pixels: int, row_lanes: int, row_step: int) -> Ints:
    """Row ends between the first pixel of a job and every pixel (beats, pixels), where the loop of
    the lanes is in iteration `turn` and moves by `row_step` columns on top of whole rows."""
    if not row_lanes:
        return np.zeros((turn.size, pixels), np.int64)
    columns = turn[:, None] * row_step + np.arange(pixels)[None, :]
    result: Ints = columns // row_lanes
    return result


def _read(memory: Words, registers: Registers, stream: str, pixels: int, words: int) -> Words:
    addresses, enabled = beat_words(registers, stream, pixels, words)
    return np.where(enabled[:, :, None], memory[addresses], np.uint64(0))


def _bytes(words: Words, signed: int) -> Ints:
    raw = np.ascontiguousarray(words).view(np.uint8)
    return (raw.view(np.int8) if signed else raw).astype(np.int64)


def _operand_a(memory: Words, registers: Registers, shape: Shape) -> Ints:
    """a[tile, step, m, k]; every tile starts with a fresh beat."""
    words = _read(memory, registers, "a", shape.m, shape.words_per_pixel)
    values = _bytes(words, registers["a.signed"])
    tiles, steps, parts = registers["tiles"], registers["steps"], shape.parts
    beats = -(-steps // parts)
    values = values.reshape(tiles, beats, shape.m, parts, shape.k).swapaxes(2, 3)
    return values.reshape(tiles, beats * parts, shape.m, shape.k)[:, :steps]


def _operand_b(memory: Words, registers: Registers, shape: Shape) -> Ints:
    words = _read(memory, registers, "b", 1, shape.n * shape.k // 8)
    values = _bytes(words, registers["b.signed"])
    run = shape.run or shape.k
    parts = values.reshape(registers["tiles"], registers["steps"], -1, shape.n, run)
    return np.moveaxis(parts, 2, 3).reshape(*parts.shape[:2], shape.n, shape.k)


def _records(memory: Words, registers: Registers, shape: Shape) -> tuple[Ints, Words, Ints]:
    """bias, scale bits and zb of every tile: (tiles, n) each."""
    tiles, reuse, n = registers["tiles"], registers["reuse"], shape.n
    if reuse == 0:
        return (
            np.zeros((tiles, n), np.int64),
            np.zeros((tiles, n), np.uint64),
            np.zeros((tiles, n), np.int64),
        )
    words = _read(memory, registers, "p", 1, shape.p_lanes).reshape(-1, shape.record_words)
    words = np.repeat(words, reuse, axis=0)[:tiles]
    halves = np.ascontiguousarray(words[:, :n]).view(np.uint32).reshape(tiles, n, 2)
    bias = halves[:, :, 0].astype(np.int64)
    scale = halves[:, :, 1].astype(np.uint64)
    return bias, scale, _bytes(words[:, n:], registers["b.signed"])


def _requantise(sums: Ints, scale: Words, registers: Registers) -> NDArray[np.uint8]:
    factor = scale.astype(np.uint32).view(np.float32)[:, None, :]
    product = sums.astype(np.int32).astype(np.float32) * factor
    integers = np.rint(product).astype(np.float64).clip(-(2.0**33), 2.0**33).astype(np.int64)
    clamped: Ints = np.clip(integers + registers["zy"], registers["lo"], registers["hi"])
    return (clamped & 255).astype(np.uint8)


def run_job(memory: Words, registers: Registers, shape: Shape) -> Words:
    """L1 after the job."""
    shape = shape.chosen(registers["function"])
    tiles, m, n = registers["tiles"], shape.m, shape.n
    bias, scale, zb = _records(memory, registers, shape)
    za = registers["za"] & 255
    za -= 256 * (registers["a.signed"] & (za >> 7))
    a = _operand_a(memory, registers, shape) - za
    b = _operand_b(memory, registers, shape) - zb[:, None, :, None]
    sums = np.einsum("tsmk,tsnk->tmn", a, b)
    if registers["resume"]:
        words = _read(memory, registers, "acc", m, 1).reshape(tiles, n // 2, m)
        halves = np.ascontiguousarray(words.swapaxes(1, 2)).view(np.uint32).astype(np.int64)
        sums = sums + halves.reshape(tiles, m, n)
    if registers["out"]:
        sums = sums + bias[:, None, :]
    wrapped = (sums & 0xFFFFFFFF).astype(np.uint32)
    if registers["out"] == 2:
        narrow = _requantise(wrapped.view(np.int32).astype(np.int64), scale, registers)
        words_out = np.ascontiguousarray(narrow).view(np.uint64)
    else:
        words_out = np.ascontiguousarray(wrapped).view(np.uint64)
    addresses, enabled = beat_words(registers, "y", m, 1)
    result = memory.copy()
    data = words_out.swapaxes(1, 2).reshape(-1, m)  # (tiles * words, m)
    result[addresses[:, :, 0][enabled]] = data[enabled]
    return result
