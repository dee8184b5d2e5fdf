"""One model on several architectures, side by side: the data, its JSON and its CSV.

In: the mappings of a model, one per architecture. Out: `Comparison`. Totals are over the layers
that every architecture could map. Cycles and bytes are integers; ratios are fractions of 1.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from covenant.acg.graph import Acg
from covenant.core.diagnostics import ExitCode
from covenant.mapper.mapping import Mapping
from covenant.mapper.pins_saved import bank_plan
from covenant.report.difference import Difference, first_difference
from covenant.report.results import MappedLayer, ModelMapping
from covenant.report.summary import SCHEMA_VERSION, errors_json, unsupported_json


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A layer on one architecture; difference: from the first architecture that could map it."""

    arch: str
    mapped: MappedLayer
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over the layers that all architectures could map."""

    arch: str
    layers: int
    cycles: int
    roofline_cycles: int
    dram_bytes: int
    energy_femtojoules: int
    used_bytes: int
    """On-chip bytes of the layer that uses most."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`layers[i]`: entries of the i-th layer of the model, in the order of the architectures."""

    results: tuple[ModelMapping, ...]
    archs: tuple[str, ...]
    layers: tuple[tuple[Entry, ...], ...]
    totals: tuple[Total, ...]

    @property
    def exit_code(self) -> ExitCode:
        """Code of the first architecture on which a layer failed; one that cannot do some layers,
        but others, did not fail."""
        codes = (result.tolerant().exit_code for result in self.results)
        return next((code for code in codes if code), ExitCode.OK)


def compare(results: Sequence[ModelMapping], given: Sequence[str]) -> Comparison:
    """`given`: the architectures as the user wrote them, used where two have the same name."""
    names = tuple(result.acg.name for result in results)
    archs = names if len(set(names)) == len(names) else tuple(given)
    layers = tuple(
        _entries(archs, [result.acg for result in results], row)
        for row in zip(*(result.layers for result in results), strict=True)
    )
    common = [row for row in layers if all(entry.mapped.error is None for entry in row)]
    totals = tuple(
        _total(arch, [row[index].mapped for row in common]) for index, arch in enumerate(archs)
    )
    return Comparison(tuple(results), archs, layers, totals)


def _entries(
    archs: Sequence[str], acgs: Sequence[Acg], row: Sequence[MappedLayer]
) -> tuple[Entry, ...]:
    base: tuple[Mapping, str] | None = None
    entries = []
    for arch, acg, mapped in zip(archs, acgs, row, strict=True):
        different = None
        if mapped.mapping is not None and mapped.lowered is not None:
            banks = bank_plan(mapped.mapping, mapped.lowered.codelet, acg)
            base = base or (mapped.mapping, banks)
            different = first_difference(base[0], mapped.mapping, (base[1], banks))
        entries.append(Entry(arch, mapped, different))
    return tuple(entries)


def _total(arch: str, layers: Sequence[MappedLayer]) -> Total:
    costs = [mapped.cost for mapped in layers if mapped.cost is not None]
    return Total(
        arch,
        len(costs),
        sum(cost.latency for cost in costs),
        sum(cost.roofline_cycles for cost in costs),
        sum(cost.dram_bytes for cost in costs),
        sum(cost.energy_femtojoules for cost in costs),
        max((cost.used_bytes for cost in costs), default=0),
    )


def compare_json(found: Comparison) -> dict[str, Any]:
    """The document of `covenant compare --json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model": found.results[0].model.file,
        "archs": list(found.archs),
        "layers": [
            {
                "name": row[0].mapped.layer.name,
                "op": row[0].mapped.layer.op_type,
                "results": [_entry_json(entry) for entry in row],
            }
            for row in found.layers
        ],
        "unsupported": unsupported_json(found.results[0]),
        "totals": [_total_json(total) for total in found.totals],
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    mapped, different = entry.mapped, entry.difference
    if mapped.error is not None:
        return {"arch": entry.arch, "status": "failed", "errors": errors_json(mapped.error)}
    assert mapped.mapping is not None
    assert mapped.cost is not None
    cost, proof = mapped.cost, mapped.mapping.proof
    return {
        "arch": entry.arch,
        "status": str(proof.status),
        "cycles": cost.latency,
        "roofline_cycles": cost.roofline_cycles,
        "utilization": round(cost.utilization, 6),
        "bound_by": cost.bound_by,
        "dram_bytes": cost.dram_bytes,
        "energy_pj": round(cost.energy_femtojoules / 1000, 3),
        "onchip_bytes": cost.used_bytes,
        "objective": proof.terms,
        "gap": proof.gap,
        "difference": None
        if different is None
        else {
            "decision": different.decision,
            "first": different.first,
            "this": different.second,
        },
    }


def _total_json(total: Total) -> dict[str, Any]:
    share = round(total.roofline_cycles / total.cycles, 6) if total.cycles else None
    return {
        "arch": total.arch,
        "layers": total.layers,
        "cycles": total.cycles,
        "roofline_cycles": total.roofline_cycles,
        "utilization": share,
        "dram_bytes": total.dram_bytes,
        "energy_pj": round(total.energy_femtojoules / 1000, 3),
        "onchip_bytes": total.used_bytes,
    }


_COLUMNS = (
    "layer",
    "op",
    "arch",
    "status",
    "cycles",
    "roofline_cycles",
    "utilization",
    "bound_by",
    "dram_bytes",
    "energy_pj",
    "onchip_bytes",
    "objective",
    "gap",
    "difference",
    "error",
)


def compare_csv(found: Comparison) -> str:
    """A line per layer and architecture, then one per total; empty where there is no value."""
    out = StringIO()
    writer = csv.DictWriter(out, _COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in found.layers:
        for entry in row:
            line = _entry_json(entry)
            line |= {"layer": entry.mapped.layer.name, "op": entry.mapped.layer.op_type}
            line["difference"] = "" if entry.difference is None else str(entry.difference)
            line["error"] = reason(entry.mapped)
            writer.writerow(line)
    for total in found.totals:
        writer.writerow({"layer": "total", **_total_json(total)})
    return out.getvalue()


def reason(mapped: MappedLayer) -> str:
    """Why a layer has no mapping, in one line; "" when it has one."""
    if mapped.error is None:
        return ""
    first = mapped.error.diagnostics[0]
    return f"{first.code}: {first.message}"
