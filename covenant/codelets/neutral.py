"""A layer with an operand that changes nothing, for machines that always read one.

In: a `LoweredLayer`. Out: the layer that adds a bias of zeros before it requantises.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from covenant.codelets.ir import Role, Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.verify import verify
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Ref, replaced

BIASED = "biased"
"""What the name of such a form ends with."""

_BIAS = "bias"


def biased(lowered: LoweredLayer) -> LoweredLayer | None:
    """The layer with a bias of zeros, one per scale; None where it requantises no bare sums."""
    codelet = lowered.codelet
    last = codelet.steps[-1]
    inside = last.value
    while isinstance(inside, Call) and inside.function != "requantise":
        inside = inside.arguments[0]
    if not isinstance(inside, Call) or codelet.steps[0].reduction != "+":
        return None
    sums, scale, _ = inside.arguments
    if not isinstance(sums, Ref) or not isinstance(scale, Ref):
        return None
    if any(t.name == _BIAS for t in codelet.tensors):
        return None
    zeros = np.zeros(codelet.tensor(scale.name).shape, DType.INT32.numpy)
    tensor = Tensor(_BIAS, DType.INT32, zeros.shape, Role.CONSTANT, uniform=True)
    value = replaced(last.value, sums, Call("add", (sums, Ref(_BIAS, scale.indices))))
    made = replace(
        codelet,
        tensors=(*codelet.tensors, tensor),
        steps=(*codelet.steps[:-1], replace(last, value=value)),
    )
    name = f"{lowered.form} {BIASED}".strip()
    constants = {**lowered.constants, _BIAS: zeros}
    whole = lowered.whole or lowered
    return replace(lowered, codelet=verify(made), constants=constants, form=name, whole=whole)
