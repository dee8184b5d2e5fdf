"""What a processor makes of sums, as arguments of one loop in C.

In: a lowered layer with a processor's share. Out: `Rescale`: scales, and how they repeat along the
sums in ONNX order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.views import View
from covenant.core.diagnostics import Span, fail
from covenant.core.expression import Call, Expression, Number


@dataclass(frozen=True, slots=True)
class Rescale:
    """`clamp(rint(sum * scale) + zero, low, high)`; scales change every `inner` of `count` sums."""

    count: int
    inner: int
    scales: tuple[float, ...]
    zero: int
    low: int
    high: int


def rescale_of(lowered: LoweredLayer) -> Rescale:
    """The processor's share of a layer; CovenantError where scales do not repeat as channels do."""
    assert lowered.finish is not None
    (step,) = lowered.finish.steps
    match step.value:
        case Call(
            "clip", (Call("requantise", (_, scale, Number(zero))), Number(low), Number(high))
        ):
            pass
        case _:
            raise AssertionError(f"no requantisation: {step}")
    view = lowered.views[step.target.name]
    values, inner = _in_order(lowered, scale, view)
    return Rescale(prod(view.onnx_shape), inner, values, zero, low, high)


def _in_order(
    lowered: LoweredLayer, scale: Expression, view: View
) -> tuple[tuple[float, ...], int]:
    """The scales as they change along the tensor in ONNX order, and every how many elements."""
    assert lowered.finish is not None
    step = lowered.finish.steps[0]
    name = next(r.name for r in step.refs if r == scale)
    values = lowered.constants[name].astype(np.float32)
    if np.unique(values).size == 1:
        return (float(values.reshape(-1)[0]),), 1
    dims = [index.dims[0] for index in step.target.indices]
    own = next([i.dims[0] for i in r.indices] for r in step.refs if r.name == name)
    shape = [lowered.finish.dim(d).extent if d in own else 1 for d in dims]
    numbers = np.arange(values.size).reshape(shape)
    whole = np.broadcast_to(numbers, [lowered.finish.dim(d).extent for d in dims])
    flat = view.invert(np.ascontiguousarray(whole)).reshape(-1)
    changes = np.flatnonzero(np.diff(flat))
    inner = int(changes[0]) + 1
    if (flat != np.arange(flat.size) // inner % values.size).any():
        raise fail(
            "EMI011",
            f"the scales of '{lowered.codelet.name}' do not follow the channels of its result",
            Span(lowered.codelet.name),
            "give all channels one scale",
        )
    return tuple(float(v) for v in values.reshape(-1)), inner
