"""Constants of the cost formulas: what one array step, one tile and one launch take.

In: a binding and the sites of its operands. Out: `Machine`. RTL: cvn_gemm (drain, hand-over),
cvn_command (words).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from covenant.acg.graph import Acg, Capability
from covenant.codelets.ir import Codelet
from covenant.mapper.candidates import Binding
from covenant.mapper.mapping import Role
from covenant.mapper.operands import Operand, capability_of, reduction_dims
from covenant.mapper.rewrite import main_step, rewritten
from covenant.mapper.sites import Site
from covenant.mapper.stages import Stages, stages_of


@dataclass(frozen=True, slots=True)
class Machine:
    """Constants of one binding on one architecture.

    step_cycles: per array step, that of the slowest stream. tile_drain: cycles to exchange the
    stationary operand: an output tile leaves the array at the end of its reduction, or weights or
    inputs are loaded; partial_drain: the same for raw partial sums, which are read back over the
    same banks. overlaps: a second set of registers hides that. start and end: fixed cycles before
    the first data and after the last compute step. load_words: instruction words before the launch
    of every first load but the first; least_fill: cycles that words take beyond `start` until the
    first launch of the array; queued: launches that wait in a queue, 0 where it is not known how;
    record_cycles: to read a record; pace: cycles per result where nothing is reduced, else 0;
    control: cycles around the words of all launches, less `start`; turn_words: more words where a
    tile has another size than the one before. piece_words: those of two launches of different
    shapes for one tile. launch_words: instruction words per compute launch; move_words: per
    transfer launch. Energies in femtojoules: per array step (with its stream reads), per output
    tile, per load of a stationary input, per raw partial tile written and read back; fixed:
    independent of all decisions. partial_words: words of a raw partial tile.
    """

    step_cycles: int
    tile_drain: int
    partial_drain: int
    overlaps: bool
    launch_overhead: int
    start: int
    end: int
    load_words: int
    least_fill: int
    queued: int
    record_cycles: int
    pace: int
    control: int
    turn_words: int
    piece_words: int
    launch_words: int
    move_words: int
    step_energy: int
    tile_energy: int
    load_energy: int
    partial_energy: int
    fixed_energy: int
    partial_words: int


def machine_of(codelet: Codelet, acg: Acg, binding: Binding, sites: Sequence[Site]) -> Machine:
    """The constants of a binding."""
    own = {s.operand.port: s for s in sites if not s.follows}  # the innermost of each
    loads = [s for s in own.values() if s.operand.role in (Role.INPUT, Role.CONSTANT)]
    partial = next((s for s in own.values() if s.operand.role is Role.PARTIAL), None)
    form = rewritten(codelet, binding.rewriting)
    main = main_step(form)
    first = capability_of(acg, binding.steps[main])
    stationary = next((s for s in loads if _stays(s.operand, first)), None)
    resting = partial is None or not partial.operand.kept or first.keeps_result
    drain, partial_drain = _drains(acg, binding, sites, main, partial, stationary, resting=resting)
    control = acg.control
    queued = control is not None and control.queue_depth > 1
    issue = control.issue_cycles if control is not None else 0
    tables = sum(1 + _record_beats(acg, s) for s in loads if s.operand.once)
    energy = _energies(acg, binding, form, main, own, stationary, resting=resting)
    raw = 0 if partial is None else _beat_bytes(partial.operand)
    stores = [s for s in sites if s.operand.role is Role.OUTPUT]
    stages = stages_of(acg)
    lead = _lead(acg, loads) if stages.in_family else 0
    ready = issue + first.startup_cycles + lead
    memory = next(iter(own.values())).memory
    start = ready + _latency(sites) + stages.first_words + stages.landed + stages.read(memory)
    outer = [s.outer for s in stores if s.outer is not None]
    ends = max((stages.done(m) for m in outer), default=0)
    launch = stages.turn if stages.in_family else issue
    drained = _drained(acg, binding, main) + (drain if resting and stationary is None else 0)
    words = 1 + len(loads) + len({s.operand.port for s in stores}) if control else 0
    if control is not None and control.stall != "none":  # a launch finds its unit idle
        launch += ready + drained
        launch += words if control.stall == "write" else 0
    return Machine(
        step_cycles=_step_cycles(acg, first, own.values(), stationary, resting=resting),
        tile_drain=drain,
        partial_drain=partial_drain,
        overlaps=first.registers > 1,
        launch_overhead=(launch if queued else first.startup_cycles) + tables,
        start=start,
        end=drained + ends,
        load_words=stages.load_words,
        queued=control.queue_depth if control is not None and stages.in_family else 0,
        record_cycles=lead,
        pace=_pace(form, acg, binding, main, drain) if stages.in_family else 0,
        control=stages.first_words + ready - start if stages.in_family else 0,
        turn_words=stages.turn_words,
        piece_words=stages.piece_words,
        least_fill=max(0, _node_words(stages, len(loads)) - start + ready),
        launch_words=words,
        move_words=3 if control else 0,
        step_energy=energy[0],
        tile_energy=energy[1],
        load_energy=energy[2],
        partial_energy=energy[3],
        fixed_energy=_fixed_energy(form, binding, partial, main),
        partial_words=0 if partial is None else raw // partial.word_bytes,
    )


def _lead(acg: Acg, loads: Sequence[Site]) -> int:
    """Cycles in which a launch reads its first record."""
    records = [s for s in loads if s.operand.record_bytes and not s.operand.once]
    return max((_record_beats(acg, s) for s in records), default=0)


def _stays(operand: Operand, capability: Capability) -> bool:
    return operand.port == capability.stationary


def _beat_bytes(operand: Operand) -> int:
    return prod(extent for _, extent in operand.beat) * operand.dtype.bytes


def _record_beats(acg: Acg, site: Site) -> int:
    """Cycles in which a launch loads its first record (cvn_params), or its table
    (cvn_vector_table), before its first step."""
    beat = acg.transfer(site.operand.stream).lanes * site.word_bytes
    return -(-site.operand.record_bytes // beat)


def _pace(form: Codelet, acg: Acg, binding: Binding, main: int, drain: int) -> int:
    """Cycles per result where a step makes one, else 0."""
    capability = capability_of(acg, binding.steps[main])
    if reduction_dims(form):
        return 0
    return max(capability.step_cycles, drain)


def _drained(acg: Acg, binding: Binding, main: int) -> int:
    """Cycles from the end of the last exchange to the last word written, of the node and of those
    chained to it (cvn_post)."""
    return sum(capability_of(acg, s).drain_cycles for s in binding.steps[main:])


def _node_words(stages: Stages, loads: int) -> int:
    """Words before the first launch of a compute node."""
    return stages.first_words + stages.load_words * (loads - 1) + stages.node_words


def _latency(sites: Sequence[Site]) -> int:
    """Latency of the first data: over every depth the longest."""
    found: dict[int, int] = {}
    for site in sites:
        if site.operand.role in (Role.INPUT, Role.CONSTANT) and site.road.bus and site.outer:
            place = found.get(site.depth, 0)
            wait = site.outer.latency_cycles
            found[site.depth] = max(place, wait - wait // site.road.ahead)
    return sum(found.values())


def _step_cycles(
    acg: Acg,
    first: Capability,
    own: Sequence[Site] | object,
    stationary: Site | None,
    *,
    resting: bool,
) -> int:
    """Cycles of a step: those of the node, or of the slowest stream it needs in every step."""
    cycles = first.step_cycles
    for port in first.ports:
        written = port.name == first.statement.target.name
        if not port.tile or (stationary is not None and port.name == stationary.operand.port):
            continue
        if written and resting:
            continue
        size = prod(first.extents[d] for d in port.tile) * max(
            port.held(d).bytes for d in port.dtypes
        )
        for name in {port.stream, port.partial} - {""}:
            stream = acg.transfer(name)
            if not acg.stream_memory(name).per:
                cycles = max(cycles, -(-size // stream.bytes_per_cycle))
    return cycles


def _drains(
    acg: Acg,
    binding: Binding,
    sites: Sequence[Site],
    main: int,
    partial: Site | None,
    stationary: Site | None,
    *,
    resting: bool,
) -> tuple[int, int]:
    """Cycles to exchange the stationary operand, whole and as partial sums."""
    if stationary is not None:
        operand = stationary.operand
        if stationary.memory.per:
            return 1, 1
        cycles = -(-_beat_bytes(operand) // acg.transfer(operand.stream).bytes_per_cycle)
        return cycles, cycles
    if not resting:
        return 0, 0
    kept = partial is not None and partial.operand.kept
    stores = [s for s in sites if s.operand.role is Role.OUTPUT]
    result = partial if kept and partial is not None else _innermost(stores)
    beats = -(-result.operand.beat[-1][1] // result.operand.block(result.word_bytes))
    drain = beats
    if not kept and len(binding.steps) > main + 1:
        last = capability_of(acg, binding.steps[-1])
        columns = result.operand.beat[-1][1]
        name = last.port(result.operand.port).tile[-1]
        drain = max(beats, -(-columns // last.extents.get(name, columns)))
    if partial is None:
        return drain, drain
    words = -(-partial.operand.beat[-1][1] // partial.operand.block(partial.word_bytes))
    return drain, max(drain, 2 * words)


def _innermost(sites: Sequence[Site]) -> Site:
    return next(s for s in sites if s.key == s.operand.port)


def _access(site: Site, *, write: bool) -> int:
    """Energy of one beat of a site's stream, in every instance that takes part."""
    memory = site.memory
    per_word = memory.write_femtojoules_per_word if write else memory.read_femtojoules_per_word
    return _beat_bytes(site.operand) * per_word // memory.word_bytes * site.copies


def _energies(
    acg: Acg,
    binding: Binding,
    form: Codelet,
    main: int,
    own: dict[str, Site],
    stationary: Site | None,
    *,
    resting: bool,
) -> tuple[int, int, int, int]:
    """Per array step, per output tile, per load of the stationary input, per raw partial tile."""
    first = capability_of(acg, binding.steps[main])
    partial = next((s for s in own.values() if s.operand.role is Role.PARTIAL), None)
    step = first.femtojoules_per_step
    for site in own.values():
        if site is not stationary and site.operand.role in (Role.INPUT, Role.CONSTANT):
            step += 0 if site.operand.record_bytes else _access(site, write=False)
    load = 0 if stationary is None else _access(stationary, write=False)
    if partial is None or not partial.operand.kept:
        result = next(s for s in own.values() if s.operand.role is Role.OUTPUT)
        chained = sum(capability_of(acg, s).femtojoules_per_step for s in binding.steps[main + 1 :])
        drain, _ = _drains(acg, binding, list(own.values()), main, partial, None, resting=True)
        raw = 0
        if partial is not None:
            raw = _access(partial, write=False) + _access(partial, write=True)
        return step, _access(result, write=True) + drain * chained, load, raw
    read, write = _access(partial, write=False), _access(partial, write=True)
    started = any(s.target.name == partial.operand.tensor for s in form.steps[:main])
    if resting:
        return step, write + (read if started else 0), load, read + write
    return step + read + write, 0 if started else -read, load, 0


def _fixed_energy(form: Codelet, binding: Binding, partial: Site | None, main: int) -> int:
    """Writing an initial value into every partial sum."""
    if partial is None or not any(
        s.target.name == partial.operand.tensor for s in form.steps[:main]
    ):
        return 0
    size = form.tensor(partial.operand.tensor).elements * partial.operand.dtype.bytes
    return size * partial.memory.write_femtojoules_per_word // partial.memory.word_bytes
