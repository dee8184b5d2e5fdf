"""Explanations as text for a terminal.

In: `ModelExplanation`. Out: per layer what bounds it, where its cycles go, and what would help.
"""

from __future__ import annotations

from collections.abc import Iterator

from covenant.core.diagnostics import printable
from covenant.mapper.cost import Cost
from covenant.report.explain import (
    Explanation,
    ModelExplanation,
    WhatIf,
    busy,
    parts,
    speedup,
    summary,
)
from covenant.report.summary import bound_sentence
from covenant.report.text import drawn, table_of

_PARTS = {
    "compute": "the array computes",
    "conflicts": "the array waits for banks",
    "first_fill": "first tiles are loaded",
    "last_store": "the last tile is stored",
    "waiting": "the array waits for operands, buffers or instructions; start and end",
}


def explain_text(found: ModelExplanation) -> str:
    """The text of `covenant explain`."""
    lines: list[str] = []
    for explanation in found.layers:
        lines += [*_layer(explanation), ""]
    return "\n".join(lines).rstrip() + "\n"


def _layer(explanation: Explanation) -> Iterator[str]:
    mapped = explanation.mapped
    if mapped.error is not None or mapped.cost is None:
        yield printable(f"{mapped.layer.name}  {mapped.layer.op_type}  not mapped")
        return
    cost = mapped.cost
    head = f"{mapped.layer.name}  {mapped.layer.op_type}  {cost.latency:,} cycles"
    yield printable(f"{head}, utilization {cost.utilization:.1%}")
    if mapped.twin:
        yield printable(f"  same as   {mapped.twin}")
    yield f"  bound by  {bound_sentence(cost)}"
    for name, cycles in parts(mapped).items():
        yield f"  {cycles:>13,}  {cycles / cost.latency:>6.1%}  {_PARTS[name]}"
    shares = (f"{name} {cycles / cost.latency:.1%}" for name, cycles in busy(cost).items())
    yield f"  busy      {', '.join(shares)} (they overlap)"
    yield from (f"  {line}".rstrip() for line in _table(explanation, cost).splitlines())
    yield f"  {summary(explanation)}"


def _table(explanation: Explanation, cost: Cost) -> str:
    table = table_of("change", "re-solved", "cycles", "modelled", "status")
    for answer in explanation.answers:
        table.add_row(answer.change.title, *_cells(answer, cost))
    return drawn(table)


def _cells(answer: WhatIf, cost: Cost) -> tuple[str, str, str, str]:
    kept = "–"
    if answer.modelled_cycles is not None:
        kept = f"{speedup(cost, answer.modelled_cycles):.2f}x"
    if answer.resolved_cycles is None:
        return "–", "–", kept, printable(f"skipped: {answer.reason}")
    factor = f"{speedup(cost, answer.resolved_cycles):.2f}x"
    status = "proven" if answer.proven else "feasible"
    return factor, f"{answer.resolved_cycles:,}", kept, status
