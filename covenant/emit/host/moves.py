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
    """element_bytes: of one element; spans: on every axis the first position of the tensor, the one
    behind its last, and how many there are with its margins, beyond which a digit reaches padding
    only; start: bytes from the first position of all axes to the tensor in the plain array; fill:
    what the margins hold; flip: bits in which bytes differ."""

    element_bytes: int
    spans: tuple[tuple[int, int, int], ...]
    digits: tuple[Digit, ...]
    start: int = 0
    fill: int = 0
    flip: int = 0

    @property
    def table(self) -> tuple[int, ...]:
        """The move as `covenant_move` reads it."""
        spans = (n for span in self.spans for n in span)
        rows = (n for d in self.digits for n in (d.axis, d.step, d.count, d.plain, d.packed))
        sizes = (self.element_bytes, len(self.spans), len(self.digits), self.fill, self.flip)
        return (*sizes, self.start, *spans, *rows)


def move_of(tensor: ImageTensor, view: View | None) -> Move:
    """How a tensor of an image moves; view: how its codelet sees the ONNX tensor, None where both
    are the same."""
    strides = plain_strides(tensor.shape, tensor.dtype.bytes, view)
    own = tuple((axis, 1) for axis in range(len(tensor.shape))) if view is None else view.digits
    digits = []
    for d in tensor.layout.axes:
        axis, positions = own[d.axis]
        step = d.step * positions
        if d.extent > 1:
            digits.append(Digit(axis, step, d.extent, step * strides[axis], d.stride))
    sizes = tensor.shape if view is None else view.inner
    margins = view.margins if view is not None and view.margins else ((0, 0),) * len(sizes)
    spans = tuple(
        (before, before + n, before + n + after)
        for n, (before, after) in zip(sizes, margins, strict=True)
    )
    ordered = sorted(digits, key=lambda d: (-d.packed, -d.plain))
    if view is None or view.is_plain:
        return Move(tensor.dtype.bytes, spans, tuple(ordered))
    start = -sum(strides[axis] * first for axis, (first, _, _) in enumerate(spans))
    flip = 0x80 if view.flip else 0
    return Move(tensor.dtype.bytes, spans, tuple(ordered), start, view.fill & 0xFF, flip)


def plain_strides(shape: tuple[int, ...], element_bytes: int, view: View | None) -> tuple[int, ...]:
    """Bytes that one element of every codelet axis makes in the ONNX tensor."""
    if view is None:
        return _row_major(shape, element_bytes)
    whole = _row_major(view.reshape, element_bytes)
    return tuple(whole[i] for i in view.permutation)


def _row_major(shape: tuple[int, ...], element_bytes: int) -> tuple[int, ...]:
    pitches = list(accumulate(reversed(shape), lambda a, b: a * b, initial=element_bytes))
    return tuple(reversed(pitches[:-1]))
