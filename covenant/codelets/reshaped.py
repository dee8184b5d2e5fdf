"""A layer in other shapes with the same result: windows by phases, groups of channels joined.

In: a `LoweredLayer` with constant weights. Out: forms of it for machines whose operands have to lie
one behind the other and whose arrays are as deep as wide. `phased`: an axis that windows move along
in steps of s falls apart into positions and s phases, so that windows move by single positions:
`x[2*o + f]` becomes `x[o + f, p]`, where p is one more dim; weights beyond the filter are its zero
point. `joined`: so many groups become one; weights between two of them are the zero point. Both
are another way of packing tensors and weights: nothing is computed that is not a product with zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.verify import verify
from covenant.codelets.views import View
from covenant.core.affine import Affine
from covenant.core.expression import Call, Expression, Number, Ref, Statement

_PHASE = "_phase"


def shapes(lowered: LoweredLayer) -> Iterator[tuple[str, LoweredLayer]]:
    """Other shapes of a layer, with their names."""
    turned = phased(lowered)
    if turned is not None:
        yield "by phases", turned
    for count in _divisors(lowered):
        for name, base in (("", lowered), (" by phases", turned)):
            made = None if base is None else joined(base, count)
            if made is not None:
                yield f"{count} groups as one{name}", made


@dataclass(frozen=True, slots=True)
class _Product:
    """`acc += (x - zx) * (w - zw)` with w constant and numbers for zero points."""

    x: Ref
    w: Ref
    point: int


def _product(lowered: LoweredLayer) -> _Product | None:
    codelet = lowered.codelet
    first = codelet.steps[0]
    value = first.value
    if first.reduction != "+" or not isinstance(value, Call) or value.function != "mul":
        return None
    sides = [_side(a) for a in value.arguments]
    if sides[0] is None or sides[1] is None:
        return None
    (x, _), (w, point) = sides[0], sides[1]
    roles = codelet.tensor(x.name).role, codelet.tensor(w.name).role
    if roles != (Role.INPUT, Role.CONSTANT) or w.name not in lowered.constants:
        return None
    plain = all(i.is_plain for i in (*w.indices, *first.target.indices))
    return _Product(x, w, point) if plain else None


def _side(value: Expression) -> tuple[Ref, int] | None:
    match value:
        case Ref():
            return value, 0
        case Call("sub", (Ref() as ref, Number(point))):
            return ref, point
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _Window:
    """An axis of x that a filter dim moves along: its subscript is `step*along + filter - before`;
    `taps` of the filter per phase, `positions` per phase."""

    axis: int
    along: str
    filter: str
    step: int
    before: int
    taps: int
    positions: int


def phased(lowered: LoweredLayer) -> LoweredLayer | None:
    """Windows that move by single positions; None where they do, or more is not known."""
    parts = _product(lowered)
    view = None if parts is None else lowered.views.get(parts.x.name)
    if parts is None or view is None or not view.is_plain or view.extents:
        return None
    windows = [w for a in range(len(parts.x.indices)) for w in _windows(lowered, parts, a)]
    if not windows or view.permutation != tuple(range(len(view.permutation))):
        return None
    codelet = lowered.codelet
    view = _phased_view(lowered, parts.x, windows)
    by_filter = {each.filter: each for each in windows}
    w, values = _phased_weights(parts, lowered.constants[parts.w.name], by_filter)
    dims: list[Dim] = []
    for dim in codelet.dims:
        found = by_filter.get(dim.name)
        dims.append(Dim(dim.name, found.taps) if found else dim)
        dims += [Dim(dim.name + _PHASE, found.step)] if found else []
    x = _phased_input(parts.x, windows, view)
    made = {x.name: (view.shape, None), w.name: (values.shape, codelet.tensor(w.name).pad)}
    tensors = []
    for tensor in codelet.tensors:
        shape, pad = made.get(tensor.name, (tensor.shape, tensor.pad))
        tensors.append(replace(tensor, shape=shape, pad=pad))
    first = _substituted(codelet.steps[0], {parts.x: x, parts.w: w})
    steps = (first, *codelet.steps[1:])
    return LoweredLayer(
        verify(replace(codelet, dims=tuple(dims), tensors=tuple(tensors), steps=steps)),
        {**lowered.views, x.name: view},
        {**lowered.constants, w.name: values},
    )


def _phased_input(x: Ref, windows: list[_Window], view: View) -> Ref:
    """The subscripts of x: positions and phases where it had windows."""
    by_axis = {each.axis: each for each in windows}
    indices: list[Affine] = []
    for axis, index in enumerate(x.indices):
        found = by_axis.get(axis)
        if found is None:
            indices.append(Affine(index.terms, index.constant + view.margins[axis][0]))
        else:
            indices += [Affine(((found.along, 1), (found.filter, 1))), _phase(found)]
    return Ref(x.name, tuple(indices))


def _phased_weights(
    parts: _Product, values: NDArray[Any], by_filter: dict[str, _Window]
) -> tuple[Ref, NDArray[Any]]:
    """The subscripts of w, and weights [..][taps][phases][..] of every filter axis."""
    indices: list[Affine] = []
    for index in parts.w.indices:
        indices.append(index)
        found = by_filter.get(index.dims[0])
        if found is None:
            continue
        axis = len(indices) - 1
        room = [(0, 0)] * values.ndim
        room[axis] = (0, found.taps * found.step - values.shape[axis])
        values = np.pad(values, room, constant_values=parts.point)
        shape = (*values.shape[:axis], found.taps, found.step, *values.shape[axis + 1 :])
        values = np.ascontiguousarray(values.reshape(shape))
        indices.append(_phase(found))
    return Ref(parts.w.name, tuple(indices)), values


def _windows(lowered: LoweredLayer, parts: _Product, axis: int) -> Iterator[_Window]:
    """The window of an axis that moves by more than a position, if it has one."""
    codelet = lowered.codelet
    index = parts.x.indices[axis]
    kept = {d for i in codelet.steps[0].target.indices for d in i.dims}
    along = [(d, c) for d, c in index.terms if d in kept]
    swept = [(d, c) for d, c in index.terms if d not in kept]
    if len(along) != 1 or len(swept) != 1 or index.constant > 0:
        return
    (moved, step), (name, coefficient) = along[0], swept[0]
    taps = codelet.dim(name).extent
    inside = [d for i in parts.w.indices for d in i.dims]
    if step < 2 or coefficient != 1 or taps < 2 or name not in inside:
        return
    per_phase = -(-taps // step)
    positions = codelet.dim(moved).extent + per_phase - 1
    yield _Window(axis, moved, name, step, -index.constant, per_phase, positions)


def _phase(window: _Window) -> Affine:
    return Affine.of(window.filter + _PHASE)


def _phased_view(lowered: LoweredLayer, x: Ref, windows: list[_Window]) -> View:
    """x with margins that make the axes of windows whole numbers of phases, and hold what is read
    outside on the others."""
    view, dims = lowered.views[x.name], lowered.codelet.extents
    extents, splits = list(view.reshape), [1] * len(view.reshape)
    margins = []
    for index, size in zip(x.indices, extents, strict=True):
        reach = [c * (dims[d] - 1) for d, c in index.terms]
        low = index.constant + sum(min(0, r) for r in reach)
        high = index.constant + sum(max(0, r) for r in reach)
        margins.append((max(0, -low), max(0, high + 1 - size)))
    for each in windows:
        total = each.step * each.positions
        extents[each.axis] = min(extents[each.axis], total - each.before)
        margins[each.axis] = (each.before, total - each.before - extents[each.axis])
        splits[each.axis] = each.step
    fill = lowered.codelet.tensor(x.name).pad or 0
    return replace(
        view, extents=tuple(extents), margins=tuple(margins), fill=fill, splits=tuple(splits)
    )


def _substituted(step: Statement, changes: dict[Ref, Ref]) -> Statement:
    def changed(value: Expression) -> Expression:
        if isinstance(value, Ref):
            return changes.get(value, value)
        if isinstance(value, Call):
            return Call(value.function, tuple(map(changed, value.arguments)))
        return value

    return replace(step, value=changed(step.value))


@dataclass(frozen=True, slots=True)
class _Groups:
    """Dims of groups, of the channels of a group that are summed, and of those it makes."""

    group: str
    inner: str
    outer: str


def _groups(lowered: LoweredLayer, parts: _Product) -> _Groups | None:
    """The groups of a layer: x is [.., group, inner, ..], w [group, outer, inner, ..], the target
    [.., group, outer, ..]."""
    target = [i.dims[0] for i in lowered.codelet.steps[0].target.indices]
    w = [i.dims[0] for i in parts.w.indices]
    x = [i.dims[0] if i.is_plain else "" for i in parts.x.indices]
    if len(w) < 3 or w[0] not in target or w[0] not in x:
        return None
    found = _Groups(w[0], w[2], w[1])
    at, into = x.index(found.group), target.index(found.group)
    neighbours = x[at + 1 : at + 2] == [found.inner], target[into + 1 : into + 2] == [found.outer]
    return found if all(neighbours) else None


def _divisors(lowered: LoweredLayer) -> list[int]:
    """How many groups of a layer could be one, more than one."""
    parts = _product(lowered)
    found = None if parts is None else _groups(lowered, parts)
    if found is None:
        return []
    count = lowered.codelet.dim(found.group).extent
    return [n for n in range(2, count + 1) if count % n == 0]


def joined(lowered: LoweredLayer, count: int) -> LoweredLayer | None:
    """Every `count` groups as one, with weights of zero between them."""
    parts = _product(lowered)
    groups = None if parts is None else _groups(lowered, parts)
    if parts is None or groups is None:
        return None
    codelet = lowered.codelet
    factors = {groups.group: (1, count), groups.inner: (count, 1), groups.outer: (count, 1)}
    dims = tuple(
        Dim(d.name, d.extent * factors.get(d.name, (1, 1))[0] // factors.get(d.name, (1, 1))[1])
        for d in codelet.dims
    )
    constants, views = dict(lowered.constants), dict(lowered.views)
    tensors: list[Tensor] = []
    for tensor in codelet.tensors:
        axes = _axes(codelet, tensor.name)
        if groups.group not in axes:
            tensors.append(tensor)
            continue
        pair = groups.inner if tensor.name == parts.x.name else groups.outer
        at = axes.index(groups.group)
        if axes[at + 1 : at + 2] != [pair]:
            return None
        own = tensor.shape
        shape = (*own[:at], own[at] // count, own[at + 1] * count, *own[at + 2 :])
        if tensor.name == parts.w.name:
            constants[tensor.name] = _joined_weights(constants[tensor.name], count, parts.point)
            shape = constants[tensor.name].shape
        elif tensor.name in constants:
            constants[tensor.name] = constants[tensor.name].reshape(shape)
        tensors.append(replace(tensor, shape=shape))
        if tensor.name in views and tensor.role is not Role.CONSTANT:
            view = _joined_view(views[tensor.name], at, count)
            if view is None:
                return None
            views[tensor.name] = view
    made = replace(codelet, dims=dims, tensors=tuple(tensors))
    return LoweredLayer(verify(made), views, constants)


def _axes(codelet: Codelet, name: str) -> list[str]:
    """The dim of every axis of a tensor, "" where it has several."""
    for step in codelet.steps:
        for ref in (step.target, *step.refs):
            if ref.name == name:
                return [i.dims[0] if i.is_plain else "" for i in ref.indices]
    return []


def _joined_weights(values: NDArray[Any], count: int, point: int) -> NDArray[Any]:
    """[groups / count][count * outer][count * inner][..] with blocks on the diagonal."""
    groups, outer, inner, *rest = values.shape
    whole = np.full((groups // count, count * outer, count * inner, *rest), point, values.dtype)
    for number in range(groups):
        one, at = divmod(number, count)
        rows, columns = slice(at * outer, (at + 1) * outer), slice(at * inner, (at + 1) * inner)
        whole[one, rows, columns] = values[number]
    return whole


def _joined_view(view: View, at: int, count: int) -> View | None:
    """A view whose axis of groups is shorter and the next one longer; None where they are not
    neighbours in the ONNX tensor, or cut."""

    def merged(sizes: tuple[int, ...]) -> tuple[int, ...]:
        return (*sizes[:at], sizes[at] // count, sizes[at + 1] * count, *sizes[at + 2 :])

    if view.permutation != tuple(range(len(view.permutation))):
        return None
    if view.extents and view.extents[at : at + 2] != view.reshape[at : at + 2]:
        return None
    assert prod(merged(view.reshape)) == prod(view.reshape)
    extents = merged(view.extents) if view.extents else ()
    return replace(view, reshape=merged(view.reshape), extents=extents)
