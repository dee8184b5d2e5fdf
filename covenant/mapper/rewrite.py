"""Equivalent forms of a codelet, for machines that cannot compute it as it is written.

In: a codelet. Out: `Variant`s with the same result, by algebra on its statements alone:
`initialised`: acc += e; y = f(acc + b)  ->  acc = b; acc += e; y = f(acc)
`folded`: acc += (x - z) * w; y = f(acc + b)  ->  acc += x * w; y = f(acc + offset), where
offset = b - z * sum(w) is a new constant; w and b must be constants. Where x is padded, the padding
is read as z, so the machine must be able to write z around a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Ref, Statement, references

AS_WRITTEN = ""
OFFSET = "offset"
"""Name of the constant that `folded` introduces."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A form of a codelet. derived: a codelet that computes `offset` from constants of the original
    one, None where there is nothing new. filled: tensor whose padding is no longer neutral, ""."""

    name: str
    codelet: Codelet
    derived: Codelet | None = None
    filled: str = ""


def variants(codelet: Codelet) -> Iterator[Variant]:
    """The codelet itself, then its other forms, those with fewer changes first."""
    for name in _FORMS:
        found = _form(codelet, name)
        if found is not None:
            yield found


def variant(codelet: Codelet, name: str) -> Variant:
    """The form of that name; KeyError when the codelet has none."""
    found = _form(codelet, name)
    if found is None:
        raise KeyError(name)
    return found


def rewritten(codelet: Codelet, name: str) -> Codelet:
    """The codelet of the form of that name."""
    return codelet if name == AS_WRITTEN else variant(codelet, name).codelet


def main_step(codelet: Codelet) -> int:
    """Index of the step that reduces; 0 when none does."""
    return next((i for i, s in enumerate(codelet.steps) if s.reduction), 0)


def _form(codelet: Codelet, name: str) -> Variant | None:
    steps = _FORMS.get(name)
    found: Variant | None = Variant(AS_WRITTEN, codelet) if steps is not None else None
    for step in steps or ():
        found = None if found is None else step(found)
    return None if found is None else replace(found, name=name)


def _initialised(form: Variant) -> Variant | None:
    codelet = form.codelet
    if len(codelet.steps) != 2 or codelet.steps[0].reduction != "+":
        return None
    first, last = codelet.steps
    addend = _addend(last.value, first.target)
    if addend is None:
        return None
    steps = (Statement(first.target, "", addend), first, _without(last, first.target, addend))
    return replace(form, codelet=replace(codelet, steps=steps))


def _addend(value: Expression, target: Ref) -> Expression | None:
    """What is added to the only occurrence of `target`, None when there is no such sum."""
    if [r.name for r in references(value)].count(target.name) != 1:
        return None
    if not isinstance(value, Call):
        return None
    if value.function == "add" and target in value.arguments:
        return value.arguments[1 - value.arguments.index(target)]
    found = (_addend(a, target) for a in value.arguments)
    return next((f for f in found if f is not None), None)


def _without(step: Statement, target: Ref, addend: Expression) -> Statement:
    sums = (Call("add", (target, addend)), Call("add", (addend, target)))
    return replace(step, value=_replaced(step.value, lambda e: target if e in sums else None))


def _replaced(
    expression: Expression, change: Callable[[Expression], Expression | None]
) -> Expression:
    """The expression with every outermost part that `change` knows replaced."""
    found = change(expression)
    if found is not None:
        return found
    if not isinstance(expression, Call):
        return expression
    return Call(expression.function, tuple(_replaced(a, change) for a in expression.arguments))


def _folded(form: Variant) -> Variant | None:
    codelet = form.codelet
    if len(codelet.steps) != 2 or codelet.steps[0].reduction != "+":
        return None
    first, last = codelet.steps
    shifted = _shifted(codelet, first.value)
    if shifted is None or any(t.name == OFFSET for t in codelet.tensors):
        return None
    x, point, factor = shifted
    kept = [d for d in codelet.dims if any(d.name in i.dims for i in first.target.indices)]
    read = {d for r in references(factor) for i in r.indices for d in i.dims}
    addend = _addend(last.value, first.target)
    if addend is not None:
        read |= {d for r in references(addend) for i in r.indices for d in i.dims}
        if not all(codelet.tensor(r.name).role is Role.CONSTANT for r in references(addend)):
            return None
    dims = [d for d in kept if d.name in read]
    offset = Ref(OFFSET, tuple(Affine.of(d.name) for d in dims))
    total = Call("add", (first.target, offset))
    old: Expression = first.target if addend is None else Call("add", (first.target, addend))
    turned = Call("add", (addend, first.target)) if addend is not None else old
    last = replace(
        last, value=_replaced(last.value, lambda e: total if e in (old, turned) else None)
    )
    steps = (replace(first, value=Call("mul", (x, factor))), last)
    constant = Tensor(OFFSET, DType.INT32, tuple(d.extent for d in dims), Role.CONSTANT)
    gone = {r.name for r in references(addend)} if addend is not None else set[str]()
    tensors = (*(t for t in codelet.tensors if t.name not in gone), constant)
    padded = codelet.tensor(x.name).pad is not None
    return Variant(
        form.name,
        replace(codelet, tensors=tensors, steps=steps),
        _derived(codelet, first, factor, point, addend, offset, dims),
        x.name if padded else "",
    )


def _shifted(codelet: Codelet, value: Expression) -> tuple[Ref, int, Expression] | None:
    """(x, z, w) of (x - z) * w with a constant w."""
    if not isinstance(value, Call) or value.function != "mul":
        return None
    for side, factor in (value.arguments, value.arguments[::-1]):
        if not isinstance(side, Call) or side.function != "sub":
            continue
        x, point = side.arguments
        fixed = all(codelet.tensor(r.name).role is Role.CONSTANT for r in references(factor))
        if isinstance(x, Ref) and isinstance(point, Number) and fixed:
            return x, point.value, factor
    return None


def _derived(
    codelet: Codelet,
    first: Statement,
    factor: Expression,
    point: int,
    addend: Expression | None,
    offset: Ref,
    kept: list[Dim],
) -> Codelet:
    """offset = addend - point * sum(factor), as a codelet of its own."""
    target = {d for i in first.target.indices for d in i.dims}
    summed = {d for r in first.refs for i in r.indices for d in i.dims} - target
    dims = tuple(d for d in codelet.dims if d in kept or d.name in summed)
    read = {r.name for e in (factor, addend) if e is not None for r in references(e)}
    shape = tuple(d.extent for d in kept)
    part = offset if addend is None else Ref("part", offset.indices)
    steps = [Statement(part, "+", Call("mul", (Number(-point), factor)))]
    tensors = [replace(t, role=Role.CONSTANT) for t in codelet.tensors if t.name in read]
    if addend is not None:
        steps.append(Statement(offset, "", Call("add", (part, addend))))
        tensors.append(Tensor("part", DType.INT32, shape, Role.LOCAL))
    tensors.append(Tensor(OFFSET, DType.INT32, shape, Role.OUTPUT))
    return Codelet(codelet.operation, OFFSET, dims, tuple(tensors), tuple(steps))


_FORMS: dict[str, tuple[Callable[[Variant], Variant | None], ...]] = {
    AS_WRITTEN: (),
    "initialised": (_initialised,),
    "folded": (_folded,),
    "folded, initialised": (_folded, _initialised),
}
