"""Which placements have a region of the off-chip memory, and the form of their codelet.

In: a `Mapping`, the codelet of its layer. Out: one placement per port, the outermost one, whose
home is the whole tensor.
"""

from __future__ import annotations

from covenant.codelets.fuse import fuse
from covenant.codelets.interpret import run
from covenant.codelets.ir import Codelet, Role
from covenant.emit.constants import Payloads, payload
from covenant.mapper.mapping import Mapping, Placement
from covenant.mapper.rewrite import rewritten, variant


def homes(mapping: Mapping) -> tuple[Placement, ...]:
    """The placement of every port with a home, in the order of the mapping."""
    found: dict[str, Placement] = {}
    for placement in mapping.placements:
        if placement.home.bytes:
            found.setdefault(placement.port, placement)
    return tuple(found.values())


def bound_form(mapping: Mapping, codelet: Codelet) -> Codelet:
    """The codelet whose steps are bound: fused and rewritten."""
    return rewritten(fuse(codelet, mapping.fused), mapping.rewriting)


def with_derived(mapping: Mapping, codelet: Codelet, payloads: Payloads) -> Payloads:
    """The constants of a layer with those that the bound form introduces."""
    if not mapping.rewriting:
        return payloads
    derived = variant(fuse(codelet, mapping.fused), mapping.rewriting).derived
    if derived is None:
        return payloads
    needed = [t for t in derived.tensors if t.role is Role.CONSTANT]
    values = {t.name: payload(derived, payloads, t.name) for t in needed}
    return {**payloads, **run(derived, {}, values)}
