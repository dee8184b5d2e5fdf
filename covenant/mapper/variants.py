"""Variants of a binding that compute the same in another way: lanes that run through rows, another
shape of the array for the last positions.

In: bindings found by unification. Out: all of them and their variants, for the mapper to choose
from. What a variant is worth depends on tiles; here only what its streams can do is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from covenant.acg.graph import Acg, Capability
from covenant.codelets.ir import Codelet
from covenant.core.expression import Ref
from covenant.mapper.candidates import Binding
from covenant.mapper.operands import (
    Operand,
    capability_of,
    operands,
    reduction_dims,
    step_extents,
    swept_dims,
)
from covenant.mapper.pieces import pieces_of, remainder
from covenant.mapper.placement import row_banks, rows_continue
from covenant.mapper.rewrite import AS_WRITTEN, main_step
from covenant.mapper.rows import rows_of, steps_along, strided_dims

WRAP = "wrap"
"""The ability of a stream to run its lanes through rows at any distance."""

MASK = "tail"
"""The ability of a stream to leave out lanes in the last beat of a loop."""

LONGEST_ROW = 1024
"""Lanes of a row; in longer ones the lanes without work at its end do not count."""


def variants(codelet: Codelet, acg: Acg, bindings: tuple[Binding, ...]) -> tuple[Binding, ...]:
    """Every binding, each followed by its variants; none on another shape of an array whose steps
    are no fewer."""
    found: list[Binding] = []
    for binding in bindings:
        through = _through_rows(codelet, acg, binding)
        found.append(binding)
        if through is not None and _saves(codelet, acg, through):
            found.append(through)
        for whole in (binding, through):
            found += [] if whole is None else _with_tails(codelet, acg, whole)
    return _quickest(codelet, acg, found)


def _quickest(codelet: Codelet, acg: Acg, found: list[Binding]) -> tuple[Binding, ...]:
    """The bindings, but of those that use another shape of an array only such as take fewer steps
    than all without; of these rather such that use it for what the first one leaves."""
    if not any(_rank(acg, b) for b in found):
        return tuple(found)
    known = [(b, b.steps[0].node, _rank(acg, b), _steps(codelet, acg, b)) for b in found]
    return tuple(
        binding
        for binding, node, rank, steps in known
        if all(steps < n for _, other, r, n in known if other == node and r < rank)
    )


def _rank(acg: Acg, binding: Binding) -> int:
    """0: one shape of the array, the first; 1: another one for what it leaves; 2: another one."""
    first = binding.steps[0]
    own = capability_of(acg, first)
    plain = acg.compute(first.node).plain_shape(own)
    if first.tail:
        return 1
    return 2 if plain.extents != own.extents and _macs(plain) == _macs(own) else 0


def _macs(capability: Capability) -> int:
    return prod(capability.extents.values())


def _steps(codelet: Codelet, acg: Acg, binding: Binding) -> int:
    """Array steps of the whole layer."""
    pieces, rows = pieces_of(codelet, acg, binding), rows_of(codelet, acg, binding)
    total = 0
    for shape, own in enumerate([binding] if pieces is None else [binding, remainder(binding)]):
        extents = step_extents(acg, codelet, own)
        total += prod(
            pieces.steps(n, shape)
            if pieces is not None and dim == pieces.dim
            else steps_along(extents, rows, dim, n)
            for dim, n in codelet.extents.items()
        )
    return total


def _with_tails(codelet: Codelet, acg: Acg, binding: Binding) -> Iterator[Binding]:
    """The binding with other capabilities for the positions behind the last whole step, where they
    take fewer cycles for them, sums stay in the node, and every stream can follow."""
    if binding.rewriting != AS_WRITTEN or main_step(codelet) != 0 or not _chosen(acg, binding):
        return
    reduced = set(reduction_dims(codelet))
    if set(swept_dims(codelet, acg, binding)) != reduced:
        return
    first = binding.steps[0]
    dims, lanes = dict(first.dims), strided_dims(acg, first)
    own = capability_of(acg, first)
    for other in acg.compute(first.node).capabilities:
        alike = (other.statement, other.ports, other.scalars, other.step_cycles) == (
            own.statement, own.ports, own.scalars, own.step_cycles,
        )  # fmt: skip
        narrow = [d for d, e in own.extents.items() if other.extents[d] < e] if alike else []
        if len(narrow) != 1 or lanes != tuple(narrow) or narrow[0] not in dims:
            continue
        deeper = [d for d, e in own.extents.items() if other.extents[d] > e]
        if any(not _whole(codelet, own, other, d, dims.get(d, ""), reduced) for d in deeper):
            continue
        made = replace(binding, steps=(replace(first, tail=other.name), *binding.steps[1:]))
        pieces = pieces_of(codelet, acg, made)
        assert pieces is not None
        masks = all(MASK in acg.transfer(o.stream).abilities for o in _in_lanes(codelet, acg, made))
        if masks and pieces.split(codelet.dim(pieces.dim).extent)[1]:
            yield made


def _chosen(acg: Acg, binding: Binding) -> bool:
    """Whether a launch says which capability it uses, and launches of one tile may follow one
    another."""
    control, node = acg.control, binding.steps[0].node
    if control is None or control.in_order:
        return False
    return any(u.register("function") is not None for u in control.units_of(node))


def _whole(
    codelet: Codelet, own: Capability, other: Capability, name: str, dim: str, reduced: set[str]
) -> bool:
    """Whether a dim that the other capability takes more of consists of whole steps of it."""
    count = other.extents[name]
    inside = dim in reduced and count % own.extents[name] == 0
    return inside and codelet.dim(dim).extent % count == 0


def _in_lanes(codelet: Codelet, acg: Acg, binding: Binding) -> list[Operand]:
    return [o for o in operands(codelet, acg, binding) if o.strided and not o.record_bytes]


def _through_rows(codelet: Codelet, acg: Acg, binding: Binding) -> Binding | None:
    """The binding whose lanes go on in the next row, None when a stream cannot follow, or sums do
    not stay in the node."""
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
    if not row or codelet.dim(lane).extent > LONGEST_ROW:
        return None
    made = replace(binding, steps=(replace(first, rows=row), *binding.steps[1:]))
    through = [o for o in operands(codelet, acg, made) if o.rows]
    wraps = any(WRAP in acg.transfer(o.stream).abilities for o in through)
    return made if wraps and all(_can_follow(acg, o) for o in through) else None


def _saves(codelet: Codelet, acg: Acg, through: Binding) -> bool:
    """Whether lanes that go on in the next row take fewer beats."""
    rows = rows_of(codelet, acg, through)
    assert rows is not None
    count = codelet.dim(rows.row).extent
    return count * -(-rows.length // rows.lanes) > -(-count * rows.length // rows.lanes)


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
