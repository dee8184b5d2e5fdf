"""The static program checker, independent of the lowering.

In: instruction words, an `Acg`, the off-chip regions that hold data and those to be written. Out:
findings with word numbers. It proves, not by timing but by semaphores and program order: every word
read was written before, by the contents its reader has waited for; no word is overwritten while it
may still be needed; all addresses are inside memory and aligned; no wait starves; semaphores end
where they began; constants are all read, every output word is written exactly once. It cannot know
whether the right word of an input is read: that is what running against the codelet shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from covenant.acg.graph import Acg
from covenant.core.diagnostics import CovenantError, Diagnostic, ExitCode, Span
from covenant.emit.image import Image
from covenant.emit.packets import dependent
from covenant.emit.replay import Extent, Finding, Replay
from covenant.mapper.mapping import Role

_MOST_OF_PACKETS = 20


@dataclass(frozen=True, slots=True)
class OffChip:
    """What the off-chip memory holds before a program, and what it must have written after."""

    inputs: tuple[Extent, ...]
    constants: tuple[Extent, ...]
    outputs: tuple[Extent, ...]
    scratch: tuple[Extent, ...] = ()
    """Where partial sums go and come back from."""


def off_chip(image: Image) -> OffChip:
    """The regions of an image."""
    extents = {
        role: tuple(Extent(t.address, t.layout.bytes) for t in image.tensors if t.role is role)
        for role in Role
    }
    roles = (Role.INPUT, Role.CONSTANT, Role.OUTPUT, Role.PARTIAL)
    return OffChip(*(extents[role] for role in roles))


def check(words: Sequence[int], acg: Acg, regions: OffChip) -> tuple[Finding, ...]:
    """Findings of a program in execution order, at most twenty."""
    replay = Replay(acg, words, regions.inputs, regions.constants, regions.outputs, regions.scratch)
    replay.run()
    together = (Finding(*found) for found in dependent(words, acg))
    return (*replay.findings, *islice(together, _MOST_OF_PACKETS))


def check_image(image: Image, acg: Acg) -> tuple[Finding, ...]:
    """Findings for an image."""
    return check(image.words, acg, off_chip(image))


def verify_image(image: Image, acg: Acg) -> None:
    """Raise CovenantError with every finding."""
    findings = check_image(image, acg)
    if findings:
        place = Span(f"program of {image.codelet}")
        raise CovenantError(
            [Diagnostic("EMI006", str(f), place, "please report this program") for f in findings],
            ExitCode.INTERNAL,
        )
