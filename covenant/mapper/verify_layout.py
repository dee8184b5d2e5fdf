"""Are layouts injective, in bounds and word for word alike on both sides, and can the streams walk
them?

In: a layout and what its port moves (`Shape`). Out: findings as sentences. Part of `verify`;
offsets are compared element by element, no stream pattern or layout rule of the mapper is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Memory, Transfer
from covenant.codelets.ir import Codelet, Source
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.mapper.mapping import Layout, LayoutAxis, Loop, Placement
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.verify_rows import Rows
from covenant.mapper.verify_tail import Launched


@dataclass(frozen=True, slots=True)
class Shape:
    """What a port moves: subscripts and shape of its tensor (or of its grid of records), the
    (codelet dim, positions) of one beat with the packed dim last, whether lanes have a stride."""

    port: str
    indices: tuple[Affine, ...]
    shape: tuple[int, ...]
    dtype: DType
    beat: tuple[tuple[str, int], ...]
    strided: bool
    record_bytes: int
    stream: str
    written: bool
    padded: bool
    source: Source | None = None
    """Where the tensor's rows lie in the layer's tensor, when they overlap there."""
    spare_lanes: bool = False
    """Whether its stream has more lanes than a beat of it."""
    run: int = 0
    """Elements of a column that lie side by side in a contiguous beat, 0 for all."""
    pace: tuple[tuple[str, int], ...] = ()
    """Positions per step of the node that takes it, where that does not run the reduction and has
    launches of its own."""

    def apart(self, axis: int, extents: Mapping[str, int]) -> int:
        """Every how many positions of an axis some iteration touches, from the first one on."""
        moved = [abs(c) for d, c in self.indices[axis].terms if extents[d] > 1]
        return max(1, math.gcd(*moved))

    def axis(self, dim: str) -> int:
        """Axis that a dim moves along, -1 when there is none."""
        return next((i for i, a in enumerate(self.indices) if dim in a.dims), -1)


def _offset(layout: Layout, index: Sequence[int]) -> int:
    return sum(index[a.axis] // a.step % a.extent * a.stride for a in layout.axes)


def layout_faults(
    name: str,
    layout: Layout,
    sizes: Sequence[int],
    shape: Shape,
    word: int,
    extents: Mapping[str, int] | None = None,
) -> Iterator[str]:
    """Every element has a place of its own inside the layout, and beats are contiguous. extents:
    iterations of the tile that is laid out; elements that none of them touches need no place."""
    unit = shape.record_bytes or shape.dtype.bytes
    if any(not 0 <= a.axis < len(sizes) or a.extent < 1 or a.step < 1 for a in layout.axes):
        yield f"{name}: a part of the layout has an unknown axis or no extent"
        return
    for axis, size in enumerate(sizes):
        first = 1
        if shape.record_bytes and axis == shape.axis(shape.beat[-1][0]):
            first = shape.beat[-1][1]
        elif extents is not None and not (shape.written or shape.record_bytes):
            least = min((a.step for a in layout.axes if a.axis == axis and a.extent > 1), default=1)
            first = least if shape.apart(axis, extents) % least == 0 else 1
        yield from _cover_faults(name, layout, axis, size, first)
    reach = 0
    for part in sorted((a for a in layout.axes if a.extent > 1), key=lambda a: a.stride):
        if part.stride < reach + unit:
            used = reach + unit
            yield f"{name}: axis {part.axis} advances {part.stride} bytes over {used} in use"
        wide = part.stride * part.extent > word and not _inside_cell(part, shape)
        if part.stride % word and wide:
            yield f"{name}: axis {part.axis} advances {part.stride} bytes, no whole words"
        reach += (part.extent - 1) * part.stride
    if reach + unit > layout.bytes:
        yield f"{name}: elements reach byte {reach + unit} of {layout.bytes}"
    if layout.bytes % word:
        yield f"{name}: {layout.bytes} bytes are no whole words"
    if not shape.record_bytes:
        yield from _beat_faults(name, layout, len(sizes), shape, word)


def _inside_cell(part: LayoutAxis, shape: Shape) -> bool:
    """Parts of a contiguous beat may be narrower than a word."""
    return not shape.strided and part.stride < shape.beat[0][1] * shape.beat[-1][1]


def _cover_faults(name: str, layout: Layout, axis: int, size: int, first: int) -> Iterator[str]:
    """The parts of an axis are a mixed radix of its index."""
    expected = first
    for part in sorted(
        (a for a in layout.axes if a.axis == axis), key=lambda a: (a.step, a.extent)
    ):
        if part.extent == 1 and part.step != expected:
            continue
        if part.step != expected:
            yield f"{name}: axis {axis} has a part of step {part.step}, expected {expected}"
            return
        expected = part.step * part.extent
    if expected < size:
        yield f"{name}: axis {axis} covers {expected} of {size} positions"


def _beat_faults(name: str, layout: Layout, rank: int, shape: Shape, word: int) -> Iterator[str]:
    """Elements of a word (of a whole beat where lanes have no stride) are neighbours."""
    packed, count = shape.beat[-1]
    at = shape.axis(packed)
    if at < 0:
        yield f"{name}: packed dim '{packed}' is on no axis"
        return
    lane, lanes = shape.beat[0] if len(shape.beat) > 1 else ("", 1)
    lane_axis = shape.axis(lane) if not shape.strided else -1
    width = shape.dtype.bytes
    every = word // width if shape.strided else count
    side = every if shape.strided else shape.run or count
    for column in range(lanes if lane_axis >= 0 else 1):
        for position in range(every):
            index = [0] * rank
            index[at] = position
            if lane_axis >= 0:
                index[lane_axis] = column
            part, place = divmod(position, side)
            if _offset(layout, index) != ((part * lanes + column) * side + place) * width:
                yield f"{name}: element {position} of column {column} is not in its place in a beat"
                return


def _grid(layout: Layout, found: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Byte offsets of all elements at these positions of every axis."""
    total = np.zeros([1] * len(found), np.int64)
    for axis, index in enumerate(found):
        part = np.zeros(index.size, np.int64)
        for a in layout.axes:
            if a.axis == axis:
                part += index // a.step % a.extent * a.stride
        view = [1] * len(found)
        view[axis] = index.size
        total = total + part.reshape(view)
    return np.broadcast_to(total, [index.size for index in found])


def word_faults(
    codelet: Codelet, loops: Sequence[Loop], placement: Placement, shape: Shape, word: int
) -> Iterator[str]:
    """Words of the tile are words of the home: the first and the last exchanged tile are
    compared."""
    for last in (False, True):
        origin = dict.fromkeys(codelet.extents, 0)
        extent = dict(codelet.extents)
        for loop in loops:
            whole = codelet.extents[loop.dim]
            start = (whole - 1) // loop.tile * loop.tile if last else 0
            origin[loop.dim] = start
            extent[loop.dim] = min(loop.tile, whole - start)
        found, inner = [], []
        for axis, (index, size) in enumerate(zip(shape.indices, shape.shape, strict=True)):
            low = index.evaluate(origin)
            apart = 1 if shape.written else shape.apart(axis, codelet.extents)
            every = np.arange(low, low + index.span(extent), apart)
            found.append(every[(every >= 0) & (every < size)])
            inner.append(found[-1] - low)
        if any(not touched.size for touched in found):
            continue
        home = _grid(placement.home, found).ravel()
        tile = _grid(placement.layout, inner).ravel()
        if np.any(home % word != tile % word):
            yield f"tile of '{placement.port}': elements stand elsewhere in their word than at home"
            return
        pairs = np.unique(np.stack([home // word, tile // word]), axis=1).shape[1]
        if pairs != np.unique(home // word).size or pairs != np.unique(tile // word).size:
            yield f"tile of '{placement.port}': its words are not words of the home layout"
            return


def stream_faults(
    mapping: LayerMapping,
    placement: Placement,
    shape: Shape,
    stream: Transfer,
    memory: Memory,
    steps: dict[str, int],
    reduced: frozenset[str],
    rows: Rows | None,
    launches: Sequence[Launched],
    *,
    limited: bool,
) -> Iterator[str]:
    """The stream has enough loops for these launches (`limited`: of one launch each), and every
    loop has one stride."""
    for made in launches:
        loops: list[tuple[int, int, bool]] = []
        tile, short = made.tile, made.short
        walker = _Walker(placement.layout, shape, memory.word_bytes, steps, tile, rows, short)
        if walker.jumps and "wrap" not in stream.abilities:
            yield f"stream of '{placement.port}' cannot jump from row to row"
            return
        for bound, strides, masked in walker.loops(mapping.inner, reduced):
            if len(set(strides)) > 1:
                yield f"stream of '{placement.port}' has no single stride over one of its loops"
                return
            if masked and "tail" not in stream.abilities:
                yield f"stream of '{placement.port}' cannot mask lanes"
                return
            stride = strides[0] if strides else 0
            last = loops[-1] if loops else None
            if last and not masked and not last[2] and stride == last[0] * last[1]:
                loops[-1] = (last[0] * bound, last[1], False)
            elif bound > 1 or masked:
                loops.append((bound, stride, masked))
        if limited and len(loops) > stream.loops:
            yield f"stream of '{placement.port}' needs {len(loops)} loops, it has {stream.loops}"
            return


@dataclass(frozen=True, slots=True)
class _Walker:
    """Walks one launch of a port and reports each loop, innermost first, with all its strides."""

    layout: Layout
    shape: Shape
    word: int
    steps: dict[str, int]
    tile: Mapping[str, int]
    rows: Rows | None
    short: int

    def loops(
        self, inner: Sequence[str], reduced: frozenset[str]
    ) -> Iterator[tuple[int, list[int], bool]]:
        """(bound, strides between its iterations, masked) of every loop; one whose lanes jump from
        row to row counts as masked."""
        shape = self.shape
        yield from self._beat()
        skipping = bool(shape.record_bytes)
        packed, count = shape.beat[-1]
        block = self.word // shape.dtype.bytes
        for dim in reversed(inner):
            if dim in reduced and (shape.written or shape.record_bytes or shape.pace):
                continue
            if self.rows is not None and dim == self.rows.row:
                yield from self._row_loop(self.rows, skipping=skipping)
                continue
            if self.rows is not None and dim == self.rows.lane:
                continue
            unit = self.steps.get(dim, 1)
            if dim == packed and not shape.written:
                unit = count if shape.record_bytes or self._whole() else max(count, block)
            bound = -(-self.tile[dim] // unit)
            relevant = shape.axis(dim) >= 0
            if skipping and (not relevant or bound == 1):
                continue
            skipping = False
            lane, lanes = shape.beat[0] if len(shape.beat) > 1 else ("", 1)
            masked = shape.strided and dim == lane and self.tile[dim] % lanes != 0
            if dim == packed and shape.pace and unit < block:
                words, part = -(-self.tile[dim] // block), min(bound, block // unit)
                yield part, self._strides(dim, unit, part), False
                bound, unit = words, block
            if bound > 1 or masked:
                yield bound, self._strides(dim, unit, bound), masked
        if shape.spare_lanes:
            yield 1, [], True

    def _row_loop(self, rows: Rows, *, skipping: bool) -> Iterator[tuple[int, list[int], bool]]:
        """The one loop over rows and lanes. Beats start at multiples of the width; in a row and
        from row to row distances must be constant."""
        shape = self.shape
        positions = self.tile[rows.row] * rows.length - self.short
        bound = -(-positions // rows.width)
        if shape.axis(rows.row) < 0:
            if bound > 1 and not skipping:
                yield bound, [0] * (bound - 1), False
            return
        lanes = self._strides(rows.lane, 1, rows.length)
        pitches = self._strides(rows.row, 1, self.tile[rows.row])
        masked = positions % rows.width != 0
        if len(set(lanes)) > 1 or len(set(pitches)) > 1:
            yield bound, [*lanes, *pitches], masked
        elif self.jumps:
            yield bound, [], True
        elif bound > 1 or masked:
            starts = self._places(rows)[:: rows.width]
            yield bound, [b - a for a, b in pairwise(starts)], masked

    @property
    def jumps(self) -> bool:
        """Whether the distance between neighbouring positions differs at the end of a row."""
        rows = self.rows
        if rows is None or self.shape.axis(rows.row) < 0:
            return False
        return len({b - a for a, b in pairwise(self._places(rows))}) > 1

    def _places(self, rows: Rows) -> list[int]:
        """Offsets of all positions of a launch in the order of its lanes."""
        positions = range(self.tile[rows.row] * rows.length - self.short)
        return [
            self._place(rows.row, p // rows.length) + self._place(rows.lane, p % rows.length)
            for p in positions
        ]

    def _place(self, dim: str, at: int) -> int:
        return _offset(self.layout, [a.coefficient(dim) * at for a in self.shape.indices])

    def _beat(self) -> Iterator[tuple[int, list[int], bool]]:
        shape = self.shape
        packed, count = shape.beat[-1]
        block = self.word // shape.dtype.bytes
        if shape.record_bytes:
            yield 2, [self.word], False
        elif shape.written and count > block:
            yield count // block, self._strides(packed, block, count // block), False
        elif not shape.strided and block > count and not self._whole():
            yield block // count, self._strides(packed, count, block // count), False

    def _whole(self) -> bool:
        """Whether a beat without strides is exactly one word."""
        shape = self.shape
        size = math.prod(n for _, n in shape.beat) * shape.dtype.bytes
        return not shape.strided and size == self.word

    def _strides(self, dim: str, unit: int, bound: int) -> list[int]:
        """Distances between neighbouring iterations of one loop."""
        places = []
        for i in range(bound):
            index = [a.coefficient(dim) * i * unit for a in self.shape.indices]
            places.append(_offset(self.layout, index))
        return [b - a for a, b in pairwise(places)]
