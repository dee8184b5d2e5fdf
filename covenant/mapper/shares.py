"""Which share of a layer the processor beside an accelerator takes, where the accelerator cannot do
all of it.

In: a `LoweredLayer`, an architecture. Out: the form of the layer with the smallest share that the
architecture can do exactly; without one the last, whose refusal tells what is missing most.
"""

from __future__ import annotations

from collections.abc import Sequence

from covenant.acg.graph import Acg, Capability
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.processor import form, forms
from covenant.core.diagnostics import CovenantError
from covenant.mapper.candidates import Binding, match
from covenant.mapper.mapping import StepBinding
from covenant.mapper.scales import scale_of, settled_scale


def shared(lowered: LoweredLayer, acg: Acg) -> LoweredLayer:
    """The form of the layer to map."""
    abilities = _abilities(acg)
    if not abilities:
        return lowered
    found = lowered
    for found in forms(lowered, abilities):
        if any(_is_exact(found, acg, b) for b in match(found.codelet, acg).bindings):
            return found
    return found


def shared_layers(
    layers: Sequence[LoweredLayer | CovenantError], acg: Acg
) -> list[LoweredLayer | CovenantError]:
    """The forms to map of layers that have a codelet."""
    return [x if isinstance(x, CovenantError) else shared(x, acg) for x in layers]


def form_of(lowered: LoweredLayer, acg: Acg, name: str) -> LoweredLayer:
    """The form of that name; KeyError when the architecture's processor cannot do it."""
    return form(lowered, _abilities(acg), name)


def _abilities(acg: Acg) -> tuple[str, ...]:
    host = None if acg.control is None else acg.control.host
    return () if host is None else host.shares


def _is_exact(lowered: LoweredLayer, acg: Acg, binding: Binding) -> bool:
    """Whether a binding finds a scale for every node that avoids products."""
    for step in binding.steps:
        capability = _capability(acg, step)
        values = lowered.constants.get(dict(step.tensors).get(scale_of(capability), ""))
        if values is not None and settled_scale(values.reshape(-1)[0], capability, step) is None:
            return False
    return True


def _capability(acg: Acg, step: StepBinding) -> Capability:
    return next(c for c in acg.compute(step.node).capabilities if c.name == step.capability)
