"""A layer in three programs: bring operands on chip, compute there, take results away.

In: a mapping whose operands are each exchanged once. Out: three programs that run one after the
other on the same on-chip memory; they need no semaphores between units but those for partial sums.
For layers whose neighbours leave operands on chip, and to measure compute apart from transfers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import Span, fail
from covenant.emit.delta import RegisterFile
from covenant.emit.fold import fold
from covenant.emit.loops import limits_of
from covenant.emit.lower import control_of, invocations
from covenant.emit.plan import DramPlan
from covenant.emit.program import Halt, Invocation, Operation, Program, annotated
from covenant.mapper.mapping import Mapping, Role

Blocks = list[list[Invocation]]


def split(
    mapping: Mapping, codelet: Codelet, acg: Acg, regions: DramPlan | None = None
) -> tuple[Program, Program, Program]:
    """Programs that load, compute and store."""
    control = control_of(acg)
    blocks = list(invocations(mapping, codelet, acg, regions))
    phases = {u.name: _phase(u, acg) for u in control.units}
    _check_resident(blocks, mapping, phases)
    ports = [p.port for p in mapping.placements if p.role is Role.PARTIAL]
    kept = {n for u in control.units for port in ports for n in u.waits.get(port, ())}
    load, compute, store = (
        _program(
            f"{codelet.name} {phase}",
            [[_without(x, kept) for x in block if phases[x.unit] == phase] for block in blocks],
            mapping,
            acg,
            control,
        )
        for phase in ("load", "compute", "store")
    )
    return load, compute, store


def _phase(unit: ControlUnit, acg: Acg) -> str:
    on_chip = {m.name for m in acg.on_chip}
    transfers = [t for t in acg.transfers if t.name in unit.nodes]
    if not transfers:
        return "compute"
    return "load" if transfers[0].target in on_chip else "store"


def _without(invocation: Invocation, kept: set[str]) -> Invocation:
    """The invocation without semaphores between units."""
    waits = tuple(w for w in invocation.waits if w in kept)
    posts = tuple(p for p in invocation.posts if p in kept)
    return replace(invocation, waits=waits, posts=posts)


def _check_resident(blocks: Blocks, mapping: Mapping, phases: dict[str, str]) -> None:
    """Every operand must be exchanged once: the first launch of an exchange waits."""
    uses = Counter(
        name
        for block in blocks
        for invocation in block
        for name in invocation.waits
        if phases[invocation.unit] != "compute"
    )
    most = max(uses.values(), default=0)
    if most > 1:
        raise fail(
            "EMI010",
            f"the operands of {mapping.codelet} do not stay on chip: one is exchanged {most} times",
            Span(mapping.codelet),
            "pin tiles and residency so that every operand is on chip as a whole",
        )


def _program(name: str, blocks: Blocks, mapping: Mapping, acg: Acg, control: Control) -> Program:
    registers = RegisterFile(control)
    operations: list[list[Operation]] = [
        [o for x in block for o in registers.operations(x)] for block in blocks
    ]
    trips = [loop.trips for loop in mapping.levels[0].loops]
    folded = fold(operations, trips, limits_of(control))
    origins = [x.origin for block in blocks for x in block]
    return Program(acg.name, name, (*annotated(folded, origins), Halt()))
