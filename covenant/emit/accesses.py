"""Words touched by a launch, remembered by the shape of the access.

In: streams and transfers with register values. Out: sorted word numbers. A program repeats few
shapes at many addresses, so shapes are computed once, relative to the base.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covenant.emit.units import Dma, Registers, Stream

Words = NDArray[np.int64]
_ADDRESS_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Shape:
    """Byte offsets from the base, sorted, without repeats; and the whole sequence. words: the
    offsets in words of so many bytes, when all of them are whole ones."""

    offsets: Words
    sequence: bytes
    words: Words | None = None
    word_bytes: int = 0

    def at(self, base: int, word_bytes: int) -> Words | None:
        """Words from a base on; None when an address lies between words."""
        base &= _ADDRESS_MASK
        if self.words is not None and word_bytes == self.word_bytes and not base % word_bytes:
            return self.words + base // word_bytes
        addresses = self.offsets + base
        if addresses.size and bool((addresses % word_bytes).any()):
            return None
        return addresses // word_bytes


class Accesses:
    """Words of accesses; `find` is told of addresses between words."""

    def __init__(self, find: Callable[[str], None]) -> None:
        self._find = find
        self._known: dict[tuple[object, ...], Shape] = {}
        self._names: dict[Stream, tuple[str, ...]] = {}

    def same(self, one: Stream, other: Stream, registers: Registers) -> bool:
        """Whether two streams touch the same words in the same order."""
        if registers[f"{one.key}.base"] != registers[f"{other.key}.base"]:
            return False
        first = self.shape(one, registers, 0)
        second = self.shape(other, registers, 0)
        return first.sequence == second.sequence

    def dma(self, unit: Dma, registers: Registers, side: str) -> Words:
        """Words one side (`src` or `dst`) of a transfer touches."""
        base = f"{side}.base"
        if side == "src" and unit.windowed(registers):
            return self._windows(unit, registers)
        own = tuple(v for q, v in registers.items() if not q.endswith(".base"))
        key = (unit.transfer.name, side, own)
        if key not in self._known:
            self._known[key] = _shape(
                unit.addresses({**registers, base: 0}, side).ravel(), unit.word_bytes
            )
        return self.words(self._known[key], registers[base], unit.word_bytes)

    def _windows(self, unit: Dma, registers: Registers) -> Words:
        """Words that hold a byte of a window; lines start anywhere in a word."""
        own = tuple(v for q, v in registers.items() if not q.endswith(".base"))
        first = registers["src.base"] & _ADDRESS_MASK
        phase = first % unit.word_bytes
        key = (unit.transfer.name, "windows", phase, own)
        if key not in self._known:
            at = unit.window_bytes({**registers, "src.base": phase})
            offsets = np.unique(at[at >= 0] // unit.word_bytes)
            self._known[key] = Shape(offsets, b"")
        return self._known[key].offsets + first // unit.word_bytes

    def shape(self, stream: Stream, registers: Registers, beats: int) -> Shape:
        """What a job of so many beats touches, relative to the base of the stream."""
        base = f"{stream.key}.base"
        names = self._names.get(stream)
        if names is None:
            own = (q for q in registers if q.startswith(f"{stream.key}.") and q != base)
            names = self._names[stream] = tuple(own)
        key = (stream, beats, *(registers[name] for name in names))
        if key not in self._known:
            self._known[key] = _shape(
                stream.everywhere({**registers, base: 0}, beats).ravel(), stream.word_bytes
            )
        return self._known[key]

    def words(self, shape: Shape, base: int, word_bytes: int) -> Words:
        """Words of a shape from a base on."""
        found = shape.at(base, word_bytes)
        if found is not None:
            return found
        self._find(f"an address is not a multiple of {word_bytes} bytes")
        return np.asarray((shape.offsets + (base & _ADDRESS_MASK)) // word_bytes, np.int64)


def rescaled(words: Words, held: int, wanted: int) -> Words:
    """Words of `held` bytes as the words of `wanted` bytes that they lie in or are made of."""
    if held == wanted:
        return words
    if held < wanted:
        return np.unique(words * held // wanted)
    parts = held // wanted
    return np.asarray((words[:, None] * parts + np.arange(parts)).ravel(), np.int64)


def _shape(addresses: Words, word_bytes: int) -> Shape:
    offsets = addresses[addresses >= 0]
    offsets[offsets >= 1 << 31] -= 1 << 32
    offsets = np.unique(offsets)
    words = offsets // word_bytes
    whole = bool((words * word_bytes == offsets).all())
    return Shape(offsets, addresses.tobytes(), words if whole else None, word_bytes)
