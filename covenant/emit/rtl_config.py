"""From an architecture to `cvn_cfg_pkg.sv`, the package that carries its numbers into the RTL.

In: an `Acg` of the cluster family. Out: the text of a SystemVerilog package; the only place where
the RTL learns sizes, register indices, reset values, instruction fields and semaphore masks. Names
in the package say what a number means (`GemmOffsetA`), not how an architecture names its nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from covenant.acg.graph import (
    Acg,
    Capability,
    Compute,
    Control,
    ControlUnit,
    Memory,
    Record,
    Transfer,
)
from covenant.core.diagnostics import CovenantError, Span, fail

_T = TypeVar("_T")

# L1 words of the RTL (cvn_pkg::WordBytes).
_WORD_BYTES = 8

# Registers of a gemm sub-engine, in the order its queue expects.
_PIXELS = ("base", "lane_stride", "word_stride", "tail_loop", "tail_lanes", "bound", "stride")
_LANES = ("base", "lane_stride", "tail_loop", "tail_lanes", "bound", "stride")
_PLAIN = ("base", "bound", "stride")
_ARRAY = (
    "steps",
    "tiles",
    "reuse",
    "za",
    "zy",
    "lo",
    "hi",
    "a.signed",
    "b.signed",
    "resume",
    "out",
)
_EFFECTS = {
    "write": "op_write",
    "add": "op_add",
    "reverse_subtract": "op_reverse_subtract",
    "launch": "op_launch",
    "post": "op_post",
    "loop": "op_loop",
    "halt": "op_halt",
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
    array: Compute
    matmul: Capability
    requantise: Capability
    record: Record
    gemm_unit: ControlUnit
    load_units: tuple[ControlUnit, ...]
    store_units: tuple[ControlUnit, ...]


def rtl_config(acg: Acg) -> str:
    """Text of `cvn_cfg_pkg.sv`; CovenantError when the architecture is not one of the cluster."""
    roles = _find_roles(acg)
    dma = [*_dma(acg, "Load", roles.load, roles.load_units)]
    sections = {
        "Memories and bus": _memories(acg, roles),
        "DMA": [*dma, *_dma(acg, "Store", roles.store, roles.store_units)],
        "Matrix array, requantiser and streams": [*_gemm(acg, roles), *_gemm_unit(acg, roles)],
        "Control": _control(acg, roles),
    }
    lines = [f"/// Numbers of architecture `{acg.name}`, generated from its YAML. Do not edit."]
    lines += ["package cvn_cfg_pkg;"]
    for title, body in sections.items():
        lines += ["", f"  // {title}", *(f"  {line}" for line in body)]
    return "\n".join([*lines, "", "endpackage", ""])


def _find_roles(acg: Acg) -> _Roles:
    control = acg.control
    if acg.rtl.get("family") != "cluster" or control is None:
        message = f"architecture '{acg.name}' has no RTL: its `rtl.family` is not `cluster`"
        raise _error(acg, message, "run it `--on interpreter`, or give it `rtl: {family: cluster}`")
    dram = _one(acg, "off-chip memory", [m for m in acg.memories if m.off_chip])
    l1 = _one(acg, "on-chip memory", [m for m in acg.memories if not m.off_chip])
    arrays = [c for c in acg.computes if not c.after]
    array = _one(acg, "compute node that reads a memory", arrays)
    after = [c for c in acg.computes if c.after == array.name]
    rounded = [k for node in after for k in node.capabilities if k.rounding]
    load = _transfer(acg, dram.name, l1.name)
    store = _transfer(acg, l1.name, dram.name)
    matmuls = [k for k in array.capabilities if k.stationary]
    return _Roles(
        control=control,
        dram=dram,
        l1=l1,
        load=load,
        store=store,
        array=array,
        matmul=_one(acg, f"accumulating capability of {array.name}", matmuls),
        requantise=_one(acg, f"rounding capability after {array.name}", rounded),
        record=_one(acg, f"record of {array.name}", list(array.records)),
        gemm_unit=_one(acg, f"unit of {array.name}", _units(control, array.name)),
        load_units=_channels(acg, control, load),
        store_units=_channels(acg, control, store),
    )


def _one(acg: Acg, what: str, found: Sequence[_T]) -> _T:
    if len(found) != 1:
        message = f"the cluster has exactly one {what}; '{acg.name}' has {len(found)}"
        raise _error(acg, message, "change the YAML, or run it `--on interpreter`")
    return found[0]


def _error(acg: Acg, message: str, repair: str, span: Span | None = None) -> CovenantError:
    return fail("RTL001", message, span or Span(acg.file), repair)


def _transfer(acg: Acg, source: str, target: str) -> Transfer:
    found = [t for t in acg.transfers if (t.source, t.target) == (source, target)]
    return _one(acg, f"transfer from {source} to {target}", found)


def _units(control: Control, node: str) -> list[ControlUnit]:
    return [unit for unit in control.units if node in unit.nodes]


def _channels(acg: Acg, control: Control, transfer: Transfer) -> tuple[ControlUnit, ...]:
    """The units of a DMA in channel order; their ids must follow one another."""
    units = sorted(_units(control, transfer.name), key=lambda unit: unit.channel)
    if len(units) != transfer.channels:
        message = f"'{transfer.name}' has {transfer.channels} channels but {len(units)} units"
        raise _error(
            acg, message, f"declare one unit per channel of '{transfer.name}'", transfer.span
        )
    for offset, unit in enumerate(units):
        if unit.id != units[0].id + offset or unit.registers != units[0].registers:
            message = f"unit '{unit.name}' does not follow '{units[0].name}' in id and registers"
            raise _error(acg, message, "give the channels of a DMA consecutive ids", unit.span)
    return tuple(units)


def _memories(acg: Acg, roles: _Roles) -> list[str]:
    l1 = roles.l1
    if l1.word_bytes != _WORD_BYTES:
        message = f"'{l1.name}' has words of {l1.word_bytes} bytes, the RTL has {_WORD_BYTES}"
        raise _error(acg, message, f"write `word_bytes: {_WORD_BYTES}`", l1.span)
    if roles.load.bytes_per_cycle != roles.store.bytes_per_cycle:
        message = f"'{roles.load.name}' and '{roles.store.name}' share one bus but differ in width"
        raise _error(acg, message, "give both the same `bytes_per_cycle`", roles.store.span)
    return [
        _number("L1Words", l1.size_bytes // l1.word_bytes),
        _number("L1Banks", l1.banks),
        _number("L1Views", len(l1.views) - 1),
        _number("AxiBytes", roles.load.bytes_per_cycle),
    ]


def _dma(acg: Acg, role: str, transfer: Transfer, units: Sequence[ControlUnit]) -> list[str]:
    unit = units[0]
    near, far = ("dst", "src") if role == "Load" else ("src", "dst")
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
    places = {key: _place(acg, unit, name, transfer.loops) for key, name in names.items()}
    places["fill"] = _place(acg, unit, "fill", 0) if fill else 0
    places["value"] = _place(acg, unit, "value", 0) if fill else 0
    return [
        _number(f"{role}Channels", transfer.channels),
        _number(f"{role}Loops", transfer.loops),
        _number(f"{role}Outstanding", transfer.outstanding),
        *([f"localparam bit {role}HasFill = 1'b{int(fill)};"] if role == "Load" else []),
        _number(f"Num{role}Regs", len(unit.registers)),
        f"localparam cvn_dma_pkg::registers_t {role}Registers = {_struct(places)};",
        *_reset(role, unit),
    ]


def _gemm(acg: Acg, roles: _Roles) -> list[str]:
    matmul = roles.matmul
    streams = {
        "A": acg.transfer(matmul.port("a").stream),
        "B": acg.transfer(matmul.port("b").stream),
        "C": acg.transfer(matmul.port("acc").partial),
        "P": acg.transfer(roles.record.stream),
        "Y": acg.transfer(matmul.port("acc").spill),
    }
    lines = [_number(f"Gemm{dim.upper()}", matmul.extents[dim]) for dim in ("m", "n", "k")]
    lines += [_number("GemmRequantiseColumns", roles.requantise.extents["n"])]
    lines += [_number("GemmPLanes", streams["P"].lanes)]
    lines += [_number(f"GemmLoops{key}", stream.loops) for key, stream in streams.items()]
    lines += [_number(f"GemmFifoDepth{key}", stream.fifo_depth) for key, stream in streams.items()]
    return lines


def _gemm_unit(acg: Acg, roles: _Roles) -> list[str]:
    unit, matmul = roles.gemm_unit, roles.matmul
    blocks = {
        "A": ("a", _PIXELS, acg.transfer(matmul.port("a").stream).loops),
        "B": ("b", _PLAIN, acg.transfer(matmul.port("b").stream).loops),
        "C": ("acc", _LANES, acg.transfer(matmul.port("acc").partial).loops),
        "P": (roles.record.name, _PLAIN, acg.transfer(roles.record.stream).loops),
        "Y": ("y", _LANES, acg.transfer(matmul.port("acc").spill).loops),
    }
    lines = [_number("GemmUnit", unit.id), _number("NumGemmRegs", len(unit.registers))]
    for key, (prefix, order, loops) in blocks.items():
        quantities = [f"{prefix}.{name}" for name in order]
        lines.append(_number(f"GemmOffset{key}", _block(acg, unit, quantities, loops)))
    lines.append(_number("GemmOffsetArray", _block(acg, unit, _ARRAY, 0)))
    for key, (prefix, _, _) in blocks.items():
        lines.append(_mask(f"GemmWait{key}", roles.control, unit.waits.get(prefix, ())))
        lines.append(_mask(f"GemmPost{key}", roles.control, unit.posts.get(prefix, ())))
    return [*lines, *_reset("Gemm", unit)]


def _control(acg: Acg, roles: _Roles) -> list[str]:
    control = roles.control
    places: dict[str, int | str] = {}
    fields: dict[str, tuple[int, int]] = {}
    for mnemonic in control.mnemonics:
        for field in mnemonic.fields:
            place = (field.low, field.high - field.low + 1)
            if field.constant is not None:
                places[_EFFECTS[mnemonic.effect]] = field.constant
            if fields.setdefault(field.name, place) != place:
                message = f"field '{field.name}' of '{mnemonic.name}' lies elsewhere in other words"
                raise _error(
                    acg, message, "the cluster decodes each field at one place", mnemonic.span
                )
    missing = [*(_EFFECTS.values() - places.keys()), *(_FIELDS.keys() - fields.keys())]
    if missing:
        message = f"the mnemonics lack {', '.join(sorted(missing))}"
        raise _error(acg, message, "take the mnemonics of a shipped cluster", control.span)
    encoding = {
        name: _struct(dict(zip(("lsb", "bits"), fields[key], strict=True)))
        for key, name in _FIELDS.items()
    }
    return [
        _number("ProgramWords", control.program_words),
        _number("LoopDepth", control.loop_depth),
        _number("QueueDepth", control.queue_depth),
        _number("NumUnits", max(unit.id for unit in control.units) + 1),
        _used_units(control),
        _number("LoadUnit", roles.load_units[0].id),
        _number("StoreUnit", roles.store_units[0].id),
        _mask("Semaphores", control, control.semaphores),
        "localparam cvn_command_pkg::encoding_t Encoding = "
        + _struct({**encoding, **{name: places[name] for name in _EFFECTS.values()}})
        + ";",
    ]


def _place(acg: Acg, unit: ControlUnit, quantity: str, loops: int) -> int:
    """Index of a register, or of entry 0 of a row of `loops` registers."""
    return _block(acg, unit, [quantity], loops)


def _block(acg: Acg, unit: ControlUnit, quantities: Sequence[str], loops: int) -> int:
    """Index of the first of registers that must follow one another in this order."""
    wanted: list[str] = []
    for quantity in quantities:
        row = quantity.rpartition(".")[2] in ("bound", "stride")
        wanted += [f"{quantity}[{i}]" for i in range(loops)] if row else [quantity]
    first = unit.register(wanted[0])
    start = first.index if first else 0
    found = [register.quantity for register in unit.registers[start : start + len(wanted)]]
    for index, (quantity, there) in enumerate(zip_longest(wanted, found)):
        if quantity != there:
            message = f"unit '{unit.name}' has {there or 'nothing'} as register {start + index}"
            repair = f"the cluster expects there: {quantity}"
            raise _error(acg, message, repair, unit.span)
    return start


def _number(name: str, value: int) -> str:
    return f"localparam int unsigned {name} = {value};"


def _used_units(control: Control) -> str:
    used = sum(1 << unit.id for unit in control.units)
    return f"localparam bit [NumUnits-1:0] UsedUnits = NumUnits'({used});"


def _mask(name: str, control: Control, semaphores: Sequence[str]) -> str:
    value = sum(1 << control.semaphores.index(semaphore) for semaphore in semaphores)
    return f"localparam cvn_pkg::sem_mask_t {name} = cvn_pkg::NumSemaphores'({value});"


def _struct(entries: Mapping[str, int | str]) -> str:
    return "'{" + ", ".join(f"{name}: {value}" for name, value in entries.items()) + "}"


def _reset(role: str, unit: ControlUnit) -> list[str]:
    """Reset values of a unit, the highest register first as packed arrays are written."""
    values = [f"32'h{register.reset & 0xFFFFFFFF:x}" for register in reversed(unit.registers)]
    rows = [", ".join(values[i : i + 8]) for i in range(0, len(values), 8)]
    body = ",\n    ".join(rows)
    return [f"localparam cvn_pkg::reg_t [Num{role}Regs-1:0] {role}Reset = {{\n    {body}}};"]
