"""The exchange of a tile with the memory outside its own, whatever memories these are.

In: a placement, the placement around it (None: its home off chip), where both tiles lie in the
tensor. Out: invocations of one transfer unit. Padding is written by the outermost transfer that can
fill; memories further in receive it with the tile.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from covenant.acg.control import ControlUnit
from covenant.acg.graph import Transfer
from covenant.core.diagnostics import Span, fail
from covenant.emit import dma
from covenant.emit.exchanges import Exchange, Part
from covenant.emit.hauls import Cutter, Haul
from covenant.emit.limits import Values
from covenant.emit.program import Address, Invocation
from covenant.emit.spread import Spread
from covenant.emit.transfers import Box, clip, held_parts, resident_box, unfillable
from covenant.emit.windows import window_loads, window_values
from covenant.mapper.mapping import Layout, Placement, Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import round_up


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the iteration space: first iteration and iterations of every dim."""

    origin: dict[str, int]
    size: dict[str, int]

    @property
    def key(self) -> tuple[int, ...]:
        """What tells it from other tiles of one grid."""
        return (*self.origin.values(), *self.size.values())


@dataclass(frozen=True, slots=True)
class Lies:
    """Where a tile lies: base address of its copy, buffer and slot for the registers' history."""

    base: int
    buffer: str
    slot: int = 0


@dataclass(slots=True)
class Mover:
    """Moves tiles of one placement one way. padded: the outer tile holds its padding too; fills:
    this transfer writes it. room: indices per axis that the tensor has, with those that fill packed
    blocks and the padding behind it."""

    placement: Placement
    operand: Operand
    transfer: Transfer
    unit: ControlUnit
    outer: Layout
    room: tuple[int, ...]
    off_chip: bool
    inward: bool
    padded: bool
    fills: bool
    innermost: bool
    word_bytes: int
    spread: Spread | None
    known: dict[tuple[int, ...], tuple[tuple[Haul, str], ...]] = field(default_factory=dict)
    cuts: dict[tuple[dma.Rows, Values], tuple[Haul, ...]] = field(default_factory=dict)
    """Launches of rows, relative to where these start."""
    made: dict[tuple[object, ...], list[Invocation]] = field(default_factory=dict)
    """Launches by what they move and where, with one origin."""

    def moves(
        self, tile: Tile, around: Tile, near: Lies, far: Lies, origin: str
    ) -> list[Invocation]:
        """Launches that move a tile to or from the place it has in the tile `around` it."""
        key = (*tile.key, *around.key)
        if key not in self.known:
            self.known[key] = tuple(self._hauls(tile, around))
        hauls = self.known[key]
        again = (hauls, near, far, origin)
        found = self.made.get(again)
        if found is None:
            found = self.made[again] = self._moved(hauls, near, far, origin)
        return found

    def _moved(
        self, hauls: tuple[tuple[Haul, str], ...], near: Lies, far: Lies, origin: str
    ) -> list[Invocation]:
        inner, outer = ("dst", "src") if self.inward else ("src", "dst")
        found = []
        for haul, verb in hauls:
            addresses = [Address(f"{inner}.base", near.base + haul.near, near.buffer, near.slot)]
            if verb != "fill":
                far_base = Address(f"{outer}.base", far.base + haul.far, far.buffer, far.slot)
                addresses.insert(0, far_base)
            text = f"{verb} {origin}"
            found.append(Invocation(self.unit.name, haul.values, tuple(addresses), origin=text))
        return found

    def _hauls(self, tile: Tile, around: Tile) -> list[tuple[Haul, str]]:
        box = resident_box(self.operand, tile.origin, tile.size)
        whole = resident_box(self.operand, around.origin, around.size)
        if self.off_chip:
            whole = tuple((0, n) for n in self.operand.shape)
        if self.spread is not None:
            return self._instances(self.spread, tile, box, whole)
        inside, outside = (box, ()) if self.padded else held_parts(self.operand, box)
        found = [(haul, "fill") for slab in outside for haul in self._fill(slab, box)]
        if any(count <= 0 for _, count in inside):
            return found
        if self.operand.source is not None:
            return [*found, *((haul, "load") for haul in self._windows(inside, box))]
        far = dma.Side(self.outer, _relative(inside, whole), 0)
        near = self._near(inside, box)
        counts = self._whole_beats(inside)
        room = tuple(n - first for n, (first, _) in zip(self.room, inside, strict=True))
        rows = dma.rows(far, near, counts, room, *self._grain())
        more: Values = (("fill", 0), ("line", 0))
        verb = "load" if self.inward else "store"
        cut = self._cut(rows, more)
        moved = [Haul(h.values, rows.far_base + h.far, rows.near_base + h.near) for h in cut]
        return [*found, *((haul, verb) for haul in moved)]

    def _whole_beats(self, inside: Box) -> tuple[int, ...]:
        """Elements per axis; of words of one element as many as beats of inputs need (blocks of
        several are moved whole anyway)."""
        counts = [count for _, count in inside]
        at, operand = self.operand.packed_axis, self.operand
        loaded = operand.role in (Role.INPUT, Role.CONSTANT) and not operand.record_bytes
        loaded = loaded and operand.source is None
        single = all(a.step == 1 for a in self.outer.axes if a.axis == at)
        if at >= 0 and operand.strided and loaded and single:
            whole = round_up(counts[at], operand.beat[-1][1])
            counts[at] = min(whole, self.room[at] - inside[at][0])
        return tuple(counts)

    def _near(self, part: Box, box: Box) -> dma.Side:
        return dma.Side(self.placement.layout, _relative(part, box), 0, self.operand.every)

    def _grain(self) -> tuple[int, int, Span]:
        cell = self.operand.record_bytes or self.operand.dtype.bytes
        return cell, self.word_bytes, self.transfer.span

    def _cut(self, rows: dma.Rows, more: Values) -> tuple[Haul, ...]:
        """Launches that move rows, which differ in where they start only for most tiles."""
        key = (replace(rows, far_base=0, near_base=0), more)
        found = self.cuts.get(key)
        if found is None:
            near, far = ("dst", "src") if self.inward else ("src", "dst")
            cutter = Cutter(self.unit, near, far, self.word_bytes)
            found = self.cuts[key] = cutter.cut(*key)
        return found

    def _instances(
        self, spread: Spread, tile: Tile, box: Box, whole: Box
    ) -> list[tuple[Haul, str]]:
        """What goes to or comes from the instances of a memory; those that nothing goes to are
        filled."""
        if not self.padded and clip(box, self.operand.shape)[1]:
            raise fail(
                "EMI002",
                f"operand '{self.operand.tensor}' is padded; '{self.transfer.name}' cannot pad "
                "what it sends to the instances of a memory",
                self.transfer.span,
                "bring it to another memory first, with a transfer that can `fill`",
            )
        at = self.operand.packed_axis
        room = self.room[at] - box[at][0] if at >= 0 else 1
        start = _relative(box, whole)
        exchange = Exchange(spread, self.outer)
        filled, moved = exchange.parts(start, tile.size, room, inward=self.inward)
        found: list[tuple[Haul, str]] = []
        if self.inward and filled:
            values = self._filling(spread.filler)
            found += [(h, "fill") for part in filled for h in self._part(part, values)]
        more: Values = (("fill", 0), ("line", 0))
        verb = "load" if self.inward else "store"
        return [*found, *((h, verb) for part in moved for h in self._part(part, more))]

    def _part(self, part: Part, more: Values) -> list[Haul]:
        rows = dma.strided_rows(part.far, part.near, part.steps, *self._grain())
        cut = self._cut(rows, more)
        return [Haul(h.values, rows.far_base + h.far, rows.near_base + h.near) for h in cut]

    def _filling(self, pad: int | None) -> Values:
        """Registers of a launch that writes a constant."""
        if self.unit.register("fill") is None or pad is None:
            need = "fill" if pad is not None else "fill with a value for every channel"
            raise fail(
                "EMI002",
                f"lanes of '{self.operand.port}' have no elements in the last tile, transfer "
                f"'{self.transfer.name}' cannot {need}",
                self.transfer.span,
                "add `fill` to its abilities and the registers fill and value to its units",
            )
        size = self.operand.dtype.bytes
        wide = self.unit.register("value_bytes") is not None
        if size > 1 and pad not in (0, -1) and not wide:
            raise fail(
                "EMI005",
                f"padding {pad} of {self.operand.dtype} is not one byte",
                self.transfer.span,
                f"give unit '{self.unit.name}' the register `value_bytes == {size}`",
            )
        if wide:
            return (("fill", 1), ("value", pad & (1 << 8 * size) - 1), ("value_bytes", size))
        return (("fill", 1), ("value", pad & 0xFF))

    def _fill(self, slab: Box, box: Box) -> list[Haul]:
        if not self.fills and self.innermost:
            raise unfillable(self.operand, self.transfer)
        if not self.fills:
            return []
        near = self._near(slab, box)
        far = near if self.operand.source is not None else dma.Side(self.outer, near.origin, 0)
        counts = self._whole_beats(slab)
        rows = dma.filled(far, near, counts, *self._grain())
        cut = self._cut(rows, self._filling(self.operand.pad or 0))
        return [Haul(h.values, 0, rows.near_base + h.near) for h in cut]

    def _windows(self, inside: Box, box: Box) -> list[Haul]:
        loops = self.transfer.loops
        found = window_loads(self.placement, self.operand, inside, box, self.word_bytes, loops)
        pad = self.operand.pad or 0
        return [
            Haul(window_values(self.unit, load, self.word_bytes, loops, pad), load.far, load.near)
            for load in found
        ]


def _relative(part: Box, whole: Box) -> tuple[int, ...]:
    return tuple(p[0] - w[0] for p, w in zip(part, whole, strict=True))
