"""Loop order, buffer depth and the latency terms.

An order is a permutation of the loops; cuts are prefixes of it. The sets of loops inside the cuts
are therefore nested, and any nested family of sets has an order: nesting is all the model needs.
"""

from __future__ import annotations

import itertools

from ortools.sat.python import cp_model

from covenant.mapper.constraints.allocation import Allocation
from covenant.mapper.constraints.placement import Residency
from covenant.mapper.constraints.product import bounds, total
from covenant.mapper.constraints.tiling import Tiling
from covenant.mapper.mapping import Role
from covenant.mapper.space import Space


def add_nesting(model: cp_model.CpModel, space: Space, residencies: list[Residency]) -> None:
    """One loop order serves the cuts of all operands."""
    for left, right in itertools.combinations(residencies, 2):
        within = model.new_bool_var(f"within_{left.operand.port}_{right.operand.port}")
        for dim in space.tiled:
            model.add_implication(left.inside[dim], right.inside[dim]).only_enforce_if(within)
            model.add_implication(right.inside[dim], left.inside[dim]).only_enforce_if(
                within.negated()
            )


def add_copies(model: cp_model.CpModel, residencies: list[Residency]) -> dict[str, cp_model.IntVar]:
    """Per operand whether it is double buffered; what is exchanged once is not."""
    double: dict[str, cp_model.IntVar] = {}
    for residency in residencies:
        port = residency.operand.port
        double[port] = model.new_bool_var(f"double_{port}")
        if residency.operand.role is Role.PARTIAL:
            model.add(double[port] == 0)
        else:
            model.add(residency.exchanges >= 2).only_enforce_if(double[port])
    return double


def add_latency(
    model: cp_model.CpModel,
    space: Space,
    tiling: Tiling,
    residencies: dict[str, Residency],
    double: dict[str, cp_model.IntVar],
    allocation: Allocation,
) -> cp_model.IntVar:
    """Cycles of the whole layer: the largest of the paths that `cost` describes."""
    machine = space.machine
    loads = [residencies[o.port] for o in space.loads]
    store = residencies[space.stores[0].port]
    busy = tiling.compute + allocation.lost
    fill = total(r.first for r in loads)
    serial = []
    chains = []
    for residency in (*loads, store):
        port = residency.operand.port
        lead = residency.last if residency is store else residency.first
        wait = space.paths[port].latency_cycles
        rest = residency.total - lead + wait * (residency.exchanges - 1)
        exposed = model.new_int_var(0, _highest(residency, wait), f"serial_{port}")
        model.add(exposed >= rest).only_enforce_if(double[port].negated())
        serial.append(exposed)
        chains.append(2 * fill + busy + tiling.first + rest)
    longest = model.new_int_var(0, 1 << 40, "longest")
    model.add(longest >= fill + busy + total(serial))
    model.add(longest >= total(r.total for r in loads) + tiling.last)
    model.add(longest >= fill + tiling.first + store.total - store.last)
    for chain in chains:
        model.add(2 * longest >= chain)
    moves = total(r.exchanges for r in (*loads, store))
    model.add(longest >= machine.launch_words * tiling.launches + machine.move_words * moves)
    latency = model.new_int_var(0, 1 << 40, "latency")
    model.add(latency == longest + store.last + machine.start + machine.end)
    return latency


def _highest(residency: Residency, wait: int) -> int:
    return bounds(residency.total)[1] + wait * bounds(residency.exchanges)[1]
