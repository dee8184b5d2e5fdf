"""The tables as text for a terminal.

In: the JSON of `tables`. Out: text without colour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_WIDTH = 132


def document_text(document: dict[str, Any]) -> str:
    """All tables of a run."""
    parts = [_DRAWN[name](table) for name, table in document["tables"].items()]
    checked, wrong = document["compared"], document["mismatches"]
    if wrong:
        parts.append(f"{wrong:,} of {checked:,} output elements DIFFER from the integer reference")
    else:
        parts.append(f"{checked:,} of {checked:,} output elements equal to the integer reference")
    parts += [f"{name}: {error}" for name, error in document["errors"].items()]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _table_a(rows: list[dict[str, Any]]) -> str:
    columns = ("size", "result", "ideal", "cycles", "SNAX", "goal", "met", "array idle")
    cells = [
        (
            f"{r['size']}^3",
            r["result"],
            _count(r["ideal_cycles"]),
            _count(r["cycles"]),
            _count(r["snax_cycles"]),
            f"<= {r['goal_cycles']:,}",
            _met(r),
            _idle(r["counters"]),
        )
        for r in rows
        if "cycles" in r
    ]
    return _draw(
        "A. GEMM already in the L1: cycles from the first instruction to done", columns, cells
    )


def _table_b(rows: list[dict[str, Any]]) -> str:
    columns = ("M,N,K", "cycles", "MAC/cycle", "SNAX", "goal", "met", "bound by", "array idle")
    cells = [
        (
            f"{r['m']},{r['n']},{r['k']}",
            _count(r["cycles"]),
            f"{r['mac_per_cycle']:.1f}",
            str(r["snax"]),
            f">= {r['goal']}",
            _met(r),
            r["bound_by"],
            _idle(r["counters"]),
        )
        for r in rows
        if "cycles" in r
    ]
    return _draw("B. GEMM from and to DRAM: multiply-accumulates per cycle", columns, cells)


def _table_d(table: dict[str, Any]) -> str:
    columns = ("layer", "MAC", "cycles", "roofline", "of", "util", "bound by", "mapping", "solve s")
    cells = [
        (
            r["name"],
            _count(r["macs"]),
            _count(r["cycles"]),
            _count(r["roofline_cycles"]),
            r["roofline"],
            f"{r['utilization']:.1%}",
            r["bound_by"],
            r["status"],
            f"{r['solve_seconds']:.1f}",
        )
        for r in table["layers"]
        if "cycles" in r
    ]
    goal = table["goal"]
    layers = _draw("D. Layers on the RTL against the roofline", columns, cells)
    title = (
        f"D, by network (goal: geometric mean >= {goal['geomean_utilization']:.0%}, none of the "
        f"compute-bound below {goal['least_compute_bound']:.0%})"
    )
    names = ("network", "layers", "cycles", "roofline", "geomean", "least", "compute-bound below")
    networks = [
        (
            n["network"],
            str(n["layers"]),
            _count(n["cycles"]),
            _count(n["roofline_cycles"]),
            f"{n['geomean_utilization']:.1%}" if n["geomean_utilization"] else "–",
            f"{n['least_utilization']:.1%}",
            str(n["compute_bound_below_goal"]),
        )
        for n in (*table["networks"], table["all"])
    ]
    return "\n\n".join([layers, _draw(title, names, networks), _below(table["below_goal"])])


_LOST = {
    "lost": "lost",
    "partial_steps": "unused lanes",
    "starved_a": "a",
    "starved_b": "b",
    "starved_c": "partials",
    "starved_p": "p",
    "blocked_y": "y",
    "config_wait": "no job",
    "fill_drain": "(fill, drain)",
    "conflicts": "(denied)",
}
"""Columns of the lost cycles: the causes add up to `lost`; those in brackets overlap with them."""


def _below(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No compute-bound layer below the goal."
    title = (
        "D, compute-bound below the goal: lost cycles by what the array waited for; of these, in "
        "brackets, predicted fill and drain; requests denied by the banks"
    )
    cells = [
        (r["name"], f"{r['utilization']:.1%}", *(_count(r[key]) for key in _LOST)) for r in rows
    ]
    return _draw(title, ("layer", "util", *_LOST.values()), cells)


def _table_e(table: dict[str, Any]) -> str:
    columns = ("layer", "RTL cycles", "predicted", "error", "modelled", "error", "bound by")
    cells = [
        (
            r["name"],
            _count(r["cycles"]),
            _count(r["predicted_cycles"]),
            f"{r['error']:+.2%}",
            _count(r["modelled_cycles"]),
            f"{r['modelled_error']:+.2%}",
            r["bound_by"],
        )
        for r in table["layers"]
    ]
    drawn = _draw("E. Predicted against RTL cycles", columns, cells)
    if not cells:
        return drawn
    goal = table["goal"]
    return drawn.rstrip() + (
        f"\n\n  mean |error| {table['mean_error']:.2%} (goal {goal['mean_error']:.0%}), worst "
        f"{table['worst_error']:.2%} on {table['worst']}; {table['within_goal']} of {len(cells)} "
        f"layers within {goal['worst_error']:.0%}\n  timing model of the programs: mean |error| "
        f"{table['mean_modelled_error']:.2%}, worst {table['worst_modelled_error']:.2%}"
    )


def _table_f(rows: list[dict[str, Any]]) -> str:
    whole, *others = rows
    columns = ("layer", "cycles", *(r["without"] for r in others))
    cells = [
        (name, _count(cycles), *(_factor(r["factors"].get(name)) for r in others))
        for name, cycles in whole["cycles"].items()
    ]
    cells.append(("geomean", "", *(_factor(r["geomean"]) for r in others)))
    return _draw("F. Cycles, and times as many without one of the mechanisms", columns, cells)


def _table_v(rows: list[dict[str, Any]]) -> str:
    columns = ("layer", "operations", "cycles", "roofline", "of", "util", "predicted", "bound by")
    cells = [
        (
            r["name"],
            _count(r["macs"]),
            _count(r["cycles"]),
            _count(r["roofline_cycles"]),
            r["roofline"],
            f"{r['utilization']:.1%}",
            f"{r['prediction']:+.2%}",
            r["bound_by"],
        )
        for r in rows
        if "cycles" in r
    ]
    return _draw("V. Layers of the vector node against its own lanes and the DRAM", columns, cells)


def _factor(value: float | None) -> str:
    return f"{value:.3f}" if value else "–"


_DRAWN: dict[str, Callable[[Any], str]] = {
    "A": _table_a,
    "B": _table_b,
    "D": _table_d,
    "E": _table_e,
    "F": _table_f,
    "V": _table_v,
}


def _met(row: dict[str, Any]) -> str:
    return "WRONG" if row["mismatches"] else "yes" if row["met"] else "no"


def _count(value: int) -> str:
    return f"{value:,}"


def _idle(counters: dict[str, int]) -> str:
    """Cycles without an array step by cause."""
    named = {
        "config_wait": "no job",
        "starved_a": "a",
        "starved_b": "b",
        "starved_c": "partials",
        "starved_p": "p",
        "blocked_y": "y",
    }
    return ", ".join(
        f"{text} {counters[key]:,}" for key, text in named.items() if counters.get(key)
    )


def _draw(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    table = Table(*columns, box=SIMPLE_HEAD, title=title, title_justify="left", title_style="")
    text = {
        "without",
        "layer",
        "network",
        "of",
        "bound by",
        "mapping",
        "met",
        "array idle",
        "result",
        "M,N,K",
    }
    for column, name in zip(table.columns, columns, strict=True):
        column.justify = "left" if name in text else "right"
        column.no_wrap = name != "array idle"
    for row in cells:
        table.add_row(*row)
    buffer = StringIO()
    Console(file=buffer, width=_WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
