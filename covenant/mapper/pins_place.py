"""Pinned loop orders and addresses, applied to what the solver left open.

In: a choice or a mapping, its pins. Out: the same with loops in the pinned order and buffers at the
pinned addresses; others make room, each in the view of the banks it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg, Memory
from covenant.mapper.extract import Choice
from covenant.mapper.mapping import Mapping, Placement, Role
from covenant.mapper.pins import AddressPin, OrderPin, Pin


def ordered(choice: Choice, pins: Sequence[Pin]) -> Choice:
    """The choice with the pinned order among loops that may change places."""
    dims = [p.decision.dims for p in pins if isinstance(p.decision, OrderPin)]
    return replace(choice, order=dims[0]) if dims else choice


def addressed(mapping: Mapping, pins: Sequence[Pin], acg: Acg) -> Mapping:
    """The mapping with its buffers at pinned addresses; where there is no room for the others they
    stay, and the mapping's check will tell."""
    wanted = {
        (p.port, p.memory): d.addresses
        for p in mapping.placements
        for d in (pin.decision for pin in pins)
        if isinstance(d, AddressPin)
        and d.operand in (p.port, p.tensor)
        and d.memory in ("", p.memory)
    }
    if all(p.addresses == wanted.get((p.port, p.memory), p.addresses) for p in mapping.placements):
        return mapping
    placed = [
        replace(p, addresses=wanted.get((p.port, p.memory), p.addresses))
        for p in mapping.placements
    ]
    for memory in acg.on_chip:
        _make_room(placed, wanted, memory)
    return replace(mapping, placements=tuple(placed))


def _make_room(
    placed: list[Placement], wanted: dict[tuple[str, str], tuple[int, ...]], memory: Memory
) -> None:
    """Move the buffers that are in the way, in their order, to the next free words of their view;
    readers keep their groups of banks."""
    taken = np.zeros(memory.size_bytes // memory.word_bytes, np.bool_)
    held = [i for i, p in enumerate(placed) if p.memory == memory.name]
    fixed = [i for i in held if (placed[i].port, memory.name) in wanted or _reads(placed[i])]
    for index in fixed:
        for address in placed[index].addresses:
            taken[_words(memory, address, placed[index].layout.bytes)] = True
    for index in (i for i in held if i not in fixed):
        placement = placed[index]
        found = []
        for address in placement.addresses:
            at = _first_free(taken, memory, address, placement.layout.bytes)
            found.append(at)
            taken[_words(memory, at, placement.layout.bytes)] = True
        placed[index] = replace(placement, addresses=tuple(found))


def _reads(placement: Placement) -> bool:
    return bool(placement.tensor) and placement.role in (Role.INPUT, Role.CONSTANT)


def _words(memory: Memory, address: int, size: int) -> NDArray[np.int64]:
    word = memory.word_bytes
    last = memory.address_bytes // word
    return memory.places(np.arange(address // word, min(last, -(-(address + size) // word))))


def _first_free(taken: NDArray[np.bool_], memory: Memory, address: int, size: int) -> int:
    """The first address in the view of `address`, from there on and then from the start, behind
    which `size` bytes are free; `address` when there is none."""
    view = address // memory.size_bytes * memory.size_bytes
    words = -(-size // memory.word_bytes)
    free = ~taken[_words(memory, view, memory.size_bytes)]
    filled = np.concatenate(([0], np.cumsum(free)))
    runs = np.flatnonzero(filled[words:] - filled[:-words] == words) if words else np.array([0])
    if not runs.size:
        return address
    later = runs[runs >= (address - view) // memory.word_bytes]
    return int(view + (later if later.size else runs)[0] * memory.word_bytes)
