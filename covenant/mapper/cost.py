"""What a mapping costs: integer cycles, bytes and femtojoules by the formulas the solver minimises.

In: a mapping, its codelet and architecture. Out: `Cost`. Formulas, with the RTL module each
describes (`lat` = latency of a site's road, X = exchanges of its tile, one bar per site; a site is
an operand in a memory):

- compute (cvn_gemm): per position of the stationary operand and per launch max(array steps of the
  dims it lacks, cycles to exchange it), their sum where the node has one set of registers; for sums
  the exchange is the drain of a tile, for weights and inputs the load of one; plus the hand-over
  between launches (cvn_job_queue). A step takes as long as the slowest stream it needs.
- conflicts (cvn_tcdm): what `banking.sharing` says of the banks that the buffers share: cycles that
  the array loses, that transfers are pressed by it, that the banks of results are busy.
- load, store (cvn_dma): rows * max(beats, (latency + beats) / outstanding) + set-up per exchange,
  exact for tails, halos and fills, averaged over where in a beat rows start; with buses no wider
  than a word each word takes its time. Reads and writes have their own channel, off-chip memories
  one for all, other memories one per memory they feed. Partial sums that do not stay in an inner
  memory go out once per chunk of their reduction and come back for all but the first, also for that
  when they have an initial value.
- latency = start + longest path + last store of every depth + end (`stages`), where fill = first
  tiles of every input at every depth, none before its instruction words, and a path is P1 fill +
  compute + conflicts + `gaps` + what single buffers expose, P2 per channel all loads + first tiles
  of outer depths + pressed + last launch, P3 per channel fill + first launch + all stores +
  pressed, P4 per site half of (compute + conflicts + its moves + X * lat): a slot is refilled only
  when the launch that used it has ended, P5 instruction words (cvn_command), P6 fill + records of
  all launches (cvn_params), P7 fill + busy banks.
- energy: per word moved reading one memory and writing the other (every instance that receives it),
  per array step its streams' beats and the node, per load of a stationary input its beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.mapper.gaps import exchanged, waits, watched
from covenant.mapper.latency import LongPath, add_up, fills, paths, rest
from covenant.mapper.mapping import Loop, Mapping, Placement, Role
from covenant.mapper.roofline import peak_macs, roofline
from covenant.mapper.sharing import Sharing, sharing
from covenant.mapper.sites import Routes, Site, sum_energy
from covenant.mapper.space import Row, Space, space_of
from covenant.mapper.streams import binding_of
from covenant.mapper.tally import Tally


@dataclass(frozen=True, slots=True)
class Moves:
    """Transfers of one site: how often its tile is exchanged, cycles of all, first and last
    exchange, words of all; cycles and words of sums that come back. outer: the memory they are
    exchanged with."""

    port: str
    exchanges: int
    cycles: int
    first: int
    last: int
    words: int
    back_cycles: int = 0
    back_words: int = 0
    outer: str = ""
    memory: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cycles of the whole layer (`latency`), of its parts, of the roofline; bytes; femtojoules.

    conflicts: cycles lost to bank conflicts. `bound_by` names the path that is longest: compute,
    serial, load, store, refill, banks or control.
    """

    latency: int
    compute: int
    conflicts: int
    load: int
    store: int
    launches: int
    dram_read_bytes: int
    dram_write_bytes: int
    energy_femtojoules: int
    roofline_cycles: int
    macs: int
    peak_macs: int
    """Per cycle of a full array."""
    used_bytes: int
    bound_by: str
    moves: tuple[Moves, ...]

    @property
    def dram_bytes(self) -> int:
        """Bytes over the off-chip port, both directions."""
        return self.dram_read_bytes + self.dram_write_bytes

    @property
    def utilization(self) -> float:
        """Roofline cycles / latency."""
        return self.roofline_cycles / self.latency if self.latency else 0.0

    @property
    def mac_utilization(self) -> float:
        """Multiply-accumulates / those the array could do in the same cycles."""
        return self.macs / (self.peak_macs * self.latency) if self.latency else 0.0


def evaluate(mapping: Mapping, codelet: Codelet, acg: Acg) -> Cost:
    """The cost of any mapping, optimal or not."""
    fused = fuse(codelet, mapping.fused)
    space = space_of(fused, acg, binding_of(mapping), _routes(mapping, acg))
    rows = _innermost_rows(mapping, space.extents)
    moves = {s.key: _moves(space, mapping, s) for s in space.moved}
    tally = Tally.of(space, rows)
    placed = {key: move.words for key, move in moves.items()}
    if space.partial is not None:
        placed[space.partial.port] = tally.raw_words
    shared = Sharing(0, 0, 0)
    if space.banked:
        own = [p for p in mapping.placements if p.memory == space.memory.name]
        shared = sharing(space.memory, space.banked, own, tally.load(space), placed)
    work = tally.work(space, shared)
    single = frozenset(_key(mapping, p) for p in mapping.placements if p.copies == 1)
    found = longest_paths(space, work, tally.launches, moves, single)
    longest = max(value for _, value in found)
    dram = [(m, s) for s in space.moved for m in [moves[s.key]] if s.outer and s.outer.off_chip]
    loaded = (Role.INPUT, Role.CONSTANT)
    reads = [(m, s) for m, s in dram if s.operand.role in loaded]
    writes = [(m, s) for m, s in dram if s.operand.role not in loaded]
    return Cost(
        latency=longest + ends(space, moves) + space.machine.start + space.machine.end,
        compute=tally.compute(space),
        conflicts=shared.lost,
        load=sum(m.cycles for m, _ in reads) + sum(m.back_cycles for m, _ in dram),
        store=sum(m.cycles for m, _ in writes),
        launches=tally.launches + tally.pairs,
        dram_read_bytes=sum(m.words * s.word_bytes for m, s in reads)
        + sum(m.back_words * s.word_bytes for m, s in dram),
        dram_write_bytes=sum(m.words * s.word_bytes for m, s in writes),
        energy_femtojoules=tally.energy(space) + sum(_energy(s, moves[s.key]) for s in space.moved),
        roofline_cycles=roofline(codelet, acg, space),
        macs=codelet.macs,
        peak_macs=peak_macs(acg, space),
        used_bytes=sum(p.copies * p.layout.bytes for p in mapping.placements),
        bound_by=next(name for name, value in found if value == longest),
        moves=tuple(moves.values()),
    )


def _routes(mapping: Mapping, acg: Acg) -> Routes:
    """Memories of every port, outermost first."""
    off_chip = {m.name for m in acg.off_chip}
    found: dict[str, tuple[str, ...]] = {}
    for placement in mapping.placements:
        if placement.memory not in off_chip:
            found[placement.port] = (*found.get(placement.port, ()), placement.memory)
    return found


def _key(mapping: Mapping, placement: Placement) -> str:
    if mapping.placement(placement.port) is placement:
        return placement.port
    return f"{placement.port}@{placement.memory}"


def _innermost_rows(mapping: Mapping, extents: dict[str, int]) -> dict[str, Row]:
    tiles = {loop.dim: loop.tile for level in mapping.levels for loop in level.loops}
    return {d: Row(-(-extents[d] // tile), tile) for d, tile in tiles.items()}


def _energy(site: Site, move: Moves) -> int:
    """Femtojoules of the words of a site."""
    if site.operand.role is Role.PARTIAL:
        return site.word_femtojoules * move.back_words + sum_energy(site) * move.words
    return site.word_femtojoules * move.words


def _moves(space: Space, mapping: Mapping, site: Site) -> Moves:
    """Sums over the exchanges of a site's tile."""
    placement = next(
        p
        for p in mapping.placements
        if p.port == site.operand.port and p.memory == site.memory.name
    )
    dims = space.site(site.follows).operand.dims if site.follows else site.operand.dims
    return site_moves(space, site, resident_tiles(mapping, placement, dims))


def resident_tiles(mapping: Mapping, placement: Placement, dims: Sequence[str]) -> dict[str, int]:
    """Tile of every dim that a loop outside the cut splits, without the innermost of these loops
    that none of `dims` belongs to."""
    loops: list[Loop] = [x for level in mapping.levels[: placement.level] for x in level.loops]
    loops += mapping.levels[placement.level].loops[: placement.cut]
    while loops and loops[-1].dim not in dims:
        loops.pop()
    return {loop.dim: loop.tile for loop in loops}


def site_moves(space: Space, site: Site, tiles: dict[str, int]) -> Moves:
    """Transfers of a site whose resident tile is cut to these tiles in these dims."""
    operand, extents = site.operand, space.extents
    rows = {d: (extents[d], -(-extents[d] // t), t) for d, t in tiles.items()}
    own = {d: rows.get(d, (extents[d], 1, extents[d])) for d in operand.dims}
    repeats = 1
    if operand.role is not Role.OUTPUT and site.repeats:
        once = space.reduced if site.follows else ()
        others = [d for d in rows if d not in operand.dims and d not in once]
        repeats = prod(rows[d][1] for d in others)
    trips = prod(n for _, n, _ in own.values())
    made = [space.columns(site, group, own) for group in space.groups[site.key]]
    setup, lead = space.setup(site), space.lead(site)
    total = prod(c.total for c in made) * site.times
    words = prod(c.words for c in made) * site.times
    out, back = repeats, 0
    if operand.role is Role.PARTIAL:
        back = repeats - (0 if site.started and not site.spills else 1)
        out = back if site.spills else repeats
    return Moves(
        operand.port,
        repeats * trips,
        out * (total + trips * setup),
        prod(c.first for c in made) * site.times + lead,
        prod(c.last for c in made) * site.times + lead,
        out * words,
        back * (total + trips * setup),
        back * words,
        site.outer.name if site.outer is not None else "",
        site.memory.name,
    )


def ends(space: Space, moves: dict[str, Moves]) -> int:
    """Cycles of the last stores, which nothing hides."""
    return sum(moves[s.key].last for s in space.moved if s.operand.role is Role.OUTPUT)


def longest_paths(
    space: Space,
    work: dict[str, int],
    launches: int,
    moves: dict[str, Moves],
    single: frozenset[str],
    known: tuple[LongPath, ...] = (),
) -> list[tuple[str, int]]:
    """Named paths, from the first data to the end of the last launch (or of the last store but
    one); `single`: keys of sites with one buffer; `known`: the space's paths."""
    exposed: dict[str, int] = {}

    def quantity(key: str, name: str) -> int:
        if not key:
            return work[name]
        return exposed[key] if name == "exposed" else _quantity(moves[key], name)

    fill = max(add_up(path, quantity) for path in fills(space))
    seen = [
        exchanged(s, m.exchanges, m.first, m.cycles, s.key not in single)
        for s in watched(space)
        for m in [moves[s.key]]
    ]
    work = {**work, "fill": fill, "gaps": waits(seen, launches, work)}
    for site in space.moved:
        left = add_up(rest(space, site), quantity)
        exposed[site.key] = left if (site.follows or site.key) in single else 0
    found = [(path.name, add_up(path, quantity)) for path in known or paths(space)]
    if any(exposed.values()):
        found[0] = ("serial", found[0][1])
    return [*found, ("control", _words(space, launches, work, moves))]


def _words(space: Space, launches: int, work: dict[str, int], moves: dict[str, Moves]) -> int:
    """Cycles of the instruction words of all launches (cvn_command)."""
    machine = space.machine
    words = machine.launch_words * launches
    for site in space.moved:
        words += (machine.move_words + space.pad_words(site)) * moves[site.key].exchanges
    if not machine.queued:
        return words
    turns = min(launches, 2 * (launches - work["full"]))
    words += machine.piece_words * work["pairs"]
    return words + machine.turn_words * turns + work["last"] + machine.control


def _quantity(move: Moves, name: str) -> int:
    match name:
        case "exchanges":
            return move.exchanges
        case "total":
            return move.cycles
        case "back":
            return move.back_cycles
        case "first":
            return move.first
        case _:
            return move.last
