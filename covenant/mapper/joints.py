"""How the steps of a binding meet: over a chain edge, or in a memory that both reach.

In: bound steps of a codelet. Out: why two of them cannot meet ("" when they can), and the memories
they meet in. A local tensor that one step writes and another reads or adds to without a chain lies
in a memory, with one layout: the same dims packed and in lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from covenant.acg.graph import Acg, Capability, Port, Transfer
from covenant.codelets.ir import Codelet, Role
from covenant.core.expression import Ref
from covenant.mapper.mapping import StepBinding


@dataclass(frozen=True, slots=True)
class Joint:
    """A local tensor at a port with a beat of its own: which step, and whether that writes it."""

    step: int
    capability: Capability
    port: Port
    writes: bool
    beat: tuple[str, ...]

    @property
    def stream(self) -> str:
        """Transfer node that carries it, "" when it stays in the node."""
        return self.port.stream or (self.port.spill if self.writes else "")


def capability_at(acg: Acg, step: StepBinding) -> Capability:
    """The capability a step is bound to."""
    for capability in acg.compute(step.node).capabilities:
        if capability.name == step.capability:
            return capability
    raise KeyError(step.capability)


def joints(codelet: Codelet, acg: Acg, steps: Sequence[StepBinding]) -> Iterator[Joint]:
    """Ports that local tensors pass."""
    for index, step in enumerate(steps):
        capability = capability_at(acg, step)
        bound = dict(step.dims)
        for name, tensor in step.tensors:
            port = next((p for p in capability.ports if p.name == name), None)
            if port is None or codelet.tensor(tensor).role is not Role.LOCAL or not port.tile:
                continue
            writes = capability.statement.target.name == name
            beat = tuple(bound.get(d, "") for d in port.tile)
            yield Joint(index, capability, port, writes, beat)


def met_dims(
    codelet: Codelet,
    acg: Acg,
    steps: Sequence[StepBinding],
    capability: Capability,
    refs: Mapping[str, Ref],
) -> dict[str, str]:
    """Codelet dims that the dims of a capability must have to meet earlier steps in a memory."""
    tensors = {port: ref.name for port, ref in refs.items()}
    found: dict[str, str] = {}
    for joint in joints(codelet, acg, steps):
        name = dict(steps[joint.step].tensors)[joint.port.name]
        for port in capability.ports:
            if tensors.get(port.name) == name and len(port.tile) == len(joint.beat):
                found.update(zip(port.tile, joint.beat, strict=True))
    return found


def parted(codelet: Codelet, acg: Acg, steps: Sequence[StepBinding]) -> str:
    """Why the last step does not meet those before it in a memory, "" when it does."""
    found = list(joints(codelet, acg, steps))
    for own in (j for j in found if j.step == len(steps) - 1):
        for other in (j for j in found if j.step < own.step):
            why = _why(acg, other, own)
            if why:
                return why
    return ""


def _why(acg: Acg, before: Joint, after: Joint) -> str:
    for joint in (before, after):
        if not joint.stream:
            return f"node '{joint.capability.node}' does not write '{joint.port.name}' to a memory"
    if before.writes and after.writes and not after.port.partial:
        return f"node '{after.capability.node}' cannot add to what lies in a memory"
    one, other = acg.stream_memory(before.stream), acg.stream_memory(after.stream)
    if one != other and not (
        _leads(acg, one.name, other.name) and _leads(acg, other.name, one.name)
    ):
        return f"nothing moves '{after.port.name}' between '{one.name}' and '{other.name}'"
    if before.beat != after.beat:
        return (
            f"'{after.port.name}' has {', '.join(after.beat)} in a beat, "
            f"{', '.join(before.beat)} where it comes from"
        )
    return ""


def _leads(acg: Acg, source: str, target: str) -> bool:
    graph = movers(acg)
    return source in graph and target in graph and nx.has_path(graph, source, target)


def movers(acg: Acg) -> nx.DiGraph:
    """Memories and the transfers between them."""
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(m.name for m in acg.memories)
    graph.add_edges_from((t.source, t.target) for t in acg.transfers if not t.is_stream)
    return graph


def _writes(acg: Acg, transfer: Transfer, pad: int) -> bool:
    """Whether a transfer can fill with a value, which its units may have fixed."""
    if "fill" not in transfer.abilities:
        return False
    units = acg.control.units_of(transfer.name) if acg.control is not None else ()
    registers = [unit.register("value") for unit in units]
    return all(r is None or not r.fixed or r.reset == pad & 0xFF for r in registers)


def fills(acg: Acg, steps: Sequence[StepBinding], tensor: str, pad: int) -> bool:
    """Whether the padding of a tensor can be written around its tiles, by a transfer from off chip
    on their way that writes this value ("": there is no such tensor)."""
    for step in steps:
        capability = capability_at(acg, step)
        for port, name in step.tensors:
            if name == tensor:
                memory = acg.stream_memory(capability.port(port).stream).name
                return any(
                    _writes(acg, t, pad) and _leads(acg, t.target, memory)
                    for off_chip in acg.off_chip
                    for t in acg.transfers
                    if t.source == off_chip.name and not t.is_stream
                )
    return True
