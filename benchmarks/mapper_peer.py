"""The peer's search beside ours: one layer as a job of ZigZag, and our nest as its order of loops.

In: workloads, our mappings on the Gemmini-like core, ZigZag in a Python of its own. Out: `Peer`
results: its cost of its best mapping, or of our order. ZigZag takes whole tiles only, so a dim of
ours with a tail is rounded up to whole tiles for it.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.expression import Statement
from covenant.mapper.mapping import Mapping, StepBinding
from covenant.mapper.operands import capability_of
from workloads import Conv, Gemm, Workload

WORKER = Path(__file__).with_name("zigzag_worker.py")

PEER_DIMS = {
    Gemm: {"m": "B", "n": "K", "k": "C"},
    Conv: {"n": "B", "oc": "K", "c": "C", "oy": "OY", "ox": "OX", "fy": "FY", "fx": "FX"},
}
"""Our names of dims -> the peer's, by kind of shape."""

PEER_LOOPS = 6
"""Loops of the orders that the peer tries."""

PEER_ORDERS = 720
"""Orders of so many loops."""

PEER_ARRAY = {"K": 16, "C": 16}
"""Elements of the peer's dims that its array takes at once."""

Order = list[tuple[str, int]]
"""Loops of the peer, innermost first."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What ZigZag says of one nest: its cost and the parts of it, processor seconds of its search,
    and the loops of every operand below its last memory."""

    name: str
    cycles: int
    microjoules: float
    seconds: float
    version: str
    order: Order
    inside: dict[str, int]
    cycle_parts: dict[str, float] = field(default_factory=dict)
    microjoule_parts: dict[str, float] = field(default_factory=dict)
    error: str = ""


def _mesh_index(codelet: Codelet) -> int:
    """The step that sums products."""
    return next(i for i, s in enumerate(codelet.steps) if s.reduction and len(s.refs) > 1)


def _mesh_step(mapping: Mapping, codelet: Codelet) -> StepBinding:
    """Its binding; a mapping may have steps before the codelet's."""
    return mapping.steps[_mesh_index(codelet) + len(mapping.steps) - len(codelet.steps)]


def factors_step(codelet: Codelet) -> Statement:
    """The statement that sums products."""
    return codelet.steps[_mesh_index(codelet)]


def _factors(codelet: Codelet) -> tuple[str, ...]:
    """Activations and weights, in this order."""
    step = factors_step(codelet)
    return tuple(r.name for r in step.refs if r.name != step.target.name)


def steps_of(mapping: Mapping, codelet: Codelet, acg: Acg) -> dict[str, int]:
    """Elements of every dim that the array takes at once."""
    step = _mesh_step(mapping, codelet)
    extents = capability_of(acg, step).extents
    return {dim: extents.get(own, 1) for own, dim in step.dims}


def job(workload: Workload, scratchpad_bytes: int, objective: str) -> dict[str, Any]:
    """A search by the peer."""
    shape = workload.shape
    match shape:
        case Gemm():
            loops = {"B": shape.m, "C": shape.k, "K": shape.n}
            stride = 0
        case Conv():
            out = (shape.size + 2 * shape.padding - shape.kernel) // shape.stride + 1
            loops = {"B": 1, "K": shape.filters, "C": shape.channels, "OY": out, "OX": out}
            loops |= {"FY": shape.kernel, "FX": shape.kernel}
            stride = shape.stride
    return {
        "name": workload.name,
        "objective": objective,
        "scratchpad_bytes": scratchpad_bytes,
        "loops": loops,
        "stride": stride,
        "spatial": list(PEER_ARRAY),
        "swapped": False,
        "orderings": None,
    }


def fixed_job(
    search: dict[str, Any], workload: Workload, mapping: Mapping, codelet: Codelet, acg: Acg
) -> dict[str, Any]:
    """The same with our binding and the orders of our loops; extents are rounded up to whole
    tiles."""
    names = PEER_DIMS[type(workload.shape)]
    step = _mesh_step(mapping, codelet)
    array = {names[d]: n for d, n in steps_of(mapping, codelet, acg).items() if n > 1}
    inner, outer = nest_of(workload, mapping, codelet, acg)
    cuts = {p.cut for p in mapping.placements}
    loops = {}
    for dim, extent in search["loops"].items():
        trips = prod(size for other, size in (*inner, *outer) if other == dim)
        width = array.get(dim, 1)
        loops[dim] = extent if -(-extent // width) == trips else trips * width
    capability = capability_of(acg, step)
    kept, streamed = dict(step.tensors)[capability.stationary], _factors(codelet)[0]
    result = {d for index in capability.statement.target.indices for d in index.dims}
    sides = {own in result: names[d] for own, d in step.dims if capability.extents.get(own, 1) > 1}
    return search | {
        "loops": loops,
        "spatial": [sides.get(True, ""), sides.get(False, "")],
        "swapped": kept == streamed,
        "orderings": [[list(loop) for loop in order] for order in orders_of(inner, outer, cuts)],
    }


def orders_of(inner: Order, outer: Order, cuts: Collection[int]) -> list[Order]:
    """The orders that say what our mapping does: its loops around launches, changed about where no
    tile is exchanged between them, and those of a launch, whose tiles lie on chip as a whole, in
    any order and in as many parts as the peer tries. cuts: loops around each exchanged tile."""
    factors = _factors_of(inner, max(len(inner), PEER_LOOPS - len(outer)))
    around = list(reversed(outer))
    edges = sorted({0, len(around), *(c for c in cuts if c < len(around))})
    parts = [itertools.permutations(around[a:b]) for a, b in itertools.pairwise(edges)]
    outside = [list(reversed(list(itertools.chain(*p)))) for p in itertools.product(*parts)]
    within = sorted(set(itertools.permutations(factors)))
    found = [[*order, *loops] for loops in outside for order in within]
    return found[:PEER_ORDERS]


def _factors_of(loops: Order, most: int) -> Order:
    """Loops divided into their prime factors, the smallest of the dim with most of them multiplied
    again until there are at most that many."""
    parts = {dim: _primes(size) for dim, size in loops}
    while sum(map(len, parts.values())) > most:
        longest = max(parts, key=lambda d: len(parts[d]))
        first, second, *rest = parts[longest]
        parts[longest] = sorted([first * second, *rest])
    return [(dim, size) for dim, sizes in parts.items() for size in sizes]


def _primes(size: int) -> list[int]:
    found = []
    for prime in range(2, size + 1):
        while size % prime == 0:
            found.append(prime)
            size //= prime
    return found


def nest_of(
    workload: Workload, mapping: Mapping, codelet: Codelet, acg: Acg
) -> tuple[Order, Order]:
    """Our loops of a launch and around it in the peer's names, innermost first."""
    steps = steps_of(mapping, codelet, acg)
    names = PEER_DIMS[type(workload.shape)]
    tile = codelet.extents
    outer: Order = []
    for level in mapping.levels:
        for loop in level.loops:
            outer.insert(0, (loop.dim, loop.trips))
            tile[loop.dim] = loop.tile
    inner = [(d, -(-tile[d] // steps.get(d, 1))) for d in reversed(mapping.inner)]
    return _named(inner, names), _named(outer, names)


def _named(loops: Order, names: dict[str, str]) -> Order:
    return [(names[d], trips) for d, trips in loops if trips > 1]


def run(python: str, jobs: Sequence[dict[str, Any]]) -> Iterator[Peer]:
    """Results in the order of the jobs, as they come."""
    with subprocess.Popen(
        [python, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(list(jobs)))
        process.stdin.close()
        for line in process.stdout:
            yield _peer(json.loads(line))


def _peer(found: dict[str, Any]) -> Peer:
    if "error" in found:
        return Peer(found["name"], 0, 0.0, 0.0, "", [], {}, error=found["error"])
    nest = found["nest"]
    inside = {op: sum(len(level) for level in levels[:-1]) for op, levels in nest.items()}
    order = [(dim, size) for level in nest["O"] for dim, size in level]
    return Peer(
        found["name"],
        found["cycles"],
        found["picojoules"] / 1e6,
        found["cpu_seconds"],
        found["version"],
        order,
        inside,
        found["cycle_parts"],
        {part: value / 1e6 for part, value in found["picojoule_parts"].items()},
    )
