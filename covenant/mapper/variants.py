"""Variants of a binding that compute the same in another way: lanes that run through rows.

In: bindings found by unification. Out: all of them and their variants, for the mapper to choose
from. What a variant is worth depends on tiles; here only what its streams can do is decided.
"""

from __future__ import annotations

from dataclasses import replace

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.expression import Ref
from covenant.mapper.candidates import Binding
from covenant.mapper.operands import (
    Operand,
    capability_of,
    operands,
    reduction_dims,
    strided_dims,
    swept_dims,
)
from covenant.mapper.placement import row_banks, rows_continue
from covenant.mapper.rewrite import AS_WRITTEN, main_step

WRAP = "wrap"
"""The ability of a stream to run its lanes through rows at any distance."""

MASK = "tail"
"""The ability of a stream to leave out lanes in the last beat of a loop."""

LONGEST_ROW = 1024
"""Lanes of a row; in longer ones the lanes without work at its end do not count."""


def variants(codelet: Codelet, acg: Acg, bindings: tuple[Binding, ...]) -> tuple[Binding, ...]:
    """Every binding, each followed by its variants."""
    found: list[Binding] = []
    for binding in bindings:
        through = _through_rows(codelet, acg, binding)
        found += [binding, *([through] if through is not None else [])]
    return tuple(found)


def _through_rows(codelet: Codelet, acg: Acg, binding: Binding) -> Binding | None:
    """The binding whose lanes go on in the next row, None when that saves no beat, a stream cannot
    follow, or sums do not stay in the node."""
    if binding.rewriting != AS_WRITTEN or main_step(codelet) != 0:
        return None
    if set(swept_dims(codelet, acg, binding)) != set(reduction_dims(codelet)):
        return None
    first = binding.steps[0]
    dims = dict(first.dims)
    lanes = [d for d in strided_dims(acg, first) if d in dims]
    if len(lanes) != 1:
        return None
    lane = dims[lanes[0]]
    row = _row_of(codelet, lane, set(dims.values()))
    width = capability_of(acg, first).extents.get(lanes[0], 1)
    length = codelet.dim(lane).extent
    if not row or length > LONGEST_ROW:
        return None
    count = codelet.dim(row).extent
    if count * -(-length // width) <= -(-count * length // width):
        return None
    made = replace(binding, steps=(replace(first, rows=row), *binding.steps[1:]))
    through = [o for o in operands(codelet, acg, made) if o.rows]
    wraps = any(WRAP in acg.transfer(o.stream).abilities for o in through)
    return made if wraps and all(_can_follow(acg, o) for o in through) else None


def _row_of(codelet: Codelet, lane: str, bound: set[str]) -> str:
    """The dim next to the lanes' own that occurs in the same tensors, "" without one."""
    names = [d.name for d in codelet.dims]
    at = names.index(lane)
    row = names[at - 1] if at else ""
    if not row or row in bound or codelet.dim(row).extent == 1:
        return ""
    return row if _tensors(codelet, row) == _tensors(codelet, lane) else ""


def _tensors(codelet: Codelet, dim: str) -> frozenset[str]:
    refs: list[Ref] = [r for s in codelet.steps for r in (s.target, *s.refs)]
    return frozenset(r.name for r in refs if any(dim in i.dims for i in r.indices))


def _can_follow(acg: Acg, operand: Operand) -> bool:
    """Rows follow one another at the lanes' distance, or the stream jumps between them and rows can
    be as far apart as the banks want it; lanes behind the last row are masked."""
    abilities = acg.transfer(operand.stream).abilities
    if acg.memory(operand.memory).per:  # a lane stays with its instance
        return False
    if MASK not in abilities or not (rows_continue(operand) or WRAP in abilities):
        return False
    if rows_continue(operand):
        return True
    last = len(operand.indices) - 1
    dims = (operand.rows, operand.lane)
    axes = [next(i for i, a in enumerate(operand.indices) if d in a.dims) for d in dims]
    if axes != [last - 1, last] or operand.packed_axis >= axes[0]:
        return False
    return row_banks(operand, acg.memory(operand.memory)) > 0
