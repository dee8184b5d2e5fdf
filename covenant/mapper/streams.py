"""Stream patterns: what a launch writes into the registers of every stream.

In: a mapping, a port, the tile of one launch. Out: `Pattern` (loops innermost first, strides in
bytes) and `JobCounts`. Pure and without OR-Tools: the emitter, the model's loop limits and the
tests use it. RTL: stream address generators (one temporal loop nest, lanes, tail mask), array
counters.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.mapper.candidates import Binding
from covenant.mapper.mapping import Layout, Mapping, Role
from covenant.mapper.operands import (
    Operand,
    operands,
    reduction_dims,
    step_extents,
)
from covenant.mapper.placement import advance, granule, lane_stride, offset, word_stride
from covenant.mapper.rows import rows_of, steps_along


@dataclass(frozen=True, slots=True)
class Pattern:
    """One stream of one launch.

    base: bytes from the start of the buffer copy; bounds and strides innermost first, coalesced;
    lane_stride: bytes between lanes; word_stride: bytes between the words of a lane;
    in the last iteration of loop `tail_loop` only `tail_lanes` lanes are enabled (tail_lanes -1:
    all). row_lanes: lanes in a row, 0 when there is one endless row; loop `tail_loop` moves on by
    `row_step` lanes and what its stride says, and the end of a row adds `row_jump` bytes.
    """

    base: int
    bounds: tuple[int, ...]
    strides: tuple[int, ...]
    lane_stride: int
    word_stride: int
    tail_loop: int
    tail_lanes: int
    row_lanes: int = 0
    row_step: int = 0
    row_jump: int = 0


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Counters of one launch: array steps per output tile, output tiles, tiles per record (0 when
    there are no records)."""

    steps: int
    tiles: int
    reuse: int


@dataclass(frozen=True, slots=True)
class _Loop:
    bound: int
    stride: int
    masked: bool = False


def binding_of(mapping: Mapping) -> Binding:
    """The binding a mapping was made with."""
    return Binding(mapping.steps, mapping.rewriting)


def job_counts(
    mapping: Mapping, codelet: Codelet, acg: Acg, tile: Map[str, int], short: int = 0
) -> JobCounts:
    """Counters of a launch over `tile` (iterations of every dim; dims left out count as 1), of
    whose rows `short` positions are left out at the end."""
    codelet = fuse(codelet, mapping.fused)
    placed = operands(codelet, acg, binding_of(mapping))
    extents = step_extents(acg, codelet, binding_of(mapping))
    reduced = reduction_dims(codelet)
    count = _counts(mapping, codelet, acg, extents, tile, short)
    outer = [d for d in mapping.inner if d not in reduced]
    record = [o for o in placed if o.record_bytes and not o.once]
    reuse = prod(count[d] for d in _reused(outer, record[0], count)) if record else 0
    return JobCounts(prod(count[d] for d in reduced), prod(count[d] for d in outer), reuse)


def _reused(outer: list[str], record: Operand, count: Map[str, int]) -> list[str]:
    """Innermost dims of the result that a record does not change with (dims of one count are
    free)."""
    found: list[str] = []
    for dim in reversed(outer):
        if dim in record.dims and count[dim] > 1:
            break
        found.append(dim)
    return found


def pattern(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    port: str,
    tile: Map[str, int],
    origin: Map[str, int] | None = None,
    short: int = 0,
) -> Pattern:
    """Stream of `port` (an operand's port, `acc` for partial sums both ways, or a record's name).

    tile: iterations of every dim in this launch; origin: position of the launch inside the resident
    tile, per dim (0 where left out); short: positions left out at the end of its rows.
    """
    codelet = fuse(codelet, mapping.fused)
    operand = next(o for o in operands(codelet, acg, binding_of(mapping)) if o.port == port)
    layout = mapping.placement(port).layout
    return operand_pattern(mapping, codelet, acg, operand, layout, tile, origin or {}, short)


def operand_pattern(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    operand: Operand,
    layout: Layout,
    tile: Map[str, int],
    origin: Map[str, int],
    short: int = 0,
) -> Pattern:
    """Stream of an operand whose resident tile has `layout`; short: positions left out at the end
    of its rows."""
    extents = step_extents(acg, codelet, binding_of(mapping))
    reduced = reduction_dims(codelet)
    count = _counts(mapping, codelet, acg, extents, tile, short)
    word = acg.memory(operand.memory).word_bytes
    at = [a.evaluate({d: origin.get(d, 0) for d in a.dims}) - a.constant for a in operand.indices]
    if operand.record_bytes:
        loops = _record_loops(mapping, acg, operand, layout, count, reduced)
        bounds, strides, _ = _coalesce(loops)
        return Pattern(offset(layout, at), bounds, strides, word, word, 0, -1)
    rows = _row_walk(operand, layout, lane_stride(operand, layout, word))
    positions = tile.get(operand.lane, 1) * (tile.get(operand.rows, 1) if operand.rows else 1)
    tail = (positions - short) % operand.lanes if operand.strided else 0
    written = operand.role.value in ("output", "partial")
    loops = _beat_loops(operand, layout, word, written=written)
    for dim in reversed(mapping.inner):
        if dim in reduced and written:
            continue
        if operand.rows and dim in (operand.rows, operand.lane):
            fixed = tail > 0 or rows.row_lanes > 0
            if dim == operand.rows and (count[dim] > 1 or fixed):
                loops.append(_Loop(count[dim], rows.stride, fixed))
            continue
        loops += _dim_loops(operand, layout, dim, count, extents, word, masked=bool(tail))
    if operand.strided and not operand.lane and stream_lanes(acg, operand) > 1:
        tail = 1
        loops += [_Loop(1, 0, masked=True)]
    made = _made(operand, layout, word, at, loops, tail)
    return replace(made, row_lanes=rows.row_lanes, row_step=rows.row_step, row_jump=rows.row_jump)


def _made(
    operand: Operand, layout: Layout, word: int, at: Sequence[int], loops: list[_Loop], tail: int
) -> Pattern:
    bounds, strides, tail_loop = _coalesce(loops)
    return Pattern(
        base=offset(layout, at),
        bounds=bounds,
        strides=strides,
        lane_stride=lane_stride(operand, layout, word),
        word_stride=word_stride(operand, layout, word),
        tail_loop=max(0, tail_loop),
        tail_lanes=tail if tail else -1,
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """Steps of one launch: dims outermost first, elements per step of every dim, iterations of
    every dim. Every stream of the launch follows it, beat by beat."""

    order: tuple[str, ...]
    extents: Map[str, int]
    tile: Map[str, int]

    def count(self, dim: str) -> int:
        """Steps along a dim."""
        return -(-self.tile.get(dim, 1) // self.extents.get(dim, 1))

    def reuse(self, record: Operand) -> int:
        """Steps that one record serves."""
        count = {d: self.count(d) for d in self.order}
        return prod(count[d] for d in _reused(list(self.order), record, count))


def walked(
    acg: Acg, operand: Operand, layout: Layout, walk: Walk, *, wide: bool, once: bool
) -> Pattern | None:
    """Stream of an operand along a walk, from the start of its tile; None when it is no nest of
    loops. wide: a beat carries all words of its lanes; once: a beat stays in the node for the steps
    that need no other (the stationary operand)."""
    word = acg.memory(operand.memory).word_bytes
    if operand.record_bytes:
        count = {d: walk.count(d) for d in walk.order}
        made = _records_along(acg, operand, layout, list(walk.order), count)
        bounds, strides, _ = _coalesce(made)
        return Pattern(0, bounds, strides, word, word, 0, -1)
    tail = walk.tile.get(operand.lane, 1) % operand.lanes if operand.strided else 0
    words = -(-operand.beat[-1][1] // operand.block(word))
    block = advance(layout, operand.packed_axis, operand.block(word)) if words > 1 else 0
    loops = [_Loop(words, block)] if words > 1 and not wide and operand.strided else []
    dims = list(reversed(walk.order))
    while once and dims and dims[0] not in operand.dims:
        dims.pop(0)
    for dim in dims:
        found = _walk_loops(operand, layout, walk, dim, word, masked=bool(tail))
        if found is None:
            return None
        loops += found
    if operand.strided and not operand.lane and stream_lanes(acg, operand) > 1:
        tail, loops = 1, [*loops, _Loop(1, 0, masked=True)]
    return _made(operand, layout, word, [0] * len(operand.indices), loops, tail)


def _walk_loops(
    operand: Operand, layout: Layout, walk: Walk, dim: str, word: int, *, masked: bool
) -> list[_Loop] | None:
    """Loops of one dim; two where steps are narrower than a word and the words do not follow one
    another, None where the last word is not filled then."""
    bound, unit = walk.count(dim), walk.extents.get(dim, 1)
    is_lane = masked and dim == operand.lane
    if bound == 1 and not is_lane:
        return []

    def stride(elements: int) -> int:
        moved = ((i, a.coefficient(dim)) for i, a in enumerate(operand.indices))
        return sum(advance(layout, i, elements * c) for i, c in moved if c)

    if dim != operand.packed or unit >= operand.block(word):
        return [_Loop(bound, stride(unit), masked=is_lane)]
    inner = operand.block(word) // unit
    if bound <= inner:
        return [_Loop(bound, stride(unit), masked=is_lane)]
    across = stride(unit * inner)
    if across == inner * stride(unit):
        return [_Loop(bound, stride(unit), masked=is_lane)]
    if bound % inner or is_lane:
        return None
    return [_Loop(inner, stride(unit)), _Loop(bound // inner, across)]


def stream_lanes(acg: Acg, operand: Operand) -> int:
    """Lanes of the stream that carries a strided operand, of which the operand may use fewer."""
    stream = acg.transfer(operand.stream)
    if stream.target == operand.memory or operand.role is Role.PARTIAL:
        return stream.lanes
    run = operand.beat[-1][1] * operand.dtype.bytes
    return stream.lanes // max(1, run // acg.memory(operand.memory).word_bytes)


@dataclass(frozen=True, slots=True)
class _RowWalk:
    """How lanes run through rows: `stride` from beat to beat, see `Pattern` for the others."""

    stride: int = 0
    row_lanes: int = 0
    row_step: int = 0
    row_jump: int = 0


def _row_walk(operand: Operand, layout: Layout, apart: int) -> _RowWalk:
    """Lanes run on without a jump where the next row follows at the lanes' distance."""
    if not operand.rows:
        return _RowWalk()
    pitch = sum(
        advance(layout, axis, index.coefficient(operand.rows))
        for axis, index in enumerate(operand.indices)
        if index.coefficient(operand.rows)
    )
    whole, step = divmod(operand.lanes, operand.row_lanes)
    jump = pitch - operand.row_lanes * apart
    stride = whole * pitch + step * apart
    return _RowWalk(stride, operand.row_lanes, step, jump) if jump else _RowWalk(stride)


def _counts(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    extents: dict[str, int],
    tile: Map[str, int],
    short: int,
) -> dict[str, int]:
    """Array steps of a launch along every dim."""
    rows = rows_of(codelet, acg, binding_of(mapping))
    found = {d: steps_along(extents, rows, d, tile.get(d, 1)) for d in mapping.inner}
    if rows is not None:
        positions = tile.get(rows.row, 1) * rows.length - short
        found[rows.row] = -(-positions // rows.lanes)
    return found


def _beat_loops(operand: Operand, layout: Layout, word: int, *, written: bool) -> list[_Loop]:
    """Loops inside one output tile or one granule: the words of a written tile's columns, or the
    array steps that one granule of a contiguous operand serves."""
    block, packed = operand.block(word), operand.beat[-1][1]
    if written:
        words = -(-packed // block)
        return [_Loop(words, advance(layout, operand.packed_axis, block))] if words > 1 else []
    if operand.strided:
        return []
    whole = granule(operand, word)
    stride = operand.lanes * packed * operand.dtype.bytes
    return [_Loop(whole // packed, stride)] if whole > packed else []


def _dim_loops(
    operand: Operand,
    layout: Layout,
    dim: str,
    count: Map[str, int],
    extents: Map[str, int],
    word: int,
    *,
    masked: bool,
) -> list[_Loop]:
    """The loop of one dim: stride 0 where the operand does not depend on it."""
    bound, unit = count[dim], extents[dim]
    if dim == operand.packed and operand.role.value not in ("output", "partial"):
        whole = granule(operand, word)
        bound, unit = -(-bound * unit // whole), whole
    is_lane = masked and dim == operand.lane
    if bound == 1 and not is_lane:
        return []
    stride = 0
    for axis, index in enumerate(operand.indices):
        coefficient = index.coefficient(dim)
        if coefficient:
            stride += advance(layout, axis, unit * coefficient)
    return [_Loop(bound, stride, masked=is_lane)]


def _record_loops(
    mapping: Mapping,
    acg: Acg,
    operand: Operand,
    layout: Layout,
    count: Map[str, int],
    reduced: tuple[str, ...],
) -> list[_Loop]:
    outer = [d for d in mapping.inner if d not in reduced]
    return _records_along(acg, operand, layout, outer, count)


def _records_along(
    acg: Acg, operand: Operand, layout: Layout, outer: list[str], count: Map[str, int]
) -> list[_Loop]:
    """Words of a record beat by beat, then the records; tiles served by one record make no loop."""
    stream = acg.transfer(operand.stream)
    word = acg.memory(operand.memory).word_bytes
    beat = stream.lanes * word if stream.lanes else word
    loops = [_Loop(operand.record_bytes // beat, beat)]
    reused = _reused(outer, operand, count)
    for dim in reversed([d for d in outer if d not in reused]):
        axis = next((i for i, a in enumerate(operand.indices) if dim in a.dims), -1)
        unit = operand.beat[0][1] if dim == operand.packed else 1
        loops.append(_Loop(count[dim], advance(layout, axis, unit) if axis >= 0 else 0))
    return loops


def _coalesce(loops: list[_Loop]) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Bounds and strides innermost first without loops of one iteration, neighbours merged where
    the outer stride continues the inner loop; the index of the masked loop, -1 when there is
    none."""
    kept: list[_Loop] = []
    for loop in loops:
        if loop.bound == 1 and not loop.masked:
            continue
        last = kept[-1] if kept else None
        joins = last is not None and loop.stride == last.stride * last.bound
        if last is not None and joins and not loop.masked and not last.masked:
            kept[-1] = _Loop(last.bound * loop.bound, last.stride)
        else:
            kept.append(loop)
    masked = next((i for i, loop in enumerate(kept) if loop.masked), -1)
    return tuple(x.bound for x in kept), tuple(x.stride for x in kept), masked
