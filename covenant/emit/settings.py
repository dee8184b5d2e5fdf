"""Register values of a group that are the same for all of its launches.

In: a group, its mapping, values of constants that registers hold. Out: scalars, the function,
signedness, and what becomes of results.
"""

from __future__ import annotations

import numpy as np

from covenant.acg.graph import Acg, Capability
from covenant.core.diagnostics import Span, fail
from covenant.emit.constants import Payloads
from covenant.emit.groups import Group
from covenant.emit.limits import Values
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.mapping import StepBinding
from covenant.mapper.operands import capability_of
from covenant.mapper.scales import scale_of, settled_scale


def settings(group: Group, mapping: LayerMapping, acg: Acg, payloads: Payloads | None) -> Values:
    """Scalars of the steps, the function, signedness of operands."""
    first = mapping.steps[group.steps[0]]
    names = [c.name for c in acg.compute(first.node).capabilities]
    values: list[tuple[str, int]] = [("function", names.index(first.capability))]
    for index in group.steps:
        step = mapping.steps[index]
        given, tensors = dict(step.scalars), dict(step.tensors)
        capability = capability_of(acg, step)
        for name in capability.scalars:
            if name in tensors:
                found = uniform(payloads, tensors[name], mapping.codelet)
                if name == scale_of(capability):
                    found = _settled(found, capability, step, mapping.codelet)
                values.append((name, found))
            else:
                values.append((name, given.get(name, 0)))
    values += [(f"{p.port}.signed", int(p.dtype.signed)) for p in mapping.placements]
    return tuple((n, v) for n, v in dict(values).items())


def _settled(bits: int, capability: Capability, step: StepBinding, codelet: str) -> int:
    """Bits of a scale that meets no product which the node rounds in another way."""
    scale = np.int32(bits).view(np.float32)
    found = settled_scale(scale, capability, step)
    if found is None:
        raise fail(
            "EMI012",
            f"layer '{codelet}' scales by {scale:.9g}: '{capability.node}' rounds a product of it "
            "in another way, and no float32 near it gives the same results",
            capability.span,
            "add `rescale` to `shares` of the host, or remove what the node `avoids`",
        )
    return int(np.float32(found).view(np.int32))


def uniform(payloads: Payloads | None, tensor: str, codelet: str) -> int:
    """The one value of a tensor as a register holds it: bits of a float, else the integer."""
    if payloads is None or tensor not in payloads:
        raise fail(
            "EMI008",
            f"no values for constant '{tensor}' of {codelet}, which a register holds",
            Span(codelet),
            "a layer whose constants are unknown can be mapped, not run",
        )
    found = np.asarray(payloads[tensor]).reshape(-1)
    if found.dtype.kind == "f":
        return int(found.astype(np.float32)[:1].view(np.int32)[0])
    return int(found[0])


def result(group: Group, mapping: LayerMapping, acg: Acg) -> int:
    """Value of `out` for results: 0 without a chained step, else 1 + index of its capability."""
    if len(group.steps) == 1:
        return 0
    last = mapping.steps[group.steps[-1]]
    names = [c.name for c in acg.compute(last.node).capabilities]
    return 1 + names.index(last.capability)
