"""One job of a unit on NumPy memories: a transfer, or a tile job of a compute node.

In: register values of a launch and the memories. Out: memories changed in place. Meaning of compute
is the capability's statement, evaluated over all steps of the job at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Capability, Memory, Port
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.evaluate import evaluate
from covenant.core.expression import Call, Expression, Number, Ref, Statement
from covenant.emit.steps import (
    active,
    adds,
    counters,
    ends_inside,
    expected_beats,
    held,
    record_reuse,
    steps_of,
)
from covenant.emit.units import Addresses, ComputeUnit, Dma, Registers, Stream, record_width

Array = NDArray[Any]
_TILE, _STEP = Affine.of("tile "), Affine.of("step ")
"""Dims of a job around the capability's own; the space keeps them apart from any YAML name."""


class JobError(ValueError):
    """A job that no machine could execute; the message is a sentence without its place."""


@dataclass(slots=True)
class Memories:
    """Byte arrays by memory name, and their nodes, which know the views of an address."""

    arrays: dict[str, NDArray[np.uint8]]
    nodes: Mapping[str, Memory]
    held: dict[tuple[str, str], Array] = field(default_factory=dict)
    """What stays in a node between jobs, by node and port."""

    def words(self, memory: str, addresses: Addresses, word_bytes: int) -> NDArray[np.int64]:
        """Word indices of byte addresses; JobError when one lies outside or between words."""
        node, array = self.nodes[memory], self.arrays[memory]
        size = array.size if node.off_chip else node.address_bytes
        if addresses.size and (int(addresses.max()) + word_bytes > size):
            raise JobError(
                f"address {int(addresses.max()):#x} lies outside memory '{memory}' of {size} bytes"
            )
        if (addresses % word_bytes).any():
            raise JobError(f"an address in '{memory}' is not a multiple of {word_bytes} bytes")
        return node.places(addresses // word_bytes)

    def view(self, memory: str, word_bytes: int) -> NDArray[np.uint8]:
        """The memory as [words, word_bytes]."""
        array = self.arrays[memory]
        return array[: array.size // word_bytes * word_bytes].reshape(-1, word_bytes)


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
    fields = _records(unit, registers, memories, tiles)
    sources: dict[str, Array | int | float] = scalars_of(capability, registers)
    reads = {r.name for r in capability.statement.refs}
    for port in capability.ports:
        if port.name in fields and port.name in reads:
            sources[port.name] = fields[port.name]
        elif port.name in reads and port.stream:
            dtype = _dtype(port.kinds, registers, port.name)
            stream = unit.stream(port.name)
            data = read(stream, registers, memories)
            shape = tuple(capability.extents[d] for d in port.tile)
            if stream.strided_lanes:
                data = data[:, : int(np.prod(shape[:-1]))]
            array = as_tiles(data, dtype, shape, tiles * steps, port.name)
            sources[port.name] = _subscripted(array, capability, port.name, port.tile, tiles)
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
    fields = _records(unit, registers, memories, count)
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
    statement = _stepwise(capability, sources)
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
    dtype = _dtype(port.kinds, registers, port.name)
    still = port.name == capability.stationary
    width = int(np.prod(shape)) * dtype.bytes
    tiles = data.size // width if still else count
    array = as_tiles(data, dtype, shape, tiles, port.name)
    array = _subscripted(array, capability, port.name, port.tile, tiles)[:, 0]
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
    at = memories.words(stream.memory, addresses[live], stream.word_bytes)
    return raw.reshape(-1, stream.lanes, stream.words, stream.word_bytes)[live], at


def read(
    stream: Stream, registers: Registers, memories: Memories, beats: int = 0
) -> NDArray[np.uint8]:
    """All beats as bytes [beats, lanes, words * word_bytes], zeros in masked lanes."""
    addresses = stream.addresses(registers, beats)
    dead = addresses < 0
    masked = bool(dead.any())
    if masked:
        live = np.where(dead, addresses[~dead].min() if (~dead).any() else 0, addresses)
    else:
        live = addresses
    at = memories.words(stream.memory, live, stream.word_bytes)
    content = memories.view(stream.memory, stream.word_bytes)[at]
    if masked:
        content[dead] = 0
    return content.reshape(*addresses.shape[:2], -1)


def as_tiles(
    content: NDArray[np.uint8], dtype: DType, shape: tuple[int, ...], count: int, name: str
) -> Array:
    """Beats as `count` capability tiles [count, *shape] of elements."""
    beats, lanes, _ = content.shape
    elements = np.ascontiguousarray(content).view(dtype.numpy)
    packed = shape[-1]
    if lanes == 1 and elements.shape[2] == int(np.prod(shape)):
        result = elements.reshape(beats, *shape)
    elif elements.shape[2] >= packed:
        split = elements.reshape(beats, lanes, -1, packed).transpose(0, 2, 1, 3)
        result = split.reshape(-1, *shape)
    else:
        group = packed // elements.shape[2]
        if beats % group:
            raise JobError(f"stream '{name}' has {beats} beats, not whole tiles of {group}")
        split = elements.reshape(beats // group, group, lanes, -1).transpose(0, 2, 1, 3)
        result = split.reshape(-1, *shape)
    if result.shape[0] != count:
        raise JobError(f"stream '{name}' delivers {result.shape[0]} tiles, the job needs {count}")
    return result


def _subscripted(
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
    content = read(unit.stream(unit.partial), registers, memories)
    shape = tuple(capability.extents[d] for d in port.tile)
    return as_tiles(content, port.kinds[0], shape, tiles, unit.partial)


def _records(
    unit: ComputeUnit, registers: Registers, memories: Memories, tiles: int
) -> dict[str, Array]:
    """Fields of the records that take part, each [tiles, extent of the record's dim], or [entries]
    of a table."""
    ports = {p.name: p for c in (*unit.capabilities, *unit.results) for p in c.ports}
    fields: dict[str, Array] = {}
    for record in unit.node.records:
        if not unit.takes_part(record.name, registers):
            continue
        extent = record_width(unit, record)
        content = read(unit.stream(record.name), registers, memories).reshape(-1)
        sizes = [sum(ports[f].kinds[0].bytes for f in group) * extent for group in record.groups]
        reuse = tiles if record.entries else registers.get("reuse", 0)
        reuse = reuse if "reuse" in registers else record_reuse(unit, record, registers)
        if reuse < 1:
            raise JobError(f"reuse is {reuse}, stream '{record.name}' takes part")
        count = -(-tiles // reuse)
        if content.size != count * sum(sizes):
            raise JobError(
                f"stream '{record.name}' delivers {content.size} bytes, "
                f"{count} records of {sum(sizes)} are needed"
            )
        rows = content.reshape(count, sum(sizes))[np.arange(tiles) // reuse]
        at = 0
        for group, size in zip(record.groups, sizes, strict=True):
            part = rows[:, at : at + size].reshape(tiles, extent, -1)
            at += size
            inner = 0
            for name in group:
                dtype = _dtype(ports[name].kinds, registers, _sign_of(unit, name, registers))
                raw = np.ascontiguousarray(part[:, :, inner : inner + dtype.bytes])
                values = raw.view(dtype.numpy)[:, :, 0]
                fields[name] = values[0] if record.entries else values
                inner += dtype.bytes
    return fields


def _sign_of(unit: ComputeUnit, field: str, registers: Registers) -> str:
    """The port whose signedness a zero-point field shares: the one it is subtracted from."""
    for function, left, right in _differences(unit.selected(registers).statement.value):
        if function == "sub" and right == field:
            return left
    return field


def _differences(expression: Expression) -> list[tuple[str, str, str]]:
    if not isinstance(expression, Call):
        return []
    found = [pair for argument in expression.arguments for pair in _differences(argument)]
    names = [a.name if isinstance(a, Ref) else "" for a in expression.arguments]
    return [*found, (expression.function, names[0], names[1])] if len(names) == 2 else found


def _dtype(dtypes: tuple[DType, ...], registers: Registers, key: str) -> DType:
    signed = registers.get(f"{key}.signed")
    for dtype in dtypes:
        if signed is None or dtype.signed == bool(signed):
            return dtype
    return dtypes[0]


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


def _stepwise(capability: Capability, sources: Mapping[str, Array | int | float]) -> Statement:
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
