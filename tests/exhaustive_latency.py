"""Latency of a walked nest: the sentences of `cost`, `gaps` and `latency`, written again.

In: a `Space`, its walked nest, divisions of the banks. Out: for every choice of cuts and copies the
fewest cycles over all divisions.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand
from covenant.mapper.space import Space
from exhaustive_banks import FAR, Division, lanes_apart
from exhaustive_nest import Column, Jobs, Nest


def latencies(space: Space, nest: Nest, jobs: Jobs, divisions: Iterable[Division]) -> Column:
    """Least cycles of every row, FAR where nothing fits."""
    machine = space.machine
    store = nest[space.stores[0].port]
    fill = _fill(space, nest)
    none = np.zeros_like(fill)
    alone, loads, halves = none, none, none
    words = none + machine.launch_words * jobs.launches
    for operand in (*space.loads, *space.stores):
        column = nest[operand.port]
        rest = _rest(space, nest, operand)
        alone = alone + np.where(column["copies"] == 1, rest, 0)
        loads = loads + (0 if operand.role is Role.OUTPUT else column["total"])
        if operand.role is Role.OUTPUT or not machine.queued:
            halves = np.maximum(halves, 2 * fill + jobs.cycles + jobs.first + rest)
        site = space.site(operand.port)
        words = words + (machine.move_words + space.pad_words(site)) * column["exchanges"]
    if machine.queued:
        turns = min(jobs.launches, 2 * (jobs.launches - jobs.whole))
        words = words + machine.turn_words * turns + machine.piece_words * jobs.more
        words = words + jobs.last + machine.control
    array = fill + jobs.cycles + alone + _gaps(space, nest, jobs)
    others = np.maximum(words, fill + machine.record_cycles * jobs.records + alone)
    stores = fill + jobs.first + store["total"] - store["last"]
    best = np.full_like(fill, FAR)
    for division in divisions:
        lost = np.where(division.lost < FAR, division.lost, 0)
        paths = (
            array + lost,
            (halves + lost + 1) // 2,
            loads + jobs.last + division.pressed,
            stores + division.pressed,
            fill + division.busy,
            others,
        )
        longest = np.max(np.stack(np.broadcast_arrays(*paths)), axis=0)
        found = longest + store["last"] + machine.start + machine.end
        best = np.where(division.lost < FAR, np.minimum(best, found), best)
    return best


def _fill(space: Space, nest: Nest) -> Column:
    """Cycles from the first beat to the first launch: first tiles one after another, none of them
    before its words."""
    ports = [s.operand.port for s in space.moved if s.operand.role is not Role.OUTPUT]
    end = np.zeros_like(nest[ports[0]]["first"])
    for number, port in enumerate(ports):
        end = np.maximum(end, number * space.machine.load_words) + nest[port]["first"]
    return np.maximum(end, space.machine.least_fill)


def _rest(space: Space, nest: Nest, operand: Operand) -> Column:
    """What a single buffer does not hide."""
    column = nest[operand.port]
    path = space.paths[operand.port]
    lead = column["last"] if operand.role is Role.OUTPUT else column["first"]
    wait = path.latency_cycles + space.pad_words(space.site(operand.port))
    turn = path.setup_cycles if space.machine.queued else 0
    return column["total"] - lead - turn + wait * (column["exchanges"] - 1)


def _gaps(space: Space, nest: Nest, jobs: Jobs) -> Column:
    """Waits that two buffers do not hide."""
    readers = list(space.loads)
    none = np.zeros_like(nest[readers[0].port]["first"])
    if not space.machine.queued:
        return none
    turns, short = none, none
    for reader in readers:
        column, wait = nest[reader.port], space.paths[reader.port].latency_cycles
        slow, twice = _slowness(space, reader), column["copies"] == 2
        again = (column["exchanges"] - 1) // 2
        round_trip = wait + slow * column["total"] // column["exchanges"]
        late = round_trip - jobs.cycles // column["exchanges"]
        lost = again * np.maximum(0, late)
        for other in (o for o in readers if o is not reader):
            beats = _slowness(space, other) * nest[other.port]["first"]
            met = np.minimum(again, nest[other.port]["exchanges"] - 1)
            beats = np.clip(late + beats, 0, beats)
            lost = lost + np.where(nest[other.port]["copies"] == 2, met * beats, 0)
        turns = np.where(twice, np.maximum(turns, lost), turns)
        often_met = twice & (2 * column["exchanges"] > jobs.launches)
        late = np.maximum(0, wait + slow * column["first"] - jobs.last)
        lost = -(-(jobs.launches - jobs.whole) * late // 2)
        short = np.where(often_met, np.maximum(short, lost), short)
    return turns + short


def _slowness(space: Space, operand: Operand) -> int:
    """Times as long that the banks of spread lanes make a load take."""
    return 4 if operand.rows and lanes_apart(space, operand) > 1 else 1
