"""The image of a layer: program words, off-chip contents, and where its tensors lie.

In: program, mapping, codelet, payloads. Out: `Image`, which any backend runs: write `dram(inputs)`,
run the words, read `outputs`. All tensors are in codelet order.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import Span, fail
from covenant.core.dtypes import DType
from covenant.emit.constants import Payloads, pack_constant, zero_point
from covenant.emit.encode import encode
from covenant.emit.packing import pack, unpack
from covenant.emit.plan import DramPlan, plan
from covenant.emit.program import Program
from covenant.emit.regions import bound_form, homes, with_derived
from covenant.mapper.mapping import Layout, Mapping, Placement, Role


@dataclass(frozen=True, slots=True)
class ImageTensor:
    """A region of the off-chip memory. tensor: codelet tensor, "" for records; `padding` fills
    positions that a packed layout adds to the tensor."""

    tensor: str
    port: str
    role: Role
    dtype: DType
    shape: tuple[int, ...]
    address: int
    layout: Layout
    padding: int = 0
    stored: DType | None = None
    """Type of its elements in memory, None for its own."""

    @property
    def kind(self) -> DType:
        """Type of its elements in memory."""
        return self.dtype if self.stored is None else self.stored


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Constant bytes at an off-chip address."""

    address: int
    content: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Everything a run needs but the inputs."""

    architecture: str
    codelet: str
    word_bits: int
    words: tuple[int, ...]
    dram_bytes: int
    segments: tuple[Segment, ...]
    tensors: tuple[ImageTensor, ...]

    def dram(self, inputs: Map[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """The off-chip memory before a run: constants and packed inputs, zeros elsewhere."""
        memory = np.zeros(self.dram_bytes, np.uint8)
        self.write_constants(memory)
        self.write_inputs(memory, inputs)
        return memory

    def write_constants(self, memory: NDArray[np.uint8]) -> None:
        """Place the constants into a memory."""
        for segment in self.segments:
            memory[segment.address : segment.address + segment.content.size] = segment.content

    def write_inputs(self, memory: NDArray[np.uint8], inputs: Map[str, NDArray[Any]]) -> None:
        """Place input tensors (by codelet name) into a memory."""
        for entry in self.tensors:
            if entry.role is Role.INPUT:
                array = _given(entry, inputs, self.codelet)
                content = pack(array, entry.layout, entry.kind, entry.padding)
                memory[entry.address : entry.address + content.size] = content

    def outputs(self, memory: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Output tensors by codelet name from a memory after a run."""
        found: dict[str, NDArray[Any]] = {}
        for entry in self.tensors:
            if entry.role is Role.OUTPUT:
                content = memory[entry.address : entry.address + entry.layout.bytes]
                values = unpack(content, entry.layout, entry.kind, entry.shape)
                found[entry.tensor] = values.astype(entry.dtype.numpy)
        return found


def build_image(
    program: Program,
    mapping: Mapping,
    codelet: Codelet,
    acg: Acg,
    payloads: Payloads,
    regions: DramPlan | None = None,
) -> Image:
    """Encode the program and pack the constants; `regions` as given to `lower`."""
    assert acg.control is not None, "lower() refuses an architecture without a control node"
    regions = regions or plan(mapping, acg)
    form = bound_form(mapping, codelet)
    known = with_derived(mapping, codelet, payloads)
    _check_room(regions, acg)
    segments: list[Segment] = []
    tensors: list[ImageTensor] = []
    for placement in homes(mapping):
        address = regions.address(placement.port)
        zero = zero_point(placement, mapping, acg)
        own = _dtype(placement, codelet, form)
        tensors.append(
            ImageTensor(
                placement.tensor,
                placement.port,
                placement.role,
                own,
                _shape(placement.tensor, codelet, form),
                address,
                placement.home,
                zero if isinstance(zero, int) else 0,
                None if own is placement.dtype else placement.dtype,
            )
        )
        if placement.role is Role.CONSTANT:
            content = pack_constant(placement, mapping, form, acg, known)
            segments.append(Segment(address, content))
    return Image(
        acg.name,
        codelet.name,
        acg.control.word_bits,
        encode(program.operations, acg.control),
        regions.bytes,
        tuple(segments),
        tuple(tensors),
    )


def _shape(tensor: str, codelet: Codelet, form: Codelet) -> tuple[int, ...]:
    """Shape of a tensor of the layer, else of the form that is bound; () for records."""
    if not tensor:
        return ()
    known = any(t.name == tensor for t in codelet.tensors)
    return (codelet if known else form).tensor(tensor).shape


def _dtype(placement: Placement, codelet: Codelet, form: Codelet) -> DType:
    """Type of a tensor of the layer, else of the form that is bound."""
    if not placement.tensor:
        return placement.dtype
    known = any(t.name == placement.tensor for t in codelet.tensors)
    return (codelet if known else form).tensor(placement.tensor).dtype


def _check_room(regions: DramPlan, acg: Acg) -> None:
    memory = acg.off_chip[0]
    if regions.bytes > memory.size_bytes:
        raise fail(
            "EMI009",
            f"the tensors need {regions.bytes} bytes of memory '{memory.name}', it has "
            f"{memory.size_bytes}",
            memory.span,
            f"enlarge {memory.name}.size",
        )


def _given(entry: ImageTensor, inputs: Map[str, NDArray[Any]], codelet: str) -> NDArray[Any]:
    if entry.tensor not in inputs:
        raise fail("EMI008", f"no values for input '{entry.tensor}' of {codelet}", Span(codelet))
    array = np.asarray(inputs[entry.tensor])
    if array.shape != entry.shape or array.dtype != entry.dtype.numpy:
        raise fail(
            "EMI008",
            f"input '{entry.tensor}' of {codelet} is {entry.dtype}{list(entry.shape)}, the values "
            f"given are {array.dtype}{list(array.shape)}",
            Span(codelet),
        )
    return array
