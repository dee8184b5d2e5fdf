"""Two dims of a reduction as one: a filter position and the channel, so that few channels fill a
machine's depth.

In: a codelet. Out: the pairs of dims that can be fused, and the codelet in which one dim stands for
such a pair. `x[..,c,ox*2+fx-3] * w[..,c,fx]` becomes `x[..,ox,fx_c] * w[..,fx_c]`: the sum of a
result dim and a filter dim falls apart into two axes, windows that overlap in the layer's tensor.
Nothing here knows an operator: it is a property of subscripts.
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


def fusions(codelet: Codelet) -> tuple[tuple[str, str], ...]:
    """Pairs (dim of a window, dim of its elements) that may run as one, in a fixed order."""
    if codelet.fused:
        return ()
    return tuple(dict.fromkeys(_pairs(codelet)))


def _pairs(codelet: Codelet) -> Iterator[tuple[str, str]]:
    refs = tuple(dict.fromkeys(codelet.steps[0].refs))
    for ref in refs:
        if codelet.tensor(ref.name).role is not Role.INPUT:
            continue
        for axis, index in enumerate(ref.indices):
            along, window = _window(codelet, index)
            if not window or any(along in i.dims for i in _others(ref, axis)):
                continue
            for dim in codelet.dims:
                pair = (window, dim.name)
                if _is_inner(codelet, ref, dim.name) and _is_weighted(codelet, refs, ref, pair):
                    yield pair


def _summed(codelet: Codelet, dim: str) -> bool:
    return all(dim not in i.dims for step in codelet.steps for i in step.target.indices)


def _window(codelet: Codelet, index: Affine) -> tuple[str, str]:
    """(result dim, filter dim) of a subscript that is their sum, the filter moving by single
    positions; two empty names for any other one."""
    if len(index.terms) != 2:
        return "", ""
    for (along, stride), (window, step) in (index.terms, index.terms[::-1]):
        sliding = not _summed(codelet, along) and _summed(codelet, window)
        if sliding and stride > 0 and step == 1 and codelet.dim(window).extent > 1:
            return along, window
    return "", ""


def _others(ref: Ref, axis: int) -> tuple[Affine, ...]:
    return ref.indices[:axis] + ref.indices[axis + 1 :]


def _is_inner(codelet: Codelet, ref: Ref, dim: str) -> bool:
    """Whether a dim is summed over and a plain subscript of one axis of the tensor."""
    return _summed(codelet, dim) and [i for i in ref.indices if dim in i.dims] == [Affine.of(dim)]


def _is_weighted(codelet: Codelet, refs: tuple[Ref, ...], own: Ref, pair: tuple[str, str]) -> bool:
    """Whether besides the windowed tensor one constant depends on the pair, plainly on each."""
    others = [r for r in refs if r != own and any(d in i.dims for i in r.indices for d in pair)]
    if len(others) != 1 or codelet.tensor(others[0].name).role is not Role.CONSTANT:
        return False
    return all(_is_inner(codelet, others[0], d) for d in pair)


@cache
def fuse(codelet: Codelet, pair: tuple[str, ...]) -> Codelet:
    """The codelet with one dim in place of a pair of `fusions`; itself for () or when it is done
    already. The first dim of the pair is the more significant one."""
    if pair == codelet.fused:
        return codelet
    window, inner = pair
    assert (window, inner) in fusions(codelet), f"{pair} of {codelet.name} cannot be fused"
    extent = codelet.dim(window).extent * codelet.dim(inner).extent
    name = f"{window}_{inner}"
    assert name not in codelet.extents, f"{codelet.name} has a dim {name}"
    refs: dict[str, Ref] = {}
    tensors: dict[str, Tensor] = {t.name: t for t in codelet.tensors}
    for ref in dict.fromkeys(codelet.steps[0].refs):
        if any(d in pair for i in ref.indices for d in i.dims):
            refs[ref.name], tensors[ref.name] = _seen(codelet, ref, window, inner, name)
    first = codelet.steps[0]
    return replace(
        codelet,
        dims=(*(d for d in codelet.dims if d.name not in pair), Dim(name, extent)),
        tensors=tuple(tensors.values()),
        steps=(
            Statement(first.target, first.reduction, _renamed(first.value, refs)),
            *codelet.steps[1:],
        ),
        fused=pair,
    )


def _seen(codelet: Codelet, ref: Ref, window: str, inner: str, name: str) -> tuple[Ref, Tensor]:
    """A tensor with the fused dim as its last axis: other axes, the windows' own axis, the pair."""
    tensor = codelet.tensor(ref.name)
    line = next(a for a, i in enumerate(ref.indices) if window in i.dims)
    kept = [a for a, i in enumerate(ref.indices) if a != line and inner not in i.dims]
    indices = [ref.indices[a] for a in kept]
    shape = [tensor.shape[a] for a in kept]
    digits = [((f"axis{a}", tensor.shape[a]),) for a in kept]
    found = {a: Affine.of(f"axis{a}") for a in kept}
    for along in (d for d in ref.indices[line].dims if d != window):
        indices.append(Affine.of(along))
        shape.append(codelet.dim(along).extent)
        digits.append(((along, codelet.dim(along).extent),))
    pair = tuple((d, codelet.dim(d).extent) for d in (window, inner))
    indices.append(Affine.of(name))
    shape.append(prod(extent for _, extent in pair))
    subscripts = tuple(
        found.get(a, ref.indices[line] if a == line else Affine.of(inner))
        for a in range(len(tensor.shape))
    )
    source = Source(tensor.shape, (*digits, pair), subscripts)
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
