"""Execution of launches in program order by the flow of data instead of one after the other.

In: launches with the packet they stand in, and the memories. Out: memories as after executing them
in order. Addresses never depend on data, so what every read sees is known beforehand: the last
write of an earlier packet. Launches that wait for nothing else execute together, whatever lay
between them; a register that is written again does not hold up who reads the old contents.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd

import numpy as np
from numpy.typing import NDArray

from covenant.emit.units import ComputeUnit, Dma, Registers
from covenant.sim.batches import Access, Bytes, Kind, kind_of
from covenant.sim.beats import JobError, Memories

_MOST_WORDS = 3_000_000
"""Words of the launches that are looked at together; bounds the memory taken."""

Index = NDArray[np.int64]


class LaunchError(Exception):
    """A launch that no machine could execute: its unit, its number among those, and why."""

    def __init__(self, unit: str, number: int, reason: str) -> None:
        super().__init__(reason)
        self.unit = unit
        self.number = number


@dataclass(slots=True, eq=False)
class Log:
    """Launches of a kind that wait: packet, number in their unit, base registers."""

    kind: Kind
    times: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("q"))

    def clear(self) -> None:
        """Forget them."""
        for each in (self.times, self.numbers, self.starts):
            del each[:]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Launches of a kind among all of a flow. first: number of the first; times, numbers: of each;
    cells: of every access [launches, cells], the write last; sources: for reads, where each cell
    comes from, for the write where it goes, in the pool of the memory."""

    kind: Kind
    first: int
    times: Index
    numbers: Index
    cells: list[Index]
    sources: list[Index]

    @property
    def accesses(self) -> tuple[Access, ...]:
        """Accesses in the order of `cells`."""
        return (*self.kind.reads, self.kind.write)


class Flow:
    """Launches since the last `flush`."""

    def __init__(self, units: Mapping[str, Dma | ComputeUnit], memories: Memories) -> None:
        self._units = units
        self._memories = memories
        self._logs: dict[tuple[object, ...], Log | None] = {}
        self._shape: dict[str, tuple[str, ...]] = {}
        self._words = 0

    def log(self, unit: str, registers: Registers) -> Log | None:
        """Where launches with these registers are noted, None for those that cannot be."""
        names = self._shape.get(unit)
        if names is None:
            names = tuple(q for q in registers if not q.endswith(".base"))
            self._shape[unit] = names
        key = (unit, *[registers[q] for q in names])
        if key not in self._logs:
            kind = kind_of(unit, self._units[unit], registers, self._memories)
            self._logs[key] = None if kind is None else Log(kind)
        return self._logs[key]

    def add(self, log: Log, registers: Registers, time: int, number: int) -> None:
        """A launch of a packet; `number` of its unit."""
        log.times.append(time)
        log.numbers.append(number)
        log.starts.extend([registers[q] for q in log.kind.bases])
        self._words += log.kind.words

    @property
    def full(self) -> bool:
        """Whether there is enough to execute."""
        return self._words > _MOST_WORDS

    def flush(self) -> None:
        """Execute all launches."""
        if not self._words:
            return
        self._words = 0
        logs = [log for log in self._logs.values() if log is not None and len(log.times)]
        grains: dict[str, int] = {}
        for log in logs:
            for access in (*log.kind.reads, log.kind.write):
                grains[access.memory] = gcd(grains.get(access.memory, 0), access.word_bytes)
        parts: list[_Part] = []
        for log in logs:
            first = parts[-1].first + parts[-1].times.size if parts else 0
            parts.append(self._part(log, first, grains))
            log.clear()
        pools, edges = self._connected(parts, grains)
        _execute(parts, pools, edges)
        for name, grain in grains.items():
            self._settle(name, grain, parts, pools[name])

    def _part(self, log: Log, first: int, grains: Mapping[str, int]) -> _Part:
        kind = log.kind
        times, numbers = np.array(log.times, np.int64), np.array(log.numbers, np.int64)
        starts = np.array(log.starts, np.int64).reshape(times.size, -1)
        cells: list[Index] = []
        for access in (*kind.reads, kind.write):
            places = starts[:, kind.bases.index(access.base), None] + access.offsets[None, :]
            self._check(kind, numbers, access, places)
            grain = grains[access.memory]
            inside = np.arange(access.word_bytes // grain)
            found = (places // grain)[:, :, None] + inside
            cells.append(found.reshape(times.size, -1))
        return _Part(kind, first, times, numbers, cells, list(cells))

    def _check(self, kind: Kind, numbers: Index, access: Access, places: Index) -> None:
        """Raise for an address that no memory has."""
        node, size = self._memories.nodes[access.memory], access.word_bytes
        end = self._memories.arrays[access.memory].size if node.off_chip else node.reach_bytes
        bad = (places < 0) | (places + size > end) | (places % size != 0)
        if not bad.any():
            return
        row = int(np.flatnonzero(bad.any(1))[0])
        try:
            self._memories.words(access.memory, places[row] & 0xFFFFFFFF, size)
        except JobError as error:
            raise LaunchError(kind.unit, int(numbers[row]), str(error)) from error

    def _connected(
        self, parts: list[_Part], grains: Mapping[str, int]
    ) -> tuple[dict[str, Bytes], Index]:
        """Room for what memories hold and for all writes; writer << 32 | reader of launches."""
        pools: dict[str, Bytes] = {}
        edges: list[Index] = []
        for name, grain in grains.items():
            whole = self._memories.view(name, grain)
            owners = [(p, i) for p in parts for i, a in enumerate(p.accesses) if a.memory == name]
            written = sum(p.cells[i].size for p, i in owners if i == len(p.kind.reads))
            pool = np.empty((len(whole) + written, grain), np.uint8)
            pool[: len(whole)] = whole
            pools[name] = pool
            edges.append(_sources(owners, len(whole)))
        return pools, np.unique(np.concatenate(edges))

    def _settle(self, name: str, grain: int, parts: list[_Part], pool: Bytes) -> None:
        """The memory afterwards: the last write of every cell."""
        own = [p for p in parts if p.kind.write.memory == name]
        if not own:
            return
        cells = np.concatenate([p.cells[-1].reshape(-1) for p in own])
        slots = np.concatenate([p.sources[-1].reshape(-1) for p in own])
        times = np.concatenate([np.repeat(p.times, p.cells[-1].shape[1]) for p in own])
        order = np.argsort(times, kind="stable")
        self._memories.view(name, grain)[cells[order]] = pool[slots[order]]


def _sources(owners: list[tuple[_Part, int]], initial: int) -> Index:
    """Fills in the sources of accesses to one memory of so many cells; writer << 32 | reader."""
    cells, times, nodes, writes, slots = [], [], [], [], []
    end = initial
    for part, index in owners:
        own = part.cells[index]
        count, each = own.shape
        is_write = index == len(part.kind.reads)
        cells.append(own.reshape(-1))
        times.append(np.repeat(part.times * 2 + is_write, each))
        nodes.append(np.repeat(np.arange(part.first, part.first + count), each))
        writes.append(np.full(own.size, is_write))
        slots.append(np.arange(end, end + own.size) if is_write else own.reshape(-1))
        end += own.size if is_write else 0
    cell, time, node = np.concatenate(cells), np.concatenate(times), np.concatenate(nodes)
    write, slot = np.concatenate(writes), np.concatenate(slots)
    span = int(time.max()) - int(time.min()) + 1
    order = np.argsort(cell * span + (time - time.min()), kind="stable")
    place = np.arange(order.size)
    turned = cell[order]
    begins = np.empty(order.size, np.bool_)
    begins[0], begins[1:] = True, turned[1:] != turned[:-1]
    group = np.maximum.accumulate(np.where(begins, place, 0))
    last = np.maximum.accumulate(np.where(write[order], place, -1))
    seen = ~write[order] & (last >= group)
    readers, writers = order[seen], order[last[seen]]
    slot[readers] = slot[writers]
    at = 0
    for part, index in owners:
        own = part.cells[index]
        part.sources[index] = slot[at : at + own.size].reshape(own.shape)
        at += own.size
    return np.unique(node[writers] << 32 | node[readers])


def _execute(parts: list[_Part], pools: Mapping[str, Bytes], edges: Index) -> None:
    """All launches, each behind those it reads from."""
    total = parts[-1].first + parts[-1].times.size
    firsts = np.array([part.first for part in parts] + [total])
    readers_of = edges & 0xFFFFFFFF
    waits = np.bincount(readers_of, minlength=total)
    heads = np.searchsorted(edges >> 32, np.arange(total + 1))
    ready = np.flatnonzero(waits == 0)
    while ready.size:
        cuts = np.searchsorted(ready, firsts)
        for number, part in enumerate(parts):
            chosen = ready[cuts[number] : cuts[number + 1]] - part.first
            if chosen.size:
                _run(part, chosen, pools)
        counts = heads[ready + 1] - heads[ready]
        behind = np.repeat(heads[ready] - np.cumsum(counts) + counts, counts)
        after = readers_of[behind + np.arange(behind.size)]
        readers, fewer = np.unique(after, return_counts=True)
        waits[readers] -= fewer
        ready = readers[waits[readers] == 0]


def _run(part: _Part, chosen: Index, pools: Mapping[str, Bytes]) -> None:
    """Some launches of a kind at once."""
    kind, jobs = part.kind, chosen.size
    read = [
        pools[access.memory][source[chosen]].reshape(jobs, -1)
        for access, source in zip(kind.reads, part.sources, strict=False)
    ]
    try:
        made = kind.compute(read, jobs)
    except JobError as error:
        raise LaunchError(kind.unit, int(part.numbers[chosen[0]]), str(error)) from error
    target = pools[kind.write.memory]
    target[part.sources[-1][chosen]] = made.reshape(jobs, -1, target.shape[1])
