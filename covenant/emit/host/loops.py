"""A whole layer as loops in C, for a processor that does what no compute node can.

In: a lowered layer, its statements as they are. Out: text of one C function over the tensors in
ONNX order. Values between two steps are scalars of the nest: every step of a codelet has the same
output position. Integers are exact modulo 2**64 and wrap where they are stored, as in
`core/evaluate.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from covenant.codelets.ir import Codelet, Role, Tensor
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.views import View
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Ref, Statement, references
from covenant.emit.host.moves import plain_strides

_OPERATORS = {"add": "+", "sub": "-", "mul": "*"}
_NAMED = {"max": "covenant_max", "min": "covenant_min"}
_USED = {"round": "covenant_round(", "limits": "covenant_m"}
_FROM = {"+": "0", "max": "INT64_MIN"}


def c_type(dtype: DType) -> str:
    """The C type of an element."""
    return "float" if dtype is DType.FLOAT32 else f"{dtype.value}_t"


@dataclass(frozen=True, slots=True)
class Loops:
    """text: of a function; uses: what it calls, by its key in `program`; arguments: tensors it
    takes, in order."""

    arguments: tuple[str, ...]
    text: str
    uses: frozenset[str]


def loops_of(lowered: LoweredLayer, name: str) -> Loops:
    """The function that computes a layer."""
    codelet = lowered.codelet
    tensors = [t for t in codelet.tensors if t.role is not Role.LOCAL]
    parameters = ", ".join(
        f"{'' if t.role is Role.OUTPUT else 'const '}{c_type(t.dtype)} *{t.name}" for t in tensors
    )
    lines = [f"/* {'; '.join(map(str, codelet.steps))} */"]
    lines += [f"static void {name}({parameters})", "{"]
    lines += _nest(_Writer(codelet, _strides(lowered)))
    text = "\n".join(["", *lines, "}", ""])
    uses = frozenset(key for key, function in _USED.items() if function in text)
    return Loops(tuple(t.name for t in tensors), text, uses)


def _strides(lowered: LoweredLayer) -> dict[str, tuple[int, ...]]:
    """Elements that one position of every axis makes in the array of a tensor."""
    found = {}
    for tensor in lowered.codelet.tensors:
        view: View | None = lowered.views.get(tensor.name)
        stored = tensor.role in (Role.CONSTANT, Role.LOCAL)
        found[tensor.name] = plain_strides(tensor.shape, 1, None if stored else view)
    return found


@dataclass(frozen=True, slots=True)
class _Writer:
    """C text of expressions of a codelet. strides: of every tensor, in elements."""

    codelet: Codelet
    strides: Mapping[str, tuple[int, ...]]

    def value(self, expression: Expression) -> str:
        """The value, an int64_t, or a float for an element of a float tensor."""
        match expression:
            case Number(value):
                return f"INT64_C({value})" if abs(value) >= 1 << 31 else str(value)
            case Ref():
                return self.read(expression)
            case Call("table", (index, Ref() as table)):
                return f"{table.name}[(uint8_t)({self.value(index)})]"
            case Call("requantise", (total, scale, point)):
                product = f"(float)(int32_t)({self.value(total)}) * {self.value(scale)}"
                return f"(covenant_round({product}) + {self.value(point)})"
            case Call("clip", (value, low, high)):
                least = f"covenant_max({self.value(value)}, {self.value(low)})"
                return f"covenant_min({least}, {self.value(high)})"
            case Call(function, (one, other)) if function in _OPERATORS:
                left, right = self.wide(one), self.wide(other)
                return f"({left} {_OPERATORS[function]} {right})"
            case Call(function, (one, other)) if function in _NAMED:
                return f"{_NAMED[function]}({self.value(one)}, {self.value(other)})"
            case Call():
                raise AssertionError(f"no C for {expression}")
            case _:
                assert_never(expression)

    def wide(self, expression: Expression) -> str:
        """The value with 64 bits."""
        text = self.value(expression)
        return f"(int64_t){text}" if isinstance(expression, Ref) else text

    def read(self, ref: Ref) -> str:
        """An element, or what stands for it outside the tensor."""
        tensor = self.codelet.tensor(ref.name)
        if tensor.role is Role.LOCAL:
            return tensor.name
        element = f"{tensor.name}[{self.place(ref)}]"
        inside = [] if tensor.pad is None else self.conditions(ref, tensor)
        return f"({' && '.join(inside)} ? {element} : {tensor.pad})" if inside else element

    def place(self, ref: Ref) -> str:
        """The position of an element in its array."""
        strides = self.strides[ref.name]
        terms: dict[str, int] = {}
        offset = 0
        for index, stride in zip(ref.indices, strides, strict=True):
            offset += index.constant * stride
            for dim, coefficient in index.terms:
                terms[dim] = terms.get(dim, 0) + coefficient * stride
        return _sum([(self.counter(d), c) for d, c in terms.items()], offset)

    def counter(self, dim: str) -> str:
        """The counter of a dim; tensors have their own names."""
        return f"{dim}_at" if any(t.name == dim for t in self.codelet.tensors) else dim

    def conditions(self, ref: Ref, tensor: Tensor) -> list[str]:
        """What holds where a subscript that can leave the tensor is inside it."""
        found = []
        for index, size in zip(ref.indices, tensor.shape, strict=True):
            low, high = self.reach(index)
            text = _sum([(self.counter(d), c) for d, c in index.terms], index.constant)
            found += [f"{text} >= 0"] if low < 0 else []
            found += [f"{text} < {size}"] if high >= size else []
        return found

    def reach(self, index: Affine) -> tuple[int, int]:
        """The lowest and the highest value of a subscript."""
        extents = self.codelet.extents
        ends = [c * (extents[d] - 1) for d, c in index.terms]
        low = sum(min(0, end) for end in ends)
        return index.constant + low, index.constant + sum(max(0, end) for end in ends)


def _sum(terms: Sequence[tuple[str, int]], offset: int) -> str:
    """A sum of multiples of loop counters and a number."""
    parts = [d if c == 1 else f"{c} * {d}" for d, c in terms if c]
    text = " + ".join(parts) or str(offset)
    return f"{text} {'-' if offset < 0 else '+'} {abs(offset)}" if parts and offset else text


def _nest(writer: _Writer) -> list[str]:
    """The loops over the output, with the steps inside."""
    target = writer.codelet.steps[-1].target
    dims = [index.dims[0] for index in target.indices]
    lines = _heads(writer, dims, 1)
    depth = 1 + len(dims)
    known: set[str] = set()
    lines[-1:] = [f"{lines[-1]} {{"] if dims else ["  {"]
    for step in writer.codelet.steps:
        lines += _step(writer, step, known, depth)
        known.add(step.target.name)
    return [*lines, "  " * max(1, depth - 1) + "}"]


def _step(writer: _Writer, step: Statement, known: set[str], depth: int) -> list[str]:
    """One step at one output position; known: locals that have a value."""
    tensor = writer.codelet.tensor(step.target.name)
    kept = {d for index in step.target.indices for d in index.dims}
    used = {d for ref in references(step.value) for i in ref.indices for d in i.dims}
    swept = [d.name for d in writer.codelet.dims if d.name in used - kept]
    pad = "  " * depth
    local = tensor.role is Role.LOCAL
    place = tensor.name if local else f"{tensor.name}[{writer.place(step.target)}]"
    declared = f"{c_type(tensor.dtype)} " if local and tensor.name not in known else ""
    value = writer.value(step.value)
    if not step.reduction:
        return [f"{pad}{declared}{place} = ({c_type(tensor.dtype)})({value});"]
    total = f"{'max' if step.reduction == 'max' else 'sum'}_of_{tensor.name}"
    first = tensor.name if tensor.name in known else _FROM[step.reduction]
    update = (
        f"{total} = covenant_max({total}, {value});"
        if step.reduction == "max"
        else f"{total} += {value};"
    )
    return [
        f"{pad}int64_t {total} = {first};",
        *_heads(writer, swept, depth),
        "  " * (depth + len(swept)) + update,
        f"{pad}{declared}{place} = ({c_type(tensor.dtype)}){total};",
    ]


def _heads(writer: _Writer, dims: Sequence[str], depth: int) -> list[str]:
    """A `for` per dim, each inside the one before."""
    named = [(writer.counter(d), writer.codelet.dim(d).extent) for d in dims]
    return [
        "  " * (depth + level) + f"for (int64_t {d} = 0; {d} < {extent}; {d}++)"
        for level, (d, extent) in enumerate(named)
    ]
