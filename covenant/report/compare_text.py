"""A comparison as text for a terminal: per layer and in total, one row per architecture.

In: `Comparison`. Out: a table, the reasons of layers that failed, what no layer covers.
"""

from __future__ import annotations

from covenant.core.diagnostics import printable
from covenant.report.compare import Comparison, Entry, Total, reason
from covenant.report.text import drawn, table_of, unsupported_lines

_COLUMNS = (
    "layer",
    "arch",
    "cycles",
    "ratio",
    "util",
    "bound by",
    "DRAM bytes",
    "uJ",
    "on-chip",
    "gap",
    "first difference",
)


def compare_text(found: Comparison) -> str:
    """The text of `covenant compare`; `ratio`: cycles relative to the first architecture."""
    table = table_of(*_COLUMNS)
    for row in found.layers:
        base = row[0].mapped.cost.latency if row[0].mapped.cost is not None else 0
        for index, entry in enumerate(row):
            name = "" if index else entry.mapped.layer.name
            table.add_row(name, entry.arch, *_cells(entry, base, first=not index))
        table.add_section()
    for index, total in enumerate(found.totals):
        name = "" if index else _total_name(found)
        table.add_row(name, total.arch, *_total_cells(total, found.totals[0].cycles))
    lines = [drawn(table), "difference: of this mapping (right) from the first (left)"]
    for row in found.layers:
        for entry in row:
            if entry.mapped.error is not None:
                layer = entry.mapped.layer.name
                lines.append(
                    printable(f"not mapped: {layer} on {entry.arch}: {reason(entry.mapped)}")
                )
    lines += unsupported_lines(found.results[0])
    return "\n".join(lines) + "\n"


def _cells(entry: Entry, base: int, *, first: bool) -> list[str]:
    cost, mapping = entry.mapped.cost, entry.mapped.mapping
    if cost is None or mapping is None:
        return [*("–",) * 3, "failed", *("–",) * 5]
    proven = mapping.proof.status.proven
    return [
        f"{cost.latency:,}",
        _ratio(cost.latency, base),
        f"{cost.utilization:.1%}",
        cost.bound_by,
        f"{cost.dram_bytes:,}",
        f"{cost.energy_femtojoules / 1e9:,.2f}",
        f"{cost.used_bytes:,}",
        "proven" if proven else f"{mapping.proof.gap:.1%}",
        str(entry.difference or ("" if first else "none")),
    ]


def _total_name(found: Comparison) -> str:
    of, mapped = len(found.layers), found.totals[0].layers
    return "total" if mapped == of else f"total of {mapped}/{of} layers"


def _total_cells(total: Total, base: int) -> list[str]:
    share = f"{total.roofline_cycles / total.cycles:.1%}" if total.cycles else "–"
    return [
        f"{total.cycles:,}",
        _ratio(total.cycles, base),
        share,
        "",
        f"{total.dram_bytes:,}",
        f"{total.energy_femtojoules / 1e9:,.2f}",
        f"{total.used_bytes:,}",
        "",
        "",
    ]


def _ratio(cycles: int, base: int) -> str:
    return f"{cycles / base:.2f}x" if base else "–"
