"""Are all operands placed, along routes that exist, in layouts and at addresses that are legal?

In: a mapping and what its ports move (`Shape`s). Out: findings as sentences. Part of `verify`;
knows no solver and none of its tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise, product

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg, Memory
from covenant.codelets.ir import Codelet
from covenant.codelets.ir import Role as TensorRole
from covenant.mapper.mapping import Loop, Mapping, Placement, Role
from covenant.mapper.verify_binding import capability_of
from covenant.mapper.verify_form import reducing_step
from covenant.mapper.verify_fusion import window_faults
from covenant.mapper.verify_layout import Shape, layout_faults, word_faults


def outside_loops(mapping: Mapping, placement: Placement) -> list[Loop]:
    """Loops outside the resident tile, outermost first."""
    level = min(max(0, placement.level), len(mapping.levels) - 1)
    outer = [loop for each in mapping.levels[:level] for loop in each.loops]
    return [*outer, *mapping.levels[level].loops[: max(0, placement.cut)]]


def placement_faults(
    mapping: Mapping, codelet: Codelet, acg: Acg, shapes: dict[str, Shape]
) -> Iterator[str]:
    """Every port has a placement in every memory of a route, and only these."""
    last = capability_of(acg, mapping.steps[-1])
    assert last is not None
    result = last.statement.target.name
    for port, shape in shapes.items():
        own = [p for p in mapping.placements if p.port == port]
        needed = port == result or _needed(mapping, codelet, acg, port)
        if not needed or not own:
            if len(own) != int(needed):
                yield f"port '{port}' is placed {len(own)} times, expected {int(needed)}"
            continue
        yield from _route_faults(acg, shape, own, _meeting(mapping, codelet, acg, port))
    for placement in mapping.placements:
        known = shapes.get(placement.port)
        if known is None:
            yield f"port '{placement.port}' does not read or write a memory"
            continue
        yield from _one_placement(mapping, codelet, acg, placement, known)


def _needed(mapping: Mapping, codelet: Codelet, acg: Acg, port: str) -> bool:
    """Sums that stay in the node until they are complete need no memory."""
    if port != sums_port(mapping, codelet, acg):
        return True
    index = reducing_step(codelet)
    capability = capability_of(acg, mapping.steps[index])
    assert capability is not None
    after = mapping.steps[index + 1].node if index + 1 < len(mapping.steps) else ""
    stays = capability.keeps_result or bool(after and acg.compute(after).after)
    met = bool(_meeting(mapping, codelet, acg, port))
    return met or not stays or outermost_reduction(mapping, codelet) is not None


def sums_port(mapping: Mapping, codelet: Codelet, acg: Acg) -> str:
    """The port of the reducing step that its sums pass, "" when they never leave the node."""
    index = reducing_step(codelet)
    capability = capability_of(acg, mapping.steps[index])
    assert capability is not None
    if codelet.tensor(codelet.steps[index].target.name).role is not TensorRole.LOCAL:
        return ""
    target = capability.statement.target.name
    return next((p.name for p in capability.ports if p.name == target and p.tile), "")


def _meeting(mapping: Mapping, codelet: Codelet, acg: Acg, port: str) -> set[str]:
    """Memories in which other steps read or write the sums."""
    if port != sums_port(mapping, codelet, acg):
        return set()
    index = reducing_step(codelet)
    name = codelet.steps[index].target.name
    found: set[str] = set()
    for other, step in enumerate(mapping.steps):
        capability = capability_of(acg, step)
        assert capability is not None
        for own, tensor in step.tensors:
            if other != index and tensor == name:
                end = capability.port(own)
                found.add(acg.stream_memory(end.stream or end.spill).name)
    return found


def _route_faults(
    acg: Acg, shape: Shape, own: Sequence[Placement], meeting: set[str]
) -> Iterator[str]:
    """Neighbouring memories are joined by transfers in the direction the operand takes."""
    port = own[0].port
    names = [p.memory for p in own]
    reached = acg.stream_memory(shape.stream)
    if names[-1] != reached.name:
        yield f"port '{port}' is placed in '{names[-1]}', its stream reaches '{reached.name}'"
        return
    if len(set(names)) < len(names):
        yield f"port '{port}' is placed {len(names)} times in {', '.join(sorted(set(names)))}"
        return
    if reached.off_chip:
        return
    sums = own[-1].role is Role.PARTIAL
    if sums and meeting - {names[0]}:
        yield f"sums '{port}' start in '{names[0]}', other steps find them in {sorted(meeting)}"
    for outer, inner in pairwise(names):
        inward, outward = acg.between(outer, inner), acg.between(inner, outer)
        if (sums and not (inward and outward)) or not (outward if shape.written else inward):
            yield f"port '{port}': nothing moves it between '{outer}' and '{inner}'"
    off_chip = [m.name for m in acg.off_chip]
    ends = [
        acg.between(names[0], name) if shape.written else acg.between(name, names[0])
        for name in off_chip
    ]
    if not sums and not any(ends):
        yield f"port '{port}': nothing moves it between '{names[0]}' and off-chip memory"


def _one_placement(
    mapping: Mapping, codelet: Codelet, acg: Acg, placement: Placement, shape: Shape
) -> Iterator[str]:
    port = placement.port
    step_tensors = {p: t for s in mapping.steps for p, t in s.tensors}
    tensor = "" if shape.record_bytes else step_tensors[port]
    if placement.tensor != tensor:
        yield f"port '{port}' places tensor '{placement.tensor}', its binding '{tensor}'"
        return
    expected = Role.CONSTANT
    if tensor:
        role = codelet.tensor(tensor).role.value
        expected = Role.PARTIAL if role == "local" else Role(role)
    if placement.role is not expected:
        yield f"port '{port}' is placed as {placement.role}, it is {expected}"
    if placement.dtype is not shape.dtype:
        yield f"port '{port}' is placed as {placement.dtype}, its tensor is {shape.dtype}"
    memory = next((m for m in acg.memories if m.name == placement.memory), None)
    reached = acg.stream_memory(shape.stream)
    if memory is None:
        found = f"port '{port}' is placed in '{placement.memory}'"
        yield f"{found}, its stream reaches '{reached.name}'"
        return
    resident = resident_extents(mapping, codelet, placement)
    sizes = tuple(i.span(resident) for i in shape.indices)
    home = placement.role is not Role.PARTIAL or placement.home.bytes > 0
    word = reached.word_bytes
    if home and shape.source is None:
        yield from layout_faults(f"home of '{port}'", placement.home, shape.shape, shape, word)
    if placement.role is Role.PARTIAL and home and not _spills(acg, placement.memory):
        yield f"partial sums '{port}' have a home of {placement.home.bytes} bytes"
    if memory.off_chip:
        if placement.addresses or placement.layout.bytes:
            yield f"'{port}' has buffers in '{memory.name}', which is off chip"
        return
    if memory.per:
        yield from _instance_faults(mapping, codelet, acg, placement, shape, resident)
        return
    yield from layout_faults(f"tile of '{port}'", placement.layout, sizes, shape, word, resident)
    if shape.source is not None:
        source = shape.source
        yield from window_faults(port, placement.home, placement.layout, source, shape.dtype, word)
        return
    if placement.layout.bytes <= memory.size_bytes and home and not shape.record_bytes:
        loops = outside_loops(mapping, placement)
        yield from word_faults(codelet, loops, placement, shape, word)


def _spills(acg: Acg, memory: str) -> bool:
    """Whether transfers can take raw sums off chip and bring them back."""
    ways = [
        [t for t in acg.transfers if (t.source, t.target) == ends and "sums" in t.abilities]
        for off in acg.off_chip
        for ends in ((off.name, memory), (memory, off.name))
    ]
    return len(ways) > 1 and all(ways)


def _instance_faults(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    placement: Placement,
    shape: Shape,
    resident: dict[str, int],
) -> Iterator[str]:
    """One instance of a memory holds what its lane needs: every position it visits."""
    step = mapping.steps[reducing_step(codelet)]
    capability = capability_of(acg, step)
    assert capability is not None
    memory = acg.memory(placement.memory)
    each = dict(zip(memory.per, memory.lanes_each, strict=True))
    lanes = {d: (capability.extents[c], each[c]) for c, d in step.dims if c in each}
    for loop in (x for level in mapping.levels for x in level.loops):
        whole = lanes.get(loop.dim, (1, 1))[0]
        if loop.trips > 1 and loop.tile % whole:
            yield (
                f"tiles of {loop.tile} of '{loop.dim}' are no multiples of its {whole} lanes, "
                f"which have '{memory.name}' each"
            )
    word, words = acg.stream_memory(shape.stream).word_bytes, 1
    for index in shape.indices:
        visited = [_visited(resident[d], *lanes.get(d, (1, 1))) for d in index.dims]
        places = {
            index.evaluate(dict(zip(index.dims, at, strict=True))) for at in product(*visited)
        }
        packed = shape.beat[-1][0] in index.dims
        words *= -(-len(places) * shape.dtype.bytes // word) if packed else len(places)
    if placement.layout.bytes < words * word:
        yield (
            f"tile of '{placement.port}': {placement.layout.bytes} bytes in each "
            f"'{memory.name}', {words * word} are needed"
        )


def _visited(extent: int, lanes: int, each: int) -> list[int]:
    """Positions of a dim that the first instance holds: those of its lanes in every step."""
    return [at for at in range(extent) if at % lanes < each]


def resident_extents(mapping: Mapping, codelet: Codelet, placement: Placement) -> dict[str, int]:
    """Iterations of every dim that the resident tile of a placement covers."""
    outside = outside_loops(mapping, placement)
    return {**codelet.extents, **{loop.dim: loop.tile for loop in outside}}


def allocation_faults(mapping: Mapping, acg: Acg) -> Iterator[str]:
    """Every copy has an address, aligned, inside its memory, apart from all others."""
    buffers: list[tuple[str, Memory, NDArray[np.int64]]] = []
    for placement in mapping.placements:
        memory = next((m for m in acg.memories if m.name == placement.memory), None)
        if memory is None or memory.off_chip:
            continue
        if len(placement.addresses) != placement.copies:
            yield (
                f"'{placement.port}' has {placement.copies} copies and "
                f"{len(placement.addresses)} addresses"
            )
        for i, address in enumerate(placement.addresses):
            name = f"{placement.port}[{i}]"
            yield from _address_faults(name, address, placement, memory)
            buffers.append((name, memory, _places(memory, address, placement.layout.bytes)))
    for left, right in combinations(buffers, 2):
        if left[1] == right[1] and np.intersect1d(left[2], right[2], assume_unique=True).size:
            yield f"buffers {left[0]} and {right[0]} overlap"


def _places(memory: Memory, address: int, size: int) -> NDArray[np.int64]:
    """Words of the memory that a buffer occupies, whatever view its addresses are in."""
    word = memory.word_bytes
    last = memory.address_bytes // word
    words = np.arange(max(0, address // word), min(last, -(-(address + size) // word)))
    return memory.places(words)


def _address_faults(name: str, address: int, placement: Placement, memory: Memory) -> Iterator[str]:
    if address % memory.word_bytes:
        yield f"buffer {name} at {address} is not aligned to {memory.word_bytes} bytes"
    inside = address % memory.size_bytes
    if (
        not 0 <= address < memory.address_bytes
        or inside + placement.layout.bytes > memory.size_bytes
    ):
        yield (
            f"buffer {name} at {address} of {placement.layout.bytes} bytes leaves "
            f"'{memory.name}' of {memory.size_bytes} bytes"
        )


def outermost_reduction(mapping: Mapping, codelet: Codelet) -> Loop | None:
    """The outermost loop that splits the reduction."""
    step = codelet.steps[reducing_step(codelet)]
    kept = {d for i in step.target.indices for d in i.dims}
    read = {d for r in step.refs for i in r.indices for d in i.dims}
    loops = (loop for level in mapping.levels for loop in level.loops)
    return next((x for x in loops if x.dim in read - kept and x.trips > 1), None)


def residency_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    """Cuts and copies are possible, inner tiles lie in outer ones, no sums are lost."""
    split = outermost_reduction(mapping, codelet)
    sums = sums_port(mapping, codelet, acg)
    main = capability_of(acg, mapping.steps[reducing_step(codelet)])
    assert main is not None
    if split is not None and not (sums and main.port(sums).partial):
        yield f"the reduction is split over '{split.dim}' but cannot be resumed"
    direct = {p.port for p in mapping.placements if acg.memory(p.memory).off_chip}
    for placement in mapping.placements:
        port = placement.port
        if not 0 <= placement.level < len(mapping.levels):
            yield f"level {placement.level} of '{port}' is outside 0..{len(mapping.levels) - 1}"
            return
        loops = mapping.levels[placement.level].loops
        if not 0 <= placement.cut <= len(loops):
            yield f"cut {placement.cut} of '{port}' is outside 0..{len(loops)}"
        if placement.copies not in (1, 2):
            yield f"'{port}' has {placement.copies} copies, 1 or 2 are possible"
        if placement.role is Role.PARTIAL:
            yield from _sum_faults(mapping, acg, placement, split, moved=bool(direct))
        leader = next((p for p in mapping.placements if p.port == sums), placement)
        if port in direct and (placement.level, placement.cut) != (leader.level, leader.cut):
            yield f"'{port}' is not exchanged together with the sums '{sums}'"
    for port in dict.fromkeys(p.port for p in mapping.placements):
        own = [p for p in mapping.placements if p.port == port]
        for outer, inner in pairwise(own):
            if (outer.level, outer.cut) > (inner.level, inner.cut):
                yield f"the tile of '{port}' in '{inner.memory}' leaves that in '{outer.memory}'"


def _sum_faults(
    mapping: Mapping, acg: Acg, placement: Placement, split: Loop | None, *, moved: bool
) -> Iterator[str]:
    own = [p for p in mapping.placements if p.port == placement.port]
    leaves = placement is not own[0] or placement.home.bytes > 0
    if placement.copies != 1 and not (leaves or moved):
        yield f"partial sums '{placement.port}' have {placement.copies} copies; they stay in one"
    if not leaves and split is not None and split in outside_loops(mapping, placement):
        yield (
            f"partial sums '{placement.port}' are exchanged inside the reduction over "
            f"'{split.dim}' and would be lost"
        )
