"""How many array steps a launch of a compute unit takes, and what each stream moves for them.

In: a compute unit and register values. Out: counts of tiles, steps and beats. Where a reduction
ends in the node, a launch makes `tiles` results of `steps` steps each; everywhere else each step
gives one result, which is written, or added to what lies in the memory. Read by the static checker
and the interpreter; the emitter does not use it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from covenant.acg.graph import Capability, Port, Record
from covenant.emit.units import ComputeUnit, Registers, Stream, record_bytes


def ends_inside(unit: ComputeUnit, registers: Registers) -> bool:
    """Whether a launch runs whole reductions in the node."""
    capability = unit.selected(registers)
    stays = capability.keeps_result or bool(unit.results)
    return bool(capability.statement.reduction) and stays


def adds(unit: ComputeUnit, registers: Registers) -> bool:
    """Whether every step adds to sums in a memory."""
    reduces = bool(unit.selected(registers).statement.reduction)
    return reduces and not ends_inside(unit, registers)


def held(unit: ComputeUnit, registers: Registers) -> str:
    """The port whose operand stays from the launch before, "" for none."""
    return unit.selected(registers).stationary if registers.get("hold", 0) else ""


def active(unit: ComputeUnit, key: str, registers: Registers) -> Stream:
    """A stream as the selected capability uses it: with beats of its own size, which are parts of a
    word where they are narrower."""
    stream = unit.stream(key)
    apart = unit.apart.get((unit.selected(registers).name, key))
    if apart is not None:
        return apart
    if ends_inside(unit, registers) or any(r.name == key for r in unit.node.records):
        return stream
    port = port_of(unit, key, registers)
    width = port.kinds[0].bytes
    elements = [_extent(unit, d, registers) for d in port.tile]
    packed = elements[-1] * width
    if not stream.strided_lanes:
        whole = int(np.prod(elements)) * width
        if whole < stream.word_bytes:
            return replace(stream, word_bytes=whole, words=1)
        return replace(stream, words=whole // stream.word_bytes)
    if packed < stream.word_bytes:
        return replace(stream, word_bytes=packed, words=1)
    words = -(-packed // stream.word_bytes) if stream.strided_words else 1
    return replace(stream, words=words)


def port_of(unit: ComputeUnit, key: str, registers: Registers) -> Port:
    """The port that a stream serves in a launch."""
    capability = unit.selected(registers)
    if key == unit.output:
        return _result_port(unit, capability, unit.outlet(registers))
    return capability.port(key)


def steps_of(unit: ComputeUnit, registers: Registers) -> int:
    """Steps of a launch whose steps give one result each: `tiles`, or what the bounds of a stream
    that follows every step make up."""
    if "tiles" in registers:
        return registers["tiles"]
    capability = unit.selected(registers)
    found = 1
    for stream in unit.streams:
        record = any(r.name == stream.key for r in unit.node.records)
        if record or stream.key == capability.stationary or stream.key == held(unit, registers):
            continue
        if not unit.takes_part(stream.key, registers):
            continue
        bounds = [registers.get(f"{stream.key}.bound[{i}]", 0) for i in range(stream.loops)]
        if bounds and all(bounds):
            return int(np.prod(bounds, dtype=np.int64)) // _beats_per_step(
                unit, stream.key, registers
            )
    return found


def _beats_per_step(unit: ComputeUnit, key: str, registers: Registers) -> int:
    stream = active(unit, key, registers)
    if not stream.strided_lanes or stream.starts:
        return 1
    port = port_of(unit, key, registers)
    packed = _extent(unit, port.tile[-1], registers) * port.kinds[0].bytes
    return -(-packed // (stream.words * stream.word_bytes))


def _extent(unit: ComputeUnit, dim: str, registers: Registers) -> int:
    return unit.selected(registers).extents.get(dim, 1)


def counters(unit: ComputeUnit, registers: Registers) -> tuple[int, int]:
    """(tiles, steps) of a launch."""
    if ends_inside(unit, registers):
        return registers.get("tiles", 1), registers.get("steps", 1)
    return steps_of(unit, registers), 1


def _stepwise(unit: ComputeUnit, key: str, registers: Registers) -> int:
    """Beats of a stream that follows the steps; the stationary operand has as many as its loops."""
    if key == unit.selected(registers).stationary:
        stream = unit.stream(key)
        return int(np.prod(stream.nest(registers)[0], dtype=np.int64))
    return steps_of(unit, registers) * _beats_per_step(unit, key, registers)


def expected_beats(unit: ComputeUnit, key: str, registers: Registers) -> int:
    """Beats a job with these counters takes from or gives to a stream."""
    stream = active(unit, key, registers)
    if not ends_inside(unit, registers) and not any(r.name == key for r in unit.node.records):
        return _stepwise(unit, key, registers)
    tiles, steps = counters(unit, registers)
    width = stream.words * stream.word_bytes
    capability = unit.selected(registers)
    for record in unit.node.records:
        if record.name == key:
            count = 1 if record.entries else -(-tiles // record_reuse(unit, record, registers))
            return count * record_bytes(unit, record) // width
    writes = key == unit.output
    out = unit.outlet(registers)
    port = _result_port(unit, capability, out) if writes else capability.port(key)
    packed = capability.extents.get(port.tile[-1], 1) * port.kinds[0].bytes
    if not stream.strided_lanes or stream.starts:
        packed = width
    return -(-tiles * (1 if writes or key == unit.partial else steps) * packed // width)


def record_reuse(unit: ComputeUnit, record: Record, registers: Registers) -> int:
    """Tiles that one record serves: `reuse`, or what the loops of its stream make of the tiles."""
    if "reuse" in registers:
        return max(1, registers["reuse"])
    stream = unit.stream(record.name)
    beats = int(np.prod(stream.nest(registers)[0], dtype=np.int64))
    count = beats * stream.words * stream.word_bytes // record_bytes(unit, record)
    return max(1, counters(unit, registers)[0] // max(1, count))


def _result_port(unit: ComputeUnit, capability: Capability, out: int) -> Port:
    if not 0 < out <= len(unit.results):
        return capability.port(capability.statement.target.name)
    chained = unit.results[out - 1]
    return chained.port(chained.statement.target.name)
