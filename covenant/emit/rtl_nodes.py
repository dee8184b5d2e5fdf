"""Compute nodes of the cluster as constants of the generated package: one array entry per node.

In: an `Acg`. Out: lines of SystemVerilog. The kind of a node follows from what its capabilities
mean: one that multiplies and sums over a dim within a step is a matrix array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Capability, Compute, Record, Transfer
from covenant.emit.rtl_text import (
    LANES,
    PIXELS,
    PLAIN,
    block,
    error,
    masks,
    number,
    numbers,
    one,
    place,
    resets,
    rounding,
    unit_of,
)
from covenant.emit.rtl_vector import Vector, find_vector, is_vector, vector_lines

_MOST_SHAPES = 8  # capabilities (cvn_pkg::shape_select_t)
_WORD_BYTES = 8  # cvn_pkg::WordBytes
_ROWS = ("row_lanes", "row_step", "row_jump")
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
    """The shape with the most pixels."""
    fold: int
    """How many times fewer pixels and longer sums the folded shape has, 1 when there is none."""
    folded: tuple[int, ...]
    """Numbers of the capabilities of the folded shape."""
    requantise: Capability
    record: Record
    unit: ControlUnit
    streams: dict[str, Transfer]
    """By role: A, B, C, P, Y."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """All compute nodes of a cluster in the order of the RTL."""

    gemms: tuple[Gemm, ...]
    vectors: tuple[Vector, ...]

    @property
    def units(self) -> tuple[ControlUnit, ...]:
        """Their control units."""
        return (*(g.unit for g in self.gemms), *(v.unit for v in self.vectors))


def find_nodes(acg: Acg, control: Control) -> Nodes:
    """The compute nodes by kind; CovenantError when one is of no kind the RTL has."""
    gemms: list[Gemm] = []
    vectors: list[Vector] = []
    for compute in acg.computes:
        if compute.after:
            continue
        if is_vector(compute):
            vectors.append(find_vector(acg, control, compute))
        elif any(map(_contracts, compute.capabilities)):
            gemms.append(_gemm(acg, control, compute))
        else:
            message = f"'{compute.name}' is none of the compute nodes that the cluster has"
            raise error(acg, message, "run it `--on interpreter`", compute.span)
    if not gemms and not vectors:
        raise error(acg, "the cluster has at least one compute node", "add one under `compute`")
    return Nodes(tuple(gemms), tuple(vectors))


def _contracts(capability: Capability) -> bool:
    """Whether one step multiplies and sums over a dim of more than one element."""
    kept = {d for i in capability.statement.target.indices for d in i.dims}
    return capability.macs_per_step > 0 and any(d not in kept for d in capability.extents)


def _gemm(acg: Acg, control: Control, array: Compute) -> Gemm:
    matmul, fold, folded = _shapes(acg, array)
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
    return Gemm(matmul, fold, folded, requantise, record, unit, streams)


def _shapes(acg: Acg, array: Compute) -> tuple[Capability, int, tuple[int, ...]]:
    """The shape with the most pixels, the fold of the other one, the numbers of its capabilities:
    all compute the same over the same streams, the other on `fold` times fewer pixels with sums as
    many times longer. CovenantError for any other."""
    base = max(array.capabilities, key=lambda c: c.extents.get("m", 1))
    found: dict[int, int] = {}
    for index, each in enumerate(array.capabilities):
        fold = base.extents["m"] // each.extents.get("m", 1)
        shape = {**each.extents, "m": base.extents["m"], "k": each.extents.get("k", 1) // fold}
        same = replace(each, name=base.name, extents=base.extents, span=base.span) == base
        if not same or shape != base.extents or each.extents != _folded(base, fold):
            message = f"'{each.name}' is no other shape of '{base.name}'"
            repair = (
                f"write it as '{base.name}' with m divided and k multiplied by the same power of 2"
            )
            raise error(acg, message, repair, each.span)
        found[index] = fold
    folds = sorted({fold for fold in found.values() if fold > 1})
    if not folds:
        return base, 1, ()
    numbers = tuple(n for n, fold in found.items() if fold > 1)
    last = array.capabilities[numbers[-1]]
    if len(folds) > 1 or len(array.capabilities) > _MOST_SHAPES:
        message = (
            f"'{array.name}' has {len(array.capabilities)} capabilities in {len(folds) + 1} shapes"
        )
        raise error(acg, message, "the RTL has two shapes at most; remove some", last.span)
    if base.extents["k"] % _WORD_BYTES:
        message = (
            f"'{base.name}' takes {base.extents['k']} bytes of a pixel per step, no whole words"
        )
        raise error(acg, message, f"remove '{last.name}', or make k a multiple of 8", last.span)
    return base, folds[0], numbers


def _folded(base: Capability, fold: int) -> dict[str, int]:
    """Extents of a shape with `fold` times fewer pixels; none when it is no power of two."""
    m, k = base.extents["m"], base.extents["k"]
    if fold & (fold - 1) or m % fold:
        return {}
    return {**base.extents, "m": m // fold, "k": k * fold}


def node_lines(acg: Acg, control: Control, nodes: Nodes) -> list[str]:
    """Constants of all compute nodes."""
    operands: list[str] = []
    masters: list[str] = []
    for g in range(len(nodes.gemms)):
        shape = f"GemmM[{g}], GemmN[{g}], GemmK[{g}], GemmFold[{g}]"
        operands.append(f"cvn_pkg::gemm_operand_masters({shape})")
        masters.append(f"cvn_pkg::gemm_masters({shape}, GemmPLanes[{g}])")
    for v in range(len(nodes.vectors)):
        operands.append(f"cvn_pkg::vector_operand_masters(VectorM[{v}], VectorWLanes[{v}])")
        shape = f"VectorM[{v}], VectorWLanes[{v}], VectorPLanes[{v}], VectorTLanes[{v}]"
        masters.append(f"cvn_pkg::vector_masters({shape})")
    return [
        *_gemm_lines(acg, control, nodes.gemms),
        *vector_lines(acg, control, nodes.vectors),
        number("NumNodes", len(nodes.units)),
        numbers("NodeUnit", [unit.id for unit in nodes.units]),
        f"localparam int unsigned OperandMasters = {' + '.join(operands)};",
        f"localparam int unsigned NodeMasters = {' + '.join(masters)};",
    ]


def _wraps(gemm: Gemm) -> bool:
    """Whether the lanes of the a stream run through rows."""
    return "wrap" in gemm.streams["A"].abilities


def _order(gemm: Gemm, key: str, order: tuple[str, ...]) -> tuple[str, ...]:
    """Registers of a stream with those of its abilities."""
    rows = _ROWS if key == "A" and _wraps(gemm) else ()
    return (*order[:-2], *rows, *order[-2:])


def _gemm_lines(acg: Acg, control: Control, gemms: Sequence[Gemm]) -> list[str]:
    lines = [number("NumGemms", len(gemms))]
    lines += [
        numbers(f"Gemm{dim.upper()}", [g.matmul.extents[dim] for g in gemms])
        for dim in ("m", "n", "k")
    ]
    lines.append(numbers("GemmFold", [g.fold for g in gemms]))
    lines.append(numbers("GemmFolded", [sum(1 << n for n in g.folded) for g in gemms]))
    selects = [place(acg, g.unit, "function", 0) if g.folded else 0 for g in gemms]
    lines.append(numbers("GemmOffsetShape", selects))
    lines.append(numbers("GemmRequantiseColumns", [g.requantise.extents["n"] for g in gemms]))
    lines.append(numbers("GemmPLanes", [g.streams["P"].lanes for g in gemms]))
    keys = ("A", "B", "C", "P", "Y")
    lines += [numbers(f"GemmLoops{key}", [g.streams[key].loops for g in gemms]) for key in keys]
    lines += [
        numbers(f"GemmFifoDepth{key}", [g.streams[key].fifo_depth for g in gemms]) for key in keys
    ]
    lines.append(numbers("GemmWrapA", [int(_wraps(g)) for g in gemms]))
    lines.append(numbers("NumGemmRegs", [len(g.unit.registers) for g in gemms]))
    blocks = {"A": ("a", PIXELS), "B": ("b", PLAIN), "C": ("acc", LANES)}
    blocks |= {"P": ("", PLAIN), "Y": ("y", LANES)}
    for key, (prefix, order) in blocks.items():
        offsets = [
            block(
                acg,
                g.unit,
                [f"{prefix or g.record.name}.{name}" for name in _order(g, key, order)],
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
