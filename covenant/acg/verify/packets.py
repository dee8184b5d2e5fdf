"""Checks of packets: the bits that end them, the slots of instructions, and what they exclude.

In: a graph whose references resolve. Out: findings ACG070.
"""

from __future__ import annotations

from covenant.acg.control import Control, Field, PacketForm
from covenant.acg.graph import Acg
from covenant.acg.verify.findings import Findings

_CODE = "ACG070"
_PATH = ("control", "packet")


def check_packets(acg: Acg, findings: Findings) -> None:
    """The packet form against the instructions."""
    control = acg.control
    if control is None:
        return
    packet = control.packet
    if packet is not None:
        _check_bits(control, packet, findings)
        _check_order(control, findings)
    _check_slots(control, packet, findings)


def _check_bits(control: Control, packet: PacketForm, findings: Findings) -> None:
    end, more = packet.end, packet.more
    for field in (end, more):
        path = (*_PATH, field.name)
        if field.constant is None or field.constant >> field.width_bits:
            message = f"'{field.name}' needs a constant that fits its bits"
            findings.report(_CODE, path, message, f'write e.g. `"{_bits(field)}=1"`')
        if field.high >= control.word_bits:
            message = f"bit {field.high} lies outside the word of {control.word_bits} bits"
            findings.report(_CODE, path, message, f"the highest bit is {control.word_bits - 1}")
    if (end.high, end.low) != (more.high, more.low) or end.constant == more.constant:
        message = "'end' and 'more' must be the same bits with different constants"
        repair = f'write e.g. `more: "{_bits(end)}=…"`'
        findings.report(_CODE, (*_PATH, "more"), message, repair)
    for mnemonic in control.mnemonics:
        for field in mnemonic.fields:
            if field.low <= end.high and end.low <= field.high:
                message = f"bits {_bits(field)} overlap those of packets at {_bits(end)}"
                place = ("control", "mnemonics", mnemonic.name, "fields", field.name)
                findings.report(_CODE, place, message, "move one of them")


def _check_order(control: Control, findings: Findings) -> None:
    """Packets are made of programs in program order."""
    if control.semaphores:
        message = "a machine with packets cannot have semaphores"
        repair = "remove them: launches then take effect in program order"
        findings.report(_CODE, ("control", "semaphores"), message, repair)


def _check_slots(control: Control, packet: PacketForm | None, findings: Findings) -> None:
    for mnemonic in control.mnemonics:
        path = ("control", "mnemonics", mnemonic.name, "slots")
        if mnemonic.slots and packet is None:
            message = f"'{mnemonic.name}' has slots, but there are no packets"
            repair = "add `packet: {slots: …, end: …, more: …}` to `control`, or remove it"
            findings.report_key(_CODE, path, message, repair)
            continue
        for index, slot in enumerate(mnemonic.slots):
            if packet is not None and slot >= packet.slots:
                message = f"there is no slot {slot}, a packet has {packet.slots}"
                repair = f"write slots from 0 to {packet.slots - 1}"
                findings.report(_CODE, (*path, index), message, repair)


def _bits(field: Field) -> str:
    return f"{field.high}:{field.low}"
