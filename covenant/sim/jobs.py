"""One job of a unit on NumPy memories: a transfer, or a tile job of a compute node.

In: register values of a launch and the memories. Out: memories changed in place. Meaning of compute
is the capability's statement, evaluated over all steps of the job at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Capability, Port
from covenant.core.affine import Affine
from covenant.core.evaluate import evaluate
from covenant.core.expression import Call, Expression, Number, Ref, Statement
from covenant.emit.steps import (
    active,
    adds,
    counters,
    ends_inside,
    expected_beats,
    held,
    steps_of,
)
from covenant.emit.units import ComputeUnit, Dma, Registers, Stream
from covenant.sim.beats import Array, JobError, Memories, as_tiles, dtype_of, read
from covenant.sim.records import records

_TILE, _STEP = Affine.of("tile "), Affine.of("step ")
"""Dims of a job around the capability's own; the space keeps them apart from any YAML name."""


def run_dma(dma: Dma, registers: Registers, memories: Memories) -> int:
    """Execute a transfer; returns the bytes moved off or on chip (0 for a fill)."""
    word = dma.word_bytes
    target = memories.view(dma.target.name, word)
    to = memories.words(dma.target.name, dma.addresses(registers, "dst"), word)
    if registers.get("fill", 0):
        size = registers.get("value_bytes", 1)
        value = (registers["value"] & (1 << 8 * size) - 1).to_bytes(size, "little")
        target[to.ravel()] = np.frombuffer(value * (word // size), np.uint8)
        return 0
    if dma.windowed(registers):
        target[to.ravel()] = _windows(dma, registers, memories).reshape(-1, word)
        return int(to.size) * word
    source = memories.view(dma.source.name, word)
    at = memories.words(dma.source.name, dma.addresses(registers, "src"), word)
    target[to.ravel()] = source[at.ravel()]
    return int(to.size) * word


def _windows(dma: Dma, registers: Registers, memories: Memories) -> NDArray[np.uint8]:
    """Bytes of windows, `value` where they leave their line."""
    at = dma.window_bytes(registers)
    inside = at >= 0
    memories.words(dma.source.name, at[inside], 1)
    found = memories.arrays[dma.source.name][np.where(inside, at, 0)]
    return np.where(inside, found, np.uint8(registers["value"] & 0xFF))


def run_compute(unit: ComputeUnit, registers: Registers, memories: Memories) -> int:
    """Execute a job of a compute node; returns the steps the array took."""
    try:
        unit = unit.shaped(registers)
        inside = ends_inside(unit, registers)
    except IndexError:
        known = len(unit.capabilities)
        message = f"function is {registers['function']}, the node has {known} capabilities"
        raise JobError(message) from None
    return (run_tiles if inside else run_steps)(unit, registers, memories)


def run_tiles(unit: ComputeUnit, registers: Registers, memories: Memories) -> int:
    """A job whose reductions end in the node."""
    tiles, steps = counters(unit, registers)
    capability = unit.selected(registers)
    fields = records(unit, registers, memories, tiles)
    sources: dict[str, Array | int | float] = scalars_of(capability, registers)
    reads = {r.name for r in capability.statement.refs}
    for port in capability.ports:
        if port.name in fields and port.name in reads:
            sources[port.name] = fields[port.name]
        elif port.name in reads and port.stream:
            dtype = dtype_of(port.kinds, registers, port.name)
            stream = active(unit, port.name, registers)
            data = read(stream, registers, memories)
            shape = tuple(capability.extents[d] for d in port.tile)
            if stream.strided_lanes:
                data = data[:, : int(np.prod(shape[:-1]))]
            array = as_tiles(data, dtype, shape, tiles * steps, port.name)
            if not stream.strided_lanes:
                array = _in_columns(array, unit.node.run(capability, port))
            sources[port.name] = subscripted(array, capability, port.name, port.tile, tiles)
    into = None
    if unit.partial and registers.get("resume", 0):
        into = _resumed(unit, registers, memories, tiles)
    statement = _around(capability.statement, capability, set(fields))
    extents = {**capability.extents, "tile ": tiles, "step ": steps}
    total = evaluate(
        statement, extents, sources, rounding=capability.rounding or "ort_f32", into=into
    )
    accumulated = total.astype(capability.port(capability.statement.target.name).kinds[0].numpy)
    _write_result(unit, capability, registers, memories, accumulated, fields)
    return tiles * steps


def run_steps(unit: ComputeUnit, registers: Registers, memories: Memories) -> int:
    """A job whose steps give one result each, written to a memory or added to what lies there. The
    stationary operand serves equally many steps with each of its beats, and stays for the next job,
    which `hold`s it."""
    capability, count = unit.selected(registers), steps_of(unit, registers)
    if registers.get("steps", 1) != 1:
        raise JobError(f"steps is {registers['steps']}, '{capability.name}' takes one per tile")
    fields = records(unit, registers, memories, count)
    sources: dict[str, Array | int | float] = scalars_of(capability, registers)
    sources.update(
        {n: a for n, a in fields.items() if n in {r.name for r in capability.statement.refs}}
    )
    still, groups = capability.stationary, 1
    for port in capability.inputs:
        if port.name in fields or not port.stream:
            continue
        array = _beats(unit, capability, port, registers, memories, count)
        groups = array.shape[0] if port.name == still else groups
        sources[port.name] = array
    if count % groups:
        raise JobError(f"'{still}' has {groups} beats for {count} steps")
    extents = {**capability.extents, "tile ": groups, "step ": count // groups}
    for name, value in sources.items():
        if not isinstance(value, np.ndarray) or not value.ndim or name == still:
            continue
        if name not in fields or value.ndim > 1:
            sources[name] = value.reshape(groups, count // groups, *value.shape[1:])
    statement = stepwise(capability, sources)
    rounding = capability.rounding or "ort_f32"
    total = evaluate(statement, extents, sources, rounding=rounding)
    made = total.reshape(count, *total.shape[2:])
    target = capability.port(capability.statement.target.name)
    made = made.astype(target.kinds[0].numpy)
    if adds(unit, registers):
        _add_up(unit, capability, registers, memories, made)
    else:
        _write_result(unit, capability, registers, memories, made, fields)
    return count


def scalars_of(capability: Capability, registers: Registers) -> dict[str, Array | int | float]:
    """Scalars of a capability; registers hold the bits of those that are float32."""
    found: dict[str, Array | int | float] = {}
    floats = set(_scales(capability.statement.value))
    for name in capability.scalars:
        value = registers.get(name, 0)
        found[name] = value
        if name in floats:
            found[name] = np.asarray([value], np.int64).astype(np.int32).view(np.float32)[0]
    return found


def _scales(expression: Expression) -> Iterator[str]:
    """Names that stand for the scale of a rescaling."""
    if not isinstance(expression, Call):
        return
    if expression.function == "requantise" and isinstance(expression.arguments[1], Ref):
        yield expression.arguments[1].name
    for argument in expression.arguments:
        yield from _scales(argument)


def _beats(
    unit: ComputeUnit,
    capability: Capability,
    port: Port,
    registers: Registers,
    memories: Memories,
    count: int,
) -> Array:
    """[steps, axes in the order of the statement's subscripts] of one input; of the stationary one
    as many as it has beats."""
    key = (unit.node.name, port.name)
    if port.name == held(unit, registers):
        if key not in memories.held:
            raise JobError(f"'{port.name}' is held, nothing was there before")
        return memories.held[key]
    stream = active(unit, port.name, registers)
    data = read(stream, registers, memories, expected_beats(unit, port.name, registers))
    shape = tuple(capability.extents[d] for d in port.tile)
    if stream.strided_lanes:
        data = data[:, : int(np.prod(shape[:-1]))]
    dtype = dtype_of(port.kinds, registers, port.name)
    still = port.name == capability.stationary
    width = int(np.prod(shape)) * dtype.bytes
    tiles = data.size // width if still else count
    array = as_tiles(data, dtype, shape, tiles, port.name)
    array = subscripted(array, capability, port.name, port.tile, tiles)[:, 0]
    if still:
        memories.held[key] = array[-1:]
    return array


def _add_up(
    unit: ComputeUnit,
    capability: Capability,
    registers: Registers,
    memories: Memories,
    made: Array,
) -> None:
    """Add results [steps, axes] to the memory, step by step; without `resume` the first one to
    reach a word overwrites what lies there."""
    stream = active(unit, unit.output, registers)
    words, at = _placed(stream, registers, memories, made)
    array = memories.arrays[stream.memory].view(made.dtype)
    per = stream.word_bytes // made.itemsize
    places = (at[:, None] * per + np.arange(per)).ravel()
    values = np.ascontiguousarray(words).view(made.dtype).ravel()
    largest = capability.statement.reduction == "max"
    if not registers.get("resume", 0):
        array[places] = np.iinfo(made.dtype).min if largest else 0
    (np.maximum if largest else np.add).at(array, places, values)


def _write_result(
    unit: ComputeUnit,
    capability: Capability,
    registers: Registers,
    memories: Memories,
    accumulated: Array,
    fields: Mapping[str, Array],
) -> None:
    """Partial sums or the value of a chained capability to the output stream."""
    out = unit.outlet(registers)
    result = accumulated
    if out:
        if out > len(unit.results):
            raise JobError(f"out is {out}, the chained node has {len(unit.results)} capabilities")
        chained = unit.results[out - 1]
        scalars = scalars_of(chained, registers)
        statement = _around(chained.statement, chained, set(), step=False)
        extents = {**capability.extents, "tile ": accumulated.shape[0]}
        name = capability.statement.target.name
        sources: dict[str, Array | int | float] = {**scalars, **fields, name: accumulated}
        rounding = chained.rounding or "ort_f32"
        value = evaluate(statement, extents, sources, rounding=rounding)
        result = value.astype(chained.port(statement.target.name).kinds[0].numpy)
    words, at = _placed(active(unit, unit.output, registers), registers, memories, result)
    stream = active(unit, unit.output, registers)
    memories.view(stream.memory, stream.word_bytes)[at] = words


def _placed(
    stream: Stream, registers: Registers, memories: Memories, result: Array
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Words [words, bytes] of results [tiles, axes] and where they go, without masked lanes."""
    tiles = result.shape[0]
    lane_bytes = result[0].size * result.itemsize // stream.lanes
    columns = lane_bytes // (stream.words * stream.word_bytes)
    raw = np.ascontiguousarray(result).view(np.uint8)
    raw = raw.reshape(tiles, stream.lanes, columns, stream.words, stream.word_bytes)
    raw = raw.transpose(0, 2, 1, 3, 4)
    addresses = stream.addresses(registers, tiles * columns)
    if addresses.shape[0] != tiles * columns:
        raise JobError(
            f"stream '{stream.key}' has {addresses.shape[0]} beats, the job writes "
            f"{tiles * columns}"
        )
    live = (addresses >= 0) & (
        np.arange(stream.words) < registers.get(f"{stream.key}.run", 1 << 30)
    )
    words = raw.reshape(-1, stream.lanes, stream.words, stream.word_bytes)[live]
    to = np.concatenate([addresses[live] + far for far in (0, *stream.copies)])
    at = memories.words(stream.memory, to, stream.word_bytes)
    return np.tile(words, (1 + len(stream.copies), 1)), at


def _in_columns(array: Array, run: int) -> Array:
    """Contiguous beats, which hold all columns for `run` elements of the packed dim, then for the
    next ones, column by column."""
    if array.shape[-1] == run:
        return array
    count, *lanes, packed = array.shape
    parts = np.moveaxis(array.reshape(count, packed // run, *lanes, run), 1, -2)
    return parts.reshape(array.shape)


def subscripted(
    array: Array, capability: Capability, name: str, tile: tuple[str, ...], tiles: int
) -> Array:
    """[tiles, steps, axes in the order of the statement's subscripts]."""
    ref = next(r for r in capability.statement.refs if r.name == name)
    order = [tile.index(i.dims[0]) for i in ref.indices]
    split = array.reshape(tiles, -1, *array.shape[1:])
    return split.transpose(0, 1, *(2 + i for i in order))


def _resumed(unit: ComputeUnit, registers: Registers, memories: Memories, tiles: int) -> Array:
    """Partial sums [tiles, axes of the target]."""
    capability = unit.selected(registers)
    port = capability.port(unit.partial)
    content = read(active(unit, unit.partial, registers), registers, memories)
    shape = tuple(capability.extents[d] for d in port.tile)
    return as_tiles(content, port.kinds[0], shape, tiles, unit.partial)


def _around(
    statement: Statement, capability: Capability, fields: set[str], step: bool = True
) -> Statement:
    """The statement over all tiles and steps of a job: subscripts get leading job dims."""

    def subscripts(ref: Ref) -> Ref:
        if ref.name in capability.scalars or not ref.indices:
            return ref
        lead = (_TILE,) if ref.name in fields or not step else (_TILE, _STEP)
        return Ref(ref.name, lead + ref.indices)

    target = Ref(statement.target.name, (_TILE, *statement.target.indices))
    return Statement(target, statement.reduction, _mapped(statement.value, subscripts))


def stepwise(capability: Capability, sources: Mapping[str, Array | int | float]) -> Statement:
    """The statement over all steps of a job, grouped by what the stationary operand serves."""

    def subscripts(ref: Ref) -> Ref:
        value = sources.get(ref.name)
        if not isinstance(value, np.ndarray) or not value.ndim or not ref.indices:
            return ref
        lead = (_TILE,) if ref.name == capability.stationary else (_TILE, _STEP)
        return Ref(ref.name, lead + ref.indices)

    own = capability.statement
    target = Ref(own.target.name, (_TILE, _STEP, *own.target.indices))
    return Statement(target, own.reduction, _mapped(own.value, subscripts))


def _mapped(expression: Expression, change: Any) -> Expression:
    match expression:
        case Ref():
            renamed: Ref = change(expression)
            return renamed
        case Number():
            return expression
        case Call(function, arguments):
            return Call(function, tuple(_mapped(a, change) for a in arguments))
