"""Which instances of a memory per lane a beat of a stream takes.

In: the memory, a port and its capability. Out: places of the words of a beat, and of its copies.
Read by the static checker and the interpreter; the emitter does not use it.
"""

from __future__ import annotations

from itertools import product

from covenant.acg.graph import Capability, Memory, Port

Place = tuple[int, int, int]
"""First byte of an instance, lane in it, word of that lane in it."""


def instances_of(
    memory: Memory, port: Port, capability: Capability, word: int
) -> tuple[tuple[Place, ...], tuple[int, ...]]:
    """(instance, lane in it, word in it) of every word of a beat, lane by lane, and instances that
    take the same beat: the dims of the memory that the port lacks."""
    each = dict(zip(memory.per, memory.lanes_each, strict=True))
    extents = [capability.extents.get(d, 1) for d in port.tile]
    inner = [min(n, each.get(d, n)) for d, n in zip(port.tile, extents, strict=True)]
    block = word // port.kinds[0].bytes
    steps = [*([1] * (len(extents) - 1)), block]
    found: list[tuple[int, int, int]] = []
    for at in product(*(range(0, n, s) for n, s in zip(extents, steps, strict=True))):
        start = lane = 0
        for dim, place, size in zip(port.tile, at, inner, strict=True):
            start += place // size * memory.instance_stride(dim) if dim in each else 0
            lane = lane if dim == port.tile[-1] else lane * size + place % size
        found.append((start, lane, at[-1] % inner[-1] // block))
    others = [d for d in memory.per if d not in port.tile]
    counts = [-(-capability.extents.get(d, 1) // each[d]) for d in others]
    strides = [memory.instance_stride(d) for d in others]
    copies = [
        sum(i * s for i, s in zip(at, strides, strict=True)) for at in product(*map(range, counts))
    ]
    return tuple(found), tuple(copies[1:])
