"""Checks of instructions that belong to a unit, and of how a C program issues words.

In: a graph whose references resolve. Out: findings ACG064 and ACG066 to ACG068: an instruction
writes registers that its unit has, every register can be written, values fit, and the words split
into operands so that an address is part of one operand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from covenant.acg.control import Control, ControlUnit, Field, Host, Mnemonic, Register
from covenant.acg.graph import Acg, Memory
from covenant.acg.places import Path
from covenant.acg.verify.findings import Findings
from covenant.core.diagnostics import did_you_mean

_WORD = re.compile(r"[A-Za-z_]\w*")


def check_instructions(acg: Acg, findings: Findings) -> None:
    """Every instruction of a unit, every unit with instructions, and the host's statements."""
    control = acg.control
    if control is None:
        return
    units = {unit.name: unit for unit in control.units}
    for mnemonic in control.mnemonics:
        if not mnemonic.unit:
            _check_plain(mnemonic, findings)
        elif mnemonic.unit not in units:
            message = f"'{mnemonic.name}' belongs to unit '{mnemonic.unit}', there is none"
            repair = did_you_mean(mnemonic.unit, units)
            findings.report("ACG066", _path(mnemonic, "unit"), message, repair)
        else:
            _check_form(control, mnemonic, units[mnemonic.unit], findings)
    for unit in control.units:
        if control.forms(unit.name):
            _check_reach(control, unit, findings)
            _check_room(acg, control, unit, findings)
    if control.host is not None:
        _check_host(acg, control, control.host, findings)


def _path(mnemonic: Mnemonic, *rest: str | int) -> Path:
    return ("control", "mnemonics", mnemonic.name, *rest)


def _check_plain(mnemonic: Mnemonic, findings: Findings) -> None:
    for key, given in (
        ("sets", mnemonic.sets),
        ("after", mnemonic.after),
        ("adds", mnemonic.adds),
    ):
        if given:
            message = f"`{key}` has no meaning for '{mnemonic.name}', which belongs to no unit"
            findings.report_key("ACG066", _path(mnemonic, key), message, "add `unit`, or remove it")
    for field in mnemonic.fields:
        if (field.plus, field.granule, field.times) != (0, 1, 1):
            message = f"'{field.name}' stands encoded, but '{mnemonic.name}' belongs to no unit"
            path = _path(mnemonic, "fields", field.name)
            findings.report("ACG066", path, message, "write `high:low` alone, or add `unit`")


def _check_form(
    control: Control, mnemonic: Mnemonic, unit: ControlUnit, findings: Findings
) -> None:
    if mnemonic.effect not in ("write", "launch"):
        message = f"'{mnemonic.name}' belongs to a unit, its effect is '{mnemonic.effect}'"
        repair = "write `effect: write` or `effect: launch`, or remove `unit`"
        findings.report("ACG066", _path(mnemonic, "effect"), message, repair)
    known = [register.quantity for register in unit.registers if not register.fixed]
    fields = [("fields", f.name) for f in mnemonic.fields if f.constant is None]
    for key, name in (*fields, *(("sets", name) for name, _ in mnemonic.sets)):
        if name not in known:
            fixed = unit.register(name) is not None
            message = f"unit '{unit.name}' has no register '{name}' for '{mnemonic.name}'"
            if fixed:
                message = f"'{mnemonic.name}' writes '{name}', which the hardware fixes"
            repair = "give the field a constant" if fixed else did_you_mean(name, known)
            findings.report_key("ACG066", _path(mnemonic, key, name), message, repair)
    if len(set(mnemonic.quantities)) != len(mnemonic.quantities):
        findings.report_key("ACG066", _path(mnemonic), "it writes a register twice", "remove one")
    _check_adds(mnemonic, findings)
    before = [form.name for form in control.forms(unit.name) if form.effect == "write"]
    for index, name in enumerate(mnemonic.after):
        if name not in before or mnemonic.effect != "launch":
            message = f"'{name}' is no instruction that writes registers of unit '{unit.name}'"
            if mnemonic.effect != "launch":
                message = f"'{mnemonic.name}' does not launch, so nothing stands before it"
            repair = did_you_mean(name, before) if before else "remove it"
            findings.report("ACG066", _path(mnemonic, "after", index), message, repair)


def _check_adds(mnemonic: Mnemonic, findings: Findings) -> None:
    """What is added stands in a field, of a launch, as it is: a difference has no offset."""
    for index, name in enumerate(mnemonic.adds):
        path, own = _path(mnemonic, "adds", index), mnemonic.bit_field(name)
        if own is None or own.constant is not None:
            known = [f.name for f in mnemonic.fields if f.constant is None]
            message = f"'{mnemonic.name}' has no field '{name}' whose value it could add"
            findings.report("ACG066", path, message, did_you_mean(name, known))
        elif mnemonic.effect != "launch":
            message = f"'{mnemonic.name}' does not launch, so it cannot add"
            findings.report("ACG066", path, message, "write `effect: launch`, or remove `adds`")
        elif own.plus:
            message = f"'{name}' is added, so nothing can be added to its bits"
            place = _path(mnemonic, "fields", name)
            findings.report("ACG066", place, message, f"leave out `+ {own.plus}`")


def _check_reach(control: Control, unit: ControlUnit, findings: Findings) -> None:
    at: Path = ("control", "units", unit.name)
    forms = control.forms(unit.name)
    if not any(form.effect == "launch" for form in forms):
        message = f"no instruction of unit '{unit.name}' launches it"
        findings.report_key("ACG067", at, message, "give one of them `effect: launch`")
    if control.semaphores:
        message = "instructions of a unit cannot wait for semaphores or post them"
        repair = "remove `semaphores`: without them launches take effect in program order"
        findings.report("ACG067", ("control", "semaphores"), message, repair)
    written = {name for form in forms for name in form.quantities if name not in form.adds}
    for register in unit.registers:
        if not register.fixed and register.quantity not in written:
            message = f"no instruction writes '{register.quantity}' of unit '{unit.name}'"
            repair = f"add a field, or write `{register.quantity} == value` if hardware fixes it"
            findings.report("ACG067", (*at, "registers", register.quantity), message, repair)


def _check_room(acg: Acg, control: Control, unit: ControlUnit, findings: Findings) -> None:
    """Largest values, defaults and addresses fit their fields."""
    homes = dict(base_memories(acg, unit))
    for form in control.forms(unit.name):
        for field in form.fields:
            register = unit.register(field.name) if field.constant is None else None
            if register is None or field.name in form.adds:
                continue
            path: Path = ("control", "units", unit.name, "registers", register.quantity)
            for value, name in _extremes(register, homes.get(register.quantity)):
                if not fits(field, value):
                    message = f"{name} of '{register.quantity}' does not fit the field of "
                    repair = f"widen the field; bits {field.high}:{field.low} hold {field.largest}"
                    findings.report("ACG064", path, f"{message}'{form.name}'", repair)


def _extremes(register: Register, home: Memory | None) -> Iterator[tuple[int, str]]:
    if register.maximum is not None:
        yield register.maximum, f"the largest value {register.maximum}"
    if register.reset:
        yield register.reset, f"the default {register.reset}"
    if home is not None and not home.off_chip:
        yield home.reach_bytes - home.word_bytes, f"the last address of '{home.name}'"


def fits(field: Field, value: int) -> bool:
    """Whether a value has an encoding in a field."""
    moved = value + field.plus
    return moved >= 0 and moved % field.granule == 0 and value <= field.largest


def base_memories(acg: Acg, unit: ControlUnit) -> Iterator[tuple[str, Memory]]:
    """Registers of a unit that hold addresses, each with the memory they are addresses of."""
    memories = {memory.name: memory for memory in acg.memories}
    transfers = {transfer.name: transfer for transfer in acg.transfers}
    for node in unit.nodes:
        if node in transfers:
            yield "src.base", memories[transfers[node].source]
            yield "dst.base", memories[transfers[node].target]
            continue
        for capability in acg.compute(node).capabilities:
            for port in capability.ports:
                stream = port.partial or port.stream
                if stream:
                    yield f"{port.name}.base", acg.stream_memory(stream)


def _check_host(acg: Acg, control: Control, host: Host, findings: Findings) -> None:
    at: Path = ("control", "host")
    used = set(_WORD.findall(host.issue))
    for operand in host.operands:
        path: Path = (*at, "operands", operand.name)
        if operand.high >= control.word_bits or operand.width_bits > 64:
            message = f"operand '{operand.name}' is not up to 64 bits of the word"
            findings.report("ACG068", path, message, f"the highest bit is {control.word_bits - 1}")
        if operand.name not in used:
            message = f"operand '{operand.name}' does not occur in `issue`"
            findings.report_key("ACG068", path, message, "use it in the statement, or remove it")
    names = [operand.name for operand in host.operands]
    for index, name in enumerate(host.constants):
        if name not in names:
            message = f"'{name}' is no operand"
            findings.report("ACG068", (*at, "constants", index), message, did_you_mean(name, names))
    for index, share in enumerate(host.shares):
        if share in host.shares[:index]:
            findings.report(
                "ACG068", (*at, "shares", index), f"'{share}' is given twice", "remove one"
            )
    for mnemonic in control.mnemonics:
        for field in mnemonic.fields:
            if mnemonic.unit and field.constant is None and _is_far(acg, control, mnemonic, field):
                _check_far(mnemonic, field, host, findings)


def _is_far(acg: Acg, control: Control, mnemonic: Mnemonic, field: Field) -> bool:
    unit = next((each for each in control.units if each.name == mnemonic.unit), None)
    homes = {} if unit is None else dict(base_memories(acg, unit))
    return field.name in homes and homes[field.name].off_chip


def _check_far(mnemonic: Mnemonic, field: Field, host: Host, findings: Findings) -> None:
    """A pointer is written into the low bits of one operand, as it is."""
    plain = (field.plus, field.granule, field.times) == (0, 1, 1)
    if plain and any(o.low == field.low and field.high <= o.high for o in host.operands):
        return
    message = f"'{field.name}' of '{mnemonic.name}' holds a pointer, but is not the low bits of one"
    path = ("control", "mnemonics", mnemonic.name, "fields", field.name)
    findings.report("ACG068", path, f"{message} operand", "let it start where an operand starts")
