"""The executable integer meaning of a `Statement` in NumPy.

In: a statement, the extents of its dims, arrays (or scalars) for the names it reads. Out: the array
of its target, int64 before it is stored. Codelets and capabilities share this one meaning.

Arithmetic is exact modulo 2**64, so a caller that stores into int32 gets wrap-around accumulation.
Reductions of a product of two factors take a matrix multiplication (`contract`); everything else is
evaluated over the whole iteration space. Both are tested to agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from covenant.core.affine import Affine
from covenant.core.expression import Call, Expression, Number, Ref, Statement, references

Array = NDArray[Any]

_EXACT_FLOAT64 = 2**53
"""Integers up to here are exact in float64."""


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """An array whose axes are named by `dims`, in that order."""

    dims: tuple[str, ...]
    array: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Scope:
    """What an expression may read: extents by dim, arrays and padding values by tensor name."""

    extents: Mapping[str, int]
    tensors: Mapping[str, Array]
    pads: Mapping[str, int]
    rounding: str


def evaluate(
    statement: Statement,
    extents: Mapping[str, int],
    tensors: Mapping[str, Array | int | float],
    *,
    pads: Mapping[str, int] | None = None,
    rounding: str = "ort_f32",
    into: Array | None = None,
    fast: bool = True,
) -> Array:
    """Value of the target over the plain dims of its subscripts, as int64.

    extents: iterations of every dim that occurs. tensors: an array per name read, or a scalar,
    which stands for every element (a zero point, an absent bias). pads: value read outside the
    shape of a tensor; without one an index outside is a ValueError. into: what a reduction starts
    from (zeros, or the identity of `max`, when absent). fast: allow the matrix multiplication.
    """
    arrays = {name: np.asarray(value) for name, value in tensors.items()}
    scope = _Scope(extents, arrays, pads or {}, rounding)
    kept = _target_dims(statement.target)
    result: Array
    match statement.reduction:
        case "":
            return _spread(_over(statement.value, scope), kept, scope).copy()
        case "+":
            product = _two_factors(statement.value) if fast else None
            if product is not None:
                result = contract(_over(product[0], scope), _over(product[1], scope), kept, extents)
            else:
                result = _reduce(_over(statement.value, scope), kept, scope, np.add.reduce)
            return result if into is None else result + into.astype(np.int64)
        case "max":
            result = _reduce(_over(statement.value, scope), kept, scope, np.maximum.reduce)
            return result if into is None else np.maximum(result, into.astype(np.int64))
        case _:
            raise ValueError(f"unknown reduction {statement.reduction!r}")


def requantise(
    accumulator: Array, scale: Array, zero_point: Array, rounding: str = "ort_f32"
) -> Array:
    """Integers of `scale * accumulator + zero_point`, not clamped, as int64; the accumulator wraps
    to int32.

    ort_f32: round to nearest even the float32 product of float32(accumulator) and scale, then add
    the zero point; equal to ONNX Runtime's QLinearConv and QLinearMatMul.
    """
    if rounding != "ort_f32":
        raise ValueError(f"rounding {rounding!r} is not implemented; known: ort_f32")
    wrapped = accumulator.astype(np.int32)
    product = wrapped.astype(np.float32) * scale.astype(np.float32)
    # A clamp follows every requantise; the limit only keeps the conversion to int64 defined.
    limit = np.float32(2.0**40)
    rounded = np.rint(np.clip(product, -limit, limit)).astype(np.int64)
    return rounded + zero_point.astype(np.int64)


def contract(
    left: _Value, right: _Value, kept: tuple[str, ...], extents: Mapping[str, int]
) -> Array:
    """Sum of left * right over every dim not kept, by batched matrix multiplication, as int64."""
    left, right = _sum_private(left, right, kept), _sum_private(right, left, kept)
    batch = [d for d in kept if d in left.dims and d in right.dims]
    rows = [d for d in kept if d in left.dims and d not in right.dims]
    columns = [d for d in kept if d in right.dims and d not in left.dims]
    inner = [d for d in left.dims if d in right.dims and d not in kept]
    largest = _total(inner, extents) * _magnitude(left.array) * _magnitude(right.array)
    kind = np.dtype(np.float64 if largest < _EXACT_FLOAT64 else np.int64)
    a = _matrix(left, (batch, rows, inner), extents, kind)
    b = _matrix(right, (batch, inner, columns), extents, kind)
    product = (a @ b).astype(np.int64)
    order = batch + rows + columns
    named = _Value(tuple(order), product.reshape([extents[d] for d in order]))
    aligned = _aligned(named, kept, extents)
    return np.broadcast_to(aligned, tuple(extents[d] for d in kept)).copy()


def _sum_private(value: _Value, other: _Value, kept: tuple[str, ...]) -> _Value:
    """Sum out the reduced dims that only this factor has."""
    private = [d for d in value.dims if d not in kept and d not in other.dims]
    if not private:
        return value
    axes = tuple(value.dims.index(d) for d in private)
    summed = value.array.astype(np.int64).sum(axis=axes)
    return _Value(tuple(d for d in value.dims if d not in private), summed)


def _matrix(
    value: _Value,
    groups: Sequence[Sequence[str]],
    extents: Mapping[str, int],
    kind: np.dtype[Any],
) -> Array:
    """The factor as an array of this type with one axis per group of dims, in one copy."""
    order = [dim for group in groups for dim in group]
    array = value.array.transpose([value.dims.index(d) for d in order])
    sizes = [_total(group, extents) for group in groups]
    return np.array(array, dtype=kind, order="C").reshape(sizes)


def _total(dims: Sequence[str], extents: Mapping[str, int]) -> int:
    total = 1
    for dim in dims:
        total *= extents[dim]
    return total


def _magnitude(array: Array) -> int:
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0


def _target_dims(target: Ref) -> tuple[str, ...]:
    if not all(index.is_plain for index in target.indices):
        raise ValueError(f"the target {target.name!r} must be subscripted by plain dims")
    return tuple(index.dims[0] for index in target.indices)


def _two_factors(value: Expression) -> tuple[Expression, Expression] | None:
    match value:
        case Call("mul", (left, right)):
            return left, right
        case _:
            return None


def _reduce(
    value: _Value, kept: tuple[str, ...], scope: _Scope, reduction: Callable[..., Array]
) -> Array:
    """Reduce over the dims not kept; the general path, with the iteration space in memory."""
    axes = tuple(i for i, d in enumerate(value.dims) if d not in kept)
    reduced = reduction(value.array, axis=axes) if axes else value.array
    return _spread(_Value(tuple(d for d in value.dims if d in kept), reduced), kept, scope).copy()


def _spread(value: _Value, dims: tuple[str, ...], scope: _Scope) -> Array:
    """The value over all of `dims`, repeated along those it lacks, as int64."""
    aligned = _aligned(value, dims, scope.extents).astype(np.int64, copy=False)
    return np.broadcast_to(aligned, tuple(scope.extents[d] for d in dims))


def _aligned(value: _Value, dims: tuple[str, ...], extents: Mapping[str, int]) -> Array:
    """Axes in the order of `dims`, with extent 1 for those the value lacks."""
    present = [d for d in dims if d in value.dims]
    array = value.array.transpose([value.dims.index(d) for d in present])
    return array.reshape([extents[d] if d in value.dims else 1 for d in dims])


def _over(expression: Expression, scope: _Scope) -> _Value:
    """The expression over the dims it mentions."""
    arrays = [r for r in references(expression) if scope.tensors[r.name].ndim and r.indices]
    if len(arrays) == 1:
        # Work on the tensor before it is viewed: a convolution reads every element many times.
        ref = arrays[0]
        plain = {ref.name: scope.tensors[ref.name]}
        base = _pointwise(expression, scope, lambda r: plain[r.name])
        pad = None
        if ref.name in scope.pads:
            inside = np.asarray(scope.pads[ref.name])
            pad = int(_pointwise(expression, scope, lambda r: inside))
        return _view(base, ref, pad, scope.extents)
    dims = tuple(dict.fromkeys(d for r in arrays for i in r.indices for d in i.dims))
    views = {
        r: _aligned(
            _view(scope.tensors[r.name], r, scope.pads.get(r.name), scope.extents),
            dims,
            scope.extents,
        )
        for r in arrays
    }
    array = _pointwise(expression, scope, lambda r: views[r])
    return _Value(dims, np.broadcast_to(array, tuple(scope.extents[d] for d in dims)))


def _pointwise(expression: Expression, scope: _Scope, read: Callable[[Ref], Array]) -> Array:
    """Apply the functions element by element; `read` gives the arrays of subscripted tensors."""
    match expression:
        case Number(value):
            return np.asarray(value, np.int64)
        case Ref(name, indices):
            tensor = scope.tensors[name]
            array = read(expression) if tensor.ndim and indices else tensor
            return array if array.dtype.kind == "f" else array.astype(np.int64, copy=False)
        case Call("table", (index, Ref(name))):
            position = _pointwise(index, scope, read) & 255
            return np.asarray(scope.tensors[name].astype(np.int64)[position])
        case Call(function, arguments):
            values = [_pointwise(a, scope, read) for a in arguments]
            return _apply(function, values, scope.rounding)
        case _:
            assert_never(expression)


def _apply(function: str, values: list[Array], rounding: str) -> Array:
    match function:
        case "add":
            return np.asarray(values[0] + values[1])
        case "sub":
            return np.asarray(values[0] - values[1])
        case "mul":
            return np.asarray(values[0] * values[1])
        case "max":
            return np.maximum(values[0], values[1])
        case "min":
            return np.minimum(values[0], values[1])
        case "clip":
            return np.minimum(np.maximum(values[0], values[1]), values[2])
        case "requantise":
            return requantise(values[0], values[1], values[2], rounding)
        case _:
            raise ValueError(f"function {function!r} has no meaning here")


def _view(tensor: Array, ref: Ref, pad: int | None, extents: Mapping[str, int]) -> _Value:
    """The tensor as an array over the dims of the subscripts, a strided view with no copy."""
    ranges = [_range(index, extents) for index in ref.indices]
    if tensor.ndim != len(ranges):
        raise ValueError(f"{ref.name!r} has {tensor.ndim} axes but {len(ranges)} subscripts")
    if any(low < 0 or high >= n for (low, high), n in zip(ranges, tensor.shape, strict=True)):
        if pad is None:
            raise ValueError(f"{ref.name!r} {tensor.shape} is read at {ranges}, outside its shape")
        before = [max(0, -low) for low, _ in ranges]
        after = [max(0, high + 1 - n) for (_, high), n in zip(ranges, tensor.shape, strict=True)]
        margins = list(zip(before, after, strict=True))
        tensor = np.pad(tensor, margins, constant_values=pad)
    else:
        before = [0] * len(ranges)
    start = tuple(
        slice(index.constant + offset, None)
        for index, offset in zip(ref.indices, before, strict=True)
    )
    dims = tuple(dict.fromkeys(d for index in ref.indices for d in index.dims))
    strides = tuple(
        sum(i.coefficient(d) * s for i, s in zip(ref.indices, tensor.strides, strict=True))
        for d in dims
    )
    shape = tuple(extents[d] for d in dims)
    return _Value(dims, as_strided(tensor[start], shape, strides, writeable=False))


def _range(index: Affine, extents: Mapping[str, int]) -> tuple[int, int]:
    """Lowest and highest value of an index."""
    low = high = index.constant
    for dim, coefficient in index.terms:
        reach = coefficient * (extents[dim] - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low, high
