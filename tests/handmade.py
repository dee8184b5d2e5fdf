"""Mappings chosen by hand or at random, without the solver, and layers to try them on."""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.codelets.library import conv, gemm
from covenant.codelets.lowered import LoweredLayer
from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor, Quantisation
from covenant.mapper.candidates import Binding, match
from covenant.mapper.mapping import Goal, Level, Loop, Mapping, Placement, Proof, Role, Status
from covenant.mapper.operands import Operand, operands, reduction_dims
from covenant.mapper.placement import home_layout, inner_order, tile_layout

PROOF = Proof(Status.PINNED, (Goal("latency", "cycles", 0, 0),), 0.0, 0, 1)


def quantisation(scale: float, zero_point: int | Sequence[int]) -> Quantisation:
    """Scale and zero point, the latter per channel when a sequence."""
    points = np.asarray(zero_point, np.int64)
    return Quantisation(np.full(points.shape, scale, np.float32), points)


def random_values(shape: tuple[int, ...], dtype: DType, seed: int) -> NDArray[Any]:
    """Seeded random elements over the whole range (int32: small enough for biases)."""
    random = np.random.default_rng(seed)
    low, high = (-20000, 20000) if dtype is DType.INT32 else (dtype.minimum, dtype.maximum)
    return random.integers(low, high + 1, shape).astype(dtype.numpy)


def conv_layer(
    x: tuple[int, ...] = (1, 16, 10, 10),
    filters: int = 24,
    kernel: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (1, 1, 1, 1),
    dilations: tuple[int, int] = (1, 1),
    group: int = 1,
    dtypes: tuple[DType, DType, DType] = (DType.INT8, DType.INT8, DType.INT8),
    zero_points: tuple[int, int | Sequence[int], int] = (3, 0, -5),
    bias: bool = True,
    low: int | None = None,
) -> LoweredLayer:
    """The codelet of a quantised convolution with random weights; dtypes, zero points: x, w, y."""
    shape_w = (filters, x[1] // group, *kernel)
    out = tuple(
        (n + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i, n in enumerate(x[2:])
    )
    inputs = {
        "x": LayerTensor("x", dtypes[0], x, quantisation(0.1, zero_points[0])),
        "w": LayerTensor(
            "w",
            dtypes[1],
            shape_w,
            quantisation(0.02, zero_points[1]),
            random_values(shape_w, dtypes[1], 1),
            True,
        ),
    }
    if bias:
        values = random_values((filters,), DType.INT32, 2)
        inputs["bias"] = LayerTensor("bias", DType.INT32, (filters,), None, values, True)
    scale = None if dtypes[2] is DType.INT32 else quantisation(4.0, zero_points[2])
    outputs = {"y": LayerTensor("y", dtypes[2], (x[0], filters, *out), scale)}
    attributes: dict[str, int | tuple[int, ...]] = {
        "strides": strides,
        "pads": pads,
        "dilations": dilations,
        "group": group,
    }
    if low is not None:
        attributes["low"] = low
    return conv.build(Layer("layer", "QLinearConv", "conv", inputs, outputs, attributes))


def gemm_layer(
    m: int,
    n: int,
    k: int,
    batch: tuple[int, ...] = (),
    dtypes: tuple[DType, DType, DType] = (DType.INT8, DType.INT8, DType.INT8),
    zero_points: tuple[int, int | Sequence[int], int] = (3, 0, -5),
    bias: bool = True,
) -> LoweredLayer:
    """The codelet of a quantised matrix product with constant weights."""
    shape_w = (*batch, k, n)
    inputs = {
        "x": LayerTensor("x", dtypes[0], (*batch, m, k), quantisation(0.1, zero_points[0])),
        "w": LayerTensor(
            "w",
            dtypes[1],
            shape_w,
            quantisation(0.02, zero_points[1]),
            random_values(shape_w, dtypes[1], 1),
            True,
        ),
    }
    if bias:
        values = random_values((n,), DType.INT32, 2)
        inputs["bias"] = LayerTensor("bias", DType.INT32, (n,), None, values, True)
    scale = None if dtypes[2] is DType.INT32 else quantisation(4.0, zero_points[2])
    outputs = {"y": LayerTensor("y", dtypes[2], (*batch, m, n), scale)}
    return gemm.build(Layer("layer", "QLinearMatMul", "gemm", inputs, outputs))


def map_by_hand(
    codelet: Codelet,
    acg: Acg,
    tiles: Map[str, int] | None = None,
    order: Sequence[str] | None = None,
    cuts: Map[str, int] | None = None,
    copies: Map[str, int] | None = None,
    binding: int = 0,
) -> Mapping:
    """A mapping with the given tiles (dims left out: whole), loop order, cuts and copies."""
    chosen = match(codelet, acg).bindings[binding]
    placed = operands(codelet, acg, chosen)
    words = {o.port: acg.memory(o.memory).word_bytes for o in placed}
    inner = inner_order(codelet, placed, reduction_dims(codelet), words)
    loops = _loops(codelet, tiles or {}, order)
    split = [i for i, x in enumerate(loops) if x.dim in reduction_dims(codelet) and x.trips > 1]
    placements = []
    for operand in placed:
        if operand.role is Role.PARTIAL and not split:
            continue
        cut = (cuts or {}).get(operand.port, len(loops))
        if operand.role is Role.PARTIAL:
            cut = min(cut, split[0])
        count = 1 if operand.role is Role.PARTIAL else (copies or {}).get(operand.port, 2)
        placements.append(_place(codelet, acg, operand, loops, inner, cut, count))
    memory = acg.on_chip[0]
    return Mapping(
        codelet.name,
        acg.name,
        chosen.steps,
        (Level((memory.name,), tuple(loops)),),
        inner,
        tuple(_addressed(placements)),
        PROOF,
    )


def _loops(codelet: Codelet, tiles: Map[str, int], order: Sequence[str] | None) -> list[Loop]:
    names = [d for d in (order or codelet.extents) if d in tiles]
    names += [d for d in tiles if d not in names]
    loops = []
    for dim in names:
        extent, tile = codelet.extents[dim], min(tiles[dim], codelet.extents[dim])
        if tile < extent:
            loops.append(Loop(dim, -(-extent // tile), tile))
    return loops


def _place(
    codelet: Codelet,
    acg: Acg,
    operand: Operand,
    loops: Sequence[Loop],
    inner: Sequence[str],
    cut: int,
    copies: int,
) -> Placement:
    sizes = dict(codelet.extents)
    sizes.update({x.dim: x.tile for x in loops[:cut]})
    memory = acg.memory(operand.memory)
    off_chip = operand.role is not Role.PARTIAL
    home = home_layout(operand, inner, memory)
    return Placement(
        operand.memory,
        operand.port,
        operand.tensor,
        operand.role,
        operand.dtype,
        cut,
        copies,
        tile_layout(operand, sizes, inner, memory),
        (),
        home if off_chip else replace(home, bytes=0),
    )


def _addressed(placements: Sequence[Placement]) -> list[Placement]:
    at = 0
    result = []
    for placement in placements:
        addresses = []
        for _ in range(placement.copies):
            addresses.append(at)
            at += -(-placement.layout.bytes // 64) * 64
        result.append(replace(placement, addresses=tuple(addresses)))
    return result


def footprint(mapping: Mapping) -> int:
    """Bytes of on-chip memory a hand-made mapping takes."""
    return max(max(p.addresses) + p.layout.bytes for p in mapping.placements)


def bindings(codelet: Codelet, acg: Acg) -> tuple[Binding, ...]:
    """All bindings of a codelet."""
    return match(codelet, acg).bindings


def wide_memory(acg: Acg, size_bytes: int = 1 << 22, program_words: int = 1 << 20) -> Acg:
    """The architecture with room for any hand-made mapping."""
    assert acg.control is not None
    memories = tuple(m if m.off_chip else replace(m, size_bytes=size_bytes) for m in acg.memories)
    control = replace(acg.control, program_words=program_words)
    return replace(acg, memories=memories, control=control)


def random_layer(random: Random) -> LoweredLayer:
    """A small convolution or matrix product with random shapes, dtypes and zero points."""
    dtypes = random.choice(_DTYPES)
    points = [random.randint(d.minimum, d.maximum) for d in dtypes]
    bias = random.random() < 0.7
    if random.random() < 0.4:
        n = random.randint(1, 40)
        return gemm_layer(
            random.randint(1, 40),
            n,
            random.randint(1, 70),
            random.choice([(), (2,)]),
            dtypes,
            (points[0], _weight_points(random, dtypes[1], n), points[2]),
            bias,
        )
    group, kernel = random.choice([1, 1, 1, 2, 3]), random.choice(_KERNELS)
    dilations = random.choice([(1, 1), (1, 1), (2, 1), (2, 2)])
    filters = group * random.choice([1, 5, 8, 12, 17, 24])
    size = [k * d + random.randint(0, 9) for k, d in zip(kernel, dilations, strict=True)]
    return conv_layer(
        (random.choice([1, 2]), group * random.choice([1, 3, 8, 12, 20]), *size),
        filters,
        kernel,
        random.choice([(1, 1), (2, 2), (1, 2), (3, 1)]),
        (
            random.randint(0, 2),
            random.randint(0, 2),
            random.randint(0, 2),
            random.randint(0, 2),
        ),
        dilations,
        group,
        dtypes,
        (points[0], _weight_points(random, dtypes[1], filters), points[2]),
        bias,
    )


_DTYPES = [
    (DType.INT8, DType.INT8, DType.INT8),
    (DType.UINT8, DType.INT8, DType.UINT8),
    (DType.UINT8, DType.UINT8, DType.INT8),
    (DType.UINT8, DType.INT8, DType.INT32),
]
_KERNELS = [(1, 1), (3, 3), (1, 3), (2, 2), (5, 3)]


def _weight_points(random: Random, dtype: DType, count: int) -> int | list[int]:
    values = [random.randint(dtype.minimum, dtype.maximum) for _ in range(count)]
    return values if random.random() < 0.5 else values[0]


def random_mapping(random: Random, codelet: Codelet, acg: Acg) -> Mapping:
    """Random binding that can resume a reduction, tiles, order, cuts, copies; may need more stream
    loops than there are."""
    found = match(codelet, acg).bindings
    resumable = [
        i
        for i, binding in enumerate(found)
        if any(o.role is Role.PARTIAL for o in operands(codelet, acg, binding))
    ]
    chosen = random.choice(resumable)
    extents = acg.capabilities[0].extents
    bound = {dim: name for name, dim in found[chosen].steps[0].dims}
    tiles = {}
    for dim in codelet.dims:
        granule = max(8, extents["k"]) if bound.get(dim.name) == "k" else 1
        granule = max(8, extents["n"]) if bound.get(dim.name) == "n" else granule
        if dim.extent > granule and random.random() < 0.5:
            tiles[dim.name] = granule * random.randint(1, max(1, -(-dim.extent // granule) - 1))
    order = [d.name for d in codelet.dims]
    random.shuffle(order)
    ports = ("a", "b", "p", "y", "acc")
    cuts = {p: random.randint(0, len(tiles)) for p in ports if random.random() < 0.6}
    copies = {p: random.choice([1, 2]) for p in ports}
    return map_by_hand(codelet, acg, tiles, order, cuts, copies, chosen)


def random_inputs(codelet: Codelet, seed: int = 7) -> dict[str, NDArray[Any]]:
    """Arrays for all inputs of a codelet, in codelet order."""
    return {
        t.name: random_values(t.shape, t.dtype, seed)
        for t in codelet.tensors
        if t.role.value == "input"
    }
