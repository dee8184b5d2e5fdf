"""Gemmini's hand rule for tiles of a GEMM, the DRAM bytes it moves, and its program.

The rule as its library applies it (double buffers, so half of each memory): a square of result
tiles that fits the accumulator, as deep as the scratchpad allows, then one more block of columns,
of rows, of depth in turn while both memories hold it. Loops: rows, columns, reduction innermost;
both operands are moved in for every block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import isqrt

from covenant.emit.program import Instruction

MOST_BLOCKS = 4
"""Blocks of columns that one mvin moves."""


@dataclass(frozen=True, slots=True)
class Core:
    """Side of the array; rows of the scratchpad (one int8 per column) and of the accumulator."""

    side: int
    scratchpad_rows: int
    accumulator_rows: int


@dataclass(frozen=True, slots=True)
class Tiles:
    """Blocks of `side` per tile: rows, columns, depth."""

    rows: int
    columns: int
    depth: int


@dataclass(frozen=True, slots=True)
class Block:
    """A place in a GEMM, or a part of it, in blocks: rows, columns, depth."""

    rows: int
    columns: int
    depth: int


@dataclass(frozen=True, slots=True)
class Homes:
    """Byte addresses off chip of A, B and the result, row-major; scale: bits of the float."""

    a: int
    b: int
    y: int
    scale: int = 0x3F800000


def hand_tiles(m: int, n: int, k: int, core: Core) -> Tiles:
    """The tiles the rule chooses."""
    rows, columns, depth = (-(-x // core.side) for x in (m, n, k))
    half = core.scratchpad_rows // 2 // core.side
    sums = core.accumulator_rows // 2 // core.side
    square = max(1, isqrt(sums))
    tile = [min(rows, square), min(columns, square), min(depth, half // 2 // square)]
    limits = (rows, columns, depth)

    def fits(i: int, j: int, d: int) -> bool:
        return (i + j) * d <= half and i * j <= sums

    grown = True
    while grown:
        grown = False
        for at in (1, 0, 2):
            larger = [x + (place == at) for place, x in enumerate(tile)]
            if larger[at] <= limits[at] and fits(*larger):
                tile, grown = larger, True
    return Tiles(*tile)


def hand_dram_bytes(m: int, n: int, k: int, core: Core) -> int:
    """DRAM bytes of the rule, int8 operands and results: each operand once per pass."""
    tiles = hand_tiles(m, n, k, core)
    row_passes = -(-m // (tiles.rows * core.side))
    column_passes = -(-n // (tiles.columns * core.side))
    return m * k * column_passes + k * n * row_passes + m * n


def hand_program(m: int, n: int, k: int, core: Core, homes: Homes) -> list[Instruction]:
    """The rule as a program of Gemmini's instructions, int8 in and out, sizes in whole blocks.

    Per tile, depth innermost: rows of A and B come in as they are needed, up to four blocks by one
    instruction, into one half of the scratchpad and then the other; for every block of weights one
    preload, then a compute per block of rows that keeps them; sums leave after the last tile of the
    depth. This is what the library's call does, and what the hardware's loop issues.
    """
    tiles = hand_tiles(m, n, k, core)
    side = core.side
    rows, columns, depth = (x // side for x in (m, n, k))
    found = [Instruction("config_ex"), Instruction("flush")]
    for name, unit, stride in (("config_ld", "load_a", k), ("config_ld2", "load_b", n)):
        block = (("dst.word_stride", side * side), ("src.stride[0]", stride))
        found.append(Instruction(name, unit, block))
    stored = (("lo", -128), ("y.stride[0]", n), ("scale", homes.scale))
    found.append(Instruction("config_st", "scale_out", stored))
    step = done = 0
    for i in range(0, rows, tiles.rows):
        for j in range(0, columns, tiles.columns):
            for d in range(0, depth, tiles.depth):
                at = Block(i, j, d)
                ends = Block(
                    min(tiles.rows, rows - i),
                    min(tiles.columns, columns - j),
                    min(tiles.depth, depth - d),
                )
                halves = step % 2, done % 2
                found += _tile(at, ends, (n, k), core, homes, halves, last=d + ends.depth == depth)
                step += 1
            done += 1
    return found


def _tile(
    at: Block,
    size: Block,
    pitches: tuple[int, int],
    core: Core,
    homes: Homes,
    halves: tuple[int, int],
    *,
    last: bool,
) -> Iterator[Instruction]:
    """One tile: at, size: in blocks; halves: of the scratchpad and of the accumulator."""
    n, k = pitches
    side = core.side
    block = side * side
    near = halves[0] * core.scratchpad_rows // 2 * side
    weights = near + core.scratchpad_rows // 2 * side - size.depth * size.columns * block
    sums = halves[1] * core.accumulator_rows // 2 * side * 4
    for d, j, i in product(range(size.depth), range(size.columns), range(size.rows)):
        if j == 0 and d % MOST_BLOCKS == 0:
            source = homes.a + (at.rows + i) * side * k + (at.depth + d) * side
            run = min(MOST_BLOCKS, size.depth - d)
            yield _load("mvin", "load_a", source, run, near + (i * size.depth + d) * block)
        if i == 0 and j % MOST_BLOCKS == 0:
            source = homes.b + (at.depth + d) * side * n + (at.columns + j) * side
            run = min(MOST_BLOCKS, size.columns - j)
            yield _load("mvin2", "load_b", source, run, weights + (d * size.columns + j) * block)
        to = sums + (i * size.columns + j) * block * 4
        resume = int(at.depth + d > 0)
        into = (("acc.tail_lanes", side), ("resume", resume), ("acc.base", to))
        if i == 0:
            source = weights + (d * size.columns + j) * block
            yield Instruction(
                "preload", "mesh", (("b.tail_lanes", side), ("b.base", source), *into)
            )
        else:
            yield Instruction("preload_none", "mesh", into)
        name = "compute_accumulated" if i else "compute_preloaded"
        taken = (("a.tail_lanes", side), ("a.base", near + (i * size.depth + d) * block))
        yield Instruction(name, "mesh", (*taken, ("hold", int(i > 0))), launches=True)
        if last and d == size.depth - 1:
            target = homes.y + (at.rows + i) * side * n + (at.columns + j) * side
            moved = (("y.base", target), ("acc.bound[0]", side), ("acc.base", to))
            yield Instruction("mvout", "scale_out", (*moved, ("function", 0)), launches=True)


def _load(name: str, unit: str, source: int, run: int, to: int) -> Instruction:
    rows = (("src.base", source), ("bound[0]", 16), ("run", run), ("dst.base", to))
    return Instruction(name, unit, (*rows, ("fill", 0)), launches=True)
