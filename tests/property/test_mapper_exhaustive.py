"""The solver equals an exhaustive search that walks every loop nest iteration by iteration.

The search shares the tile choices (`space.rows`) and the machine's constants with the solver, and
nothing else: transfers are counted by walking the nest and comparing index vectors, boxes are
measured from coordinates, latency is computed from the sentences in `cost`'s docstring.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from functools import cache
from math import prod

import pytest

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.mapper import cost
from covenant.mapper.candidates import match
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import tile_layout
from covenant.mapper.solve import solve
from covenant.mapper.space import Space, space_of
from mapper_samples import conv, gemm, snax

CASES = 64


@dataclass(frozen=True)
class Part:
    """What one operand contributes for one cut: bytes of a copy, exchanges, cycles of all, first,
    last, off-chip words."""

    size: int
    exchanges: int
    total: int
    first: int
    last: int
    words: int


def _random_case(seed: int) -> tuple[Codelet, Acg]:
    rng = random.Random(seed)
    if rng.random() < 0.5:
        codelet = gemm(
            rng.choice([1, 5, 8, 12, 17]),
            rng.choice([8, 16, 24, 40]),
            rng.choice([8, 16, 20, 32]),
            wide=rng.random() < 0.2,
        )
    else:
        kernel = rng.choice([1, 2, 3])
        codelet = conv(
            rng.choice([3, 8, 16]),
            rng.choice([8, 16]),
            rng.choice([3, 4, 5, 7]),
            kernel,
            rng.choice([1, 1, 2]),
            rng.choice([0, kernel // 2]),
        )
    acg = snax(
        memories__l1__size=rng.choice(["512B", "1KiB", "1KiB", "2KiB", "4KiB"]),
        memories__dram__latency=rng.choice(["0", "20", "100"]),
        transfers__load__bytes_per_cycle=rng.choice(["8", "16", "64"]),
        transfers__store__bytes_per_cycle=rng.choice(["8", "64"]),
        transfers__load__setup_cycles=rng.choice(["0", "6"]),
    )
    return codelet, acg


class Walk:
    """Exhaustive search over one binding."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.parts: dict[object, Part] = {}

    def best(self) -> int | None:
        """Least latency over rows, orders, cuts and copies; None when nothing fits."""
        found: int | None = None
        for rows in itertools.product(*(self.space.rows[d] for d in self.space.tiled)):
            named = {d: (r.trips, r.tile) for d, r in zip(self.space.tiled, rows, strict=True)}
            active = [d for d in self.space.tiled if named[d][0] > 1]
            for order in itertools.permutations(active):
                value = self._order(named, order)
                if value is not None and (found is None or value < found):
                    found = value
        return found

    def _order(self, named: dict[str, tuple[int, int]], order: tuple[str, ...]) -> int | None:
        space = self.space
        split = any(d in space.reduced for d in order)
        cuts = range(len(order) + 1)
        options: list[list[tuple[Part, int]]] = []
        movers = (*space.loads, *space.stores)
        for operand in movers:
            parts = {self._part(operand, named, order, cut) for cut in cuts}
            options.append(
                [(p, copies) for p in parts for copies in ((1,) if p.exchanges == 1 else (1, 2))]
            )
        partial_bytes = partial_words = 0
        if split:
            partial = space.partial
            if partial is None:
                return None
            outermost = min(i for i, d in enumerate(order) if d in space.reduced)
            partial_bytes = min(
                self._size(partial, named, order, cut) for cut in range(outermost + 1)
            )
        jobs = self._jobs(named)
        if split:
            partial_words = 32 * (jobs[5] - jobs[6])
        best: int | None = None
        for choice in itertools.product(*options):
            lost = self._lost(movers, choice, partial_bytes, partial_words, jobs[4])
            if lost is None:
                continue
            value = self._latency(movers, choice, jobs, lost)
            if best is None or value < best:
                best = value
        return best

    def _lost(
        self,
        movers: tuple[Operand, ...],
        choice: tuple[tuple[Part, int], ...],
        partial_bytes: int,
        partial_words: int,
        steps: int,
    ) -> int | None:
        """Fewest cycles lost to bank conflicts over all divisions of the four groups of banks."""
        size = self.space.memory.size_bytes
        group = size // 4
        parts = {o.port: (p, c) for o, (p, c) in zip(movers, choice, strict=True)}
        others = {p: v for p, v in parts.items() if p not in ("a", "b")}
        rest = partial_bytes + sum(p.size * c for p, c in others.values())
        if rest + sum(p.size * c for p, c in (parts["a"], parts["b"])) > size:
            return None
        best = -(-steps // 4)
        strided = {o.port: o.strided for o in movers}
        for counts in itertools.product((1, 2), repeat=2):
            lost = 0
            fits = True
            for port, count in zip(("a", "b"), counts, strict=True):
                part, copies = parts[port]
                if copies == 1:
                    fits &= part.size <= count * group
                elif count == 2:
                    fits &= part.size <= group
                else:
                    fits &= 2 * part.size <= group
                    lost += 4 * part.words if strided[port] else -(-part.words // 4)
            if sum(counts) < 4:
                fits &= rest <= (4 - sum(counts)) * group
            else:
                part, copies = parts["b"]
                fits &= copies == 2 and part.size + rest <= group
                guests = partial_words + sum(p.words for p, _ in others.values())
                lost += -(-2 * guests // 4)
            if fits:
                best = min(best, lost)
        return best

    def _size(
        self, operand: Operand, named: dict[str, tuple[int, int]], order: tuple[str, ...], cut: int
    ) -> int:
        extents = {**self.space.extents, **{d: named[d][1] for d in order[:cut]}}
        return tile_layout(operand, extents, self.space.inner, self.space.memory).bytes

    def _part(
        self, operand: Operand, named: dict[str, tuple[int, int]], order: tuple[str, ...], cut: int
    ) -> Part:
        """Walk all iterations; count an exchange whenever the resident tile changes."""
        outside = list(order[:cut])
        key = (operand.port, tuple(sorted(named.items())), tuple(outside))
        if key in self.parts:
            return self.parts[key]
        space = self.space
        seen: list[int] = []
        words = 0
        previous: tuple[int, ...] | None = None
        done: set[tuple[int, ...]] = set()
        for index in itertools.product(*(range(named[d][0]) for d in outside)):
            relevant = tuple(i for d, i in zip(outside, index, strict=True) if d in operand.dims)
            if relevant == previous:
                continue
            previous = relevant
            if operand.role is Role.OUTPUT and relevant in done:
                continue
            done.add(relevant)
            at = dict(zip(outside, index, strict=True))
            origin = {d: at[d] * named[d][1] if d in at else 0 for d in space.extents}
            extent = {
                d: min(named[d][1], space.extents[d] - origin[d]) if d in at else space.extents[d]
                for d in space.extents
            }
            road = space.paths[operand.port]
            cycles, count = _cycles(space, operand, origin, extent, outside)
            seen.append(cycles + road.setup_cycles)
            words += count
        size = self._size(operand, named, order, cut)
        made = Part(size, len(seen), sum(seen), seen[0], seen[-1], words)
        self.parts[key] = made
        return made

    def _jobs(self, named: dict[str, tuple[int, int]]) -> tuple[int, ...]:
        """Compute cycles of all launches, first, last; launches; array steps; tiles of all launches
        and of those that end a reduction."""
        space, machine = self.space, self.space.machine
        ranges = [range(named[d][0]) if d in named else range(1) for d in space.extents]
        split = any(named[d][0] > 1 for d in named if d in space.reduced)
        drain = machine.partial_drain if split else machine.tile_drain
        cycles = []
        all_steps = all_tiles = 0
        for index in itertools.product(*ranges):
            tiles = steps = 1
            for dim, i in zip(space.extents, index, strict=True):
                _, tile = named.get(dim, (1, space.extents[dim]))
                size = min(tile, space.extents[dim] - i * tile)
                count = -(-size // space.steps[dim])
                if dim in space.reduced:
                    steps *= count
                else:
                    tiles *= count
            cycles.append(tiles * max(steps * machine.step_cycles, drain))
            all_steps += tiles * steps
            all_tiles += tiles
        total = sum(cycles) + machine.launch_overhead * len(cycles)
        chunks = prod(named[d][0] for d in named if d in space.reduced)
        return total, cycles[0], cycles[-1], len(cycles), all_steps, all_tiles, all_tiles // chunks

    def _latency(
        self,
        movers: tuple[Operand, ...],
        choice: tuple[tuple[Part, int], ...],
        jobs: tuple[int, ...],
        lost: int,
    ) -> int:
        first, last, launches = jobs[1:4]
        compute = jobs[0] + lost
        machine, paths = self.space.machine, self.space.paths
        loads = [c for o, c in zip(movers, choice, strict=True) if o.role is not Role.OUTPUT]
        store = next(c for o, c in zip(movers, choice, strict=True) if o.role is Role.OUTPUT)[0]
        fill = sum(p.first for p, _ in loads)
        alone = 0
        candidates = []
        for operand, (part, copies) in zip(movers, choice, strict=True):
            lead = part.last if operand.role is Role.OUTPUT else part.first
            rest = part.total - lead + paths[operand.port].latency_cycles * (part.exchanges - 1)
            alone += rest if copies == 1 else 0
            candidates.append(fill + (compute + first + rest + 1) // 2)
        candidates.append(fill + compute + alone)
        candidates.append(sum(p.total for p, _ in loads) + last)
        candidates.append(fill + first + store.total - store.last)
        moves = sum(p.exchanges for p, _ in choice)
        candidates.append(machine.launch_words * launches + machine.move_words * moves)
        return max(candidates) + store.last + machine.start + machine.end


def _rows(count: int, run: int, start: int, pitch: int, space: Space, operand: Operand) -> int:
    """Cycles of rows, averaged over where in a beat they may start."""
    road = space.paths[operand.port]
    bus = road.bus
    starts = sorted({(start + i * pitch) % bus for i in range(bus)})
    beats = [max((at + run - 1) // bus + 1, road.row_cycles) for at in starts]
    return -(-count * sum(beats) // len(starts)) if run else 0


def _cycles(
    space: Space,
    operand: Operand,
    origin: dict[str, int],
    extent: dict[str, int],
    outside: list[str],
) -> tuple[int, int]:
    """Transfer cycles and words of one tile, from the coordinates it covers."""
    word, bus = space.memory.word_bytes, space.paths[operand.port].bus
    box = []
    for axis, size in zip(operand.indices, operand.shape, strict=True):
        low, span = axis.evaluate(origin), axis.span(extent)
        real = sum(0 <= p < size for p in range(low, low + span))
        before = sum(p < 0 for p in range(low, low + span))
        box.append((max(0, low), span, real, before, span - real - before))
    at = operand.packed_axis
    if operand.record_bytes:
        rows = prod(b[2] for i, b in enumerate(box) if i != len(box) - 1)
        count = -(-box[-1][2] // operand.beat[0][1])
        return rows * -(-count * operand.record_bytes // bus), rows * count * 9
    if not operand.strided:
        cells = rows = 1
        for i, b in enumerate(box):
            count = -(-b[2] // (8 if i in (at, _lane_axis(operand)) else 1))
            if i != _lane_axis(operand) and set(operand.indices[i].dims) & set(space.reduced):
                cells *= count
            else:
                rows *= count
        split = any(d in outside and d in space.reduced for d in operand.dims)
        one = _rows(1, cells * 64, 0, bus, space, operand) if split else -(-cells * 64 // bus)
        return rows * one, rows * cells * 8
    block, width = operand.block(word), operand.dtype.bytes
    granule = block if operand.role is Role.OUTPUT else 8
    blocks = -(-box[at][2] // granule) * (granule // block)
    before = prod(b[2] for b in box[:at])
    after = box[at + 1 :]
    words = before * blocks * prod(b[2] for b in after)
    if not after:
        pitch = -(-operand.shape[at] // granule) * (granule // block) * word
        start = box[at][0] * width
        return before * _rows(1, blocks * word, start, pitch, space, operand), words
    return before * blocks * _plane(space, operand, after), words


def _lane_axis(operand: Operand) -> int:
    return next((i for i, a in enumerate(operand.indices) if operand.lane in a.dims), -1)


def _plane(space: Space, operand: Operand, box: list[tuple[int, int, int, int, int]]) -> int:
    """Rows of one image plane with the fills around them."""
    word, bus = space.memory.word_bytes, space.paths[operand.port].bus
    lines, columns = [(0, 1, 1, 0, 0), *box][-2:]
    start, width, real, left, right = columns
    pitch = operand.shape[-1] * word
    sides = -(-left * word // bus) + -(-right * word // bus)
    whole = operand.shape[-1] == width == real and not _padded_pitch(space, operand, width)
    if whole and len(box) > 1:
        body = _rows(1, lines[2] * real * word, 0, pitch, space, operand)
    else:
        body = _rows(lines[2], real * word, start * word, pitch, space, operand) + lines[2] * sides
    return body + (lines[3] + lines[4]) * -(-width * word // bus)


def _padded_pitch(space: Space, operand: Operand, width: int) -> bool:
    """Lanes along image rows: the pitch of a row is padded when rows would share banks."""
    if _lane_axis(operand) != len(operand.indices) - 2:
        return False
    coefficient = operand.indices[-2].coefficient(operand.lane)
    for banks in reversed(space.memory.views):
        possible = {i * coefficient % banks for i in range(operand.lanes)}
        if len(possible) == operand.lanes:
            return len({i * coefficient * width % banks for i in range(operand.lanes)}) < len(
                possible
            )
    return False


@cache
def _exhaustive(seed: int) -> int | None:
    codelet, acg = _random_case(seed)
    values = [Walk(space_of(codelet, acg, b)).best() for b in match(codelet, acg).bindings]
    return min((v for v in values if v is not None), default=None)


@pytest.mark.solver
@pytest.mark.parametrize("seed", range(CASES))
def test_solver_equals_exhaustive_search(seed: int) -> None:
    codelet, acg = _random_case(seed)
    expected = _exhaustive(seed)
    if expected is None:
        with pytest.raises(CovenantError, match="does not fit"):
            solve(codelet, acg)
        return
    mapping = solve(codelet, acg)
    assert mapping.proof.status.value == "optimal"
    assert mapping.proof.objective == expected
    assert cost.evaluate(replace(mapping), codelet, acg).latency == expected
