"""What a mapping costs: integer cycles, bytes and femtojoules by the formulas the solver minimises.

In: a mapping, its codelet and architecture. Out: `Cost`. Formulas, with the RTL module each
describes (`lat` = latency of an operand's path, X = exchanges of its tile, one bar per operand):

- compute (cvn_gemm): sum over launches of max(array steps, drain of a tile) per output tile, plus
  the hand-over between launches (cvn_job_queue).
- conflicts (cvn_tcdm): what `banking.loss` says of the banks that the buffers share.
- load, store (cvn_dma): rows * max(beats of a row, latency / outstanding) + set-up per exchange,
  exact for tails, halos and fills, averaged over where in a beat rows start; reads and writes have
  their own channel.
- latency = start + longest path + last store + end, where fill = first tile of every input, and a
  path is P1 fill + compute + conflicts + what single buffers expose, P2 all loads + last launch,
  P3 fill + first launch + all stores, P4 per operand half of (compute + conflicts + its moves + X *
  lat): a slot is refilled only when the launch that used it has ended, P5 instruction words
  (cvn_command).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.codelets.ir import Role as TensorRole
from covenant.mapper.banking import loss
from covenant.mapper.mapping import Mapping, Placement, Role
from covenant.mapper.operands import Operand, capability_of
from covenant.mapper.space import Row, Space, reduction_columns, space_of
from covenant.mapper.streams import binding_of
from covenant.mapper.traffic import columns


@dataclass(frozen=True, slots=True)
class Moves:
    """Transfers of one operand: how often its tile is exchanged, cycles of all, first and last
    exchange, off-chip words of all."""

    port: str
    exchanges: int
    cycles: int
    first: int
    last: int
    words: int


@dataclass(frozen=True, slots=True)
class Jobs:
    """Compute cycles of all launches with conflicts, of the first and of the last one; how many
    there are."""

    compute: int
    first: int
    last: int
    launches: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cycles of the whole layer (`latency`), of its parts, of the roofline; bytes; femtojoules.

    conflicts: cycles lost to bank conflicts. `bound_by` names the path that is longest: compute,
    serial, load, store, refill or control.
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
    """Multiply-accumulates per cycle of a full array."""
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
    space = space_of(fuse(codelet, mapping.fused), acg, binding_of(mapping))
    rows = {loop.dim: Row(loop.trips, loop.tile) for loop in mapping.levels[0].loops}
    moves = {
        o.port: _moves(space, mapping, mapping.placement(o.port), o, rows)
        for o in (*space.loads, *space.stores)
    }
    loads = [moves[o.port] for o in space.loads]
    store = moves[space.stores[0].port]
    launches = prod(r.trips for r in rows.values())
    cycles, first, last, steps, chunks = reduction_columns(space, rows)
    outer = outer_steps(space, rows)
    compute = outer[0] * cycles + launches * space.machine.launch_overhead
    placed = {port: move.words for port, move in moves.items()}
    if space.partial is not None:
        placed[space.partial.port] = space.machine.partial_words * outer[0] * (chunks - 1)
    lost = loss(space.memory, space.operands, mapping.placements, outer[0] * steps, placed)
    jobs = Jobs(compute + lost, outer[1] * first, outer[2] * last, launches)
    single = frozenset(p.port for p in mapping.placements if p.copies == 1)
    paths = longest_paths(space, jobs, moves, single)
    longest = max(value for _, value in paths)
    word = space.memory.word_bytes
    energy = (
        space.machine.step_energy * outer[0] * steps
        + space.machine.tile_energy * outer[0]
        + space.machine.partial_energy * outer[0] * (chunks - 1)
        + sum(space.word_energy(o) * moves[o.port].words for o in (*space.loads, *space.stores))
    )
    return Cost(
        latency=longest + store.last + space.machine.start + space.machine.end,
        compute=compute,
        conflicts=lost,
        load=sum(m.cycles for m in loads),
        store=store.cycles,
        launches=launches,
        dram_read_bytes=sum(m.words for m in loads) * word,
        dram_write_bytes=store.words * word,
        energy_femtojoules=energy,
        roofline_cycles=roofline(codelet, acg, space),
        macs=codelet.macs,
        peak_macs=peak_macs(acg, space),
        used_bytes=sum(p.copies * p.layout.bytes for p in mapping.placements),
        bound_by=next(name for name, value in paths if value == longest),
        moves=tuple(moves.values()),
    )


def outer_steps(space: Space, rows: dict[str, Row]) -> tuple[int, int, int]:
    """Output tiles of the array: of the whole layer, of the first and of the last launch."""
    total = first = last = 1
    for dim in space.inner:
        if dim in space.reduced:
            continue
        row = rows.get(dim, Row(1, space.extents[dim]))
        tail = space.extents[dim] - (row.trips - 1) * row.tile
        total *= space.summed_steps(dim, row.trips, row.tile)
        first *= space.job_steps(dim, row.tile)
        last *= space.job_steps(dim, tail)
    return total, first, last


def _moves(
    space: Space, mapping: Mapping, placement: Placement, operand: Operand, rows: dict[str, Row]
) -> Moves:
    """Sums over the exchanges of one operand's tile."""
    loops = mapping.levels[0].loops[: placement.cut]
    while loops and loops[-1].dim not in operand.dims:
        loops = loops[:-1]
    outside = {loop.dim for loop in loops}
    tiles = {}
    for dim in operand.dims:
        extent = space.extents[dim]
        row = rows[dim] if dim in outside else Row(1, extent)
        tiles[dim] = (extent, row.trips, row.tile)
    repeats = 1
    if operand.role is not Role.OUTPUT:
        repeats = prod(loop.trips for loop in loops if loop.dim not in operand.dims)
    exchanges = repeats * prod(trips for _, trips, _ in tiles.values())
    made = [
        columns(operand, group, tiles, space.memory, space.paths[operand.port])
        for group in space.groups[operand.port]
    ]
    setup = space.setup(operand)
    return Moves(
        operand.port,
        exchanges,
        repeats * prod(c.total for c in made) + exchanges * setup,
        prod(c.first for c in made) + setup,
        prod(c.last for c in made) + setup,
        repeats * prod(c.words for c in made),
    )


def longest_paths(
    space: Space, jobs: Jobs, moves: dict[str, Moves], single: frozenset[str]
) -> list[tuple[str, int]]:
    """Named paths, from the first data to the end of the last launch (or of the last store but
    one); `single`: ports with one buffer."""
    loads = [moves[o.port] for o in space.loads]
    store = moves[space.stores[0].port]
    fill = sum(m.first for m in loads)
    serial = 0
    chains = []
    for move in (*loads, store):
        lead = move.last if move is store else move.first
        rest = move.cycles - lead + space.paths[move.port].latency_cycles * (move.exchanges - 1)
        serial += rest if move.port in single else 0
        chains.append(fill + -(-(jobs.compute + jobs.first + rest) // 2))
    exchanges = sum(m.exchanges for m in (*loads, store))
    words = space.machine.launch_words * jobs.launches + space.machine.move_words * exchanges
    return [
        ("compute" if not serial else "serial", fill + jobs.compute + serial),
        ("load", sum(m.cycles for m in loads) + jobs.last),
        ("store", fill + jobs.first + store.cycles - store.last),
        ("refill", max(chains)),
        ("control", words),
    ]


def peak_macs(acg: Acg, space: Space) -> int:
    """Multiply-accumulates per cycle of a full array."""
    first = capability_of(acg, space.binding.steps[0])
    return prod(first.extents.values()) // first.step_cycles


def roofline(codelet: Codelet, acg: Acg, space: Space) -> int:
    """max(MACs / peak MACs per cycle, compulsory bytes / bytes per cycle of either direction)."""
    peak = peak_macs(acg, space)
    read = write = 0
    for tensor in codelet.tensors:
        if tensor.role in (TensorRole.INPUT, TensorRole.CONSTANT):
            read += tensor.elements * tensor.dtype.bytes
        elif tensor.role is TensorRole.OUTPUT:
            write += tensor.elements * tensor.dtype.bytes
    load_bus = max((space.paths[o.port].bus for o in space.loads), default=0) or 1
    store_bus = max((space.paths[o.port].bus for o in space.stores), default=0) or 1
    return max(-(-codelet.macs // peak), -(-read // load_bus), -(-write // store_bus))
