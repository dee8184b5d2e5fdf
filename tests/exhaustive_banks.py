"""What the divisions of the banks cost a walked nest: the sentences of `banking`, written again.

In: a `Space`, its walked nest. Out: one `Division` per way to divide the groups of banks, with a
column of what it costs for every choice of cuts and copies.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.space import Space
from exhaustive_nest import Column, Jobs, Nest
from exhaustive_transfers import Mover

FAR = 1 << 50
"""No mapping costs as much."""


@dataclass(frozen=True, slots=True)
class Division:
    """Cycles that the array loses, that transfers lose to the array, that the banks of results are
    busy; FAR lost where nothing fits."""

    lost: Column
    pressed: Column
    busy: Column


@dataclass(frozen=True, slots=True)
class _Case:
    space: Space
    nest: Nest
    jobs: Jobs
    readers: tuple[Operand, ...]
    rest: Column
    guests: Column

    @property
    def room(self) -> Column:
        """Bytes of everything."""
        return self.rest + self.nest.footprint([o.port for o in self.readers])


def shared_banks(space: Space, nest: Nest, partial: int, jobs: Jobs) -> Iterator[Division]:
    """Every division of the banks; partial: bytes of partial sums."""
    readers = tuple(o for o in space.loads if not o.record_bytes)
    names = [o.port for o in readers]
    others = [o.port for o in (*space.loads, *space.stores) if o.port not in names]
    raw = jobs.raw
    case = _Case(
        space,
        nest,
        jobs,
        readers,
        partial + nest.footprint(others),
        2 * raw + nest.words(others),
    )
    yield _undivided(case, raw + nest.words(others))
    groups = space.memory.banks // space.memory.views[-1]
    if 1 < len(readers) <= space.machine.pace:
        yield from _in_turns(case, groups)
    for factors in itertools.product((1, 2, 4), repeat=2 * len(readers)):
        shares = list(zip(factors[::2], factors[1::2], strict=True))
        wides = [w * _span(space, o) for o, (w, _) in zip(readers, shares, strict=True)]
        if any(w > 1 and count > 1 for w, count in shares) or max(wides) >= groups:
            continue
        for host in ("", *names):
            division = _division(case, shares, host, groups)
            if division is not None:
                yield division


def _undivided(case: _Case, words: Column) -> Division:
    """Everything in all banks; words: of what is not read in every step."""
    memory = case.space.memory
    beats = sum(_beat_words(o, memory.word_bytes) for o in case.readers)
    weighed = (8 * case.jobs.steps + 6 * words) * (beats if len(case.readers) > 1 else 0)
    lost = -(-weighed // (24 * memory.banks))
    pace = case.space.machine.pace
    if pace:  # nothing is reduced: every word moved disturbs a little
        own = case.nest.words([o.port for o in case.readers])
        lost = -(-beats * (own + words) // (24 * pace * memory.banks))
    elif len(case.readers) == 1:
        (only,) = case.readers
        moved = case.nest.words([o.port for o in (*case.space.loads, *case.space.stores)])
        sizes = [n for n, a in zip(only.shape, only.indices, strict=True) if only.lane in a.dims]
        awake = beats * min([only.lanes, *sizes]) // only.lanes
        lost = -(-awake * moved // (20 * memory.banks))
    elif _in_step(case):
        lost = _lost_in_step(case)
    lost = np.where(case.room <= memory.size_bytes, lost, FAR)
    none = np.zeros_like(lost)
    pressed = none
    if pace or any(lanes_apart(case.space, o) > 1 for o in case.readers):
        pressed = none + _pressed(case, beats, memory.banks)
    return Division(lost, pressed, none)


def _in_step(case: _Case) -> bool:
    """Whether two readers change the half of the banks at every step, and so never meet."""
    memory = case.space.memory
    own = [o for o in case.readers if _halves(case.space, o)]
    others = [o for o in case.readers if o not in own]
    full = all(2 * _beat_words(o, memory.word_bytes) == memory.banks for o in others)
    return len(own) == 1 and bool(others) and full and not any(o.strided for o in others)


def _halves(space: Space, operand: Operand) -> bool:
    """Whether a reader takes several words of every pixel, laid out so that each is in the other
    half of the banks than the one before: all lanes fit between two words of a pixel."""
    if not operand.strided or operand.role is not Role.INPUT or operand.adjacent:
        return False
    axes = [i for i, a in enumerate(operand.indices) if operand.lane in a.dims]
    words = operand.beat[-1][1] * operand.dtype.bytes // space.memory.word_bytes
    if words < 2 or not operand.lane or min(axes) <= operand.packed_axis:
        return False
    reach = 2 * words * operand.lanes * lanes_apart(space, operand)
    return space.memory.banks % (2 * words) == 0 and reach <= space.memory.banks


def _lost_in_step(case: _Case) -> Column:
    """What readers in step lose in banks that all share: per run along the packed dim a quarter of
    a cycle, half a one where the run is odd; per word moved one in 1480 of the steps for which
    beats keep to the same banks, per word of partial sums 3 in 16. Or as much as words at two a
    cycle take longer than the steps."""
    space, jobs, nest = case.space, case.jobs, case.nest
    (operand,) = (o for o in case.readers if _halves(space, o))
    run = -(-operand.shape[operand.packed_axis] // operand.beat[-1][1])
    axis = next(a for a in operand.indices if operand.lane in a.dims)
    window = axis.span({**space.extents, operand.lane: 1})
    still = run * min(operand.lanes, window)
    raw = jobs.raw
    words = nest.words([o.port for o in (*space.loads, *space.stores)])
    # All in parts of 4 * run * 1480 * 16 of a cycle.
    parts = (2 if run % 2 else 1) * 1480 * 16 * jobs.steps
    parts = parts + 4 * run * (16 * still * words + 3 * 1480 * raw)
    lost = -(-parts // (4 * run * 1480 * 16))
    return np.maximum(lost, -(-words // 2) - jobs.steps)


def _division(
    case: _Case, shares: list[tuple[int, int]], host: str, groups: int
) -> Division | None:
    """What it costs when each reader interleaves over `wide` times a beat's groups and has `count`
    of these; the others have what is left, or room behind `host`."""
    space, nest, jobs = case.space, case.nest, case.jobs
    memory = space.memory
    group = memory.size_bytes // groups
    chosen = list(zip(case.readers, shares, strict=True))
    widths = {o.port: wide * _span(space, o) for o, (wide, _) in chosen}
    counts = {o.port: count * widths[o.port] for o, (_, count) in chosen}
    end = 0
    for operand in sorted(case.readers, key=lambda o: -widths[o.port]):
        width = widths[operand.port]
        end = -(-end // width) * width + counts[operand.port]
    left = groups - end
    if left < 0 or (left == 0) != bool(host):
        return None
    none = np.zeros_like(case.rest)
    lost, pressed = none, none
    halved = bool(space.machine.pace) and left > 1
    rest = _once(case) if halved else case.rest
    limit = FAR if host else (left // 2 if halved else left) * group
    fits = (rest <= limit) & (case.room <= memory.size_bytes)
    for operand in case.readers:
        port, count = operand.port, counts[operand.port]
        size, copies = nest[port]["size"], nest[port]["copies"]
        apart = count >= 2 * widths[port]
        limit = count // 2 * group if apart else count * group // 2
        fits &= np.where(copies == 2, size <= limit, size <= count * group)
        banks = widths[port] * memory.views[-1]
        met = none
        if not apart:
            met = np.where(copies == 2, nest[port]["words"], 0)
            if space.machine.pace or lanes_apart(space, operand) > 1:
                slow = _pressed(case, _beat_words(operand, memory.word_bytes), banks)
                pressed = np.where(copies == 2, np.maximum(pressed, slow), pressed)
        if port == host:
            if apart:
                return None
            fits &= copies * size + case.rest <= count * group
            met = met + 2 * case.guests
        lost = lost + _met(case, operand, banks, met)
        if _meeting(space, operand, banks) > 1:
            lost = lost + jobs.uneven
    busy = none if host else _busy(case, end, left if halved else 0)
    return Division(np.where(fits, lost, FAR), pressed, busy)


def _once(case: _Case) -> Column:
    """Bytes of one copy of everything that is no reader; nothing is summed beside it."""
    names = [o.port for o in case.readers]
    ports = [o.port for o in (*case.space.loads, *case.space.stores) if o.port not in names]
    return sum((case.nest[p]["size"] for p in ports), np.zeros_like(case.rest))


def _busy(case: _Case, first: int, left: int) -> Column:
    """What the banks of the others take: one group; or two halves of the groups from `first` on,
    of which only one is in use while a result has one copy."""
    half = left // 2 or 1
    together = half in (1, 2, 4, 8, 16) and first % half == 0
    banks = case.space.memory.views[-1] * (half if together else 1)
    one, both = (-(-17 * case.guests // (8 * n * banks)) for n in (1, 2))
    if not left:
        return one
    twice = np.logical_and.reduce([case.nest[o.port]["copies"] == 2 for o in case.space.stores])
    return np.where(twice, both, one)


def _in_turns(case: _Case, groups: int) -> Iterator[Division]:
    """Operands read one after another: first copies of all together in one half of their groups,
    second copies in the other, everything else behind them."""
    memory = case.space.memory
    span = max(_span(case.space, o) for o in case.readers)
    left = groups - 2 * span
    if left <= 0:
        return
    group = memory.size_bytes // groups
    rest, limit = (_once(case), left // 2 * group) if left > 1 else (case.rest, left * group)
    fits = (rest <= limit) & (case.room <= memory.size_bytes)
    both = np.zeros_like(case.rest)
    lost = np.zeros_like(case.rest)
    for operand in case.readers:
        own = case.nest[operand.port]
        fits &= own["copies"] == 2
        both = both + own["size"]
        banks = span * memory.views[-1]
        lost = lost + _met(case, operand, banks, np.zeros_like(case.rest))
        if _meeting(case.space, operand, banks) > 1:
            lost = lost + case.jobs.uneven
    fits &= both <= span * group
    none = np.zeros_like(case.rest)
    busy = _busy(case, 2 * span, left if left > 1 else 0)
    yield Division(np.where(fits, lost, FAR), none, busy)


def _met(case: _Case, operand: Operand, banks: int, accesses: Column) -> Column:
    """Cycles lost to accesses of others among the banks that a reader reads: by their number, and
    by what the banks cannot serve in the cycles of the array."""
    jobs, words = case.jobs, _beat_words(operand, case.space.memory.word_bytes)
    free = banks * jobs.array - words * jobs.steps
    if banks < 2 * words:
        return np.maximum(0, -(-(accesses - free) // banks))
    share = 64
    if operand.strided and lanes_apart(case.space, operand) > 1:
        share = 4
    elif operand.strided:
        step = operand.indices[-1].coefficient(operand.lane) if operand.indices else 0
        share = 2 if step == 1 or (step > 1 and not operand.rows) else 8
    unserved = 7 * accesses - 4 * free
    return np.maximum(-(-accesses // (words * share)), -(-unserved // (4 * banks)))


def _pressed(case: _Case, words: int, banks: int) -> int:
    """What transfers lose to lanes that are spread over the banks, or to an array that reduces
    nothing; three quarters at most."""
    cycles, pace = case.jobs.array, case.space.machine.pace
    times, per = (2 * words, pace * banks) if pace else (5 * words, 4 * banks)
    if 4 * times > 3 * per:
        return -(-3 * cycles // 4)
    return -(-times * cycles // per)


def lanes_apart(space: Space, operand: Operand) -> int:
    """Positions of a tile between lanes of a strided operand."""
    if not operand.strided or not operand.lane:
        return 1
    mover = Mover(space, operand)
    found = (abs(dict(i.terms).get(operand.lane, 0)) for i in operand.indices)
    return max(n // mover.apart(axis) for axis, n in enumerate(found))


def lanes_meeting(space: Space) -> int:
    """The most lanes of a reader that meet in a bank, in the fewest banks it may have."""
    readers = [o for o in space.loads if not o.record_bytes]
    view = space.memory.views[-1]
    return max((_meeting(space, o, _span(space, o) * view) for o in readers), default=1)


def _meeting(space: Space, operand: Operand, banks: int) -> int:
    if operand.rows:
        return 1
    reached = {i * lanes_apart(space, operand) % banks for i in range(banks)}
    return -(-min(operand.lanes, banks) // len(reached))


def _span(space: Space, operand: Operand) -> int:
    """Groups of banks over which the words of one beat lie in different banks."""
    memory = space.memory
    banks = _beat_words(operand, memory.word_bytes)
    if space.rest is not None and not operand.strided:  # the deep shape takes several such beats
        own = next(o for o in space.rest.operands if o.port == operand.port)
        banks = _beat_words(own, memory.word_bytes)
    if operand.rows:
        banks = max(banks, Mover(space, operand).row_banks)
    if _halves(space, operand):
        banks = max(banks, memory.banks // 2)
    span = 1
    while span * memory.views[-1] < banks:
        span *= 2
    return span


def partial_words(space: Space) -> int:
    """Words of one tile of raw partial sums."""
    partial = space.partial
    if partial is None:
        return 0
    return prod(n for _, n in partial.beat) * partial.dtype.bytes // space.memory.word_bytes


def _beat_words(operand: Operand, word: int) -> int:
    return max(1, prod(n for _, n in operand.beat) * operand.dtype.bytes // word)
