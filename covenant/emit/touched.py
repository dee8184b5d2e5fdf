"""Addresses that a launch reads and writes, as ranges.

In: a unit and its registers. Out: `Touched`. Ranges reach from the first to the last word, so they
may say more than a launch touches, never less.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.emit.steps import active, expected_beats
from covenant.emit.units import ComputeUnit, Dma, Registers, Stream

Range = tuple[str, int, int]
"""Memory, first byte, byte behind the last one."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Address ranges that a launch reads and writes."""

    reads: tuple[Range, ...]
    writes: tuple[Range, ...]

    def conflicts(self, other: Touched) -> bool:
        """Whether the order of the two matters."""
        return self.feeds(other) or overlap(self.reads, other.writes)

    def feeds(self, other: Touched) -> bool:
        """Whether another one must see what this one writes, or write after it."""
        return overlap(self.writes, other.writes) or overlap(self.writes, other.reads)


def touched(unit: Dma | ComputeUnit, registers: Registers) -> Touched:
    """Ranges of a launch."""
    match unit:
        case Dma():
            into = _whole(unit, registers, "dst", unit.target.name)
            if registers.get("fill", 0):
                return Touched((), (into,))
            return Touched((_whole(unit, registers, "src", unit.source.name),), (into,))
        case ComputeUnit():
            reads: list[Range] = []
            writes: list[Range] = []
            unit = unit.shaped(registers)
            for whole in unit.streams:
                if not unit.takes_part(whole.key, registers):
                    continue
                beats = expected_beats(unit, whole.key, registers)
                found = _hull(active(unit, whole.key, registers), registers, beats)
                (writes if whole.key == unit.output else reads).append(found)
            return Touched(tuple(reads), tuple(writes))


def _whole(dma: Dma, registers: Registers, side: str, memory: str) -> Range:
    """From the first to the last word of one side of a transfer; in all instances of a memory."""
    node = dma.source if side == "src" else dma.target
    found = dma.addresses(registers, side)
    found = found % node.size_bytes if node.per else found
    return (memory, int(found.min()), int(found.max()) + dma.word_bytes)


def _hull(stream: Stream, registers: Registers, beats: int) -> Range:
    """From the first to the last word of a stream."""
    bounds, strides = stream.nest(registers, beats)
    lane = registers[f"{stream.key}.lane_stride"] if stream.strided_lanes else 0
    word = registers[f"{stream.key}.word_stride"] if stream.strided_words else stream.word_bytes
    spans = [(b - 1) * s for b, s in zip(bounds, strides, strict=True)]
    lanes, words = stream.inside
    spans += [(lanes - 1) * lane, (words - 1) * word]
    first = registers[f"{stream.key}.base"] + sum(s for s in spans if s < 0)
    last = registers[f"{stream.key}.base"] + sum(s for s in spans if s > 0)
    return (stream.memory, first, last + stream.word_bytes)


def overlap(left: tuple[Range, ...], right: tuple[Range, ...]) -> bool:
    """Whether two sets of ranges have an address in common."""
    return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in left for b in right)
