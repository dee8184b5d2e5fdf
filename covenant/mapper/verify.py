"""An independent check that a mapping computes its codelet on an architecture.

In: any mapping (solved, pinned, edited). Out: every finding as a `Diagnostic`; none means legal. It
knows no solver, no cost and none of their tables: it evaluates statements, walks tiles and compares
offsets. Codes: MAP010 binding, MAP011 loop nest, MAP012 placement, MAP013 allocation, MAP014
residency, MAP015 streams.
"""

from __future__ import annotations

from collections.abc import Iterator

from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse, fusions
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, Diagnostic, ExitCode, Span
from covenant.mapper.mapping import Level, Mapping
from covenant.mapper.verify_binding import binding_faults, capability_of
from covenant.mapper.verify_form import form_of, reducing_step
from covenant.mapper.verify_fusion import fusion_faults
from covenant.mapper.verify_layout import Shape, stream_faults
from covenant.mapper.verify_places import allocation_faults, placement_faults, residency_faults
from covenant.mapper.verify_rows import row_faults, rows_of
from covenant.mapper.verify_shapes import shapes_of
from covenant.mapper.verify_tail import launched, rest_of, tail_faults


def verify(mapping: Mapping, codelet: Codelet, acg: Acg) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with a mapping, in a fixed order."""
    span = Span(mapping.architecture)
    if mapping.fused and mapping.fused not in fusions(codelet):
        names = " and ".join(f"'{d}'" for d in mapping.fused)
        return (Diagnostic("MAP010", f"{names} cannot run as one dim", span),)
    layer, codelet = codelet, fuse(codelet, mapping.fused)
    form, wrong = form_of(mapping, codelet)
    wrong = [*fusion_faults(layer, codelet), *wrong]
    found = [Diagnostic("MAP010", f, span) for f in wrong]
    codelet = form
    if not found:
        found = [Diagnostic("MAP010", f, span) for f in binding_faults(mapping, codelet, acg)]
    if not found:
        found = [Diagnostic("MAP010", f, span) for f in tail_faults(mapping, codelet, acg)]
    rest = rest_of(mapping)
    if not found:
        found += [Diagnostic("MAP011", f, span) for f in _nest_faults(mapping, codelet, acg)]
        found += [Diagnostic("MAP011", f, span) for f in row_faults(mapping, codelet, acg)]
        others = () if rest is None else _grain_faults(rest, codelet, acg)
        found += [Diagnostic("MAP011", f, span) for f in others]
    if found:
        return tuple(found)
    shapes = shapes_of(mapping, codelet, acg)
    for code, faults in (
        ("MAP012", placement_faults(mapping, codelet, acg, shapes)),
        ("MAP013", allocation_faults(mapping, acg)),
        ("MAP014", residency_faults(mapping, codelet, acg)),
        ("MAP015", _stream_faults(mapping, mapping, codelet, acg, shapes)),
        *_rest_faults(mapping, rest, codelet, acg),
    ):
        found += [Diagnostic(code, f, span) for f in faults]
    return tuple(found)


def _rest_faults(
    mapping: Mapping, rest: Mapping | None, codelet: Codelet, acg: Acg
) -> Iterator[tuple[str, Iterator[str]]]:
    """The same questions about the launches of another capability."""
    if rest is not None:
        shapes = shapes_of(rest, codelet, acg)
        yield "MAP012", placement_faults(rest, codelet, acg, shapes)
        yield "MAP015", _stream_faults(mapping, rest, codelet, acg, shapes)


def check(mapping: Mapping, codelet: Codelet, acg: Acg) -> Mapping:
    """The mapping itself; raises CovenantError with every finding when it is not legal."""
    found = verify(mapping, codelet, acg)
    if found:
        raise CovenantError(found, ExitCode.INVALID)
    return mapping


def reduced_dims(codelet: Codelet) -> frozenset[str]:
    """Dims that are summed over: read by the reducing step, absent from its target."""
    first = codelet.steps[reducing_step(codelet)]
    kept = {d for i in first.target.indices for d in i.dims}
    return frozenset(d for r in first.refs for i in r.indices for d in i.dims) - kept


def _nest_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    names = {d.name for d in codelet.dims}
    placed = {p.memory for p in mapping.placements} & {m.name for m in acg.on_chip}
    listed = [name for level in mapping.levels for name in level.memories]
    for name in listed:
        if name not in {m.name for m in acg.on_chip}:
            yield f"'{name}' is no on-chip memory"
    if len(set(listed)) < len(listed) or not set(placed) <= set(listed):
        yield f"levels hold tiles in {', '.join(listed)}; used are {', '.join(sorted(placed))}"
        return
    around = codelet.extents
    for level in mapping.levels:
        yield from _level_faults(level, around, codelet.extents)
        around = {**around, **{loop.dim: max(1, loop.tile) for loop in level.loops}}
    if sorted(mapping.inner) != sorted(names):
        yield f"inner loops {', '.join(mapping.inner)} are not the dims {', '.join(sorted(names))}"
        return
    swept = _swept_dims(mapping, codelet, acg)
    kinds = [d in swept for d in mapping.inner]
    if kinds != sorted(kinds):
        yield "a dim the stationary operand lacks lies outside one that it has in the inner loops"
    yield from _grain_faults(mapping, codelet, acg)


def _level_faults(level: Level, around: dict[str, int], extents: dict[str, int]) -> Iterator[str]:
    """Loops of a level over tiles of `around` iterations, which they cover exactly once."""
    listed = [loop.dim for loop in level.loops]
    for dim in sorted(set(listed)):
        if listed.count(dim) > 1:
            yield f"dim '{dim}' is looped {listed.count(dim)} times"
        if dim not in extents:
            yield f"loop over unknown dim '{dim}'"
    for loop in level.loops:
        if loop.dim not in extents:
            continue
        whole = around[loop.dim]
        if not 1 <= loop.tile <= whole:
            yield f"tile {loop.tile} of '{loop.dim}' is outside 1..{whole}"
            continue
        covered = min(whole, loop.tile * max(0, loop.trips))
        if covered != whole or (loop.trips - 1) * loop.tile >= whole:
            yield (
                f"{loop.trips} tiles of {loop.tile} do not divide the {whole} iterations of "
                f"'{loop.dim}'; expected {-(-whole // loop.tile)} tiles"
            )
        elif whole != extents[loop.dim] and whole % loop.tile:
            yield f"tile {loop.tile} of '{loop.dim}' does not divide that around it, {whole}"


def _swept_dims(mapping: Mapping, codelet: Codelet, acg: Acg) -> frozenset[str]:
    """Dims iterated while the stationary operand stays in the node: those it lacks."""
    index = reducing_step(codelet)
    step = mapping.steps[index]
    capability = capability_of(acg, step)
    assert capability is not None
    after = mapping.steps[index + 1].node if index + 1 < len(mapping.steps) else ""
    name = dict(step.tensors).get(capability.stationary, "")
    if capability.keeps_result or (after and acg.compute(after).after):
        return reduced_dims(codelet)
    if not name:
        return frozenset()
    statement = codelet.steps[index]
    ref = next(r for r in statement.refs if r.name == name)
    return frozenset(codelet.extents) - {d for i in ref.indices for d in i.dims}


def _grain_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    """A split dim must be split between array steps, unless its lanes can be masked."""
    step = mapping.steps[reducing_step(codelet)]
    capability = capability_of(acg, step)
    assert capability is not None
    bound = {d: c for c, d in step.dims}
    for loop in (x for level in mapping.levels for x in level.loops):
        count = capability.extents.get(bound.get(loop.dim, ""), 1)
        odd = loop.trips > 1 and loop.tile % count
        if odd and not _maskable(acg, mapping, step.node, loop.dim):
            yield f"tile {loop.tile} of '{loop.dim}' is no multiple of {count} elements per step"


def _maskable(acg: Acg, mapping: Mapping, main: str, dim: str) -> bool:
    """Whether every stream that carries a dim in a beat of several positions can leave some out: it
    is a lane dim everywhere."""
    found = False
    for step in mapping.steps:
        capability = capability_of(acg, step)
        assert capability is not None
        if step.node != main and not acg.compute(step.node).after:
            continue  # it has launches of its own
        bound = {d: c for c, d in step.dims}
        for port in capability.ports:
            carried = bound.get(dim, "") in port.tile
            if carried and port.name in dict(step.tensors) and (port.stream or port.spill):
                stream = acg.transfer(port.stream or port.spill)
                if port.tile[-1] == bound[dim] or "tail" not in stream.abilities:
                    return False
                found = True
    return found


def _stream_faults(
    whole: Mapping, mapping: Mapping, codelet: Codelet, acg: Acg, shapes: dict[str, Shape]
) -> Iterator[str]:
    """Faults of the launches that follow `mapping`: `whole`, or what that leaves to another
    capability."""
    full = {**codelet.extents, **{x.dim: x.tile for level in mapping.levels for x in level.loops}}
    last = {d: (codelet.extents[d] - 1) % full[d] + 1 for d in full}
    tiles = [full, *([last] if last != full else [])]
    rest = mapping is not whole
    made = [x for t in tiles for x in launched(whole, codelet, acg, t, rest=rest)]
    reduced = reduced_dims(codelet)
    if _swept_dims(mapping, codelet, acg) != reduced:
        reduced = frozenset()
    step = mapping.steps[reducing_step(codelet)]
    capability = capability_of(acg, step)
    assert capability is not None
    bound = {d: capability.extents.get(c, 1) for c, d in step.dims}
    for port, shape in shapes.items():
        placement = next((p for p in reversed(mapping.placements) if p.port == port), None)
        if placement is None:
            continue
        stream = acg.transfer(shape.stream)
        memory = acg.stream_memory(stream.name)
        if not memory.per and not memory.off_chip:
            skipped = reduced_dims(codelet) if shape.pace else reduced
            pace = dict(shape.pace) if shape.pace else bound
            yield from stream_faults(
                mapping,
                placement,
                shape,
                stream,
                memory,
                pace,
                skipped,
                rows_of(mapping, codelet, acg),
                made,
                limited=not acg.divides_launches,
            )
