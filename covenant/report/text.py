"""Mappings and runs as text for a terminal: a paragraph per layer, a table for many layers.

In: `ModelMapping`, `ModelRun`. Out: lines of text without colour; rich draws the tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from covenant.core.diagnostics import CovenantError
from covenant.mapper.mapping import Proof
from covenant.mapper.printer import show as show_mapping
from covenant.report.results import LayerRun, MappedLayer, ModelMapping, ModelRun
from covenant.report.summary import bound_sentence

_WIDTH = 400
"""Longest line of a table, in characters: wide enough not to cut a row."""


def mapping_text(result: ModelMapping, *, details: bool) -> str:
    """The text of `covenant map`; `details` prints every mapping whole."""
    lines: list[str] = []
    for mapped in result.layers:
        if details or len(result.layers) == 1:
            lines += [*_layer_lines(mapped), ""]
    if len(result.layers) > 1:
        lines.append(_mapping_table(result.layers))
    lines += _processor_lines(result)
    lines += _failures([(m.layer.name, m.error) for m in result.layers])
    lines += unsupported_lines(result)
    return "\n".join(lines).rstrip() + "\n"


def run_text(run: ModelRun, *, details: bool) -> str:
    """The text of `covenant run`."""
    lines: list[str] = []
    for layer in run.layers:
        if layer.mapped.cost is not None and (details or len(run.layers) == 1):
            lines += [*_layer_lines(layer.mapped), *_run_lines(layer, run), ""]
    if len(run.layers) > 1:
        lines.append(_run_table(run))
    lines += _processor_lines(run.mapping)
    lines += _failures([(r.mapped.layer.name, r.error or r.mapped.error) for r in run.layers])
    lines += unsupported_lines(run.mapping)
    if len(run.layers) > 1 and run.compared:
        lines.append(_equality(run.mismatches, run.compared))
    return "\n".join(lines).rstrip() + "\n"


def _layer_lines(mapped: MappedLayer) -> Iterator[str]:
    layer = mapped.layer
    if mapped.mapping is None or mapped.cost is None:
        yield f"{layer.name}  {layer.op_type}  not mapped"
        return
    mapping, cost, proof = mapped.mapping, mapped.cost, mapped.mapping.proof
    yield f"{layer.name}  {layer.op_type}  {cost.macs:,} MAC"
    if layer.assumed_int8:
        yield "  note      the model is float: int8 operands are assumed"
    if mapped.on_processor:
        yield f"  processor {', '.join(mapped.on_processor)}; its time is not in the cycles"
    if mapped.twin:
        yield f"  same as   {mapped.twin}"
    yield from ("  " + line for line in show_mapping(mapping).splitlines())
    yield from _proof_lines(proof)
    source = "from cache, once " if mapped.cached else ""
    yield f"  solved    {source}in {proof.solve_seconds:.2f} s"
    yield (
        f"  predicted {cost.latency:,} cycles, roofline {cost.roofline_cycles:,}, "
        f"utilization {cost.utilization:.1%}"
    )
    yield f"  bound by  {bound_sentence(cost)}"
    yield (
        f"  traffic   {cost.dram_bytes:,} bytes off chip, "
        f"{cost.energy_femtojoules / 1e9:,.2f} uJ modelled"
    )


_TAKES = {
    "latency": "takes fewer than {:,} modelled cycles",
    "dram": "moves fewer than {:,} bytes off chip",
    "energy": "spends less than {:,} modelled fJ",
    "edp": "has a smaller modelled energy-delay product than {:,} fJ*cycles",
}
"""What no other mapping does, by term."""


def _proof_lines(proof: Proof) -> Iterator[str]:
    """What is known of a mapping, term by term; a term holds among mappings as good by those
    before it."""
    kept = f" that keeps the {proof.pins} pins" if proof.pins else ""
    if not proof.status.proven:
        for goal in proof.goals:
            reached = f"{goal.value:,} {goal.unit}, bound {goal.bound:,}, gap {goal.gap:.2%}"
            yield f"  {proof.status}  {goal.term}: {reached}"
        return
    for number, goal in enumerate(proof.goals):
        head = (
            f"  {proof.status:<9} proven: no mapping{kept}"
            if not number
            else " " * 12 + "then none"
        )
        yield f"{head} {_TAKES[goal.term].format(goal.bound)}"


def _run_lines(run: LayerRun, whole: ModelRun) -> Iterator[str]:
    cost = run.mapped.cost
    if run.error is not None or cost is None:
        return
    if run.cycles is not None:
        error = (cost.latency - run.cycles) / run.cycles
        yield (
            f"  {whole.cycles_are:<9} {run.cycles:,} cycles on {whole.machine}, "
            f"prediction off by {error:+.2%}, "
            f"utilization {cost.roofline_cycles / run.cycles:.1%}"
        )
    packed = f" in {run.packets} packets, {run.words / run.packets:.2f} each" if run.packets else ""
    yield f"  program   {run.words} words{packed}"
    yield "  outputs   " + _equality(run.mismatches, run.compared)
    if run.first is not None:
        first = run.first
        yield (
            f"  first     {first.tensor}{list(first.index)}: expected {first.expected}, "
            f"found {first.found}"
        )


def _equality(mismatches: int, compared: int) -> str:
    if mismatches:
        return f"{mismatches:,} of {compared:,} output elements DIFFER from the integer reference"
    return f"{compared:,} of {compared:,} elements equal to the integer reference"


def _mapping_table(layers: Sequence[MappedLayer]) -> str:
    table = table_of("layer", "op", "MAC", "cycles", "roofline", "util", "bound by", "status", "s")
    for mapped in layers:
        cost, mapping = mapped.cost, mapped.mapping
        if cost is None or mapping is None:
            table.add_row(mapped.layer.name, mapped.layer.op_type, *("–",) * 5, "failed", "–")
            continue
        table.add_row(
            mapped.layer.name,
            mapped.layer.op_type,
            f"{cost.macs:,}",
            f"{cost.latency:,}",
            f"{cost.roofline_cycles:,}",
            f"{cost.utilization:.1%}",
            cost.bound_by,
            f"= {mapped.twin}" if mapped.twin else str(mapping.proof.status),
            "from cache" if mapped.cached else f"{mapping.proof.solve_seconds:.2f}",
        )
    costs = [m.cost for m in layers if m.cost is not None]
    cycles, roofline = sum(c.latency for c in costs), sum(c.roofline_cycles for c in costs)
    share = f"{roofline / cycles:.1%}" if cycles else "–"
    macs = sum(c.macs for c in costs)
    table.add_section()
    table.add_row("total", "", f"{macs:,}", f"{cycles:,}", f"{roofline:,}", share, "", "", "")
    return drawn(table)


def _run_table(whole: ModelRun) -> str:
    cycles_are = "cycles" if whole.cycles_are == "measured" else "modelled"
    table = table_of("layer", "op", cycles_are, "predicted", "error", "util", "compared", "differ")
    for run in whole.layers:
        cost = run.mapped.cost
        names = (run.mapped.layer.name, run.mapped.layer.op_type)
        if run.error is not None or cost is None:
            table.add_row(*names, *("–",) * 5, "failed")
            continue
        cycles = run.cycles
        table.add_row(
            *names,
            "–" if cycles is None else f"{cycles:,}",
            f"{cost.latency:,}",
            "–" if cycles is None else f"{(cost.latency - cycles) / cycles:+.2%}",
            "–" if cycles is None else f"{cost.roofline_cycles / cycles:.1%}",
            f"{run.compared:,}",
            f"{run.mismatches:,}",
        )
    return drawn(table)


def table_of(*columns: str) -> Table:
    """An empty table; columns of words are on the left, of numbers on the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    texts = {"layer", "op", "arch", "bound by", "status", "first difference", "change"}
    for column in columns:
        table.add_column(column, justify="left" if column in texts else "right", no_wrap=True)
    return table


def drawn(table: Table) -> str:
    """The table as lines; names that look like markup stay as they are."""
    out = StringIO()
    console = Console(
        file=out, width=_WIDTH, no_color=True, highlight=False, markup=False, emoji=False
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _processor_lines(result: ModelMapping) -> Iterator[str]:
    """Layers of which the processor does a share, and which; those it computes with their share of
    the work."""
    shared = result.layers if len(result.layers) > 1 else ()
    for mapped in shared:
        if mapped.on_processor:
            yield f"on the processor: {mapped.layer.name}: {', '.join(mapped.on_processor)}"
    total = sum(m.cost.macs for m in result.layers if m.cost is not None)
    own = [(m, m.lowered.codelet.macs) for m in result.processed if m.lowered is not None]
    total += sum(macs for _, macs in own)
    for mapped, macs in own:
        yield (
            f"on the processor: {mapped.layer.name} ({mapped.layer.op_type}): "
            f"{', '.join(mapped.on_processor)}, {macs / total:.1%} of the steps"
        )
    if own or any(mapped.on_processor for mapped in shared):
        yield "predicted cycles are those of the accelerator, without the processor's time"


def _failures(errors: Sequence[tuple[str, CovenantError | None]]) -> Iterator[str]:
    for name, error in errors:
        if error is not None:
            counts = Counter(d.code for d in error.diagnostics)
            codes = ", ".join(f"{c} x{n}" if n > 1 else c for c, n in counts.items())
            yield f"not run: {name} ({codes}); see the error above"


def unsupported_lines(result: ModelMapping) -> Iterator[str]:
    """What no layer covers, with its reason and its share of the work."""
    total = sum(u.macs for u in result.unsupported)
    total += sum(m.cost.macs for m in result.layers if m.cost is not None)
    for node in result.unsupported:
        share = f", {node.macs / total:.1%} of the MACs" if node.macs and total else ""
        yield f"not mapped: {node.node} ({node.op_type}): {node.reason}{share}"
