"""Is the form of a codelet that a mapping binds equal to the codelet as it is written?

In: a mapping and its codelet. Out: the form, and findings as sentences. Part of `verify`: both are
computed on pseudo-random small integers, at two results, over a part of the reduction.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping as Map

from covenant.codelets.ir import Codelet, Role
from covenant.core.expression import Ref
from covenant.mapper.mapping import Mapping
from covenant.mapper.rewrite import Variant, variant
from covenant.mapper.verify_binding import element, evaluate_expression

_Value = int | float


def reducing_step(codelet: Codelet) -> int:
    """Index of the step that reduces, 0 when none does."""
    return next((i for i, s in enumerate(codelet.steps) if s.reduction), 0)


def form_of(mapping: Mapping, codelet: Codelet) -> tuple[Codelet, list[str]]:
    """The codelet whose steps the mapping binds, and what is wrong with it."""
    if not mapping.rewriting:
        return codelet, []
    try:
        form = variant(codelet, mapping.rewriting)
    except KeyError:
        return codelet, [f"the codelet has no form '{mapping.rewriting}'"]
    for trial in range(2):
        last = {d.name: (d.extent - 1) * trial for d in codelet.dims}
        if _result(codelet, last, trial, None) != _result(form.codelet, last, trial, form):
            return codelet, [f"the form '{mapping.rewriting}' computes other results"]
    return form.codelet, []


def _result(codelet: Codelet, at: Map[str, int], trial: int, form: Variant | None) -> _Value:
    """What the last step stores at a point, with reductions over at most 2 positions per dim."""
    known: dict[str, _Value] = {}
    value: _Value = 0
    for step in codelet.steps:
        kept = {d for i in step.target.indices for d in i.dims}
        summed = [d for d in codelet.dims if d.name not in kept] if step.reduction else []
        value = known.get(step.target.name, 0) if step.reduction else 0
        for place in itertools.product(*(range(min(2, d.extent)) for d in summed)):
            point = {**at, **{d.name: i for d, i in zip(summed, place, strict=True)}}

            def read(ref: Ref, point: Map[str, int] = point) -> _Value:
                return _read(codelet, ref, point, trial, known, form)

            value += evaluate_expression(step.value, read)
        known[step.target.name] = value
    return value


def _read(
    codelet: Codelet,
    ref: Ref,
    point: Map[str, int],
    trial: int,
    known: Map[str, _Value],
    form: Variant | None,
) -> _Value:
    tensor = codelet.tensor(ref.name)
    if tensor.role is Role.LOCAL:
        return known[ref.name]
    derived = form.derived if form is not None else None
    if derived is not None and ref.name == derived.name:
        return _result(derived, point, trial, None)
    return element(tensor, tuple(i.evaluate(point) for i in ref.indices), trial)
