"""Which banks the buffers live in: plans of the on-chip memory, and what sharing banks costs.

In: a memory, the operands of a binding. Out: `Plan`s for the solver to choose from, the address
range of each operand under a plan, and the cycles lost to bank conflicts. RTL: cvn_tcdm (one access
per bank and cycle, views of the addresses that confine a buffer to a group of banks).

An input stream of the array (a reader) takes a word per lane in every cycle. Two readers in the
same banks disturb each other all the time; what else is read or written in banks that its beats
fill disturbs it word by word, in banks with room to spare hardly at all; everything else has slack.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from math import gcd

from covenant.acg.graph import Memory
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.placement import half_step, row_banks

SWEEPING_SHARE, ROWS_SHARE, SPREAD_SHARE, WINDOW_SHARE = 64, 8, 4, 2
"""What a foreign access costs in banks that a reader's beats fill by half at most, as a fraction of
what it costs in banks they fill: beats that sweep the banks leave each free in every other cycle,
rows side by side at random, as do lanes at a distance that run through rows; lanes side by side
stay in a window of the banks for a whole reduction.
Measured on the RTL (docs/benchmarks.md); whoever waits is served in every 16th cycle (cvn_tcdm)."""

RUN_LOSS, WORD_LOSS, SUM_LOSS = 4, 1480, (3, 16)
"""Of readers whose beats change the half of the banks at every step (`half_step`): one cycle is
lost in so many runs of an even number of steps, two in as many of an odd one; words of others wait
for banks that have none to spare as long as a beat keeps to the same, a cycle is lost in so many
words per step of that time; so many cycles per word of partial sums. Fitted to the RTL
(docs/decisions/0012-array-shapes.md)."""

LOAD_CYCLES = (1, 2)
"""Cycles that a word of others takes at least beside such readers."""

PARTIAL_WEIGHT = 2
"""Words that one of raw partial sums counts for: it is written and read back within a tile."""

CROWD, HOSTED = (17, 16), (7, 4)
"""Accesses that banks serve take so much longer than if they were spread evenly: in banks without a
reader, and in banks that a reader has first choice of."""

ALONE = 20
"""Words of others that cost a reader which shares all banks with them a cycle, were its beats as
wide as all banks."""

MET = (8, 3)
"""What a step and an access of others weigh, in 24ths of the share of the banks that the operands
of an array which reduces occupy, when all share all banks."""


@dataclass(frozen=True, slots=True)
class Work:
    """What an array does to the banks: steps, cycles without conflicts, cycles per result where it
    does not reduce, else 0; steps by which results fall short of whole rounds of the lanes that
    meet in a bank."""

    steps: int
    cycles: int
    pace: int
    uneven: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A division of the memory: first group and number of groups of the finest view for every
    reader, and for all other buffers together under the key "". No entries: everything shares all
    banks. `host`: the reader behind whose last copy the other buffers lie, "" when they have groups
    of their own. `spans`: groups that the words of a reader interleave over. turns: readers that
    the node takes one after another lie in the same groups, the first copies of all in one half and
    the second ones in the other. halves: so do the copies of the other buffers, since a node that
    does not reduce writes a copy all the time while the other one is stored."""

    groups: Map[str, tuple[int, int]]
    host: str = ""
    spans: Map[str, int] = field(default_factory=dict)
    turns: bool = False
    halves: bool = False

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


def plans(memory: Memory, operands: Sequence[Operand], pace: int) -> tuple[Plan, ...]:
    """All banks shared; then every division that leaves a group to the other buffers, or lets them
    share the last banks of a reader whose copies are apart or whose beats leave banks to spare; one
    for readers that take turns. pace: cycles per result where nothing is reduced, else 0."""
    found = [Plan({})]
    count = group_count(memory)
    needed = {o.port: _span(memory, o) for o in readers(operands)}
    span = max(needed.values(), default=0)
    if 1 < len(needed) <= pace and 2 * span < count:
        groups = dict.fromkeys(needed, (0, 2 * span)) | {"": (2 * span, count - 2 * span)}
        spans = dict.fromkeys(needed, span)
        found.append(Plan(groups, spans=spans, turns=True, halves=count - 2 * span > 1))
    choices = [list(_shares(needed[name], count)) for name in needed]
    for chosen in itertools.product(*choices):
        shares = dict(zip(needed, chosen, strict=True))
        groups = {}
        start = 0
        # The widest first: all start aligned.
        for name in sorted(needed, key=lambda name: -shares[name][0]):
            span, size = shares[name]
            groups[name] = (-(-start // span) * span, size)
            start = sum(groups[name])
        spans = {name: span for name, (span, _) in shares.items()}
        if start < count:
            groups[""] = (start, count - start)
            found.append(Plan(groups, spans=spans, halves=pace > 0 and count - start > 1))
        elif start == count:
            plan = Plan(groups, spans=spans)
            hosts = [name for name in needed if not plan.apart(name)]
            found += [replace(plan, host=name) for name in hosts]
    return tuple(found)


def _shares(needed: int, count: int) -> Iterator[tuple[int, int]]:
    """Groups to interleave over and groups in all: both copies in banks as wide as a beat or wider,
    or apart in banks as wide as a beat."""
    for factor in (1, 2, 4):
        if factor * needed <= count:
            if factor * needed < count:
                yield factor * needed, factor * needed
            if factor > 1:
                yield needed, factor * needed


def _span(memory: Memory, operand: Operand) -> int:
    """Groups of the finest view over which the words of one beat lie in different banks; lanes
    that run through rows at a distance, and pixels of several words, may need more than a bank
    each."""
    needed = words_per_step(operand, memory.word_bytes)
    if operand.deep and not operand.strided:
        needed = needed * operand.deep // operand.beat[-1][1]
    if operand.rows:
        needed = max(needed, row_banks(operand, memory))
    if half_step(operand, memory):
        needed = max(needed, memory.banks // 2)
    groups = 1
    while groups * memory.views[-1] < needed:
        groups *= 2
    return groups


def reader_banks(memory: Memory, plan: Plan, port: str) -> int:
    """Banks that the words of a reader interleave over."""
    return plan.spans[port] * memory.views[-1]


def reader_base(memory: Memory, plan: Plan, port: str) -> int:
    """Byte address at which the view of a reader's groups starts."""
    return memory.size_bytes * memory.views.index(reader_banks(memory, plan, port))


def spread(operand: Operand) -> bool:
    """Whether lanes are several positions of a tile apart."""
    if not operand.strided or not operand.lane:
        return False
    return any(abs(operand.pitches(a, operand.lane)) > 1 for a in range(len(operand.indices)))


@dataclass(frozen=True, slots=True)
class Rate:
    """Cycles that readers lose that share all banks: (steps * array steps + words * words of others
    + sums * words of partial sums + guests * words of what is not read in every step) /
    denominator."""

    steps: int
    words: int = 0
    sums: int = 0
    denominator: int = 1
    guests: int = 0

    def cycles(self, steps: int, words: int, sums: int, guests: int) -> int:
        """Whole cycles."""
        moved = self.words * words + self.sums * sums + self.guests * guests
        return -(-(self.steps * steps + moved) // self.denominator)


def shared_rates(memory: Memory, operands: Sequence[Operand]) -> tuple[Rate, ...]:
    """What readers lose in banks that they share with all others: the largest of these. Else a
    third of the share of the banks that they occupy in every step; those that fall into step lose a
    fraction of a cycle per run, but leave so few accesses to others that these may take longer than
    the steps."""
    found = readers(operands)
    if len(found) < 2:
        words = sum(_awake(o) * words_per_step(o, memory.word_bytes) // o.lanes for o in found)
        return (Rate(0, words, denominator=ALONE * memory.banks),)
    run, still = _alternating_run(memory, found)
    if run:
        share, whole = SUM_LOSS
        own = Rate(
            (1 + run % 2) * WORD_LOSS * whole,
            RUN_LOSS * run * whole * still,
            RUN_LOSS * run * WORD_LOSS * share,
            RUN_LOSS * run * WORD_LOSS * whole,
        )
        cycles, per = LOAD_CYCLES
        return own, Rate(-per, cycles, 0, per)
    words = sum(words_per_step(o, memory.word_bytes) for o in found)
    met = MET[1] * 2 * words
    return (Rate(MET[0] * words, 0, met, 24 * memory.banks, met),)


def _awake(operand: Operand) -> int:
    """Lanes that have a position of the tensor."""
    axes = (
        s for s, a in zip(operand.shape, operand.indices, strict=True) if operand.lane in a.dims
    )
    return min((operand.lanes, *axes))


def shared_loss(
    memory: Memory, operands: Sequence[Operand], steps: int, words: int, sums: int, guests: int
) -> int:
    """Cycles that readers lose that share all banks; words: of all that is moved, sums: of partial
    sums, guests: of what is moved but no reader."""
    found = shared_rates(memory, operands)
    return max(0, *(rate.cycles(steps, words, sums, guests) for rate in found))


def _alternating_run(memory: Memory, found: Sequence[Operand]) -> tuple[int, int]:
    """Steps in a row at which one reader's beats change the half of the banks, as those of all
    others do, 0 when they do not; and steps for which they keep to the same banks of each half,
    which those of a window leave one by one."""
    own = [o for o in found if half_step(o, memory)]
    others = [o for o in found if o not in own]
    words = [words_per_step(o, memory.word_bytes) for o in others]
    if len(own) != 1 or any(o.strided for o in others) or {2 * w for w in words} != {memory.banks}:
        return 0, 0
    (operand,) = own
    run = -(-operand.shape[operand.packed_axis] // operand.beat[-1][1])
    return run, run * min(operand.lanes, operand.window)


def words_per_step(operand: Operand, word_bytes: int) -> int:
    size = operand.dtype.bytes
    for _, extent in operand.beat:
        size *= extent
    return max(1, size // word_bytes)


def reader_loss(memory: Memory, operand: Operand, banks: int, work: Work, accesses: int) -> int:
    """Cycles that a reader in so many banks loses to its own lanes and to the accesses of others:
    as many as their words, and as the banks need beyond the cycles they have."""
    numerator, denominator = access_rate(memory, operand, banks)
    lost = -(-accesses * numerator // denominator)
    over = served(memory, operand, banks, work.steps, accesses) - HOSTED[1] * banks * work.cycles
    lost = max(lost, -(-over // (HOSTED[1] * banks)))
    return lost + (work.uneven if crowding(operand, banks) > 1 else 0)


def served(memory: Memory, operand: Operand, banks: int, steps: int, accesses: int) -> int:
    """Words that banks serve for a reader and for others, times the second part of HOSTED."""
    words = words_per_step(operand, memory.word_bytes)
    share = HOSTED[0] if banks >= 2 * words else HOSTED[1]
    return HOSTED[1] * words * steps + share * accesses


def access_rate(memory: Memory, operand: Operand, banks: int) -> tuple[int, int]:
    """Cycles lost per access, as numerator and denominator, in banks that a beat does not fill;
    where it does the words count that the banks can serve."""
    words = words_per_step(operand, memory.word_bytes)
    if banks < 2 * words:
        return 0, 1
    if not operand.strided:
        return 1, words * SWEEPING_SHARE
    if spread(operand):
        return 1, words * SPREAD_SHARE
    step = operand.indices[-1].coefficient(operand.lane) if operand.indices else 0
    side_by_side = step == 1 or (step > 1 and not operand.rows)
    return 1, words * (WINDOW_SHARE if side_by_side else ROWS_SHARE)


def crowding(operand: Operand, banks: int) -> int:
    """Lanes of one beat that meet in a bank: those that advance by several positions reach a part
    of the banks only. The beats of a result fall into different phases of the banks, and lanes run
    ahead of one another (cvn_address_queue), so that only what is left over at its end costs."""
    if not operand.strided or not operand.lane or operand.rows:
        return 1
    axes = range(len(operand.indices))
    coefficient = max(abs(operand.pitches(axis, operand.lane)) for axis in axes)
    reached = banks // gcd(coefficient, banks)
    return -(-min(operand.lanes, banks) // reached)


def narrow_crowding(memory: Memory, operands: Sequence[Operand]) -> int:
    """The most lanes of a reader that meet in a bank under any plan."""
    found = (crowding(o, _span(memory, o) * memory.views[-1]) for o in readers(operands))
    return max(found, default=1)


def copy_limit(plan: Plan, port: str, group_words: int, copies: int) -> int:
    """Words that one copy of a reader may have under a plan."""
    _, count = plan.groups[port]
    if copies == 2 and plan.apart(port):
        return count // 2 * group_words
    return count * group_words // copies


def turns_limit(plan: Plan, group_words: int) -> int:
    """Words that a copy of every reader may have together where they take turns."""
    return group_words * max(plan.spans.values())


def guest_view(memory: Memory, plan: Plan) -> tuple[int, int, int]:
    """Where buffers with groups of their own lie: banks that a copy interleaves over, the byte
    address of their first group, bytes from the half of first copies to that of the second ones; 0
    where copies share the finest group."""
    first, count = plan.groups[""]
    half = count // 2 if plan.halves else 1
    wide = half if half & (half - 1) == 0 and first % half == 0 else 1
    banks = wide * memory.views[-1]
    group = memory.size_bytes // group_count(memory)
    start = memory.size_bytes * memory.views.index(banks) + first * group
    return banks, start, half * group if plan.halves else 0


def guest_limit(plan: Plan, group_words: int) -> int:
    """Words for the buffers of others, of which a host's copies in the same banks must be taken
    off; for one copy of each where they lie in halves."""
    if plan.host:
        return plan.spans[plan.host] * group_words
    _, count = plan.groups[""]
    return (count // 2 if plan.halves else count) * group_words


def collides(plan: Plan, port: str) -> bool:
    """Whether two copies of a reader share their group."""
    return not plan.apart(port)


def copy_starts(
    plan: Plan, port: str, group_bytes: int, copies: int, size: int, behind: int = 0
) -> tuple[int, ...]:
    """Offsets of a reader's copies inside the view of its groups; behind: bytes of a copy of those
    before it that it takes turns with."""
    first, count = plan.groups[port]
    step = count // 2 * group_bytes if plan.apart(port) else size
    return tuple(first * group_bytes + behind + i * step for i in range(copies))
