"""Reports of a mapping or a run: the JSON of the commands and the sentences a person reads.

In: `ModelMapping`, `ModelRun`. Out: JSON-ready dicts (`schema_version` 1) and sentences. Cycles are
integers; ratios are fractions of 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from covenant.core.diagnostics import CovenantError, Diagnostic, ExitCode, Span
from covenant.mapper.cost import Cost
from covenant.mapper.mapping import Placement
from covenant.mapper.printer import to_json
from covenant.report.results import LayerRun, MappedLayer, ModelMapping, ModelRun

SCHEMA_VERSION = 1


def mapping_json(result: ModelMapping) -> dict[str, Any]:
    """The document of `covenant map --json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "arch": result.acg.name,
        "model": result.model.file,
        "layers": [layer_json(mapped) for mapped in result.layers],
        "processed": processed_json(result),
        "unsupported": unsupported_json(result),
        "total": _total(result.layers),
    }


def layer_json(mapped: MappedLayer) -> dict[str, Any]:
    """One layer: what was decided, proven and predicted, or why it failed."""
    layer: dict[str, Any] = {"name": mapped.layer.name, "op": mapped.layer.op_type}
    if mapped.error is not None:
        return layer | {"status": "failed", "errors": errors_json(mapped.error)}
    assert mapped.mapping is not None
    assert mapped.cost is not None
    mapping, cost = mapped.mapping, mapped.cost
    loops = [
        (loop.dim + "'" * number, loop.tile)
        for number, level in enumerate(mapping.levels)
        for loop in level.loops
    ]
    return layer | {
        "node": "+".join(step.node for step in mapping.steps),
        "binding": {c: d for step in mapping.steps for c, d in step.dims},
        "macs": cost.macs,
        "status": str(mapping.proof.status),
        "objective": mapping.proof.objective,
        "bound": mapping.proof.bound,
        "unit": mapping.proof.unit,
        "goals": [
            {"term": g.term, "unit": g.unit, "value": g.value, "bound": g.bound}
            for g in mapping.proof.goals
        ],
        "pins": mapping.proof.pins,
        "gap": mapping.proof.gap,
        "cycles": cost.latency,
        "roofline_cycles": cost.roofline_cycles,
        "utilization": round(cost.utilization, 6),
        "mac_utilization": round(cost.mac_utilization, 6),
        "bound_by": cost.bound_by,
        "dram_bytes": cost.dram_bytes,
        "energy_pj": round(cost.energy_femtojoules / 1000, 3),
        "solve_seconds": mapping.proof.solve_seconds,
        "first_seconds": mapping.proof.first_seconds,
        "tiles": dict(loops),
        "order": [name for name, _ in loops],
        "buffers": [_buffer_json(p) for p in mapping.placements],
        "same_as": mapped.twin,
        "cached": mapped.cached,
        "assumed_int8": mapped.layer.assumed_int8,
        "processor": list(mapped.on_processor),
    }


def _buffer_json(placement: Placement) -> dict[str, Any]:
    return {
        "port": placement.port,
        "tensor": placement.tensor,
        "memory": placement.memory,
        "copies": placement.copies,
        "bytes": placement.layout.bytes,
        "addresses": list(placement.addresses),
    }


def run_json(run: ModelRun) -> dict[str, Any]:
    """The document of `covenant run --json`."""
    costs = [r.mapped.cost for r in run.layers if r.mapped.cost is not None and r.error is None]
    predicted = sum(cost.latency for cost in costs)
    roofline = sum(cost.roofline_cycles for cost in costs)
    cycles = _cycles(run.layers)
    counters: dict[str, int] = {}
    for layer in run.layers:
        for name, value in layer.counters.items():
            counters[name] = counters.get(name, 0) + value
    return {
        "schema_version": SCHEMA_VERSION,
        "arch": run.mapping.acg.name,
        "model": run.mapping.model.file,
        "on": run.machine,
        "mismatches": run.mismatches,
        "compared": run.compared,
        "cycles": cycles,
        "cycles_are": run.cycles_are,
        "predicted_cycles": predicted,
        "roofline_cycles": roofline,
        "utilization": round(roofline / cycles, 6) if cycles else None,
        "counters": counters,
        "layers": [_run_layer_json(layer) for layer in run.layers],
        "processed": processed_json(run.mapping),
        "unsupported": unsupported_json(run.mapping),
    }


def _run_layer_json(run: LayerRun) -> dict[str, Any]:
    layer = layer_json(run.mapped)
    if run.error is not None:
        return layer | {"status": "failed", "errors": errors_json(run.error)}
    if run.mapped.cost is None:
        return layer
    cost = run.mapped.cost
    first = run.first
    return layer | {
        "mismatches": run.mismatches,
        "compared": run.compared,
        "first_mismatch": None
        if first is None
        else {
            "tensor": first.tensor,
            "index": list(first.index),
            "expected": first.expected,
            "found": first.found,
        },
        "cycles": run.cycles,
        "predicted_cycles": cost.latency,
        "utilization": round(cost.roofline_cycles / run.cycles, 6) if run.cycles else None,
        "program_words": run.words,
        **({"program_packets": run.packets} if run.packets else {}),
        "counters": dict(run.counters),
    }


def processed_json(result: ModelMapping) -> list[dict[str, Any]]:
    """The layers that the processor computes; no cycles are predicted for them."""
    return [
        {"name": m.layer.name, "op": m.layer.op_type, "macs": m.lowered.codelet.macs}
        for m in result.processed
        if m.lowered is not None
    ]


def unsupported_json(result: ModelMapping) -> list[dict[str, Any]]:
    """The nodes that no layer covers."""
    return [
        {"node": u.node, "op": u.op_type, "reason": u.reason, "macs": u.macs}
        for u in result.unsupported
    ]


def saved_details(mapping: ModelMapping) -> dict[str, Any]:
    """What a saved directory holds beside images."""
    return {
        "model": mapping.model.file,
        "shapes": {tensor.name: list(tensor.shape) for tensor in mapping.model.inputs},
        "mappings": {m.layer.name: to_json(m.mapping) for m in mapping.layers if m.mapping},
        "refused": {m.layer.name: errors_json(m.error) for m in mapping.refused if m.error},
        "processed": [m.layer.name for m in mapping.processed],
        "forms": {m.layer.name: m.lowered.form for m in mapping.layers if m.lowered},
    }


def errors_json(error: CovenantError) -> list[dict[str, str]]:
    """The diagnostics of an error."""
    return [
        {"code": d.code, "message": d.message, "help": d.help, "at": str(d.span)}
        for d in error.diagnostics
    ]


def refusal(found: Iterable[Mapping[str, str]]) -> CovenantError:
    """The error of an unsupported layer, from what `errors_json` made of it."""
    findings = [Diagnostic(f["code"], f["message"], Span(f["at"]), f["help"]) for f in found]
    return CovenantError(findings, ExitCode.UNSUPPORTED)


def _total(layers: Iterable[MappedLayer]) -> dict[str, Any]:
    costs = [mapped.cost for mapped in layers if mapped.cost is not None]
    cycles = sum(cost.latency for cost in costs)
    roofline = sum(cost.roofline_cycles for cost in costs)
    return {
        "layers": len(costs),
        "macs": sum(cost.macs for cost in costs),
        "cycles": cycles,
        "roofline_cycles": roofline,
        "utilization": round(roofline / cycles, 6) if cycles else None,
        "dram_bytes": sum(cost.dram_bytes for cost in costs),
        "energy_pj": round(sum(cost.energy_femtojoules for cost in costs) / 1000, 3),
    }


def _cycles(runs: Iterable[LayerRun]) -> int | None:
    """Cycles of all layers that ran; None on a machine without a clock."""
    found = [run.cycles for run in runs if run.error is None and run.mapped.cost is not None]
    return None if None in found or not found else sum(c for c in found if c is not None)


_BOUND = {
    "compute": "the array",
    "serial": "the array and the transfers of its single-buffered operands, one after the other",
    "load": "reads from off-chip memory",
    "store": "writes to off-chip memory",
    "refill": "refilling buffers: a slot is loaded only when its last reader has ended",
    "banks": "the banks that hold results",
    "control": "the command processor",
}


def bound_sentence(cost: Cost) -> str:
    """What bounds a layer, in one sentence with its share of the predicted cycles."""
    cause = cost.bound_by
    if cause == "serial" and cost.compute >= 0.9 * cost.latency:
        cause = "compute"  # the exposed transfers are the lesser part
    cycles = {"compute": cost.compute, "load": cost.load, "store": cost.store}.get(cause)
    text = _BOUND.get(cause, cause)
    verb = "computing" if cause == "compute" else "moving"
    return text + (f": {verb} takes {cycles / cost.latency:.1%} of the cycles" if cycles else "")
