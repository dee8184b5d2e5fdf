"""Tables of the mapper's benchmark as JSON-ready dicts, from which the text is drawn.

In: `Solved` layers and the peer's results. Out: rows and summaries; ratios above 1 are in our
favour.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from mapper_solve import Solved

MEDIAN_GOAL, WORST_GOAL = 1.0, 5.0
"""Seconds per layer on two cores."""

Row = dict[str, Any]


def solve_table(solved: Sequence[Solved]) -> list[Row]:
    """Per machine and objective: every layer and a summary."""
    found = []
    for target, objective in dict.fromkeys((s.target, s.objective) for s in solved):
        part = [s for s in solved if (s.target, s.objective) == (target, objective)]
        found.append(
            {
                "target": target,
                "objective": objective,
                "layers": [solved_row(s) for s in part],
                "summary": _summary(part),
            }
        )
    return found


def solved_row(s: Solved) -> Row:
    """One layer."""
    if s.error:
        return {"name": s.name, "network": s.network, "error": s.error}
    return {
        "name": s.name,
        "network": s.network,
        "macs": s.macs,
        "status": s.status,
        "value": s.value,
        "bound": s.bound,
        "cycles": s.latency,
        "dram_bytes": s.dram_bytes,
        "energy_microjoules": round(s.energy_femtojoules / 1e9, 3),
        "bound_by": s.bound_by,
        "launches": s.launches,
        "seconds": round(s.seconds, 3),
        "cpu_seconds": round(s.cpu_seconds, 3),
    }


def _summary(part: Sequence[Solved]) -> Row:
    ran = [s for s in part if not s.error]
    slowest = max(ran, key=lambda s: s.seconds, default=None)
    return {
        "layers": len(part),
        "mapped": len(ran),
        "proven": sum(s.proven for s in ran),
        "median_seconds": round(median(s.seconds for s in ran), 3) if ran else None,
        "worst_seconds": round(slowest.seconds, 3) if slowest else None,
        "worst": slowest.name if slowest else "",
        "median_cpu_seconds": round(median(s.cpu_seconds for s in ran), 3) if ran else None,
        "worst_cpu_seconds": round(max(s.cpu_seconds for s in ran), 3) if ran else None,
        "goal": {"proven": len(part), "median_seconds": MEDIAN_GOAL, "worst_seconds": WORST_GOAL},
    }


def growth_table(solved: Sequence[Solved]) -> list[Row]:
    """Seconds against size or memories, machine by machine."""
    return [{"target": s.target, "objective": s.objective, **solved_row(s)} for s in solved]
