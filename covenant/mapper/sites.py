"""Sites: the memories that every operand of a binding passes, and the roads between them.

In: an architecture, operands, a route for each. Out: `Site`s. An operand has one site per memory
on its route, outermost first; an operand that a node exchanges with the off-chip memory directly
has one site there, which moves with the tile of the partial sums.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import networkx as nx

from covenant.acg.graph import Acg, Capability, Memory, Transfer
from covenant.acg.stages import CLUSTER
from covenant.codelets.ir import Codelet
from covenant.mapper.candidates import Binding
from covenant.mapper.joints import joints, movers
from covenant.mapper.mapping import Layout, LayoutAxis, Role
from covenant.mapper.operands import Operand, capability_of, main_capability
from covenant.mapper.rewrite import main_step, rewritten
from covenant.mapper.spans import Tiles
from covenant.mapper.stages import stages_of
from covenant.mapper.traffic import Columns, Group, Path

Routes = Map[str, tuple[str, ...]]
"""Port -> on-chip memories from the outermost to the one its stream reaches."""

SUMS = "sums"
"""Ability of a transfer that moves raw partial sums between a memory and an off-chip one."""

_MOST_ROUTES = 32
"""Combinations of routes that are tried for one binding."""


@dataclass(frozen=True, slots=True)
class Site:
    """An operand in a memory.

    key: the port for the innermost memory of its route, `port@memory` for the others. packing: the
    innermost memory, whose words it is packed into (without banks for outer sites). depth: number
    of levels whose loops may exchange its tile. outer: memory its tile comes from or goes to, None
    where nothing is moved. road: how. follows: key of the site whose tile it moves with, "" when it
    has one of its own. copies: instances of the memory that receive the same word. lanes: dims
    along which the memory has instances, their number, the lanes of each. times: how often a node
    reads the same words for one tile; repeats: whether it reads them again for every tile. started:
    the sums have an initial value, which is read too. word_femtojoules: to move one word.
    """

    key: str
    operand: Operand
    memory: Memory
    packing: Memory
    depth: int
    outer: Memory | None
    road: Path
    follows: str = ""
    copies: int = 1
    lanes: tuple[tuple[str, int, int], ...] = ()
    times: int = 1
    repeats: bool = True
    started: bool = False
    word_femtojoules: int = 0

    @property
    def spills(self) -> bool:
        """Whether it is partial sums that go off chip; the last ones leave as results."""
        off_chip = self.outer is not None and self.outer.off_chip
        return off_chip and self.operand.role is Role.PARTIAL

    @property
    def word_bytes(self) -> int:
        """Bytes of the words that its columns count."""
        return self.packing.word_bytes

    @property
    def is_plain(self) -> bool:
        """Whether rows and banks make no difference: words move one by one, in any order."""
        narrow = self.road.bus <= self.word_bytes and self.road.row(1) <= 1
        return self.packing.banks == 1 and narrow and self.operand.source is None


def route_choices(
    codelet: Codelet, acg: Acg, binding: Binding, placed: Sequence[Operand]
) -> list[Routes]:
    """Every combination of routes, the shortest first."""
    options = [(o.port, _routes(codelet, acg, binding, o)) for o in placed if not o.follows]
    combined = itertools.product(*(routes for _, routes in options))
    ports = [port for port, _ in options]
    found: list[Routes] = [dict(zip(ports, c, strict=True)) for c in combined]
    return sorted(found, key=lambda r: sum(map(len, r.values())))[:_MOST_ROUTES]


def routes_of(found: Sequence[Site]) -> Routes:
    """The routes that sites lie on."""
    made: dict[str, tuple[str, ...]] = {}
    for site in sorted(found, key=lambda s: s.depth):
        if not site.follows:
            made[site.operand.port] = (*made.get(site.operand.port, ()), site.memory.name)
    return made


def _routes(
    codelet: Codelet, acg: Acg, binding: Binding, operand: Operand
) -> list[tuple[str, ...]]:
    graph = movers(acg)
    off_chip = [m.name for m in acg.off_chip]
    if operand.role is Role.PARTIAL:
        met = _meeting(codelet, acg, binding, operand)
        if met == operand.memory:
            return [(operand.memory,)]
        return _simple(graph, met, operand.memory, off_chip, whole=True)
    if operand.role is Role.OUTPUT:
        graph = graph.reverse()
    found = [r for o in off_chip for r in _simple(graph, o, operand.memory, off_chip, whole=False)]
    return found or [(operand.memory,)]


def _simple(
    graph: nx.DiGraph, source: str, target: str, off_chip: list[str], *, whole: bool
) -> list[tuple[str, ...]]:
    """Simple paths through on-chip memories; `whole`: with their source, and only where there is a
    way back."""
    if source not in graph or target not in graph:
        return []
    paths = [tuple(path) for path in nx.all_simple_paths(graph, source, target, cutoff=4)]
    kept = [p for p in paths if not set(p[1:]) & set(off_chip)]
    if not whole:
        return sorted({p[1:] for p in kept}, key=lambda p: (len(p), p))
    back = [p for p in kept if all(graph.has_edge(b, a) for a, b in itertools.pairwise(p))]
    return sorted(set(back), key=lambda p: (len(p), p))


def _meeting(codelet: Codelet, acg: Acg, binding: Binding, operand: Operand) -> str:
    """The memory in which other steps find partial sums; that of the reducing step by default."""
    form = rewritten(codelet, binding.rewriting)
    for joint in joints(form, acg, binding.steps):
        if joint.step != main_step(form):
            return acg.stream_memory(joint.stream).name
    return operand.memory


def depths(routes: Routes) -> dict[str, int]:
    """On-chip depth of every memory: one more than that of the memory outside it, the greatest for
    those with none inside."""
    deepest = max((len(r) for r in routes.values()), default=1)
    found: dict[str, int] = {}
    outer = {m for r in routes.values() for m in r[:-1]}
    for route in sorted(routes.values(), key=len):
        for place, memory in enumerate(route, start=1):
            found[memory] = max(found.get(memory, 0), place if memory in outer else deepest)
    return found


def sites(
    codelet: Codelet, acg: Acg, binding: Binding, placed: Sequence[Operand], routes: Routes
) -> tuple[Site, ...]:
    """All sites, in the order of the operands, outermost first."""
    depth = depths(routes)
    lanes = _lane_dims(codelet, acg, binding)
    form = rewritten(codelet, binding.rewriting)
    begun = {s.target.name for s in form.steps[: main_step(form)]}
    found: list[Site] = []
    for operand in placed:
        if operand.follows:
            found.append(_follower(codelet, acg, binding, operand, placed, routes, depth))
            continue
        route = routes[operand.port]
        innermost = acg.memory(route[-1])
        outer = _outermost(acg, operand, route[0])
        for name in route:
            memory = acg.memory(name)
            last = name == route[-1]
            packing = innermost if last else replace(innermost, banks=1, bank_group=0)
            own = tuple(
                (d, -(-n // each), each)
                for c, each in zip(memory.per, memory.lanes_each, strict=True)
                if c in lanes
                for d, n in [lanes[c]]
            )
            key = operand.port if last else f"{operand.port}@{name}"
            way = road(acg, operand, outer, memory)
            site = Site(key, operand, memory, packing, depth[name], outer, way, lanes=own)
            copies = prod(n for d, n, _ in own if d not in operand.dims)
            site = replace(site, copies=copies, started=operand.tensor in begun)
            found.append(replace(site, word_femtojoules=_word_energy(site)))
            outer = memory
    return tuple(found)


def _outermost(acg: Acg, operand: Operand, memory: str) -> Memory | None:
    """The off-chip memory that a route starts or ends at; None for partial sums that no transfer
    takes off the chip and back."""
    if operand.role is Role.PARTIAL:
        return next((o for o in acg.off_chip if _moves_sums(acg, o.name, memory)), None)
    for outer in acg.off_chip:
        if acg.between(outer.name, memory) or acg.between(memory, outer.name):
            return outer
    return acg.off_chip[0]


def _moves_sums(acg: Acg, outer: str, inner: str) -> bool:
    ways = (acg.between(outer, inner), acg.between(inner, outer))
    return all(any(SUMS in t.abilities for t in way) for way in ways)


def _word_energy(site: Site) -> int:
    """Femtojoules to read a word on one side and write it on the other; of sums to bring one in
    (`sum_energy` is for taking one out)."""
    if site.outer is None:
        return 0
    if site.operand.role is Role.OUTPUT:
        return _share(site, site.memory, write=False) + _share(site, site.outer, write=True)
    inner = _share(site, site.memory, write=True) * site.copies
    return _share(site, site.outer, write=False) + inner


def sum_energy(site: Site) -> int:
    """Femtojoules to take one word of partial sums out to the outer memory."""
    if site.outer is None:
        return 0
    return _share(site, site.memory, write=False) + _share(site, site.outer, write=True)


def _share(site: Site, memory: Memory, *, write: bool) -> int:
    """Femtojoules of one of the site's words in a memory."""
    energy = memory.write_femtojoules_per_word if write else memory.read_femtojoules_per_word
    return energy * site.word_bytes // memory.word_bytes


def _lane_dims(codelet: Codelet, acg: Acg, binding: Binding) -> dict[str, tuple[str, int]]:
    """Capability dim -> (codelet dim or "", lanes) of the reducing step."""
    step = binding.steps[main_step(rewritten(codelet, binding.rewriting))]
    bound = dict(step.dims)
    extents = main_capability(acg, codelet, binding).extents
    return {c: (bound.get(c, ""), n) for c, n in extents.items()}


def _follower(
    codelet: Codelet,
    acg: Acg,
    binding: Binding,
    operand: Operand,
    placed: Sequence[Operand],
    routes: Routes,
    depth: Map[str, int],
) -> Site:
    """What a node exchanges with the off-chip memory, at the rate of its stream."""
    memory = acg.memory(operand.memory)
    stream = acg.transfer(operand.stream)
    route = routes[operand.follows]
    led = operand.follows if len(route) == 1 else f"{operand.follows}@{route[0]}"
    if operand.role is Role.OUTPUT:
        bus = min(
            stream.bytes_per_cycle, memory.write_bytes_per_cycle, _rate(acg, binding, operand)
        )
        way = Path(max(1, bus), 0, 0)
    else:
        bus = min(stream.bytes_per_cycle, memory.read_bytes_per_cycle)
        way = Path(bus, 0, memory.latency_cycles)
    packing = replace(memory, banks=1, bank_group=0)
    at = depth[route[0]]
    site = Site(operand.port, operand, memory, packing, at, memory, way, follows=led)
    step = next(s for s in binding.steps if operand.tensor in dict(s.tensors).values())
    capability = capability_of(acg, step)
    sums = next(o for o in placed if o.port == operand.follows)
    energy = _follower_energy(site, sums, acg.memory(route[0]), capability)
    if operand.role is Role.OUTPUT or capability.stationary == operand.port:
        return replace(site, word_femtojoules=energy)
    others = [d for d in sums.dims if d not in operand.dims]
    times = prod(codelet.extents[d] for d in others)
    return replace(site, word_femtojoules=energy, times=times, repeats=False)


def _follower_energy(site: Site, sums: Operand, memory: Memory, capability: Capability) -> int:
    """Of one word between off-chip memory and node, with the sums a result is made of."""
    if site.operand.role is not Role.OUTPUT:
        return site.memory.read_femtojoules_per_word
    elements = site.word_bytes // site.operand.dtype.bytes
    read = elements * sums.dtype.bytes * memory.read_femtojoules_per_word // memory.word_bytes
    beat = prod(n for _, n in site.operand.beat)
    made = elements * capability.femtojoules_per_step // beat
    return site.memory.write_femtojoules_per_word + read + made


def _rate(acg: Acg, binding: Binding, operand: Operand) -> int:
    """Bytes per cycle at which a node makes a result."""
    for step in binding.steps:
        for capability in acg.compute(step.node).capabilities:
            if capability.name == step.capability and operand.port in {
                p.name for p in capability.outputs
            }:
                size = prod(n for _, n in operand.beat) * operand.dtype.bytes
                return size // capability.step_cycles
    return 1


def road(acg: Acg, operand: Operand, outer: Memory | None, inner: Memory) -> Path:
    """The way between two memories: of results outward, of everything else inward; without one for
    partial sums that stay. An off-chip latency covers the whole of a tile's first row."""
    if outer is None:
        return Path(0, 0, 0)
    out = operand.role is Role.OUTPUT
    ways = acg.between(inner.name, outer.name) if out else acg.between(outer.name, inner.name)
    if not ways:
        return Path(0, 0, 0)
    sums = operand.role is Role.PARTIAL and outer.off_chip
    transfer = next((t for t in ways if not sums or SUMS in t.abilities), ways[0])
    if out:
        bus = min(transfer.bytes_per_cycle, outer.write_bytes_per_cycle)
        clear = stages_of(acg).clear(outer)
        wait, ahead = outer.write_latency_cycles, transfer.outstanding
        return Path(bus, transfer.setup_cycles, clear, wait, ahead, _burst(transfer))
    bus = min(transfer.bytes_per_cycle, outer.read_bytes_per_cycle)
    issue = acg.control.issue_cycles if acg.control is not None else 0
    wait, ahead = outer.latency_cycles, transfer.outstanding
    first = stages_of(acg).refill(outer, acg.transfer(operand.stream), issue)
    first = max(0, first - wait // ahead)  # rows count it where few may be under way
    return Path(bus, transfer.setup_cycles, first, wait, ahead, _burst(transfer))


def _burst(transfer: Transfer) -> int:
    """Bytes of the largest request."""
    return min(CLUSTER.burst_bytes, CLUSTER.burst_beats * transfer.bytes_per_cycle)


def lane_size(
    site: Site, group: Group, tiles: Tiles, steps: Map[str, int], made: Columns
) -> Columns:
    """Columns of a group with the words that one instance of the memory holds: along lanes only its
    own positions, those of its array steps."""
    size = 1
    for axis in group.axes:
        size *= instance_axis(site, axis, {d: tiles[d][2] for d in group.dims}, steps)
    return replace(made, size=size)


def instance_axis(site: Site, axis: int, tile: Map[str, int], steps: Map[str, int]) -> int:
    """Words (positions, where the axis is not the packed one) of an axis in one instance, for whole
    array steps: those of every turn, or all between the first and the last one."""
    index = site.operand.indices[axis]
    spread = {d: min(each, steps[d]) for d, _, each in site.lanes if d in index.dims}
    turns = {d: -(-tile[d] // steps[d]) for d in spread}
    plain = {d: tile[d] for d in index.dims}
    inside = index.span({**plain, **spread})
    hull = index.span({**plain, **{d: (turns[d] - 1) * steps[d] + n for d, n in spread.items()}})
    positions = min(hull, prod(turns.values()) * inside)
    if axis != site.operand.packed_axis:
        return positions
    return -(-positions // site.operand.block(site.word_bytes))


def lane_layout(site: Site, tile: Map[str, int], steps: Map[str, int]) -> Layout:
    """Layout of what one instance of a memory holds: its words, axis by axis."""
    unit = site.operand.dtype.bytes
    at, block = site.operand.packed_axis, site.operand.block(site.word_bytes)
    axes: list[LayoutAxis] = [LayoutAxis(at, 1, block, unit)] if at >= 0 else []
    pitch = site.word_bytes
    for axis in reversed(range(len(site.operand.indices))):
        count = instance_axis(site, axis, tile, steps)
        axes.insert(0, LayoutAxis(axis, block if axis == at else 1, count, pitch))
        pitch *= count
    return Layout(tuple(axes), pitch)
