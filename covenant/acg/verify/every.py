"""All checks in order.

In: a built graph and the places of its parts. Out: every finding; empty for a sound architecture.
"""

from __future__ import annotations

from covenant.acg.graph import Acg
from covenant.acg.places import Places
from covenant.acg.verify.capabilities import check_capabilities
from covenant.acg.verify.findings import Findings
from covenant.acg.verify.instructions import check_instructions
from covenant.acg.verify.mnemonics import check_mnemonics
from covenant.acg.verify.nodes import check_memories, check_nodes, check_transfers
from covenant.acg.verify.packets import check_packets
from covenant.acg.verify.registers import check_registers
from covenant.acg.verify.streams import check_streams
from covenant.acg.verify.units import check_units
from covenant.core.diagnostics import Diagnostic


def verify(acg: Acg, places: Places) -> list[Diagnostic]:
    """Every finding. Later checks rely on names that earlier ones found sound, so broken references
    are reported alone."""
    findings = Findings(places)
    check_nodes(acg, findings)
    if not findings.found:
        check_memories(acg, findings)
        check_transfers(acg, findings)
        check_capabilities(acg, findings)
    if not findings.found:
        check_streams(acg, findings)
        check_mnemonics(acg, findings)
        check_units(acg, findings)
        check_packets(acg, findings)
    if not findings.found:
        check_registers(acg, findings)
        check_instructions(acg, findings)
    return findings.found
