"""Checks of capabilities: the statement against ports, scalars, extents and preconditions.

In: a graph whose references resolve. Out: findings ACG030 to ACG040.
"""

from __future__ import annotations

from covenant.acg.graph import Acg, Capability, Compute, Port
from covenant.acg.notation import parse_condition
from covenant.acg.places import Path
from covenant.acg.verify.findings import Findings
from covenant.core.diagnostics import did_you_mean
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Ref

_LARGEST_PRODUCT = 2.0**31


def check_capabilities(acg: Acg, findings: Findings) -> None:
    """Every capability of every node."""
    for compute in acg.computes:
        for capability in compute.capabilities:
            _check_operands(acg, compute, capability, findings)
            _check_scalars(capability, findings)
            _check_extents(acg, compute, capability, findings)
            _check_attributes(capability, findings)
            for port in capability.ports:
                _check_tile(capability, port, findings)
                _check_port(capability, port, findings)


def path_of(capability: Capability, *rest: str | int) -> Path:
    """Path of a part of a capability in the file."""
    return ("compute", capability.node, "capabilities", capability.name, *rest)


def _refs(capability: Capability) -> dict[str, Ref]:
    """References of the statement by name; the target first."""
    statement = capability.statement
    return {ref.name: ref for ref in reversed((statement.target, *statement.refs))}


def dims_of(capability: Capability) -> list[str]:
    """Dims that occur in the statement."""
    refs = (capability.statement.target, *capability.statement.refs)
    return list(dict.fromkeys(d for ref in refs for index in ref.indices for d in index.dims))


def chained_operands(acg: Acg, compute: Compute) -> set[str]:
    """Tensors that arrive over the `after` edge: what the node before writes."""
    if not compute.after:
        return set()
    return {c.statement.target.name for c in acg.compute(compute.after).capabilities}


def _check_operands(acg: Acg, compute: Compute, capability: Capability, findings: Findings) -> None:
    """Ports and tensors of the statement match one to one."""
    refs = _refs(capability)
    ports = [port.name for port in capability.ports]
    for name in ports:
        if name not in refs:
            message = f"port '{name}' does not occur in the statement"
            findings.report_key(
                "ACG030", path_of(capability, "ports", name), message, did_you_mean(name, refs)
            )
    supplied = {*ports, *chained_operands(acg, compute), *capability.scalars}
    for name, ref in refs.items():
        if name not in supplied:
            kind = "port" if ref.indices else "scalar"
            message = f"'{name}' in the statement is neither a port, a scalar nor chained"
            repair = f"add a {kind} '{name}'; {did_you_mean(name, supplied)}"
            findings.report("ACG031", path_of(capability, "semantics"), message, repair)
    ranks: dict[str, int] = {}
    for ref in (capability.statement.target, *capability.statement.refs):
        if ranks.setdefault(ref.name, len(ref.indices)) != len(ref.indices):
            message = f"'{ref.name}' is used with different numbers of indices"
            repair = "give it the same indices everywhere"
            findings.report("ACG031", path_of(capability, "semantics"), message, repair)


def _check_scalars(capability: Capability, findings: Findings) -> None:
    refs = _refs(capability)
    plain = [name for name, ref in refs.items() if not ref.indices]
    for index, name in enumerate(capability.scalars):
        path = path_of(capability, "scalars", index)
        if name not in refs:
            message = f"scalar '{name}' does not occur in the statement"
            repair = did_you_mean(name, plain) if plain else "remove it"
            findings.report("ACG032", path, message, repair)
        elif refs[name].indices:
            message = f"scalar '{name}' has indices in the statement"
            findings.report("ACG032", path, message, "declare it under `ports`")
        elif name in capability.scalars[:index]:
            findings.report("ACG032", path, f"scalar '{name}' is given twice", "remove one")


def _check_extents(acg: Acg, compute: Compute, capability: Capability, findings: Findings) -> None:
    dims = dims_of(capability)
    for dim in capability.extents:
        if dim not in dims:
            message = f"dim '{dim}' does not occur in the statement"
            path = path_of(capability, "extents", dim)
            findings.report_key("ACG033", path, message, did_you_mean(dim, dims))
    for dim in dims:
        if dim not in capability.extents:
            message = f"dim '{dim}' of the statement has no extent"
            repair = f"add `{dim}: 8` to `extents`"
            findings.report_key("ACG034", path_of(capability, "extents"), message, repair)
    if compute.after:
        _check_chained_extents(acg, compute, capability, findings)


def _check_chained_extents(
    acg: Acg, compute: Compute, capability: Capability, findings: Findings
) -> None:
    """A chained node takes whole lanes of the one before: lane dims equal, the last a divisor."""
    before = acg.compute(compute.after).capabilities[0]
    tile = next((port.tile for port in before.ports if port in before.outputs), ())
    for dim, extent in capability.extents.items():
        full = before.extents.get(dim, extent)
        path = path_of(capability, "extents", dim)
        if dim in tile[-1:] and full % extent:
            message = f"dim '{dim}' is {extent}, which does not divide {full} of '{before.node}'"
            findings.report("ACG040", path, message, f"write a divisor of {full}")
        elif dim not in tile[-1:] and extent != full:
            message = f"dim '{dim}' is {extent}, but '{before.node}' delivers {full}"
            repair = f"write {full}, or remove it to inherit"
            findings.report("ACG040", path, message, repair)


def _check_attributes(capability: Capability, findings: Findings) -> None:
    ports = [port.name for port in capability.ports]
    if capability.stationary and capability.stationary not in ports:
        message = f"stationary operand '{capability.stationary}' is not a port"
        repair = did_you_mean(capability.stationary, ports) or "add it to `ports`"
        findings.report("ACG036", path_of(capability, "stationary"), message, repair)
    if capability.registers != 2 and not capability.stationary:
        message = "`registers` has no meaning: no operand is stationary"
        findings.report_key("ACG036", path_of(capability, "registers"), message, "remove it")
    rounds = _calls(capability.statement.value, "requantise")
    if rounds and not capability.rounding:
        message = f"'{capability.name}' requantises and does not say how it rounds"
        findings.report_key("ACG038", path_of(capability), message, "add `rounding: ort_f32`")
    if capability.rounding and not rounds:
        message = "`rounding` has no meaning: the statement does not requantise"
        findings.report_key("ACG038", path_of(capability, "rounding"), message, "remove it")
    if capability.avoids and not rounds:
        message = "`avoids` has no meaning: the statement does not requantise"
        findings.report_key("ACG038", path_of(capability, "avoids"), message, "remove it")
    for index, product in enumerate(capability.avoids):
        if not 0 < product < _LARGEST_PRODUCT:
            message = f"{product} is no product that `avoids` can name"
            path = path_of(capability, "avoids", index)
            findings.report("ACG038", path, message, "write one above 0, both signs are avoided")
    known = [*dims_of(capability), *capability.scalars]
    for index, text in enumerate(capability.requires):
        name = parse_condition(text).name
        if name not in known:
            message = f"'{name}' is neither a dim nor a scalar of '{capability.name}'"
            path = path_of(capability, "requires", index)
            findings.report("ACG039", path, message, did_you_mean(name, known))


def _calls(expression: Expression, function: str) -> bool:
    match expression:
        case Call(name, arguments):
            return name == function or any(_calls(a, function) for a in arguments)
        case Ref() | Number():
            return False


def _check_tile(capability: Capability, port: Port, findings: Findings) -> None:
    ref = _refs(capability).get(port.name)
    if ref is None:
        return
    legal = [dim for index in ref.indices for dim in index.dims]
    for place, dim in enumerate(port.tile):
        path = path_of(capability, "ports", port.name, "tile", place)
        if dim not in legal:
            message = f"tile dim '{dim}' does not index '{port.name}' in the statement"
            findings.report("ACG035", path, message, did_you_mean(dim, legal))
        elif dim in port.tile[:place]:
            findings.report("ACG035", path, f"tile dim '{dim}' is given twice", "remove one")
    for index in ref.indices if port.tile and set(port.tile) <= set(legal) else ():
        if index.dims and not set(index.dims) & set(port.tile):
            dim = index.dims[0]
            message = f"the tile of '{port.name}' lacks '{dim}', which indexes it in the statement"
            path = path_of(capability, "ports", port.name, "tile")
            repair = f"write [{', '.join(dict.fromkeys((*port.tile, dim)))}], the last contiguous"
            findings.report("ACG035", path, message, repair)


def _check_port(capability: Capability, port: Port, findings: Findings) -> None:
    at = path_of(capability, "ports", port.name)
    target = capability.statement.target.name
    accumulates = port.name == target and capability.statement.reduction != ""
    for key, stream in (("partial", port.partial), ("spill", port.spill)):
        if stream and not accumulates:
            message = f"`{key}` at '{port.name}', which the statement does not accumulate into"
            repair = f"move it to the port '{target}', or remove it"
            findings.report("ACG037", (*at, key), message, repair)
    if len(set(port.dtypes)) != len(port.dtypes):
        findings.report("ACG037", (*at, "dtypes"), "an element type is given twice", "remove one")
    sums = accumulates and capability.statement.reduction == "+"
    if sums and any(dtype.bytes < DType.INT32.bytes for dtype in port.dtypes):
        message = f"'{port.name}' accumulates in less than 32 bits"
        findings.report("ACG037", (*at, "dtypes"), message, "write `dtypes: [int32]`")
