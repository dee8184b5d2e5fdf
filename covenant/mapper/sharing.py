"""What it costs that buffers share banks, for a whole mapping or a plan.

In: a memory, operands, addresses or a plan of the banks, what the array does. Out: `Sharing`. RTL:
cvn_tcdm.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass

from covenant.acg.graph import Memory
from covenant.mapper.banking import (
    CROWD,
    PARTIAL_WEIGHT,
    Plan,
    Work,
    collides,
    guest_view,
    reader_banks,
    reader_loss,
    readers,
    shared_loss,
    spread,
    words_per_step,
)
from covenant.mapper.mapping import Placement, Role
from covenant.mapper.operands import Operand

PRESSED, SPREAD, LEAST_SPEED = (2, 1), (5, 4), (1, 4)
"""What an array keeps from a transfer through the same banks: so many times the share of the banks'
cycles that its operands take, where it does not reduce, and where the lanes of an operand are
spread over banks; and the speed that is left at least (cvn_tcdm serves operands first, but for
every 16th cycle)."""

DISTURBED = 24
"""Words moved through the same banks that cost an array which reads without reducing a cycle, where
its operands take all cycles of all banks."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Cycles that the banks cost: `lost` by the array, `pressed` by transfers while it works,
    `busy` of the banks that hold results."""

    lost: int
    pressed: int
    busy: int


def press(memory: Memory, operands: Sequence[Operand], banks: int, pace: int) -> tuple[int, int]:
    """Cycles that transfers lose per cycle of the array, as numerator and denominator: `operands`
    are in `banks` banks; pace: cycles per result where nothing is reduced. Lanes side by side that
    reduce stay in a window of the banks and leave the others free."""
    words = sum(words_per_step(o, memory.word_bytes) for o in operands)
    if pace:
        numerator, denominator = PRESSED[0] * words, PRESSED[1] * pace * banks
    elif any(spread(o) for o in operands):
        numerator, denominator = SPREAD[0] * words, SPREAD[1] * banks
    else:
        return 0, 1
    low, high = LEAST_SPEED
    if numerator * high > (high - low) * denominator:
        return high - low, high
    return numerator, denominator


def stretch(operand: Operand) -> int:
    """Times as long that a load takes into the banks of a reader whose lanes are spread and run
    through rows: hardly a beat finds all its banks free (measured)."""
    return 4 if operand.rows and spread(operand) else 1


def disturb(memory: Memory, operands: Sequence[Operand], pace: int) -> tuple[int, int]:
    """Cycles that an array which does not reduce loses per word moved, when all share all banks."""
    words = sum(words_per_step(o, memory.word_bytes) for o in readers(operands))
    return (words, DISTURBED * pace * memory.banks) if pace else (0, 1)


def busy_cycles(banks: int, accesses: int) -> int:
    """Cycles in which so many banks serve accesses."""
    return -(-accesses * CROWD[0] // (CROWD[1] * banks))


def _in_halves(copies: Sequence[Sequence[frozenset[int]]]) -> bool:
    """Whether one copy of every result is written while the other is stored from other banks."""
    if {len(c) for c in copies} != {2}:
        return False
    first, second = (frozenset().union(*half) for half in zip(*copies, strict=True))
    return not first & second


def _meet(copies: Sequence[Sequence[frozenset[int]]], pace: int) -> bool:
    """Whether readers meet in banks: two at a time, or where a node takes them in turn and loads
    one copy while it reads the other, copies of different turns of different readers."""
    pairs = list(itertools.combinations(copies, 2))
    if 1 < len(copies) <= pace and {len(c) for c in copies} == {2}:
        return any(x[0] & y[1] or x[1] & y[0] for x, y in pairs)
    return any(a & b for x, y in pairs for a in x for b in y)


def sharing(
    memory: Memory,
    operands: Sequence[Operand],
    placements: Sequence[Placement],
    work: Work,
    words: Map[str, int],
) -> Sharing:
    """What sharing banks costs a mapping, from its addresses; words: off-chip words by port, of
    partial sums words written. Other buffers are written and read once: two accesses per word."""
    found = readers(operands)
    banks = {p.port: [_banks(memory, a, p.layout.bytes) for a in p.addresses] for p in placements}
    used = [banks[o.port] for o in found]
    names = {o.port for o in found}
    raw = {p.port for p in placements if p.role is Role.PARTIAL}
    guests = [(p, b) for p, copies in banks.items() if p not in names for b in copies]
    if _meet(used, work.pace) or any(
        a < memory.size_bytes for p in placements if p.port in names for a in p.addresses
    ):
        return _all_shared(memory, operands, work, words)
    lost = hosted = 0
    pressed = [0]
    for operand, copies in zip(found, used, strict=True):
        width = _width(memory, placements, operand.port)
        ports = {p for p, b in guests if any(b & c for c in copies)}
        accesses = 2 * sum(words[p] * (PARTIAL_WEIGHT if p in raw else 1) for p in ports)
        hosted += len(ports)
        if any(a & b for a, b in itertools.combinations(copies, 2)):
            accesses += words[operand.port]
            numerator, denominator = press(memory, (operand,), width, work.pace)
            pressed.append(-(-work.cycles * numerator // denominator))
        lost += reader_loss(memory, operand, width, work, accesses)
    busy = 0
    if guests and not hosted:
        ports = {p for p, _ in guests}
        accesses = 2 * sum(words[p] * (PARTIAL_WEIGHT if p in raw else 1) for p in ports)
        width = min(_width(memory, placements, p) for p in ports)
        results = [banks[p.port] for p in placements if p.role is Role.OUTPUT and p.port in ports]
        busy = busy_cycles(2 * width if work.pace and _in_halves(results) else width, accesses)
    return Sharing(lost, max(pressed), busy)


def planned(
    memory: Memory,
    operands: Sequence[Operand],
    plan: Plan,
    copies: Map[str, int],
    work: Work,
    words: Map[str, int],
) -> Sharing:
    """What sharing banks costs under a plan that fits; copies: of what is placed."""
    if plan.shared:
        return _all_shared(memory, operands, work, words)
    others = [o for o in operands if o.port not in plan.groups and o.port in copies]
    weights = {o.port: PARTIAL_WEIGHT if o.role is Role.PARTIAL else 1 for o in others}
    guests = 2 * sum(weights[o.port] * words[o.port] for o in others)
    lost, pressed = 0, [0]
    for operand in readers(operands):
        banks = reader_banks(memory, plan, operand.port)
        accesses = guests if operand.port == plan.host else 0
        if copies[operand.port] == 2 and collides(plan, operand.port):
            accesses += words[operand.port]
            numerator, denominator = press(memory, (operand,), banks, work.pace)
            pressed.append(-(-work.cycles * numerator // denominator))
        lost += reader_loss(memory, operand, banks, work, accesses)
    busy = 0
    if others and not plan.host:
        banks, _, _ = guest_view(memory, plan)
        doubled = all(copies[o.port] == 2 for o in others if o.role is Role.OUTPUT)
        busy = busy_cycles(2 * banks if plan.halves and doubled else banks, guests)
    return Sharing(lost, max(pressed), busy)


def _all_shared(
    memory: Memory, operands: Sequence[Operand], work: Work, words: Map[str, int]
) -> Sharing:
    """What it costs when everything lies in all banks."""
    own = {o.port for o in readers(operands)}
    raw = {o.port for o in operands if o.role is Role.PARTIAL}
    moved = sum(n for p, n in words.items() if p not in raw)
    if work.pace:
        numerator, denominator = disturb(memory, operands, work.pace)
        lost = -(-moved * numerator // denominator)
    else:
        sums = sum(n for p, n in words.items() if p in raw)
        guests = moved - sum(n for p, n in words.items() if p in own)
        lost = shared_loss(memory, operands, work.steps, moved, sums, guests)
    numerator, denominator = press(memory, readers(operands), memory.banks, work.pace)
    return Sharing(lost, -(-work.cycles * numerator // denominator), 0)


def _width(memory: Memory, placements: Sequence[Placement], port: str) -> int:
    """Banks that the words of a reader interleave over."""
    address = next(p.addresses[0] for p in placements if p.port == port)
    return memory.views[address // memory.size_bytes]


def _banks(memory: Memory, address: int, size: int) -> frozenset[int]:
    """Banks that a buffer of `size` bytes reaches."""
    view, inside = divmod(address, memory.size_bytes)
    width = memory.views[view]
    group_bytes = memory.size_bytes * width // memory.banks
    groups = range(inside // group_bytes, (inside + max(1, size) - 1) // group_bytes + 1)
    return frozenset(g * width + i for g in groups for i in range(width))
