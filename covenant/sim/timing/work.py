"""What a launch amounts to: cycles of work, beats of every stream, accesses of every bank.

In: the unit and the register values of a launch. Out: `Transferred` or `Computed`, cached by the
register values. RTL: cvn_dma_jobs, cvn_dma_bursts, cvn_dma_beats (transfers); cvn_gemm_sequencer,
cvn_vector_sequencer, cvn_post (compute).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from covenant.acg.graph import Acg, Capability, Record
from covenant.acg.stages import CLUSTER
from covenant.emit.steps import active, counters, ends_inside, expected_beats, record_reuse
from covenant.emit.units import ComputeUnit, Dma, Registers, record_bytes
from covenant.sim.timing.pipeline import Pipeline
from covenant.sim.timing.traffic import Banks, NodeTraffic, PathTraffic, StreamTraffic
from covenant.sim.timing.windows import window_cycles


@dataclass(frozen=True, slots=True, eq=False)
class Transferred:
    """A transfer. beats: of the bus; cycles: that its transfer node is busy; requests: cycles of
    those to the far memory, 0 for a fill."""

    beats: int
    cycles: int
    requests: int
    traffic: PathTraffic


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """A tile job of a compute node, in cycles.

    steps: array steps in all; tile: cycles of a tile; exchange: cycles in which its result leaves;
    drain: from the last step to the last word written; beats: by stream that takes part; lead: of a
    record, beats before the first step.
    """

    tiles: int
    steps: int
    tile: int
    exchange: int
    drain: int
    capability: Capability
    beats: Mapping[str, int]
    lead: Mapping[str, int]
    traffic: NodeTraffic

    @property
    def cycles(self) -> int:
        """From the first step to the last one, when nothing is waited for."""
        return self.tile + (self.tiles - 1) * max(self.tile, self.exchange)


class Works:
    """Work of launches on one architecture."""

    def __init__(self, acg: Acg, pipeline: Pipeline) -> None:
        self._acg = acg
        self._pipeline = pipeline
        self._banks = Banks(acg)
        self._transfers: dict[object, Transferred] = {}
        self._computes: dict[object, Computed] = {}
        self._paths: dict[PathTraffic, PathTraffic] = {}
        self._nodes: dict[NodeTraffic, NodeTraffic] = {}

    def transfer(self, name: str, dma: Dma, registers: Registers) -> Transferred:
        """Work of a launch of a transfer unit."""
        key = (name, tuple(registers.values()))
        found = self._transfers.get(key)
        if found is None:
            found = self._transferred(dma, registers)
            self._transfers[key] = found
        return found

    def compute(self, name: str, unit: ComputeUnit, registers: Registers) -> Computed:
        """Work of a launch of a compute unit."""
        known = registers.items() if self._banks else _elsewhere(registers)
        key = (name, tuple(known))
        found = self._computes.get(key)
        if found is None:
            found = self._computed(unit, registers)
            self._computes[key] = found
        return found

    def _transferred(self, dma: Dma, registers: Registers) -> Transferred:
        beats, bursts = _far_side(dma, registers)
        far = dma.source if dma.loads or dma.target.per else dma.target
        wait = bursts * (far.latency_cycles if dma.loads else far.write_latency_cycles)
        width = dma.transfer.bytes_per_cycle
        reads = far is dma.source
        rate = (far.read_bytes_per_cycle if reads else far.write_bytes_per_cycle) or width
        moved = max(beats, -(-beats * width // rate))
        cycles = max(moved, -(-(wait + moved) // dma.transfer.outstanding))
        lanes = self._banks.transfer(dma, registers) if self._banks else ()
        traffic = PathTraffic(lanes, dma.loads, beats, cycles)
        return Transferred(beats, cycles, bursts, self._paths.setdefault(traffic, traffic))

    def _computed(self, unit: ComputeUnit, registers: Registers) -> Computed:
        unit = unit.shaped(registers)
        tiles, steps = counters(unit, registers)
        capability = unit.selected(registers)
        beats = {
            s.key: expected_beats(unit, s.key, registers)
            for s in unit.streams
            if unit.takes_part(s.key, registers)
        }
        out = unit.outlet(registers)
        chained = unit.results[out - 1] if out else None
        exchange = _exchange(capability, chained, -(-beats[unit.output] // tiles))
        drain = self._pipeline.drain(
            capability, exchange, rounds=bool(chained and chained.rounding)
        )
        if unit.partial in beats:
            exchange = max(exchange, -(-beats[unit.partial] // tiles))
        lead = {r.name: _record_beats(unit, r) for r in unit.node.records if r.name in beats}
        step = self._step_cycles(unit, registers, beats)
        tile = steps * step
        still = capability.stationary
        if still in beats and still != capability.statement.target.name:
            # What stays in the array is loaded before the steps that use it.
            lead[still] = beats[still] * self._beat_cycles(unit, still, registers)
            exchange = max(exchange, -(-lead[still] // tiles))
        traffic = self._node_traffic(unit, registers, beats, lead, step, exchange)
        return Computed(
            tiles, tiles * steps, tile, exchange, drain, capability, beats, lead, traffic
        )

    def _step_cycles(
        self, unit: ComputeUnit, registers: Registers, beats: Mapping[str, int]
    ) -> int:
        """Cycles of a step: those of the node, or of the slowest stream that follows the steps."""
        capability = unit.selected(registers)
        records = {r.name for r in unit.node.records}
        found = capability.step_cycles
        for key in beats:
            stays = ends_inside(unit, registers) and key in (unit.output, unit.partial)
            if not stays and key != capability.stationary and key not in records:
                found = max(found, self._beat_cycles(unit, key, registers))
        return found

    def _beat_cycles(self, unit: ComputeUnit, key: str, registers: Registers) -> int:
        """Cycles that a beat of a stream takes."""
        stream = active(unit, key, registers)
        if stream.starts:
            return 1  # every lane reads a memory of its own
        transfer = self._acg.transfer(transfer_of(unit, key))
        size = stream.lanes * stream.words * stream.word_bytes
        return max(1, -(-size // transfer.bytes_per_cycle))

    def _node_traffic(
        self,
        unit: ComputeUnit,
        registers: Registers,
        beats: Mapping[str, int],
        lead: Mapping[str, int],
        step: int,
        exchange: int,
    ) -> NodeTraffic:
        tiles, steps = counters(unit, registers)
        records = {r.name: r for r in unit.node.records}
        streams = []
        for key, count in beats.items():
            if not self._banks or (key in records and records[key].entries):
                continue
            stream = active(unit, key, registers)
            operand = key not in (unit.output, unit.partial) and key not in records
            per_tile = 0 if operand else lead.get(key, -(-count // tiles))
            group = int(key != unit.partial)
            if key in records:
                group = record_reuse(unit, records[key], registers)
            lanes = self._banks.stream(stream, registers, count)
            fifo = fifo_depth(self._acg, unit, key)
            writes = key == unit.output
            prompt = key in records
            streams.append(StreamTraffic(lanes, fifo, writes, operand, per_tile, group, prompt))
        found = NodeTraffic(tuple(streams), steps, step, exchange)
        return self._nodes.setdefault(found, found)


def transfer_of(unit: ComputeUnit, key: str) -> str:
    """The transfer node behind a stream of a unit."""
    for record in unit.node.records:
        if record.name == key:
            return record.stream
    for capability in (*unit.capabilities, *unit.results):
        for port in capability.ports:
            back = key == unit.partial and key != unit.output
            name = port.partial if back else port.stream or port.spill
            if port.name == key and name:
                return name
    raise KeyError(key)


def fifo_depth(acg: Acg, unit: ComputeUnit, key: str) -> int:
    """Beats that a stream of a unit holds."""
    return max(1, acg.transfer(transfer_of(unit, key)).fifo_depth)


def _elsewhere(registers: Registers) -> list[tuple[str, int]]:
    """Registers but for where the streams start, which makes no difference without banks."""
    return [(q, v) for q, v in registers.items() if not q.endswith(".base")]


def _record_beats(unit: ComputeUnit, record: Record) -> int:
    """Beats of one record, or of a whole table."""
    stream = unit.stream(record.name)
    return record_bytes(unit, record) // (stream.words * stream.word_bytes)


def _block(beat: int) -> int:
    """Beats of the largest request."""
    return max(1, min(CLUSTER.burst_beats, CLUSTER.burst_bytes // beat))


def _far_side(dma: Dma, registers: Registers) -> tuple[int, int]:
    """Bus beats of a transfer, and cycles of its requests (0 for a fill)."""
    far = "src" if dma.loads else "dst"
    word, lanes = dma.word_bytes, max(1, dma.transfer.bytes_per_cycle // dma.word_bytes)
    bounds = [registers.get(f"bound[{i}]", 1) for i in range(dma.loops)] or [1]
    run = registers.get("run", 1)
    if dma.target.per:
        return _multicast(dma, registers)
    if registers.get("fill", 0):
        return -(-run * bounds[0] // lanes) * prod(bounds[1:]), 0
    if dma.windowed(registers):
        return window_cycles(dma, registers)
    rows = dma.addresses(registers, far)[:, 0] // word
    if registers.get(f"{far}.stride[0]", run * word) == run * word:
        run, rows = run * bounds[0], rows[:: bounds[0]]
    first, end = rows // lanes, (rows + run - 1) // lanes + 1
    block = _block(lanes * word)
    bursts = (end - 1) // block - first // block + 1
    return int((end - first).sum()), int(bursts.sum())


def _multicast(dma: Dma, registers: Registers) -> tuple[int, int]:
    """Bus beats of a transfer to instances of a memory, where a word that several want is sent
    once, and cycles of its requests (0 for a fill)."""
    lanes = max(1, dma.transfer.bytes_per_cycle // dma.word_bytes)
    if registers.get("fill", 0):
        places = np.unique(dma.addresses(registers, "dst") % dma.target.size_bytes)
        return -(-places.size // lanes), 0
    beats = np.unique(dma.addresses(registers, "src") // dma.word_bytes // lanes)
    block = _block(lanes * dma.word_bytes)
    return beats.size, np.unique(beats // block).size


def _exchange(capability: Capability, chained: Capability | None, beats: int) -> int:
    """Cycles in which the result of a tile leaves, of so many beats."""
    if chained is None:
        return beats
    packed = chained.port(chained.statement.target.name).tile[-1]
    columns = capability.extents.get(packed, 1)
    return max(beats, -(-columns // chained.extents.get(packed, columns)))
