"""The text form of an architecture, for terminals and goldens.

In: `Acg`. Out: tables of text and a drawing of the graph; nothing here knows about colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Capability, Compute, Memory, Transfer
from covenant.acg.notation import show_size


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; every row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def show(acg: Acg) -> str:
    """The whole text form: title, drawing and tables."""
    parts = [f"{acg.name}: {acg.description}" if acg.description else acg.name, drawing(acg)]
    parts += [show_table(table) for table in tables(acg)]
    return "\n\n".join(parts) + "\n"


def show_table(table: Table) -> str:
    """A table as aligned columns."""
    rows = (table.columns, *table.rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([table.title, *(f"  {line}".rstrip() for line in lines)])


def drawing(acg: Acg) -> str:
    """Every memory and compute node with what joins it to the nodes drawn below."""
    lines: list[str] = []
    drawn: set[str] = set()
    for memory in acg.memories:
        lines.append(f"{memory.name}  {_memory_text(memory)}")
        joined = [t for t in acg.transfers if memory.name in (t.source, t.target)]
        edges = [_edge(t, memory.name) for t in joined if t.name not in drawn]
        drawn |= {transfer.name for transfer in joined}
        lines += _branches(edges)
    for compute in acg.computes:
        arrow = f"{compute.after} ─► " if compute.after else ""
        lines.append(f"{arrow}{compute.name}  {_compute_text(compute)}".rstrip())
        lines += _branches([f"{c.name}: {c.statement}" for c in compute.capabilities])
    return "\n".join(lines)


def _branches(texts: list[str]) -> list[str]:
    return [("└─ " if text is texts[-1] else "├─ ") + text for text in texts]


def _memory_text(memory: Memory) -> str:
    size = show_size(memory.size_bytes) + (" off-chip" if memory.off_chip else "")
    banks = f"{memory.banks} x {memory.rows} words of {memory.word_bytes} B"
    return f"{size}, {banks}, latency {memory.latency_cycles}"


def _edge(transfer: Transfer, memory: str) -> str:
    outward = transfer.source == memory
    arrow, end = ("─►", transfer.target) if outward else ("◄─", transfer.source)
    words = f" ({transfer.lanes} words)" if transfer.is_stream else ""
    return f"{transfer.name} {arrow} {end}  {transfer.bytes_per_cycle} B/cycle{words}"


def _compute_text(compute: Compute) -> str:
    macs = max((c.macs_per_step // c.step_cycles for c in compute.capabilities), default=0)
    return f"{macs} MAC/cycle" if macs else ""


def tables(acg: Acg) -> tuple[Table, ...]:
    """Memories, transfers, capabilities and units, one row each."""
    return (
        Table(
            "memories",
            ("name", "size", "banks", "word", "latency", "read", "write", "fJ/B read", "write"),
            tuple(map(_memory_row, acg.memories)),
        ),
        Table(
            "transfers",
            ("name", "from", "to", "B/cycle", "lanes", "loops", "channels", "fifo", "abilities"),
            tuple(map(_transfer_row, acg.transfers)),
        ),
        Table(
            "capabilities",
            ("node", "name", "extents", "stationary", "cycles", "fJ/step", "ports"),
            tuple(_capability_row(c) for c in acg.capabilities),
        ),
        *_control_tables(acg),
    )


def _memory_row(memory: Memory) -> tuple[str, ...]:
    return (
        memory.name,
        show_size(memory.size_bytes),
        str(memory.banks),
        f"{memory.word_bytes} B",
        str(memory.latency_cycles),
        f"{memory.read_bytes_per_cycle} B/cycle",
        f"{memory.write_bytes_per_cycle} B/cycle",
        f"{memory.read_femtojoules_per_word / memory.word_bytes:g}",
        f"{memory.write_femtojoules_per_word / memory.word_bytes:g}",
    )


def _transfer_row(transfer: Transfer) -> tuple[str, ...]:
    stream = transfer.is_stream
    return (
        transfer.name,
        transfer.source,
        transfer.target,
        str(transfer.bytes_per_cycle),
        str(transfer.lanes) if stream else "-",
        str(transfer.loops),
        "-" if stream else str(transfer.channels),
        str(transfer.fifo_depth) if stream else "-",
        ", ".join(transfer.abilities) or "-",
    )


def _capability_row(capability: Capability) -> tuple[str, ...]:
    cycles = (capability.startup_cycles, capability.step_cycles, capability.drain_cycles)
    return (
        capability.node,
        capability.name,
        " ".join(f"{dim}={extent}" for dim, extent in capability.extents.items()),
        capability.stationary or "-",
        "+".join(map(str, cycles)),
        str(capability.femtojoules_per_step),
        " ".join(f"{p.name}:{'/'.join(p.dtypes)}" for p in capability.ports),
    )


def _control_tables(acg: Acg) -> Iterator[Table]:
    if acg.control is None:
        return
    forms = acg.control.mnemonics
    yield Table(
        f"instructions ({acg.control.word_bits} bits{_packets(acg.control)})",
        ("mnemonic", "effect", "fields"),
        tuple(
            (
                form.name,
                f"{form.effect} {form.unit}".rstrip(),
                " ".join(
                    f"{f.name}[{f.high}:{f.low}]" + ("" if f.constant is None else f"={f.constant}")
                    for f in form.fields
                )
                + "".join(f" {name}={value}" for name, value in form.sets)
                + (f" adds {', '.join(form.adds)}" if form.adds else "")
                + (f" after {', '.join(form.after)}" if form.after else "")
                + (f" slots {', '.join(map(str, form.slots))}" if form.slots else ""),
            )
            for form in forms
        ),
    )
    yield Table(
        "units",
        ("id", "name", "nodes", "channel", "registers"),
        tuple(map(_unit_row, acg.control.units)),
    )


def _packets(control: Control) -> str:
    packet = control.packet
    return "" if packet is None else f", packets of {packet.slots}"


def _unit_row(unit: ControlUnit) -> tuple[str, ...]:
    nodes = ", ".join(unit.nodes)
    return (str(unit.id), unit.name, nodes, str(unit.channel), str(len(unit.registers)))
