"""Windowed operands: tensors of a fused codelet whose rows overlap in the layer's tensor.

In: an `Operand` with a `source`. Out: where its rows lie off chip, the layer's tensor as it is laid
out there (dense, the elements of a window next to one another), and which machines can load it.
On chip such an operand is an ordinary strided one: [..][positions][words of one window].
RTL: cvn_dma_windows (rows that start at any byte and may reach beyond their line).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from covenant.acg.graph import Acg, Memory
from covenant.codelets.fuse import fuse, fusions
from covenant.codelets.ir import Codelet, Source
from covenant.core.affine import Affine
from covenant.mapper.candidates import Binding, match
from covenant.mapper.channels import loader
from covenant.mapper.mapping import Layout, LayoutAxis
from covenant.mapper.operands import Operand, operands, step_extents

ABILITY = "windows"
"""Ability of a transfer that loads rows which overlap, start at any byte and leave their line."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Rows of a windowed operand, in bytes. A window is `runs` runs of `size` bytes, `run_step`
    apart off chip and without a gap on chip.

    line: length of a line; step: between neighbouring windows along it; start: from the start of
    the line to the first one, negative in padding. plane, down, top: the same across lines, where
    runs lie in several of them; 0 otherwise.
    """

    line: int
    step: int
    start: int
    size: int
    runs: int = 1
    run_step: int = 0
    plane: int = 0
    down: int = 0
    top: int = 0


def windows_of(operand: Operand) -> Windows:
    """The rows of a windowed operand."""
    source = _source(operand)
    *outer, window, inner = source.digits[-1]
    strides = _strides(operand)
    axis = _axis_of(source, window[0])
    index = source.indices[axis]
    step = strides[axis]
    found = Windows(
        source.shape[axis] * step,
        index.coefficient(source.digits[-2][0][0]) * step,
        index.constant * step,
        window[1] * inner[1] * operand.dtype.bytes,
    )
    for name, runs in outer:
        axis = _axis_of(source, name)
        index, step = source.indices[axis], strides[axis]
        found = replace(
            found,
            runs=runs,
            run_step=index.coefficient(name) * step,
            plane=source.shape[axis] * step,
            down=index.coefficient(source.digits[-3][0][0]) * step,
            top=index.constant * step,
        )
    return found


def window_axes(operand: Operand) -> int:
    """How many axes windows move along; they stand before the last axis."""
    return len(_source(operand).digits[-1]) - 1


def _source(operand: Operand) -> Source:
    assert operand.source is not None, f"'{operand.tensor}' has no windows"
    return operand.source


def _axis_of(source: Source, digit: str) -> int:
    """Axis of the layer's tensor that a digit moves along."""
    return next(a for a, i in enumerate(source.indices) if digit in i.dims)


def source_axis(source: Source, axis: int) -> int:
    """Axis of the layer's tensor that an axis before the windows' own is."""
    return source.indices.index(Affine.of(source.digits[axis][0][0]))


def _order(source: Source) -> tuple[int, ...]:
    """Axes of the layer's tensor off chip, outermost first: those without windows, then those that
    windows move along, innermost the elements of a position."""
    own = [_axis_of(source, name) for name, _ in source.digits[-1]]
    return (*(a for a in range(len(source.shape)) if a not in own), *own)


def _strides(operand: Operand) -> dict[int, int]:
    """Bytes between neighbours on every axis of the layer's tensor off chip."""
    source = _source(operand)
    strides: dict[int, int] = {}
    pitch = operand.dtype.bytes
    for axis in reversed(_order(source)):
        strides[axis] = pitch
        pitch *= source.shape[axis]
    return strides


def dense_layout(operand: Operand, memory: Memory) -> Layout:
    """The layer's tensor off chip, dense: nothing is added but what fills the last word."""
    source, strides = _source(operand), _strides(operand)
    axes = tuple(LayoutAxis(axis, 1, source.shape[axis], strides[axis]) for axis in _order(source))
    size = axes[0].extent * axes[0].stride
    word = memory.word_bytes
    return Layout(axes, -(-size // word) * word)


@dataclass(frozen=True, slots=True)
class Form:
    """A codelet with fused dims and a way to compute it."""

    codelet: Codelet
    binding: Binding


def fused_forms(codelet: Codelet, acg: Acg, plain: Sequence[Binding]) -> list[Form]:
    """Bindings of the fused forms of a codelet that a machine can load. Only those that take fewer
    array steps than every one with fewer dims fused are tried: fusing costs traffic and saves
    nothing else."""
    fewest = [_steps(codelet, acg, binding) for binding in plain]
    found: list[Form] = []
    for dims in fusions(codelet):
        fused = fuse(codelet, dims)
        for binding in match(fused, acg).bindings:
            steps = _steps(fused, acg, binding)
            less = [_steps(f.codelet, acg, f.binding) for f in found if _fewer(f, fused)]
            if any(steps >= known for known in (*fewest, *less)):
                continue
            placed = operands(fused, acg, binding)
            if all(_loadable(acg, o) for o in placed if o.source is not None):
                found.append(Form(fused, binding))
    return found


def _fewer(form: Form, codelet: Codelet) -> bool:
    return len(form.codelet.fused) < len(codelet.fused)


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
    if transfer is None or transfer.loops <= window_axes(operand):
        return False
    return lanes and padded and ABILITY in transfer.abilities
