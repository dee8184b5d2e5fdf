"""Launches of one group over tiles, with the exchange of the operands that only it uses.

In: a group, the places of its operands. Out: invocations. A group beside the main one has operands
that it alone loads or stores, whenever it runs over a tile of the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.emit import dma
from covenant.emit.constants import Payloads
from covenant.emit.groups import End, Group, summed
from covenant.emit.limits import Values
from covenant.emit.movers import Lies, Tile
from covenant.emit.nest import Index
from covenant.emit.places import Place
from covenant.emit.plan import DramPlan
from covenant.emit.program import Address, Invocation
from covenant.emit.settings import result, settings
from covenant.emit.shapes import Box, Piece, Shapes, Sums
from covenant.emit.transfers import resident_box
from covenant.mapper.mapping import Layout, Role
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.operands import Operand

Key = tuple[str, str]
"""Port and memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """Launches over a tile, and over all that lie as it does: quantities and addresses of each, and
    what the last one held."""

    launches: tuple[tuple[Values, tuple[Address, ...]], ...]
    held: tuple[object, ...]


@dataclass(slots=True)
class Run:
    """A group with its operands. inputs, outputs: places that it exchanges, outermost first; homes:
    off-chip address by port, for what it exchanges with that memory itself."""

    group: Group
    shapes: Shapes
    places: Mapping[Key, Place]
    homes: Mapping[str, tuple[int, Layout]]
    inputs: list[Place]
    outputs: list[Place]
    zeros: dict[str, int]
    """The first iteration of every dim."""
    dims: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Dims of what a stream carries, by port."""
    offsets: dict[tuple[str, Index, Index], int] = field(default_factory=dict)
    """Bytes from the start of a tile, by port, place in it and size."""
    holding: dict[int, tuple[Values, Values, Values]] = field(default_factory=dict)
    """By identity of the values of a launch: those of the stationary operand, all of them with
    `hold` 0, those of the others with `hold` 1."""
    held: tuple[object, ...] = ()
    """What the stationary operand of the last launch was."""
    rows: dict[tuple[object, ...], _Row] = field(default_factory=dict)
    """Launches over tiles, by where all operands lie."""
    stationary: tuple[Operand, tuple[str, ...]] | None = None
    brief: bool = False
    """Whether origins say where in its tile a launch lies, so that launches of equal tiles are
    equal: where loops repeat them."""
    repeated: dict[tuple[object, ...], list[Invocation]] = field(default_factory=dict)
    """Launches of a tile, by all that they depend on."""
    holds: bool = field(init=False)
    """Whether launches can leave the stationary operand as it is."""

    def __post_init__(self) -> None:
        self.holds = self.group.unit.register("hold") is not None

    def over(self, tile: Tile, sums: Sums) -> Iterator[Invocation]:
        """Launches over a tile, and exchanges of operands of its own that are due."""
        for part in self._parts(tile):
            for place in self.inputs:
                yield from self.load(place, part.origin)
            for place in reversed(self.outputs):  # from inner memories to outer ones
                if place.tile is not None and place.around(part.origin) != place.tile:
                    yield from self.store(place)
            for place in self.outputs:
                place.turn(part.origin)
            yield from self._again(part, sums, lambda piece: sums)
            for place in self.outputs:
                place.written = place.written or not sums.raw

    def adding(
        self, tile: Tile, reduced: tuple[str, ...], *, started: bool
    ) -> Iterator[Invocation]:
        """Launches of a group that adds to sums in a memory; those that come first overwrite what
        lies there, unless it has a value already."""
        if self.brief and not self.holds:
            begins = not started and all(tile.origin[d] == 0 for d in reduced)

            def sums(piece: Piece) -> Sums:
                return Sums(resumes=not begins or any(piece.origin[d] for d in reduced))

            yield from self._again(tile, Sums(resumes=True), sums, begins)
            return
        pieces = self.shapes.pieces(tile.size, Sums(resumes=True))
        key = self._alike(tile, () if started else reduced)
        row = self.rows.get(key) if key else None
        made: list[Invocation] = []
        for number, piece in enumerate(pieces):
            if row is None or not number:  # the first one may hold what another tile left
                first = all(tile.origin[d] + piece.origin[d] == 0 for d in reduced)
                made.append(self._launch(tile, piece, Sums(resumes=started or not first)))
            else:
                named = piece.origin if self.brief else self._origin(tile, piece)
                made.append(self._invocation(named, *row.launches[number]))
        if row is not None and row.held:
            operand, _ = self._stationary()
            self.held = (self.places[operand.port, operand.memory].exchanges, *row.held[1:])
        elif row is not None and len(pieces) > 1:
            self.held = ()
        elif row is None and key:
            self.rows[key] = _Row(tuple((i.quantities, i.addresses) for i in made), self.held)
        yield from made

    def _alike(self, tile: Tile, reduced: tuple[str, ...]) -> tuple[object, ...]:
        """What launches over a tile depend on, but what was held before; () where an operand lies
        off chip."""
        ends = (*self.group.ends, *([self.group.sums] if self.group.sums else []))
        found: list[object] = [tuple(tile.size.values()), *(tile.origin[d] == 0 for d in reduced)]
        for end in ends:
            place = self.places.get((end.operand.port, end.operand.memory))
            if place is None or place.tile is None:
                return ()
            first = place.tile.origin
            found += [place.lies, *(tile.origin[d] - first[d] for d in end.operand.dims)]
        return tuple(found)

    def _again(
        self, tile: Tile, whole: Sums, each: Callable[[Piece], Sums], begins: bool = False
    ) -> list[Invocation]:
        """Launches over a tile; those of an equal tile that lies equally in all places are equal.
        each: how a piece takes part in sums, which follows from `whole` and `begins`."""
        key = self._key(tile, whole, begins)
        found = self.repeated.get(key) if key else None
        if found is None:
            pieces = self.shapes.pieces(tile.size, whole)
            found = [self._launch(tile, piece, each(piece)) for piece in pieces]
            if key:
                self.repeated[key] = found
        return found

    def _key(self, tile: Tile, whole: Sums, begins: bool) -> tuple[object, ...]:
        """All that the launches of a tile depend on; () where that is more than where it lies."""
        if not self.brief or self.holds or self.homes.keys() & self._ports:
            return ()
        lying: list[object] = []
        for place in self.places.values():
            if place.tile is not None:
                first = place.tile.origin
                lying.append((place.slot, *[tile.origin[d] - first[d] for d in first]))
        return (*tile.size.values(), whole, begins, *lying)

    @property
    def _ports(self) -> set[str]:
        """Ports that it streams from or to the off-chip memory itself."""
        on_chip = {port for port, _ in self.places}
        ends = (*self.group.ends, *([self.group.sums] if self.group.sums else []))
        return {e.operand.port for e in ends} - on_chip

    def load(self, place: Place, origin: dict[str, int]) -> Iterator[Invocation]:
        """The exchange of an input, when its tile is another one that has not come already."""
        if place.turn(origin):
            came, place.coming = place.coming, None
            if came != place.tile:
                yield from self.fetch(place)

    def prefetch(self, place: Place, origin: dict[str, int]) -> Iterator[Invocation]:
        """Bring the tile that comes next into the next copy, if the one around it is there."""
        wanted, outside = place.around(origin), place.outside(origin)
        if wanted == place.tile or place.fetch is None or outside is None:
            return
        place.coming = wanted
        around, far = outside
        text = self._text(place)
        yield from place.fetch.moves(wanted, around, place.lies_next, far, text)

    def fetch(self, place: Place) -> Iterator[Invocation]:
        """Bring the present tile of a place in."""
        assert place.tile is not None
        assert place.fetch is not None
        around, far = place.lies_outside
        yield from place.fetch.moves(place.tile, around, place.lies, far, self._text(place))

    def give(self, place: Place) -> Iterator[Invocation]:
        """Take the present tile of a place out."""
        assert place.tile is not None
        assert place.give is not None
        around, far = place.lies_outside
        yield from place.give.moves(place.tile, around, place.lies, far, self._text(place))

    def _text(self, place: Place) -> str:
        """What a transfer moves, for people."""
        return place.placement.port if self.brief else place.text

    def store(self, place: Place) -> Iterator[Invocation]:
        """Take results out, when there are any."""
        if place.written and place.give is not None:
            yield from self.give(place)
            if place.outer is not None:
                place.outer.written = True
        place.written = False

    def flushed(self) -> Iterator[Invocation]:
        """Results that are still on chip after the last iteration, inner memories first."""
        for place in reversed(self.outputs):
            yield from self.store(place)

    def _parts(self, tile: Tile) -> Iterator[Tile]:
        """The tile cut along the grids of all operands of the group, in an order in which results
        fill one tile after the other."""
        steps: dict[str, int] = {}
        for place in (*self.inputs, *self.outputs):
            for dim, step in place.grid.items():
                steps[dim] = min(step, steps.get(dim, step))
        cuts = []
        for dim, first in tile.origin.items():
            end, step = first + tile.size[dim], steps.get(dim, 0)
            starts = [first]
            if step:
                starts += range((first // step + 1) * step, end, step)
            ends = [*starts[1:], end]
            cuts.append([(dim, a, b - a) for a, b in zip(starts, ends, strict=True)])
        parts = [
            Tile({d: a for d, a, _ in chosen}, {d: n for d, _, n in chosen})
            for chosen in product(*cuts)
        ]
        yield from sorted(parts, key=self._turns)

    def _turns(self, part: Tile) -> tuple[int, ...]:
        """Number of a part's tile in every place of results, outer ones first: they are left once
        only."""
        return tuple(
            part.origin[d] // step for place in self.outputs for d, step in place.grid.items()
        )

    def _launch(self, tile: Tile, piece: Piece, sums: Sums) -> Invocation:
        values = self.shapes.values(piece.size, sums)
        assert values is not None
        origin = self._origin(tile, piece)
        ends = self.shapes.streams(sums)
        addresses: dict[str, Address] = {}
        for end in ends:
            found = self._address(end, origin, piece.size)
            addresses.setdefault(found.quantity, found)
        values = self._holding(values, piece, addresses)
        held = ("hold", 1) in values
        kept = f"{self.group.stationary}.base"
        written = tuple(a for q, a in addresses.items() if not (held and q == kept))
        return self._invocation(piece.origin if self.brief else origin, values, written)

    @staticmethod
    def _origin(tile: Tile, piece: Piece) -> dict[str, int]:
        return {d: first + piece.origin[d] for d, first in tile.origin.items()}

    def _invocation(
        self, origin: Mapping[str, int], values: Values, addresses: tuple[Address, ...]
    ) -> Invocation:
        where = " ".join([f"{d}={origin[d]}" for d in self.group.order if origin[d]])
        text = f"{self.group.capability.name} [{where}]"
        return Invocation(self.group.unit.name, values, addresses, origin=text)

    def _holding(self, values: Values, piece: Piece, addresses: Mapping[str, Address]) -> Values:
        """The values with `hold`: 1 where the stationary operand is that of the launch before."""
        port = self.group.stationary
        if not self.holds or f"{port}.base" not in addresses:
            return values
        known = self.holding.get(id(values))
        if known is None:
            own = tuple(v for v in values if v[0].startswith(f"{port}."))
            rest = tuple(v for v in values if v not in own)
            known = (own, (*values, ("hold", 0)), (*rest, ("hold", 1)))
            self.holding[id(values)] = known
        operand, dims = self._stationary()
        one = all(piece.size[d] <= self.group.extents[d] for d in dims)
        place = self.places.get((operand.port, operand.memory))
        number = place.exchanges if place is not None else 0
        now = (number, addresses[f"{port}.base"].value, known[0]) if one else ()
        same = bool(now) and now == self.held
        self.held = now
        return known[2] if same else known[1]

    def _stationary(self) -> tuple[Operand, tuple[str, ...]]:
        """The operand that stays for the next launch, and its dims."""
        if self.stationary is None:
            port = self.group.stationary
            operand = next(e.operand for e in self.group.ends if e.prefix == port)
            self.stationary = operand, operand.dims
        return self.stationary

    def _address(self, end: End, origin: dict[str, int], size: Box) -> Address:
        """Where a stream starts for a box of iterations."""
        operand = end.operand
        place = self.places.get((operand.port, operand.memory))
        if place is None:
            base, layout = self.homes[operand.port]
            lies, first = Lies(base, f"{operand.port} home"), self.zeros
        else:
            assert place.tile is not None
            lies, layout, first = place.lies, place.placement.layout, place.tile.origin
        dims = self.dims.get(operand.port) or self.dims.setdefault(operand.port, operand.dims)
        moved = tuple([origin[d] - first[d] for d in dims])
        key = (operand.port, moved, tuple([size[d] for d in dims]))
        offset = self.offsets.get(key)
        if offset is None:
            at = resident_box(operand, origin, dict(size))
            whole = resident_box(operand, first, place.tile.size) if place and place.tile else ()
            index = [low for low, _ in at]
            if whole:
                index = [a - w for a, (w, _) in zip(index, whole, strict=True)]
            if place is not None and place.spread is not None:
                offset = place.spread.offset(dict(zip(dims, moved, strict=True)))
            else:
                offset = dma.offset(layout, tuple(index))
            self.offsets[key] = offset
        return Address(f"{end.prefix}.base", lies.base + offset, lies.buffer, lies.slot)


def run_of(
    group: Group,
    mapping: LayerMapping,
    codelet: Codelet,
    acg: Acg,
    regions: DramPlan,
    chains: Mapping[str, list[Place]],
    payloads: Payloads | None,
    *,
    brief: bool = False,
) -> Run:
    """The run of a group; `chains`: on-chip places by port."""
    ends = [e.operand for e in (*group.ends, *([group.sums] if group.sums else []))]
    places = {
        (port, p.placement.memory): p
        for port in dict.fromkeys(o.port for o in ends)
        for p in chains[port]
    }
    off_chip = {m.name for m in acg.off_chip}
    homes = {
        p.port: (regions.address(p.port), p.home)
        for p in mapping.placements
        if p.memory in off_chip
    }
    layouts = {key: place.placement.layout for key, place in places.items()}
    layouts |= {(p.port, p.memory): p.home for p in mapping.placements if p.memory in off_chip}
    own = [p for p in places.values() if p.placement.role is not Role.PARTIAL]
    shapes = Shapes(
        group,
        mapping,
        codelet,
        acg,
        layouts,
        settings(group, mapping, acg, payloads),
        result(group, mapping, acg),
        summed(codelet, mapping),
        {key: place.spread for key, place in places.items() if place.spread is not None},
    )
    outputs = [p for p in own if p.placement.role is Role.OUTPUT]
    inputs = [p for p in own if p not in outputs]
    zeros = dict.fromkeys(codelet.extents, 0)
    return Run(group, shapes, places, homes, inputs, outputs, zeros, brief=brief)
