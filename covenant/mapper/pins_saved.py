"""Mappings as pins: every decision written down, so that `--pins` maps the same again.

In: mappings by layer name, their architecture. Out: the text of a pins file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import Span, fail
from covenant.core.resources import write_whole
from covenant.mapper.banking import Plan
from covenant.mapper.extract import addresses_of
from covenant.mapper.mapping import Mapping, Placement
from covenant.mapper.pins import NO_ROWS, NO_TAIL
from covenant.mapper.pins_reader import VERSION
from covenant.mapper.space import space_of
from covenant.mapper.streams import binding_of


def pins_text(found: Sequence[tuple[Mapping, Codelet]], acg: Acg) -> str:
    """A pins file with one entry per mapping, named as its codelet."""
    lines = [f"pins: {VERSION}", "layers:" if found else "layers: []"]
    for mapping, codelet in found:
        lines += _entry(mapping, codelet, acg)
    return "\n".join(lines) + "\n"


def write_pins(file: Path, text: str) -> None:
    """Write a pins file; MAP027 when that cannot be done."""
    try:
        write_whole(file, text.encode())
    except OSError as error:
        message = f"the pins cannot be written: {error.strerror}"
        repair = "name a file in a directory that exists and can be written"
        raise fail("MAP027", message, Span(str(file)), repair) from error


def _entry(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    yield f"  - name: {_word(codelet.name)}"
    codelet = fuse(codelet, mapping.fused)
    yield f"    fused: {_list(mapping.fused)}"
    yield "    binding:"
    for number, step in enumerate(mapping.steps):
        parts = [f"node: {_word(step.node)}", f"capability: {_word(step.capability)}"]
        if step.dims:
            parts.append(f"dims: {_flow(dict(step.dims))}")
        if number == 0:
            parts.append(f"rows: {_word(step.rows or NO_ROWS)}")
            parts.append(f"tail: {_word(step.tail or NO_TAIL)}")
        yield f"      - {{{', '.join(parts)}}}"
    yield "    tiles:"
    for level in mapping.levels:
        tiles = {loop.dim: str(loop.tile) for loop in level.loops}
        whole = {d.name: tiles.get(d.name, "whole") for d in codelet.dims}
        yield f"      {_word(level.memories[0])}: {_flow(whole)}"
    yield "    order:"
    for level in mapping.levels:
        yield f"      {_word(level.memories[0])}: {_list(x.dim for x in level.loops)}"
    yield "    operands:"
    for placement in mapping.placements:
        if not acg.memory(placement.memory).off_chip:
            yield f"      {_word(placement.port)}: {_operand(mapping, placement)}"
    plan = _plan(mapping, codelet, acg)
    if plan is not None:
        yield f"    banks: {{{_word(mapping.levels[0].memories[0])}: {_banks(plan)}}}"


def _operand(mapping: Mapping, placement: Placement) -> str:
    outside = [x.dim for x in mapping.levels[placement.level].loops[: placement.cut]]
    at = ", ".join(map(str, placement.addresses))
    parts = [f"memory: {_word(placement.memory)}", f"outside: {_list(outside)}"]
    return f"{{{', '.join(parts)}, copies: {placement.copies}, address: [{at}]}}"


def _plan(mapping: Mapping, codelet: Codelet, acg: Acg) -> Plan | None:
    """The division of the banks that the addresses follow, None when they follow none."""
    space = space_of(codelet, acg, binding_of(mapping))
    buffers = [(p.port, p.copies, p.layout.bytes) for p in mapping.placements]
    wanted = [p.addresses for p in mapping.placements]
    for plan in sorted(space.plans, key=lambda p: p.shared):
        if addresses_of(space, plan, buffers) == wanted:
            return plan
    return None


def bank_plan(mapping: Mapping, codelet: Codelet, acg: Acg) -> str:
    """How a mapping divides the banks, as a pins file says it; "" where there is nothing to
    divide."""
    plan = _plan(mapping, fuse(codelet, mapping.fused), acg)
    return "" if plan is None else _banks(plan)


def _banks(plan: Plan) -> str:
    if plan.shared:
        return "shared"
    groups = {p: f"[{first}, {count}]" for p, (first, count) in plan.groups.items() if p}
    host = f", host: {_word(plan.host)}" if plan.host else ""
    return f"{{groups: {_flow(groups)}{host}}}"


def _flow(table: dict[str, str]) -> str:
    return "{" + ", ".join(f"{_word(k)}: {v}" for k, v in table.items()) + "}"


def _list(words: Sequence[str] | Iterator[str]) -> str:
    return "[" + ", ".join(_word(w) for w in words) + "]"


def _word(text: str) -> str:
    """A name as YAML: quoted, unless it is a plain word that YAML takes for nothing else."""
    return text if text.isidentifier() and text.isascii() and not _special(text) else _quoted(text)


def _special(text: str) -> bool:
    return text.lower() in ("true", "false", "null")


def _quoted(text: str) -> str:
    return json.dumps(text)
