"""A layer whose tensors already lie in the L1: what the array alone takes, without any DMA.

In: a codelet and an architecture. Out: a mapping with everything resident, and its program cut in
three: loads, compute, stores. They run one after another on one cluster, whose L1 keeps its
contents between programs; the cycles of the second are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import ExitCode, fail
from covenant.emit.delta import RegisterFile
from covenant.emit.encode import encode
from covenant.emit.lower import control_of, invocations
from covenant.emit.program import Halt, Invocation, Operation
from covenant.mapper.banking import group_count, readers
from covenant.mapper.candidates import match
from covenant.mapper.channels import loader, storer
from covenant.mapper.cost import evaluate
from covenant.mapper.extract import Choice, extract
from covenant.mapper.mapping import Mapping
from covenant.mapper.placement import ALIGNMENT_BYTES, round_up
from covenant.mapper.space import Space, space_of
from covenant.mapper.verify import verify


@dataclass(frozen=True, slots=True)
class Phases:
    """Words of the three programs."""

    loads: tuple[int, ...]
    compute: tuple[int, ...]
    stores: tuple[int, ...]


def resident_mapping(codelet: Codelet, acg: Acg) -> Mapping:
    """The mapping of one tile per tensor with the fewest compute cycles over all bindings and all
    divisions of the banks; CovenantError when the tensors do not fit together."""
    best: tuple[int, Mapping] | None = None
    for binding in match(codelet, acg).bindings:
        for mapping in _candidates(space_of(codelet, acg, binding)):
            if verify(mapping, codelet, acg):
                continue
            cost = evaluate(mapping, codelet, acg)
            cycles = cost.compute + cost.conflicts
            if best is None or cycles < best[0]:
                best = cycles, mapping
    if best is None:
        memory = acg.on_chip[0]
        raise fail(
            "BEN001",
            f"the tensors of {codelet.name} do not fit memory '{memory.name}' together",
            memory.span,
            f"set {memory.name}.size to more",
            ExitCode.INFEASIBLE,
        )
    return best[1]


def _candidates(space: Space) -> Iterator[Mapping]:
    """Mappings of one tile that differ in their addresses; not all fit."""
    whole = dict.fromkeys(space.tiled, 0)
    inside = {operand.port: frozenset(space.tiled) for operand in space.operands}
    for plan in range(len(space.plans)):
        yield extract(space, Choice(whole, inside, frozenset(), plan))
    yield _packed(extract(space, Choice(whole, inside, frozenset())), space)


def _packed(mapping: Mapping, space: Space) -> Mapping:
    """Every reader at the start of a group of banks of its own, the other buffers from the end of
    the memory downwards: room that a reader leaves in its group is used."""
    memory = space.memory
    first = memory.size_bytes * (len(memory.views) - 1)
    group = memory.size_bytes // group_count(memory)
    found = {o.port: first + i * group for i, o in enumerate(readers(space.operands))}
    end = first + memory.size_bytes
    for placement in sorted(mapping.placements, key=lambda p: -p.layout.bytes):
        if placement.port not in found:
            end -= round_up(placement.layout.bytes, ALIGNMENT_BYTES)
            found[placement.port] = end
    placements = tuple(replace(p, addresses=(found[p.port],)) for p in mapping.placements)
    return replace(mapping, placements=placements)


def phases(mapping: Mapping, codelet: Codelet, acg: Acg) -> Phases:
    """The three programs of a mapping; semaphores are dropped where the other side is not in the
    same program."""
    every = [i for block in invocations(mapping, codelet, acg) for i in block]
    memory = mapping.levels[0].memories[0]
    moved = [
        {unit.name for unit in control_of(acg).units_of(transfer.name)} if transfer else set()
        for transfer in (loader(acg, memory), storer(acg, memory))
    ]
    loads = [i for i in every if i.unit in moved[0]]
    stores = [i for i in every if i.unit in moved[1]]
    compute = [i for i in every if i.unit not in moved[0] | moved[1]]
    return Phases(_words(loads, acg), _words(compute, acg), _words(stores, acg))


def _words(chosen: Iterable[Invocation], acg: Acg) -> tuple[int, ...]:
    """A program of these invocations alone."""
    chosen = list(chosen)
    waited = {s for i in chosen for s in i.waits}
    posted = {s for i in chosen for s in i.posts}
    kept = waited & posted
    registers = RegisterFile(control_of(acg))
    operations: list[Operation] = []
    for invocation in chosen:
        waits = tuple(s for s in invocation.waits if s in kept)
        posts = tuple(s for s in invocation.posts if s in kept)
        operations += registers.operations(replace(invocation, waits=waits, posts=posts))
    return encode((*operations, Halt()), control_of(acg))
