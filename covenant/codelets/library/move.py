"""Elements copied along an affine map, through a table where their values change.

A layer says it all in numbers: x, reshaped to `x_shape`, is read at `offsets[j] + sum(strides[j][k]
* loop k)` along its axis j (`strides` row by row), y has the extents `loops`, reshaped. That covers
transposition, slices and their concatenation, repetition (nearest resize), padding by a value
(`pad`, read outside x) and, with the map of the identity, every function of one 8-bit tensor.
Dims: `n`, `c`, `i`, `i1`, … in the order of y; from the third on, neighbours that stay neighbours
are one dim. Tensors: `x`, `y` and, where values change, `t`, the 256 results by the byte of x.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.requantised import plain, role_of
from covenant.codelets.samples import Numbers, Sample, sample
from covenant.codelets.views import View, axis_names
from covenant.codelets.windows import integers
from covenant.core.affine import Affine
from covenant.core.expression import Call, Expression, Ref, Statement
from covenant.core.layer import Layer, LayerTensor

_KEPT = 2
"""Leading loops that stay dims of their own: batch and channel."""


@dataclass(frozen=True, slots=True)
class _Map:
    """Extents of x and of the loops; per axis of x its strides by loop and its offset."""

    x_shape: tuple[int, ...]
    loops: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    offsets: tuple[int, ...]

    @property
    def read(self) -> tuple[int, ...]:
        """Extents of x that are read: an axis that one loop walks from its start ends with it."""
        return tuple(
            min(extent, self.loops[row.index(1)])
            if not offset and sorted(row)[-1:] == [1] and sum(map(abs, row)) == 1
            else extent
            for extent, row, offset in zip(self.x_shape, self.strides, self.offsets, strict=True)
        )

    def bounded(self) -> _Map:
        """A loop that runs past the end of the axis it walks alone gets a companion of one
        iteration: a plain subscript always covers its axis, others may leave it."""
        found = self
        for axis, row in enumerate(self.strides):
            alone = sorted(row)[-1:] == [1] and sum(map(abs, row)) == 1 and not self.offsets[axis]
            if alone and self.loops[row.index(1)] > self.x_shape[axis]:
                rows = [(*other, int(j == axis)) for j, other in enumerate(found.strides)]
                found = replace(found, loops=(*found.loops, 1), strides=tuple(rows))
        return found

    def joined(self, loop: int) -> _Map | None:
        """Loops `loop` and `loop + 1` as one, where they walk neighbouring axes of x whole."""
        outer, inner = self._plain_axis(loop), self._plain_axis(loop + 1)
        if outer is None or inner != outer + 1:
            return None
        size = self.loops[loop] * self.loops[loop + 1]
        rows = [row[: loop + 1] + row[loop + 2 :] for row in self.strides]
        return _Map(
            (*self.x_shape[:outer], size, *self.x_shape[outer + 2 :]),
            (*self.loops[:loop], size, *self.loops[loop + 2 :]),
            (*rows[: outer + 1], *rows[outer + 2 :]),
            (*self.offsets[: outer + 1], *self.offsets[outer + 2 :]),
        )

    def _plain_axis(self, loop: int) -> int | None:
        """The axis of x that a loop, and nothing else, walks from end to end by steps of one."""
        for axis, row in enumerate(self.strides):
            alone = row[loop] == 1 and sum(map(abs, row)) == 1 and not self.offsets[axis]
            if alone and self.x_shape[axis] == self.loops[loop]:
                return axis
        return None


def build(layer: Layer) -> LoweredLayer:
    """The codelet of a `move` layer."""
    x, y = layer.inputs["x"], layer.outputs["y"]
    found = _merged(_read(layer))
    names = axis_names(len(found.loops))
    value: Expression = Ref(
        "x",
        tuple(
            Affine.total(zip(names, row, strict=True), offset)
            for row, offset in zip(found.strides, found.offsets, strict=True)
        ),
    )
    pad = layer.attributes.get("pad")
    assert pad is None or isinstance(pad, int)
    order = tuple(range(len(found.x_shape)))
    seen = View("x", found.x_shape, order, x.shape, found.read)
    tensors = [Tensor("x", x.dtype, seen.shape, role_of(x), pad)]
    constants = {} if x.values is None else {"x": seen.apply(x.values)}
    if "t" in layer.inputs:
        value = Call("table", (value, Ref("t")))
        tensors.append(Tensor("t", y.dtype, layer.inputs["t"].shape, Role.CONSTANT))
        values = layer.inputs["t"].values
        constants |= {} if values is None else {"t": values}
    tensors.append(Tensor("y", y.dtype, found.loops, Role.OUTPUT))
    codelet = Codelet(
        operation="table" if "t" in layer.inputs else "move",
        name=layer.name,
        dims=tuple(Dim(*pair) for pair in zip(names, found.loops, strict=True)),
        tensors=tuple(tensors),
        steps=(Statement(plain("y", names), "", value),),
    )
    views = {"x": seen, "y": View("y", found.loops, tuple(range(len(names))), y.shape)}
    return LoweredLayer(codelet, views, constants)


def samples(numbers: Numbers) -> tuple[Sample, ...]:
    """The transpose of a matrix, and a function of the elements of an image."""
    table = LayerTensor("t", numbers.dtype, (256,), constant=True)
    shape = (1, 256, 64)
    transposed: dict[str, int | tuple[int, ...]] = {
        "x_shape": (256, 256),
        "loops": (256, 256),
        "strides": (0, 1, 1, 0),
        "offsets": (0, 0),
    }
    alike: dict[str, int | tuple[int, ...]] = {
        "x_shape": shape,
        "loops": shape,
        "strides": (1, 0, 0, 0, 1, 0, 0, 0, 1),
        "offsets": (0, 0, 0),
    }
    x, y = numbers.activation("x", 256, 256), numbers.activation("y", 256, 256)
    image, result = numbers.activation("x", *shape), numbers.activation("y", *shape)
    return (
        sample("transposition", "move", {"x": x}, y, transposed),
        sample("function of one tensor", "move", {"x": image, "t": table}, result, alike),
    )


def _read(layer: Layer) -> _Map:
    """The map of a layer."""
    shape, loops = integers(layer, "x_shape"), integers(layer, "loops")
    flat, offsets = integers(layer, "strides"), integers(layer, "offsets")
    rows = tuple(flat[j * len(loops) : (j + 1) * len(loops)] for j in range(len(shape)))
    return _Map(shape, loops, rows, offsets).bounded()


def _merged(found: _Map) -> _Map:
    loop = _KEPT
    while loop + 1 < len(found.loops):
        joined = found.joined(loop)
        if joined is None:
            loop += 1
        else:
            found = joined
    return found
