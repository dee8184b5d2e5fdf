"""Checks of memories, transfers and the edges between nodes.

In: a graph as built. Out: findings ACG020 to ACG029.
"""

from __future__ import annotations

from covenant.acg.graph import Acg, Compute, Memory, Transfer
from covenant.acg.notation import show_size
from covenant.acg.places import Path
from covenant.acg.verify.findings import Findings
from covenant.core.diagnostics import did_you_mean


def check_nodes(acg: Acg, findings: Findings) -> None:
    """Unique names, and references that name an existing node of the right kind."""
    _check_unique_names(acg, findings)
    memories = [memory.name for memory in acg.memories]
    computes = [compute.name for compute in acg.computes]
    streams = [transfer.name for transfer in acg.transfers]
    for transfer in acg.transfers:
        at: Path = ("transfers", transfer.name)
        _reference(findings, (*at, "from"), transfer.source, [*memories, *computes])
        _reference(findings, (*at, "to"), transfer.target, [*memories, *computes])
    for compute in acg.computes:
        _reference(findings, ("compute", compute.name, "after"), compute.after, computes)
        for record in compute.records:
            path: Path = ("compute", compute.name, "records", record.name, "stream")
            _reference(findings, path, record.stream, streams)
        _check_port_references(compute, streams, findings)
    movers = [t.name for t in acg.transfers if not t.is_stream]
    for unit in acg.control.units if acg.control else ():
        for index, node in enumerate(unit.nodes):
            path = ("control", "units", unit.name, "nodes", index)
            _reference(findings, path, node, [*computes, *movers])
    if not findings.found:
        _check_chains(acg, findings)


def _check_port_references(compute: Compute, streams: list[str], findings: Findings) -> None:
    for capability in compute.capabilities:
        for port in capability.ports:
            at: Path = (
                "compute",
                compute.name,
                "capabilities",
                capability.name,
                "ports",
                port.name,
            )
            _reference(findings, (*at, "stream"), port.stream, streams)
            _reference(findings, (*at, "partial"), port.partial, streams)
            _reference(findings, (*at, "spill"), port.spill, streams)


def _check_unique_names(acg: Acg, findings: Findings) -> None:
    seen: dict[str, str] = {}
    for section, nodes in (
        ("memories", acg.memories),
        ("transfers", acg.transfers),
        ("compute", acg.computes),
    ):
        for node in nodes:
            if node.name in seen:
                message = f"node '{node.name}' is already named under '{seen[node.name]}'"
                findings.report_key("ACG020", (section, node.name), message, "rename one of them")
            seen[node.name] = section


_STREAMS = ("stream", "partial", "spill")


def _reference(findings: Findings, path: Path, name: str, known: list[str]) -> None:
    if name and name not in known:
        repair = did_you_mean(name, known) if known else "there is none; add one"
        section = findings.section_of(name)
        message = f"nothing is named '{name}'"
        if section:
            message = f"'{name}' stands under '{section}' and cannot stand here"
        elif path[-1] in _STREAMS and known:
            repair = f"add `{name}: {{from: …, to: …}}` to `transfers`; {repair}"
        findings.report("ACG021", path, message, repair)


def _check_chains(acg: Acg, findings: Findings) -> None:
    """`after` edges form chains: no cycle, one follower each."""
    before = {compute.name: compute.after for compute in acg.computes}
    followers: dict[str, str] = {}
    for compute in acg.computes:
        path: Path = ("compute", compute.name, "after")
        seen = {compute.name}
        name = compute.after
        while name and name not in seen:
            seen.add(name)
            name = before[name]
        if name == compute.name:
            message = f"'{compute.name}' follows itself"
            findings.report("ACG027", path, message, "remove one `after`")
        elif compute.after in followers:
            other = followers[compute.after]
            message = f"'{compute.after}' is already followed by '{other}'"
            findings.report("ACG027", path, message, f"write `after: {other}` or remove it")
        elif compute.after:
            followers[compute.after] = compute.name


def check_memories(acg: Acg, findings: Findings) -> None:
    """Shapes of memories, and that each is used."""
    for memory in acg.memories:
        at: Path = ("memories", memory.name)
        _power_of_two(findings, (*at, "banks"), "banks", memory.banks)
        _power_of_two(findings, (*at, "word_bytes"), "word_bytes", memory.word_bytes)
        if memory.bank_group:
            _power_of_two(findings, (*at, "bank_group"), "bank_group", memory.bank_group)
            if memory.bank_group > memory.banks:
                message = f"bank_group is {memory.bank_group}, the memory has {memory.banks} banks"
                findings.report("ACG023", (*at, "bank_group"), message, f"write {memory.banks}")
        _check_rows(acg, memory, findings)
        _check_lanes(acg, memory, findings)
        if all(memory.name not in (t.source, t.target) for t in acg.transfers):
            message = f"no transfer reads or writes memory '{memory.name}'"
            repair = f"add a transfer `from: {memory.name}`, or remove the memory"
            findings.report_key("ACG028", at, message, repair)
    if not acg.off_chip:
        message = "no memory is off-chip, so tensors have nowhere to live between layers"
        findings.report_key("ACG029", ("memories",), message, "give one memory `off_chip: true`")


def _check_lanes(acg: Acg, memory: Memory, findings: Findings) -> None:
    """A memory per lane feeds a compute node that has such lanes, and no address views."""
    at: Path = ("memories", memory.name, "per")
    fed = {t.source if t.target == memory.name else t.target for t in acg.transfers if t.is_stream}
    lanes = [
        (dim, extent)
        for compute in acg.computes
        if compute.name in fed
        for capability in compute.capabilities
        if any(
            memory.name in (acg.transfer(s).source, acg.transfer(s).target)
            for p in capability.ports
            for s in (p.stream, p.partial, p.spill)
            if s
        )
        for dim, extent in capability.extents.items()
    ]
    dims = [dim for dim, _ in lanes]
    for index, dim in enumerate(memory.per):
        if dim not in dims:
            message = f"'{dim}' is not a dim of a compute node that '{memory.name}' feeds"
            repair = did_you_mean(dim, dict.fromkeys(dims)) if dims else "remove it"
            findings.report("ACG065", (*at, index), message, repair)
        elif dim in memory.per[:index]:
            findings.report("ACG065", (*at, index), f"'{dim}' is given twice", "remove one")
        each = memory.lanes_each[index]
        odd = [extent for name, extent in lanes if name == dim and extent % each and extent > 1]
        if odd:
            message = f"{odd[0]} lanes along '{dim}' are no whole groups of {each}"
            findings.report("ACG065", (*at, index), message, "write a divisor")
    if memory.per and (memory.off_chip or memory.banks > 1):
        message = f"'{memory.name}' exists once per lane, so it is on chip and has one bank"
        findings.report_key("ACG065", at, message, "remove `per`, or `banks` and `off_chip`")


def _power_of_two(findings: Findings, path: Path, name: str, value: int) -> None:
    if value & (value - 1):
        lower = 1 << (value.bit_length() - 1)
        message = f"{name} is {value}, expected a power of two"
        findings.report("ACG023", path, message, f"write {lower} or {2 * lower}")


def _check_rows(acg: Acg, memory: Memory, findings: Findings) -> None:
    """Whole rows; in hardware, and where addresses have several views, a power of two of them."""
    stripe = memory.banks * memory.word_bytes
    path: Path = ("memories", memory.name, "size")
    rows = memory.size_bytes // stripe
    size = show_size(memory.size_bytes)
    if any(n & (n - 1) for n in (memory.banks, memory.word_bytes)):
        return  # reported; sizes that would fit today fit no longer then
    if memory.size_bytes % stripe or not rows:
        message = f"size {size} is not a multiple of banks * word_bytes = {stripe} bytes"
        findings.report("ACG024", path, message, f"write {show_size(max(1, rows) * stripe)}")
    elif (acg.rtl or memory.bank_group) and not memory.off_chip and rows & (rows - 1):
        lower = stripe << (rows.bit_length() - 1)
        message = f"size {size} makes {rows} rows per bank, expected a power of two"
        findings.report(
            "ACG024", path, message, f"write {show_size(lower)} or {show_size(2 * lower)}"
        )


def check_transfers(acg: Acg, findings: Findings) -> None:
    """Ends of transfers, and attributes that have no meaning for their kind."""
    memories = {memory.name: memory for memory in acg.memories}
    for transfer in acg.transfers:
        at: Path = ("transfers", transfer.name)
        ends = [end for end in (transfer.source, transfer.target) if end in memories]
        if not ends or transfer.source == transfer.target:
            message = f"'{transfer.name}' joins '{transfer.source}' and '{transfer.target}'"
            repair = "join two memories, or a memory and a compute node"
            findings.report("ACG022", (*at, "to"), f"{message}; one end must be a memory", repair)
        elif transfer.is_stream:
            _check_stream_attributes(acg, transfer, findings)
        else:
            _check_dma_attributes(acg, transfer, findings)


def _check_dma_attributes(acg: Acg, transfer: Transfer, findings: Findings) -> None:
    at: Path = ("transfers", transfer.name)
    if not transfer.bytes_per_cycle:
        message = f"'{transfer.name}' joins two memories and lacks `bytes_per_cycle`"
        findings.report_key("ACG025", at, message, "add `bytes_per_cycle: 64`")
    for key, used in (("fifo_depth", transfer.fifo_depth > 0), ("lanes", False)):
        written = findings.places.node(*at, key) is not None
        if used or written:
            message = f"`{key}` has no meaning for '{transfer.name}', which joins two memories"
            findings.report_key("ACG026", (*at, key), message, "remove it")
    _check_granule(acg, transfer, findings)
    source = {memory.name: memory for memory in acg.memories}[transfer.source]
    possible = ("fill", "windows", "sums") if source.off_chip else ("fill", "sums")
    _check_abilities(transfer, possible, "a DMA into a memory", findings)


def _check_granule(acg: Acg, transfer: Transfer, findings: Findings) -> None:
    """Words are made of whole pieces; those of the cluster in `rtl/` are moved whole."""
    path: Path = ("transfers", transfer.name, "granule")
    if findings.places.node(*path) is None:
        return
    ends = [m for m in acg.memories if m.name in (transfer.source, transfer.target)]
    odd = next((m for m in ends if not m.off_chip and m.word_bytes % transfer.granule), None)
    if odd is not None:
        message = f"words of '{odd.name}' have {odd.word_bytes} bytes, no multiple of the granule"
        findings.report("ACG069", path, message, "write a divisor of the words")
    elif acg.rtl:
        message = f"the hardware moves whole words with '{transfer.name}'"
        findings.report("ACG069", path, message, "remove it")


def _check_stream_attributes(acg: Acg, transfer: Transfer, findings: Findings) -> None:
    at: Path = ("transfers", transfer.name)
    for key in ("channels", "outstanding", "setup_cycles", "granule"):
        if findings.places.node(*at, key) is not None:
            message = f"`{key}` has no meaning for the stream '{transfer.name}'"
            findings.report_key("ACG026", (*at, key), message, "remove it")
    records = {record.stream for compute in acg.computes for record in compute.records}
    if transfer.name not in records and findings.places.node(*at, "lanes") is not None:
        message = f"`lanes` of '{transfer.name}' follow from the tile of its port"
        findings.report_key("ACG026", (*at, "lanes"), message, "remove it")
    _check_abilities(transfer, ("tail", "wrap"), "a stream", findings)
    if transfer.name not in records and not _carried(acg, transfer.name):
        message = f"no port or record uses the stream '{transfer.name}'"
        bare = [f"'{name}'" for name in _without_stream(acg, transfer)]
        where = " or ".join(bare) if bare else "a port"
        repair = f"write `stream: {transfer.name}` at {where}, or remove the stream"
        findings.report_key("ACG028", at, message, repair)


def _check_abilities(
    transfer: Transfer, possible: tuple[str, ...], kind: str, findings: Findings
) -> None:
    for index, ability in enumerate(transfer.abilities):
        path: Path = ("transfers", transfer.name, "abilities", index)
        if ability not in possible:
            message = f"'{ability}' is not an ability of {kind}"
            findings.report("ACG026", path, message, f"possible: {', '.join(possible)}")
        elif ability in transfer.abilities[:index]:
            findings.report("ACG026", path, f"'{ability}' is given twice", "remove one")


def _without_stream(acg: Acg, transfer: Transfer) -> dict[str, None]:
    """Ports of the node at the end of a stream that none carries."""
    return {
        port.name: None
        for capability in acg.capabilities
        if capability.node in (transfer.source, transfer.target)
        for port in capability.ports
        if not port.stream and port.tile and port.name != capability.stationary
    }


def _carried(acg: Acg, stream: str) -> bool:
    return any(
        stream in (port.stream, port.partial, port.spill)
        for capability in acg.capabilities
        for port in capability.ports
    )
