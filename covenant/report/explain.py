"""Why a layer takes the cycles it takes, and what would help by how much.

In: a mapped layer, its cost, and what came of each what-if. Out: `Explanation`, its JSON. The parts
of the latency add up to it; busy cycles overlap and do not. A what-if is `re-solved` (the best
mapping of the changed architecture) and, where today's mapping means the same there, `modelled`
(the same mapping, cost evaluated again); its factor is of what the layer was mapped for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from covenant.acg.graph import Acg
from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.mapper.batch import Outcome, Task
from covenant.mapper.cost import Cost, evaluate
from covenant.mapper.mapping import Role
from covenant.mapper.objective import Term, value
from covenant.mapper.verify import verify
from covenant.report.results import MappedLayer, ModelMapping
from covenant.report.summary import SCHEMA_VERSION, bound_sentence, errors_json
from covenant.report.whatif import Change, Resource, changed, changes


@dataclass(frozen=True, slots=True, eq=False)
class WhatIf:
    """A change and its costs: of the best mapping, None when skipped for `reason`; of today's
    mapping, None where it means another thing. proven: the re-solved mapping is optimal."""

    change: Change
    resolved: Cost | None = None
    proven: bool = False
    modelled: Cost | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One layer with the answers to its what-ifs; none when it could not be mapped."""

    mapped: MappedLayer
    answers: tuple[WhatIf, ...] = ()

    @property
    def term(self) -> Term:
        """The first term of the objective the layer was mapped for."""
        assert self.mapped.mapping is not None
        return Term(self.mapped.mapping.proof.goals[0].term)

    def factor(self, cost: Cost) -> float:
        """How many times better than today in that term."""
        assert self.mapped.cost is not None
        spent = value(self.term, cost)
        return value(self.term, self.mapped.cost) / spent if spent else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ModelExplanation:
    """The layers asked about, on one architecture; interrupted: Ctrl-C left questions open."""

    mapping: ModelMapping
    layers: tuple[Explanation, ...]
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """INTERRUPTED after Ctrl-C, else the code of the first layer that has no mapping."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        errors = (each.mapped.error for each in self.layers)
        return next((error.exit_code for error in errors if error is not None), ExitCode.OK)


Solve = Callable[[Sequence[Task]], Sequence[Outcome]]
"""Solves all tasks together; the pipeline knows with which options."""


def explain(mapping: ModelMapping, solve: Solve) -> ModelExplanation:
    """Ask every what-if of every mapped layer."""
    asked = [(mapped, _changed(mapped, mapping.acg)) for mapped in mapping.layers]
    tasks = [
        Task(mapped.lowered.codelet, after, mapped.pins)
        for mapped, questions in asked
        for _, after in questions
        if isinstance(after, Acg) and mapped.lowered is not None
    ]
    found = solve(tasks)
    stopped = any(o.error is not None and o.error.exit_code is ExitCode.INTERRUPTED for o in found)
    outcomes = iter(found)
    layers = []
    for mapped, questions in asked:
        answers = [
            _answer(mapped, change, after, next(outcomes))
            if isinstance(after, Acg)
            else WhatIf(change, reason=_reason(after))
            for change, after in questions
        ]
        layers.append(Explanation(mapped, tuple(answers)))
    return ModelExplanation(mapping, tuple(layers), stopped)


def _changed(mapped: MappedLayer, acg: Acg) -> list[tuple[Change, Acg | CovenantError]]:
    """Changes with the architecture each leads to, or why it is not legal."""
    if mapped.mapping is None:
        return []
    found: list[tuple[Change, Acg | CovenantError]] = []
    reducing = {(c.node, c.name) for c in acg.capabilities if c.statement.reduction}
    steps = mapped.mapping.steps
    first = next((s for s in steps if (s.node, s.capability) in reducing), steps[0])
    for change in changes(acg, first.node, first.capability):
        try:
            found.append((change, changed(acg, change)))
        except CovenantError as error:
            found.append((change, error))
    return found


def _answer(mapped: MappedLayer, change: Change, after: Acg, outcome: Outcome) -> WhatIf:
    assert mapped.lowered is not None
    assert mapped.mapping is not None
    codelet, today = mapped.lowered.codelet, mapped.mapping
    modelled = None
    if change.keeps_mappings and not verify(today, codelet, after):
        modelled = evaluate(today, codelet, after)
    if outcome.mapping is None:
        reason = "" if outcome.error is None else _reason(outcome.error)
        return WhatIf(change, modelled=modelled, reason=reason)
    spent = evaluate(outcome.mapping, codelet, after)
    return WhatIf(change, spent, outcome.mapping.proof.status.proven, modelled)


def _reason(error: CovenantError) -> str:
    return error.diagnostics[0].message


def parts(mapped: MappedLayer) -> dict[str, int]:
    """Where the cycles of a layer go; they add up to its latency. `waiting`: for operands, for a
    free buffer or for instructions, and start and end of the program."""
    mapping, cost = mapped.mapping, mapped.cost
    assert mapping is not None
    assert cost is not None
    moves = [(mapping.placement(move.port).role, move) for move in cost.moves]
    found = {
        "compute": cost.compute,
        "conflicts": cost.conflicts,
        "first_fill": sum(m.first for role, m in moves if role in (Role.INPUT, Role.CONSTANT)),
        "last_store": sum(move.last for role, move in moves if role is Role.OUTPUT),
    }
    return {**found, "waiting": cost.latency - sum(found.values())}


def busy(cost: Cost) -> dict[str, int]:
    """Cycles each resource works; they overlap."""
    return {"compute": cost.compute, "load": cost.load, "store": cost.store}


def summary(explanation: Explanation) -> str:
    """What bounds the layer and what each kind of change would bring, in one sentence."""
    cost = explanation.mapped.cost
    assert cost is not None
    factors = [f"{title} -> {change:.2f}x" for change, title in _best(explanation)]
    bound = bound_sentence(cost).partition(":")[0]
    of = "" if explanation.term is Term.LATENCY else f"; {explanation.term}"
    return f"bound by {bound}{of}: " + (", ".join(factors) or "no change is legal")


def _best(explanation: Explanation) -> list[tuple[float, str]]:
    """The best factor of each kind of change, with what was changed; one per on-chip memory."""
    found: dict[str, tuple[float, str]] = {}
    for answer in explanation.answers:
        if answer.resolved is None:
            continue
        change = answer.change
        kind = change.title if change.resource is Resource.SIZE else str(change.resource)
        title = change.title
        if change.resource is Resource.ARRAY:
            title = f"array x2 ({change.title})"
        factor = explanation.factor(answer.resolved)
        if kind not in found or factor > found[kind][0]:
            found[kind] = (factor, title)
    return list(found.values())


def explain_json(found: ModelExplanation) -> dict[str, Any]:
    """The document of `covenant explain --json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "arch": found.mapping.acg.name,
        "model": found.mapping.model.file,
        "layers": [_layer_json(each) for each in found.layers],
    }


def _layer_json(explanation: Explanation) -> dict[str, Any]:
    mapped = explanation.mapped
    layer: dict[str, Any] = {"name": mapped.layer.name, "op": mapped.layer.op_type}
    if mapped.error is not None:
        return layer | {"status": "failed", "errors": errors_json(mapped.error)}
    assert mapped.mapping is not None
    assert mapped.cost is not None
    cost = mapped.cost
    return layer | {
        "status": str(mapped.mapping.proof.status),
        "cycles": cost.latency,
        "bound_by": cost.bound_by,
        "utilization": round(cost.utilization, 6),
        "parts": parts(mapped),
        "busy": busy(cost),
        "objective": mapped.mapping.proof.terms,
        "what_if": [_answer_json(explanation, answer) for answer in explanation.answers],
        "summary": summary(explanation),
    }


def _answer_json(explanation: Explanation, answer: WhatIf) -> dict[str, Any]:
    resolved, modelled = answer.resolved, answer.modelled
    return {
        "change": answer.change.title,
        "resource": str(answer.change.resource),
        "set": dict(answer.change.overrides),
        "re_solved": None
        if resolved is None
        else _cost_json(explanation, resolved) | {"proven": answer.proven},
        "modelled": None if modelled is None else _cost_json(explanation, modelled),
        "skipped": answer.reason,
    }


def _cost_json(explanation: Explanation, cost: Cost) -> dict[str, Any]:
    """Cycles and how many times fewer; the value of the objective's first term and the same."""
    assert explanation.mapped.cost is not None
    return {
        "cycles": cost.latency,
        "speedup": round(explanation.mapped.cost.latency / max(1, cost.latency), 4),
        "value": value(explanation.term, cost),
        "factor": round(explanation.factor(cost), 4),
    }
