"""Dims of a reduction as one: filter positions and the channel, so that few channels fill the depth
of a machine.

In: a codelet. Out: the dims that can be fused, and the codelet in which one dim stands for them.
`x[..,c,ox*2+fx-3] * w[..,c,fx]` becomes `x[..,ox,fx_c] * w[..,fx_c]`: the sum of a result dim and a
filter dim falls apart into two axes, windows that overlap in the layer's tensor. A second filter
dim may join: `x[..,oy,ox,fy_fx_c]`. Nothing here knows an operator: it is a property of subscripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Codelet, Dim, Role, Source, Tensor
from covenant.core.affine import Affine
from covenant.core.expression import Call, Expression, Ref, Statement


def fusions(codelet: Codelet) -> tuple[tuple[str, ...], ...]:
    """Dims that may run as one, the most significant first: at most one filter dim that moves from
    line to line, one along a line, the dim of a position's elements."""
    if codelet.fused:
        return ()
    found = [fused for ref in dict.fromkeys(codelet.steps[0].refs) for fused in _of(codelet, ref)]
    return tuple(sorted(dict.fromkeys(found), key=len))


def _of(codelet: Codelet, ref: Ref) -> Iterator[tuple[str, ...]]:
    if codelet.tensor(ref.name).role is not Role.INPUT:
        return
    sliding = [_window(codelet, ref, axis) for axis in range(len(ref.indices))]
    for window, step in sliding:
        for dim in codelet.dims:
            if step != 1 or not _is_inner(codelet, ref, dim.name):
                continue
            outer = [other for other, moved in sliding if moved and other != window]
            for fused in ((window, dim.name), *((other, window, dim.name) for other in outer)):
                if _is_weighted(codelet, ref, fused):
                    yield fused


def _summed(codelet: Codelet, dim: str) -> bool:
    return all(dim not in i.dims for step in codelet.steps for i in step.target.indices)


def _window(codelet: Codelet, ref: Ref, axis: int) -> tuple[str, int]:
    """(filter dim, positions it moves by) of an axis whose subscript is its sum with a result dim
    that has no other axis; ("", 0) for any other one."""
    index = ref.indices[axis]
    if len(index.terms) != 2:
        return "", 0
    for (along, stride), (window, step) in (index.terms, index.terms[::-1]):
        sliding = not _summed(codelet, along) and _summed(codelet, window)
        alone = all(along not in i.dims for i in _others(ref, axis))
        if sliding and alone and stride > 0 and step > 0 and codelet.dim(window).extent > 1:
            return window, step
    return "", 0


def _others(ref: Ref, axis: int) -> tuple[Affine, ...]:
    return ref.indices[:axis] + ref.indices[axis + 1 :]


def _is_inner(codelet: Codelet, ref: Ref, dim: str) -> bool:
    """Whether a dim is summed over and a plain subscript of one axis of the tensor."""
    return _summed(codelet, dim) and [i for i in ref.indices if dim in i.dims] == [Affine.of(dim)]


def _is_weighted(codelet: Codelet, own: Ref, fused: tuple[str, ...]) -> bool:
    """Whether besides the windowed tensor one constant depends on the dims, plainly on each."""
    refs = dict.fromkeys(codelet.steps[0].refs)
    others = [r for r in refs if r != own and any(d in i.dims for i in r.indices for d in fused)]
    if len(others) != 1 or codelet.tensor(others[0].name).role is not Role.CONSTANT:
        return False
    return all(_is_inner(codelet, others[0], d) for d in fused)


@cache
def fuse(codelet: Codelet, dims: tuple[str, ...]) -> Codelet:
    """The codelet with one dim in place of those of `fusions`; itself for () or when it is done
    already."""
    if dims == codelet.fused:
        return codelet
    assert dims in fusions(codelet), f"{dims} of {codelet.name} cannot be fused"
    extent = prod(codelet.dim(d).extent for d in dims)
    name = "_".join(dims)
    assert name not in codelet.extents, f"{codelet.name} has a dim {name}"
    refs: dict[str, Ref] = {}
    tensors: dict[str, Tensor] = {t.name: t for t in codelet.tensors}
    for ref in dict.fromkeys(codelet.steps[0].refs):
        if any(d in dims for i in ref.indices for d in i.dims):
            refs[ref.name], tensors[ref.name] = _seen(codelet, ref, dims, name)
    first = codelet.steps[0]
    return replace(
        codelet,
        dims=(*(d for d in codelet.dims if d.name not in dims), Dim(name, extent)),
        tensors=tuple(tensors.values()),
        steps=(
            Statement(first.target, first.reduction, _renamed(first.value, refs)),
            *codelet.steps[1:],
        ),
        fused=dims,
    )


def _seen(codelet: Codelet, ref: Ref, dims: tuple[str, ...], name: str) -> tuple[Ref, Tensor]:
    """A tensor with the fused dim as its last axis: other axes, those the windows move along, then
    the fused one."""
    tensor = codelet.tensor(ref.name)
    kept = [a for a, i in enumerate(ref.indices) if not set(dims) & set(i.dims)]
    indices = [ref.indices[a] for a in kept]
    shape = [tensor.shape[a] for a in kept]
    digits = [((f"axis{a}", tensor.shape[a]),) for a in kept]
    for window in dims:
        moved = next(i for i in ref.indices if window in i.dims)
        for along in (d for d in moved.dims if d != window):
            indices.append(Affine.of(along))
            shape.append(codelet.dim(along).extent)
            digits.append(((along, codelet.dim(along).extent),))
    fused = tuple((d, codelet.dim(d).extent) for d in dims)
    indices.append(Affine.of(name))
    shape.append(prod(extent for _, extent in fused))
    subscripts = tuple(Affine.of(f"axis{a}") if a in kept else i for a, i in enumerate(ref.indices))
    source = Source(tensor.shape, (*digits, fused), subscripts)
    return Ref(ref.name, tuple(indices)), replace(tensor, shape=tuple(shape), source=source)


def _renamed(expression: Expression, refs: dict[str, Ref]) -> Expression:
    match expression:
        case Ref(name):
            return refs.get(name, expression)
        case Call(function, arguments):
            return Call(function, tuple(_renamed(a, refs) for a in arguments))
        case _:
            return expression


def unfold(array: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """The elements of a fused tensor, taken from the layer's tensor; padding where it ends."""
    source = tensor.source
    if source is None:
        return array
    named = [digit for axis in source.digits for digit in axis]
    places = {
        name: np.arange(extent).reshape([-1 if i == at else 1 for i in range(len(named))])
        for at, (name, extent) in enumerate(named)
    }
    inside = np.ones((1,) * len(named), np.bool_)
    subscripts = []
    for index, size in zip(source.indices, source.shape, strict=True):
        at = index.constant + sum(c * places[d] for d, c in index.terms)
        inside = inside & (at >= 0) & (at < size)
        subscripts.append(np.clip(at, 0, size - 1))
    values = np.where(inside, array[tuple(subscripts)], np.asarray(tensor.pad or 0, array.dtype))
    whole = np.broadcast_to(values, [extent for _, extent in named])
    return np.ascontiguousarray(whole.reshape(tensor.shape))
