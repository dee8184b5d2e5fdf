"""Products of bounded variables with bounds of their own, as a chain of binary multiplications."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ortools.sat.python import cp_model

_LARGEST = (1 << 62) - 1
"""What the solver takes as a value."""


def bounds(variable: cp_model.IntVar) -> tuple[int, int]:
    """Smallest and largest value of a variable."""
    domain = variable.proto.domain
    return domain[0], domain[len(domain) - 1]


def total(terms: Iterable[cp_model.LinearExprT]) -> cp_model.LinearExpr:
    """Sum of terms as an expression, also of none."""
    return cp_model.LinearExpr.sum(list(terms))


def product(
    model: cp_model.CpModel,
    factors: Sequence[cp_model.IntVar],
    name: str,
    constant: int,
    slope: int = 0,
    added: cp_model.IntVar | None = None,
    offset: int = 0,
) -> cp_model.IntVar:
    """constant * product(factors) + slope * added + offset, for non-negative factors."""
    kept = []
    for factor in factors:
        low, high = bounds(factor)
        if low == high:
            constant *= low
        else:
            kept.append(factor)
    kept.sort(key=lambda f: bounds(f)[1])
    result: cp_model.IntVar | None = None
    for i, factor in enumerate(kept):
        if result is None:
            result = factor
            continue
        (a, b), (c, d) = bounds(result), bounds(factor)
        larger = model.new_int_var(a * c, min(b * d, _LARGEST), f"{name}_{i}")
        model.add_multiplication_equality(larger, [result, factor])
        result = larger
    low, high = (1, 1) if result is None else bounds(result)
    more_low, more_high = (0, 0) if added is None else bounds(added)
    scaled = model.new_int_var(
        constant * low + slope * more_low + offset,
        min(constant * high + slope * more_high + offset, _LARGEST),
        name,
    )
    terms: list[cp_model.LinearExprT] = [offset]
    terms.append(constant if result is None else constant * result)
    if added is not None and slope:
        terms.append(slope * added)
    model.add(scaled == total(terms))
    return scaled


def quotient(
    model: cp_model.CpModel,
    numerator: cp_model.IntVar,
    divisor: cp_model.IntVar,
    name: str,
    enough: int,
) -> cp_model.IntVar:
    """numerator // divisor of non-negative variables, as a product and what is left; `enough` for
    all that is more, where the product would take most of 64 bits, into which the domains of all
    variables together must fit."""
    (low, high), (least, most) = bounds(numerator), bounds(divisor)
    low, high = low // most, high // max(1, least)
    fits = high * most <= _LARGEST >> 6
    if not fits:
        low, high = min(low, enough), min(high, enough)
    found = model.new_int_var(low, high, name)
    whole = product(model, [found, divisor], f"{name}_whole", 1)
    model.add(whole <= numerator)
    exact = model.add(whole + divisor >= numerator + 1)
    if not fits:
        less = model.new_bool_var(f"{name}_less")
        exact.only_enforce_if(less)
        model.add(found == enough).only_enforce_if(less.negated())
    return found
