"""How the lanes of a port lie in memory, by the registers of the unit that takes them.

In: an architecture, a node, a port. Out: whether lanes have a stride of their own, and whether the
hardware fixes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from covenant.acg.graph import Acg, Capability, Memory, Port
from covenant.codelets.ir import Codelet
from covenant.core.affine import Affine
from covenant.core.expression import Ref


def has_rows(acg: Acg, node: str, port: str, word_bytes: int) -> bool:
    """Whether the hardware takes the lanes of a port from neighbouring words."""
    if acg.control is None:
        return False
    found = (u.register(f"{port}.lane_stride") for u in acg.control.units if node in u.nodes)
    return any(r is not None and r.fixed and r.reset == word_bytes for r in found)


def in_rows(acg: Acg, node: str, port: str, memory: Memory) -> bool:
    """Whether lanes of a port lie in neighbouring words: the hardware takes them from there, or
    what is loaded into the memory can only land so."""
    if has_rows(acg, node, port, memory.word_bytes):
        return True
    loads = {t.name for t in acg.transfers if t.target == memory.name}
    units = acg.control.units if acg.control else ()
    landing = (u.register("dst.stride[0]") for u in units if loads.intersection(u.nodes))
    return any(r is not None and r.fixed and r.reset == memory.word_bytes for r in landing)


def is_strided(acg: Acg, node: str, port: str) -> bool:
    """Whether the lanes of a port have a stride of their own, or memories of their own (else a beat
    is contiguous)."""
    ports = [p for c in acg.compute(node).capabilities for p in c.ports if p.name == port]
    streams = [p.stream or p.spill for p in ports if p.stream or p.spill]
    if any(acg.stream_memory(stream).per for stream in streams):
        return True
    if any(p.dense for p in ports):
        return False
    if acg.control is None:
        return True
    units = [u for u in acg.control.units if node in u.nodes]
    return not units or any(u.register(f"{port}.lane_stride") is not None for u in units)


def unmaskable(
    acg: Acg,
    capability: Capability,
    port: Port,
    bound: Mapping[str, str],
    extents: Mapping[str, int],
) -> str:
    """Why the lanes of a port cannot take a layer, "" when they can: lanes that the last tile does
    not fill must be masked, or be padded in memory, which lanes with a stride are not."""
    stream = port.stream or port.spill
    if len(port.tile) < 2 or not stream or "tail" in acg.transfer(stream).abilities:
        return ""
    if port.tile[0] in acg.stream_memory(stream).per:
        return ""  # every lane has whole words of its own
    lanes, dim = capability.extents.get(port.tile[0], 1), bound.get(port.tile[0], "")
    extent = extents[dim] if dim else 1
    if extent % lanes == 0 or not is_strided(acg, capability.node, port.name):
        return ""
    return f"'{stream}' cannot mask lanes: {extent} of '{dim or port.tile[0]}' for {lanes} lanes"


def apart(acg: Acg, capability: Capability, port: Port, ref: Ref, bound: Mapping[str, str]) -> str:
    """Why the lanes of a port cannot take a tensor, "" when they can: where the hardware takes them
    from neighbouring words, neighbouring lanes must be neighbours in the tensor."""
    stream = port.partial or port.stream
    if len(port.tile) < 2 or capability.extents.get(port.tile[0], 1) < 2 or not stream:
        return ""
    word_bytes = acg.stream_memory(stream).word_bytes
    dim = bound.get(port.tile[0], "")
    if not dim or not has_rows(acg, capability.node, port.name, word_bytes):
        return ""
    step = sum(index.coefficient(dim) for index in ref.indices)
    if step == 1:
        return ""
    return f"lanes of '{port.name}' are neighbours, '{dim}' moves by {step} in '{ref.name}'"


def window(codelet: Codelet, indices: Sequence[Affine], lane: str) -> int:
    """Positions that one iteration of `lane` reaches by the other dims of its subscript."""
    others = (t for i in indices if lane in i.dims for t in i.terms if t[0] != lane)
    return 1 + sum(abs(c) * (codelet.dim(d).extent - 1) for d, c in others)
