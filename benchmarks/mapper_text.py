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

_WIDTH = 150
_LEFT = {"layer", "machine", "status", "bound by", "objective", "program"}
WORSE = 0.999
"""Ratio below which the parts of both costs are shown."""


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
    return _grown("Growth: seconds against size (least latency)", rows)


def _levels(rows: list[dict[str, Any]]) -> str:
    return _grown("Growth: seconds against the number of on-chip memories in a row", rows)


def _grown(title: str, rows: list[dict[str, Any]]) -> str:
    columns = (
        "machine", "objective", "layer", "MAC", "status", "cycles", "uJ", "launches", "seconds",
        "cpu s",
    )  # fmt: skip
    cells = [
        (
            r["target"],
            r["objective"],
            r["name"],
            f"{r['macs']:,}",
            r["status"],
            f"{r['cycles']:,}",
            f"{r['energy_microjoules']:,.1f}",
            f"{r['launches']:,}",
            f"{r['seconds']:.2f}",
            f"{r['cpu_seconds']:.2f}",
        )
        for r in rows
        if "error" not in r
    ]
    return draw(title, columns, cells)


def _zigzag(table: dict[str, Any]) -> str:
    rows = [r for r in table["rows"] if "error" not in r]
    parts = []
    for target, objective in dict.fromkeys((r["target"], r["objective"]) for r in rows):
        part = [r for r in rows if (r["target"], r["objective"]) == (target, objective)]
        unit = "cycles" if objective == "latency" else "uJ"
        if "published" in part[0]:
            parts.append(_published(part, target, unit))
            continue
        columns = (
            "layer", "ZigZag: theirs", "ours", "ratio", "chosen", "ratio",
            "cost.py: theirs", "ours", "ratio",
            "cpu s theirs", "ours",
        )  # fmt: skip
        title = f"ZigZag {part[0]['peer_version']} (LOMA) on {target}, least {objective}, {unit}"
        parts.append(draw(title, columns, [_versus_cells(r) for r in part]))
        parts += [_worse(r) for r in part if r["by_peer"]["ratio"] < WORSE]
    parts += [f"{r['name']} {r['objective']}: {r['error']}" for r in table["rows"] if "error" in r]
    for s in table["summary"]:
        parts.append(_versus_summary(s))
    return "\n\n".join(parts)


def _versus_cells(r: dict[str, Any]) -> tuple[str, ...]:
    cells: list[str] = [r["name"]]
    for key in ("by_peer", "by_cost"):
        pair = r[key]
        if pair is None:
            cells += ["–", _figure(r["ours_by_cost"]), "–"]
        else:
            cells += [_figure(pair["theirs"]), _figure(pair["ours"]), f"{pair['ratio']:.3f}"]
        if key == "by_peer":
            cells += [_figure(r["chosen"]["ours"]), f"{r['chosen']['ratio']:.3f}"]
    return (*cells, f"{r['peer_cpu_seconds']:.1f}", f"{r['cpu_seconds']:.2f}")


def _worse(r: dict[str, Any]) -> str:
    """Where the peer's cost of our mapping is more than that of its own."""
    pairs = [(name, ours, r["parts"]["theirs"][name]) for name, ours in r["parts"]["ours"].items()]
    told = ", ".join(f"{name} {_figure(t)} / {_figure(o)}" for name, o, t in pairs)
    return f"  {r['name']}, by ZigZag: {told} (theirs / ours)"


def _versus_summary(s: dict[str, Any]) -> str:
    lines = []
    names = {"by_peer": "ZigZag's cost", "chosen": "ZigZag's cost, chosen by it of ours"}
    for key, name in (names | {"by_cost": "cost.py"}).items():
        found = s[key]
        if found["compared"]:
            lines.append(
                f"  {s['target']} {s['objective']}, by {name}: geometric mean of theirs / ours "
                f"{found['geomean_ratio']:.3f}, least {found['least_ratio']:.3f}, ours worse on "
                f"{found['worse']} of {found['compared']} layers"
            )
    if s["seconds_ratio"]:
        ratio = f"geometric mean of theirs / ours {s['seconds_ratio']:.1f}"
        lines.append(f"  {s['target']} {s['objective']}, processor seconds: {ratio}")
    return "\n".join(lines)


def _published(rows: list[dict[str, Any]], target: str, unit: str) -> str:
    columns = ("layer", "published", "ours by cost.py", "s published", "cpu s ours")
    cells = [
        (
            r["name"],
            _figure(r["published"]),
            _figure(r["ours_by_cost"]),
            f"{r['published_seconds']:.1f}",
            f"{r['cpu_seconds']:.2f}",
        )
        for r in rows
    ]
    title = (
        f"ZigZag is not installed: published figures of 3.9.1 on {target}, {unit}, by its own cost "
        "(not measured here)"
    )
    return draw(title, columns, cells)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _rule(table: dict[str, Any]) -> str:
    columns = (
        "layer", "tiles", "compulsory MB", "rule MB", "ours MB", "by cost.py: rule MB", "cycles",
        "ours cycles",
    )  # fmt: skip
    parts = []
    for target, objective in dict.fromkeys((r["target"], r["objective"]) for r in table["rows"]):
        cells = [
            (
                r["name"],
                "x".join(map(str, r["tiles"])),
                f"{r['compulsory_bytes'] / 1e6:.2f}",
                f"{r['rule_bytes'] / 1e6:.2f}",
                f"{r['ours'][0] / 1e6:.2f}",
                *(
                    (f"{r['rule_by_cost'][0] / 1e6:.2f}", f"{r['rule_by_cost'][1]:,}")
                    if r["rule_by_cost"]
                    else ("–", "–")
                ),
                f"{r['ours'][1]:,}",
            )
            for r in table["rows"]
            if (r["target"], r["objective"]) == (target, objective)
        ]
        title = f"Gemmini's hand rule on {target}, ours of least {objective} (tiles in blocks)"
        parts.append(draw(title, columns, cells))
    return "\n\n".join(parts)


_DRAWN: dict[str, Callable[[Any], str]] = {
    "solve": _solve,
    "growth": _growth,
    "levels": _levels,
    "zigzag": _zigzag,
    "rule": _rule,
}


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
