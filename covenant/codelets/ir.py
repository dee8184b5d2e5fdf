"""The codelet: what a layer computes, with nothing about any machine.

In: built by `codelets/library/*` from a `Layer`. Out: read by the mapper (structure), the printer
(text form), the interpreter (integer meaning). Frozen and value-blind: payloads of constants stay
in the `LoweredLayer`; scalar quantisation constants are numbers in the statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.expression import Statement


class Role(StrEnum):
    """How a tensor takes part in a codelet."""

    INPUT = "input"
    CONSTANT = "constant"
    OUTPUT = "output"
    LOCAL = "local"
    """Lives between two steps only, e.g. the int32 accumulator."""


@dataclass(frozen=True, slots=True)
class Dim:
    """A loop of the codelet: name and extent (iterations)."""

    name: str
    extent: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where the elements of a tensor of a fused codelet lie in the layer's tensor.

    shape: of the layer's tensor; digits: (name, extent) per axis of the fused tensor, most
    significant first; indices: subscripts of the layer's tensor over the digits. They may leave
    `shape`: what is read there is the padding.
    """

    shape: tuple[int, ...]
    digits: tuple[tuple[tuple[str, int], ...], ...]
    indices: tuple[Affine, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An operand. Axes are in the order of its subscripts in the statements.

    `pad` is the value read outside the shape (convolution padding); None where the indices never
    leave the shape. `source` tells where the elements of a fused codelet's tensor come from; None
    for a tensor of the layer itself. `uniform`: all elements are known to be equal, so that a
    register can hold it.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    role: Role
    pad: int | None = None
    source: Source | None = None
    uniform: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        total = 1
        for extent in self.shape:
            total *= extent
        return total


@dataclass(frozen=True, slots=True)
class Codelet:
    """Loop dims, tensors and a short sequence of steps; a reduction step runs over all its dims.

    `fused`: two dims of the layer that run as one (`codelets.fuse`); empty for the layer itself.
    """

    operation: str
    """Registry key of the library file that built it, e.g. `conv`; for text and reports only."""
    name: str
    dims: tuple[Dim, ...]
    tensors: tuple[Tensor, ...]
    steps: tuple[Statement, ...]
    fused: tuple[str, ...] = ()

    def dim(self, name: str) -> Dim:
        """The dim of that name; KeyError when absent."""
        for dim in self.dims:
            if dim.name == name:
                return dim
        raise KeyError(name)

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name; KeyError when absent."""
        for tensor in self.tensors:
            if tensor.name == name:
                return tensor
        raise KeyError(name)

    @property
    def extents(self) -> dict[str, int]:
        """Extent of every dim by name."""
        return {dim.name: dim.extent for dim in self.dims}

    @property
    def macs(self) -> int:
        """Iterations of the reduction step (multiply-accumulates for conv and GEMM)."""
        first = self.steps[0]
        names = {d for ref in (first.target, *first.refs) for i in ref.indices for d in i.dims}
        total = 1
        for dim in self.dims:
            total *= dim.extent if dim.name in names else 1
        return total
