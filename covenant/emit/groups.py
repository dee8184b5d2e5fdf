"""Groups of codelet steps that one launch executes, and how every stream of it is described.

In: a mapping, its codelet (fused, not rewritten), an architecture. Out: `Group`s in the order of
the steps: those before the reduction give partial sums their first value, the main one computes,
those behind it find the sums in a memory. Steps joined by a chain belong to one group.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass, replace

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Capability, Port
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import fail
from covenant.mapper.mapping import Mapping, Role
from covenant.mapper.operands import (
    Operand,
    capability_of,
    lane_count,
    operands,
    reduction_dims,
)
from covenant.mapper.rewrite import main_step, rewritten
from covenant.mapper.streams import binding_of


@dataclass(frozen=True, slots=True)
class End:
    """One stream of a group: register prefix, what it carries, whether it writes."""

    prefix: str
    operand: Operand
    written: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that one launch of `unit` executes.

    order: loops of a launch, outermost first; extents: elements per array step of every codelet
    dim; adds: sums lie in a memory and every array step adds to them there; keeps: sums of a
    reduction stay in the node until it ends; stationary: port that stays while what it lacks is
    iterated; sums: the stream that partial sums take, None where there is none.
    """

    steps: tuple[int, ...]
    unit: ControlUnit
    capability: Capability
    order: tuple[str, ...]
    extents: Map[str, int]
    ends: tuple[End, ...]
    adds: bool
    keeps: bool
    stationary: str
    sums: End | None


def groups_of(mapping: Mapping, codelet: Codelet, acg: Acg, control: Control) -> tuple[Group, ...]:
    """All groups, in the order of the steps."""
    chunks: list[list[int]] = []
    for index, step in enumerate(mapping.steps):
        if index and acg.compute(step.node).after:
            chunks[-1].append(index)
        else:
            chunks.append([index])
    return tuple(_Reader(mapping, codelet, acg, control).group(tuple(c)) for c in chunks)


def main_group(groups: tuple[Group, ...], form: Codelet) -> int:
    """Index of the group with the reducing step."""
    return next(i for i, g in enumerate(groups) if main_step(form) in g.steps)


def unit_of(nodes: Iterable[str], control: Control) -> ControlUnit:
    """The unit whose launch starts all these compute nodes; EMI002 when there is none."""
    wanted = set(nodes)
    for unit in control.units:
        if wanted <= set(unit.nodes):
            return unit
    names = " and ".join(sorted(wanted))
    raise fail("EMI002", f"no control unit starts {names}", control.span)


@dataclass(frozen=True, slots=True)
class _Reader:
    mapping: Mapping
    codelet: Codelet
    acg: Acg
    control: Control

    def group(self, steps: tuple[int, ...]) -> Group:
        form = rewritten(self.codelet, self.mapping.rewriting)
        first = steps[0]
        capability = capability_of(self.acg, self.mapping.steps[first])
        reduces = bool(form.steps[first].reduction)
        chained = len(steps) > 1
        stays = chained or capability.keeps_result
        unit = unit_of((self.mapping.steps[i].node for i in steps), self.control)
        ends, sums = self._ends(form, steps, capability, unit)
        extents = {d.name: 1 for d in form.dims}
        for name, dim in self.mapping.steps[first].dims:
            extents[dim] = capability.extents.get(name, 1)
        main = first == main_step(form)
        stationary = "" if stays and reduces else capability.stationary
        order = self.mapping.inner if main else self._order(form, steps, stationary)
        return Group(
            steps,
            unit,
            capability,
            order,
            extents,
            ends,
            adds=reduces and not stays,
            keeps=reduces and stays,
            stationary=stationary,
            sums=sums,
        )

    def _order(self, form: Codelet, steps: tuple[int, ...], stationary: str) -> tuple[str, ...]:
        """Dims of the steps, those that the stationary operand lacks innermost."""
        own = {
            d
            for i in steps
            for ref in (form.steps[i].target, *form.steps[i].refs)
            for index in ref.indices
            for d in index.dims
        }
        tensor = dict(self.mapping.steps[steps[0]].tensors).get(stationary, "")
        refs = [r for i in steps for r in form.steps[i].refs if r.name == tensor]
        kept = {d for r in refs for index in r.indices for d in index.dims}
        dims = [d.name for d in form.dims if d.name in own]
        if not tensor:
            return tuple(dims)
        return (*(d for d in dims if d in kept), *(d for d in dims if d not in kept))

    def _ends(
        self, form: Codelet, steps: tuple[int, ...], first: Capability, unit: ControlUnit
    ) -> tuple[tuple[End, ...], End | None]:
        """Streams of the group; that of partial sums apart where they have one of their own."""
        binding = binding_of(self.mapping)
        placed = operands(self.codelet, self.acg, binding)
        partial = next((o for o in placed if o.role is Role.PARTIAL), None)
        found: list[End] = []
        sums: End | None = None
        for index in steps:
            step = self.mapping.steps[index]
            capability = capability_of(self.acg, step)
            target = capability.statement.target.name
            tensors = dict(step.tensors)
            for port in capability.ports:
                tensor = tensors.get(port.name, "")
                if not tensor or not port.tile:
                    continue
                written = port.name == target
                if partial is not None and tensor == partial.tensor:
                    joint = self._joint(partial, index, port)
                    if joint is None:
                        continue
                    if index == main_step(form):
                        sums = End(port.name, joint, written=True)
                    else:
                        found.append(End(port.name, joint, written))
                    continue
                own = (o for o in placed if o.port == port.name and o.tensor == tensor)
                operand = next(own, None)
                if operand is not None:
                    found.append(End(port.name, operand, written))
        names = {
            r.name for i in steps for r in self.acg.compute(self.mapping.steps[i].node).records
        }
        found += [End(o.port, o, written=False) for o in placed if o.port in names]
        return tuple(found), sums

    def _joint(self, partial: Operand, index: int, port: Port) -> Operand | None:
        """Partial sums as the port of one step takes them, None when they pass over a chain."""
        stream = port.partial or port.stream
        if not stream:
            return None
        step = self.mapping.steps[index]
        binding = binding_of(self.mapping)
        dims = dict(step.dims)
        beat = tuple((dims.get(d, ""), lane_count(self.acg, binding, index, d)) for d in port.tile)
        memory = self.acg.stream_memory(stream).name
        return replace(partial, beat=beat, stream=stream, memory=memory)


def summed(codelet: Codelet, mapping: Mapping) -> tuple[str, ...]:
    """Dims of the reduction."""
    return reduction_dims(rewritten(codelet, mapping.rewriting))
