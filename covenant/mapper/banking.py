"""Which banks the buffers live in: plans of the on-chip memory, and what sharing banks costs.

In: a memory, the operands of a binding. Out: `Plan`s for the solver to choose from, the address
range of each operand under a plan, and the cycles lost to bank conflicts. RTL: cvn_tcdm (one access
per bank and cycle, views of the addresses that confine a buffer to a group of banks).

An input stream of the array (a reader) takes a word per lane in every cycle. Two readers in the
same banks disturb each other all the time; a tile that is loaded into the group its reader reads
from disturbs it word by word; everything else has slack.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from covenant.acg.graph import Memory
from covenant.mapper.mapping import Placement, Role
from covenant.mapper.operands import Operand

CONTIGUOUS_LOSS = (1, 4)
STRIDED_LOSS = (4, 1)
"""Cycles the array loses per word (numerator, denominator) that a load writes into the only group
of a busy reader, as measured on the RTL: the lanes of a contiguous beat stay in step, strided lanes
lose step with one another and then collide among themselves until the launch ends."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A division of the memory: first group and number of groups of the finest view for every
    reader, and for all other buffers together under the key "". No entries: everything shares all
    banks. `host`: the double-buffered reader behind whose second copy the other buffers lie, ""
    when they have groups of their own. `spans`: groups that one beat of a reader needs."""

    groups: Map[str, tuple[int, int]]
    host: str = ""
    spans: Map[str, int] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        """Whether all buffers lie in all banks."""
        return not self.groups

    def apart(self, port: str) -> bool:
        """Whether two copies of a reader have groups of their own."""
        return self.groups[port][1] >= 2 * self.spans[port]


def readers(operands: Sequence[Operand]) -> tuple[Operand, ...]:
    """Operands that the array reads in every step."""
    return tuple(
        o for o in operands if o.role in (Role.INPUT, Role.CONSTANT) and not o.record_bytes
    )


def group_count(memory: Memory) -> int:
    """Groups of banks in the finest view."""
    return memory.banks // memory.views[-1]


def plans(memory: Memory, operands: Sequence[Operand]) -> tuple[Plan, ...]:
    """All banks shared; then every division that leaves a group to the other buffers, or lets them
    share the last group of a contiguous reader that has several."""
    found = [Plan({})]
    count = group_count(memory)
    spans = {o.port: _span(memory, o) for o in readers(operands)}
    names = sorted(spans, key=lambda name: -spans[name])  # the widest first: all start aligned
    contiguous = {o.port for o in readers(operands) if not o.strided}
    for factors in itertools.product((1, 2, 4), repeat=len(names)):
        groups: dict[str, tuple[int, int]] = {}
        start = 0
        for name, factor in zip(names, factors, strict=True):
            groups[name] = (-(-start // spans[name]) * spans[name], factor * spans[name])
            start = sum(groups[name])
        if start < count:
            groups[""] = (start, count - start)
            found.append(Plan(groups, spans=spans))
        elif start == count:
            plan = Plan(groups, spans=spans)
            hosts = [name for name in names if name in contiguous and plan.apart(name)]
            found += [replace(plan, host=name) for name in hosts]
    return tuple(found)


def _span(memory: Memory, operand: Operand) -> int:
    """Groups of the finest view over which the words of one beat lie in different banks."""
    groups = 1
    while groups * memory.views[-1] < _words_per_step(operand, memory.word_bytes):
        groups *= 2
    return groups


def reader_base(memory: Memory, plan: Plan, port: str) -> int:
    """Byte address at which the view of a reader's groups starts."""
    return memory.size_bytes * memory.views.index(plan.spans[port] * memory.views[-1])


def shared_loss(memory: Memory, operands: Sequence[Operand]) -> tuple[int, int]:
    """Cycles lost per array step, as numerator and denominator, when readers share all banks: half
    the share of the banks that they occupy."""
    found = readers(operands)
    if len(found) < 2:
        return 0, 1
    words = sum(_words_per_step(o, memory.word_bytes) for o in found)
    return words, 2 * memory.banks


def _words_per_step(operand: Operand, word_bytes: int) -> int:
    size = operand.dtype.bytes
    for _, extent in operand.beat:
        size *= extent
    return max(1, size // word_bytes)


def load_loss(operand: Operand, words: int) -> int:
    """Cycles lost when `words` are loaded into the group that a reader reads from."""
    numerator, denominator = STRIDED_LOSS if operand.strided else CONTIGUOUS_LOSS
    return -(-words * numerator // denominator)


def copy_limit(plan: Plan, port: str, group_words: int, copies: int) -> int:
    """Words that one copy of a reader may have under a plan."""
    _, count = plan.groups[port]
    if copies == 2 and plan.apart(port):
        return count // 2 * group_words
    return count * group_words // copies


def guest_limit(plan: Plan, group_words: int) -> int:
    """Words for the buffers of others, of which a host's copy must be taken off."""
    return group_words if plan.host else plan.groups[""][1] * group_words


def collides(plan: Plan, port: str) -> bool:
    """Whether two copies of a reader share their group."""
    return not plan.apart(port)


def copy_starts(plan: Plan, port: str, group_bytes: int, copies: int, size: int) -> tuple[int, ...]:
    """Offsets of a reader's copies inside the view of its groups."""
    first, count = plan.groups[port]
    step = count // 2 * group_bytes if plan.apart(port) else size
    return tuple(first * group_bytes + i * step for i in range(copies))


def loss(
    memory: Memory,
    operands: Sequence[Operand],
    placements: Sequence[Placement],
    steps: int,
    words: Map[str, int],
) -> int:
    """Cycles that bank conflicts cost a mapping, from its addresses; steps: array steps of the
    layer; words: off-chip words by port, of partial sums words written. Other buffers are written
    and read once: two accesses per word."""
    found = readers(operands)
    banks = {p.port: [_banks(memory, a, p.layout.bytes) for a in p.addresses] for p in placements}
    used = [banks[o.port] for o in found]
    names = {o.port for o in found}
    guests = [(p, b) for p, copies in banks.items() if p not in names for b in copies]
    for left, right in itertools.combinations(used, 2):
        if any(a & b for a in left for b in right):
            numerator, denominator = shared_loss(memory, operands)
            return -(-steps * numerator // denominator)
    if any(a < memory.size_bytes for p in placements if p.port in names for a in p.addresses):
        return 0  # a single reader that shares all banks
    met = [{p for p, b in guests if any(a & b for a in copies)} for copies in used]
    shared = sum(
        load_loss(operand, 2 * sum(words[p] for p in sorted(ports)))
        for operand, ports in zip(found, met, strict=True)
    )
    return shared + sum(
        load_loss(operand, words[operand.port])
        for operand, copies in zip(found, used, strict=True)
        if len(copies) > 1 and any(a & b for a, b in itertools.combinations(copies, 2))
    )


def _banks(memory: Memory, address: int, size: int) -> frozenset[int]:
    """Banks that a buffer of `size` bytes reaches."""
    view, inside = divmod(address, memory.size_bytes)
    width = memory.views[view]
    group_bytes = memory.size_bytes * width // memory.banks
    groups = range(inside // group_bytes, (inside + max(1, size) - 1) // group_bytes + 1)
    return frozenset(g * width + i for g in groups for i in range(width))
