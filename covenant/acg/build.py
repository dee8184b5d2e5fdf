"""From validated sections to the graph: names become nodes, ranges become items, sizes integers.

In: `ArchitectureSection` and the places of its parts. Out: `Acg` and the places of expanded items.
"""

from __future__ import annotations

from collections.abc import Mapping

from covenant.acg import derive
from covenant.acg.control import Control, ControlUnit, Field, Host, Mnemonic, PacketForm, Register
from covenant.acg.control_sections import HostSection, PacketSection, UnitSection
from covenant.acg.graph import Acg, Capability, Compute, Memory, Port, Record, Transfer
from covenant.acg.notation import parse_field, parse_range, parse_register, parse_semantics
from covenant.acg.places import Path, Places
from covenant.acg.sections import (
    ArchitectureSection,
    MemorySection,
    PortSection,
)
from covenant.core.dtypes import DType


def build(section: ArchitectureSection, places: Places) -> tuple[Acg, Places]:
    """The graph, and places that also know the items that ranges stood for."""
    aliases: dict[Path, Path] = {}
    acg = Acg(
        name=section.name,
        description=section.description,
        memories=_memories(section, places),
        transfers=_transfers(section, places),
        computes=tuple(_compute(section, name, places) for name in section.compute),
        control=_control(section, places, aliases),
        rtl=_rtl(section),
        file=places.tree.span.file,
    )
    return acg, Places(places.tree, aliases)


def _memories(section: ArchitectureSection, places: Places) -> tuple[Memory, ...]:
    return tuple(
        Memory(
            name=name,
            off_chip=memory.off_chip,
            size_bytes=memory.size,
            word_bytes=memory.word_bytes,
            banks=memory.banks,
            bank_group=memory.bank_group,
            start=memory.start,
            latency_cycles=memory.latency,
            write_latency_cycles=memory.write_latency,
            read_bytes_per_cycle=memory.read_bytes_per_cycle or memory.banks * memory.word_bytes,
            write_bytes_per_cycle=memory.write_bytes_per_cycle or memory.banks * memory.word_bytes,
            read_femtojoules_per_word=memory.energy.read * _counted(memory),
            write_femtojoules_per_word=memory.energy.write * _counted(memory),
            span=places.key("memories", name),
            per=tuple(text.partition("/")[0] for text in memory.per),
            lanes_each=tuple(int(text.partition("/")[2] or 1) for text in memory.per),
            grid=derive.grid(section, name),
        )
        for name, memory in section.memories.items()
    )


def _counted(memory: MemorySection) -> int:
    """How often the energy written in the file is spent on one word."""
    return memory.word_bytes if memory.energy.per == "byte" else 1


def _transfers(section: ArchitectureSection, places: Places) -> tuple[Transfer, ...]:
    built = []
    for name, transfer in section.transfers.items():
        lanes = derive.stream_lanes(section, name)
        ends = [section.memories.get(end) for end in (transfer.source, transfer.target)]
        word_bytes = max((memory.word_bytes for memory in ends if memory), default=1)
        built.append(
            Transfer(
                name=name,
                source=transfer.source,
                target=transfer.target,
                bytes_per_cycle=transfer.bytes_per_cycle or lanes * word_bytes,
                loops=transfer.loops,
                channels=transfer.channels,
                setup_cycles=transfer.setup_cycles,
                outstanding=transfer.outstanding,
                fifo_depth=transfer.fifo_depth,
                abilities=tuple(transfer.abilities),
                span=places.key("transfers", name),
                lanes=lanes,
                granule=transfer.granule or derive.granule(section, name),
            )
        )
    return tuple(built)


def _compute(section: ArchitectureSection, name: str, places: Places) -> Compute:
    compute = section.compute[name]
    return Compute(
        name=name,
        capabilities=tuple(_capability(section, name, c, places) for c in compute.capabilities),
        after=compute.after or "",
        records=tuple(
            Record(
                key,
                record.stream,
                record.dim or "",
                tuple(map(tuple, record.groups)),
                record.entries or 0,
            )
            for key, record in compute.records.items()
        ),
        span=places.key("compute", name),
    )


def _capability(section: ArchitectureSection, node: str, name: str, places: Places) -> Capability:
    capability = section.compute[node].capabilities[name]
    return Capability(
        name=name,
        node=node,
        statement=parse_semantics(capability.semantics),
        extents=derive.extents(section, node, name),
        ports=tuple(_port(key, port) for key, port in capability.ports.items()),
        scalars=tuple(capability.scalars),
        stationary=capability.stationary or "",
        startup_cycles=capability.startup_cycles,
        drain_cycles=capability.drain_cycles,
        step_cycles=capability.step_cycles,
        femtojoules_per_step=capability.energy,
        rounding=capability.rounding or "",
        requires=tuple(capability.requires),
        avoids=tuple(capability.avoids),
        registers=capability.registers,
        span=places.key("compute", node, "capabilities", name),
    )


def _port(name: str, port: PortSection) -> Port:
    return Port(
        name=name,
        dtypes=tuple(DType(dtype) for dtype in port.dtypes),
        stream=port.stream or "",
        tile=tuple(port.tile),
        partial=port.partial or "",
        spill=port.spill or "",
        dense=port.dense,
        stored=None if port.stored is None else DType(port.stored),
    )


def _control(
    section: ArchitectureSection, places: Places, aliases: dict[Path, Path]
) -> Control | None:
    control = section.control
    if control is None:
        return None
    mnemonics = tuple(
        Mnemonic(
            name=name,
            effect=form.effect,
            fields=tuple(_field(key, text) for key, text in form.fields.items()),
            span=places.key("control", "mnemonics", name),
            unit=form.unit or "",
            sets=tuple(form.sets.items()),
            after=tuple(form.after),
            adds=tuple(form.adds),
            writes=tuple(form.writes),
            starts=tuple(form.starts),
            slots=tuple(form.slots),
        )
        for name, form in control.mnemonics.items()
    )
    semaphores = tuple(control.semaphores)
    units: list[ControlUnit] = []
    for name, unit in control.units.items():
        units += _units(name, unit, len(units), semaphores, places, aliases)
    return Control(
        word_bits=control.word_bits,
        program_words=control.program_words,
        loop_depth=control.loop_depth,
        queue_depth=control.queue_depth,
        issue_cycles=control.issue_cycles,
        semaphores=semaphores,
        mnemonics=mnemonics,
        units=tuple(units),
        span=places.key("control"),
        host=_host(control.host, places),
        stall=control.stall,
        packet=_packet(control.packet, places),
    )


def _packet(section: PacketSection | None, places: Places) -> PacketForm | None:
    if section is None:
        return None
    end, more = _field("end", section.end), _field("more", section.more)
    return PacketForm(section.slots, end, more, places.key("control", "packet"))


def _field(name: str, text: str) -> Field:
    form = parse_field(text)
    return Field(name, form.high, form.low, form.constant, form.plus, form.granule, form.times)


def _host(section: HostSection | None, places: Places) -> Host | None:
    if section is None:
        return None
    return Host(
        operands=tuple(_field(name, text) for name, text in section.operands.items()),
        constants=tuple(section.constants),
        issue=section.issue,
        halt=section.halt,
        shares=tuple(section.shares),
        span=places.key("control", "host"),
    )


def _units(
    name: str,
    unit: UnitSection,
    position: int,
    semaphores: tuple[str, ...],
    places: Places,
    aliases: dict[Path, Path],
) -> tuple[ControlUnit, ...]:
    stem, first, last = parse_range(name) or (name, 0, 0)
    ranged = stem != name
    written: Path = ("control", "units", name)
    built = []
    for offset in range(last - first + 1):
        own = f"{stem}{first + offset}" if ranged else name
        if ranged:
            aliases[("control", "units", own)] = written
        built.append(
            ControlUnit(
                name=own,
                id=(position if unit.id is None else unit.id) + offset,
                nodes=tuple(unit.nodes),
                channel=unit.channel + offset,
                registers=_registers(unit, ("control", "units", own), written, aliases),
                waits=_semaphores(unit.waits, semaphores),
                posts=_semaphores(unit.posts, semaphores),
                span=places.key(*written),
            )
        )
    return tuple(built)


def _registers(
    unit: UnitSection, own: Path, written: Path, aliases: dict[Path, Path]
) -> tuple[Register, ...]:
    registers: list[Register] = []
    for item, text in enumerate(unit.registers):
        for form in parse_register(text):
            aliases[(*own, "registers", form.quantity)] = (*written, "registers", item)
            index = len(registers)
            registers.append(Register(index, form.quantity, form.reset, form.maximum, form.fixed))
    return tuple(registers)


def _semaphores(
    written: Mapping[str, list[str]] | None, all_names: tuple[str, ...]
) -> Mapping[str, tuple[str, ...]]:
    """Semaphores by port; a unit that names none may use all of them, as a whole."""
    if written is None:
        return {"": tuple(dict.fromkeys(all_names))}
    return {port: tuple(names) for port, names in written.items()}


def _rtl(section: ArchitectureSection) -> Mapping[str, str]:
    if section.rtl is None:
        return {}
    return {"family": section.rtl.family, "top": section.rtl.top}
