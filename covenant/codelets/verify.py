"""Whether the parts of a codelet agree: names, subscripts, shapes, roles and element types.

In: a codelet. Out: all findings (`findings`), or the codelet itself (`verify`, which raises them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from covenant.codelets.ir import Codelet, Role, Tensor
from covenant.codelets.ranges import Range, range_of
from covenant.core.affine import Affine
from covenant.core.diagnostics import CovenantError, Diagnostic, Span, did_you_mean
from covenant.core.dtypes import DType
from covenant.core.expression import (
    Call,
    Expression,
    Number,
    Ref,
    Statement,
    references,
    show,
)

_TABLE = 256
"""Entries of a table: one for each pattern of a byte."""


def verify(codelet: Codelet) -> Codelet:
    """The codelet, if nothing is wrong with it; else CovenantError with every finding."""
    found = findings(codelet)
    if found:
        raise CovenantError(found)
    return codelet


def findings(codelet: Codelet) -> tuple[Diagnostic, ...]:
    """Everything that is wrong, in the order of the text form."""
    span = Span(f"codelet {codelet.name!r}")
    found = list(_declarations(codelet))
    if not found:  # the other rules look names up
        found = [*_names(codelet), *_tables(codelet), *_unused_dims(codelet)]
    if not found:
        found = [*_subscripts(codelet), *_targets(codelet), *_roles(codelet), *_types(codelet)]
    return tuple(Diagnostic(code, message, span, repair) for code, message, repair in found)


_Finding = tuple[str, str, str]


def _declarations(codelet: Codelet) -> Iterator[_Finding]:
    """CDL002: every name is declared once; extents and shapes are positive."""
    counts = Counter([d.name for d in codelet.dims] + [t.name for t in codelet.tensors])
    for name, count in counts.items():
        if count > 1:
            yield "CDL002", f"{name!r} is declared {count} times", "rename all but one"
    for dim in codelet.dims:
        if dim.extent < 1:
            yield "CDL002", f"dim {dim.name!r} has extent {dim.extent}", "extents are at least 1"
    for tensor in codelet.tensors:
        if any(extent < 1 for extent in tensor.shape):
            shape = list(tensor.shape)
            yield "CDL002", f"tensor {tensor.name!r} has shape {shape}", "extents are at least 1"


def _names(codelet: Codelet) -> Iterator[_Finding]:
    """CDL003: what the steps mention exists and has as many subscripts as axes."""
    tensors = {tensor.name: tensor for tensor in codelet.tensors}
    for ref in _all_refs(codelet):
        if ref.name not in tensors:
            closest = did_you_mean(ref.name, tensors)
            yield "CDL003", f"{ref.name!r} is not a tensor of the codelet", closest
            continue
        axes = len(tensors[ref.name].shape)
        if len(ref.indices) != axes:
            message = f"{ref.name!r} has {axes} axes, it is subscripted {len(ref.indices)} times"
            yield "CDL003", message, "give one subscript per axis"
        for name in _dims_of(ref):
            if name not in codelet.extents:
                message = f"{name!r} in a subscript of {ref.name!r} is not a dim of the codelet"
                yield "CDL003", message, did_you_mean(name, codelet.extents)


def _tables(codelet: Codelet) -> Iterator[_Finding]:
    """CDL009: a table is a whole constant, one byte for every pattern of an 8-bit index."""
    tensors = {tensor.name: tensor for tensor in codelet.tensors}
    for step in codelet.steps:
        for index, table in _lookups(step.value):
            if not isinstance(table, Ref) or table.indices or table.name not in tensors:
                message = f"`{step}` looks up `{show(table)}`, expected the name of a tensor"
                yield "CDL009", message, "declare `constant t int8[256]`, write table(x[i], t)"
                continue
            found = tensors[table.name]
            if found.shape != (_TABLE,) or found.dtype.bytes != 1:
                message = f"the table {table.name!r} is {found.dtype}{list(found.shape)}"
                yield "CDL009", message, f"declare it as {DType.INT8}[{_TABLE}] or uint8[{_TABLE}]"
            wide = [r.name for r in references(index) if r.name in tensors]
            wide = [name for name in wide if tensors[name].dtype.bytes != 1]
            if wide or not isinstance(index, Ref):
                message = f"`{step}` indexes the table {table.name!r} by `{show(index)}`"
                yield "CDL009", message, "index it by an element of an 8-bit tensor"


def _lookups(expression: Expression) -> Iterator[tuple[Expression, Expression]]:
    """Index and table of every `table` inside an expression."""
    match expression:
        case Call(function, arguments):
            if function == "table":
                yield arguments[0], arguments[1]
            for argument in arguments:
                yield from _lookups(argument)
        case Ref() | Number():
            return


def _unused_dims(codelet: Codelet) -> Iterator[_Finding]:
    """CDL004: every dim is used."""
    used = {name for ref in _all_refs(codelet) for name in _dims_of(ref)}
    for dim in codelet.dims:
        if dim.name not in used:
            yield "CDL004", f"dim {dim.name!r} occurs in no subscript", "remove it"


def _subscripts(codelet: Codelet) -> Iterator[_Finding]:
    """CDL005: indices stay inside the shape unless it is padded; plain dims cover their axis."""
    for ref in dict.fromkeys(_all_refs(codelet)):
        tensor = codelet.tensor(ref.name)
        for axis, (index, extent) in enumerate(zip(ref.indices, tensor.shape, strict=True)):
            low, high = _range(index, codelet.extents)
            place = f"subscript {axis + 1} ({index}) of {ref.name!r}"
            if index.is_plain and high != extent - 1:
                message = f"{place} runs to {high}, the axis has {extent} elements"
                yield "CDL005", message, "a plain dim covers its axis exactly"
            elif tensor.pad is None and (low < 0 or high >= extent):
                message = f"{place} runs from {low} to {high}, the axis has {extent} elements"
                yield "CDL005", message, "declare the value read outside, such as pad=0"


def _targets(codelet: Codelet) -> Iterator[_Finding]:
    """CDL006: a target is subscripted by distinct dims; a plain store leaves no dim over."""
    for step in codelet.steps:
        dims = _dims_of(step.target)
        plain = all(index.is_plain for index in step.target.indices)
        if not plain or len(set(dims)) < len(dims):
            message = f"the target {step.target.name!r} of `{step}` has repeated or scaled dims"
            yield "CDL006", message, "subscript it by distinct plain dims"
        free = [d for ref in step.refs for d in _dims_of(ref) if d not in dims]
        if not step.reduction and free:
            names = ", ".join(dict.fromkeys(free))
            message = f"`{step}` stores once per {names}, which its target lacks"
            yield "CDL006", message, "reduce with += or max="


def _roles(codelet: Codelet) -> Iterator[_Finding]:
    """CDL007: inputs and constants are read only, outputs written, locals written before read."""
    written: list[str] = []
    read: list[str] = []
    for step in codelet.steps:
        for ref in step.refs:
            tensor = codelet.tensor(ref.name)
            if tensor.role in (Role.LOCAL, Role.OUTPUT) and ref.name not in written:
                message = f"{tensor.role} {ref.name!r} is read by `{step}` before it is written"
                yield "CDL007", message, "reorder the steps"
            read.append(ref.name)
        target = codelet.tensor(step.target.name)
        if target.role in (Role.INPUT, Role.CONSTANT):
            message = f"{target.role} {target.name!r} is written by `{step}`"
            yield "CDL007", message, "declare it as output or local"
        written.append(target.name)
    for tensor in codelet.tensors:
        wanted = written if tensor.role is Role.OUTPUT else read
        if tensor.name not in wanted:
            verb = "written" if tensor.role is Role.OUTPUT else "read"
            yield "CDL007", f"{tensor.role} {tensor.name!r} is never {verb}", "remove it"


def _types(codelet: Codelet) -> Iterator[_Finding]:
    """CDL008: sums accumulate in int32, floats are scales only, narrow stores are clamped."""
    for step in codelet.steps:
        target = codelet.tensor(step.target.name)
        if step.reduction == "+" and target.dtype is not DType.INT32:
            message = f"`{step}` accumulates into {target.dtype}, expected int32"
            yield "CDL008", message, "declare the accumulator as int32"
        for name in _floats(step.value, codelet):
            message = f"`{step}` computes with {name!r}, which is float32"
            yield "CDL008", message, "float32 is the second argument of requantise only"
        narrow = target.dtype.bytes < 4 and step.reduction != "+"
        if narrow and not _fits(range_of(step.value, codelet), target):
            message = f"`{step}` may store values that {target.dtype} cannot hold"
            range_text = f"{target.dtype.minimum}, {target.dtype.maximum}"
            yield "CDL008", message, f"wrap the value: clip(…, {range_text})"
    for tensor in codelet.tensors:
        if tensor.pad is not None and not _fits((tensor.pad, tensor.pad), tensor):
            yield "CDL008", f"pad={tensor.pad} of {tensor.name!r} is no {tensor.dtype}", ""


def _floats(expression: Expression, codelet: Codelet) -> Iterator[str]:
    """Names of float tensors that are not scales of a requantise."""
    match expression:
        case Ref(name):
            if codelet.tensor(name).dtype is DType.FLOAT32:
                yield name
        case Call("requantise", (value, Ref(scale), zero_point)):
            if codelet.tensor(scale).dtype is not DType.FLOAT32:
                yield scale
            yield from _floats(value, codelet)
            yield from _floats(zero_point, codelet)
        case Call(_, arguments):
            for argument in arguments:
                yield from _floats(argument, codelet)
        case Number():
            return


def _fits(limits: Range | None, tensor: Tensor) -> bool:
    if limits is None:
        return False
    return tensor.dtype.minimum <= limits[0] <= limits[1] <= tensor.dtype.maximum


def _all_refs(codelet: Codelet) -> Iterator[Ref]:
    for step in codelet.steps:
        yield from _refs(step)


def _refs(step: Statement) -> Iterator[Ref]:
    """Target and subscripted operands; a table is read as a whole and has no subscripts."""
    yield step.target
    yield from _subscripted(step.value)


def _subscripted(expression: Expression) -> Iterator[Ref]:
    match expression:
        case Ref():
            yield expression
        case Call("table", (index, _)):
            yield from _subscripted(index)
        case Call(_, arguments):
            for argument in arguments:
                yield from _subscripted(argument)
        case Number():
            return


def _dims_of(ref: Ref) -> tuple[str, ...]:
    return tuple(name for index in ref.indices for name in index.dims)


def _range(index: Affine, extents: dict[str, int]) -> tuple[int, int]:
    low = high = index.constant
    for name, coefficient in index.terms:
        reach = coefficient * (extents[name] - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low, high
