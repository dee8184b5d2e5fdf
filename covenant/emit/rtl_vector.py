"""Vector nodes of the cluster as constants of the generated package: one array entry per node.

In: an `Acg`. Out: lines of SystemVerilog. What a capability means decides which operation of
cvn_vector_lanes it is; its number in the YAML is the value of the register `function`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Compute, Transfer
from covenant.emit.rtl_text import (
    LANES,
    PLAIN,
    block,
    error,
    masks,
    number,
    numbers,
    one,
    resets,
    rounding,
    struct,
    unit_of,
)

# Statements of the operations (cvn_pkg::vector_op_e).
_OPERATIONS = {
    "acc[m,c] += (x[m,c] - zx) * (w[c] - zk[c])": "VectorMac",
    "acc[m,c] += x[m,c] - zx": "VectorSum",
    "y[m,c] max= x[m,c]": "VectorMax",
    "acc[m,c] = (x[m,c] - zx) * kx + (w[m,c] - zw) * kw": "VectorBlend",
    "acc[m,c] = (x[m,c] - zx) * (w[m,c] - zw)": "VectorMultiply",
    "y[m,c] = table(x[m,c], t)": "VectorTable",
    "y[m,c] = x[m,c]": "VectorMax",  # of one element
}
_MOST_OPERATIONS = 8  # cvn_pkg::vector_ops_t
_CHANNELS = 8  # channels of a word
_ABSENT = 255  # cvn_pkg::VectorAbsent

# Fields of cvn_pkg::vector_registers_t and the quantities they hold.
_REGISTERS = {
    "steps": "steps",
    "tiles": "tiles",
    "reuse": "reuse",
    "select": "function",
    "out": "out",
    "zx": "zx",
    "zw": "zw",
    "kx": "kx",
    "kw": "kw",
    "zy": "zy",
    "lo": "lo",
    "hi": "hi",
    "x_signed": "x.signed",
    "w_signed": "w.signed",
}
_BLOCKS = {"X": LANES, "W": LANES, "P": PLAIN, "T": PLAIN, "Y": LANES}


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector node with the parts it needs in the cluster."""

    lanes: int
    requantise_columns: int
    operations: tuple[str, ...]
    unit: ControlUnit
    streams: dict[str, Transfer]
    """By role: X, W, P, T, Y; without those that the node does not have."""
    prefixes: dict[str, str]
    """Prefix of the registers by role."""


def is_vector(node: Compute) -> bool:
    """Whether every capability is an operation of the vector lanes."""
    return all(str(c.statement) in _OPERATIONS for c in node.capabilities)


def find_vector(acg: Acg, control: Control, node: Compute) -> Vector:
    """The parts of a vector node; CovenantError when the RTL cannot be like this."""
    requantise = rounding(acg, node)
    shapes = {tuple(c.extents.get(d, 1) for d in ("m", "c")) for c in node.capabilities}
    lanes, channels = one(acg, f"shape of {node.name}", sorted(shapes))
    if channels != _CHANNELS or len(node.capabilities) > _MOST_OPERATIONS:
        message = f"'{node.name}' has {channels} channels and {len(node.capabilities)} capabilities"
        repair = f"the RTL has {_CHANNELS} channels and at most {_MOST_OPERATIONS} capabilities"
        raise error(acg, message, repair, node.span)
    ports = {p.name: p for c in node.capabilities for p in c.ports if p.tile and p.stream}
    found = {"X": ("x", ports["x"].stream), "Y": ("y", requantise.port("y").stream)}
    if "w" in ports:
        found["W"] = ("w", ports["w"].stream)
    for record in node.records:
        found["T" if record.entries else "P"] = (record.name, record.stream)
    return Vector(
        lanes,
        requantise.extents["c"],
        tuple(_OPERATIONS[str(c.statement)] for c in node.capabilities),
        unit_of(acg, control, node),
        {role: acg.transfer(stream) for role, (_, stream) in found.items()},
        {role: prefix for role, (prefix, _) in found.items()},
    )


def vector_lines(acg: Acg, control: Control, vectors: Sequence[Vector]) -> list[str]:
    """Constants of all vector nodes."""
    lines = [number("NumVectors", len(vectors))]
    lines.append(numbers("VectorM", [v.lanes for v in vectors]))
    lines.append(numbers("VectorRequantiseColumns", [v.requantise_columns for v in vectors]))
    for role in ("W", "P", "T"):
        lanes = [v.streams[role].lanes if role in v.streams else 1 for v in vectors]
        lines.append(numbers(f"Vector{role}Lanes", lanes))
    tables = ["1'b" + str(int("VectorTable" in v.operations)) for v in vectors] or ["1'b0"]
    lines.append(_array("bit", "VectorHasTable", tables))
    for role in _BLOCKS:
        streams = [v.streams.get(role) for v in vectors]
        lines.append(numbers(f"VectorLoops{role}", [s.loops if s else 1 for s in streams]))
        depths = [s.fifo_depth if s else 1 for s in streams]
        lines.append(numbers(f"VectorFifoDepth{role}", depths))
    lines.append(numbers("NumVectorRegs", [len(v.unit.registers) for v in vectors]))
    for role in _BLOCKS:
        offsets = [_offset(acg, vector, role) for vector in vectors]
        lines.append(numbers(f"VectorOffset{role}", offsets))
        for verb in ("waits", "posts"):
            by_port = [v.unit.waits if verb == "waits" else v.unit.posts for v in vectors]
            named = [
                found.get(v.prefixes.get(role, ""), ())
                for v, found in zip(vectors, by_port, strict=True)
            ]
            name = f"Vector{'Wait' if verb == 'waits' else 'Post'}{role}"
            lines.append(masks(name, control, named))
    lines.append(numbers("VectorOffsetLanes", [_first_register(v) for v in vectors]))
    registers = [_registers(v) for v in vectors] or ["'0"]
    lines.append(_array("cvn_pkg::vector_registers_t", "VectorRegisters", registers))
    operations = [_operations(v) for v in vectors] or ["'{default: cvn_pkg::VectorMac}"]
    lines.append(_array("cvn_pkg::vector_ops_t", "VectorOperations", operations))
    return [*lines, *resets("Vector", [v.unit for v in vectors])]


def _array(kind: str, name: str, values: Sequence[str]) -> str:
    return f"localparam {kind} {name}[{len(values)}] = '{{{', '.join(values)}}};"


def _offset(acg: Acg, vector: Vector, role: str) -> int:
    if role not in vector.streams:
        return 0
    quantities = [f"{vector.prefixes[role]}.{name}" for name in _BLOCKS[role]]
    return block(acg, vector.unit, quantities, vector.streams[role].loops)


def _first_register(vector: Vector) -> int:
    """Index of the first register that belongs to the lanes; all others of theirs follow."""
    held = {r.quantity: r.index for r in vector.unit.registers}
    return min(held[q] for q in _REGISTERS.values() if q in held)


def _registers(vector: Vector) -> str:
    first = _first_register(vector)
    held = {r.quantity: r.index - first for r in vector.unit.registers}
    return struct({name: held.get(q, _ABSENT) for name, q in _REGISTERS.items()})


def _operations(vector: Vector) -> str:
    """The highest number first, as packed arrays are written."""
    filled = [*vector.operations, *["VectorMac"] * (_MOST_OPERATIONS - len(vector.operations))]
    return "{" + ", ".join(f"cvn_pkg::{name}" for name in reversed(filled)) + "}"
