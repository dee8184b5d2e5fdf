"""Layouts: where the elements of an operand lie, in the off-chip memory and in an on-chip tile.

In: an `Operand`, extents of the dims that are resident, the order of the loops one launch absorbs.
Out: `Layout`s. Units: elements for extents, bytes for strides. The rules (word packing, cells of a
contiguous beat, records) follow from the ports' `tile`; pitches are padded so that the lanes of a
beat fall into different banks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import gcd

from covenant.acg.graph import Memory
from covenant.codelets.ir import Codelet
from covenant.core.affine import Affine
from covenant.mapper.mapping import Layout, LayoutAxis, Role
from covenant.mapper.operands import Operand, reduction_dims
from covenant.mapper.windows import dense_layout

ALIGNMENT_BYTES = 64
"""Preferred alignment of buffers: one beat of a wide off-chip port."""


def round_up(value: int, multiple: int) -> int:
    """Smallest multiple that is not below value."""
    return -(-value // multiple) * multiple


def inner_order(
    codelet: Codelet, placed: Sequence[Operand], swept: Sequence[str], words: Mapping[str, int]
) -> tuple[str, ...]:
    """Order of the loops one launch absorbs: outside those of the stationary operand, innermost the
    `swept` ones, which it lacks. Where sums are stationary: dims that all inputs share, then those
    the lanes do not know (columns), then the lanes' own, innermost the reduction. So a record of
    columns serves as many steps as possible, and an input without the lanes' dims repeats one
    run. Rows that the lanes run through lie next to them. A dim of which a step takes several words
    (`half_step`), or several beats in another shape of the array, is the innermost of the
    reduction. words: bytes of a word, by port."""
    reduced = reduction_dims(codelet)
    if set(swept) != set(reduced):
        names = [d.name for d in codelet.dims]
        return (*(d for d in names if d not in swept), *(d for d in names if d in swept))
    rest = [d.name for d in codelet.dims if d.name not in reduced]
    loaded = (o for o in placed if o.role in (Role.INPUT, Role.CONSTANT) and not o.follows)
    inputs = [o for o in loaded if not o.record_bytes]
    strided = next((o for o in inputs if o.strided), inputs[0])
    shared = [d for d in rest if all(d in o.dims for o in inputs)]
    columns = [d for d in rest if d not in strided.dims]
    kept = (*shared, *columns, strided.rows, strided.lane)
    pixels = [d for d in rest if d not in kept]
    row = [strided.rows] if strided.rows else []
    lane = [strided.lane] if strided.lane in rest and strided.lane not in shared else []
    wide = strided.strided and words_of_lane(strided, words[strided.port]) > 1
    last = [d for d in reduced if (wide or strided.deep) and d == strided.packed]
    return (*shared, *columns, *pixels, *row, *lane, *(d for d in reduced if d not in last), *last)


def padded_pitch(words: int, coefficient: int, lanes: int, memory: Memory) -> int:
    """Smallest pitch in words, not below `words`, at which `lanes` words that are `coefficient`
    pitches apart lie in different banks, of the smallest group of banks where that is possible;
    `words` itself where it is not."""
    if lanes <= 1 or coefficient == 0:
        return words
    for width in reversed(memory.views):
        if lanes <= width // gcd(coefficient, width):
            pitch = words
            while lanes > width // gcd(pitch * coefficient, width):
                pitch += 1
            return pitch
    return words


def row_pitch(
    operand: Operand, words: int, axis: int, lane_words: int, memory: Memory
) -> tuple[int, int]:
    """Pitch of the rows on an axis whose rows need `words` and whose lanes are `lane_words` apart,
    and the banks of the smallest group in which each lane of a beat has one of its own; 0 where
    there is none, the fewest lanes then meet in a bank of the smallest group."""
    rows = operand.pitches(axis, operand.rows)
    widths = [v for v in reversed(memory.views) if v >= operand.lanes] or [memory.banks]
    for width in widths:
        pitch, crowd = _row_pitch(words, rows, lane_words, operand.row_lanes, operand.lanes, width)
        if crowd == 1:
            return pitch, width
    pitch, _ = _row_pitch(words, rows, lane_words, operand.row_lanes, operand.lanes, widths[0])
    return pitch, 0


def row_banks(operand: Operand, memory: Memory) -> int:
    """Banks of the smallest group in which the lanes of an operand, which run through rows, never
    meet; 0 when there is none. Rows are on the axis before the last one, lanes on the last."""
    *_, rows, lanes = operand.indices
    last = len(operand.indices) - 1
    if operand.rows not in rows.dims or operand.lane not in lanes.dims:
        return 0
    lane_words = operand.pitches(last, operand.lane)
    return row_pitch(operand, operand.shape[last], last - 1, lane_words, memory)[1]


@cache
def _row_pitch(
    words: int, rows: int, lane_words: int, row_lanes: int, lanes: int, width: int
) -> tuple[int, int]:
    """Smallest pitch in words, not below `words`, of rows whose lanes run on in the next row, at
    which the fewest lanes of a beat meet in one of `width` banks; and how many then do. rows: row
    pitches between neighbouring rows of lanes; lane_words: words between lanes of a row."""
    found = []
    for pitch in range(words, words + width):
        crowd = 0
        for first in range(0, row_lanes * lanes // gcd(row_lanes, lanes), lanes):
            numbers = [divmod(first + lane, row_lanes) for lane in range(lanes)]
            banks = [(row * rows * pitch + lane * lane_words) % width for row, lane in numbers]
            crowd = max(crowd, *(banks.count(b) for b in set(banks)))
        found.append((crowd, pitch))
    crowd, pitch = min(found)
    return pitch, crowd


def words_of_lane(operand: Operand, word_bytes: int) -> int:
    """Memory words that one lane of a beat takes."""
    return max(1, operand.beat[-1][1] // operand.block(word_bytes))


def half_step(operand: Operand, memory: Memory) -> int:
    """Banks between the words of a pixel for which the beats of a reader that takes several words
    of every pixel lie in the other half of the banks at every step along them; 0 where there are no
    such. Another reader with beats of half the banks then never meets it twice in a row."""
    words = words_of_lane(operand, memory.word_bytes)
    axes = [i for i, a in enumerate(operand.indices) if operand.lane in a.dims]
    if not operand.strided or operand.role is not Role.INPUT or words == 1 or operand.adjacent:
        return 0
    if not operand.lane or any(axis <= operand.packed_axis for axis in axes):
        return 0
    distance, left = divmod(memory.banks, 2 * words)
    spread = operand.lanes * max(operand.pitches(a, operand.lane) for a in axes)
    return 0 if left or spread > distance else distance


def plane_pitches(
    operand: Operand, axes: Sequence[int], sizes: Sequence[int], memory: Memory
) -> tuple[tuple[int, ...], int]:
    """Pitches in words of the axes behind the packed one in an on-chip tile, outermost first, and
    words of all; sizes: positions held. Lanes of a beat fall into different banks where strides
    allow it."""
    pitches: list[int] = []
    words, lane_words = 1, 0
    for axis, size in zip(reversed(axes), reversed(sizes), strict=True):
        index = operand.indices[axis]
        if operand.lane and operand.lane in index.dims:
            coefficient = operand.pitches(axis, operand.lane)
            words = padded_pitch(words, coefficient, operand.lanes, memory)
            lane_words = words * coefficient
        if operand.rows and operand.rows in index.dims:
            words, _ = row_pitch(operand, words, axis, lane_words, memory)
        pitches.append(words)
        words *= size
    distance = half_step(operand, memory)
    if distance:
        words += (distance - words) % (2 * distance)
    elif operand.gap > 1 and operand.lane in operand.indices[-1].dims:
        words |= 1  # lanes that no filter moves reach all banks by going from plane to plane
    if operand.deep and words % memory.views[-1] == 0:
        words += 1  # a step takes two words of a pixel
    return tuple(reversed(pitches)), words


def home_layout(operand: Operand, inner: Sequence[str], memory: Memory) -> Layout:
    """Layout of the whole tensor in the off-chip memory; `memory` is the on-chip one it is packed
    for. Rows that overlap on chip are stored once."""
    if operand.source is not None:
        return dense_layout(operand, memory)
    return _layout(operand, operand.shape, inner, memory, on_chip=False)


def tile_layout(
    operand: Operand, extents: Mapping[str, int], inner: Sequence[str], memory: Memory
) -> Layout:
    """Layout of a resident tile; extents: iterations of every codelet dim inside it (halo is
    added)."""
    sizes = [axis.span(extents) for axis in operand.indices]
    return _layout(operand, sizes, inner, memory, on_chip=True)


def _layout(
    operand: Operand, sizes: Sequence[int], inner: Sequence[str], memory: Memory, *, on_chip: bool
) -> Layout:
    if operand.record_bytes:
        return _record_layout(operand, sizes, memory)
    if operand.strided:
        return _strided_layout(operand, sizes, memory, on_chip=on_chip)
    return _cell_layout(operand, sizes, inner, memory)


def granule(operand: Operand, word_bytes: int) -> int:
    """Elements of the packed dim that belong together: one word, or one beat when that is more, or
    when all lanes of a contiguous beat make one word."""
    packed = operand.beat[-1][1]
    if not operand.strided and operand.lanes * packed * operand.dtype.bytes == word_bytes:
        return packed
    return max(packed, operand.block(word_bytes))


def packed_blocks(operand: Operand, size: int, word_bytes: int, *, on_chip: bool) -> int:
    """Words along the packed axis of a strided operand; results that a node writes off chip itself
    have room for whole beats."""
    block = operand.block(word_bytes)
    if operand.role is Role.OUTPUT and not on_chip and not operand.follows:
        return -(-size // block)
    return round_up(size, granule(operand, word_bytes)) // block


def _strided_layout(
    operand: Operand, sizes: Sequence[int], memory: Memory, *, on_chip: bool
) -> Layout:
    """[outer axes][blocks of the packed axis][following axes][one word]; where lanes must lie in
    neighbouring words [blocks of the packed axis][other axes][axis of the lanes][one word]. What a
    node writes off chip itself in beats of several words has these beats for words. On chip only
    positions that are touched have a place."""
    word = memory.word_bytes
    steps = [operand.spacing(i) if on_chip else 1 for i in range(len(sizes))]
    sizes = [-(-n // step) for n, step in zip(sizes, steps, strict=True)]
    if operand.follows and operand.role is Role.OUTPUT:
        word = max(word, operand.beat[-1][1] * operand.dtype.bytes)
    block = operand.block(word)
    at = operand.packed_axis
    lane_axis = next((i for i, a in enumerate(operand.indices) if operand.lane in a.dims), -1)
    order = list(range(len(sizes)))
    if operand.adjacent and on_chip:
        last = [lane_axis] if operand.lanes > 1 and lane_axis >= 0 else []
        order = [at, *(i for i in order if i != at and i not in last), *last]
    counts = {i: sizes[i] for i in order}
    counts[at] = packed_blocks(operand, sizes[at], word, on_chip=on_chip)
    strides: dict[int, int] = {}
    pitch = word
    after = range(at + 1, len(sizes))
    if on_chip and not operand.adjacent:
        pitches, plane = plane_pitches(operand, after, [sizes[i] for i in after], memory)
        strides = {i: word * p for i, p in zip(after, pitches, strict=True)}
        pitch = word * plane
    for axis in reversed(order):
        if axis in strides:
            continue
        if axis == lane_axis and on_chip and _paddable(operand, lane_axis):
            coefficient = operand.pitches(axis, operand.lane)
            pitch = word * padded_pitch(pitch // word, coefficient, operand.lanes, memory)
        strides[axis] = pitch
        pitch *= counts[axis]
    axes = [
        LayoutAxis(axis, block if axis == at else steps[axis], counts[axis], strides[axis])
        for axis in order
    ]
    part = operand.block(memory.word_bytes)
    if part < block:
        axes.append(LayoutAxis(at, part, block // part, memory.word_bytes))
    axes.append(LayoutAxis(at, 1, part, operand.dtype.bytes))
    return Layout(tuple(axes), pitch)


def rows_continue(operand: Operand) -> bool:
    """Whether the lanes of the next row follow those of a row at the same distance, in every tile
    that holds whole rows: the axes of rows and lanes are neighbours without an overlap."""
    axes = [
        [i for i, a in enumerate(operand.indices) if dim in a.dims]
        for dim in (operand.rows, operand.lane)
    ]
    rows, lanes = axes
    plain = [operand.indices[i] for i in (*rows, *lanes)]
    return (
        len(rows) == len(lanes) == 1
        and rows[0] == lanes[0] - 1
        and plain == [Affine.of(operand.rows), Affine.of(operand.lane)]
        and operand.packed_axis not in (rows[0], lanes[0])
    )


def _paddable(operand: Operand, lane_axis: int) -> bool:
    """Whether the pitch of lanes before the packed axis is padded: when nothing lies between."""
    at = operand.packed_axis
    return lane_axis == at - 1 and at == len(operand.indices) - 1


def cell_bytes(operand: Operand, word_bytes: int) -> int:
    """Bytes of one cell of a contiguous beat: all its columns by one granule of the packed dim."""
    return operand.lanes * granule(operand, word_bytes) * operand.dtype.bytes


def _cell_layout(
    operand: Operand, sizes: Sequence[int], inner: Sequence[str], memory: Memory
) -> Layout:
    """[outer axes][columns / lanes][reduction axes in the order of `inner`][cell]; a cell is
    [granule / run][columns][run]."""
    at, depth = operand.packed_axis, operand.run or operand.beat[-1][1]
    whole = granule(operand, memory.word_bytes)
    lane_axis = next((i for i, a in enumerate(operand.indices) if operand.lane in a.dims), -1)
    order = cell_order(operand, inner)
    steps = {at: whole, lane_axis: operand.lanes}
    axes: list[LayoutAxis] = []
    pitch = cell_bytes(operand, memory.word_bytes)
    for axis in reversed(order):
        step = steps.get(axis, 1)
        count = -(-sizes[axis] // step)
        axes.append(LayoutAxis(axis, step, count, pitch))
        pitch *= count
    axes.reverse()
    unit = operand.dtype.bytes
    axes.append(LayoutAxis(at, depth, whole // depth, operand.lanes * depth * unit))
    if lane_axis >= 0:
        axes.append(LayoutAxis(lane_axis, 1, operand.lanes, depth * unit))
    axes.append(LayoutAxis(at, 1, depth, unit))
    return Layout(tuple(axes), round_up(pitch, memory.word_bytes))


def cell_order(operand: Operand, inner: Sequence[str]) -> tuple[int, ...]:
    """Axes of a contiguous operand outside its cell, outermost first: those of the reduction
    innermost, in the order of `inner`, so that a reduction reads one contiguous run. Dims of the
    reduction are recognised by their place: they are the last of `inner`, from the packed dim's
    group on."""
    axes = range(len(operand.indices))
    lane_axis = next((i for i in axes if operand.lane in operand.indices[i].dims), -1)
    last_column = max((inner.index(d) for d in inner if d == operand.lane), default=-1)
    reduced = [
        i
        for i in axes
        if i != lane_axis and any(inner.index(d) > last_column for d in operand.indices[i].dims)
    ]
    reduced.sort(key=lambda i: min((inner.index(d) for d in operand.indices[i].dims), default=-1))
    return (*[i for i in axes if i not in reduced], *reduced)


def _record_layout(operand: Operand, sizes: Sequence[int], memory: Memory) -> Layout:
    """One record per `beat` entries of its own dim, for every position of the other dims."""
    axes: list[LayoutAxis] = []
    pitch = round_up(operand.record_bytes, memory.word_bytes)
    for axis in reversed(range(len(sizes))):
        step = operand.beat[0][1] if operand.packed and axis == operand.packed_axis else 1
        count = -(-sizes[axis] // step)
        axes.append(LayoutAxis(axis, step, count, pitch))
        pitch *= count
    axes.reverse()
    return Layout(tuple(axes), pitch)


def offset(layout: Layout, index: Sequence[int]) -> int:
    """Byte offset of the first byte of an element."""
    return sum(index[a.axis] // a.step % a.extent * a.stride for a in layout.axes)


def advance(layout: Layout, axis: int, elements: int) -> int:
    """Bytes from one position to that `elements` further on an axis; `elements` must be a multiple
    of the step of one of its parts, and what moves by it stay in the tile."""
    parts = sorted((a for a in layout.axes if a.axis == axis), key=lambda a: -a.step)
    for part in parts:
        if elements % part.step == 0:
            return elements // part.step * part.stride
    raise ValueError(f"{elements} elements are no step of axis {axis}")


def lane_stride(operand: Operand, layout: Layout, word: int) -> int:
    """Bytes between neighbouring lanes of a stream."""
    if not operand.strided or not operand.lane:
        return word
    return sum(
        advance(layout, axis, index.coefficient(operand.lane))
        for axis, index in enumerate(operand.indices)
        if index.coefficient(operand.lane)
    )


def word_stride(operand: Operand, layout: Layout, word: int) -> int:
    """Bytes between the words of one lane: neighbouring blocks of the packed axis."""
    if not operand.strided:
        return word
    return advance(layout, operand.packed_axis, operand.block(word))
