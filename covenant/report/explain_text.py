"""Explanations as text for a terminal.

In: `ModelExplanation`. Out: per layer what bounds it, where its cycles go, and what would help.
"""

from __future__ import annotations

from collections.abc import Iterator

from covenant.core.diagnostics import printable
from covenant.mapper.objective import Term
from covenant.report.explain import (
    Explanation,
    ModelExplanation,
    WhatIf,
    busy,
    parts,
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
    yield from (f"  {line}".rstrip() for line in _table(explanation).splitlines())
    yield f"  {summary(explanation)}"


def _table(explanation: Explanation) -> str:
    of = "" if explanation.term is Term.LATENCY else f" ({explanation.term})"
    table = table_of("change", f"re-solved{of}", "cycles", f"modelled{of}", "status")
    for answer in explanation.answers:
        table.add_row(answer.change.title, *_cells(explanation, answer))
    return drawn(table)


def _cells(explanation: Explanation, answer: WhatIf) -> tuple[str, str, str, str]:
    kept = "–"
    if answer.modelled is not None:
        kept = f"{explanation.factor(answer.modelled):.2f}x"
    if answer.resolved is None:
        return "–", "–", kept, printable(f"skipped: {answer.reason}")
    factor = f"{explanation.factor(answer.resolved):.2f}x"
    status = "proven" if answer.proven else "feasible"
    return factor, f"{answer.resolved.latency:,}", kept, status
