"""An independent check that a mapping computes its codelet on an architecture.

In: any mapping (solved, pinned, edited). Out: every finding as a `Diagnostic`; none means legal. It
knows no solver, no cost and none of their tables: it evaluates statements, walks tiles and compares
offsets. Codes: MAP010 binding, MAP011 loop nest, MAP012 placement, MAP013 allocation, MAP014
residency, MAP015 streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg, Memory
from covenant.codelets.fuse import fuse, fusions
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, Diagnostic, ExitCode, Span
from covenant.mapper.mapping import Mapping, Placement, Role
from covenant.mapper.verify_binding import binding_faults, capability_of
from covenant.mapper.verify_fusion import fusion_faults, window_faults
from covenant.mapper.verify_layout import Shape, layout_faults, stream_faults, word_faults
from covenant.mapper.verify_shapes import shapes_of


def verify(mapping: Mapping, codelet: Codelet, acg: Acg) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with a mapping, in a fixed order."""
    span = Span(mapping.architecture)
    if mapping.fused and mapping.fused not in fusions(codelet):
        names = " and ".join(f"'{d}'" for d in mapping.fused)
        return (Diagnostic("MAP010", f"{names} cannot run as one dim", span),)
    layer, codelet = codelet, fuse(codelet, mapping.fused)
    found = [Diagnostic("MAP010", f, span) for f in fusion_faults(layer, codelet)]
    found += [Diagnostic("MAP010", f, span) for f in binding_faults(mapping, codelet, acg)]
    if not found:
        found += [Diagnostic("MAP011", f, span) for f in _nest_faults(mapping, codelet, acg)]
    if found:
        return tuple(found)
    shapes = shapes_of(mapping, codelet, acg)
    for code, faults in (
        ("MAP012", _placement_faults(mapping, codelet, acg, shapes)),
        ("MAP013", _allocation_faults(mapping, acg)),
        ("MAP014", _residency_faults(mapping, codelet, acg)),
        ("MAP015", _stream_faults(mapping, codelet, acg, shapes)),
    ):
        found += [Diagnostic(code, f, span) for f in faults]
    return tuple(found)


def check(mapping: Mapping, codelet: Codelet, acg: Acg) -> Mapping:
    """The mapping itself; raises CovenantError with every finding when it is not legal."""
    found = verify(mapping, codelet, acg)
    if found:
        raise CovenantError(found, ExitCode.INVALID)
    return mapping


def reduced_dims(codelet: Codelet) -> frozenset[str]:
    """Dims that are summed over: read by the first step, absent from its target."""
    first = codelet.steps[0]
    kept = {d for i in first.target.indices for d in i.dims}
    return frozenset(d for r in first.refs for i in r.indices for d in i.dims) - kept


def _nest_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    names = {d.name for d in codelet.dims}
    if len(mapping.levels) != 1:
        yield f"{len(mapping.levels)} levels; one memory between off-chip and compute is supported"
        return
    loops = mapping.levels[0].loops
    for name in mapping.levels[0].memories:
        if name not in {m.name for m in acg.on_chip}:
            yield f"'{name}' is no on-chip memory"
    listed = [loop.dim for loop in loops]
    for dim in sorted(set(listed)):
        if listed.count(dim) > 1:
            yield f"dim '{dim}' is looped {listed.count(dim)} times"
        if dim not in names:
            yield f"loop over unknown dim '{dim}'"
    for loop in loops:
        if loop.dim not in names:
            continue
        extent = codelet.dim(loop.dim).extent
        if not 1 <= loop.tile <= extent:
            yield f"tile {loop.tile} of '{loop.dim}' is outside 1..{extent}"
            continue
        covered = min(extent, loop.tile * max(0, loop.trips))
        if covered != extent or (loop.trips - 1) * loop.tile >= extent:
            yield (
                f"{loop.trips} tiles of {loop.tile} do not divide the {extent} iterations of "
                f"'{loop.dim}'; expected {-(-extent // loop.tile)} tiles"
            )
    if sorted(mapping.inner) != sorted(names):
        yield f"inner loops {', '.join(mapping.inner)} are not the dims {', '.join(sorted(names))}"
        return
    reduced = reduced_dims(codelet)
    kinds = [d in reduced for d in mapping.inner]
    if kinds != sorted(kinds):
        yield "a dim of the reduction lies outside a dim of the result in the inner loops"
    yield from _grain_faults(mapping, codelet, acg)


def _grain_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    """A split dim must be split between array steps, unless its lanes can be masked."""
    capability = capability_of(acg, mapping.steps[0])
    assert capability is not None
    bound = {d: c for c, d in mapping.steps[0].dims}
    for loop in mapping.levels[0].loops:
        step = capability.extents.get(bound.get(loop.dim, ""), 1)
        if loop.trips > 1 and loop.tile % step and not _maskable(acg, mapping, loop.dim):
            yield f"tile {loop.tile} of '{loop.dim}' is no multiple of {step} elements per step"


def _maskable(acg: Acg, mapping: Mapping, dim: str) -> bool:
    """Whether every stream that carries a dim can leave out positions: it is a lane dim
    everywhere."""
    found = False
    for step in mapping.steps:
        capability = capability_of(acg, step)
        assert capability is not None
        bound = {d: c for c, d in step.dims}
        for port in capability.ports:
            carried = bound.get(dim, "") in port.tile
            if carried and port.name in dict(step.tensors) and (port.stream or port.spill):
                stream = acg.transfer(port.stream or port.spill)
                if port.tile[-1] == bound[dim] or "tail" not in stream.abilities:
                    return False
                found = True
    return found


def _placement_faults(
    mapping: Mapping, codelet: Codelet, acg: Acg, shapes: dict[str, Shape]
) -> Iterator[str]:
    listed = [p.port for p in mapping.placements]
    split = _outermost_reduction(mapping, codelet) is not None
    last = capability_of(acg, mapping.steps[-1])
    assert last is not None
    result = last.statement.target.name
    partial = _partial_port(mapping, acg)
    for port, shape in shapes.items():
        needed = port != partial or port == result or split
        if listed.count(port) != int(needed):
            yield f"port '{port}' is placed {listed.count(port)} times, expected {int(needed)}"
        del shape
    for placement in mapping.placements:
        known = shapes.get(placement.port)
        if known is None:
            yield f"port '{placement.port}' does not read or write a memory"
            continue
        yield from _one_placement(mapping, codelet, acg, placement, known, result)


def _one_placement(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    placement: Placement,
    shape: Shape,
    result: str,
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
    memory = acg.stream_memory(shape.stream)
    if placement.memory != memory.name:
        yield f"port '{port}' is placed in '{placement.memory}', its stream reaches '{memory.name}'"
        return
    resident = resident_extents(mapping, codelet, placement)
    sizes = tuple(i.span(resident) for i in shape.indices)
    home = placement.role is not Role.PARTIAL
    word = memory.word_bytes
    yield from layout_faults(f"tile of '{port}'", placement.layout, sizes, shape, word)
    if shape.source is not None:
        source = shape.source
        yield from window_faults(port, placement.home, placement.layout, source, shape.dtype, word)
        return
    if home:
        yield from layout_faults(f"home of '{port}'", placement.home, shape.shape, shape, word)
    elif placement.home.bytes:
        yield f"partial sums '{port}' have a home of {placement.home.bytes} bytes"
    if placement.layout.bytes <= memory.size_bytes and home and not shape.record_bytes:
        yield from word_faults(mapping, codelet, placement, shape, word)


def resident_extents(mapping: Mapping, codelet: Codelet, placement: Placement) -> dict[str, int]:
    """Iterations of every dim that the resident tile of a placement covers."""
    outside = mapping.levels[0].loops[: max(0, placement.cut)]
    return {**codelet.extents, **{loop.dim: loop.tile for loop in outside}}


def _allocation_faults(mapping: Mapping, acg: Acg) -> Iterator[str]:
    buffers: list[tuple[str, Memory, NDArray[np.int64]]] = []
    for placement in mapping.placements:
        memory = next((m for m in acg.memories if m.name == placement.memory), None)
        if memory is None:
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


def _outermost_reduction(mapping: Mapping, codelet: Codelet) -> int | None:
    """Index of the outermost loop that splits the reduction."""
    reduced = reduced_dims(codelet)
    for index, loop in enumerate(mapping.levels[0].loops):
        if loop.dim in reduced and loop.trips > 1:
            return index
    return None


def _partial_port(mapping: Mapping, acg: Acg) -> str:
    capability = capability_of(acg, mapping.steps[0])
    assert capability is not None
    return next((p.name for p in capability.ports if p.partial and p.spill), "")


def _residency_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    loops = mapping.levels[0].loops
    outermost = _outermost_reduction(mapping, codelet)
    if outermost is not None and not _partial_port(mapping, acg):
        yield f"the reduction is split over '{loops[outermost].dim}' but cannot be resumed"
    for placement in mapping.placements:
        port = placement.port
        if not 0 <= placement.cut <= len(loops):
            yield f"cut {placement.cut} of '{port}' is outside 0..{len(loops)}"
        if placement.copies not in (1, 2):
            yield f"'{port}' has {placement.copies} copies, 1 or 2 are possible"
        if placement.role is Role.PARTIAL:
            if placement.copies != 1:
                yield f"partial sums '{port}' have {placement.copies} copies; they stay in one"
            if outermost is not None and placement.cut > outermost:
                yield (
                    f"partial sums '{port}' are exchanged inside the reduction over "
                    f"'{loops[outermost].dim}' and would be lost"
                )


def _stream_faults(
    mapping: Mapping, codelet: Codelet, acg: Acg, shapes: dict[str, Shape]
) -> Iterator[str]:
    reduced = reduced_dims(codelet)
    capability = capability_of(acg, mapping.steps[0])
    assert capability is not None
    bound = {d: capability.extents.get(c, 1) for c, d in mapping.steps[0].dims}
    for placement in mapping.placements:
        shape = shapes.get(placement.port)
        if shape is not None:
            stream = acg.transfer(shape.stream)
            yield from stream_faults(
                mapping,
                codelet,
                placement,
                shape,
                stream,
                acg.stream_memory(stream.name),
                bound,
                reduced,
            )
