"""What `covenant arch check` says: faults of a file, or what its machine can and cannot run.

In: an architecture or the error of reading one. Out: lines of text, a JSON-ready dict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from covenant.acg.graph import Acg
from covenant.codelets.registry import samples
from covenant.core.diagnostics import CovenantError
from covenant.mapper.coverage import Coverage, Kind, coverage
from covenant.report.summary import errors_json

_WIDTH = 10
"""Columns of the words in front of a line."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that was checked: its graph and what it covers, or what is wrong with it."""

    file: str
    acg: Acg | None
    covers: Coverage | None
    error: CovenantError | None = None


def checked(file: str, acg: Acg) -> Checked:
    """What a valid architecture can run, asked with small layers of every kind."""
    kinds = {
        kind: [(numbers, lowered.codelet) for numbers, lowered in variants]
        for kind, variants in samples().items()
    }
    return Checked(file, acg, coverage(acg, kinds))


def checked_text(result: Checked) -> str:
    """One line, then what runs, what runs in part or not and why, and what nothing uses."""
    acg, covers = result.acg, result.covers
    if acg is None or covers is None:
        return ""
    nodes = len(acg.memories) + len(acg.transfers) + len(acg.computes)
    lines = [f"{result.file}: ok, {nodes} nodes, {len(acg.capabilities)} capabilities"]
    whole = [kind.name for kind in covers.kinds if kind.numbers and not kind.limited]
    lines += _entry("runs", "; ".join(whole)) if whole else []
    for word, kinds in (("in part", _partly(covers)), ("cannot", _never(covers))):
        for names, kind in _grouped(kinds):
            limit = f" ({kind.numbers} only)" if kind.numbers else ""
            lines += _entry(word, f"{names}{limit}: {kind.why}")
            lines += _entry("", f"help: {kind.repair}")
    lines += [line for name in covers.idle for line in _entry("unused", f"{name}: no layer can")]
    lines += [line for note in _unreached(acg) for line in _entry("note", note)]
    if acg.control is None:
        lines += _entry("no program", "layers are mapped, not run: there is no `control` section")
    return "\n".join(lines)


def _unreached(acg: Acg) -> Iterator[str]:
    """Transfers between memories that are wider than what they join, of which there is one."""
    memories = {memory.name: memory for memory in acg.memories if not memory.per}
    for transfer in acg.transfers:
        ends = memories.get(transfer.source), memories.get(transfer.target)
        if ends[0] and ends[0].read_bytes_per_cycle < transfer.bytes_per_cycle:
            given = f"'{ends[0].name}' is read at {ends[0].read_bytes_per_cycle}"
        elif ends[1] and ends[1].write_bytes_per_cycle < transfer.bytes_per_cycle:
            given = f"'{ends[1].name}' is written at {ends[1].write_bytes_per_cycle}"
        else:
            continue
        if not transfer.is_stream:
            yield f"'{transfer.name}' moves up to {transfer.bytes_per_cycle} B/cycle, {given}"


def _entry(word: str, text: str) -> list[str]:
    return [f"  {word:<{_WIDTH}} {text}"]


def _partly(covers: Coverage) -> list[Kind]:
    return [kind for kind in covers.kinds if kind.numbers and kind.limited]


def _never(covers: Coverage) -> list[Kind]:
    return [kind for kind in covers.kinds if not kind.numbers]


def _grouped(kinds: list[Kind]) -> Iterator[tuple[str, Kind]]:
    """Kinds that lack the same, under their names together."""
    groups: dict[tuple[str, str, str], list[Kind]] = {}
    for kind in kinds:
        groups.setdefault((kind.numbers, kind.why, kind.repair), []).append(kind)
    for group in groups.values():
        yield "; ".join(kind.name for kind in group), group[0]


def checked_json(result: Checked) -> dict[str, Any]:
    """The entry of one file in `covenant arch check --json`."""
    acg, covers = result.acg, result.covers
    if acg is None or covers is None:
        errors = [] if result.error is None else errors_json(result.error)
        return {"file": result.file, "ok": False, "errors": errors}
    return {
        "file": result.file,
        "ok": True,
        "arch": acg.name,
        "nodes": len(acg.memories) + len(acg.transfers) + len(acg.computes),
        "capabilities": len(acg.capabilities),
        "programs": acg.control is not None,
        "kinds": [
            {
                "kind": kind.name,
                "runs": bool(kind.numbers),
                "numbers": kind.numbers or None,
                "limited": kind.limited,
                "why": kind.why or None,
                "help": kind.repair or None,
            }
            for kind in covers.kinds
        ],
        "unused": list(covers.idle),
        "notes": list(_unreached(acg)),
    }
