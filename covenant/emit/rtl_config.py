"""From an architecture to `cvn_cfg_pkg.sv`, the package that carries its numbers into the RTL.

In: an `Acg` of the cluster family. Out: the text of a SystemVerilog package; the only place where
the RTL learns sizes, register indices, reset values, instruction fields and semaphore masks. Names
in the package say what a number means (`GemmOffsetA`), not how an architecture names its nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Memory, Transfer
from covenant.emit.rtl_nodes import Nodes, find_nodes, node_lines
from covenant.emit.rtl_text import error, mask, number, one, place, reset, struct

# L1 words of the RTL (cvn_pkg::WordBytes), most semaphores (cvn_pkg::NumSemaphores).
_WORD_BYTES = 8

# Registers of a channel that loads windows.
_WINDOWS = ("line", "at", "plane", "top", "bytes")
_SEMAPHORES = 28

_EFFECTS = {
    "write": "op_write",
    "add": "op_add",
    "reverse_subtract": "op_reverse_subtract",
    "launch": "op_launch",
    "post": "op_post",
    "loop": "op_loop",
    "halt": "op_halt",
}
_STALLS = {
    "none": "StallNone",
    "launch": "StallLaunch",
    "write": "StallWrite",
    "barrier": "StallBarrier",
}
_FIELDS = {
    "opcode": "opcode",
    "unit": "unit",
    "register": "index",
    "value": "value",
    "wait": "waits",
    "post": "posts",
    "length": "length",
    "count": "count",
}


@dataclass(frozen=True, slots=True)
class _Roles:
    """The nodes and units of an architecture by the part they play in the cluster."""

    control: Control
    dram: Memory
    l1: Memory
    load: Transfer
    store: Transfer
    nodes: Nodes
    load_units: tuple[ControlUnit, ...]
    store_units: tuple[ControlUnit, ...]


def rtl_config(acg: Acg) -> str:
    """Text of `cvn_cfg_pkg.sv`; CovenantError when the architecture is not one of the cluster."""
    roles = _find_roles(acg)
    dma = [*_dma(acg, "Load", roles.load, roles.load_units)]
    sections = {
        "Memories and bus": _memories(acg, roles),
        "DMA": [*dma, *_dma(acg, "Store", roles.store, roles.store_units)],
        "Compute nodes": node_lines(acg, roles.control, roles.nodes),
        "Control": _control(acg, roles),
    }
    lines = [f"/// Numbers of architecture `{acg.name}`, generated from its YAML. Do not edit."]
    lines += ["package cvn_cfg_pkg;"]
    for title, body in sections.items():
        lines += ["", f"  // {title}", *(f"  {line}" for line in body)]
    return "\n".join([*lines, "", "endpackage", ""])


def _find_roles(acg: Acg) -> _Roles:
    control = acg.control
    if not acg.rtl or acg.rtl["family"] != "cluster" or control is None:
        message = f"architecture '{acg.name}' has no RTL: its `rtl.family` is not `cluster`"
        raise error(acg, message, "run it `--on interpreter`, or give it `rtl: {family: cluster}`")
    dram = one(acg, "off-chip memory", [m for m in acg.memories if m.off_chip])
    l1 = one(acg, "on-chip memory", [m for m in acg.memories if not m.off_chip])
    load = _transfer(acg, dram.name, l1.name)
    store = _transfer(acg, l1.name, dram.name)
    return _Roles(
        control=control,
        dram=dram,
        l1=l1,
        load=load,
        store=store,
        nodes=find_nodes(acg, control),
        load_units=_channels(acg, control, load),
        store_units=_channels(acg, control, store),
    )


def _transfer(acg: Acg, source: str, target: str) -> Transfer:
    found = [t for t in acg.transfers if (t.source, t.target) == (source, target)]
    return one(acg, f"transfer from {source} to {target}", found)


def _units(control: Control, node: str) -> list[ControlUnit]:
    return [unit for unit in control.units if node in unit.nodes]


def _channels(acg: Acg, control: Control, transfer: Transfer) -> tuple[ControlUnit, ...]:
    """The units of a DMA in channel order; their ids must follow one another."""
    units = sorted(_units(control, transfer.name), key=lambda unit: unit.channel)
    if len(units) != transfer.channels:
        message = f"'{transfer.name}' has {transfer.channels} channels but {len(units)} units"
        raise error(
            acg, message, f"declare one unit per channel of '{transfer.name}'", transfer.span
        )
    for offset, unit in enumerate(units):
        if unit.id != units[0].id + offset or unit.registers != units[0].registers:
            message = f"unit '{unit.name}' does not follow '{units[0].name}' in id and registers"
            raise error(acg, message, "give the channels of a DMA consecutive ids", unit.span)
    return tuple(units)


def _memories(acg: Acg, roles: _Roles) -> list[str]:
    l1 = roles.l1
    if l1.word_bytes != _WORD_BYTES:
        message = f"'{l1.name}' has words of {l1.word_bytes} bytes, the RTL has {_WORD_BYTES}"
        raise error(acg, message, f"write `word_bytes: {_WORD_BYTES}`", l1.span)
    if roles.load.bytes_per_cycle != roles.store.bytes_per_cycle:
        message = f"'{roles.load.name}' and '{roles.store.name}' share one bus but differ in width"
        raise error(acg, message, "give both the same `bytes_per_cycle`", roles.store.span)
    return [
        number("L1Words", l1.size_bytes // l1.word_bytes),
        number("L1Banks", l1.banks),
        number("L1Views", len(l1.views) - 1),
        number("AxiBytes", roles.load.bytes_per_cycle),
    ]


def _dma(acg: Acg, role: str, transfer: Transfer, units: Sequence[ControlUnit]) -> list[str]:
    unit = units[0]
    load = role == "Load"
    near, far = ("dst", "src") if load else ("src", "dst")
    fill = "fill" in transfer.abilities
    names = {
        "dram": f"{far}.base",
        "l1": f"{near}.base",
        "run": "run",
        "word_stride": f"{near}.word_stride",
        "bound": "bound",
        "dram_stride": f"{far}.stride",
        "l1_stride": f"{near}.stride",
    }
    places = {key: place(acg, unit, name, transfer.loops) for key, name in names.items()}
    places["fill"] = place(acg, unit, "fill", 0) if fill else 0
    windows = "windows" in transfer.abilities
    places["value"] = place(acg, unit, "value", 0) if fill or windows else 0
    places |= {key: place(acg, unit, key, 0) if windows else 0 for key in _WINDOWS}
    return [
        number(f"{role}Channels", transfer.channels),
        number(f"{role}Loops", transfer.loops),
        number(f"{role}Outstanding", transfer.outstanding),
        *([_flag("LoadHasFill", fill), _flag("LoadHasWindows", windows)] if load else []),
        number(f"Num{role}Regs", len(unit.registers)),
        f"localparam cvn_dma_pkg::registers_t {role}Registers = {struct(places)};",
        *reset(role, unit),
    ]


def _flag(name: str, value: bool) -> str:
    return f"localparam bit {name} = 1'b{int(value)};"


def _control(acg: Acg, roles: _Roles) -> list[str]:
    control = roles.control
    places: dict[str, int | str] = {}
    fields: dict[str, tuple[int, int]] = {}
    for mnemonic in control.mnemonics:
        if mnemonic.effect not in _EFFECTS or mnemonic.writes or mnemonic.starts:
            message = f"the cluster has no instruction such as '{mnemonic.name}'"
            repair = "take the mnemonics of a shipped cluster"
            raise error(acg, message, repair, mnemonic.span)
        for field in mnemonic.fields:
            place = (field.low, field.high - field.low + 1)
            if field.constant is not None:
                places[_EFFECTS[mnemonic.effect]] = field.constant
            if fields.setdefault(field.name, place) != place:
                message = f"field '{field.name}' of '{mnemonic.name}' lies elsewhere in other words"
                raise error(
                    acg, message, "the cluster decodes each field at one place", mnemonic.span
                )
    missing = [*(_EFFECTS.values() - places.keys()), *(_FIELDS.keys() - fields.keys())]
    if missing:
        message = f"the mnemonics lack {', '.join(sorted(missing))}"
        raise error(acg, message, "take the mnemonics of a shipped cluster", control.span)
    if len(control.semaphores) > _SEMAPHORES:
        message = f"{len(control.semaphores)} semaphores, the RTL has {_SEMAPHORES}"
        raise error(acg, message, "remove some of them", control.span)
    encoding = {
        name: struct(dict(zip(("lsb", "bits"), fields[key], strict=True)))
        for key, name in _FIELDS.items()
    }
    return [
        number("ProgramWords", control.program_words),
        number("LoopDepth", control.loop_depth),
        number("QueueDepth", control.queue_depth),
        f"localparam cvn_command_pkg::stall_e Stall = cvn_command_pkg::{_STALLS[control.stall]};",
        number("NumUnits", max(unit.id for unit in control.units) + 1),
        _used_units(control),
        number("LoadUnit", roles.load_units[0].id),
        number("StoreUnit", roles.store_units[0].id),
        mask("Semaphores", control, control.semaphores),
        "localparam cvn_command_pkg::encoding_t Encoding = "
        + struct({**encoding, **{name: places[name] for name in _EFFECTS.values()}})
        + ";",
    ]


def _used_units(control: Control) -> str:
    used = sum(1 << unit.id for unit in control.units)
    return f"localparam bit [NumUnits-1:0] UsedUnits = NumUnits'({used});"
