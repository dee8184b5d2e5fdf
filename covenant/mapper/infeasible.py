"""What to tell the user when a layer has no mapping.

In: an operand without a way, or the mapping that needs the smallest memory. Out: `CovenantError`s.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from covenant.acg.graph import Acg, Memory
from covenant.codelets.ir import Codelet, Role
from covenant.core.diagnostics import CovenantError, Diagnostic, ExitCode, Span, fail
from covenant.mapper.candidates import Binding
from covenant.mapper.mapping import Mapping
from covenant.mapper.mapping import Role as MappedRole
from covenant.mapper.pins import AddressPin, Pin
from covenant.mapper.space import Space


def no_path(codelet: Codelet, acg: Acg, space: Space) -> CovenantError | None:
    """An operand cannot be brought to the on-chip memory, or the result cannot leave it."""
    for site in space.moved:
        operand = site.operand
        if not site.road.bus:
            leaves = operand.role is MappedRole.OUTPUT
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


def too_small(codelet: Codelet, acg: Acg, smallest: Mapping) -> CovenantError:
    """An on-chip memory does not hold even the smallest tiles."""
    memory = scarcest(smallest, acg)
    needed, parts = needs(smallest, memory)
    return fail(
        "MAP002",
        f"layer '{codelet.name}' does not fit memory '{memory.name}': its smallest tiles need "
        f"{needed:,} bytes ({parts}), {memory.size_bytes:,} are available",
        memory.span,
        f"set `memories.{memory.name}.size` to {legal_size(memory, needed)} or more "
        f"({memory.banks} banks x {memory.word_bytes} bytes x a power of two)",
        ExitCode.INFEASIBLE,
    )


def scarcest(mapping: Mapping, acg: Acg) -> Memory:
    """The on-chip memory of which a mapping needs the greatest part, or which it exceeds most."""
    used = dict.fromkeys(p.memory for p in mapping.placements)
    memories = [acg.memory(name) for name in used if not acg.memory(name).off_chip]
    return max(memories, key=lambda m: Fraction(needs(mapping, m)[0], m.size_bytes))


def needs(mapping: Mapping, memory: Memory) -> tuple[int, str]:
    """Bytes of a memory that a mapping takes, whole and by port."""
    own = [p for p in mapping.placements if p.memory == memory.name]
    parts = ", ".join(f"{p.port} {p.copies * p.layout.bytes:,}" for p in own)
    return sum(p.copies * p.layout.bytes for p in own), parts


def legal_size(memory: Memory, needed: int) -> int:
    """The smallest size a memory of so many banks can have that is at least `needed`."""
    legal = memory.banks * memory.word_bytes
    while legal < needed:
        legal *= 2
    return legal


def no_pinned_binding(
    codelet: Codelet, acg: Acg, pins: Sequence[Pin], bindings: Sequence[Binding]
) -> CovenantError:
    """No binding of the layer keeps the pins: which there are."""
    known = "; ".join(map(str, bindings))
    return CovenantError(
        [
            Diagnostic(
                "MAP024",
                f"layer '{codelet.name}': no binding keeps pin `{pin}`"
                + (" together with the others" if len(pins) > 1 else ""),
                pin.span,
                f"bindings on {acg.name}: {known}",
            )
            for pin in pins
        ],
        ExitCode.INFEASIBLE,
    )


def no_address(
    codelet: Codelet, pins: Sequence[Pin], faults: Sequence[Diagnostic]
) -> CovenantError:
    """With buffers at the pinned addresses the mapping is not legal."""
    return CovenantError(
        [
            Diagnostic(
                "MAP025",
                f"layer '{codelet.name}': pin `{pin}`: {'; '.join(f.message for f in faults)}",
                pin.span,
                "drop the address, or pin those of the other buffers too",
            )
            for pin in pins
            if isinstance(pin.decision, AddressPin)
        ],
        ExitCode.INFEASIBLE,
    )


def wrong_address(
    codelet: Codelet, pins: Sequence[Pin], wanted: int, found: int, term: str
) -> CovenantError:
    """The pinned addresses cost more than the division of banks they were solved for."""
    pinned = [p for p in pins if isinstance(p.decision, AddressPin)]
    message = f"buffers there raise {term} from {wanted:,} to {found:,}: banks collide"
    return CovenantError(
        [
            Diagnostic(
                "MAP025",
                f"layer '{codelet.name}': pin `{pin}`: {message}",
                pin.span,
                "drop the address, or pin `banks` too",
            )
            for pin in pinned
        ],
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


def interrupted(codelet: Codelet, acg: Acg) -> CovenantError:
    """Ctrl-C came before anything was found."""
    return fail(
        "INT001",
        f"layer '{codelet.name}': interrupted before a mapping was found",
        Span(acg.file),
        "give the command again: proven mappings of other layers are kept",
        ExitCode.INTERRUPTED,
    )
