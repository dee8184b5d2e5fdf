"""The resolved architecture as YAML: parameters, `extends` and `--set` settled, units expanded.

In: `Acg`. Out: text that reads back to an equal `Acg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from covenant.acg.control import Control, ControlUnit, Field, Host, PacketForm, Register
from covenant.acg.graph import Acg, Capability, Compute, Memory, Port, Transfer
from covenant.acg.notation import show_size
from covenant.core.yaml_source import scalar_value

Value: TypeAlias = "str | int | float | bool | Sequence[Value] | Mapping[str, Value]"
Section: TypeAlias = dict[str, Value]

_WIDTH = 96
"""Longest line that a flow table may fill, in characters."""


def resolved_yaml(acg: Acg) -> str:
    """The whole architecture as one YAML document."""
    content: Section = {
        "acg": 1,
        "name": acg.name,
        "description": acg.description,
        "memories": {memory.name: _memory(memory) for memory in acg.memories},
        "transfers": {transfer.name: _transfer(acg, transfer) for transfer in acg.transfers},
        "compute": {compute.name: _compute(compute) for compute in acg.computes},
    }
    if acg.control is not None:
        content["control"] = _control(acg.control)
    if acg.rtl:
        content["rtl"] = _rtl(acg.rtl)
    return "\n".join(_block(content, 0)) + "\n"


def _memory(memory: Memory) -> Section:
    return {
        "off_chip": memory.off_chip,
        "size": show_size(memory.size_bytes),
        **_given(start=memory.start),
        "banks": memory.banks,
        "bank_group": memory.bank_group,
        "word_bytes": memory.word_bytes,
        "latency": memory.latency_cycles,
        **_given(write_latency=memory.write_latency_cycles),
        "read_bytes_per_cycle": memory.read_bytes_per_cycle,
        "write_bytes_per_cycle": memory.write_bytes_per_cycle,
        "energy": _energy(memory),
        **_given(per=_lane_groups(memory)),
    }


def _lane_groups(memory: Memory) -> tuple[str, ...]:
    pairs = zip(memory.per, memory.lanes_each, strict=True)
    return tuple(dim if each == 1 else f"{dim}/{each}" for dim, each in pairs)


def _energy(memory: Memory) -> Section:
    """Per byte where that is a whole number."""
    read, write = memory.read_femtojoules_per_word, memory.write_femtojoules_per_word
    if read % memory.word_bytes or write % memory.word_bytes:
        return {"read": read, "write": write, "per": "word"}
    return {"read": read // memory.word_bytes, "write": write // memory.word_bytes}


def _transfer(acg: Acg, transfer: Transfer) -> Section:
    content: Section = {"from": transfer.source, "to": transfer.target}
    words = transfer.lanes * acg.stream_memory(transfer.name).word_bytes if transfer.lanes else 0
    if transfer.bytes_per_cycle != words:
        content["bytes_per_cycle"] = transfer.bytes_per_cycle
    content["loops"] = transfer.loops
    if transfer.is_stream:
        content["fifo_depth"] = transfer.fifo_depth
        if any(r.stream == transfer.name for compute in acg.computes for r in compute.records):
            content["lanes"] = transfer.lanes
    else:
        content["channels"] = transfer.channels
        content["setup_cycles"] = transfer.setup_cycles
        content["outstanding"] = transfer.outstanding
        ends = (acg.memory(transfer.source), acg.memory(transfer.target))
        if transfer.granule != min((m.word_bytes for m in ends if not m.off_chip), default=0):
            content["granule"] = transfer.granule
    return content | _given(abilities=transfer.abilities)


def _given(**values: Value) -> Section:
    """Those values that are not empty."""
    return {key: value for key, value in values.items() if value not in ("", (), {}, 0)}


def _compute(compute: Compute) -> Section:
    records: Section = {
        record.name: {
            "stream": record.stream,
            **_given(dim=record.dim, entries=record.entries),
            "groups": record.groups,
        }
        for record in compute.records
    }
    capabilities: Section = {c.name: _capability(c) for c in compute.capabilities}
    return _given(after=compute.after, capabilities=capabilities, records=records)


def _capability(capability: Capability) -> Section:
    ports: Section = {port.name: _port(port) for port in capability.ports}
    extents: Section = dict(capability.extents)
    return {
        "semantics": str(capability.statement),
        **_given(
            rounding=capability.rounding,
            avoids=capability.avoids,
            extents=extents,
            stationary=capability.stationary,
            registers=capability.registers if capability.registers != 2 else 0,
            ports=ports,
            scalars=capability.scalars,
            requires=capability.requires,
            startup_cycles=capability.startup_cycles,
            drain_cycles=capability.drain_cycles,
        ),
        "step_cycles": capability.step_cycles,
        "energy": capability.femtojoules_per_step,
    }


def _port(port: Port) -> Section:
    return {
        "dtypes": tuple(dtype.value for dtype in port.dtypes),
        **_given(stream=port.stream, partial=port.partial, spill=port.spill, tile=port.tile),
        **_given(dense=port.dense, stored="" if port.stored is None else port.stored.value),
    }


def _control(control: Control) -> Section:
    mnemonics: Section = {
        form.name: {
            "effect": form.effect,
            **_given(unit=form.unit),
            "fields": {field.name: _field(field) for field in form.fields},
            **_given(sets=dict(form.sets), after=form.after, adds=form.adds),
            **_given(writes=form.writes, starts=form.starts, slots=form.slots),
        }
        for form in control.mnemonics
    }
    return {
        "word_bits": control.word_bits,
        "program_words": control.program_words,
        "loop_depth": control.loop_depth,
        "queue_depth": control.queue_depth,
        **({"stall": control.stall} if control.stall != "none" else {}),
        "issue_cycles": control.issue_cycles,
        **_given(packet=_packet(control.packet) if control.packet else {}),
        "semaphores": control.semaphores,
        "mnemonics": mnemonics,
        "units": {unit.name: _unit(unit, control) for unit in control.units},
        **_given(host=_host(control.host) if control.host else {}),
    }


def _packet(packet: PacketForm) -> Section:
    return {"slots": packet.slots, "end": _field(packet.end), "more": _field(packet.more)}


def _host(host: Host) -> Section:
    return {
        "operands": {field.name: _field(field) for field in host.operands},
        **_given(constants=host.constants),
        "issue": host.issue,
        "halt": host.halt,
        **_given(shares=host.shares),
    }


def _field(field: Field) -> str:
    constant = "" if field.constant is None else f"={field.constant}"
    encoding = [
        f" {sign} {value}"
        for sign, value, neutral in (
            ("+", field.plus, 0),
            ("/", field.granule, 1),
            ("*", field.times, 1),
        )
        if value != neutral
    ]
    return f"{field.high}:{field.low}{constant}{''.join(encoding)}"


def _unit(unit: ControlUnit, control: Control) -> Section:
    content: Section = {"id": unit.id, "nodes": unit.nodes}
    content |= _given(channel=unit.channel)
    for key, named in (("waits", unit.waits), ("posts", unit.posts)):
        if dict(named) != {"": control.semaphores}:
            content[key] = dict(named)
    content["registers"] = tuple(_registers(unit.registers))
    return content


_INDEXED = re.compile(r"(.*)\[(\d+)\]")


def _registers(registers: Iterable[Register]) -> Iterator[str]:
    """Register texts, with runs such as `bound[0]`, `bound[1]` folded into a range."""
    runs: list[tuple[str, int, int, str]] = []
    for register in registers:
        found = _INDEXED.fullmatch(register.quantity)
        stem, index = (found[1], int(found[2])) if found else (register.quantity, -1)
        last = runs[-1] if runs else ("", -1, -1, "")
        note = _note(register)
        if index > 0 and (last[0], last[2] + 1, last[3]) == (stem, index, note):
            runs[-1] = (stem, last[1], index, note)
        else:
            runs.append((stem, index, index, note))
    for stem, first, final, note in runs:
        index_text = "" if first < 0 else f"[{first}]" if first == final else f"[{first}..{final}]"
        yield stem + index_text + note


def _note(register: Register) -> str:
    """What a register's text says after its quantity."""
    if register.fixed:
        return f" == {register.reset}"
    reset = f" = {register.reset}" if register.reset else ""
    return reset + ("" if register.maximum is None else f" <= {register.maximum}")


def _rtl(rtl: Mapping[str, str]) -> Section:
    return {"family": rtl["family"], "top": rtl["top"]}


def _block(section: Mapping[str, Value], indent: int) -> Iterator[str]:
    margin = " " * indent
    for key, value in section.items():
        flow = f"{margin}{_text(key)}: {_flow(value)}"
        nested = isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values())
        if isinstance(value, str):
            yield f"{margin}{_text(key)}: {_text(value, _BLOCK)}"
        elif (len(flow) <= _WIDTH and not nested and indent) or isinstance(value, int):
            yield flow
        elif isinstance(value, Mapping) and value:
            yield f"{margin}{_text(key)}:"
            yield from _block(value, indent + 2)
        elif isinstance(value, Sequence) and value:
            yield f"{margin}{_text(key)}:"
            for item in value:
                text = _text(item, _BLOCK) if isinstance(item, str) else _flow(item)
                yield f"{margin}  - {text}"
        else:
            yield flow


def _flow(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return _text(value)
        case Mapping():
            return "{" + ", ".join(f"{_text(k)}: {_flow(v)}" for k, v in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(_flow, value)) + "]"


_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .+*()/=<>-]*", re.ASCII)
_BLOCK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .+*()/=<>,\[\]%-]*", re.ASCII)


def _text(text: str, unquoted: re.Pattern[str] = _PLAIN) -> str:
    """A scalar that reads back as the same text, quoted when it must be."""
    plain = unquoted.fullmatch(text) and text == text.strip() and scalar_value(text) == text
    if plain:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"
