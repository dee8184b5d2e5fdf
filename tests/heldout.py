"""Random layers that no formula was measured on: codelets by class, drawn from a seed.

In: a seed. Out: a `Drawn` layer; every class comes up equally often as seeds go by. Convolutions of
any stride, dilation and groups, products, depthwise convolutions, pools and element-wise layers,
small enough to run on the RTL in a second.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from codelet_runs import (
    Image2d,
    add,
    average_pool,
    binary,
    depthwise,
    global_pool,
    max_pool,
    move,
    table,
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A layer: its class, what tells it from others, its codelet."""

    kind: str
    name: str
    text: str


def drawn(seed: int) -> Drawn:
    """The layer of a seed."""
    draw = random.Random(seed * 7919 + 17)
    kind = list(KINDS)[seed % len(KINDS)]
    name, text = KINDS[kind](draw)
    return Drawn(kind, f"{kind}_{name}", text)


def product(m: int, n: int, k: int, *, wide: bool) -> str:
    """A product with stored columns, requantised or as sums."""
    given = f"constant bias int32[{n}]" if wide else f"constant scale float32[{n}]"
    value = "acc[m,n] + bias[n]" if wide else "clip(requantise(acc[m,n], scale[n], 1), -128, 127)"
    return f"""codelet gemm "product"
dims m={m} n={n} k={k}
input x int8[{m},{k}]
constant w int8[{k},{n}]
{given}
output y int{32 if wide else 8}[{m},{n}]
local acc int32[{m},{n}]
acc[m,n] += (x[m,k] - 2) * w[k,n]
y[m,n] = {value}
"""


@dataclass(frozen=True, slots=True)
class Convolved:
    """A convolution: channels, filters, size of the image and of the filters, step, distance of
    the filters' positions, groups."""

    channels: int
    filters: int
    size: tuple[int, int]
    kernel: int
    stride: int = 1
    apart: int = 1
    groups: int = 1

    @property
    def text(self) -> str:
        """Its codelet, with the padding that keeps the size of an image."""
        pad = self.kernel // 2 * self.apart
        reach = self.apart * (self.kernel - 1) + 1
        (iy, ix), g, step = self.size, self.groups, self.stride
        oy, ox = ((n + 2 * pad - reach) // step + 1 for n in self.size)
        c, f, k = self.channels // g, self.filters // g, self.kernel
        at = (f"{step}*o{a}+{self.apart}*f{a}-{pad}".replace("1*", "") for a in "yx")
        return f"""codelet conv "convolution"
dims n=1 g={g} oc={f} oy={oy} ox={ox} c={c} fy={k} fx={k}
input x uint8[1,{g},{c},{iy},{ix}] pad=3
constant w int8[{g},{f},{c},{k},{k}]
constant bias int32[{g},{f}]
constant scale float32[{g},{f}]
output y uint8[1,{g},{f},{oy},{ox}]
local acc int32[1,{g},{f},{oy},{ox}]
acc[n,g,oc,oy,ox] += (x[n,g,c,{",".join(at)}] - 3) * w[g,oc,c,fy,fx]
y[n,g,oc,oy,ox] = clip(requantise(acc[n,g,oc,oy,ox] + bias[g,oc], scale[g,oc], 7), 0, 255)
"""


_Draw = random.Random
_Made = tuple[str, str]


def _between(draw: _Draw, low: int, high: int) -> int:
    """Small numbers as often as large ones."""
    return round(low * (high / low) ** draw.random())


def _product(draw: _Draw, *, wide: bool) -> _Made:
    m, n, k = _between(draw, 4, 256), _between(draw, 4, 256), _between(draw, 8, 512)
    return f"{m}x{n}x{k}", product(m, n, k, wide=wide)


def _convolution(
    draw: _Draw, kernels: tuple[int, ...], stride: int = 1, apart: int = 1, groups: int = 1
) -> _Made:
    channels = groups * -(-_between(draw, 2, 96) // groups)
    filters = groups * -(-_between(draw, 4, 96) // groups)
    kernel = draw.choice(kernels)
    size = _between(draw, 6, 32), _between(draw, 6, 32)
    made = Convolved(channels, filters, size, kernel, stride, apart, groups)
    return f"{channels}x{size[0]}x{size[1]}_{filters}_k{kernel}", made.text


def _image(draw: _Draw) -> Image2d:
    y, x = _between(draw, 5, 48), _between(draw, 5, 48)
    return Image2d(1, min(_between(draw, 4, 160), -(-100_000 // (y * x))), y, x)


def _of_image(draw: _Draw, made: Callable[[Image2d], str]) -> _Made:
    image = _image(draw)
    return f"{image.c}x{image.y}x{image.x}", made(image)


def _pool(draw: _Draw) -> _Made:
    kernel, stride, pad = draw.choice([(3, 2, 1), (2, 2, 0), (3, 1, 1)])
    name, text = _of_image(draw, lambda i: max_pool(i, kernel, stride, pad))
    return f"{name}_k{kernel}s{stride}", text


def _average(draw: _Draw) -> _Made:
    kernel = draw.choice([2, 3])
    stride = draw.choice([kernel, 1, 2])
    name, text = _of_image(draw, lambda i: average_pool(i, kernel, stride))
    return f"{name}_k{kernel}s{stride}", text


def _depthwise(draw: _Draw, stride: int) -> _Made:
    kernel = draw.choice([3, 3, 5])
    name, text = _of_image(draw, lambda i: depthwise(i, kernel, stride, kernel // 2))
    return f"{name}_k{kernel}", text


def _moved(draw: _Draw) -> _Made:
    order = draw.choice(["n,c,x,y", "n,y,x,c", "n,x,c,y"])
    name, text = _of_image(draw, lambda i: move(i, order))
    return f"{name}_{order.replace(',', '')}", text


_TIMES = "(x[n,c,y,x] - 11) * (w[n,c,y,x] - 2)"
_GATED = "(x[n,c,y,x] - 11) * (w[n,c] - 2)"

KINDS: dict[str, Callable[[_Draw], _Made]] = {
    "product": lambda draw: _product(draw, wide=False),
    "sums": lambda draw: _product(draw, wide=True),
    "conv1x1": lambda draw: _convolution(draw, (1,)),
    "conv": lambda draw: _convolution(draw, (2, 3, 3, 5)),
    "conv_s2": lambda draw: _convolution(draw, (1, 3, 3, 5), stride=2),
    "conv_apart": lambda draw: _convolution(draw, (3,), apart=2),
    "grouped": lambda draw: _convolution(draw, (3, 5), groups=draw.choice([2, 4])),
    "depthwise": lambda draw: _depthwise(draw, 1),
    "depthwise_s2": lambda draw: _depthwise(draw, 2),
    "max_pool": _pool,
    "average_pool": _average,
    "global_pool": lambda draw: _of_image(draw, global_pool),
    "add": lambda draw: _of_image(draw, lambda i: add(i, 9000, -7000)),
    "multiply": lambda draw: _of_image(draw, lambda i: binary(i, _TIMES)),
    "gate": lambda draw: _of_image(draw, lambda i: binary(i, _GATED, "n,c")),
    "table": lambda draw: _of_image(draw, table),
    "move": _moved,
}
"""How a layer of each class is drawn: its size, its codelet."""
