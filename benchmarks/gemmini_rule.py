"""Gemmini's hand rule for tiles of a GEMM, and the DRAM bytes it moves.

The rule as its library applies it (double buffers, so half of each memory): a square of result
tiles that fits the accumulator, as deep as the scratchpad allows, then one more block of columns,
of rows, of depth in turn while both memories hold it. Loops: rows, columns, reduction innermost;
both operands are moved in for every block.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt


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
