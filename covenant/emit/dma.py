"""Transfers between the off-chip layout of a tensor and a tile of it on chip.

In: two layouts with the same axis digits and the box of indices to move. Out: descriptors: a row of
contiguous off-chip words and strided loops around it, as the registers of a DMA unit hold them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from covenant.core.diagnostics import Span, fail
from covenant.mapper.mapping import Layout, LayoutAxis


@dataclass(frozen=True, slots=True)
class Side:
    """Where a box lies in one memory: its layout, first index per axis, byte address of index 0;
    per axis the distance of the positions it holds, () when it holds all."""

    layout: Layout
    origin: tuple[int, ...]
    address: int
    every: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One invocation of a DMA: `run` words per row, rows at `bounds` iterations (innermost first).

    far: off-chip address and strides in bytes; near: on-chip ones; near_word_stride: bytes between
    the words of a row on chip (off chip they are contiguous).
    """

    far_base: int
    near_base: int
    run: int
    near_word_stride: int
    bounds: tuple[int, ...]
    far_strides: tuple[int, ...]
    near_strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """`count` positions at `far` and `near` byte strides."""

    count: int
    far: int
    near: int


@dataclass(frozen=True, slots=True)
class Rows:
    """What is moved: `run` words per row, `near_word_stride` bytes apart on chip, and the steps
    between rows, in any order."""

    far_base: int
    near_base: int
    run: int
    near_word_stride: int
    steps: tuple[Step, ...]


def offset(layout: Layout, index: tuple[int, ...]) -> int:
    """Byte offset of an element, or of the record or block that holds it."""
    return sum(index[a.axis] // a.step % a.extent * a.stride for a in layout.axes)


def move(
    far: Side, near: Side, counts: tuple[int, ...], cell: int, word: int, loops: int, span: Span
) -> Iterator[Descriptor]:
    """Descriptors that move `counts` elements per axis; axes packed in blocks move whole blocks.

    cell: bytes of the smallest piece (an element or a record). More loops than the transfer absorbs
    become several descriptors.
    """
    steps = _steps(far, near, counts, span)
    run, stride, rest = _row(steps, cell, word, span)
    yield from _descriptors(far, near, (run, stride), rest, loops)


def fill(
    near: Side, far: Side, counts: tuple[int, ...], cell: int, word: int, loops: int, span: Span
) -> Iterator[Descriptor]:
    """Descriptors that write a constant over `counts` elements per axis (far side: shape only)."""
    steps = [Step(s.count, s.near, s.near) for s in _steps(far, near, counts, span)]
    run, stride, rest = _row(sorted(steps, key=lambda s: s.near), cell, word, span)
    yield from _descriptors(Side(far.layout, far.origin, 0), near, (run, stride), rest, loops)


def rows(
    far: Side,
    near: Side,
    counts: tuple[int, ...],
    room: tuple[int, ...],
    cell: int,
    word: int,
    span: Span,
) -> Rows:
    """What moves `counts` elements per axis, not yet cut into launches. room: elements per axis
    from the first one on that the tensor has at all, packed blocks rounded up."""
    steps = _steps(far, near, counts, span, room)
    return _rows(far, near, steps, cell, word, span)


def filled(
    far: Side, near: Side, counts: tuple[int, ...], cell: int, word: int, span: Span
) -> Rows:
    """What writes a constant over `counts` elements per axis (far side: shape only)."""
    steps = [Step(s.count, s.near, s.near) for s in _steps(far, near, counts, span)]
    return _rows(far, near, sorted(steps, key=lambda s: s.near), cell, word, span)


def strided_rows(
    far_base: int, near_base: int, steps: tuple[Step, ...], cell: int, word: int, span: Span
) -> Rows:
    """What moves the positions of nested steps, in any order."""
    found = sorted((s for s in steps if s.count > 1), key=lambda s: (s.far, s.near))
    run, stride, rest = _row(found, cell, word, span)
    return Rows(far_base, near_base, run, stride, tuple(rest))


def _rows(far: Side, near: Side, steps: list[Step], cell: int, word: int, span: Span) -> Rows:
    run, stride, rest = _row(steps, cell, word, span)
    far_base = far.address + offset(far.layout, far.origin)
    near_base = near.address + offset(near.layout, near.origin)
    return Rows(far_base, near_base, run, stride, tuple(rest))


def _digits(layout: Layout, axis: int) -> list[LayoutAxis]:
    """Digits of an axis, most significant first; one that cannot turn counts only when alone."""
    digits = sorted((a for a in layout.axes if a.axis == axis), key=lambda a: (-a.step, -a.extent))
    return digits[:1] + [a for a in digits[1:] if a.extent > 1]


def _steps(
    far: Side,
    near: Side,
    counts: tuple[int, ...],
    span: Span,
    room: tuple[int, ...] | None = None,
) -> list[Step]:
    """One step per digit with more than one position, smallest off-chip stride first."""
    steps: list[Step] = []
    for axis, count in enumerate(counts):
        outer, inner = _digits(far.layout, axis), _digits(near.layout, axis)
        if near.every and near.every[axis] > 1:
            apart = near.every[axis]
            steps.append(Step(-(-count // apart), *(_apart(d, apart) for d in (outer, inner))))
            continue
        most = room[axis] if room else None
        origin = (far.origin[axis], near.origin[axis])
        steps += _axis_steps(outer, inner, origin, count, span, most)
    return sorted((s for s in steps if s.count > 1), key=lambda s: (s.far, s.near))


def _apart(digits: list[LayoutAxis], elements: int) -> int:
    """Bytes between positions so many elements apart, which is a step of the digits."""
    return next(a.stride * (elements // a.step) for a in digits if elements % a.step == 0)


def _axis_steps(
    far: list[LayoutAxis],
    near: list[LayoutAxis],
    origin: tuple[int, int],
    count: int,
    span: Span,
    room: int | None,
) -> Iterator[Step]:
    strides = {a.step: a for a in near}
    for position, digit in enumerate(far):
        other = strides.pop(digit.step, None)
        near_extent = other.extent if other else 1
        near_stride = other.stride if other else 0
        if position:
            if digit.extent != near_extent:
                raise _unequal(digit, near_extent, span)
            yield Step(digit.extent, digit.stride, near_stride)
            continue
        if any(start % digit.step for start in origin):
            raise _unaligned(origin, digit, span)
        if digit.step > 1 or len(far) > 1:
            count = min(near_extent, digit.extent - origin[0] // digit.step)
            count = count if room is None else min(count, -(-room // digit.step))
        yield Step(count, digit.stride, near_stride)
    for left in strides.values():
        if left.extent > 1 and (far or count > 1):
            raise _unequal(left, 1, span)


def _row(steps: list[Step], cell: int, word: int, span: Span) -> tuple[int, int, list[Step]]:
    """(words per row, on-chip word stride, steps left): the longest row contiguous off chip."""
    rest = list(steps)

    def take(far: int, near: int | None) -> Step | None:
        for step in rest:
            if step.far == far and near in (None, step.near):
                rest.remove(step)
                return step
        return None

    size = cell
    while found := take(size, size):
        size *= found.count
    if size % word:
        raise fail(
            "EMI005",
            f"a row of {size} contiguous bytes is not a whole number of {word}-byte words",
            span,
        )
    run, stride = size // word, word
    if run == 1 and (found := take(word, None)):
        run, stride = found.count, found.near
    while found := take(run * word, run * stride):
        run *= found.count
    return run, stride, _merged(rest)


def _merged(steps: list[Step]) -> list[Step]:
    result: list[Step] = []
    for step in steps:
        last = result[-1] if result else None
        if last and (step.far, step.near) == (last.far * last.count, last.near * last.count):
            result[-1] = Step(last.count * step.count, last.far, last.near)
        else:
            result.append(step)
    return result


def _descriptors(
    far: Side, near: Side, row: tuple[int, int], steps: list[Step], loops: int
) -> Iterator[Descriptor]:
    absorbed, left = steps[:loops], steps[loops:]
    far_base = far.address + offset(far.layout, far.origin)
    near_base = near.address + offset(near.layout, near.origin)
    for index in product(*(range(s.count) for s in reversed(left))):
        pairs = list(zip(index, reversed(left), strict=True))
        yield Descriptor(
            far_base + sum(i * s.far for i, s in pairs),
            near_base + sum(i * s.near for i, s in pairs),
            row[0],
            row[1],
            tuple(s.count for s in absorbed),
            tuple(s.far for s in absorbed),
            tuple(s.near for s in absorbed),
        )


def _unequal(digit: LayoutAxis, other: int, span: Span) -> Exception:
    return fail(
        "EMI005",
        f"layouts disagree: axis {digit.axis} step {digit.step} has {digit.extent} positions in "
        f"one memory and {other} in the other",
        span,
    )


def _unaligned(origin: tuple[int, int], digit: LayoutAxis, span: Span) -> Exception:
    return fail(
        "EMI005",
        f"a transfer starts at index {max(origin)} of an axis packed in blocks of {digit.step}",
        span,
        f"pin a tile that is a multiple of {digit.step}",
    )
