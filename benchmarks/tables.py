"""Tables A, B, D, E and V: measurements beside SNAX's figures, the bound and the goal.

In: measurements by workload name. Out: JSON-ready dicts, from which the text is drawn, so that both
say the same. Ratios are fractions of 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import geometric_mean
from typing import Any

from measure import Measurement
from workloads import LAYERS, RESIDENT, STREAMED, VECTOR_LAYERS

CAUSES = ("starved_a", "starved_b", "starved_c", "starved_p", "blocked_y", "config_wait")
"""Counters of cycles without an array step; with `busy` they add up to all cycles."""

GEOMEAN_GOAL, LEAST_GOAL = 0.95, 0.90
WORST_ERROR_GOAL, MEAN_ERROR_GOAL = 0.02, 0.01

Found = Mapping[str, Measurement]
Row = dict[str, Any]


def table_a(found: Found) -> list[Row]:
    """GEMM already in the L1; the row with int32 results is the one compared with SNAX."""
    rows: list[Row] = []
    for given in RESIDENT:
        for workload in given.workloads:
            if workload.name in found:
                m = found[workload.name]
                row = _row(m) | {"size": given.size, "result": workload.name.rsplit("_", 1)[1]}
                row |= {"ideal_cycles": m.array_cycles, "snax_cycles": given.snax_cycles}
                row |= {"goal_cycles": given.goal_cycles}
                rows.append(row | {"met": _met(m, m.cycles <= given.goal_cycles)})
    return rows


def table_b(found: Found) -> list[Row]:
    """GEMM from and to DRAM, multiply-accumulates per cycle."""
    rows: list[Row] = []
    for given in STREAMED:
        if given.workload.name in found:
            m = found[given.workload.name]
            rate = round(m.macs / m.cycles, 1) if m.cycles else None
            row = _row(m) | {"m": given.m, "n": given.n, "k": given.k, "mac_per_cycle": rate}
            row |= {"peak_mac_per_cycle": m.peak, "snax": given.snax, "goal": given.goal}
            rows.append(row | {"met": _met(m, rate is not None and rate >= given.goal)})
    return rows


def table_d(found: Found) -> dict[str, Any]:
    """Layers of networks against the roofline, and where the slow ones lose their cycles."""
    measured = [found[w.name] for w in LAYERS if w.name in found]
    ran = [m for m in measured if m.cycles]
    slow = [m for m in ran if m.compute_bound and m.utilization < LEAST_GOAL]
    networks = dict.fromkeys(m.network for m in ran)
    return {
        "layers": [_row(m) for m in measured],
        "networks": [_network(n, [m for m in ran if m.network == n]) for n in networks],
        "all": _network("all", ran),
        "goal": {"geomean_utilization": GEOMEAN_GOAL, "least_compute_bound": LEAST_GOAL},
        "below_goal": [_lost(m) for m in sorted(slow, key=lambda m: m.utilization)],
    }


def table_e(found: Found) -> dict[str, Any]:
    """Prediction of the cost model, and the timing model of the program, against the RTL."""
    ran = [found[w.name] for w in LAYERS if w.name in found and found[w.name].cycles]
    errors = [abs(m.prediction_error) for m in ran]
    modelled = [abs(m.model_error) for m in ran]
    worst = max(ran, key=lambda m: abs(m.prediction_error), default=None)
    return {
        "layers": [
            {
                "name": m.name,
                "cycles": m.cycles,
                "predicted_cycles": m.predicted_cycles,
                "error": round(m.prediction_error, 6),
                "modelled_cycles": m.modelled_cycles,
                "modelled_error": round(m.model_error, 6),
                "bound_by": m.bound_by,
            }
            for m in ran
        ],
        "mean_error": round(sum(errors) / len(errors), 6) if errors else None,
        "worst_error": round(max(errors), 6) if errors else None,
        "worst": worst.name if worst else "",
        "mean_modelled_error": round(sum(modelled) / len(modelled), 6) if modelled else None,
        "worst_modelled_error": round(max(modelled), 6) if modelled else None,
        "within_goal": sum(e <= WORST_ERROR_GOAL for e in errors),
        "goal": {"worst_error": WORST_ERROR_GOAL, "mean_error": MEAN_ERROR_GOAL},
    }


def table_v(found: Found) -> list[Row]:
    """Layers of the vector node against their own bound, with what was predicted."""
    measured = [found[w.name] for w in VECTOR_LAYERS if w.name in found]
    return [
        _row(m) | ({"error": m.error} if m.error else {"prediction": round(m.prediction_error, 6)})
        for m in measured
    ]


def _met(measurement: Measurement, reached: bool) -> bool:
    return reached and bool(measurement.cycles) and not measurement.mismatches


def _row(m: Measurement) -> Row:
    """What every table has of a measurement."""
    if m.error:
        return {"name": m.name, "network": m.network, "error": m.error}
    return {
        "name": m.name,
        "network": m.network,
        "macs": m.macs,
        "cycles": m.cycles,
        "roofline_cycles": m.roofline_cycles,
        "roofline": "compute" if m.compute_bound else "DRAM",
        "utilization": round(m.utilization, 6),
        "predicted_cycles": m.predicted_cycles,
        "bound_by": m.bound_by,
        "status": m.status,
        "solve_seconds": m.solve_seconds,
        "launches": m.launches,
        "program_words": m.program_words,
        "binding": dict(m.binding),
        "tiles": dict(m.tiles),
        "compared": m.compared,
        "mismatches": m.mismatches,
        "counters": dict(m.counters),
    }


def _lost(m: Measurement) -> Row:
    """Cycles above those of the array by cause. partial_steps: array steps beyond macs / peak, lost
    to unused lanes. fill_drain: predicted, part of the causes before it. conflicts: denied
    requests, not cycles."""
    return {
        "name": m.name,
        "utilization": round(m.utilization, 6),
        "lost": m.cycles - m.array_cycles,
        "partial_steps": m.counters["busy"] - m.array_cycles,
        **{cause: m.counters[cause] for cause in CAUSES},
        "fill_drain": m.fill_cycles + m.drain_cycles,
        "conflicts": m.counters["conflicts"],
    }


def _network(name: str, ran: Sequence[Measurement]) -> Row:
    return {
        "network": name,
        "layers": len(ran),
        "cycles": sum(m.cycles for m in ran),
        "roofline_cycles": sum(m.roofline_cycles for m in ran),
        "geomean_utilization": round(geometric_mean(m.utilization for m in ran), 6)
        if ran
        else None,
        "least_utilization": round(min((m.utilization for m in ran), default=0.0), 6),
        "compute_bound_below_goal": sum(
            m.compute_bound and m.utilization < LEAST_GOAL for m in ran
        ),
    }
