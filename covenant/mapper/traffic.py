"""What moving the tiles of an operand takes, axis group by axis group.

In: an operand, its transfer path, tile sizes of the dims on some of its axes. Out: `Columns`,
factors whose products over an operand's groups are its footprint (words), transfer cycles and
off-chip words, exact for tails, halos and padding. The solver tabulates them, `cost` evaluates them
on one mapping. RTL: DMA address generation (rows of contiguous words, realigned to bus beats, fill
launches).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, prod

from covenant.acg.graph import Memory
from covenant.acg.stages import CLUSTER
from covenant.mapper.operands import Operand
from covenant.mapper.placement import (
    cell_bytes,
    cell_order,
    granule,
    packed_blocks,
    padded_pitch,
    plane_pitches,
    round_up,
)
from covenant.mapper.spans import Span, Tiles, every_span, span_kinds
from covenant.mapper.window_traffic import rows_of, tile_words, totals
from covenant.mapper.windows import window_axes


@dataclass(frozen=True, slots=True)
class Path:
    """How an operand reaches its on-chip memory or leaves it.

    bus: bytes per cycle of the narrowest part; setup_cycles: added by every launch; latency_cycles:
    from a launch to its first data beyond that; wait: from a request, of at most `burst` bytes, to
    its data; `ahead` may be under way (cvn_dma_load, cvn_dma_store); 0 bus: none.
    """

    bus: int
    setup_cycles: int
    latency_cycles: int
    wait: int = 0
    ahead: int = 1
    burst: int = CLUSTER.burst_bytes

    def row(self, beats: int) -> int:
        """Cycles of a row of so many beats in a long line of them: its requests wait for room, and
        one ends where its burst ends in memory; averaged over where the row may start."""
        waits = self.wait * (self.burst + (beats - 1) * self.bus) // self.burst
        return max(beats, -(-(waits + beats) // self.ahead))


@dataclass(frozen=True, slots=True)
class Columns:
    """Factors of one axis group: words of a resident copy; cycles to move all tiles once; those of
    the first and of the last tile; off-chip words of all tiles."""

    size: int
    total: int
    first: int
    last: int
    words: int


@dataclass(frozen=True, slots=True)
class Group:
    """Axes of an operand that are tabulated together. `run`: rows of the transfer lie along them;
    `plain`: words move one by one, all axes are counted apart and the run has none."""

    axes: tuple[int, ...]
    dims: tuple[str, ...]
    run: bool
    plain: bool = False


def groups(operand: Operand, inner: Sequence[str], *, plain: bool = False) -> tuple[Group, ...]:
    """The axis groups of an operand, the one with its rows last."""
    count = len(operand.indices)
    if plain:
        alone = [Group((i,), operand.indices[i].dims, False) for i in range(count)]
        return (*alone, Group((), (), True, plain=True))
    if operand.source is not None:
        last = count - 1 - window_axes(operand)
        runs = [a for a in range(count) if len(operand.indices[a].dims) > 1 or a >= last]
    elif operand.record_bytes:
        runs = [count - 1] if count else []
    elif operand.strided:
        after = list(range(operand.packed_axis + 1, count))
        runs = after or _rows_axes(operand)
    else:
        runs = [a for a in cell_order(operand, inner) if _is_reduced(operand, inner, a)]
    single = [Group((i,), operand.indices[i].dims, False) for i in range(count) if i not in runs]
    dims = tuple(dict.fromkeys(d for i in runs for d in operand.indices[i].dims))
    return (*single, Group(tuple(runs), dims, True))


def _rows_axes(operand: Operand) -> list[int]:
    """The packed axis, which is the last, behind that of the lanes when they are neighbours: whole
    rows of neighbouring lanes are one."""
    at = operand.packed_axis
    lanes = [i for i, a in enumerate(operand.indices) if operand.lane in a.dims]
    return [at - 1, at] if lanes == [at - 1] else [at]


def _is_reduced(operand: Operand, inner: Sequence[str], axis: int) -> bool:
    """Axes of a contiguous operand from its packed group on, inside its columns."""
    order = cell_order(operand, inner)
    lane_axis = next((i for i, a in enumerate(operand.indices) if operand.lane in a.dims), -1)
    if axis == lane_axis:
        return False
    return (
        lane_axis < 0 or order.index(axis) > order.index(lane_axis) or axis == operand.packed_axis
    )


def columns(operand: Operand, group: Group, tiles: Tiles, memory: Memory, road: Path) -> Columns:
    """Factors of a group when the dims on it have these tiles; other dims are whole."""
    if not group.run:
        (axis,) = group.axes
        return _counted(operand, axis, tiles, memory)
    if operand.source is not None:
        return _window_columns(operand, group, tiles, memory, road)
    if group.plain:
        return _unit_columns(operand, memory, road)
    if operand.record_bytes:
        return _record_columns(operand, group, tiles, memory, road)
    if not operand.strided:
        return _cell_columns(operand, group, tiles, memory, road)
    if group.axes[-1] == operand.packed_axis:
        return _packed_columns(operand, group, tiles, memory, road)
    return _spatial_columns(operand, group, tiles, memory, road)


def _extent(operand: Operand, axis: int, tiles: Tiles) -> int:
    """Positions a full tile holds on an axis."""
    index = operand.indices[axis]
    return -(-index.span({d: tiles[d][2] for d in index.dims}) // operand.spacing(axis))


def _axis_words(operand: Operand, axis: int, size: int, memory: Memory, *, on_chip: bool) -> int:
    """Units of a counted axis: blocks of the packed one, columns of beats, plain positions."""
    if operand.record_bytes:
        return -(-size // operand.beat[0][1]) if axis == operand.packed_axis else size
    if operand.strided and axis == operand.packed_axis:
        return packed_blocks(operand, size, memory.word_bytes, on_chip=on_chip)
    if not operand.strided and operand.lane and operand.lane in operand.indices[axis].dims:
        return -(-size // operand.lanes)
    if not operand.strided and axis == operand.packed_axis:
        return -(-size // granule(operand, memory.word_bytes))
    return size


def _counted(operand: Operand, axis: int, tiles: Tiles, memory: Memory) -> Columns:
    index = operand.indices[axis]
    clip, every = operand.pad is not None, operand.spacing(axis)
    kinds, first, last = span_kinds(index, operand.shape[axis], tiles, every=every, clip=clip)

    def words(real: int) -> int:
        return _axis_words(operand, axis, real, memory, on_chip=False)

    total = sum(n * words(kind.real) for kind, n in kinds.items())
    size = _axis_words(operand, axis, _extent(operand, axis, tiles), memory, on_chip=True)
    return Columns(size, total, words(first.real), words(last.real), total)


def _unit_columns(operand: Operand, memory: Memory, road: Path) -> Columns:
    """What one unit of the counted axes takes: a word, a cell or a record."""
    word = memory.word_bytes
    unit = word if operand.strided else cell_bytes(operand, word)
    if operand.record_bytes:
        unit = round_up(operand.record_bytes, word)
    cycles = -(-unit // road.bus) if road.bus else 0
    return Columns(unit // word, cycles, cycles, cycles, unit // word)


def _rows(count: int, run: int, start: int, pitch: int, road: Path) -> int:
    """Cycles of `count` rows of `run` contiguous bytes. Rows start anywhere in a beat: the first at
    byte `start` of one, the next `pitch` bytes further; their beats are averaged over all such
    places."""
    if not road.bus or not run:
        return 0
    places = road.bus // gcd(pitch, road.bus)
    beats = sum(
        road.row(-(-((start + i * pitch) % road.bus + run) // road.bus)) for i in range(places)
    )
    return -(-count * beats // places)


def _row(run: int, road: Path) -> int:
    """Cycles of one row that starts a beat."""
    return _rows(1, run, 0, road.bus, road)


def _packed_columns(
    operand: Operand, group: Group, tiles: Tiles, memory: Memory, road: Path
) -> Columns:
    """Rows along the packed axis, merged when they are whole; the pitch of a row is padded for the
    lanes before it."""
    axis = operand.packed_axis
    index = operand.indices[axis]
    width, word = operand.dtype.bytes, memory.word_bytes
    beat = max(1, road.bus // width)
    clip = operand.pad is not None
    kinds = [span_kinds(index, operand.shape[axis], tiles, beat, clip=False)]
    for lanes in group.axes[:-1]:
        own, every = (operand.indices[lanes], operand.shape[lanes]), operand.spacing(lanes)
        kinds.insert(0, span_kinds(*own, tiles, 1, every, clip=clip))
    pitch = packed_blocks(operand, operand.shape[axis], word, on_chip=False) * word

    def words(real: int) -> int:
        return packed_blocks(operand, real, word, on_chip=False)

    def cycles(spans: Sequence[Span]) -> int:
        run, rows = words(spans[-1].real) * word, prod(s.real for s in spans[:-1])
        if spans[-1].real == operand.shape[axis] and len(spans) > 1:
            full = max(s.real for s in kinds[0][0])
            return _rows(1, rows * run, 0, full * pitch, road)
        return rows * _rows(1, run, spans[-1].phase * width, pitch, road)

    size = packed_blocks(operand, _extent(operand, axis, tiles), word, on_chip=True)
    lane_axis = next((i for i, a in enumerate(operand.indices) if operand.lane in a.dims), -1)
    if 0 <= lane_axis == axis - 1:
        coefficient = operand.pitches(lane_axis, operand.lane)
        size = padded_pitch(size, coefficient, operand.lanes, memory)
    for lanes in group.axes[:-1]:
        size *= _extent(operand, lanes, tiles)
    total = moved = 0
    for combination in itertools.product(*(k[0].items() for k in kinds)):
        times = prod(n for _, n in combination)
        spans = [kind for kind, _ in combination]
        total += times * cycles(spans)
        moved += times * words(spans[-1].real) * prod(s.real for s in spans[:-1])
    return Columns(size, total, cycles([k[1] for k in kinds]), cycles([k[2] for k in kinds]), moved)


def _spatial_columns(
    operand: Operand, group: Group, tiles: Tiles, memory: Memory, road: Path
) -> Columns:
    """Axes behind the packed one: rows along the last, merged where whole; fills for padding."""
    clip, width = operand.pad is not None, operand.shape[group.axes[-1]]
    beats = [1] * (len(group.axes) - 1) + [max(1, road.bus // memory.word_bytes)]
    every = [operand.spacing(a) for a in group.axes]
    kinds = [
        span_kinds(operand.indices[a], operand.shape[a], tiles, beat, step, clip=clip)
        for a, beat, step in zip(group.axes, beats, every, strict=True)
    ]
    extents = [_extent(operand, a, tiles) for a in group.axes]
    _, plane = plane_pitches(operand, group.axes, extents, memory)
    apart = every[-2] if len(every) > 1 else 1
    pitch = width * apart * memory.word_bytes

    def cycles(spans: Sequence[Span]) -> int:
        return _box_cycles(spans, width, pitch, memory.word_bytes, road)

    def fills(spans: Sequence[Span]) -> int:
        return _fill_cycles(spans, memory.word_bytes, road)

    total = words = 0
    for combination in itertools.product(*(k[0].items() for k in kinds)):
        times = prod(n for _, n in combination)
        spans = [kind for kind, _ in combination]
        total += times * (cycles(spans) + fills(spans))
        words += times * prod(s.real for s in spans)
    first, last = [k[1] for k in kinds], [k[2] for k in kinds]
    return Columns(plane, total - fills(first), cycles(first), cycles(last), words)


def _box_cycles(spans: Sequence[Span], width: int, pitch: int, word: int, road: Path) -> int:
    """Cycles of the rows of one box, merged where they follow one another in off-chip memory;
    width: of the tensor's rows; pitch: bytes between rows of the box."""
    if not road.bus:
        return 0
    last = spans[-1]
    start, run = last.phase * word, last.real * word
    if len(spans) == 1:
        return _rows(1, run, start, pitch, road)
    if len(spans) > 2:
        return spans[0].real * _box_cycles(spans[1:], width, pitch, word, road)
    lines = spans[0].real
    if last.real == width and pitch == width * word:
        return _rows(1, lines * run, 0, pitch, road)
    return _rows(lines, run, start, pitch, road)


def _fill_cycles(spans: Sequence[Span], word: int, road: Path) -> int:
    """Cycles of the fills around one box: a launch per side, whose words pass a beat at a time
    wherever they go (cvn_dma_beats). Those of the first tile along these axes pass before its data
    come: callers leave them out."""
    if not road.bus:
        return 0
    found, real = 0, 1
    for place, span in enumerate(spans):
        across = prod(s.span for s in spans[place + 1 :])
        for side in (span.low, span.high):
            found += -(-side * real * across * word // road.bus)
        real *= span.real
    return found


def _window_columns(
    operand: Operand, group: Group, tiles: Tiles, memory: Memory, road: Path
) -> Columns:
    """Lines and windows of a windowed operand; a window itself is never split."""
    moving = window_axes(operand)
    outer, own = group.axes[: -1 - moving], group.axes[-1 - moving : -1]
    clip = operand.pad is not None
    lines = [every_span(operand.indices[a], operand.shape[a], tiles, 1, clip=clip) for a in outer]
    extents = [_extent(operand, a, tiles) for a in (*outer, *own)]
    rows = rows_of(operand, memory, road.bus, road.wait, road.ahead)
    moved = totals(rows, lines, [tiles[operand.indices[a].dims[0]] for a in own])
    return Columns(tile_words(operand, extents, memory), *moved)


def _cell_columns(
    operand: Operand, group: Group, tiles: Tiles, memory: Memory, road: Path
) -> Columns:
    """Cells of a contiguous operand: one row covers the reduction of a column group."""
    indices = [operand.indices[a] for a in group.axes]
    unit = cell_bytes(operand, memory.word_bytes)
    kinds = [
        span_kinds(operand.indices[a], operand.shape[a], tiles, clip=False) for a in group.axes
    ]
    split = any(tiles[d][1] > 1 for i in indices for d in i.dims)

    def cells(spans: Sequence[Span]) -> int:
        return prod(
            _axis_words(operand, a, s.real, memory, on_chip=False)
            for a, s in zip(group.axes, spans, strict=True)
        )

    def cycles(spans: Sequence[Span]) -> int:
        run = cells(spans) * unit
        return _row(run, road) if split else (-(-run // road.bus) if road.bus else 0)

    total = count = 0
    for combination in itertools.product(*(k[0].items() for k in kinds)):
        times = prod(n for _, n in combination)
        spans = [kind for kind, _ in combination]
        total += times * cycles(spans)
        count += times * cells(spans)
    size = prod(
        _axis_words(operand, a, _extent(operand, a, tiles), memory, on_chip=True)
        for a in group.axes
    )
    per = unit // memory.word_bytes
    return Columns(
        size * per, total, cycles([k[1] for k in kinds]), cycles([k[2] for k in kinds]), count * per
    )


def _record_columns(
    operand: Operand, group: Group, tiles: Tiles, memory: Memory, road: Path
) -> Columns:
    """Records are contiguous along their last dim."""
    unit = round_up(operand.record_bytes, memory.word_bytes)
    per = unit // memory.word_bytes
    if not group.axes:
        cycles = -(-unit // road.bus) if road.bus else 0
        return Columns(per, cycles, cycles, cycles, per)
    (axis,) = group.axes
    kinds, first, last = span_kinds(operand.indices[axis], operand.shape[axis], tiles, clip=False)

    def count(span: Span) -> int:
        return _axis_words(operand, axis, span.real, memory, on_chip=False)

    def row(span: Span) -> int:
        return -(-count(span) * unit // road.bus) if road.bus else 0

    size = _axis_words(operand, axis, _extent(operand, axis, tiles), memory, on_chip=True)
    return Columns(
        size * per,
        sum(n * row(kind) for kind, n in kinds.items()),
        row(first),
        row(last),
        sum(n * count(kind) * per for kind, n in kinds.items()),
    )
