"""Windows that slide over an image: the geometry that convolutions and pools share.

In: attributes of a layer. Out: `Window`: names of the dims, subscripts of the image, whether any
lies outside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.core.affine import Affine
from covenant.core.layer import Layer

_SPATIAL = "zyx"


@dataclass(frozen=True, slots=True)
class Window:
    """Spatial axes: extents of input, kernel, output; where the first window lies, how it moves."""

    inputs: tuple[int, ...]
    kernel: tuple[int, ...]
    outputs: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]

    @property
    def dims(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Dims of output positions and of kernel positions."""
        axes = _SPATIAL[-len(self.inputs) :]
        return tuple(f"o{a}" for a in axes), tuple(f"f{a}" for a in axes)

    @property
    def extents(self) -> dict[str, int]:
        """Iterations of these dims, output positions first."""
        outer, inner = self.dims
        return dict(zip((*outer, *inner), (*self.outputs, *self.kernel), strict=True))

    @property
    def positions(self) -> tuple[Affine, ...]:
        """Subscripts of the image: o * stride + f * dilation - pad."""
        outer, inner = self.dims
        return tuple(
            Affine.total([(o, stride), (f, dilation)], -begin)
            for o, f, stride, dilation, begin in zip(
                outer, inner, self.strides, self.dilations, self.begins, strict=True
            )
        )

    @property
    def leaves(self) -> bool:
        """Whether any position lies outside the image."""
        last = {name: extent - 1 for name, extent in self.extents.items()}
        pairs = zip(self.positions, self.inputs, strict=True)
        return any(p.constant < 0 or p.evaluate(last) >= n for p, n in pairs)


def integers(layer: Layer, name: str) -> tuple[int, ...]:
    """An attribute of a layer as a tuple."""
    value = layer.attributes[name]
    return (value,) if isinstance(value, int) else value
