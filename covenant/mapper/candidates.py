"""Bindings: which capabilities can compute the steps of a codelet, found by unification.

In: a codelet and an architecture. Out: every legal `Binding`, or the reasons why there is none.
A capability statement is a pattern: its tensors are matched with the codelet's, its dims with the
codelet's loops that occur in the same tensors. Nothing here knows an operator or an architecture.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from covenant.acg.graph import Acg, Capability, Port
from covenant.acg.notation import parse_condition
from covenant.codelets.ir import Codelet
from covenant.core.affine import Affine
from covenant.core.expression import Ref, Statement, show
from covenant.mapper.joints import fills, met_dims, parted
from covenant.mapper.lanes import apart, is_strided, unmaskable
from covenant.mapper.mapping import StepBinding
from covenant.mapper.rewrite import AS_WRITTEN, variants
from covenant.mapper.unify import Match, Unifier, is_field, simplify

ROUNDING = "ort_f32"
"""The rounding of `requantise` in codelets; a capability with another one computes other
numbers."""


@dataclass(frozen=True, slots=True)
class Binding:
    """All steps of a codelet on capabilities; `steps[i]` binds step i of the form of the codelet
    that `rewriting` names (`mapper.rewrite`)."""

    steps: tuple[StepBinding, ...]
    rewriting: str = AS_WRITTEN

    def dim(self, capability_dim: str) -> str:
        """Codelet dim bound to a dim of the first step's capability, "" when unbound."""
        return dict(self.steps[0].dims).get(capability_dim, "")

    def __str__(self) -> str:
        parts = []
        for step in self.steps:
            dims = " ".join(f"{c}={d}" for c, d in step.dims)
            dims += f" rows={step.rows}" if step.rows else ""
            dims += f" tail={step.tail}" if step.tail else ""
            parts.append(f"{step.node}.{step.capability}({dims})")
        return " -> ".join(parts)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a codelet step does not bind to a capability."""

    step: int
    node: str
    capability: str
    why: str

    def __str__(self) -> str:
        return f"step {self.step + 1} on {self.node}.{self.capability}: {self.why}"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Legal bindings in a fixed order, and why other capabilities were refused."""

    bindings: tuple[Binding, ...]
    refusals: tuple[Refusal, ...]


def match(codelet: Codelet, acg: Acg) -> Candidates:
    """All bindings of the first form of a codelet that has any; none with at least one refusal, of
    the codelet as it is written, when nothing fits."""
    refusals: tuple[Refusal, ...] = ()
    for form in variants(codelet):
        found, why = _match(form.codelet, acg)
        refusals = refusals or why
        bindings = tuple(Binding(steps, form.name) for steps in found)
        pad = (form.codelet.tensor(form.filled).pad or 0) if form.filled else 0
        bindings = tuple(b for b in bindings if fills(acg, b.steps, form.filled, pad))
        if bindings:
            return Candidates(bindings, why)
    return Candidates((), refusals)


def _match(
    codelet: Codelet, acg: Acg
) -> tuple[tuple[tuple[StepBinding, ...], ...], tuple[Refusal, ...]]:
    refusals: list[Refusal] = []
    partial: list[tuple[StepBinding, ...]] = [()]
    for index in range(len(codelet.steps)):
        found: list[tuple[StepBinding, ...]] = []
        for prefix in partial:
            for capability in acg.capabilities:
                if not _reachable(acg, capability, prefix):
                    continue
                matches, whys = _bind(codelet, acg, index, capability, prefix)
                for step in matches:
                    why = parted(codelet, acg, (*prefix, step))
                    found += [] if why else [(*prefix, step)]
                    whys += [why] if why else []
                refusals += [Refusal(index, capability.node, capability.name, why) for why in whys]
        partial = found
    return tuple(_busiest(codelet, partial)), tuple(dict.fromkeys(refusals))


def _reachable(acg: Acg, capability: Capability, prefix: tuple[StepBinding, ...]) -> bool:
    """A node that follows another takes its result at once; any other starts by itself."""
    after = acg.compute(capability.node).after
    if not prefix:
        return not after
    return not after or prefix[-1].node in (after, capability.node)


def _bind(
    codelet: Codelet,
    acg: Acg,
    index: int,
    capability: Capability,
    prefix: tuple[StepBinding, ...],
) -> tuple[list[StepBinding], list[str]]:
    statement = codelet.steps[index]
    pattern = capability.statement
    if capability.rounding not in ("", ROUNDING):
        return [], [f"it rounds as '{capability.rounding}', the codelet as '{ROUNDING}'"]
    if pattern.reduction != statement.reduction:
        return [], [
            f"it reduces with '{pattern.reduction}=', the step with '{statement.reduction}='"
        ]
    chained = bool(prefix) and acg.compute(capability.node).after != ""
    if chained and capability.node != prefix[-1].node and not _continues(acg, capability, prefix):
        return [], ["it does not take what the step before makes"]
    whys: list[str] = []
    found: list[StepBinding] = []
    unifier = Unifier(codelet, capability, codelet.steps[index - 1].target if prefix else None)
    start = Match({pattern.target.name: statement.target})
    for result in unifier.unify(pattern.value, simplify(statement.value), start):
        steps, why = _dims(codelet, acg, capability, statement, result, prefix)
        found += steps
        whys += why
    if not found and not whys:
        whys = [unifier.deepest or f"{show(statement.value)} is not {show(pattern.value)}"]
    return _distinct(acg, capability, found), ([] if found else whys)


def _continues(acg: Acg, capability: Capability, prefix: tuple[StepBinding, ...]) -> bool:
    """Whether a chained capability reads the tensor that the one before writes."""
    before = acg.compute(prefix[-1].node).capabilities
    written = next(c.statement.target.name for c in before if c.name == prefix[-1].capability)
    return any(r.name == written for r in capability.statement.refs)


def _distinct(acg: Acg, capability: Capability, steps: list[StepBinding]) -> list[StepBinding]:
    """One of those that only exchange the tensors of equal ports: they cost the same."""

    def kind(port: Port) -> tuple[object, ...]:
        if not port.stream:
            return (port.name,)
        stream = acg.transfer(port.stream)
        return (port.tile, port.dtypes, stream.loops, stream.fifo_depth, stream.abilities)

    kept: dict[object, StepBinding] = {}
    ports = {port.name: port for port in capability.ports}
    for step in steps:
        tensors = frozenset((kind(ports[p]), name) for p, name in step.tensors if p in ports)
        kept.setdefault((step.dims, tensors), step)
    return list(kept.values())


def _busiest(
    codelet: Codelet, bindings: list[tuple[StepBinding, ...]]
) -> list[tuple[StepBinding, ...]]:
    """Of every capability of the first step only the bindings with the fewest dims of one
    iteration: the others do less work per step."""

    def idle(steps: tuple[StepBinding, ...]) -> int:
        return sum(codelet.dim(d).extent == 1 for _, d in steps[0].dims)

    least: dict[tuple[str, str], int] = {}
    for steps in bindings:
        key = steps[0].node, steps[0].capability
        least[key] = min(least.get(key, idle(steps)), idle(steps))
    return [
        steps
        for steps in dict.fromkeys(bindings)
        if idle(steps) == least[steps[0].node, steps[0].capability]
    ]


def _dims(
    codelet: Codelet,
    acg: Acg,
    capability: Capability,
    statement: Statement,
    result: Match,
    prefix: tuple[StepBinding, ...],
) -> tuple[list[StepBinding], list[str]]:
    """Bind the capability's dims for one unification; every choice that keeps the rules."""
    pattern = capability.statement
    pattern_refs = {r.name: r for r in (pattern.target, *pattern.refs)}
    target_port = next((p for p in capability.ports if p.name == pattern.target.name), None)
    dtype = codelet.tensor(statement.target.name).dtype
    if target_port is not None and dtype not in target_port.dtypes:
        allowed = ", ".join(target_port.dtypes)
        return [], [f"it writes {allowed}; '{statement.target.name}' is {dtype}"]
    data = [n for n, r in pattern_refs.items() if n in result.refs and not is_field(capability, n)]
    signature = {
        d: frozenset(n for n in data if d in _names(pattern_refs[n]))
        for d in dict.fromkeys(d for n in data for d in _names(pattern_refs[n]))
    }
    if result.chained:
        choices = _chained_dims(acg, result, pattern_refs, prefix)
    else:
        met = met_dims(codelet, acg, prefix, capability, result.refs)
        choices = _free_dims(codelet, capability, result, signature, met)
    found: list[StepBinding] = []
    whys: list[str] = []
    for choice in choices:
        why = _illegal(codelet, acg, capability, result, pattern_refs, signature, choice)
        if why:
            whys.append(why)
            continue
        tensors = tuple(
            (p, r.name)
            for p, r in result.refs.items()
            if p in capability.scalars or any(q.name == p for q in capability.ports)
        )
        found.append(
            StepBinding(
                capability.node,
                capability.name,
                tuple(choice.items()),
                tensors,
                tuple(result.numbers.items()),
            )
        )
    return found, whys


def _names(ref: Ref) -> tuple[str, ...]:
    return tuple(dict.fromkeys(d for i in ref.indices for d in i.dims))


def _free_dims(
    codelet: Codelet,
    capability: Capability,
    result: Match,
    signature: Mapping[str, frozenset[str]],
    met: Mapping[str, str],
) -> list[dict[str, str]]:
    """Every assignment of codelet dims to capability dims that occur in the same tensors."""
    packed = {p.tile[-1] for p in capability.ports if p.tile}
    options: list[list[str]] = []
    for own, ports in signature.items():
        if own in met:
            options.append([met[own]])
            continue
        same = [
            dim.name
            for dim in codelet.dims
            if frozenset(
                n for n in result.refs if n in _data(signature) and _occurs(result, n, dim.name)
            )
            == ports
        ]
        longer = [name for name in same if codelet.dim(name).extent > 1]
        single = [name for name in same if codelet.dim(name).extent == 1]
        alike = [d for d, others in signature.items() if others == ports and d != own]
        if alike:
            channel = _channel(capability, result, same)
            if own in packed and channel:
                options.append([channel])
                continue
            longer = [name for name in longer if name != channel]
            single = [name for name in single if name != channel]
        options.append([*longer, *(single[:1] if longer else single)] or [""])
    found = []
    for choice in itertools.product(*options):
        named = [c for c in choice if c]
        if len(set(named)) == len(named):
            found.append({d: c for d, c in zip(signature, choice, strict=True) if c})
    return found


def _channel(capability: Capability, result: Match, dims: list[str]) -> str:
    """Among dims that occur in the same tensors the one to be packed, "" when none can be: the one
    that layers with weights pack in tensors of that rank, so that neighbours share their layout
    (the second axis of tensors with a batch, the last one of matrices)."""
    ports = [p for p in capability.ports if p.tile and p.name in result.refs]
    axes = result.refs[ports[0].name].indices
    plain = [
        i.dims[0]
        for i in axes
        if i.is_plain
        and i.dims[0] in dims
        and all(Affine.of(i.dims[0]) in result.refs[p.name].indices for p in ports)
    ]
    if len(axes) > 2 and axes[1].is_plain and axes[1].dims[0] in plain:
        return axes[1].dims[0]
    return plain[-1] if plain else ""


def _data(signature: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*signature.values()) if signature else frozenset()


def _occurs(result: Match, port: str, dim: str) -> bool:
    return dim in _names(result.refs[port])


def _chained_dims(
    acg: Acg, result: Match, pattern_refs: Mapping[str, Ref], prefix: tuple[StepBinding, ...]
) -> list[dict[str, str]]:
    """Dims of a chained step: position by position those of the result it receives."""
    before = prefix[-1]
    capability = next(
        c for c in acg.compute(before.node).capabilities if c.name == before.capability
    )
    bound = dict(before.dims)
    own = pattern_refs[result.chained].indices
    theirs = capability.statement.target.indices
    pairs = zip(own, theirs, strict=False)
    return [{o.dims[0]: bound[t.dims[0]] for o, t in pairs if t.dims[0] in bound}]


def _illegal(
    codelet: Codelet,
    acg: Acg,
    capability: Capability,
    result: Match,
    pattern_refs: Mapping[str, Ref],
    signature: Mapping[str, frozenset[str]],
    choice: Mapping[str, str],
) -> str:
    """Why a choice of dims cannot run, "" when it can."""
    target = result.refs[capability.statement.target.name]
    for text in capability.requires:
        condition = parse_condition(text)
        given = result.numbers.get(condition.name, 0)
        if condition.name in choice:
            given = codelet.dim(choice[condition.name]).extent
        if not condition.holds(given):
            return f"{condition.name} is {given}, it requires {text}"
    for port in capability.ports:
        ref = result.refs.get(port.name)
        if ref is None:
            continue
        if any(c < 0 for i in ref.indices for _, c in i.terms):
            return f"'{ref.name}' is read backwards"
        if port.tile:
            why = _unpackable(acg, capability, port, ref, choice)
            why = why or apart(acg, capability, port, ref, choice)
            why = why or unmaskable(acg, capability, port, choice, codelet.extents)
        else:
            own = {choice.get(d, "") for d in _names(pattern_refs[port.name])}
            why = _unrecordable(port, ref, own, set(choice.values()), set(_names(target)))
        if why:
            return why
    for dim, ports in signature.items():
        bound = choice.get(dim, "")
        for name in _data(signature):
            if bound and _occurs(result, name, bound) != (name in ports):
                return f"dim '{bound}' occurs in other tensors than its dim '{dim}'"
    return ""


def _unpackable(
    acg: Acg, capability: Capability, port: Port, ref: Ref, choice: Mapping[str, str]
) -> str:
    """Packed dims must be the plain subscript of their own axis: neighbours in memory."""
    packed = port.tile if not is_strided(acg, capability.node, port.name) else port.tile[-1:]
    for dim in packed:
        bound = choice.get(dim, "")
        if not bound:
            if dim == port.tile[-1]:
                return f"'{ref.name}' has no dim for the packed dim '{dim}' of port {port.name}"
            continue
        if [i for i in ref.indices if bound in i.dims] != [Affine.of(bound)]:
            return (
                f"dim '{bound}' is not a plain subscript of '{ref.name}', "
                f"port {port.name} packs dim '{dim}'"
            )
    return ""


def _unrecordable(port: Port, ref: Ref, own: set[str], bound: set[str], target: set[str]) -> str:
    """Values of a record may vary over their own dim and over temporal dims of the result."""
    for index in ref.indices:
        for dim in index.dims:
            if not index.is_plain or dim not in target or (dim in bound and dim not in own):
                return f"'{ref.name}' varies over '{dim}', port {port.name} cannot"
    return ""
