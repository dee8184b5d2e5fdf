"""A step of a codelet as a capability could be written: dims by their part, numbers as scalars.

In: a codelet and one of its steps. Out: text such as `acc[m,n] += (x[m,k] - zx) * w[k,n]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from covenant.codelets.ir import Codelet
from covenant.core.affine import Affine
from covenant.core.expression import Call, Expression, Number, Ref, Statement, references, show

_TARGET_DIMS = "mnpqrs"
_REDUCED_DIMS = "kjhl"


def generalised(codelet: Codelet, statement: Statement) -> str:
    """The statement with one dim for all that occur in the same tensors."""
    letters = _letters(codelet, statement)
    target = _renamed(statement.target, letters)
    value = _expression(statement.value, statement.target.name, letters)
    return f"{show(target)} {statement.reduction}= {show(value)}"


def _letters(codelet: Codelet, statement: Statement) -> dict[str, str]:
    """Capability dim by codelet dim. Dims of one iteration, and those that only sweep a window of
    one tensor, are left to the loops around a step; so are batches, which index every tensor."""
    refs = {ref.name: ref for ref in (statement.target, *statement.refs)}
    parts: dict[str, frozenset[str]] = {}
    for ref in refs.values():
        for dim in _dims(ref):
            parts[dim] = frozenset(name for name, each in refs.items() if dim in _dims(each))
    kept = {
        dim: names
        for dim, names in parts.items()
        if codelet.dim(dim).extent > 1 and (statement.target.name in names or len(names) > 1)
    }
    everywhere = frozenset(name for name, ref in refs.items() if ref.indices)
    apart = {n for n in kept.values() if statement.target.name in n and n != everywhere}
    if len(apart) > 1:
        kept = {dim: names for dim, names in kept.items() if names != everywhere}
    first = statement.refs[0].name if statement.refs else ""
    order = sorted(
        set(kept.values()), key=lambda names: (first not in names, len(names), sorted(names))
    )
    outputs, inner = iter(_TARGET_DIMS), iter(_REDUCED_DIMS)
    chosen = {n: next(outputs if statement.target.name in n else inner, "i") for n in order}
    return {dim: chosen[names] for dim, names in kept.items()}


def _dims(ref: Ref) -> tuple[str, ...]:
    return tuple(dict.fromkeys(dim for index in ref.indices for dim in index.dims))


def _renamed(ref: Ref, letters: Mapping[str, str]) -> Ref:
    found = dict.fromkeys(letters[dim] for dim in _dims(ref) if dim in letters)
    return Ref(ref.name, tuple(map(Affine.of, sorted(found, key=_rank))))


def _rank(letter: str) -> int:
    return (_TARGET_DIMS[:1] + _REDUCED_DIMS + _TARGET_DIMS[1:]).find(letter)


def _expression(expression: Expression, target: str, letters: Mapping[str, str]) -> Expression:
    match expression:
        case Ref():
            return _renamed(expression, letters)
        case Number():
            return expression
        case Call(function, arguments):
            names = _scalars(function, arguments, target)
            return Call(
                function,
                tuple(
                    Ref(name)
                    if isinstance(each, Number) and name
                    else _expression(each, target, letters)
                    for each, name in zip(arguments, names, strict=True)
                ),
            )
        case _:
            assert_never(expression)


def _scalars(function: str, arguments: tuple[Expression, ...], target: str) -> tuple[str, ...]:
    """What a number in the place of each argument would be called as a scalar, "" for none."""
    inside = next((r.name for a in arguments for r in references(a)), target)
    match function:
        case "requantise":
            return "", "", f"z{target}"
        case "clip":
            return "", "lo", "hi"
        case "sub":
            return "", f"z{inside}"
        case "mul":
            return f"k{inside}", f"k{inside}"
        case _:
            return ("",) * len(arguments)
