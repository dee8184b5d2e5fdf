"""Buffers during the walk of a nest: which tile each holds, in which copy, and how it is exchanged.

In: placements of a mapping with their loops. Out: `Place`s, outermost first per port, and the
movers between neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Transfer
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import fail
from covenant.emit.constants import zero_point
from covenant.emit.movers import Lies, Mover, Tile
from covenant.emit.packing import capacity
from covenant.emit.plan import DramPlan
from covenant.emit.spread import Spread, spread_of
from covenant.mapper.mapping import Mapping, Placement, Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import granule
from covenant.mapper.sites import SUMS


@dataclass(slots=True)
class Place:
    """A buffer. grid: tile of every dim that loops outside it split; extents: of all dims of the
    operand; outer: the place its tiles come from, None for the off-chip memory; spread: how a tile
    lies over the instances of a memory that has several."""

    placement: Placement
    operand: Operand
    grid: dict[str, int]
    extents: dict[str, int]
    outer: Place | None
    home: int
    fetch: Mover | None
    give: Mover | None
    spread: Spread | None = None
    tile: Tile | None = None
    exchanges: int = 0
    written: bool = False
    """Whether its tile has results that are not stored yet."""
    coming: Tile | None = None
    """The tile that the next copy holds already, or is being filled with."""
    looked: int = -1
    """Exchanges when it was last looked for a tile to come."""

    @property
    def slot(self) -> int:
        """Copy in use."""
        return max(0, self.exchanges - 1) % self.placement.copies

    def around(self, origin: dict[str, int]) -> Tile:
        """The tile that holds these iterations."""
        first, size = {}, {}
        for dim, extent in self.extents.items():
            step = self.grid.get(dim, extent)
            first[dim] = origin[dim] // step * step
            size[dim] = min(step, extent - first[dim])
        return Tile(first, size)

    def turn(self, origin: dict[str, int]) -> bool:
        """Take the next copy if these iterations lie in another tile; whether they do."""
        wanted = self.around(origin)
        if self.tile == wanted:
            return False
        self.tile = wanted
        self.exchanges += 1
        return True

    @property
    def lies(self) -> Lies:
        """Where the present tile lies."""
        address = self.placement.addresses[self.slot]
        return Lies(address, f"{self.placement.port}@{self.placement.memory}", self.slot)

    @property
    def lies_next(self) -> Lies:
        """Where the tile after the present one will lie."""
        slot = self.exchanges % self.placement.copies
        address = self.placement.addresses[slot]
        return Lies(address, f"{self.placement.port}@{self.placement.memory}", slot)

    @property
    def lies_outside(self) -> tuple[Tile, Lies]:
        """The tile around the present one, and where that lies."""
        if self.outer is not None:
            assert self.outer.tile is not None
            return self.outer.tile, self.outer.lies
        whole = Tile(dict.fromkeys(self.extents, 0), dict(self.extents))
        return whole, Lies(self.home, f"{self.placement.port} home")

    def outside(self, origin: dict[str, int]) -> tuple[Tile, Lies] | None:
        """The tile around the one of these iterations, and where that lies; None where it is not
        there yet."""
        if self.outer is None or self.outer.around(origin) == self.outer.tile:
            return self.lies_outside
        if self.outer.around(origin) == self.outer.coming:
            return self.outer.coming, self.outer.lies_next
        return None

    @property
    def text(self) -> str:
        """Port and tile, for people."""
        assert self.tile is not None
        names = " ".join(f"{d}={self.tile.origin[d]}" for d in self.grid)
        label = self.placement.port
        return f"{label} [{names}]" if names else label


@dataclass(slots=True)
class Builder:
    """Makes the places of a mapping; loads are spread over the channels of a transfer."""

    mapping: Mapping
    codelet: Codelet
    acg: Acg
    control: Control
    regions: DramPlan
    extents: dict[str, int]
    used: dict[str, int] = field(default_factory=dict)

    def chain(self, operand: Operand, *, loads: bool, stores: bool) -> list[Place]:
        """The on-chip places of an operand, outermost first."""
        off_chip = {m.name for m in self.acg.off_chip}
        own = [
            p
            for p in self.mapping.placements
            if p.port == operand.port and p.memory not in off_chip
        ]
        found: list[Place] = []
        padded = False
        for placement in own:
            outer = found[-1] if found else None
            home = next((p for p in self.mapping.placements if p.port == operand.port), placement)
            leaves = outer is not None or bool(home.home.bytes)
            grid = self._grid(operand, placement)
            place = Place(
                placement,
                operand,
                grid,
                {d: self.extents[d] for d in operand.dims},
                outer,
                self.regions.address(operand.port) if home.home.bytes else 0,
                None,
                None,
                self._spread(operand, placement, grid),
            )
            last = placement is own[-1]
            if loads and leaves:
                place.fetch = self._mover(place, home, inward=True, padded=padded, last=last)
                padded = padded or place.fetch.fills
            if stores and leaves:
                place.give = self._mover(place, home, inward=False, padded=True, last=last)
            found.append(place)
        return found

    def _grid(self, operand: Operand, placement: Placement) -> dict[str, int]:
        levels = self.mapping.levels
        loops = [loop for level in levels[: placement.level] for loop in level.loops]
        loops += levels[placement.level].loops[: placement.cut]
        return {x.dim: x.tile for x in loops if x.dim in operand.dims and x.trips > 1}

    def _spread(
        self, operand: Operand, placement: Placement, grid: dict[str, int]
    ) -> Spread | None:
        whole = {d: grid.get(d, self.extents[d]) for d in operand.dims}
        zero = zero_point(placement, self.mapping, self.acg)
        filler = zero if isinstance(zero, int) else None
        return spread_of(operand, placement, whole, self.mapping, self.codelet, self.acg, filler)

    def _mover(
        self, place: Place, home: Placement, *, inward: bool, padded: bool, last: bool
    ) -> Mover:
        outer = place.outer
        transfer = self._transfer(place, inward=inward)
        unit = self._channel(transfer)
        return Mover(
            place.placement,
            place.operand,
            transfer,
            unit,
            outer.placement.layout if outer else home.home,
            self._room(place.operand, home, padded=padded),
            off_chip=outer is None,
            inward=inward,
            padded=padded,
            fills=unit.register("fill") is not None,
            innermost=last,
            spread=place.spread,
            word_bytes=transfer.granule,
        )

    def _room(self, operand: Operand, home: Placement, *, padded: bool) -> tuple[int, ...]:
        """Indices per axis; behind the end of a padded one lies what the outer tile holds."""
        axes = len(operand.indices)
        if home.home.bytes and operand.source is None:
            found = capacity(home.home, axes)
        else:
            whole = granule(operand, self.acg.memory(operand.memory).word_bytes)
            at = operand.packed_axis
            found = tuple(
                -(-n // whole) * whole if i == at else n for i, n in enumerate(operand.shape)
            )
        spans = [axis.span(self.extents) + axis.constant for axis in operand.indices]
        ends = zip(found, spans, strict=True)
        return tuple(max(n, end) if padded else n for n, end in ends)

    def _transfer(self, place: Place, *, inward: bool) -> Transfer:
        inner, outer = place.placement.memory, place.outer
        sums = place.placement.role is Role.PARTIAL
        ends = [outer.placement.memory] if outer else [m.name for m in self.acg.off_chip]
        ways = [
            t
            for end in ends
            for t in (self.acg.between(end, inner) if inward else self.acg.between(inner, end))
            if self.control.units_of(t.name)
        ]
        if sums and outer is None:
            ways = [t for t in ways if SUMS in t.abilities] or ways
        if not ways:
            raise fail(
                "EMI002",
                f"no unit {'fills' if inward else 'empties'} memory '{inner}'",
                self.control.span,
            )
        return ways[0]

    def _channel(self, transfer: Transfer) -> ControlUnit:
        units = self.control.units_of(transfer.name)
        before = self.used.get(transfer.name, 0)
        self.used[transfer.name] = before + 1
        return units[before % len(units)]
