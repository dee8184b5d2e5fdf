"""Which integers an expression can take: intervals, from element types and literals alone.

In: an expression and the tensors it reads. Out: `Range`, or None where nothing bounds the value.
"""

from __future__ import annotations

from typing import assert_never

from covenant.codelets.ir import Codelet
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Ref

Range = tuple[int, int]
"""Lowest and highest value, inclusive."""


def range_of(expression: Expression, codelet: Codelet) -> Range | None:
    """The interval of a value; None for a rescaled value that no clip follows."""
    match expression:
        case Number(value):
            return value, value
        case Ref(name):
            return _stored(codelet, name)
        case Call("table", (_, Ref(name))):
            return _stored(codelet, name)
        case Call(function, arguments):
            return _applied(function, [range_of(a, codelet) for a in arguments])
        case _:
            assert_never(expression)


def _stored(codelet: Codelet, name: str) -> Range | None:
    """What a tensor's element type can hold, and what is read outside its shape."""
    tensor = codelet.tensor(name)
    if tensor.dtype is DType.FLOAT32:
        return None
    outside = tensor.dtype.minimum if tensor.pad is None else tensor.pad
    return min(tensor.dtype.minimum, outside), max(tensor.dtype.maximum, outside)


def _applied(function: str, ranges: list[Range | None]) -> Range | None:
    """The interval of a function of intervals."""
    if function == "clip":
        return _clipped(ranges[0], ranges[1], ranges[2])
    known = [r for r in ranges if r is not None]
    if len(known) < len(ranges):
        return None
    (low, high), (other_low, other_high) = known[0], known[1]
    match function:
        case "add":
            return low + other_low, high + other_high
        case "sub":
            return low - other_high, high - other_low
        case "mul":
            corners = [a * b for a in (low, high) for b in (other_low, other_high)]
            return min(corners), max(corners)
        case "max":
            return max(low, other_low), max(high, other_high)
        case "min":
            return min(low, other_low), min(high, other_high)
        case _:
            return None


def _clipped(value: Range | None, low: Range | None, high: Range | None) -> Range | None:
    """`min(max(value, low), high)`; the bounds alone limit a value of which nothing is known."""
    if low is None or high is None:
        return None
    if value is None:
        return min(low[0], high[0]), high[1]
    return min(max(value[0], low[0]), high[0]), min(max(value[1], low[1]), high[1])
