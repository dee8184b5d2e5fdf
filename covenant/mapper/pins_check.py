"""Whether pins make sense for a layer on an architecture, before anything is solved.

In: pins of a layer, its codelet, the architecture, the spaces of its bindings. Out: every pin that
names what is not there (MAP021) or breaks a bound (MAP022), with a counterexample. No solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, Diagnostic, did_you_mean
from covenant.mapper.banking import Plan, group_count
from covenant.mapper.operands import Operand
from covenant.mapper.pins import (
    NO_ROWS,
    NO_TAIL,
    AddressPin,
    BanksPin,
    BindPin,
    CopiesPin,
    CutPin,
    FusePin,
    MemoryPin,
    OrderPin,
    Pin,
    TilePin,
    binds,
)
from covenant.mapper.space import Row, Space

_EXAMPLES = 4
"""Divisions of banks that a message names."""


class _FaultError(Exception):
    def __init__(self, code: str, message: str, repair: str) -> None:
        super().__init__(message)
        self.code, self.message, self.repair = code, message, repair


def check_pins(pins: Sequence[Pin], codelet: Codelet, acg: Acg, spaces: Sequence[Space]) -> None:
    """Raises CovenantError with every pin that cannot be kept whatever the others are."""
    findings = []
    for pin in pins:
        try:
            _check(pin, codelet, acg, spaces)
        except _FaultError as fault:
            message = f"layer '{codelet.name}': pin `{pin}`: {fault.message}"
            findings.append(Diagnostic(fault.code, message, pin.span, fault.repair))
    if findings:
        raise CovenantError(sorted(findings, key=lambda f: (f.span.line, f.span.column)))


def _check(pin: Pin, codelet: Codelet, acg: Acg, spaces: Sequence[Space]) -> None:
    decision = pin.decision
    extents = {d: e for s in reversed(spaces) for d, e in s.extents.items()}
    match decision:
        case FusePin(dims):
            known = dict.fromkeys(s.codelet.fused for s in spaces)
            if dims not in known:
                shown = ", ".join(f"[{', '.join(k)}]" for k in known)
                raise _FaultError("MAP022", "these dims cannot run as one here", f"known: {shown}")
        case BindPin():
            steps = max((len(s.binding.steps) for s in spaces), default=len(codelet.steps))
            _check_binding(decision, steps, acg, extents)
        case TilePin(memory, dim):
            _memory(memory, acg)
            _known("dim", dim, extents)
            having = [s for s in spaces if dim in s.extents]
            _check_tile(decision, extents[dim], having)
        case OrderPin(memory, dims):
            _memory(memory, acg)
            for dim in dims:
                _known("dim", dim, extents)
        case CutPin(operand, memory, outside, inside):
            _operand(operand, memory, acg, spaces)
            for dim in (*(outside or ()), *inside):
                _known("dim", dim, extents)
        case CopiesPin(operand, memory) | MemoryPin(operand, memory):
            _operand(operand, memory, acg, spaces)
        case AddressPin():
            _check_address(decision, acg, spaces)
        case BanksPin():
            _check_banks(decision, acg, spaces)
        case _:
            assert_never(decision)


def _known(kind: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        raise _FaultError("MAP021", f"there is no {kind} '{name}'", did_you_mean(name, names))


def _memory(name: str, acg: Acg) -> None:
    if name:
        _known("on-chip memory", name, [m.name for m in acg.on_chip])


def _operand(name: str, memory: str, acg: Acg, spaces: Sequence[Space]) -> None:
    _memory(memory, acg)
    known = [n for s in spaces for o in s.operands for n in (o.port, o.tensor) if n]
    _known("operand", name, dict.fromkeys(known))
    places = {o.memory for s in spaces for o in named(s, name)}
    if memory and memory not in places:
        where = ", ".join(sorted(places))
        raise _FaultError("MAP022", f"'{name}' is held in {where}", f"write `memory: {where}`")


def named(space: Space, name: str) -> list[Operand]:
    """Operands of a port or tensor of that name."""
    return [o for o in space.operands if name in (o.port, o.tensor)]


def _check_binding(pin: BindPin, count: int, acg: Acg, extents: Iterable[str]) -> None:
    if pin.step >= count:
        raise _FaultError(
            "MAP021", f"the layer has {count} steps", f"keep {count} entries of `binding`"
        )
    if pin.part == "node":
        _known("compute node", pin.value, [c.name for c in acg.computes])
    elif pin.part == "capability":
        _known("capability", pin.value, [c.name for c in acg.capabilities])
    elif pin.part == "tail":
        _known("capability", pin.value, [*(c.name for c in acg.capabilities), NO_TAIL])
    elif pin.part == "rows":
        _known("dim", pin.value, [*extents, NO_ROWS])
    else:
        dim = pin.part.removeprefix("dims.")
        statements = [c.statement for c in acg.capabilities]
        known = [d for s in statements for i in s.target.indices for d in i.dims]
        known += [d for s in statements for r in s.refs for i in r.indices for d in i.dims]
        _known("capability dim", dim, dict.fromkeys(known))
        _known("dim", pin.value, extents)


def _check_tile(pin: TilePin, extent: int, spaces: Sequence[Space]) -> None:
    low, high = pin.low or extent, pin.high or extent
    if low > extent or (pin.low == pin.high and high > extent):
        message = f"the dim has {extent} iterations, {low} are more"
        raise _FaultError("MAP022", message, f"write a number up to {extent}, or `whole`")
    if any(tile_rows(s, pin) for s in spaces):
        return
    tiles = sorted({row.tile for s in spaces for row in s.rows[pin.dim]})
    below = max((t for t in tiles if t < low), default=None)
    above = min((t for t in tiles if t > high), default=None)
    near = " or ".join(str(t) for t in (below, above) if t is not None)
    grains = sorted({s.grains[pin.dim] for s in spaces})
    if len(tiles) == 1:
        raise _FaultError("MAP022", f"dim '{pin.dim}' cannot be split here", "write `whole`")
    grain = " or ".join(map(str, grains))
    raise _FaultError(
        "MAP022",
        f"tiles of '{pin.dim}' are multiples of {grain} here (words and lanes stay whole)",
        f"the nearest tiles are {near}",
    )


def tile_rows(space: Space, pin: TilePin) -> list[Row]:
    """Tile choices that keep a pin; an exact tile need not be among those the solver tries."""
    extent = space.extents[pin.dim]
    low, high = pin.low or extent, pin.high or extent
    found = [row for row in space.rows[pin.dim] if low <= row.tile <= high]
    exact = low == high and len(space.rows[pin.dim]) > 1 and not low % space.grains[pin.dim]
    if exact and not found:
        found = [Row(-(-extent // low), low)]
    return found


def with_tiles(space: Space, pins: Sequence[Pin]) -> Space:
    """The space with pinned tiles among the choices."""
    rows = dict(space.rows)
    for pin in pins:
        if isinstance(pin.decision, TilePin) and pin.decision.dim in rows:
            dim = pin.decision.dim
            extra = [r for r in tile_rows(space, pin.decision) if r not in rows[dim]]
            rows[dim] = tuple(sorted((*rows[dim], *extra), key=lambda r: -r.tile))
    return replace(space, rows=rows)


def _check_address(pin: AddressPin, acg: Acg, spaces: Sequence[Space]) -> None:
    _operand(pin.operand, pin.memory, acg, spaces)
    memory = next(acg.memory(o.memory) for s in spaces for o in named(s, pin.operand))
    for address in pin.addresses:
        if address % memory.word_bytes:
            below = address // memory.word_bytes * memory.word_bytes
            message = f"{address} is no multiple of the {memory.word_bytes}-byte word"
            raise _FaultError("MAP022", message, f"write {below} or {below + memory.word_bytes}")
        if address >= memory.address_bytes:
            message = f"'{memory.name}' has addresses below {memory.address_bytes:,}"
            raise _FaultError("MAP022", message, "write a smaller address")


def _check_banks(pin: BanksPin, acg: Acg, spaces: Sequence[Space]) -> None:
    _known("on-chip memory", pin.memory, [m.name for m in acg.on_chip])
    if any(keeps_banks(pin, plan) for s in spaces for plan in s.plans):
        return
    count = group_count(acg.memory(pin.memory))
    ports = {port for port, _, _ in pin.groups}
    fitting = [p for s in spaces for p in s.plans if p.shared or ports <= set(p.groups)]
    known = list(dict.fromkeys(map(_shown, fitting)))[:_EXAMPLES]
    raise _FaultError(
        "MAP022",
        f"'{pin.memory}' has {count} groups of banks, which are not divided so",
        f"known: {'; '.join(known)}",
    )


def keeps_banks(pin: BanksPin, plan: Plan) -> bool:
    """Whether a plan of the banks is the pinned one, as far as the pin goes."""
    if not pin.groups:
        return plan.shared
    return plan.host == pin.host and all(
        plan.groups.get(port) == (first, count) for port, first, count in pin.groups
    )


def _shown(plan: Plan) -> str:
    if plan.shared:
        return "shared"
    groups = ", ".join(f"{p}: [{f}, {n}]" for p, (f, n) in plan.groups.items() if p)
    return f"{{groups: {{{groups}}}" + (f", host: {plan.host}" if plan.host else "") + "}"


def unlike(pins: Sequence[Pin], space: Space) -> Iterator[Pin]:
    """Pins of binding and memories that a space does not keep."""
    for pin in pins:
        match pin.decision:
            case BindPin() as bind:
                if not binds(bind, space.binding.steps):
                    yield pin
            case FusePin(dims) if dims != space.codelet.fused:
                yield pin
            case TilePin(_, dim) if dim not in space.extents:
                yield pin
            case OrderPin(_, dims) if not set(dims) <= set(space.extents):
                yield pin
            case CutPin(_, _, outside, inside) if not {*(outside or ()), *inside} <= set(
                space.extents
            ):
                yield pin
            case MemoryPin(operand, memory):
                if any(o.memory != memory for o in named(space, operand)):
                    yield pin
            case _:
                pass
