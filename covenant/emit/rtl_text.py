"""Pieces of the generated SystemVerilog package, and the checks that its sections share.

In: numbers, control units, semaphores. Out: lines of SystemVerilog; CovenantError (RTL001) for an
architecture that the cluster cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Capability, Compute
from covenant.core.diagnostics import CovenantError, Span, fail

_T = TypeVar("_T")

# Registers of a stream, in the order its queue expects (cvn_pkg::stream_layout_e).
PIXELS = ("base", "lane_stride", "word_stride", "tail_loop", "tail_lanes", "bound", "stride")
LANES = ("base", "lane_stride", "tail_loop", "tail_lanes", "bound", "stride")
PLAIN = ("base", "bound", "stride")


def error(acg: Acg, message: str, repair: str, span: Span | None = None) -> CovenantError:
    """The finding of an architecture that has no RTL."""
    return fail("RTL001", message, span or Span(acg.file), repair)


def one(acg: Acg, what: str, found: Sequence[_T]) -> _T:
    """The only item; CovenantError when there is none or more than one."""
    if len(found) != 1:
        message = f"the cluster has exactly one {what}; '{acg.name}' has {len(found)}"
        raise error(acg, message, "change the YAML, or run it `--on interpreter`")
    return found[0]


def rounding(acg: Acg, node: Compute) -> Capability:
    """The capability of the node behind that requantises."""
    after = [c for c in acg.computes if c.after == node.name]
    rounded = [k for each in after for k in each.capabilities if k.rounding]
    return one(acg, f"rounding capability after {node.name}", rounded)


def unit_of(acg: Acg, control: Control, node: Compute) -> ControlUnit:
    """The control unit of a compute node."""
    return one(acg, f"unit of {node.name}", [u for u in control.units if node.name in u.nodes])


def place(acg: Acg, unit: ControlUnit, quantity: str, loops: int) -> int:
    """Index of a register, or of entry 0 of a row of `loops` registers."""
    return block(acg, unit, [quantity], loops)


def block(acg: Acg, unit: ControlUnit, quantities: Sequence[str], loops: int) -> int:
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
            raise error(acg, message, repair, unit.span)
    return start


def number(name: str, value: int) -> str:
    """A constant."""
    return f"localparam int unsigned {name} = {value};"


def numbers(name: str, values: Sequence[int]) -> str:
    """A constant per node; one 0 when there is no node, since an array cannot be empty."""
    listed = values or [0]
    body = ", ".join(map(str, listed))
    return f"localparam int unsigned {name}[{len(listed)}] = '{{{body}}};"


def mask_value(control: Control, semaphores: Sequence[str]) -> str:
    """The mask of semaphores."""
    value = sum(1 << control.semaphores.index(semaphore) for semaphore in semaphores)
    return f"cvn_pkg::NumSemaphores'({value})"


def mask(name: str, control: Control, semaphores: Sequence[str]) -> str:
    """A constant mask of semaphores."""
    return f"localparam cvn_pkg::sem_mask_t {name} = {mask_value(control, semaphores)};"


def masks(name: str, control: Control, semaphores: Sequence[Sequence[str]]) -> str:
    """A constant mask per node."""
    listed = semaphores or [()]
    body = ", ".join(mask_value(control, each) for each in listed)
    return f"localparam cvn_pkg::sem_mask_t {name}[{len(listed)}] = '{{{body}}};"


def struct(entries: Mapping[str, int | str]) -> str:
    """A structure literal."""
    return "'{" + ", ".join(f"{name}: {value}" for name, value in entries.items()) + "}"


def reset(role: str, unit: ControlUnit) -> list[str]:
    """Reset values of a unit, the highest register first as packed arrays are written."""
    size = f"Num{role}Regs-1:0"
    body = _values(unit, len(unit.registers))
    return [f"localparam cvn_pkg::reg_t [{size}] {role}Reset = {body};"]


def resets(role: str, units: Sequence[ControlUnit]) -> list[str]:
    """Reset values of every unit, filled up with zeros to the unit with most registers."""
    most = max((len(unit.registers) for unit in units), default=1)
    listed = [_values(unit, most) for unit in units] or ["'0"]
    body = ", ".join(listed)
    size = f"[{most - 1}:0] {role}Reset[{len(listed)}]"
    return [f"localparam cvn_pkg::reg_t {size} = '{{{body}}};"]


def _values(unit: ControlUnit, count: int) -> str:
    filled = [0] * (count - len(unit.registers)) + [r.reset for r in reversed(unit.registers)]
    values = [f"32'h{value & 0xFFFFFFFF:x}" for value in filled]
    rows = [", ".join(values[i : i + 8]) for i in range(0, len(values), 8)]
    return "{\n    " + ",\n    ".join(rows) + "}"
