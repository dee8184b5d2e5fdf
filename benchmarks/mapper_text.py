"""The mapper's tables as text for a terminal.

In: the JSON of `mapper_tables`. Out: text without colour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_WIDTH = 132
_LEFT = {"layer", "machine", "status", "bound by", "objective"}


def document_text(document: dict[str, Any]) -> str:
    """All tables of a run."""
    parts = [_DRAWN[name](table) for name, table in document["tables"].items()]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _solve(tables: list[dict[str, Any]]) -> str:
    parts = [_one_solve(t) for t in tables]
    columns = ("machine", "objective", "layers", "proven", "median s", "worst s", "worst layer")
    cells = []
    for table in tables:
        s = table["summary"]
        if not s["mapped"]:
            continue
        share = f"{s['proven']} ({s['proven'] / s['layers']:.0%})"
        seconds = (f"{s['median_seconds']:.2f}", f"{s['worst_seconds']:.2f}")
        head = (table["target"], table["objective"], str(s["layers"]), share)
        cells.append((*head, *seconds, s["worst"]))
    goal = "Solve, in short (goal: all proven, median <= 1 s, worst <= 5 s)"
    return "\n\n".join([*parts, draw(goal, columns, cells)])


def _one_solve(table: dict[str, Any]) -> str:
    columns = (
        "layer", "MAC", "status", "cycles", "bound by", "DRAM KB", "uJ", "seconds", "cpu s",
    )  # fmt: skip
    cells = [_solved_cells(r) for r in table["layers"]]
    return draw(f"Solve: {table['target']}, least {table['objective']}", columns, cells)


def _solved_cells(r: dict[str, Any]) -> tuple[str, ...]:
    if "error" in r:
        return (r["name"], "", "FAILED", "", r["error"].splitlines()[0][:40], "", "", "", "")
    return (
        r["name"],
        f"{r['macs']:,}",
        r["status"],
        f"{r['cycles']:,}",
        r["bound_by"],
        f"{r['dram_bytes'] / 1000:,.1f}",
        f"{r['energy_microjoules']:,.1f}",
        f"{r['seconds']:.2f}",
        f"{r['cpu_seconds']:.2f}",
    )


def _growth(rows: list[dict[str, Any]]) -> str:
    columns = ("machine", "layer", "MAC", "status", "cycles", "launches", "seconds", "cpu s")
    cells = [
        (
            r["target"],
            r["name"],
            f"{r['macs']:,}",
            r["status"],
            f"{r['cycles']:,}",
            f"{r['launches']:,}",
            f"{r['seconds']:.2f}",
            f"{r['cpu_seconds']:.2f}",
        )
        for r in rows
        if "error" not in r
    ]
    return draw("Growth: seconds against size (least latency)", columns, cells)


_DRAWN: dict[str, Callable[[Any], str]] = {"solve": _solve, "growth": _growth}


def draw(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """One table."""
    table = Table(*columns, box=SIMPLE_HEAD, title=title, title_justify="left", title_style="")
    for column, name in zip(table.columns, columns, strict=True):
        column.justify = "left" if name in _LEFT else "right"
        column.no_wrap = True
    for row in cells:
        table.add_row(*row)
    buffer = StringIO()
    Console(file=buffer, width=_WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
