"""Do the bound statements coincide? Both are evaluated on pseudo-random small integers.

In: a mapping's bindings. Out: findings as sentences. Part of `verify`; knows nothing of
unification.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator

from covenant.acg.graph import Acg, Capability
from covenant.codelets.ir import Codelet, Role, Tensor
from covenant.core.expression import Call, Expression, Number, Ref, Statement
from covenant.mapper.mapping import Mapping, StepBinding

_Value = int | float
_Read = Callable[[Ref], _Value]


def capability_of(acg: Acg, step: StepBinding) -> Capability | None:
    """The capability a step names, None when the architecture lacks it."""
    for capability in acg.capabilities:
        if (capability.node, capability.name) == (step.node, step.capability):
            return capability
    return None


def chained_extent(acg: Acg, mapping: Mapping, index: int, dim: str) -> int:
    """Positions of a capability dim that one output tile holds: those of the first step's dim that
    is bound to the same codelet dim, or stands at the same place of the result when unbound."""
    capabilities = [capability_of(acg, s) for s in mapping.steps[: index + 1]]
    while index and acg.compute(mapping.steps[index].node).after:
        own, before = capabilities[index], capabilities[index - 1]
        assert own is not None
        assert before is not None
        ports = {p.name for p in own.ports}
        chain = next(r for r in own.statement.refs if r.indices and r.name not in ports)
        place = next(i for i, a in enumerate(chain.indices) if dim in a.dims)
        dim = before.statement.target.indices[place].dims[0]
        index -= 1
    first = capabilities[index]
    assert first is not None
    return first.extents.get(dim, 1)


def binding_faults(mapping: Mapping, codelet: Codelet, acg: Acg) -> Iterator[str]:
    """Unknown names, broken chains, wrong types, statements that do not coincide."""
    if mapping.codelet != codelet.name:
        yield f"the mapping is of '{mapping.codelet}', the codelet is '{codelet.name}'"
    if len(mapping.steps) != len(codelet.steps):
        yield f"{len(mapping.steps)} bindings for {len(codelet.steps)} steps"
        return
    names = {d.name for d in codelet.dims}
    tensors = {t.name for t in codelet.tensors}
    for index, step in enumerate(mapping.steps):
        capability = capability_of(acg, step)
        if capability is None:
            yield f"step {index + 1}: no capability {step.node}.{step.capability}"
            return
        dims = [d for _, d in step.dims]
        unknown = [d for d in dims if d not in names]
        unknown += [t for _, t in step.tensors if t not in tensors]
        named = {*(q.name for q in capability.ports), *capability.scalars}
        unknown += [p for p, _ in step.tensors if p not in named]
        unknown += [c for c, _ in step.dims if c not in _dims(capability.statement)]
        if unknown or len(set(dims)) < len(dims):
            yield f"step {index + 1}: unknown or repeated names {', '.join(unknown) or dims}"
            return
        yield from _step_faults(mapping, codelet, acg, index, capability)


def _dims(statement: Statement) -> set[str]:
    return {d for r in (statement.target, *statement.refs) for i in r.indices for d in i.dims}


def _step_faults(
    mapping: Mapping, codelet: Codelet, acg: Acg, index: int, capability: Capability
) -> Iterator[str]:
    step, statement = mapping.steps[index], codelet.steps[index]
    after = acg.compute(step.node).after
    before = mapping.steps[index - 1].node if index else ""
    if after not in ("", before) and not (index and step.node == before):
        yield f"step {index + 1}: node '{step.node}' does not take the result of '{before}'"
    for port, name in step.tensors:
        if port in capability.scalars:
            if not codelet.tensor(name).uniform:
                yield f"step {index + 1}: '{name}' is not uniform, '{port}' is a scalar"
            continue
        dtype = codelet.tensor(name).dtype
        if dtype not in capability.port(port).dtypes:
            yield f"step {index + 1}: port '{port}' does not take '{name}' of {dtype}"
    if capability.statement.reduction != statement.reduction:
        yield f"step {index + 1}: reduces with '{statement.reduction}=', not as the capability"
        return
    named = dict(step.tensors)
    target = capability.statement.target.name
    if named.get(target, statement.target.name) != statement.target.name:
        yield f"step {index + 1}: writes '{statement.target.name}', bound to '{named[target]}'"
        return
    if index and after:
        yield from _chain_faults(mapping, acg, index, capability)
    elif index:
        yield from _meeting_faults(mapping, codelet, acg, index, capability)
    for trial in range(3):
        fault = _coincide(codelet, index, capability, step, trial)
        if fault:
            yield f"step {index + 1}: {fault}"
            return


def _chain_faults(mapping: Mapping, acg: Acg, index: int, capability: Capability) -> Iterator[str]:
    """The positions of a result keep their dims on the way to the next node."""
    before = capability_of(acg, mapping.steps[index - 1])
    ports = {p.name for p in capability.ports}
    chain = next((r for r in capability.statement.refs if r.indices and r.name not in ports), None)
    if before is None or chain is None:
        yield f"step {index + 1}: takes no result of the step before"
        return
    own, theirs = dict(mapping.steps[index].dims), dict(mapping.steps[index - 1].dims)
    for here, there in zip(chain.indices, before.statement.target.indices, strict=True):
        left, right = own.get(here.dims[0]), theirs.get(there.dims[0])
        if left != right:
            yield f"step {index + 1}: receives '{right}' as '{left}'"


def _meeting_faults(
    mapping: Mapping, codelet: Codelet, acg: Acg, index: int, capability: Capability
) -> Iterator[str]:
    """A local tensor of several steps lies in memories, with the same dims in a beat."""
    for port, name in mapping.steps[index].tensors:
        if port in capability.scalars or codelet.tensor(name).role is not Role.LOCAL:
            continue
        here = _beat(mapping.steps[index], capability, port)
        for step in mapping.steps[:index]:
            other = capability_of(acg, step)
            assert other is not None
            for own in (p for p, t in step.tensors if t == name):
                if other.port(own).tile and _beat(step, other, own) != here:
                    yield f"step {index + 1}: '{name}' has other dims in a beat than before"
                if not (other.port(own).stream or other.port(own).spill):
                    yield f"step {index + 1}: '{name}' does not leave node '{step.node}'"


def _beat(step: StepBinding, capability: Capability, port: str) -> tuple[str, ...]:
    bound = dict(step.dims)
    return tuple(bound.get(d, "") for d in capability.port(port).tile)


def _coincide(
    codelet: Codelet, index: int, capability: Capability, step: StepBinding, trial: int
) -> str:
    """Compare both statements at a tile of at most 3 positions per bound dim, elsewhere fixed."""
    statement = codelet.steps[index]
    bound = dict(step.dims)
    origin = {
        d.name: _noise(("origin", trial, d.name)) % max(1, d.extent - 2) for d in codelet.dims
    }
    sizes = {
        c: min(3, capability.extents.get(c, 3), codelet.dim(d).extent) for c, d in bound.items()
    }
    kept = {d for i in capability.statement.target.indices for d in i.dims}
    own_kept = {d for i in statement.target.indices for d in i.dims}
    for d in own_kept & set(bound.values()):
        if next(c for c, b in bound.items() if b == d) not in kept:
            return f"'{d}' is bound to a dim the capability sums over"
    result = [c for c in bound if c in kept]
    summed = [c for c in bound if c not in kept]
    for place in itertools.product(*(range(sizes[c]) for c in result)):
        at = dict(zip(result, place, strict=True))
        theirs: _Value = 0
        ours: _Value = 0
        for term in itertools.product(*(range(sizes[c]) for c in summed)):
            here = {**at, **dict(zip(summed, term, strict=True))}
            point = dict(origin)
            point.update({bound[c]: origin[bound[c]] + i for c, i in here.items()})
            try:
                theirs += evaluate_expression(
                    capability.statement.value,
                    _port_reader(codelet, index, capability, step, origin, here, trial),
                )
                ours += evaluate_expression(statement.value, _tensor_reader(codelet, point, trial))
            except LookupError as missing:
                return str(missing.args[0])
        if theirs != ours:
            return f"`{capability.statement}` is not `{statement}` under " + ", ".join(
                f"{c}={d}" for c, d in step.dims
            )
    return ""


def _noise(key: tuple[str | int, ...]) -> int:
    return zlib.crc32(repr(key).encode()) & 0x7FFFFFFF


def element(tensor: Tensor, index: tuple[int, ...], trial: int) -> _Value:
    """A reproducible value of an element, the padding value outside the shape; one for all of a
    tensor without an index (a table)."""
    if not index and tensor.shape:
        return _noise((tensor.name, trial)) % 100
    if any(not 0 <= i < n for i, n in zip(index, tensor.shape, strict=True)):
        if tensor.pad is None:
            raise LookupError(f"'{tensor.name}' is read at {index}, outside {tensor.shape}")
        return tensor.pad
    noise = _noise((tensor.name, trial, *(() if tensor.uniform else index)))
    if tensor.dtype.numpy.kind == "f":
        return 0.25 + noise % 1000 / 500
    return noise % 201 - (100 if tensor.dtype.signed else 0)


def _tensor_reader(codelet: Codelet, point: dict[str, int], trial: int) -> _Read:
    def read(ref: Ref) -> _Value:
        tensor = codelet.tensor(ref.name)
        return element(tensor, tuple(i.evaluate(point) for i in ref.indices), trial)

    return read


def _port_reader(
    codelet: Codelet,
    index: int,
    capability: Capability,
    step: StepBinding,
    origin: dict[str, int],
    here: dict[str, int],
    trial: int,
) -> _Read:
    """What the hardware sees: a port moves only along the capability dims in its subscript."""
    statement = codelet.steps[index]
    bound, tensors, scalars = dict(step.dims), dict(step.tensors), dict(step.scalars)
    refs = {r.name: r for r in (statement.target, *statement.refs)}
    chain = codelet.steps[index - 1].target.name if index else ""

    def read(ref: Ref) -> _Value:
        port = next((p for p in capability.ports if p.name == ref.name), None)
        name = tensors.get(ref.name, "" if port or not ref.indices else chain)
        if not name:
            return _default(capability, ref.name, scalars, codelet, statement)
        if name not in refs:
            raise LookupError(
                f"port '{ref.name}' is bound to '{name}', which the step does not use"
            )
        moved = {bound[d] for i in ref.indices for d in i.dims if d in bound}
        point = dict(origin)
        point.update({bound[c]: origin[bound[c]] + i for c, i in here.items() if bound[c] in moved})
        tensor = codelet.tensor(name)
        return element(tensor, tuple(i.evaluate(point) for i in refs[name].indices), trial)

    return read


def _default(
    capability: Capability,
    name: str,
    scalars: dict[str, int],
    codelet: Codelet,
    statement: Statement,
) -> _Value:
    """A register's number, or what makes an unbound parameter do nothing."""
    if name in scalars:
        return scalars[name]
    port = next((p for p in capability.ports if p.name == name), None)
    if port is not None and port.tile:
        raise LookupError(f"port '{name}' has no tensor")
    if port is not None and all(d.numpy.kind == "f" for d in port.dtypes):
        return 1.0
    if port is None:
        raise LookupError(f"'{name}' has no value")
    return 0


def evaluate_expression(expression: Expression, read: _Read) -> _Value:
    """The value of an expression whose references `read` knows."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Ref):
        return read(expression)
    values = [evaluate_expression(a, read) for a in expression.arguments]
    return _apply(expression, values)


def _apply(call: Call, values: list[_Value]) -> _Value:
    match call.function:
        case "add":
            return values[0] + values[1]
        case "sub":
            return values[0] - values[1]
        case "mul":
            return values[0] * values[1]
        case "max":
            return max(values)
        case "min":
            return min(values)
        case "clip":
            return min(max(values[0], values[1]), values[2])
        case "requantise":
            return round(values[0] * values[1]) + values[2]
        case _:
            return _noise((call.function, *map(str, values)))
