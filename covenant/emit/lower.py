"""Lowering of a mapping to a program.

In: a `Mapping`, its `Codelet`, the `Acg`, and where tensors lie off chip. Out: a `Program`. Per
iteration of the loop nest: loads that are due, compute launches, stores that are due. Semaphores
order them where the machine has any (`emit.signalled`), else program order does (`emit.ordered`).
Redundant register writes are removed (`emit.delta`) and repetition becomes hardware loops
(`emit.fold`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from covenant.acg.control import Control
from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import Span, fail
from covenant.emit.constants import Payloads
from covenant.emit.delta import RegisterFile
from covenant.emit.fold import fold
from covenant.emit.loops import folded, limits_of
from covenant.emit.ordered import Ordered
from covenant.emit.packets import pack
from covenant.emit.plan import DramPlan, plan
from covenant.emit.program import (
    Halt,
    Instruction,
    Invocation,
    Operation,
    Origins,
    Program,
    annotated,
)
from covenant.emit.refills import without_refills
from covenant.emit.signalled import Signalled, check_form, credits_of
from covenant.mapper.mapping import Mapping


def lower(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    regions: DramPlan | None = None,
    payloads: Payloads | None = None,
) -> Program:
    """The program of one mapping; `regions` default to `plan(mapping, acg)`. payloads: constants of
    the layer, for those that registers hold."""
    control = control_of(acg)
    if control.in_order:
        made = _ordered(mapping, codelet, acg, regions, payloads)
        blocks = without_refills(made.blocks(), acg)
        operations, launched = _operations(blocks, control)
        origins = Origins(launched, made.tiles if control.loop_depth else ())
        whole = folded(operations, made.advanced, len(made.nest.loops), control)
        named = annotated(whole, origins)
        return Program(acg.name, codelet.name, pack((*_begin(control), *named, Halt()), acg))
    lowering = _lowering(mapping, codelet, acg, regions)
    trips = [loop.trips for loop in mapping.levels[0].loops]
    first = credits_of(lowering.residents, control)
    operations, launched = _operations(lowering.blocks(), control)
    named = annotated(fold(operations, trips, limits_of(control)), Origins(launched))
    return Program(acg.name, codelet.name, (*_begin(control), *first, *named, Halt()))


def _operations(
    blocks: Iterable[list[Invocation]], control: Control
) -> tuple[list[list[Operation]], list[list[Invocation]]]:
    """Operations of every block, and the blocks."""
    registers = RegisterFile(control)
    operations: list[list[Operation]] = []
    launched: list[list[Invocation]] = []
    for block in blocks:
        operations.append([o for invocation in block for o in registers.operations(invocation)])
        launched.append(block)
    return operations, launched


def _begin(control: Control) -> tuple[Operation, ...]:
    """Instructions that are issued once, at the start."""
    return tuple(Instruction(m.name) for m in control.mnemonics if m.effect == "start")


def _check_instances(mapping: Mapping, acg: Acg) -> None:
    """Raise for buffers in memories with an instance per lane: nothing orders their units."""
    for placement in mapping.placements:
        memory = acg.memory(placement.memory)
        if memory.per:
            raise fail(
                "EMI002",
                f"'{placement.port}' lies in '{memory.name}', which has an instance per lane of "
                f"{' and '.join(memory.per)}: programs with semaphores do not reach instances",
                memory.span,
                "leave out the semaphores: launches then take effect in program order",
            )


def _check_depths(mapping: Mapping, acg: Acg) -> None:
    """Raise for an operand in two depths of memories with instances: transfers address those of
    one side only."""
    for port in dict.fromkeys(p.port for p in mapping.placements):
        own = [acg.memory(p.memory) for p in mapping.placements if p.port == port]
        for outer, inner in pairwise(own):
            if outer.per and inner.per:
                raise fail(
                    "EMI002",
                    f"'{port}' goes from '{outer.name}' to '{inner.name}', which both have an "
                    "instance per lane: programs reach one such depth",
                    inner.span,
                    f"leave out `per` of '{outer.name}'",
                )


def _ordered(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    regions: DramPlan | None,
    payloads: Payloads | None,
) -> Ordered:
    control, where = control_of(acg), regions or plan(mapping, acg)
    _check_depths(mapping, acg)
    return Ordered(mapping, codelet, acg, control, where, payloads)


def invocations(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    regions: DramPlan | None = None,
    payloads: Payloads | None = None,
) -> Iterator[list[Invocation]]:
    """Unrolled invocations, one list per iteration of the loop nest."""
    if control_of(acg).in_order:
        made = _ordered(mapping, codelet, acg, regions, payloads)
        yield from without_refills(made.blocks(), acg)
        return
    yield from _lowering(mapping, codelet, acg, regions).blocks()


def _lowering(mapping: Mapping, codelet: Codelet, acg: Acg, regions: DramPlan | None) -> Signalled:
    check_form(mapping, acg, control_of(acg))
    _check_instances(mapping, acg)
    fused = fuse(codelet, mapping.fused)
    return Signalled(mapping, fused, acg, regions or plan(mapping, acg))


def control_of(acg: Acg) -> Control:
    """The control node; CovenantError when the architecture has none."""
    if acg.control is None:
        raise fail(
            "EMI002",
            f"architecture '{acg.name}' has no control node, it can be mapped but not programmed",
            Span(acg.file),
        )
    return acg.control
