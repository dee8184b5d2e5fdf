"""Which positions of a tensor a tile on chip leaves out, because no iteration touches them.

In: an operand, extents of the codelet's dims. Out: per axis the distance of the positions that are
held: where all dims of an axis move along it in multiples of a distance, only every such position
is ever touched (a filter of one position with a stride; a filter whose dilation and stride have a
common factor). And how many elements of a tensor are touched at all: what has to be loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import gcd, prod
from typing import Protocol

from covenant.codelets.ir import Codelet, Tensor
from covenant.core.affine import Affine


class Subscripted(Protocol):
    """What is known of an operand here."""

    @property
    def indices(self) -> Sequence[Affine]: ...
    @property
    def shape(self) -> Sequence[int]: ...
    @property
    def packed_axis(self) -> int: ...
    @property
    def lane(self) -> str: ...
    @property
    def rows(self) -> str: ...


def spacings(
    operand: Subscripted, extents: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Distances per axis of positions that are touched, and of those held, () when all are held:
    the last axis and the packed one are held whole:
    transfers read along them in one run. Lanes keep their distance even if there is one only."""
    last = max((i for i, n in enumerate(operand.shape) if n > 1), default=-1)
    moving = (operand.lane, operand.rows)
    touched, held = [], []
    for axis, index in enumerate(operand.indices):
        apart = gcd(*(c for d, c in index.terms if extents[d] > 1 or d in moving))
        touched.append(max(1, apart))
        held.append(1 if axis in (last, operand.packed_axis) else touched[-1])
    return tuple(touched), tuple(held) if max(held, default=1) > 1 else ()


def touched_elements(codelet: Codelet, tensor: Tensor) -> int:
    """Elements of a tensor that the iterations of a codelet read."""
    extents = codelet.extents
    found = [
        prod(
            _touched(index, size, tuple(extents[d] for d, _ in index.terms))
            for index, size in zip(ref.indices, tensor.shape, strict=True)
        )
        for step in codelet.steps
        for ref in step.refs
        if ref.name == tensor.name and ref.indices  # a table is read as a whole
    ]
    return max(found, default=tensor.elements)


@cache
def _touched(index: Affine, size: int, extents: tuple[int, ...]) -> int:
    """Positions of an axis of `size` that an index takes."""
    if index.is_plain:
        return min(size, *extents)
    found = {index.constant}
    for (_, step), extent in zip(index.terms, extents, strict=True):
        found = {at + step * i for at in found for i in range(extent)}
    return sum(0 <= at < size for at in found)
