"""Checks of what streams carry: directions, whole words per beat, records of constants.

In: a graph whose capabilities are sound. Out: findings ACG041 to ACG045.
"""

from __future__ import annotations

import math

from covenant.acg.graph import Acg, Capability, Compute, Port, Record
from covenant.acg.places import Path
from covenant.acg.verify.capabilities import chained_operands, path_of
from covenant.acg.verify.findings import Findings
from covenant.core.diagnostics import did_you_mean


def check_streams(acg: Acg, findings: Findings) -> None:
    """Every port and every record of every node."""
    for compute in acg.computes:
        for capability in compute.capabilities:
            for port in capability.ports:
                _check_arrival(acg, compute, capability, port, findings)
                _check_directions(acg, capability, port, findings)
                _check_words(acg, capability, port, findings)
        for record in compute.records:
            _check_record(acg, compute, record, findings)


def chain_of(acg: Acg, node: str) -> tuple[str, ...]:
    """Names of all nodes chained with a node, head first."""
    head = acg.compute(node)
    while head.after:
        head = acg.compute(head.after)
    return tuple(compute.name for compute in acg.chain(head.name))


def record_of(acg: Acg, node: str, port: str) -> Record | None:
    """The record of the chain that carries a port, None when it has a stream of its own."""
    for name in chain_of(acg, node):
        for record in acg.compute(name).records:
            if any(port in group for group in record.groups):
                return record
    return None


def _check_arrival(
    acg: Acg, compute: Compute, capability: Capability, port: Port, findings: Findings
) -> None:
    """An operand has a way in or out: a stream, a record or a chain edge."""
    at = path_of(capability, "ports", port.name)
    record = record_of(acg, compute.name, port.name)
    chain = chain_of(acg, compute.name)
    followed = port in capability.outputs and chain[-1] != compute.name
    if record is not None:
        if port.stream and port.stream != record.stream:
            message = f"'{port.name}' is packed in record '{record.name}' of '{record.stream}'"
            findings.report("ACG044", (*at, "stream"), message, f"write `stream: {record.stream}`")
        if port.tile:
            message = f"`tile` has no meaning for '{port.name}', a field of record '{record.name}'"
            findings.report_key("ACG044", (*at, "tile"), message, "remove it")
    elif port.stream and not port.tile:
        message = f"port '{port.name}' has a stream and lacks `tile`"
        repair = f"add `tile: [{', '.join(_dims(capability, port))}]`, or name it in a record"
        findings.report_key("ACG035", at, message, repair)
    elif not port.stream and not followed and port.name not in chained_operands(acg, compute):
        message = f"no stream carries the port '{port.name}'"
        findings.report_key("ACG044", at, message, "add `stream: <transfer>`")


def _dims(capability: Capability, port: Port) -> list[str]:
    refs = (capability.statement.target, *capability.statement.refs)
    found = next((ref for ref in refs if ref.name == port.name), None)
    return [d for index in (found.indices if found else ()) for d in index.dims]


def _check_directions(acg: Acg, capability: Capability, port: Port, findings: Findings) -> None:
    """Inputs and partial sums flow into the chain, results and spills out of it."""
    outward = port in capability.outputs
    for key, stream, out in (
        ("stream", port.stream, outward),
        ("partial", port.partial, False),
        ("spill", port.spill, True),
    ):
        if not stream:
            continue
        transfer = acg.transfer(stream)
        end = transfer.source if out else transfer.target
        if end not in chain_of(acg, capability.node):
            side, word = ("from", "out of") if out else ("to", "into")
            message = f"'{stream}' does not lead {word} '{capability.node}'"
            repair = f"give '{stream}' `{side}: {capability.node}`, or name another stream"
            findings.report("ACG045", path_of(capability, "ports", port.name, key), message, repair)


def _changed(acg: Acg, capability: Capability, port: Port, findings: Findings) -> Path:
    """Where to report a beat that does not fit: the tile, or the extent where the file sets that
    and the tile comes from one that it extends."""
    path = path_of(capability, "ports", port.name, "tile")
    if findings.places.value(*path).file != acg.file:
        extent = path_of(capability, "extents", port.tile[-1])
        if findings.places.value(*extent).file == acg.file:
            return extent
    return path


def _check_words(acg: Acg, capability: Capability, port: Port, findings: Findings) -> None:
    """Beats are whole words, or a whole part of one where every step takes its own; and a lane is
    whole words or a whole part of one; of a memory with instances in each of them."""
    streams = [s for s in (port.stream, port.partial, port.spill) if s]
    if not port.tile or not streams:
        return
    memory = acg.stream_memory(streams[0])
    word_bytes = memory.word_bytes
    each = dict(zip(memory.per, memory.lanes_each, strict=True))
    extents = {d: min(capability.extents[d], each.get(d, 1 << 30)) for d in port.tile}
    lanes = math.prod(extents[dim] for dim in port.tile[:-1])
    path = _changed(acg, capability, port, findings)
    packed = port.dense or not _strided(acg, capability.node, port.name)
    for dtype in {port.held(d).bytes: port.held(d) for d in port.dtypes}.values():
        run = extents[port.tile[-1]] * dtype.bytes
        lane = f"{extents[port.tile[-1]]} x {dtype} = {run} bytes"
        result = port in capability.outputs
        part = not capability.statement.reduction and word_bytes % (lanes * run) == 0
        if run % word_bytes and word_bytes % run:
            message = (
                f"a lane of '{port.name}' is {lane}, which does not fill words of {word_bytes}"
            )
            repair = f"change the extent of '{port.tile[-1]}'"
            findings.report("ACG041", path, message, repair)
        elif result and port.stream and run > word_bytes and not _wide(acg, capability, port.name):
            message = (
                f"a lane of '{port.name}' is {lane} per step, more than a word of {word_bytes}"
            )
            repair = f"lower the extent of '{port.tile[-1]}' to {word_bytes // dtype.bytes}"
            if not capability.statement.reduction:
                repair += f", or add the register '{port.name}.word_stride'"
            findings.report("ACG041", path, message, repair)
        elif not result and packed and (lanes * run) % word_bytes and not part:
            message = f"a tile of '{port.name}' is {lanes * run} bytes, not whole words"
            findings.report("ACG041", path, message, f"make it a multiple of {word_bytes} bytes")


def _wide(acg: Acg, capability: Capability, port: str) -> bool:
    """Whether a node that works by itself writes several words per lane and step."""
    units = acg.control.units_of(capability.node) if acg.control else ()
    alone = not capability.statement.reduction and not acg.compute(capability.node).after
    return alone and any(unit.register(f"{port}.word_stride") for unit in units)


def _strided(acg: Acg, node: str, port: str) -> bool:
    """Whether the lanes of a port lie a register's stride apart, each in words of its own."""
    ports = [p for c in acg.compute(node).capabilities for p in c.ports if p.name == port]
    if any(acg.stream_memory(p.stream).per for p in ports if p.stream):
        return True
    units = acg.control.units_of(node) if acg.control else ()
    return not units or any(unit.register(f"{port}.lane_stride") for unit in units)


def _check_record(acg: Acg, compute: Compute, record: Record, findings: Findings) -> None:
    at: Path = ("compute", compute.name, "records", record.name)
    chain = chain_of(acg, compute.name)
    transfer = acg.transfer(record.stream)
    if transfer.target not in chain:
        message = f"'{record.stream}' does not lead into '{compute.name}'"
        findings.report("ACG045", (*at, "stream"), message, "name a stream that ends here")
        return
    capabilities = [c for name in chain for c in acg.compute(name).capabilities]
    fields = {port.name: port for c in capabilities for port in c.ports}
    _check_fields(record, fields, at, findings)
    extents = {d: e for c in acg.compute(compute.name).capabilities for d, e in c.extents.items()}
    if bool(record.entries) == bool(record.dim):
        found = "both `dim` and `entries`" if record.dim else "neither `dim` nor `entries`"
        findings.report_key("ACG042", at, f"record '{record.name}' has {found}", "write one")
        return
    if record.dim and record.dim not in extents:
        message = f"'{record.dim}' is not a dim of '{compute.name}'"
        findings.report("ACG042", (*at, "dim"), message, did_you_mean(record.dim, extents))
        return
    widths = [
        max(d.bytes for d in fields[f].dtypes) for g in record.groups for f in g if f in fields
    ]
    _check_beats(
        acg, compute, record, (record.entries or extents[record.dim], sum(widths)), findings
    )


def _check_beats(
    acg: Acg, compute: Compute, record: Record, counts: tuple[int, int], findings: Findings
) -> None:
    """A record of (entries, bytes of each) is whole words, and whole beats of its stream."""
    entries, each = counts
    size, transfer = entries * each, acg.transfer(record.stream)
    word_bytes = acg.stream_memory(record.stream).word_bytes
    beat = transfer.lanes * word_bytes
    if size % beat == 0:
        return
    message = f"a record '{record.name}' is {size} bytes, not whole beats of {beat}"
    at: Path = ("transfers", record.stream, "lanes")
    if size % word_bytes == 0:
        whole = size // word_bytes
        lanes = [n for n in range(1, whole + 1) if whole % n == 0]
        repair = f"give '{record.stream}' lanes: {', '.join(map(str, lanes[:6]))}"
    else:
        least = word_bytes // math.gcd(each, word_bytes)
        repair = (
            f"{each} bytes each fill words of {word_bytes} where there is a multiple of {least}"
        )
        if record.dim:
            capability = next(c for c in compute.capabilities if record.dim in c.extents)
            at = path_of(capability, "extents", record.dim)
            repair = f"make the extent of '{record.dim}' a multiple of {least}: {repair}"
    findings.report("ACG043", at, message, repair)


def _check_fields(record: Record, fields: dict[str, Port], at: Path, findings: Findings) -> None:
    seen: set[str] = set()
    for row, group in enumerate(record.groups):
        for column, name in enumerate(group):
            path: Path = (*at, "groups", row, column)
            if name not in fields:
                message = f"'{name}' is not a port of the chain"
                findings.report("ACG042", path, message, did_you_mean(name, fields))
            elif name in seen:
                findings.report("ACG042", path, f"'{name}' is packed twice", "remove one")
            seen.add(name)
