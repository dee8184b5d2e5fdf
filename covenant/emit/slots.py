"""Packets of instruction words: which instructions one may hold, and the bits that end it.

In: mnemonics of the words of a packet, and the packet form of a control node. Out: a slot for each,
or why there is none. Every word takes a slot of its own and starts a unit that no other one starts.
"""

from __future__ import annotations

from collections.abc import Sequence

from covenant.acg.control import Mnemonic, PacketForm

_ALONE = ("halt", "loop", "start")
"""Effects of instructions that are a packet by themselves."""


def taken_slots(mnemonics: Sequence[Mnemonic], packet: PacketForm) -> tuple[int, ...] | None:
    """A slot for every instruction, None when they cannot stand together."""
    holder: dict[int, int] = {}

    def place(index: int, seen: set[int]) -> bool:
        for slot in mnemonics[index].slots or range(packet.slots):
            if slot in seen:
                continue
            seen.add(slot)
            if slot not in holder or place(holder[slot], seen):
                holder[slot] = index
                return True
        return False

    if not all(place(index, set()) for index in range(len(mnemonics))):
        return None
    slots = {index: slot for slot, index in holder.items()}
    return tuple(slots[index] for index in range(len(mnemonics)))


def fault(mnemonics: Sequence[Mnemonic], started: Sequence[str], packet: PacketForm) -> str:
    """Why instructions that start these units ("" for none) cannot be one packet, or ""."""
    if len(mnemonics) > packet.slots:
        return f"a packet of {len(mnemonics)} words, the machine has {packet.slots} slots"
    units = [unit for unit in started if unit]
    twice = next((unit for unit in units if units.count(unit) > 1), "")
    if twice:
        return f"a packet starts unit '{twice}' twice"
    if any(m.effect in _ALONE for m in mnemonics) and len(mnemonics) > 1:
        return "an instruction that starts or ends a program or a loop stands with others"
    if taken_slots(mnemonics, packet) is None:
        names = ", ".join(m.name for m in mnemonics)
        return f"there are no slots that {names} could take together"
    return ""


def ending(word: int, packet: PacketForm, last: bool) -> int:
    """A word with the bits that say whether its packet ends with it."""
    constant = (packet.end if last else packet.more).constant or 0
    return word & ~packet.mask | constant << packet.end.low
