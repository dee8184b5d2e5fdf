"""Loops that the stream of an operand needs in one launch.

In: a space, rows of the innermost level. Out: counts, before coalescing but for runs that always
coalesce: neighbouring dims an operand does not depend on, and the reduction of a contiguous operand
when only its outermost dim is split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import granule, rows_continue
from covenant.mapper.rows import Rows
from covenant.mapper.space import Row, Space
from covenant.mapper.streams import stream_lanes


@dataclass(frozen=True, slots=True)
class StreamLimit:
    """Loops that a stream has left for a launch, and the runs of dims that may need one each:
    whether the dim does, by the row of its tile."""

    left: int
    runs: tuple[tuple[tuple[str, tuple[bool, ...]], ...], ...]

    def enough(self, rows: Mapping[str, int]) -> bool:
        """Whether a launch with these rows of tiles has loops enough; other dims are whole."""
        used = sum(any(flags[rows.get(dim, 0)] for dim, flags in run) for run in self.runs)
        return used <= self.left


def stream_limits(space: Space) -> tuple[StreamLimit, ...]:
    """The limit of every stream; none where launches can be divided."""
    if space.acg.divides_launches:
        return ()
    return tuple(
        StreamLimit(
            space.acg.transfer(o.stream).loops - beat_loops(space, o),
            tuple(
                tuple((d, tuple(needs_loop(space, o, d, r) for r in space.rows[d])) for d in run)
                for run in runs(space, o)
            ),
        )
        for o in space.operands
        if not o.follows
    )


def beat_loops(space: Space, operand: Operand) -> int:
    """Loops inside a beat or a record, and the one that masks lanes which an operand has not."""
    word = space.acg.memory(operand.memory).word_bytes
    if operand.record_bytes:
        return 1
    masked = int(operand.strided and not operand.lane and stream_lanes(space.acg, operand) > 1)
    if operand.role in (Role.OUTPUT, Role.PARTIAL):
        return masked + int(operand.beat[-1][1] > operand.block(word))
    return masked


def runs(space: Space, operand: Operand) -> list[list[str]]:
    """Dims of one launch, grouped into runs that coalesce into one loop."""
    written = operand.role in (Role.OUTPUT, Role.PARTIAL) or operand.record_bytes > 0
    stays = set(space.swept) == set(space.reduced)
    found: list[list[str]] = []
    kind = ""
    dense = not operand.strided and not operand.record_bytes
    reduced = [d for d in space.inner if d in space.reduced]
    merged = set(reduced) if all(len(space.rows[d]) == 1 for d in reduced[1:]) else set()
    if not merged and all(len(space.rows[d]) == 1 for d in reduced[:-1]):
        merged = set(reduced[:-1])
    for dim in space.inner:
        if dim in space.reduced and ((written and stays) or operand.pace):
            continue
        now = "repeat" if dim not in operand.dims else "own"
        if dense and dim in merged:
            now = "reduction"
        if found and now == kind and now != "own":
            found[-1].append(dim)
        else:
            found.append([dim])
        kind = now
    if operand.record_bytes and found and found[-1][0] not in operand.dims:
        found.pop()
    return found


def needs_loop(space: Space, operand: Operand, dim: str, row: Row) -> bool:
    """Whether the stream of an operand needs a loop for a dim with this row."""
    through = space.through
    if through is not None and dim == through.lane:
        return False
    if through is not None and dim == through.row:
        return _needs_row_loop(space, operand, through, row)
    unit = dict(operand.pace).get(dim, 1) if operand.pace else space.steps[dim]
    read = operand.role in (Role.INPUT, Role.CONSTANT) and not operand.record_bytes
    if dim == operand.packed and read:
        unit = granule(operand, space.acg.memory(operand.memory).word_bytes)
    tail = space.extents[dim] - (row.trips - 1) * row.tile
    masked = operand.strided and dim == operand.lane
    if masked and (row.tile % operand.lanes or tail % operand.lanes):
        return True
    return -(-row.tile // unit) > 1


def _needs_row_loop(space: Space, operand: Operand, through: Rows, row: Row) -> bool:
    """The one loop over rows and lanes together: also one turn of it counts where the stream must
    know how far it is in its row."""
    tail = space.extents[through.row] - (row.trips - 1) * row.tile
    masked = any(tile * through.length % through.lanes for tile in (row.tile, tail))
    if operand.rows and (masked or not rows_continue(operand)):
        return True
    return space.job_steps(through.row, row.tile) > 1
