"""Geometry of convolutions: strides, dilations, padding and output extents as numbers.

In: attributes of a node and the spatial shapes. Out: `Window`; RefusalError when they contradict.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.frontend.graph import Graph, Node, RefusalError


@dataclass(frozen=True, slots=True)
class Window:
    """One entry per spatial axis; `pads` holds all begins, then all ends."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    group: int
    output: tuple[int, ...]
    kernel: tuple[int, ...] = ()


def read_window(node: Node, x: tuple[int, ...], w: tuple[int, ...]) -> Window:
    """Resolve `auto_pad` and check the shapes of a convolution of x[n,c,…] by w[oc,c/group,…]."""
    axes = len(x) - 2
    kernel = w[2:]
    if axes < 1 or len(w) != len(x):
        raise RefusalError("ONX016", f"input {list(x)} and weight {list(w)} do not fit together")
    group = node.integer("group", 1)
    if group < 1 or x[1] != w[1] * group or w[0] % group:
        raise RefusalError(
            "ONX016",
            f"input {list(x)} has {x[1]} channels, weight {list(w)} "
            f"with group={group} needs {w[1] * group}",
        )
    declared = node.integers("kernel_shape", kernel)
    if declared != kernel:
        raise RefusalError(
            "ONX016", f"kernel_shape {list(declared)} is not that of weight {list(w)}"
        )
    strides = node.integers("strides", (1,) * axes)
    dilations = node.integers("dilations", (1,) * axes)
    if min(*strides, *dilations) < 1:
        found = f"strides {list(strides)} and dilations {list(dilations)}"
        raise RefusalError("ONX016", f"{found} must be at least 1")
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    pads = _pads(node, x[2:], strides, reach)
    output = tuple(
        (extent + pads[i] + pads[axes + i] - reach[i]) // strides[i] + 1
        for i, extent in enumerate(x[2:])
    )
    if min(output) < 1:
        raise RefusalError("ONX016", f"the filter {list(kernel)} is larger than the padded input")
    return Window(strides, dilations, pads, group, output)


def read_pool(node: Node, spatial: tuple[int, ...]) -> Window:
    """Kernel, strides and padding of a pool over an image; `group` is 1."""
    kernel = node.integers("kernel_shape", (0,) * len(spatial))
    strides = node.integers("strides", (1,) * len(spatial))
    dilations = node.integers("dilations", (1,) * len(spatial))
    if not spatial or min(*kernel, *strides, *dilations) < 1:
        raise RefusalError("ONX016", f"kernel {list(kernel)} over an image {list(spatial)}")
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    pads = _pads(node, spatial, strides, reach)
    begins, ends = pads[: len(spatial)], pads[len(spatial) :]
    if any(b >= r or e >= r for b, e, r in zip(begins, ends, reach, strict=True)):
        raise RefusalError(
            "ONX016", f"pads {list(pads)} reach past the kernel {list(kernel)}: empty windows"
        )
    ceil = node.integer("ceil_mode", 0) == 1
    output = tuple(
        pooled(extent, r, s, b, e, ceil=ceil)
        for extent, r, s, b, e in zip(spatial, reach, strides, begins, ends, strict=True)
    )
    if min(output) < 1:
        raise RefusalError("ONX016", f"the kernel {list(kernel)} is larger than the padded input")
    return Window(strides, dilations, pads, 1, output, kernel)


def pooled(extent: int, reach: int, stride: int, begin: int, end: int, *, ceil: bool) -> int:
    """Output extent of one axis; `ceil` counts a last window that reaches past the padding, unless
    it would start beyond the image."""
    span = extent + begin + end - reach
    count = (-(-span // stride) if ceil else span // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= extent + begin else count


def _pads(
    node: Node, spatial: tuple[int, ...], strides: tuple[int, ...], reach: tuple[int, ...]
) -> tuple[int, ...]:
    mode = node.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return node.integers("pads", (0,) * (2 * len(spatial)))
    if mode == "VALID":
        return (0,) * (2 * len(spatial))
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise RefusalError("ONX016", f"auto_pad={mode} is not known")
    totals = tuple(
        max(0, (-(-extent // stride) - 1) * stride + size - extent)
        for extent, stride, size in zip(spatial, strides, reach, strict=True)
    )
    smaller = tuple(t // 2 for t in totals)
    larger = tuple(t - t // 2 for t in totals)
    return smaller + larger if mode == "SAME_UPPER" else larger + smaller


def macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of a node that may not be supported; 0 where it has none or is unknown.

    Every output element of a convolution or product takes one per element of its filter or row.
    """
    positions = _OPERANDS.get(node.op_type)
    if positions is None:
        return 0
    names = [node.input(i) for i in positions] + list(node.outputs[:1])
    if len(names) < 3 or not all(name in graph.shapes for name in names):
        return 0
    x, w, y = (graph.shapes[name] for name in names)
    if not x or not w:
        return 0
    match node.op_type:
        case "Conv" | "ConvInteger" | "QLinearConv":
            return _product(y) * _product(w[1:])
        case "ConvTranspose":
            return _product(x) * _product(w[1:])
        case _:
            inner = x[0] if node.attributes.get("transA") and len(x) > 1 else x[-1]
            return _product(y) * inner


_OPERANDS = {
    "Conv": (0, 1),
    "ConvTranspose": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "FusedConv": (0, 1),
    "FusedMatMul": (0, 1),
    "FusedGemm": (0, 1),
    "QLinearMatMul": (0, 3),
    "QGemm": (0, 3),
}
"""Positions of the two multiplied operands among a node's inputs."""


def _product(values: tuple[int, ...]) -> int:
    total = 1
    for value in values:
        total *= value
    return total
