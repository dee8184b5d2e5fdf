"""The scale that a register of a requantising node holds.

In: the scale of a layer, a capability and how it is bound. Out: a float32 with which the node gives
what the layer wants for every sum, though it must not meet the products that it `avoids`.
"""

from __future__ import annotations

from typing import Any

from covenant.acg.graph import Capability
from covenant.core.expression import Call, Expression, Number, Ref
from covenant.core.scales import settled
from covenant.mapper.mapping import StepBinding


def scale_of(capability: Capability) -> str:
    """Name of the scalar that a capability which avoids products scales with, "" without one."""
    found = _requantise(capability.statement.value) if capability.avoids else None
    if found is None or not isinstance(found.arguments[1], Ref):
        return ""
    name = found.arguments[1].name
    return name if name in capability.scalars else ""


def settled_scale(scale: Any, capability: Capability, step: StepBinding) -> float | None:
    """What the register holds for a scale; None where no float32 does."""
    call = _requantise(capability.statement.value)
    assert call is not None
    target = capability.port(capability.statement.target.name)
    low, high = target.dtypes[0].minimum, target.dtypes[0].maximum
    match capability.statement.value:
        case Call("clip", (_, least, most)):
            low, high = _number(least, step, low), _number(most, step, high)
        case _:
            pass
    point = _number(call.arguments[2], step, 0)
    return settled(float(scale), low - point, high - point, capability.avoids)


def _requantise(value: Expression) -> Call | None:
    match value:
        case Call("requantise", _):
            return value
        case Call(_, arguments):
            return next((f for f in map(_requantise, arguments) if f is not None), None)
        case _:
            return None


def _number(value: Expression, step: StepBinding, otherwise: int) -> int:
    """A literal, or what a scalar is bound to."""
    match value:
        case Number(known):
            return known
        case Ref(name):
            return dict(step.scalars).get(name, otherwise)
        case _:
            return otherwise
