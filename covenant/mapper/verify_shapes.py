"""What every port of a mapping moves, derived from capabilities and statements alone.

In: a mapping, its codelet and architecture. Out: `Shape`s by port or record. Part of `verify`;
knows nothing of placements.
"""

from __future__ import annotations

from covenant.acg.graph import Acg, Capability, Port
from covenant.codelets.ir import Codelet
from covenant.codelets.ir import Role as TensorRole
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.mapper.mapping import Mapping, StepBinding
from covenant.mapper.verify_binding import capability_of, chained_extent
from covenant.mapper.verify_form import reducing_step
from covenant.mapper.verify_layout import Shape


def shapes_of(mapping: Mapping, codelet: Codelet, acg: Acg) -> dict[str, Shape]:
    """What every port moves: derived from capabilities and statements, not from the placements."""
    found: dict[str, Shape] = {}
    main = reducing_step(codelet)
    for index, step in enumerate(mapping.steps):
        capability = capability_of(acg, step)
        assert capability is not None
        for port in capability.ports:
            tensor = dict(step.tensors).get(port.name)
            if tensor is None or not port.tile:
                continue
            if index != main and codelet.tensor(tensor).role is TensorRole.LOCAL:
                continue  # it meets the sums of the reducing step in their memory
            written = port.name == capability.statement.target.name
            last = index == len(mapping.steps) - 1
            stream = port.partial if written and not last else ""
            stream = stream or port.stream or (port.spill if last and written else "")
            if stream:
                found[port.name] = _tensor_shape(
                    mapping, codelet, acg, index, port, tensor, stream, written=written
                )
        taken = {p.name for s in mapping.steps for p in _ports(acg, s)}
        for record in acg.compute(step.node).records:
            if record.name not in found and taken.intersection(record.fields):
                found[record.name] = _record_shape(mapping, codelet, acg, index, record.name)
    return found


def _ports(acg: Acg, step: StepBinding) -> tuple[Port, ...]:
    capability = capability_of(acg, step)
    return () if capability is None else capability.ports


def _strided(acg: Acg, capability: Capability, port: str) -> bool:
    own = capability.port(port)
    stream = own.stream or own.spill
    if stream and acg.stream_memory(stream).per:
        return True
    if own.dense:
        return False
    units = (
        [] if acg.control is None else [u for u in acg.control.units if capability.node in u.nodes]
    )
    return not units or any(u.register(f"{port}.lane_stride") for u in units)


def _tensor_shape(
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    index: int,
    port: Port,
    name: str,
    stream: str,
    *,
    written: bool,
) -> Shape:
    step, statement = mapping.steps[index], codelet.steps[index]
    capability = capability_of(acg, step)
    assert capability is not None
    ref = next(r for r in (statement.target, *statement.refs) if r.name == name)
    tensor = codelet.tensor(name)
    bound = dict(step.dims)
    beat = tuple((bound.get(d, ""), chained_extent(acg, mapping, index, d)) for d in port.tile)
    strided = _strided(acg, capability, port.name)
    lanes = beat[0][1] if len(beat) > 1 and beat[0][0] else 1
    words = acg.transfer(stream).lanes
    alone = index != reducing_step(codelet) and not acg.compute(step.node).after
    pace = tuple((d, capability.extents.get(c, 1)) for c, d in step.dims) if alone else ()
    if not written:
        width = beat[-1][1] * port.held(tensor.dtype).bytes
        words //= max(1, width // acg.stream_memory(stream).word_bytes)
    return Shape(
        port.name,
        ref.indices,
        tensor.shape,
        port.held(tensor.dtype),
        beat,
        strided,
        0,
        stream,
        written,
        tensor.pad is not None,
        tensor.source if tensor.role is TensorRole.INPUT else None,
        strided and lanes == 1 and words > 1,
        _run(acg, capability, port),
        pace,
    )


def _run(acg: Acg, capability: Capability, port: Port) -> int:
    """Elements of a column that lie side by side: as many as a beat of the first capability with
    that meaning takes, whose beats those of others are made of."""
    packed, meant = port.tile[-1], str(capability.statement)
    node = acg.compute(capability.node)
    found = [c.extents.get(packed, 1) for c in node.capabilities if str(c.statement) == meant]
    whole = capability.extents.get(packed, 1)
    return found[0] if whole % found[0] == 0 else whole


def _record_shape(mapping: Mapping, codelet: Codelet, acg: Acg, index: int, name: str) -> Shape:
    node = acg.compute(mapping.steps[index].node)
    record = next(r for r in node.records if r.name == name)
    chain = [n for s in mapping.steps for n in acg.chain(s.node)]
    ports = {p.name: p for n in chain for c in n.capabilities for p in c.ports}
    tensors = {p: t for s in mapping.steps for p, t in s.tensors}
    fields = [f for group in record.groups for f in group]
    width = record.entries or chained_extent(acg, mapping, index, record.dim)
    own = dict(mapping.steps[index].dims).get(record.dim, "")
    read = {tensors[f] for f in fields if f in tensors}
    dims = {
        d
        for s in codelet.steps
        for r in s.refs
        if r.name in read
        for i in r.indices
        for d in i.dims
    }
    kept = [d for d in codelet.dims if d.name in dims and not record.entries]
    return Shape(
        name,
        tuple(Affine.of(d.name) for d in kept),
        tuple(d.extent for d in kept),
        DType.INT8,
        ((own, width),),
        False,
        width * sum(ports[f].dtypes[0].bytes for f in fields),
        record.stream,
        False,
        False,
    )
