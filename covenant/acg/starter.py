"""The text of a new architecture file: a small machine of its own, or a member of a family.

In: a name, where the file will lie, and for a family member the architecture it extends. Out: YAML
text that is valid as it stands; every commented line of a family member is valid once uncommented.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from covenant.acg.graph import Acg, Compute, Memory, Transfer
from covenant.acg.notation import show_size
from covenant.core.resources import architectures_directory

_STARTER = Path(__file__).with_name("starter.yaml")
_SCHEMA = "acg.schema.json"
_MOST = 4
"""Nodes of a kind that a family member's file shows, so that it stays one screen."""


def starter(name: str, file: Path) -> str:
    """A small machine of its own, every section explained."""
    text = _STARTER.read_text(encoding="utf-8")
    assert "\nname: starter\n" in text
    return _schema_line(file) + text.replace("\nname: starter\n", f"\nname: {name}\n")


def family_member(name: str, base: str, acg: Acg, file: Path) -> str:
    """A file that extends `acg`, with what is most often changed as comments."""
    lines = [
        f"# Laid over {base}: tables merge key by key, a list or number replaces, null removes.",
        f"# Uncomment what you change; `covenant arch show {base} --resolved` prints all there is.",
        f"extends: {_reference(base, acg, file)}",
        f"name: {name}",
        f"description: {acg.name} with …",
        *_comments("memories", map(_memory, acg.memories[:_MOST])),
        *_comments("transfers", map(_transfer, _movers(acg)[:_MOST])),
        *_comments("compute", map(_compute, _arrays(acg)[: _MOST - 1])),
    ]
    return _schema_line(file) + "\n".join(lines) + "\n"


def _schema_line(file: Path) -> str:
    """What tells an editor's YAML language server where the schema is."""
    beside = file.parent / _SCHEMA
    schema = _SCHEMA if beside.is_file() else str(architectures_directory() / _SCHEMA)
    return f"# yaml-language-server: $schema={schema}\n"


def _reference(base: str, acg: Acg, file: Path) -> str:
    """What `extends` says: a shipped name as it is, a path seen from the new file."""
    shipped = architectures_directory() / f"{acg.name}.yaml"
    if Path(acg.file).resolve() == shipped.resolve():
        return acg.name
    return os.path.relpath(base, file.parent)


def _comments(section: str, entries: Iterator[str]) -> Iterator[str]:
    found = list(entries)
    if found:
        yield f"# {section}:"
        yield from (f"#   {entry}" for entry in found)


def _memory(memory: Memory) -> str:
    banks = f", banks: {memory.banks}" if memory.banks > 1 else ""
    latency = f", latency: {memory.latency_cycles}" if memory.off_chip else ""
    return f"{memory.name}: {{size: {show_size(memory.size_bytes)}{banks}{latency}}}"


def _transfer(transfer: Transfer) -> str:
    return f"{transfer.name}: {{bytes_per_cycle: {transfer.bytes_per_cycle}}}"


def _movers(acg: Acg) -> tuple[Transfer, ...]:
    return tuple(transfer for transfer in acg.transfers if not transfer.is_stream)


def _arrays(acg: Acg) -> tuple[Compute, ...]:
    """Nodes that start by themselves, the busiest first."""
    found = [node for node in acg.computes if not node.after]
    return tuple(sorted(found, key=lambda n: -max(c.macs_per_step for c in n.capabilities)))


def _compute(node: Compute) -> str:
    best = max(node.capabilities, key=lambda c: c.macs_per_step)
    extents = ", ".join(f"{dim}: {extent}" for dim, extent in best.extents.items())
    return f"{node.name}: {{capabilities: {{{best.name}: {{extents: {{{extents}}}}}}}}}"
