"""In which form a layer is mapped: as it is, with a bias of zeros where the accelerator always adds
one, or with a share of the processor beside an accelerator that cannot do all of it, or does it in
more steps than it has to; and whether that processor takes the whole layer.

In: a `LoweredLayer`, an architecture. Out: the form of the layer with the smallest share that the
architecture can do exactly, in the shape that takes the fewest array steps; without one the last
share, whose refusal tells what is missing most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from covenant.acg.graph import Acg, Capability
from covenant.codelets.ir import Role
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.neutral import BIASED, biased
from covenant.codelets.processor import ARRANGE, EVALUATE, forms, is_one_nest
from covenant.codelets.reshaped import shapes
from covenant.core.diagnostics import CovenantError
from covenant.mapper.candidates import Binding, match
from covenant.mapper.mapping import StepBinding
from covenant.mapper.operands import step_extents
from covenant.mapper.scales import scale_of, settled_scale


def shared(lowered: LoweredLayer, acg: Acg) -> LoweredLayer:
    """The form of the layer to map."""
    abilities = _abilities(acg)
    found, fewest = lowered, 0
    for made in _forms(lowered, abilities):
        fewest = _fewest_steps(made, acg)
        if fewest or BIASED not in made.form:
            found = made
        if fewest:
            break
    if not fewest:
        return found
    share = found.form
    for made in _shaped(lowered, abilities):
        if made.form.rpartition("|")[2] == share:
            steps = _fewest_steps(made, acg)
            if 0 < steps < fewest:
                found, fewest = made, steps
    return found


def shared_layers(
    layers: Sequence[LoweredLayer | CovenantError], acg: Acg
) -> list[LoweredLayer | CovenantError]:
    """The forms to map of layers that have a codelet."""
    return [x if isinstance(x, CovenantError) else shared(x, acg) for x in layers]


def is_evaluated(lowered: LoweredLayer, acg: Acg) -> bool:
    """Whether the processor computes the layer where no compute node does."""
    known = {t.name for t in lowered.codelet.tensors if t.role is Role.CONSTANT}
    complete = known <= lowered.constants.keys()
    return EVALUATE in _abilities(acg) and complete and is_one_nest(lowered)


def form_of(lowered: LoweredLayer, acg: Acg, name: str) -> LoweredLayer:
    """The form of that name; KeyError when the architecture's processor cannot do it."""
    abilities = _abilities(acg)
    for found in (*_forms(lowered, abilities), *_shaped(lowered, abilities)):
        if found.form == name:
            return found
    raise KeyError(name)


def _forms(lowered: LoweredLayer, abilities: tuple[str, ...]) -> Iterator[LoweredLayer]:
    """The layer with ever larger shares of a processor, each also with a bias of zeros."""
    for found in forms(lowered, abilities):
        yield found
        if (made := biased(found)) is not None:
            yield made


def _shaped(lowered: LoweredLayer, abilities: tuple[str, ...]) -> Iterator[LoweredLayer]:
    """The forms of the layer in its other shapes; `shape|form` is the name of one."""
    if ARRANGE not in abilities:
        return
    for name, shape in shapes(lowered):
        for made in _forms(shape, abilities):
            yield replace(made, form=f"{name}|{made.form}", whole=lowered)


def _abilities(acg: Acg) -> tuple[str, ...]:
    host = None if acg.control is None else acg.control.host
    return () if host is None else host.shares


def _fewest_steps(lowered: LoweredLayer, acg: Acg) -> int:
    """Array steps of the best exact binding, 0 without one."""
    codelet = lowered.codelet
    found = []
    for binding in match(codelet, acg).bindings:
        if _is_exact(lowered, acg, binding):
            extents = step_extents(acg, codelet, binding)
            found.append(prod(-(-d.extent // extents[d.name]) for d in codelet.dims))
    return min(found, default=0)


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
