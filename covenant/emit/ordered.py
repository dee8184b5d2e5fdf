"""Lowering for machines whose launches take effect in program order.

In: a mapping, its codelet, the architecture, where tensors lie off chip, values of constants that
registers hold. Out: invocations, one list per iteration of the loop nest: loads that are due, outer
memories first; what gives new partial sums their first value, or brings old ones back; the launches
of the tile; what becomes of finished results and of sums that make room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from covenant.acg.control import Control
from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.emit.constants import Payloads
from covenant.emit.groups import Group, groups_of, main_group, summed
from covenant.emit.movers import Tile
from covenant.emit.nest import Index, Nest
from covenant.emit.places import Builder, Place
from covenant.emit.plan import DramPlan
from covenant.emit.program import Invocation
from covenant.emit.regions import bound_form
from covenant.emit.runs import Run, run_of
from covenant.emit.shapes import Sums
from covenant.mapper.mapping import Mapping, Role
from covenant.mapper.operands import operands
from covenant.mapper.streams import binding_of


@dataclass(slots=True)
class Ordered:
    """A mapping on a machine in program order; walk it once."""

    mapping: Mapping
    codelet: Codelet
    acg: Acg
    control: Control
    regions: DramPlan
    payloads: Payloads | None
    nest: Nest = field(init=False)
    reduced: tuple[str, ...] = field(init=False)
    main: Run = field(init=False)
    before: list[Run] = field(init=False)
    after: list[Run] = field(init=False)
    sums: list[Place] = field(init=False)
    inputs: list[Place] = field(init=False)
    outputs: list[Place] = field(init=False)
    advanced: list[int] = field(default_factory=list)
    """Before every block walked so far: the outermost loop that advanced, -1 for none."""
    tiles: list[str] = field(default_factory=list)
    """Of every block walked so far where origins are brief: its tile."""

    def __post_init__(self) -> None:
        fused = fuse(self.codelet, self.mapping.fused)
        loops = tuple(loop for level in self.mapping.levels for loop in level.loops)
        self.nest = Nest(loops, fused.extents)
        self.reduced = summed(fused, self.mapping)
        groups = groups_of(self.mapping, fused, self.acg, self.control)
        at = main_group(groups, bound_form(self.mapping, self.codelet))
        build = Builder(
            self.mapping, fused, self.acg, self.control, self.regions, dict(fused.extents)
        )
        chains: dict[str, list[Place]] = {}
        for operand in operands(fused, self.acg, binding_of(self.mapping)):
            sums, out = operand.role is Role.PARTIAL, operand.role is Role.OUTPUT
            chains[operand.port] = build.chain(operand, loads=not out, stores=out or sums)
        partial = [p for p in chains if any(x.placement.role is Role.PARTIAL for x in chains[p])]
        self.sums = [place for port in partial for place in chains[port]]

        def run(group: Group) -> Run:
            given = (group, self.mapping, fused, self.acg, self.regions, chains, self.payloads)
            return run_of(*given, brief=bool(self.control.loop_depth))

        self.before = [run(g) for g in groups[:at]]
        self.after = [run(g) for g in groups[at + 1 :]]
        self.main = run(groups[at])
        self.inputs, self.outputs = self.main.inputs, self.main.outputs

    def blocks(self) -> Iterator[list[Invocation]]:
        """One list of invocations per iteration. What another copy of a buffer has room for stands
        among launches: loads of the next tile, results of the last one. Queues are short, and what
        comes after many launches would wait for most of them."""
        steps = self.nest.iterations()
        here = next(steps, None)
        loads = list(self._loads(self._tile(here[1]))) if here else []
        late: list[Invocation] = []
        while here is not None:
            following = next(steps, None)
            tile = self._tile(here[1])
            ahead = self._tile(following[1]) if following else None
            first = list(self._prefetched(here[1], self.inputs))
            begun, launches = list(self._begun(tile)), list(self._launches(tile))
            ended = list(self._ended(tile, ahead))
            early = ahead is not None and self._has_room(ahead)
            follows = list(self._loads(ahead)) if ahead else []
            passed_on = [p for p in self.inputs if any(o.outer is p for o in self.inputs)]
            first += self._prefetched(following[1], passed_on) if following else []
            among = spread(launches, late, follows if early else [])
            waits = self._may_wait(tile)
            self.advanced.append(here[0])
            self.tiles.append(_named(tile))
            yield [*loads, *first, *begun, *among, *([] if waits else ended)]
            late, loads = ended if waits else [], [] if early else follows
            here = following
        self.advanced.append(-1)
        self.tiles.append("")
        yield [*late, *(x for run in (*self.before, *self.after) for x in run.flushed())]

    def _prefetched(self, index: Index, places: list[Place]) -> Iterator[Invocation]:
        """Loads of tiles that come next, as soon as the copy for them is free: the iteration before
        would be too late. Behind the loads of an iteration the copy is free only where inner
        memories have passed on what its launches need."""
        for place in places:
            if place.placement.copies < 2 or place.coming is not None:
                continue
            level = self._watched(place)
            if place.looked == place.exchanges or not self._is_early(place, level):
                continue
            place.looked = place.exchanges
            following = self.nest.following(index, level) if level >= 0 else None
            if following is not None and self.nest.exists(following):
                yield from self.main.prefetch(place, self._tile(following).origin)

    def _is_early(self, place: Place, level: int) -> bool:
        """Whether the next tile may be loaded long before it is needed: inner memories take the
        present one on, or it lasts for many iterations and nothing that does not needs its unit."""
        if any(other.outer is place for other in self.inputs):
            return place.outer is None or self._is_alone(place, level)
        return level < len(self.nest.loops) - 1 and self._is_alone(place, level)

    def _is_alone(self, place: Place, level: int) -> bool:
        """Whether its unit loads nothing that changes more often."""
        assert place.fetch is not None
        own = place.fetch.unit.name
        others = (o for o in self.inputs if o.fetch is not None and o.fetch.unit.name == own)
        return all(self._watched(other) <= level for other in others)

    def _watched(self, place: Place) -> int:
        """The innermost loop that changes the tile of a place, -1 for none."""
        found = [
            i
            for i, loop in enumerate(self.nest.loops)
            if loop.trips > 1 and loop.tile >= place.grid.get(loop.dim, 1 << 62)
        ]
        return max(found, default=-1)

    def _has_room(self, ahead: Tile) -> bool:
        """Whether the inputs of the next tile can come in while the present ones are in use."""
        turning = (p for p in self.inputs if p.around(ahead.origin) not in (p.tile, p.coming))
        return all(place.placement.copies > 1 for place in turning)

    def _may_wait(self, tile: Tile) -> bool:
        """Whether what ends with a tile reads finished sums alone, and the next ones lie in another
        copy."""
        if self.outputs or len(self.sums) != 1 or not self._complete(tile):
            return False
        return bool(self.after) and self.sums[0].placement.copies > 1

    def _tile(self, index: tuple[int, ...]) -> Tile:
        return Tile(*self.nest.tile(index, range(len(index))))

    def _first(self, tile: Tile) -> bool:
        return all(tile.origin[d] == 0 for d in self.reduced)

    def _complete(self, tile: Tile) -> bool:
        extents = self.nest.extents
        return all(tile.origin[d] + tile.size[d] == extents[d] for d in self.reduced)

    def _loads(self, tile: Tile) -> Iterator[Invocation]:
        for place in self.inputs:
            yield from self.main.load(place, tile.origin)

    def _begun(self, tile: Tile) -> Iterator[Invocation]:
        """What sums start from."""
        for place in self.sums:
            if not place.turn(tile.origin):
                continue
            assert place.tile is not None
            if place is self.sums[0] and self._first(tile):
                for run in self.before:
                    yield from run.over(self._within(place.tile), Sums())
            elif place.fetch is not None and (
                not self._first(tile) or (self.before and place is not self.sums[0])
            ):
                yield from self.main.fetch(place)
        for place in self.outputs:
            place.turn(tile.origin)

    def _within(self, tile: Tile) -> Tile:
        """A tile of the sums as one of the whole space; dims of the reduction have one step."""
        origin = {**dict.fromkeys(self.nest.extents, 0), **tile.origin}
        return Tile(origin, {**dict.fromkeys(self.nest.extents, 1), **tile.size})

    def _launches(self, tile: Tile) -> Iterator[Invocation]:
        group = self.main.group
        started = bool(self.before)
        if group.adds:
            yield from self.main.adding(tile, self.reduced, started=started)
            return
        has_result = any(end.written for end in group.ends)
        sums = Sums()
        if group.keeps:
            resumes = started or not self._first(tile)
            sums = Sums(resumes, not self._complete(tile) or not has_result)
        yield from self.main.over(tile, sums)
        for place in self.outputs:
            place.written = place.written or not sums.raw

    def _ended(self, tile: Tile, ahead: Tile | None) -> Iterator[Invocation]:
        """What leaves the buffers whose tile changes before the next iteration."""

        def leaves(place: Place) -> bool:
            return ahead is None or place.around(ahead.origin) != place.tile

        complete = self._complete(tile)
        moved = self.main.group.adds or bool(self.after)
        for place in reversed(self.sums):
            if not leaves(place):
                continue
            assert place.tile is not None
            if place is self.sums[0] and complete:
                for run in self.after:
                    yield from run.over(self._within(place.tile), Sums())
            elif place.give is not None and (moved or not complete):
                yield from self.main.give(place)
        for place in reversed(self.outputs):
            if leaves(place):
                yield from self.main.store(place)


def _named(tile: Tile) -> str:
    """Where a tile lies, for people."""
    return " ".join(f"{d}={at}" for d, at in tile.origin.items() if at)


def spread(launches: list[Invocation], *others: list[Invocation]) -> list[Invocation]:
    """Lists of invocations evenly among launches, none before the first of them."""
    if not any(others):
        return launches
    found = [(i, 0, x) for i, x in enumerate(launches)]
    for number, other in enumerate(others):
        for i, x in enumerate(other):
            found.append((max(0, (i + 1) * len(launches) // (len(other) + 1) - 1), number + 1, x))
    return [x for _, _, x in sorted(found, key=lambda each: each[:2])]
