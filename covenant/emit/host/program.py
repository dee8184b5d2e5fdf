"""A model as a self-contained C program: `program.c` and `data.h`.

In: a model, its compiled layers, an architecture whose control node has a `host` section. Out:
text of both files. `covenant_run(inputs, outputs)` takes the graph's inputs and outputs in ONNX
order, row-major, in their ONNX types; the processor quantises, packs and unpacks, the accelerator
does the rest. Needs `stdint.h` and a little-endian machine; not reentrant, buffers are static.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from covenant.acg.graph import Acg
from covenant.codelets.lowered import LoweredLayer
from covenant.core.diagnostics import Span, fail
from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor
from covenant.emit.host import sources
from covenant.emit.host.data import array_bytes, array_i64, array_of, array_u64
from covenant.emit.host.loops import loops_of
from covenant.emit.host.moves import move_of
from covenant.emit.host.rescale import rescale_of
from covenant.emit.host.tape import Region, build_tape
from covenant.emit.image import Image, ImageTensor
from covenant.frontend.model import Boundary, Join, Model
from covenant.mapper.mapping import Role


@dataclass(frozen=True, slots=True, eq=False)
class HostLayer:
    """A layer ready to run: what it is, how its tensors are seen, its image, and how it is mapped,
    for readers."""

    layer: Layer
    lowered: LoweredLayer
    image: Image
    notes: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class WholeLayer:
    """A layer that the processor computes."""

    layer: Layer
    lowered: LoweredLayer


def host_files(
    model: Model, layers: Sequence[HostLayer | WholeLayer], acg: Acg
) -> Mapping[str, bytes]:
    """`program.c` and `data.h` of a model; CovenantError when an output cannot be computed."""
    assert acg.control is not None
    assert acg.control.host is not None
    writer = _Writer(model, acg)
    for number, layer in enumerate(layers):
        if isinstance(layer, WholeLayer):
            writer.whole(number, layer)
        else:
            writer.layer(number, layer)
    writer.results()
    title = f"/* {model.file.rsplit('/', 1)[-1]} for {acg.name}, written by covenant. */\n"
    data = [title, "#include <stdint.h>\n", *writer.data]
    parts = [title, sources.HEAD]
    if writer.cases:
        parts.append(sources.issuing(acg.control.host, list(writer.cases)))
    parts += [text for name, text in _FUNCTIONS.items() if name in writer.used]
    parts += [*writer.functions, "\n", *writer.buffers]
    parts.append("\nvoid covenant_run(const void *const inputs[], void *const outputs[])\n{\n")
    parts += ["  (void)inputs;\n", *(f"  {line}\n" for line in writer.body), "}\n"]
    return {"program.c": "".join(parts).encode(), "data.h": "".join(data).encode()}


_FUNCTIONS = {
    "limits": sources.LIMITS,
    "move": sources.MOVE,
    "round": sources.ROUND,
    "copy": sources.COPY,
    "quantise": sources.QUANTISE,
    "dequantise": sources.DEQUANTISE,
    "rescale": sources.RESCALE,
}


@dataclass(slots=True)
class _Writer:
    """Text as it grows. known: C expressions of tensors by ONNX name."""

    model: Model
    acg: Acg
    known: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    buffers: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    cases: dict[tuple[int, ...], int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    functions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, tensor in enumerate(self.model.inputs):
            self.known[tensor.name] = f"inputs[{number}]"
            self.shapes[tensor.name], self.dtypes[tensor.name] = tensor.shape, tensor.dtype
        for tensor in self.model.outputs:
            self.shapes[tensor.name], self.dtypes[tensor.name] = tensor.shape, tensor.dtype

    def layer(self, number: int, ready: HostLayer) -> None:
        """Pack what a layer reads, run it, unpack what it wrote."""
        image, prefix = ready.image, f"layer{number}"
        self.body += _comment(f"{ready.layer.name} ({ready.layer.op_type})\n{ready.notes}")
        regions: list[str] = []
        for index, tensor in enumerate(image.tensors):
            regions.append(f"{prefix}_{tensor.tensor}{index}")
            self._region(image, tensor, regions[-1])
            if tensor.role is Role.INPUT:
                source = ready.layer.inputs[self._role(ready, tensor)].name
                self._move(ready, tensor, regions[-1], self.tensor(source), unpack=False)
        tape = build_tape(
            image.words,
            self.acg,
            [Region(t.address, t.layout.bytes) for t in image.tensors],
            self.cases,
        )
        words = f"{prefix}_tape"
        self.data.append(f"/* {tape.instructions} instructions */\n")
        self.data.append(array_u64(words, tape.entries))
        places = ", ".join(f"(uintptr_t){name}" for name in regions)
        self.body += [
            "COVENANT_HALT();",
            f"covenant_run_layer({words}, sizeof {words} / sizeof *{words}, "
            f"(const uintptr_t[]){{{places}}});",
            "COVENANT_HALT();",
        ]
        for index, tensor in enumerate(image.tensors):
            if tensor.role is Role.OUTPUT:
                result = ready.layer.outputs[self._role(ready, tensor)]
                self._place(result)
                self._unpack(ready, tensor, regions[index], self.known[result.name])

    def whole(self, number: int, ready: WholeLayer) -> None:
        """Compute a layer."""
        layer, lowered = ready.layer, ready.lowered
        loops = loops_of(lowered, f"layer{number}")
        self.used |= loops.uses
        self.functions.append(loops.text)
        self.body += _comment(f"{layer.name} ({layer.op_type}) on the processor")
        arguments = []
        for name in loops.arguments:
            if name in lowered.constants:
                array = f"layer{number}_{name}"
                self.data.append(array_of(array, lowered.constants[name]))
                arguments.append(array)
                continue
            source = lowered.views[name].source if name in lowered.views else name
            if source in layer.outputs:
                self._place(layer.outputs[source])
                arguments.append(self.known[layer.outputs[source].name])
            else:
                arguments.append(self.tensor(layer.inputs[source].name))
        given = [f"(void *){a}" for a in arguments]
        self.body.append(f"layer{number}({', '.join(given)});")

    @staticmethod
    def _role(ready: HostLayer, tensor: ImageTensor) -> str:
        view = ready.lowered.views.get(tensor.tensor)
        return view.source if view is not None else tensor.tensor

    def _region(self, image: Image, tensor: ImageTensor, name: str) -> None:
        """The array that a region of the off-chip memory becomes."""
        segment = next((s for s in image.segments if s.address == tensor.address), None)
        if tensor.role is Role.CONSTANT and segment is not None:
            self.data.append(array_bytes(name, segment.content))
            return
        self.buffers.append(_buffer(name, tensor.layout.bytes))
        if tensor.padding:
            raise fail(
                "EMI011",
                f"'{tensor.tensor}' is padded with {tensor.padding} in memory, the program could "
                "pad with 0 only",
                Span(image.codelet),
            )

    def _move(
        self, ready: HostLayer, tensor: ImageTensor, packed: str, plain: str, *, unpack: bool
    ) -> None:
        table = f"{packed}_move"
        move = move_of(tensor, ready.lowered.views.get(tensor.tensor))
        self.data.append(array_i64(table, move.table))
        self.used.add("move")
        self.body.append(
            f"covenant_move((uint8_t *){packed}, (uint8_t *){plain}, {table}, {int(unpack)});"
        )

    def _unpack(self, ready: HostLayer, tensor: ImageTensor, packed: str, plain: str) -> None:
        """A result in ONNX order, after the processor's share."""
        if ready.lowered.finish is None:
            self._move(ready, tensor, packed, plain, unpack=True)
            return
        found = rescale_of(ready.lowered)
        sums = self._new(found.count * tensor.dtype.bytes)
        self._move(ready, tensor, packed, sums, unpack=True)
        values = ", ".join(f"{value.hex()}f" for value in found.scales)
        self.data.append(f"static const float {packed}_scale[] = {{{values}}};\n")
        self.used |= {"rescale", "round"}
        numbers = f"{found.count}, {found.inner}, {len(found.scales)}, {packed}_scale"
        self.body.append(
            f"covenant_rescale((uint8_t *){plain}, (const int32_t *){sums}, {numbers}, "
            f"{found.zero}, {found.low}, {found.high});"
        )

    def _place(self, result: LayerTensor) -> None:
        """Where a layer's result goes: an output of the graph, or a buffer."""
        name = result.name
        outputs = [output.name for output in self.model.outputs]
        self.shapes[name], self.dtypes[name] = result.shape, result.dtype.value
        if name in outputs:
            self.known[name] = f"outputs[{outputs.index(name)}]"
        else:
            self.known[name] = self._new(prod(result.shape) * result.dtype.bytes)

    def _new(self, size: int) -> str:
        name = f"tensor{len(self.buffers)}"
        self.buffers.append(_buffer(name, max(1, size)))
        return name

    def tensor(self, name: str) -> str:
        """The C expression of a tensor, through as many aliases and conversions as it takes."""
        if name in self.known:
            return self.known[name]
        alias = next((a for a in self.model.aliases if a.target == name), None)
        join = next((j for j in self.model.joins if j.target == name), None)
        boundary = next((b for b in self.model.boundaries if b.target == name), None)
        if alias is not None:
            found = self.tensor(alias.source)
            self.shapes[name], self.dtypes[name] = alias.shape, self.dtypes[alias.source]
        elif join is not None:
            found = self._joined(join)
        elif boundary is not None:
            found = self._converted(boundary)
        else:
            raise fail(
                "EMI011",
                f"tensor '{name}' comes from a node that is not part of the program",
                Span(self.model.file),
                "`covenant map` lists the nodes that are not mapped, and why",
            )
        self.known[name] = found
        return found

    def _joined(self, join: Join) -> str:
        sources = [self.tensor(part) for part in join.parts]
        shapes = [self.shapes[part] for part in join.parts]
        dtype = self.dtypes[join.parts[0]]
        axis = join.axis % len(shapes[0])
        total = sum(shape[axis] for shape in shapes)
        shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
        inner = prod(shape[axis + 1 :]) * np.dtype(dtype).itemsize
        found = self._new(prod(shape) * np.dtype(dtype).itemsize)
        at = 0
        for source, part in zip(sources, shapes, strict=True):
            size = part[axis] * inner
            rows = prod(part[:axis])
            self._copy(f"{found} + {at}", source, (rows, size, total * inner, size))
            at += size
        self.shapes[join.target], self.dtypes[join.target] = shape, dtype
        return found

    def _copy(self, to: str, source: str, sizes: tuple[int, int, int, int]) -> None:
        self.used.add("copy")
        numbers = ", ".join(map(str, sizes))
        self.body.append(f"covenant_copy((uint8_t *){to}, (const uint8_t *){source}, {numbers});")

    def _converted(self, boundary: Boundary) -> str:
        """Quantise or dequantise on the processor."""
        source = self.tensor(boundary.source)
        shape = self.shapes[boundary.source]
        count, dtype = prod(shape), boundary.dtype
        found = self._new(count * (dtype.bytes if boundary.quantises else 4))
        constants = self._points(boundary, len(self.data))
        axis = boundary.quantisation.axis
        channels = boundary.quantisation.scale.size
        inner = prod(shape[axis + 1 :]) if channels > 1 and axis is not None else count or 1
        common = f"{count}, {inner}, {channels}, {constants}, {dtype.bytes}"
        self.used |= {"quantise", "round"} if boundary.quantises else {"dequantise"}
        if boundary.quantises:
            limits = f"{_i64(dtype.minimum)}, {_i64(dtype.maximum)}"
            call = f"covenant_quantise({found}, (const float *){source}, {common}, {limits});"
        else:
            call = (
                f"covenant_dequantise((float *){found}, (const uint8_t *){source}, {common}, "
                f"{int(dtype.signed)});"
            )
        self.body.append(call)
        self.shapes[boundary.target] = shape
        self.dtypes[boundary.target] = dtype.value if boundary.quantises else DType.FLOAT32.value
        return found

    def _points(self, boundary: Boundary, number: int) -> str:
        scale = np.asarray(boundary.quantisation.scale, np.float32).reshape(-1)
        zero = np.asarray(boundary.quantisation.zero_point, np.int64).reshape(-1)
        zero = np.broadcast_to(zero, scale.shape)
        values = ", ".join(f"{float(value).hex()}f" for value in scale)
        self.data.append(f"static const float scale{number}[] = {{{values}}};\n")
        self.data.append(array_i64(f"zero{number}", tuple(int(value) for value in zero)))
        return f"scale{number}, zero{number}"

    def results(self) -> None:
        """Outputs of the graph that no layer wrote in place."""
        for number, output in enumerate(self.model.outputs):
            place = f"outputs[{number}]"
            found = self.tensor(output.name)
            if found != place:
                size = prod(self.shapes[output.name]) * np.dtype(self.dtypes[output.name]).itemsize
                self._copy(place, found, (1, size, size, size))


def _comment(text: str) -> list[str]:
    """Lines of a C comment."""
    lines = text.replace("*/", "* /").rstrip().splitlines()
    return [f"{'/*' if i == 0 else ' *'} {line}".rstrip() for i, line in enumerate(lines)] + [" */"]


def _buffer(name: str, size: int) -> str:
    return f"static uint8_t {name}[{size}] __attribute__((aligned(64)));\n"


def _i64(value: int) -> str:
    return f"INT64_C({value})" if value > -(1 << 63) else "INT64_MIN"
