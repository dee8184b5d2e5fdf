"""Codelets in text form, run whole: mapped, encoded, on the RTL, in the interpreter, in NumPy.

`Codelets` keeps one cluster and compares all three on random tensors; cycles and their prediction
come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.codelets.interpret import run
from covenant.codelets.ir import Codelet, Role, Tensor
from covenant.codelets.parser import parse_codelet
from covenant.emit.check import verify_image
from covenant.emit.image import Image, build_image
from covenant.emit.lower import lower
from covenant.mapper.cost import Cost, evaluate
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.solve import solve
from covenant.sim.cluster import Cluster
from covenant.sim.interpret import Interpreter
from covenant.sim.timing import time_program

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ran:
    """A codelet that gave equal results everywhere: its mapping, cost, cycles of the RTL and of the
    timing model."""

    mapping: LayerMapping
    cost: Cost
    cycles: int
    modelled: int

    @property
    def node(self) -> str:
        """The compute node of the first step."""
        return self.mapping.steps[0].node


class Codelets:
    """One architecture and its cluster; use it in a `with` block."""

    def __init__(self, acg: Acg, dram_bytes: int = 1 << 23) -> None:
        self.acg = acg
        self.cluster = Cluster(acg, dram_bytes=dram_bytes)
        self._interpreter = Interpreter(acg)

    def __enter__(self) -> Codelets:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cluster.close()

    def run(self, text: str, seed: int = 0, *, interpret: bool = True) -> Ran:
        """Map, encode and check a codelet; run it twice with other inputs from random memories."""
        codelet = parse_codelet(text)
        mapping = solve(codelet, self.acg, time_limit_seconds=30.0)
        cost = evaluate(mapping, codelet, self.acg)
        rng = np.random.default_rng(seed)
        constants = tensors(codelet, Role.CONSTANT, rng)
        program = lower(mapping, codelet, self.acg)
        image = build_image(program, mapping, codelet, self.acg, constants)
        verify_image(image, self.acg)
        self.cluster.poison(seed + 1)
        self.cluster.load_program(image.words)
        image.write_constants(self.cluster.dram)
        cycles = 0
        for _ in range(2):
            inputs = tensors(codelet, Role.INPUT, rng)
            expected = run(codelet, inputs, constants)
            found, cycles = self._on_rtl(image, inputs)
            _assert_equal(found, expected)
            if interpret:
                after, _ = self._interpreter.run(image.words, image.dram(inputs), seed)
                _assert_equal(image.outputs(after), expected)
        return Ran(mapping, cost, cycles, time_program(image.words, self.acg).cycles)

    def _on_rtl(self, image: Image, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], int]:
        """Outputs and cycles of the program that is loaded, with other inputs."""
        image.write_inputs(self.cluster.dram, inputs)
        cycles = self.cluster.run().cycles
        return image.outputs(self.cluster.dram), cycles


def tensors(codelet: Codelet, role: Role, rng: np.random.Generator) -> dict[str, Array]:
    """Random tensors of a role; scales that keep results inside the range of a byte."""
    return {t.name: _random(t, codelet, rng) for t in codelet.tensors if t.role is role}


def _random(tensor: Tensor, codelet: Codelet, rng: np.random.Generator) -> Array:
    dtype = tensor.dtype.numpy
    if dtype.kind == "f":
        terms = codelet.macs / max(1, codelet.tensor("y").elements)
        return (rng.uniform(0.5, 1.5, tensor.shape) / (80 * terms**0.5)).astype(dtype)
    if dtype.itemsize == 4:
        return rng.integers(-3000, 3000, tensor.shape, dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, tensor.shape, dtype, endpoint=True)


def _assert_equal(found: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)


@dataclass(frozen=True, slots=True)
class Image2d:
    """Batch, channels and positions of a tensor."""

    n: int
    c: int
    y: int
    x: int

    @property
    def shape(self) -> str:
        """As in a tensor's declaration."""
        return f"{self.n},{self.c},{self.y},{self.x}"


def convolution(image: Image2d, filters: int, kernel: int, stride: int, pad: int) -> str:
    """A convolution with bias, requantised."""
    i, oy, ox = image, _out(image.y, kernel, stride, pad), _out(image.x, kernel, stride, pad)
    read = f"x[n,g,c,{_at('y', stride, pad)},{_at('x', stride, pad)}]"
    return f"""codelet conv "convolution"
dims n={i.n} g=1 oc={filters} oy={oy} ox={ox} c={i.c} fy={kernel} fx={kernel}
input x uint8[{i.n},1,{i.c},{i.y},{i.x}] pad=3
constant w int8[1,{filters},{i.c},{kernel},{kernel}]
constant bias int32[1,{filters}]
constant scale float32[1,{filters}]
output y uint8[{i.n},1,{filters},{oy},{ox}]
local acc int32[{i.n},1,{filters},{oy},{ox}]
acc[n,g,oc,oy,ox] += ({read} - 3) * w[g,oc,c,fy,fx]
y[n,g,oc,oy,ox] = clip(requantise(acc[n,g,oc,oy,ox] + bias[g,oc], scale[g,oc], 7), 0, 255)
"""


def depthwise(
    image: Image2d, kernel: int = 3, stride: int = 1, pad: int = 1, multiplier: int = 1, zw: int = 0
) -> str:
    """A depthwise convolution with bias, requantised."""
    i, oy, ox = image, _out(image.y, kernel, stride, pad), _out(image.x, kernel, stride, pad)
    columns = f"{i.c},{multiplier}"
    read = f"x[n,g,c,{_at('y', stride, pad)},{_at('x', stride, pad)}]"
    return f"""codelet conv "depthwise"
dims n={i.n} g={i.c} oc={multiplier} oy={oy} ox={ox} c=1 fy={kernel} fx={kernel}
input x uint8[{i.n},{i.c},1,{i.y},{i.x}] pad=3
constant w int8[{i.c},{multiplier},1,{kernel},{kernel}]
constant bias int32[{columns}]
constant scale float32[{columns}]
output y uint8[{i.n},{columns},{oy},{ox}]
local acc int32[{i.n},{columns},{oy},{ox}]
acc[n,g,oc,oy,ox] += ({read} - 3) * (w[g,oc,c,fy,fx] - {zw})
y[n,g,oc,oy,ox] = clip(requantise(acc[n,g,oc,oy,ox] + bias[g,oc], scale[g,oc], 5), 0, 255)
"""


def max_pool(image: Image2d, kernel: int = 3, stride: int = 2, pad: int = 1) -> str:
    """The greatest element of every window."""
    i, oy, ox = image, _out(image.y, kernel, stride, pad), _out(image.x, kernel, stride, pad)
    return f"""codelet pool "max"
dims n={i.n} c={i.c} oy={oy} ox={ox} fy={kernel} fx={kernel}
input x int8[{i.shape}] pad=-128
output y int8[{i.n},{i.c},{oy},{ox}]
y[n,c,oy,ox] max= x[n,c,{_at("y", stride, pad)},{_at("x", stride, pad)}]
"""


def average_pool(image: Image2d, kernel: int, stride: int) -> str:
    """The rescaled sum of every window."""
    i, oy, ox = image, _out(image.y, kernel, stride, 0), _out(image.x, kernel, stride, 0)
    return f"""codelet pool "average"
dims n={i.n} c={i.c} oy={oy} ox={ox} fy={kernel} fx={kernel}
input x uint8[{i.shape}]
constant scale float32[{i.c}]
output y uint8[{i.n},{i.c},{oy},{ox}]
local acc int32[{i.n},{i.c},{oy},{ox}]
acc[n,c,oy,ox] += x[n,c,{_at("y", stride, 0)},{_at("x", stride, 0)}] - 7
y[n,c,oy,ox] = clip(requantise(acc[n,c,oy,ox], scale[c], 2), 0, 255)
"""


def global_pool(image: Image2d) -> str:
    """The rescaled sum of a whole channel."""
    i = image
    return f"""codelet pool "global"
dims n={i.n} c={i.c} y={i.y} x={i.x}
input x uint8[{i.shape}]
constant scale float32[{i.c}]
output y uint8[{i.n},{i.c}]
local acc int32[{i.n},{i.c}]
acc[n,c] += x[n,c,y,x] - 7
y[n,c] = clip(requantise(acc[n,c], scale[c], 2), 0, 255)
"""


def binary(image: Image2d, value: str, second: str = "n,c,y,x") -> str:
    """An operation of two tensors, requantised; `value`: of `x[n,c,y,x]` and `w[...]`."""
    i = image
    extents = {"n": i.n, "c": i.c, "y": i.y, "x": i.x}
    shape = ",".join(str(extents[d]) for d in second.split(","))
    return f"""codelet binary "binary"
dims n={i.n} c={i.c} y={i.y} x={i.x}
input x uint8[{i.shape}]
input w int8[{shape}]
constant scale float32[{i.c}]
output y int8[{i.shape}]
local acc int32[{i.shape}]
acc[n,c,y,x] = {value}
y[n,c,y,x] = clip(requantise(acc[n,c,y,x], scale[c], -4), -100, 127)
"""


def add(image: Image2d, kx: int, kw: int) -> str:
    """A sum of two tensors with scales."""
    return binary(image, f"(x[n,c,y,x] - 11) * {kx} + (w[n,c,y,x] - 2) * {kw}")


def table(image: Image2d) -> str:
    """A function of every element."""
    i = image
    return f"""codelet unary "table"
dims n={i.n} c={i.c} y={i.y} x={i.x}
input x uint8[{i.shape}]
constant t int8[256]
output y int8[{i.shape}]
y[n,c,y,x] = table(x[n,c,y,x], t)
"""


def move(image: Image2d, read: str) -> str:
    """Elements in another order; `read`: the subscripts of x."""
    i = image
    extents = {"n": i.n, "c": i.c, "y": i.y, "x": i.x}
    shape = ",".join(str(extents[d]) for d in read.split(","))
    return f"""codelet move "move"
dims n={i.n} c={i.c} y={i.y} x={i.x}
input x int8[{shape}]
output y int8[{i.shape}]
y[n,c,y,x] = x[{read}]
"""


def _out(size: int, kernel: int, stride: int, pad: int) -> int:
    return (size + 2 * pad - kernel) // stride + 1


def _at(axis: str, stride: int, pad: int) -> str:
    """Subscript of an input axis."""
    first = f"{stride}*o{axis}" if stride > 1 else f"o{axis}"
    return f"{first}+f{axis}" + (f"-{pad}" if pad else "")
