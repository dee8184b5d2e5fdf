"""What to tell the user when a layer has no mapping.

In: refusals of capabilities, or the smallest memory a layer needs. Out: `CovenantError`s.
"""

from __future__ import annotations

from collections.abc import Sequence

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet, Role
from covenant.core.diagnostics import CovenantError, Diagnostic, ExitCode, Span, fail
from covenant.mapper.candidates import Refusal
from covenant.mapper.extract import Choice, extract
from covenant.mapper.space import Space


def no_binding(codelet: Codelet, acg: Acg, refusals: Sequence[Refusal]) -> CovenantError:
    """No capability computes a step of the layer: which step, and why each capability was
    refused."""
    step = max((r.step for r in refusals), default=0)
    statement = codelet.steps[step]
    tried = dict.fromkeys((r.node, r.capability) for r in refusals if r.step == step)
    diagnostics = []
    for capability in acg.capabilities:
        if (capability.node, capability.name) not in tried:
            continue
        whys = [
            r.why
            for r in refusals
            if (r.step, r.node, r.capability) == (step, capability.node, capability.name)
        ]
        diagnostics.append(
            Diagnostic(
                "MAP001",
                f"layer '{codelet.name}': step {step + 1}, `{statement}`, does not bind to "
                f"{capability.node}.{capability.name}: {'; '.join(dict.fromkeys(whys))}",
                capability.span,
                "leave the layer to another target, or add a capability with these semantics",
            )
        )
    if not diagnostics:
        message = (
            f"layer '{codelet.name}': no compute node can start step {step + 1}, `{statement}`"
        )
        diagnostics.append(Diagnostic("MAP001", message, Span(acg.file), "add a compute node"))
    return CovenantError(diagnostics, ExitCode.UNSUPPORTED)


def no_path(codelet: Codelet, acg: Acg, space: Space) -> CovenantError | None:
    """An operand cannot be brought to the on-chip memory, or the result cannot leave it."""
    for operand in (*space.loads, *space.stores):
        if not space.paths[operand.port].bus:
            leaves = operand in space.stores
            ends = ("from", "off chip") if leaves else ("from off chip to", "")
            words = " ".join(w for w in (ends[0], f"'{operand.memory}'", ends[1]) if w)
            return fail(
                "MAP004",
                f"layer '{codelet.name}': no transfer {words} for "
                f"'{operand.tensor or operand.port}'",
                acg.memory(operand.memory).span,
                "add a transfer node between the two memories",
                ExitCode.INFEASIBLE,
            )
    return None


def no_room(codelet: Codelet, acg: Acg) -> CovenantError | None:
    """The tensors do not fit the off-chip memory, however they are laid out."""
    memory = acg.off_chip[0]
    stored = [t for t in codelet.tensors if t.role is not Role.LOCAL]
    sizes = {t.name: t.elements * t.dtype.bytes for t in stored}
    needed = sum(sizes.values())
    if needed <= memory.size_bytes:
        return None
    parts = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    return fail(
        "MAP005",
        f"layer '{codelet.name}' does not fit memory '{memory.name}': its tensors have "
        f"{needed:,} bytes ({parts}), {memory.size_bytes:,} are available",
        memory.span,
        f"enlarge `memories.{memory.name}.size`",
        ExitCode.INFEASIBLE,
    )


def too_small(codelet: Codelet, acg: Acg, smallest: tuple[Space, Choice]) -> CovenantError:
    """The on-chip memory does not hold even the smallest tiles."""
    space, choice = smallest
    memory = space.memory
    mapping = extract(space, choice)
    needed = sum(p.copies * p.layout.bytes for p in mapping.placements)
    granule = memory.banks * memory.word_bytes
    parts = ", ".join(f"{p.port} {p.copies * p.layout.bytes:,}" for p in mapping.placements)
    legal = granule
    while legal < needed:
        legal *= 2
    return fail(
        "MAP002",
        f"layer '{codelet.name}' does not fit memory '{memory.name}': its smallest tiles need "
        f"{needed:,} bytes ({parts}), {memory.size_bytes:,} are available",
        memory.span,
        f"set `memories.{memory.name}.size` to {legal} or more ({memory.banks} banks x "
        f"{memory.word_bytes} bytes x a power of two)",
        ExitCode.INFEASIBLE,
    )


def time_limit(codelet: Codelet, acg: Acg, seconds: float) -> CovenantError:
    """Nothing was found in time."""
    return fail(
        "MAP003",
        f"layer '{codelet.name}': no mapping found within {seconds:g} s",
        Span(acg.file),
        "allow more time with `--time-limit`",
        ExitCode.TIME_LIMIT,
    )
