"""Stream patterns visit exactly the words that the codelet's subscripts and the layouts name."""

from __future__ import annotations

import itertools

import pytest

from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.mapper.mapping import Mapping, Role
from covenant.mapper.operands import Operand, operands, reduction_dims, step_extents
from covenant.mapper.placement import granule, offset
from covenant.mapper.solve import solve
from covenant.mapper.streams import Pattern, binding_of, job_counts, pattern
from mapper_samples import conv, gemm, snax

CASES = [
    (gemm(40, 72, 48), "2KiB"),
    (gemm(13, 20, 24, batch=2), "2KiB"),
    (gemm(24, 40, 16, wide=True), "2KiB"),
    (conv(16, 24, 10), "4KiB"),
    (conv(3, 8, 13, 5, 2), "4KiB"),
    (conv(16, 16, 9, 3, 1, groups=2, batch=2), "4KiB"),
    (conv(8, 16, 12, 1, 2), "2KiB"),
    (conv(16, 24, 10), "128KiB"),
    (conv(16, 16, 20, 3, 2), "128KiB"),
]


def _addresses(found: Pattern) -> list[int]:
    """Addresses of lane 0 in time order."""
    ranges = [range(b) for b in reversed(found.bounds)]
    strides = found.strides[::-1]
    return [
        found.base + sum(i * s for i, s in zip(index, strides, strict=True))
        for index in itertools.product(*ranges)
    ]


def _resident(mapping: Mapping, codelet: Codelet, port: str) -> dict[str, int]:
    inside = {
        loop.dim: loop.tile for loop in mapping.levels[0].loops[: mapping.placement(port).cut]
    }
    return {**codelet.extents, **inside}


def _beats(
    mapping: Mapping, codelet: Codelet, operand: Operand, tile: dict[str, int], acg: object
) -> list[list[int]]:
    """Expected byte offsets of every lane's first word, beat by beat, from subscripts alone."""
    word, layout = 8, mapping.placement(operand.port).layout
    extents = step_extents(acg, codelet, binding_of(mapping))  # type: ignore[arg-type]
    written = operand.role in (Role.OUTPUT, Role.PARTIAL)
    reduced = reduction_dims(codelet)
    dims = [d for d in mapping.inner if not (written and d in reduced)]
    whole = granule(operand, word)
    row, lane_dim = mapping.steps[0].rows, binding_of(mapping).dim("m")
    ranges = []
    for dim in dims:
        step = whole if dim == operand.packed and not written else extents[dim]
        if dim == row:
            ranges.append(range(0, tile[row] * tile[lane_dim], extents[lane_dim]))
        else:
            ranges.append(range(0, 1 if row and dim == lane_dim else tile[dim], step))
    beats = []
    for point in itertools.product(*ranges):
        at = dict.fromkeys(codelet.extents, 0) | dict(zip(dims, point, strict=True))
        first = at.get(row, 0)
        parts = [0]
        if written:
            parts = list(range(0, operand.beat[-1][1], operand.block(word)))
        elif not operand.strided:
            parts = list(range(0, whole, operand.beat[-1][1]))
        for part in parts:
            lanes = []
            for lane in range(operand.lanes if operand.strided else 1):
                here = dict(at)
                here[operand.packed] += part
                if row and operand.lane:
                    here[row], here[lane_dim] = divmod(first + lane, tile[lane_dim])
                    if here[row] >= tile[row]:
                        continue
                elif operand.lane:
                    here[operand.lane] += lane
                    if here[operand.lane] >= tile[operand.lane]:
                        continue
                elif lane:
                    continue
                index = [a.evaluate(here) - a.constant for a in operand.indices]
                lanes.append(offset(layout, index))
            beats.append(lanes)
    return beats


@pytest.mark.parametrize(("codelet", "size"), CASES, ids=lambda v: getattr(v, "name", v))
def test_pattern_visits_the_words_of_every_beat(codelet: Codelet, size: str) -> None:
    acg = snax(memories__l1__size=size)
    mapping = solve(codelet, acg)
    codelet = fuse(codelet, mapping.fused)
    tiles = {loop.dim: loop.tile for loop in mapping.levels[0].loops}
    full = {**codelet.extents, **tiles}
    tail = {
        d: codelet.extents[d] - (codelet.extents[d] - 1) // full[d] * full[d]
        for d in codelet.extents
    }
    for tile in (full, tail):
        for operand in operands(codelet, acg, binding_of(mapping)):
            if operand.record_bytes or operand.port not in [p.port for p in mapping.placements]:
                continue
            found = pattern(mapping, codelet, acg, operand.port, tile)
            expected = _beats(mapping, codelet, operand, tile, acg)
            assert _expand(found, operand) == expected
            assert len(found.bounds) <= acg.transfer(operand.stream).loops


def _expand(found: Pattern, operand: Operand) -> list[list[int]]:
    """Lane addresses of every beat with the tail mask applied; repeats collapse like the walk
    does."""
    lanes = operand.lanes if operand.strided else 1
    ranges = [range(b) for b in reversed(found.bounds)]
    beats = []
    for index in itertools.product(*ranges):
        inner_first = index[::-1]
        base = found.base + sum(i * s for i, s in zip(inner_first, found.strides, strict=True))
        enabled = lanes
        if (
            found.tail_lanes >= 0
            and inner_first[found.tail_loop] == found.bounds[found.tail_loop] - 1
        ):
            enabled = found.tail_lanes
        column = 0
        if found.row_lanes:
            column = inner_first[found.tail_loop] * found.row_step
        jumps = [
            (column + lane) // found.row_lanes * found.row_jump if found.row_lanes else 0
            for lane in range(enabled)
        ]
        beats.append([base + n * found.lane_stride + jump for n, jump in enumerate(jumps)])
    return beats


@pytest.mark.parametrize(("size", "kernel", "stride"), [(28, 3, 1), (27, 3, 2), (28, 5, 3)])
def test_lanes_through_rows_never_meet_in_a_bank(size: int, kernel: int, stride: int) -> None:
    codelet, acg = conv(32, 64, size, kernel, stride), snax()
    mapping = solve(codelet, acg)
    placement, memory = mapping.placement("a"), acg.memory("l1")
    operand = next(o for o in operands(codelet, acg, binding_of(mapping)) if o.port == "a")
    banks = memory.views[placement.addresses[0] // memory.size_bytes]
    assert operand.rows == "oy"
    assert banks >= {1: 8, 2: 16, 3: 8}[stride]
    tile = {**codelet.extents, **{x.dim: x.tile for x in mapping.levels[0].loops}}
    for beat in _expand(pattern(mapping, codelet, acg, "a", tile), operand):
        assert len({at // memory.word_bytes % banks for at in beat}) == len(beat)


def test_record_pattern_reads_one_record_per_reuse() -> None:
    codelet, acg = conv(16, 24, 10), snax()
    mapping = solve(codelet, acg)
    tiles = {**codelet.extents, **{x.dim: x.tile for x in mapping.levels[0].loops}}
    found = pattern(mapping, codelet, acg, "p", tiles)
    counts = job_counts(mapping, codelet, acg, tiles)
    words = len(_addresses(found)) * acg.transfer("stream_p").lanes
    assert words * 8 == 72 * counts.tiles // counts.reuse
