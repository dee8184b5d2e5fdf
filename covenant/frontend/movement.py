"""Operators that move elements and compute nothing: an affine map from loops to the input.

In: a node of the graph, on integers, between DequantizeLinear and QuantizeLinear, or float. Out:
its `Reading`: aliases where the order of elements stays, `move` layers else, one per input or
output that is a part of a tensor. RefusalError with the reason when the map is not affine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from covenant.core.layer import Layer
from covenant.frontend.graph import Graph, Node, RefusalError
from covenant.frontend.model import Alias, Reading
from covenant.frontend.quantisation import VIEWS
from covenant.frontend.sources import Kept, Kind, read_kept


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of x: what its subscript adds up from, as (loop, stride) pairs, and an offset."""

    terms: tuple[tuple[int, int], ...]
    offset: int = 0


def read_view(graph: Graph, node: Node) -> Reading:
    """data, shape or axes: the elements stay in their order."""
    name = node.input(0)
    shape = graph.shape(node.output)
    if prod(graph.shape(name)) != prod(shape):
        raise RefusalError("ONX016", f"{name!r} {list(graph.shape(name))} is no {list(shape)}")
    if len(node.outputs) > 1 and any(node.outputs[1:]) and node.op_type in VIEWS:
        used = [o for o in node.outputs[1:] if graph.consumers.get(o)]
        if used:
            raise RefusalError("ONX016", f"its output {used[0]!r} is not supported")
    try:
        kept = read_kept(graph, node)
    except RefusalError:
        return Reading(aliases=(Alias(name, node.output, shape),), nodes=(node.name,))
    source = kept.source
    if source.kind is not Kind.REAL:
        return Reading(aliases=(Alias(name, node.output, shape),), nodes=(node.name,))
    return Reading(
        aliases=(Alias(source.tensor.name, kept.name, shape),),
        boundaries=kept.boundaries,
        nodes=(*source.nodes, node.name, *kept.nodes),
    )


def read_transpose(graph: Graph, node: Node) -> Reading:
    """data; perm."""
    shape = graph.shape(node.input(0))
    order = node.integers("perm", range(len(shape))[::-1])
    if sorted(order) != list(range(len(shape))):
        raise RefusalError("ONX016", f"perm {list(order)} is no order of {len(shape)} axes")
    loops = tuple(shape[axis] for axis in order)
    axes = [Axis(((order.index(axis), 1),)) for axis in range(len(shape))]
    return _moved(graph, node, shape, loops, axes)


def read_depth_to_space(graph: Graph, node: Node) -> Reading:
    """input; blocksize, mode."""
    n, c, h, w, block = _blocks(graph, node)
    if c % (block * block):
        raise RefusalError("ONX016", f"{c} channels are no multiple of {block} x {block}")
    inner = c // (block * block)
    if node.text("mode", "DCR") == "DCR":
        x_shape, where = (n, block, block, inner, h, w), (0, 3, 5, 1, 2, 4)
    else:
        x_shape, where = (n, inner, block, block, h, w), (0, 1, 3, 5, 2, 4)
    loops = (n, inner, h, block, w, block)
    return _moved(graph, node, x_shape, loops, [Axis(((loop, 1),)) for loop in where])


def read_space_to_depth(graph: Graph, node: Node) -> Reading:
    """input; blocksize."""
    n, c, h, w, block = _blocks(graph, node)
    if h % block or w % block:
        raise RefusalError("ONX016", f"an image of {h} x {w} is no multiple of {block} x {block}")
    loops = (n, block, block, c, h // block, w // block)
    axes = [Axis(((loop, 1),)) for loop in (0, 3, 4, 1, 5, 2)]
    return _moved(graph, node, (n, c, h // block, block, w // block, block), loops, axes)


def _blocks(graph: Graph, node: Node) -> tuple[int, int, int, int, int]:
    """Extents of an image and the size of its blocks."""
    shape, block = graph.shape(node.input(0)), node.integer("blocksize", 0)
    if len(shape) != 4 or block < 1:
        raise RefusalError("ONX016", f"blocks of {block} of an input {list(shape)}")
    return shape[0], shape[1], shape[2], shape[3], block


def _checked_axes(given: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front, each once."""
    axes = tuple(axis % rank for axis in given if -rank <= axis < rank)
    if len(axes) < len(given) or len(set(axes)) < len(axes):
        raise RefusalError("ONX016", f"axes {list(given)} of a tensor with {rank}")
    return axes


def read_slice(graph: Graph, node: Node) -> Reading:
    """data, starts, ends, axes, steps."""
    shape = graph.shape(node.input(0))
    starts, ends = (_numbers(graph, node, i, key) for i, key in ((1, "starts"), (2, "ends")))
    if starts is None or ends is None:
        raise RefusalError("ONX017", "its bounds are no constants")
    given = _numbers(graph, node, 3, "axes") or tuple(range(len(starts)))
    steps = _numbers(graph, node, 4, "steps") or (1,) * len(starts)
    if len({len(starts), len(ends), len(given), len(steps)}) > 1 or 0 in steps:
        raise RefusalError("ONX016", "starts, ends, axes and steps do not fit together")
    loops, axes = list(shape), [Axis(((axis, 1),)) for axis in range(len(shape))]
    where = _checked_axes(given, len(shape))
    for at, start, end, step in zip(where, starts, ends, steps, strict=True):
        found = range(shape[at])[slice(start, end if end >= -shape[at] else None, step)]
        if not found or (end < -shape[at] and step > 0):
            raise RefusalError("ONX016", "its result is empty")
        loops[at], axes[at] = len(found), Axis(((at, step),), found[0])
    return _moved(graph, node, shape, tuple(loops), axes)


def read_split(graph: Graph, node: Node) -> Reading:
    """input, split; one layer per output."""
    shape = graph.shape(node.input(0))
    (axis,) = _checked_axes((node.integer("axis", 0),), len(shape))
    parts = [graph.shape(name) for name in node.outputs]
    if any(len(part) != len(shape) for part in parts) or sum(p[axis] for p in parts) != shape[axis]:
        raise RefusalError("ONX016", f"its outputs are no parts of {list(shape)}")
    reading, start = Reading(), 0
    for position, name in enumerate(node.outputs):
        part = graph.shape(name)
        axes = [Axis(((j, 1),), start if j == axis else 0) for j in range(len(shape))]
        one = Node(
            f"{node.name}#part{position}", node.op_type, node.domain, node.inputs, (name,), {}
        )
        found = _moved(graph, one, shape, part, axes, node.name)
        reading = Reading(
            reading.layers + found.layers, boundaries=reading.boundaries + found.boundaries
        )
        start += part[axis]
    return reading


def read_pad(graph: Graph, node: Node) -> Reading:
    """data, pads, constant_value, axes; mode constant."""
    mode = node.text("mode", "constant")
    if mode != "constant":
        raise RefusalError("ONX016", f"it pads by mode {mode!r}, which is no affine map")
    shape = graph.shape(node.input(0))
    pads = _numbers(graph, node, 1, "pads")
    if pads is None:
        raise RefusalError("ONX017", "its pads are no constants")
    given = _numbers(graph, node, 3, "") or tuple(range(len(shape)))
    if len(pads) != 2 * len(given):
        raise RefusalError("ONX016", f"{len(pads)} pads for {len(given)} axes")
    begins, ends = [0] * len(shape), [0] * len(shape)
    for position, axis in enumerate(_checked_axes(given, len(shape))):
        begins[axis] = pads[position]
        ends[axis] = pads[len(given) + position]
    loops = tuple(n + b + e for n, b, e in zip(shape, begins, ends, strict=True))
    axes = [Axis(((axis, 1),), -begin) for axis, begin in enumerate(begins)]
    real = 0.0
    if node.input(2):
        if not graph.is_constant(node.input(2)):
            raise RefusalError("ONX017", "the value it pads with is no constant")
        real = float(graph.constant(node.input(2)).reshape(-1)[0])
    leaves = any(pad > 0 for pad in (*begins, *ends))
    return _moved(graph, node, shape, loops, axes, pad=real if leaves else None)


def read_resize(graph: Graph, node: Node) -> Reading:
    """X, …: the nearest element, where that repeats every one or takes every n-th."""
    mode = node.text("mode", "nearest")
    if mode != "nearest":
        raise RefusalError("ONX016", f"it interpolates by mode {mode!r}, which is no affine map")
    shape, wanted = graph.shape(node.input(0)), graph.shape(node.output)
    if len(shape) != len(wanted):
        raise RefusalError("ONX016", f"{list(shape)} cannot become {list(wanted)}")
    loops: list[int] = []
    axes: list[Axis] = []
    for extent, size, scale in zip(shape, wanted, _scales(graph, node), strict=True):
        found = _nearest(node, extent, size, scale if scale else size / extent)
        repeat, rest = divmod(size, extent)
        if not rest and found == [i // repeat for i in range(size)]:
            axes.append(Axis(((len(loops), 1),)))
            loops += [extent] if repeat == 1 else [extent, repeat]
            continue
        step = found[1] - found[0] if size > 1 else 1
        if found != list(range(found[0], found[0] + step * size, step or 1))[:size] or not step:
            reason = f"an axis of {extent} becomes {size} by no whole factor"
            raise RefusalError("ONX016", reason)
        axes.append(Axis(((len(loops), step),), found[0]))
        loops.append(size)
    return _moved(graph, node, shape, tuple(loops), axes)


def _scales(graph: Graph, node: Node) -> tuple[float, ...]:
    """Scale factors by axis, 0 where they follow from the sizes."""
    rank = len(graph.shape(node.input(0)))
    position = 2 if node.op_type == "Resize" and len(node.inputs) > 2 else 1
    name = node.input(position)
    if name and graph.is_constant(name) and not node.attributes.get("axes"):
        values = graph.constant(name).astype(np.float64).reshape(-1)
        if values.size == rank:
            return tuple(map(float, values))
    return (0.0,) * rank


_LONGEST = 1 << 24
"""Elements of an axis that are looked at one by one."""


def _nearest(node: Node, extent: int, size: int, scale: float) -> list[int]:
    """Which element of x each element of y is, as ONNX defines it."""
    if node.op_type == "Upsample":
        mode, rounding = "asymmetric", "floor"
    else:
        mode = node.text("coordinate_transformation_mode", "half_pixel")
        rounding = node.text("nearest_mode", "round_prefer_floor")
    if size > _LONGEST:
        raise RefusalError("ONX016", f"an axis of {size} elements is longer than {_LONGEST}")
    at = np.arange(size, dtype=np.float64)
    match mode:
        case "asymmetric":
            at = at / scale
        case "half_pixel" | "half_pixel_symmetric":
            at = (at + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            at = (at + 0.5) / scale - 0.5 if size > 1 else at * 0
        case "align_corners":
            at = at * ((extent - 1) / (size - 1)) if size > 1 else at * 0
        case _:
            raise RefusalError("ONX016", f"coordinate_transformation_mode={mode} is not supported")
    rounded = {
        "floor": np.floor(at),
        "ceil": np.ceil(at),
        "round_prefer_floor": np.ceil(at - 0.5),
        "round_prefer_ceil": np.floor(at + 0.5),
    }
    if rounding not in rounded:
        raise RefusalError("ONX016", f"nearest_mode={rounding} is not known")
    return [int(i) for i in np.clip(rounded[rounding], 0, extent - 1)]


def _numbers(graph: Graph, node: Node, position: int, key: str) -> tuple[int, ...] | None:
    """Integers given as a constant input or, in older models, as an attribute."""
    name = node.input(position)
    if name:
        if not graph.is_constant(name):
            raise RefusalError("ONX017", f"{name!r} is no constant")
        return tuple(int(v) for v in graph.constant(name).reshape(-1))
    found = node.attributes.get(key)
    return None if found is None else tuple(int(v) for v in found)


def _moved(
    graph: Graph,
    node: Node,
    x_shape: tuple[int, ...],
    loops: tuple[int, ...],
    axes: Sequence[Axis],
    owner: str = "",
    pad: float | None = None,
) -> Reading:
    """A layer that copies along this map; the elements read outside x are `pad`, a real value."""
    kept = read_kept(graph, node)
    y_shape = graph.shape(node.output)
    if min(loops, default=1) < 1 or prod(loops) != prod(y_shape):
        raise RefusalError("ONX016", f"its output {list(y_shape)} does not fit its attributes")
    attributes = affine(x_shape, loops, axes)
    if pad is not None:
        attributes["pad"] = _quantised_pad(kept, pad)
    layer = Layer(
        name=node.name,
        op_type=node.op_type,
        family="move",
        inputs={"x": kept.source.tensor},
        outputs={"y": kept.result(y_shape)},
        attributes=attributes,
        nodes=(*kept.source.nodes, owner or node.name, *kept.nodes),
        assumed_int8=kept.assumed_int8,
    )
    return Reading((layer,), boundaries=kept.boundaries)


def _quantised_pad(kept: Kept, real: float) -> int:
    x = kept.source.tensor
    value = real
    if x.quantisation is not None:
        step = float(np.rint(np.float32(real) / x.quantisation.scale.reshape(-1)[0]))
        value = step + int(x.quantisation.zero_point.reshape(-1)[0])
    elif kept.assumed_int8:
        value = 0
    return int(min(max(value, x.dtype.minimum), x.dtype.maximum))


def affine(
    x_shape: tuple[int, ...], loops: tuple[int, ...], axes: Sequence[Axis]
) -> dict[str, int | tuple[int, ...]]:
    """Attributes of a `move` layer."""
    strides = tuple(dict(a.terms).get(k, 0) for a in axes for k in range(len(loops)))
    offsets = tuple(a.offset for a in axes)
    return {"x_shape": x_shape, "loops": loops, "strides": strides, "offsets": offsets}
