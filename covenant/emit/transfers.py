"""Invocations of DMA units: the exchange of one resident tile with its home off chip.

In: a placement, its operand, the loop nest. Out: invocations, fills of padding first, then what is
read. Channels are given out by port so that ports do not queue behind each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from covenant.acg.control import ControlUnit
from covenant.acg.graph import Transfer
from covenant.core.diagnostics import CovenantError, Span, fail
from covenant.emit import dma
from covenant.emit.nest import Index, Nest
from covenant.emit.program import Address, Invocation
from covenant.emit.windows import window_loads, window_values
from covenant.mapper.mapping import Placement
from covenant.mapper.operands import Operand

Box = tuple[tuple[int, int], ...]
"""(first index, count) per axis."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One launch with its on-chip address relative to the copy."""

    quantities: tuple[tuple[str, int], ...]
    far: int | None
    near: int
    origin: str


@dataclass(slots=True)
class Exchanger:
    """Loads or stores the resident tile of one placement through one unit."""

    placement: Placement
    operand: Operand
    nest: Nest
    transfer: Transfer
    unit: ControlUnit
    home: int
    word_bytes: int
    watched: tuple[int, ...]
    known: dict[Index, tuple[_Piece, ...]] = field(default_factory=dict)
    shared: dict[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]] = field(
        default_factory=dict
    )

    @property
    def loads(self) -> bool:
        """True when data moves on chip."""
        return self.transfer.target == self.placement.memory

    def exchange(
        self, index: Index, slot: int, waits: tuple[str, ...], posts: tuple[str, ...]
    ) -> list[Invocation]:
        """Invocations for the tile resident at `index`; the first waits, the last posts."""
        key = tuple(index[i] for i in self.watched)
        pieces = self.known.get(key)
        if pieces is None:
            pieces = self.known[key] = tuple(self._pieces(index))
        last = len(pieces) - 1
        return [
            Invocation(
                self.unit.name,
                piece.quantities,
                self._addresses(piece, slot),
                waits if i == 0 else (),
                posts if i == last else (),
                piece.origin,
            )
            for i, piece in enumerate(pieces)
        ]

    def _addresses(self, piece: _Piece, slot: int) -> tuple[Address, ...]:
        port = self.placement.port
        near = piece.near + self.placement.addresses[slot]
        sides = ("src", "dst") if self.loads else ("dst", "src")
        on_chip = Address(f"{sides[1]}.base", near, port, slot)
        if piece.far is None:
            return (on_chip,)
        return (Address(f"{sides[0]}.base", piece.far, f"{port} home"), on_chip)

    def _pieces(self, index: Index) -> Iterable[_Piece]:
        origin, size = self.nest.tile(index, self.watched)
        box = resident_box(self.operand, origin, size)
        inside, outside = held_parts(self.operand, box)
        names = " ".join(
            f"{self.nest.loops[i].dim}={origin[self.nest.loops[i].dim]}" for i in self.watched
        )
        tile = f"{self.placement.port} [{names}]" if names else self.placement.port
        for slab in outside:
            far, near = self._sides(slab, box)
            far = near if self.operand.source is not None else far
            counts = tuple(count for _, count in slab)
            for piece in dma.fill(near, far, counts, *self._shape()):
                yield _Piece(self._filled(piece), None, piece.near_base, f"fill {tile}")
        if any(count <= 0 for _, count in inside):
            return
        if self.operand.source is not None:
            yield from self._windows(inside, box, tile)
        else:
            far, near = self._sides(inside, box)
            counts = tuple(count for _, count in inside)
            verb = "load" if self.loads else "store"
            for piece in dma.move(far, near, counts, *self._shape()):
                quantities = self._quantities(piece)
                yield _Piece(quantities, piece.far_base, piece.near_base, f"{verb} {tile}")

    def _windows(self, inside: Box, box: Box, tile: str) -> Iterable[_Piece]:
        """The part of a tile that has lines in the tensor, row by row of overlapping windows."""
        loops = self.transfer.loops
        pad = self.operand.pad or 0
        found = window_loads(self.placement, self.operand, inside, box, self.word_bytes, loops)
        for load in found:
            values = window_values(self.unit, load, self.word_bytes, loops, pad)
            yield _Piece(self._interned([*values]), self.home + load.far, load.near, f"load {tile}")

    def _shape(self) -> tuple[int, int, int, Span]:
        """cell bytes, word bytes, loops, span."""
        cell = self.operand.record_bytes or self.operand.dtype.bytes
        return cell, self.word_bytes, self.transfer.loops, self.transfer.span

    def _sides(self, part: Box, whole: Box) -> tuple[dma.Side, dma.Side]:
        far = dma.Side(self.placement.home, tuple(first for first, _ in part), self.home)
        relative = tuple(p[0] - w[0] for p, w in zip(part, whole, strict=True))
        return far, dma.Side(self.placement.layout, relative, 0, self.operand.every)

    def _quantities(self, piece: dma.Descriptor) -> tuple[tuple[str, int], ...]:
        far, near = ("src", "dst") if self.loads else ("dst", "src")
        values = [("run", piece.run), *self._word_stride(near, piece)]
        for i in range(self.transfer.loops):
            used = i < len(piece.bounds)
            values.append((f"bound[{i}]", piece.bounds[i] if used else 1))
            if used:
                values.append((f"{far}.stride[{i}]", piece.far_strides[i]))
                values.append((f"{near}.stride[{i}]", piece.near_strides[i]))
        if self.unit.register("fill") is not None:
            values.append(("fill", 0))
        if self.unit.register("line") is not None:
            values.append(("line", 0))
        return self._interned(values)

    def _filled(self, piece: dma.Descriptor) -> tuple[tuple[str, int], ...]:
        if self.unit.register("fill") is None:
            raise unfillable(self.operand, self.transfer)
        pad = self.operand.pad or 0
        if self.operand.dtype.bytes > 1 and pad not in (0, -1):
            raise fail(
                "EMI005",
                f"padding {pad} of {self.operand.dtype} is not one byte",
                self.transfer.span,
            )
        values = [("run", piece.run), *self._word_stride("dst", piece)]
        for i in range(self.transfer.loops):
            used = i < len(piece.bounds)
            values.append((f"bound[{i}]", piece.bounds[i] if used else 1))
            if used:
                values.append((f"dst.stride[{i}]", piece.near_strides[i]))
        return self._interned([*values, ("fill", 1), ("value", pad & 0xFF)])

    def _word_stride(self, near: str, piece: dma.Descriptor) -> list[tuple[str, int]]:
        if self.unit.register(f"{near}.word_stride") is not None:
            return [(f"{near}.word_stride", piece.near_word_stride)]
        if piece.near_word_stride != self.word_bytes:
            raise fail(
                "EMI005",
                f"words of '{self.operand.tensor}' are {piece.near_word_stride} bytes apart "
                f"on chip, unit '{self.unit.name}' has no register for that",
                self.unit.span,
            )
        return []

    def _interned(self, values: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        key = tuple(values)
        return self.shared.setdefault(key, key)


def unfillable(operand: Operand, transfer: Transfer) -> CovenantError:
    """What to raise when an operand is padded and its transfer cannot write a constant."""
    return fail(
        "EMI002",
        f"operand '{operand.tensor}' is padded, transfer '{transfer.name}' cannot fill",
        transfer.span,
        "add `fill` to its abilities and the registers fill and value to its units",
    )


def resident_box(operand: Operand, origin: dict[str, int], size: dict[str, int]) -> Box:
    """The indices a tile touches, axis by axis, halo and padding included."""
    box = []
    for axis in operand.indices:
        low = axis.constant + sum(
            c * (origin[d] if c > 0 else origin[d] + size[d] - 1) for d, c in axis.terms
        )
        box.append((low, axis.span(size)))
    return tuple(box)


def held_parts(operand: Operand, box: Box) -> tuple[Box, tuple[Box, ...]]:
    """The part of a tile inside the tensor, and disjoint slabs that cover the rest, each from the
    first to the last position that the tile holds; slabs of none are left out."""
    inside, slabs = clip(box, operand.shape)
    found = [
        tuple(
            _held(operand.spacing(axis), low, own)
            for axis, (own, (low, _)) in enumerate(zip(part, box, strict=True))
        )
        for part in (inside, *slabs)
    ]
    return found[0], tuple(s for s in found[1:] if all(count > 0 for _, count in s))


def _held(every: int, low: int, part: tuple[int, int]) -> tuple[int, int]:
    """First index and count of a part of an axis of which a tile that begins at `low` holds one of
    `every` positions."""
    first, count = part
    start = first + (low - first) % every
    held = -(-(first + count - start) // every)
    return start, max(0, (held - 1) * every + 1)


def clip(box: Box, shape: tuple[int, ...]) -> tuple[Box, tuple[Box, ...]]:
    """The part of a box inside the tensor, and disjoint slabs that cover the rest."""
    inside = list(box)
    slabs: list[Box] = []
    for axis, ((first, count), extent) in enumerate(zip(box, shape, strict=True)):
        end = first + count
        low, high = min(max(first, 0), end), max(min(end, extent), first)
        high = max(high, low)
        for start, stop in ((first, low), (high, end)):
            if stop > start:
                slabs.append((*inside[:axis], (start, stop - start), *box[axis + 1 :]))
        inside[axis] = (low, high - low)
        if high == low:
            break
    return tuple(inside), tuple(slabs)
