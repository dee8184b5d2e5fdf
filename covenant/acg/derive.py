"""What an architecture file leaves to arithmetic: inherited extents and words per beat of streams.

In: validated sections. Out: integers for `acg.build`. References that do not resolve count as
absent here; `acg.verify` reports them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from covenant.acg.notation import parse_register, parse_semantics
from covenant.acg.sections import ArchitectureSection, CapabilitySection, PortSection
from covenant.core.dtypes import DType
from covenant.core.expression import Statement


def statement_dims(statement: Statement) -> tuple[str, ...]:
    """Capability dims of a statement, target first, in the order written."""
    refs = (statement.target, *statement.refs)
    return tuple(dict.fromkeys(d for ref in refs for index in ref.indices for d in index.dims))


def extents(section: ArchitectureSection, node: str, capability: str) -> dict[str, int]:
    """Elements per step of every dim: those written, else those of the node it follows."""
    own = section.compute[node].capabilities[capability]
    found = {**_inherited(section, node, frozenset()), **own.extents}
    dims = statement_dims(parse_semantics(own.semantics))
    named = {dim: found[dim] for dim in dims if dim in found}
    return named | {dim: extent for dim, extent in own.extents.items() if dim not in named}


def _inherited(section: ArchitectureSection, node: str, seen: frozenset[str]) -> dict[str, int]:
    """Extents of the first capability of the node before, and of those before it."""
    before = section.compute[node].after
    if before is None or before not in section.compute or before in seen:
        return {}
    capability = next(iter(section.compute[before].capabilities.values()))
    return {**_inherited(section, before, seen | {node}), **capability.extents}


def stream_lanes(section: ArchitectureSection, stream: str) -> int:
    """Words per beat of a stream: as written, else the widest of the ports it carries."""
    transfer = section.transfers[stream]
    if transfer.source not in section.compute and transfer.target not in section.compute:
        return 0
    return transfer.lanes or max(_port_lanes(section, stream), default=1)


def _port_lanes(section: ArchitectureSection, stream: str) -> Iterator[int]:
    transfer = section.transfers[stream]
    end = transfer.target if transfer.source in section.compute else transfer.source
    word_bytes = section.memories[end].word_bytes if end in section.memories else 1
    for node, compute in section.compute.items():
        for name, capability in compute.capabilities.items():
            found = extents(section, node, name)
            for port_name, port in capability.ports.items():
                if stream in (port.stream, port.partial, port.spill) and port.tile:
                    raw = stream != port.stream or _writes(capability, port_name)
                    packed = contiguous(section, node, port_name)
                    yield port_words(port, found, word_bytes, raw, packed)


def port_words(
    port: PortSection, found: Mapping[str, int], word_bytes: int, raw: bool, packed: bool
) -> int:
    """Words of one beat of a port. Results and partial sums (`raw`) move one word per lane; inputs
    move a whole tile, its lanes strided or packed behind one another."""
    lanes = math.prod(found.get(dim, 1) for dim in port.tile[:-1])
    if raw:
        return lanes
    held = port.dtypes if port.stored is None else [port.stored]
    run_bytes = found.get(port.tile[-1], 1) * max(DType(d).bytes for d in held)
    if packed:
        return max(1, lanes * run_bytes // word_bytes)
    return lanes * max(1, run_bytes // word_bytes)


def granule(section: ArchitectureSection, transfer: str) -> int:
    """Bytes of the words that a DMA moves: those of the on-chip memory, of the narrower one of two;
    0 for a stream."""
    ends = (section.transfers[transfer].source, section.transfers[transfer].target)
    found = [section.memories[end] for end in ends if end in section.memories]
    if len(found) < len(ends):
        return 0
    return min((m.word_bytes for m in found if not m.off_chip), default=found[0].word_bytes)


def grid(section: ArchitectureSection, memory: str) -> tuple[int, ...]:
    """Instances of a memory along every dim that it exists per lane of."""
    ends = {n for n, t in section.transfers.items() if memory in (t.source, t.target)}
    widest: dict[str, int] = {}
    for node, compute in section.compute.items():
        for name, capability in compute.capabilities.items():
            ports = capability.ports.values()
            if any(ends & {p.stream, p.partial, p.spill} for p in ports):
                for dim, extent in extents(section, node, name).items():
                    widest[dim] = max(extent, widest.get(dim, 1))
    found = (text.partition("/") for text in section.memories[memory].per)
    return tuple(-(-widest.get(dim, 1) // int(each or 1)) for dim, _, each in found)


def contiguous(section: ArchitectureSection, node: str, port: str) -> bool:
    """Whether the lanes of a port lie behind one another: its unit has no `lane_stride`, and they
    do not read memories of their own."""
    streams = [
        c.ports[port].stream for c in section.compute[node].capabilities.values() if port in c.ports
    ]
    if any(_apart(section, stream) for stream in streams if stream):
        return False
    if any(
        c.ports[port].dense for c in section.compute[node].capabilities.values() if port in c.ports
    ):
        return True
    if section.control is None:
        return False
    units = [unit for unit in section.control.units.values() if node in unit.nodes]
    quantities = {
        q
        for u in units
        for text in u.registers
        for q in (form.quantity for form in parse_register(text))
    }
    return bool(units) and f"{port}.lane_stride" not in quantities


def _apart(section: ArchitectureSection, stream: str) -> bool:
    """Whether the memory of a stream has an instance per lane."""
    transfer = section.transfers.get(stream)
    ends = (transfer.source, transfer.target) if transfer else ()
    return any(section.memories[end].per for end in ends if end in section.memories)


def _writes(capability: CapabilitySection, port: str) -> bool:
    return parse_semantics(capability.semantics).target.name == port
