"""Tables that move a tensor between its ONNX order and its packed layout, for one loop in C.

In: a region of an image and the view of its tensor. Out: a `Move`: digits of the layout, each with
the distance it makes in either array. Both are affine in the digits, whatever the layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from covenant.codelets.views import View
from covenant.emit.image import ImageTensor


@dataclass(frozen=True, slots=True)
class Digit:
    """`count` positions of `step` elements on an axis: bytes each makes in the plain, row-major
    array and in the packed one."""

    axis: int
    step: int
    count: int
    plain: int
    packed: int


@dataclass(frozen=True, slots=True)
class Move:
    """element_bytes: of one element; extents: of the tensor's axes, beyond which a digit reaches
    padding only."""

    element_bytes: int
    extents: tuple[int, ...]
    digits: tuple[Digit, ...]

    @property
    def table(self) -> tuple[int, ...]:
        """The move as `covenant_move` reads it."""
        rows = (n for d in self.digits for n in (d.axis, d.step, d.count, d.plain, d.packed))
        return (self.element_bytes, len(self.extents), len(self.digits), *self.extents, *rows)


def move_of(tensor: ImageTensor, view: View | None) -> Move:
    """How a tensor of an image moves; view: how its codelet sees the ONNX tensor, None where both
    are the same."""
    strides = _plain_strides(tensor, view)
    used = {d.axis for d in tensor.layout.axes}
    digits = [
        Digit(d.axis, d.step, d.extent, d.step * strides[d.axis], d.stride)
        for d in tensor.layout.axes
        if d.extent > 1
    ]
    extents = tuple(n if axis in used else 1 for axis, n in enumerate(tensor.shape))
    ordered = sorted(digits, key=lambda d: (-d.packed, -d.plain))
    return Move(tensor.dtype.bytes, extents, tuple(ordered))


def _plain_strides(tensor: ImageTensor, view: View | None) -> tuple[int, ...]:
    """Bytes that one element of every codelet axis makes in the ONNX tensor."""
    if view is None:
        return _row_major(tensor.shape, tensor.dtype.bytes)
    whole = _row_major(view.reshape, tensor.dtype.bytes)
    return tuple(whole[i] for i in view.permutation)


def _row_major(shape: tuple[int, ...], element_bytes: int) -> tuple[int, ...]:
    pitches = list(accumulate(reversed(shape), lambda a, b: a * b, initial=element_bytes))
    return tuple(reversed(pitches[:-1]))
