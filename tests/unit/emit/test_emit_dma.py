"""Transfers between layouts, and packing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from covenant.core.diagnostics import CovenantError, Span
from covenant.core.dtypes import DType
from covenant.emit.dma import Descriptor, Side, fill, move
from covenant.emit.packing import capacity, pack, pack_records, unpack
from covenant.emit.transfers import clip, held_parts
from covenant.mapper.candidates import match
from covenant.mapper.mapping import Layout, LayoutAxis
from covenant.mapper.operands import operands
from mapper_samples import conv, snax

NOWHERE = Span("test")


def blocked(channels: int, rows: int, columns: int) -> Layout:
    """[channel blocks of 8][rows][columns][8]."""
    blocks = -(-channels // 8)
    return Layout(
        (
            LayoutAxis(0, 8, blocks, rows * columns * 8),
            LayoutAxis(1, 1, rows, columns * 8),
            LayoutAxis(2, 1, columns, 8),
            LayoutAxis(0, 1, 8, 1),
        ),
        blocks * rows * columns * 8,
    )


def rows_of(d: Descriptor) -> list[tuple[int, int]]:
    """(off-chip word, on-chip word) pairs that a descriptor moves."""
    pairs = [(d.far_base, d.near_base)]
    for bound, far, near in zip(d.bounds, d.far_strides, d.near_strides, strict=True):
        pairs = [(f + i * far, n + i * near) for i in range(bound) for f, n in pairs]
    return [(f + 8 * i, n + d.near_word_stride * i) for f, n in pairs for i in range(d.run)]


def test_move_of_a_whole_tensor_is_one_row() -> None:
    layout = blocked(16, 4, 4)
    sides = Side(layout, (0, 0, 0), 1024), Side(layout, (0, 0, 0), 64)
    (found,) = move(*sides, (16, 4, 4), 1, 8, 4, NOWHERE)
    assert found == Descriptor(1024, 64, 32, 8, (), (), ())


@pytest.mark.parametrize("loops", [0, 1, 4])
def test_move_of_a_tile_covers_exactly_its_words(loops: int) -> None:
    far, near = blocked(24, 9, 10), blocked(16, 4, 5)
    moves = list(
        move(Side(far, (8, 2, 3), 0), Side(near, (0, 1, 0), 0), (16, 3, 5), 1, 8, loops, NOWHERE)
    )
    got = sorted(pair for found in moves for pair in rows_of(found))
    expected = sorted(
        ((c * 90 + y * 10 + x) * 8, ((c - 1) * 20 + (y - 2 + 1) * 5 + x - 3) * 8)
        for c in (1, 2)
        for y in (2, 3, 4)
        for x in range(3, 8)
    )
    assert got == expected
    assert (len(moves) == 1) == (loops == 4)


def test_move_packs_whole_blocks_of_a_ragged_axis() -> None:
    far, near = blocked(13, 2, 2), blocked(13, 2, 2)
    (found,) = move(Side(far, (0, 0, 0), 0), Side(near, (0, 0, 0), 0), (13, 2, 2), 1, 8, 4, NOWHERE)
    assert found.run == 8


def test_move_refuses_to_start_inside_a_block() -> None:
    layout = blocked(16, 2, 2)
    with pytest.raises(CovenantError, match="packed in blocks of 8"):
        list(
            move(
                Side(layout, (4, 0, 0), 0), Side(layout, (0, 0, 0), 0), (8, 2, 2), 1, 8, 4, NOWHERE
            )
        )


def test_fill_covers_a_column_of_padding() -> None:
    layout = blocked(8, 4, 6)
    side = Side(layout, (0, 0, 5), 0)
    (found,) = fill(side, side, (8, 4, 1), 1, 8, 4, NOWHERE)
    assert sorted(n for _, n in rows_of(found)) == [(y * 6 + 5) * 8 for y in range(4)]


@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8, DType.INT32])
def test_unpack_inverts_pack(dtype: DType) -> None:
    unit = dtype.bytes
    layout = Layout(
        (
            LayoutAxis(0, 4, 3, 96 * unit),
            LayoutAxis(1, 1, 5, 16 * unit),
            LayoutAxis(0, 1, 4, unit),
        ),
        3 * 96 * unit,
    )
    values = np.arange(50).reshape(10, 5).astype(dtype.numpy)
    content = pack(values, layout, dtype, 7)
    assert capacity(layout, 2) == (12, 5)
    assert (unpack(content, layout, dtype, (10, 5)) == values).all()
    assert (unpack(content, layout, dtype, (12, 5))[10:] == 7).all()


def test_records_lie_one_after_the_other() -> None:
    layout = Layout((LayoutAxis(0, 1, 2, 32), LayoutAxis(1, 8, 2, 16)), 64)
    records = np.arange(2 * 2 * 9, dtype=np.uint8).reshape(2, 2, 9)
    content = pack_records(records, layout)
    assert (content[32 + 16 : 32 + 16 + 9] == records[1, 1]).all()


def test_move_leaves_out_the_positions_between() -> None:
    far, near = blocked(8, 9, 10), blocked(8, 3, 10)
    near = replace(near, axes=tuple(replace(a, step=3) if a.axis == 1 else a for a in near.axes))
    sides = Side(far, (0, 2, 0), 0), Side(near, (0, 3, 0), 0, (1, 3, 1))
    pairs = [p for d in move(*sides, (8, 4, 10), 1, 8, 4, NOWHERE) for p in rows_of(d)]
    expected = [
        ((y * 10 + x) * 8, ((y - 2) // 3 + 1) * 80 + x * 8) for y in (2, 5) for x in range(10)
    ]
    assert sorted(pairs) == sorted(expected)


@pytest.mark.parametrize("low", range(-7, 3))
@pytest.mark.parametrize("every", [2, 3])
def test_parts_of_a_tile_begin_and_end_at_positions_it_holds(low: int, every: int) -> None:
    codelet = conv(8, 8, 10, 1, every, 0)
    found = next(
        o for o in operands(codelet, snax(), match(codelet, snax()).bindings[0]) if o.every
    )
    box = ((0, 1), (0, 1), (0, 8), (low, 3 * every + 1), (0, 1))
    inside, slabs = held_parts(found, box)
    held = range(low, low + 3 * every + 1, every)
    assert found.every == (1, 1, 1, every, 1)
    first, count = inside[3]
    real = [y for y in held if 0 <= y < 10]
    assert list(range(first, first + count, every)) == real
    around = [y for s in slabs for y in range(s[3][0], s[3][0] + s[3][1], every)]
    assert sorted(around) == [y for y in held if y not in real]
    assert all(count > 0 for slab in slabs for _, count in slab)


@pytest.mark.parametrize(
    "box",
    [
        ((0, 8), (-1, 4), (-2, 14)),
        ((0, 8), (8, 5), (0, 10)),
        ((0, 8), (-4, 3), (2, 3)),
        ((0, 8), (12, 3), (-1, 2)),
        ((0, 8), (1, 4), (2, 3)),
    ],
)
def test_clip_splits_a_box_into_disjoint_parts(box: tuple[tuple[int, int], ...]) -> None:
    inside, slabs = clip(box, (8, 10, 10))
    seen: dict[tuple[int, int], int] = {}
    for part, is_inside in ((inside, True), *((s, False) for s in slabs)):
        for y in range(part[1][0], part[1][0] + part[1][1]):
            for x in range(part[2][0], part[2][0] + part[2][1]):
                assert (0 <= y < 10 and 0 <= x < 10) == is_inside
                seen[y, x] = seen.get((y, x), 0) + 1
    assert set(seen.values()) == {1}
    assert len(seen) == box[1][1] * box[2][1]
