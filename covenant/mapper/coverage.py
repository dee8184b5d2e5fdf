"""What an architecture can run and what it cannot, in terms of its capabilities.

In: an architecture and small codelets of every kind of layer. Out: `Coverage`: per kind whether it
binds and its operands have ways, and for one that does not the step that nothing computes with a
capability that would. Nothing here knows an operator: statements are matched with statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from covenant.acg.graph import Acg, Capability
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Ref, Statement
from covenant.mapper.candidates import Binding, Candidates, match
from covenant.mapper.generalise import generalised
from covenant.mapper.infeasible import no_path
from covenant.mapper.joints import capability_at
from covenant.mapper.rewrite import rewritten
from covenant.mapper.space import routed_spaces

Kinds = Mapping[str, Sequence[tuple[str, Codelet]]]
"""Kind of layer -> codelets of it and what their numbers are, the most demanding first."""

_FUNCTIONS = {"requantise": "requantises int32", "table": "looks up a table", "mul": "multiplies"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of layer on an architecture: `numbers` is the most demanding variant that runs, ""
    when none does; `limited` whether more demanding ones do not; `why` the most demanding one does
    not run and `repair` what would help."""

    name: str
    numbers: str
    limited: bool
    why: str
    repair: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Kinds in the order of the library, and capabilities that none of them uses."""

    kinds: tuple[Kind, ...]
    idle: tuple[str, ...]


def coverage(acg: Acg, kinds: Kinds) -> Coverage:
    """What of every kind runs; a capability is idle when no variant of any kind can use it."""
    used: set[str] = set()
    found: list[Kind] = []
    for name, variants in kinds.items():
        lacks: list[tuple[str, str]] = []
        runs: list[str] = []
        for numbers, codelet in variants:
            candidates = match(codelet, acg)
            used |= {f"{s.node}.{s.capability}" for b in candidates.bindings for s in b.steps}
            lack = None if runs else _lack(codelet, acg, candidates)
            lacks += [lack] if lack else []
            runs += [] if lack else [numbers]
        why, repair = lacks[0] if lacks else ("", "")
        found.append(Kind(name, next(iter(runs), ""), bool(lacks), why, repair))
    names = [f"{c.node}.{c.name}" for c in acg.capabilities]
    return Coverage(tuple(found), tuple(name for name in names if name not in used))


def _lack(codelet: Codelet, acg: Acg, candidates: Candidates) -> tuple[str, str] | None:
    """Why a codelet does not run and what would help; None when it does."""
    if candidates.bindings:
        return _unreached(codelet, acg, candidates.bindings)
    if not candidates.refusals:
        repair = "add `fill` to the `abilities` of the transfer that loads it"
        return "no transfer writes the padding around a tile", repair
    relaxed = match(codelet, _any_type(acg)).bindings
    if relaxed:
        return _wrong_types(codelet, acg, relaxed[0])
    at = max(refusal.step for refusal in candidates.refusals)
    before = _nodes_before(codelet, acg, at)
    behind = f" behind {' or '.join(map(repr, before))}" if before else ""
    place = f", on a node with `after: {before[0]}`" if before else ""
    pattern = generalised(codelet, codelet.steps[at])
    verb = _missing(acg, codelet.steps[at])
    if verb:
        repair = f"add a capability such as `{pattern}`{place}"
        return f"no node{behind} {verb}", repair
    nearest = _nearest(acg, candidates, codelet, at)
    why = f"no node{behind} computes `{pattern}`"
    if nearest is not None:
        why += f", the nearest is {nearest.node}.{nearest.name}: `{nearest.statement}`"
    return why, f"add a capability with these semantics{place}"


def unsupported(codelet: Codelet, acg: Acg) -> CovenantError:
    """The error of a layer that no capabilities compute: the step that is missing and what to add,
    at the capability that comes closest to it."""
    candidates = match(codelet, acg)
    why, repair = _lack(codelet, acg, candidates) or ("no node computes it", "")
    at = max((refusal.step for refusal in candidates.refusals), default=0)
    nearest = _nearest(acg, candidates, codelet, at)
    span = Span(acg.file)
    if nearest is not None and nearest.name in why:
        span, own = nearest.span, (at, nearest.node, nearest.name)
        refused = [r.why for r in candidates.refusals if (r.step, r.node, r.capability) == own]
        why = "; ".join((why, *dict.fromkeys(refused[:1])))
    return fail("MAP001", f"layer '{codelet.name}': {why}", span, repair, ExitCode.UNSUPPORTED)


def _wrong_types(codelet: Codelet, acg: Acg, binding: Binding) -> tuple[str, str]:
    """Ports that would compute a codelet if they took its element types."""
    whys: list[str] = []
    repairs: list[str] = []
    form = rewritten(codelet, binding.rewriting)
    for step in binding.steps:
        capability = capability_at(acg, step)
        ports = {port.name: port for port in capability.ports}
        for name, tensor in step.tensors:
            dtype = form.tensor(tensor).dtype
            if name in ports and dtype not in ports[name].dtypes:
                taken, at = "/".join(ports[name].dtypes), f"{step.node}.{step.capability}"
                whys.append(f"port {name} of {at} takes {taken}, '{tensor}' is {dtype}")
                repairs.append(f"add {dtype} to the `dtypes` of {name} in {at}")
    return "; ".join(whys), "; ".join(repairs)


def _nearest(acg: Acg, candidates: Candidates, codelet: Codelet, step: int) -> Capability | None:
    """The capability among those refused that has most in common with a step."""
    statement = codelet.steps[step]
    tried = {(r.node, r.capability) for r in candidates.refusals if r.step == step}
    found: list[tuple[int, Capability]] = []
    for capability in acg.capabilities:
        own = capability.statement
        if (capability.node, capability.name) in tried and own.reduction == statement.reduction:
            shared = set(_functions(own.value)) & set(_functions(statement.value))
            found.append((len(shared), capability))
    best = max(found, key=lambda each: each[0], default=None)
    return best[1] if best is not None and best[0] else None


def _any_type(acg: Acg) -> Acg:
    """The same machine with ports that take elements of every type."""
    computes = []
    for node in acg.computes:
        capabilities = tuple(
            replace(c, ports=tuple(replace(p, dtypes=tuple(DType)) for p in c.ports))
            for c in node.capabilities
        )
        computes.append(replace(node, capabilities=capabilities))
    return replace(acg, computes=tuple(computes))


def _unreached(codelet: Codelet, acg: Acg, bindings: Sequence[Binding]) -> tuple[str, str] | None:
    """An operand without a way on or off the chip on every binding."""
    lack: tuple[str, str] | None = None
    for space in (s for binding in bindings for s in routed_spaces(codelet, acg, binding)):
        error = no_path(codelet, acg, space)
        if error is None:
            return None
        first = error.diagnostics[0]
        lack = lack or (first.message.partition(": ")[2], first.help)
    return lack


def _nodes_before(codelet: Codelet, acg: Acg, step: int) -> tuple[str, ...]:
    """Nodes that can compute the steps before one."""
    if step == 0:
        return ()
    found: tuple[Binding, ...] = match(replace(codelet, steps=codelet.steps[:step]), acg).bindings
    return tuple(dict.fromkeys(binding.steps[-1].node for binding in found))


def _missing(acg: Acg, statement: Statement) -> str:
    """What of a statement no capability does, "" when each of its parts is there."""
    present = {f for c in acg.capabilities for f in _functions(c.statement.value)}
    reductions = {c.statement.reduction for c in acg.capabilities}
    if statement.reduction and statement.reduction not in reductions:
        return f"reduces with `{statement.reduction}=`"
    missing = [f for f in _functions(statement.value) if f in _FUNCTIONS and f not in present]
    return _FUNCTIONS[missing[0]] if missing else ""


def _functions(expression: Expression) -> Iterator[str]:
    match expression:
        case Call(function, arguments):
            yield function
            for argument in arguments:
                yield from _functions(argument)
        case Ref() | _:
            return
