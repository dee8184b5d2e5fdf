"""Compute nodes of the cluster as constants of the generated package: one array entry per node.

In: an `Acg`. Out: lines of SystemVerilog. The kind of a node follows from what its capabilities
mean: one that multiplies and sums over a dim within a step is a matrix array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covenant.acg.graph import Acg, Capability, Compute, Control, ControlUnit, Record, Transfer
from covenant.emit.rtl_text import block, error, masks, number, numbers, one, resets

# Registers of a stream, in the order its queue expects.
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


@dataclass(frozen=True, slots=True)
class Gemm:
    """A matrix array with the parts it needs in the cluster."""

    matmul: Capability
    requantise: Capability
    record: Record
    unit: ControlUnit
    streams: dict[str, Transfer]
    """By role: A, B, C, P, Y."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """All compute nodes of a cluster in the order of the RTL."""

    gemms: tuple[Gemm, ...]

    @property
    def units(self) -> tuple[ControlUnit, ...]:
        """Their control units."""
        return tuple(gemm.unit for gemm in self.gemms)


def find_nodes(acg: Acg, control: Control) -> Nodes:
    """The compute nodes by kind; CovenantError when one is of no kind the RTL has."""
    gemms = []
    for compute in acg.computes:
        if compute.after:
            continue
        if not any(map(_contracts, compute.capabilities)):
            message = f"'{compute.name}' is none of the compute nodes that the cluster has"
            raise error(acg, message, "run it `--on interpreter`", compute.span)
        gemms.append(_gemm(acg, control, compute))
    if not gemms:
        raise error(acg, "the cluster has at least one compute node", "add one under `compute`")
    return Nodes(tuple(gemms))


def _contracts(capability: Capability) -> bool:
    """Whether one step multiplies and sums over a dim of more than one element."""
    kept = {d for i in capability.statement.target.indices for d in i.dims}
    return capability.macs_per_step > 0 and any(d not in kept for d in capability.extents)


def _gemm(acg: Acg, control: Control, array: Compute) -> Gemm:
    matmuls = [k for k in array.capabilities if k.stationary]
    matmul = one(acg, f"accumulating capability of {array.name}", matmuls)
    record = one(acg, f"record of {array.name}", list(array.records))
    requantise = rounding(acg, array)
    unit = unit_of(acg, control, array)
    streams = {
        "A": acg.transfer(matmul.port("a").stream),
        "B": acg.transfer(matmul.port("b").stream),
        "C": acg.transfer(matmul.port("acc").partial),
        "P": acg.transfer(record.stream),
        "Y": acg.transfer(matmul.port("acc").spill),
    }
    return Gemm(matmul, requantise, record, unit, streams)


def rounding(acg: Acg, node: Compute) -> Capability:
    """The capability of the node behind that requantises."""
    after = [c for c in acg.computes if c.after == node.name]
    rounded = [k for each in after for k in each.capabilities if k.rounding]
    return one(acg, f"rounding capability after {node.name}", rounded)


def unit_of(acg: Acg, control: Control, node: Compute) -> ControlUnit:
    """The control unit of a compute node."""
    return one(acg, f"unit of {node.name}", [u for u in control.units if node.name in u.nodes])


def node_lines(acg: Acg, control: Control, nodes: Nodes) -> list[str]:
    """Constants of all compute nodes."""
    operands = [
        f"cvn_pkg::gemm_operand_masters(GemmM[{g}], GemmN[{g}], GemmK[{g}])"
        for g in range(len(nodes.gemms))
    ]
    masters = [
        f"cvn_pkg::gemm_masters(GemmM[{g}], GemmN[{g}], GemmK[{g}], GemmPLanes[{g}])"
        for g in range(len(nodes.gemms))
    ]
    return [
        *_gemm_lines(acg, control, nodes.gemms),
        number("NumNodes", len(nodes.units)),
        numbers("NodeUnit", [unit.id for unit in nodes.units]),
        f"localparam int unsigned OperandMasters = {' + '.join(operands)};",
        f"localparam int unsigned NodeMasters = {' + '.join(masters)};",
    ]


def _gemm_lines(acg: Acg, control: Control, gemms: Sequence[Gemm]) -> list[str]:
    lines = [number("NumGemms", len(gemms))]
    lines += [
        numbers(f"Gemm{dim.upper()}", [g.matmul.extents[dim] for g in gemms])
        for dim in ("m", "n", "k")
    ]
    lines.append(numbers("GemmRequantiseColumns", [g.requantise.extents["n"] for g in gemms]))
    lines.append(numbers("GemmPLanes", [g.streams["P"].lanes for g in gemms]))
    keys = ("A", "B", "C", "P", "Y")
    lines += [numbers(f"GemmLoops{key}", [g.streams[key].loops for g in gemms]) for key in keys]
    lines += [
        numbers(f"GemmFifoDepth{key}", [g.streams[key].fifo_depth for g in gemms]) for key in keys
    ]
    lines.append(numbers("NumGemmRegs", [len(g.unit.registers) for g in gemms]))
    blocks = {"A": ("a", _PIXELS), "B": ("b", _PLAIN), "C": ("acc", _LANES)}
    blocks |= {"P": ("", _PLAIN), "Y": ("y", _LANES)}
    for key, (prefix, order) in blocks.items():
        offsets = [
            block(
                acg,
                g.unit,
                [f"{prefix or g.record.name}.{name}" for name in order],
                g.streams[key].loops,
            )
            for g in gemms
        ]
        lines.append(numbers(f"GemmOffset{key}", offsets))
    lines.append(numbers("GemmOffsetArray", [block(acg, g.unit, _ARRAY, 0) for g in gemms]))
    for key, (prefix, _) in blocks.items():
        waits = [g.unit.waits.get(prefix or g.record.name, ()) for g in gemms]
        posts = [g.unit.posts.get(prefix or g.record.name, ()) for g in gemms]
        lines += [masks(f"GemmWait{key}", control, waits), masks(f"GemmPost{key}", control, posts)]
    return [*lines, *resets("Gemm", [g.unit for g in gemms])]
