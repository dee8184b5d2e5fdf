"""Windowed operands: tensors of a fused codelet whose rows overlap in the layer's tensor.

In: an `Operand` with a `source`. Out: where its rows lie off chip, the layer's tensor as it is laid
out there (dense, the elements of a window next to one another), and which machines can load it.
On chip such an operand is an ordinary strided one: [..][positions][words of one window].
RTL: cvn_dma_windows (rows that start at any byte and may reach beyond their line).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from covenant.acg.graph import Acg, Memory
from covenant.codelets.fuse import fuse, fusions
from covenant.codelets.ir import Codelet, Source
from covenant.core.affine import Affine
from covenant.mapper.candidates import Binding, match
from covenant.mapper.mapping import Layout, LayoutAxis
from covenant.mapper.operands import Operand, loader, operands, step_extents

ABILITY = "windows"
"""Ability of a transfer that loads rows which overlap, start at any byte and leave their line."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Rows of a windowed operand, in bytes: of a line off chip, between neighbouring windows, from
    the start of the line to the first window (negative in padding), of one window."""

    line: int
    step: int
    start: int
    size: int


def windows_of(operand: Operand) -> Windows:
    """The rows of a windowed operand."""
    source = _source(operand)
    (_, window), (_, inner) = source.digits[-1]
    index = source.indices[line_axis(source)]
    along = source.digits[-2][0][0]
    unit = inner * operand.dtype.bytes
    return Windows(
        source.shape[line_axis(source)] * unit,
        index.coefficient(along) * unit,
        index.constant * unit,
        window * unit,
    )


def _source(operand: Operand) -> Source:
    assert operand.source is not None, f"'{operand.tensor}' has no windows"
    return operand.source


def line_axis(source: Source) -> int:
    """Axis of the layer's tensor along which windows move."""
    name = source.digits[-1][0][0]
    return next(a for a, i in enumerate(source.indices) if name in i.dims)


def source_axis(source: Source, axis: int) -> int:
    """Axis of the layer's tensor that an axis before the windows' own is."""
    return source.indices.index(Affine.of(source.digits[axis][0][0]))


def dense_layout(operand: Operand, memory: Memory) -> Layout:
    """The layer's tensor off chip: axes in their order, then the line, innermost what is next to
    one another in a window. Nothing is added but what fills the last word."""
    source = _source(operand)
    inner = source.indices.index(Affine.of(source.digits[-1][1][0]))
    line = line_axis(source)
    rest = [a for a in range(len(source.shape)) if a not in (line, inner)]
    axes = []
    pitch = operand.dtype.bytes
    for axis in (inner, line, *reversed(rest)):
        axes.append(LayoutAxis(axis, 1, source.shape[axis], pitch))
        pitch *= source.shape[axis]
    word = memory.word_bytes
    return Layout(tuple(reversed(axes)), -(-pitch // word) * word)


@dataclass(frozen=True, slots=True)
class Form:
    """A codelet as it is or with a fused pair of dims, and a way to compute it."""

    codelet: Codelet
    binding: Binding


def fused_forms(codelet: Codelet, acg: Acg, plain: Sequence[Binding]) -> list[Form]:
    """Bindings of the fused forms of a codelet that a machine can load. Only those that take fewer
    array steps than every plain one are tried: fusing costs traffic and saves nothing else."""
    least = min((_steps(codelet, acg, binding) for binding in plain), default=None)
    found: list[Form] = []
    for pair in fusions(codelet):
        fused = fuse(codelet, pair)
        for binding in match(fused, acg).bindings:
            if least is None or _steps(fused, acg, binding) < least:
                placed = operands(fused, acg, binding)
                if all(_loadable(acg, o) for o in placed if o.source is not None):
                    found.append(Form(fused, binding))
    return found


def _steps(codelet: Codelet, acg: Acg, binding: Binding) -> int:
    extents = step_extents(acg, codelet, binding)
    return prod(-(-d.extent // extents[d.name]) for d in codelet.dims)


def _loadable(acg: Acg, operand: Operand) -> bool:
    """Whether lanes are windows and the transfer into the memory can fetch them."""
    last = len(operand.indices) - 1
    lanes = operand.strided and operand.packed_axis == last
    lanes = lanes and operand.indices[last - 1] == Affine.of(operand.lane)
    transfer = loader(acg, operand.memory)
    padded = operand.pad is None or (transfer is not None and "fill" in transfer.abilities)
    return lanes and padded and transfer is not None and ABILITY in transfer.abilities
