"""Checks of control units: what they launch, their numbers, channels and semaphores.

In: a graph whose references resolve. Out: findings ACG056 to ACG063.
"""

from __future__ import annotations

from collections.abc import Mapping

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg
from covenant.acg.places import Path
from covenant.acg.verify.findings import Findings
from covenant.acg.verify.registers import prefixes
from covenant.core.diagnostics import did_you_mean


def check_units(acg: Acg, findings: Findings) -> None:
    """Every unit, and that every node can be launched."""
    control = acg.control
    if control is None:
        return
    _check_numbers(control, findings)
    _check_semaphores(control, findings)
    for unit in control.units:
        _check_nodes(acg, unit, findings)
        for key, named in (("waits", unit.waits), ("posts", unit.posts)):
            _check_ports(acg, control, unit, key, named, findings)
    _check_cover(acg, control, findings)


def _path(unit: ControlUnit, *rest: str | int) -> Path:
    return ("control", "units", unit.name, *rest)


def _check_numbers(control: Control, findings: Findings) -> None:
    ids: dict[int, str] = {}
    names: set[str] = set()
    for unit in control.units:
        if unit.name in names:
            message = f"unit '{unit.name}' exists twice"
            findings.report_key("ACG056", _path(unit), message, "rename one of them")
        names.add(unit.name)
        if unit.id in ids:
            message = f"unit '{unit.name}' has id {unit.id}, which is that of '{ids[unit.id]}'"
            free = max(each.id for each in control.units) + 1
            findings.report("ACG056", _path(unit, "id"), message, f"ids from {free} on are free")
        ids[unit.id] = unit.name
    widths = [f.width_bits for m in control.mnemonics if (f := m.bit_field("unit"))]
    bits = min(widths, default=64)
    for unit in control.units:
        if unit.id >> bits:
            message = f"id {unit.id} does not fit the {bits} bits of the field 'unit'"
            findings.report(
                "ACG057", _path(unit, "id"), message, f"write at most {(1 << bits) - 1}"
            )


def _check_semaphores(control: Control, findings: Findings) -> None:
    path: Path = ("control", "semaphores")
    for index, name in enumerate(control.semaphores):
        if name in control.semaphores[:index]:
            message = f"semaphore '{name}' is given twice"
            findings.report("ACG062", (*path, index), message, "remove one")
    for mnemonic in control.mnemonics:
        for key in ("post", "wait"):
            field = mnemonic.bit_field(key)
            if field and len(control.semaphores) > field.width_bits:
                message = (
                    f"{len(control.semaphores)} semaphores do not fit the {field.width_bits} bits"
                    f" of '{key}' in '{mnemonic.name}'"
                )
                findings.report("ACG057", path, message, "widen the field, or remove semaphores")


def _check_nodes(acg: Acg, unit: ControlUnit, findings: Findings) -> None:
    transfers = {transfer.name: transfer for transfer in acg.transfers}
    moved = [transfers[node] for node in unit.nodes if node in transfers]
    path = _path(unit, "nodes")
    if moved and len(unit.nodes) > 1:
        message = f"unit '{unit.name}' launches '{moved[0].name}' together with other nodes"
        findings.report("ACG058", path, message, "a unit launches one DMA, or compute nodes")
        return
    for transfer in moved:
        if unit.channel >= transfer.channels:
            message = f"'{unit.name}' is channel {unit.channel}, '{transfer.name}' has"
            repair = f"give '{transfer.name}' `channels: {unit.channel + 1}`, or remove the unit"
            findings.report("ACG058", path, f"{message} {transfer.channels} channels", repair)
    if not moved and unit.channel:
        message = f"`channel` has no meaning for '{unit.name}', which launches compute nodes"
        findings.report("ACG058", _path(unit, "channel"), message, "remove it, or the name's range")
    if not moved and len(set(unit.nodes)) != len(unit.nodes):
        findings.report("ACG058", path, "a node is named twice", "remove one")


def _check_cover(acg: Acg, control: Control, findings: Findings) -> None:
    """Every compute node once; every channel of every DMA once."""
    for compute in acg.computes:
        units = control.units_of(compute.name)
        if len(units) != 1:
            message = f"node '{compute.name}' is launched by {len(units)} units, expected one"
            repair = f"name '{compute.name}' in the `nodes` of one unit"
            findings.report_key("ACG058", ("compute", compute.name), message, repair)
    for transfer in acg.transfers:
        if transfer.is_stream:
            continue
        channels = [unit.channel for unit in control.units_of(transfer.name)]
        for channel in range(transfer.channels):
            count = channels.count(channel)
            if count != 1:
                message = f"channel {channel} of '{transfer.name}' has {count} units, expected one"
                repair = f"write units `{transfer.name}[0..{transfer.channels - 1}]`"
                path: Path = ("transfers", transfer.name, "channels")
                findings.report("ACG058", path, message, repair)
                break


def _check_ports(
    acg: Acg,
    control: Control,
    unit: ControlUnit,
    key: str,
    named: Mapping[str, tuple[str, ...]],
    findings: Findings,
) -> None:
    known = ["", *prefixes(acg, unit)]
    for port, semaphores in named.items():
        if port not in known:
            message = f"'{port}' is not a port or record of unit '{unit.name}'"
            repair = did_you_mean(port, known[1:]) if known[1:] else 'write "" for the whole unit'
            findings.report_key("ACG063", _path(unit, key, port), message, repair)
        for index, name in enumerate(semaphores):
            path = _path(unit, key, port, index)
            if name not in control.semaphores:
                message = f"'{name}' is not a semaphore"
                findings.report("ACG062", path, message, did_you_mean(name, control.semaphores))
            elif name in semaphores[:index]:
                findings.report("ACG062", path, f"'{name}' is given twice", "remove one")
