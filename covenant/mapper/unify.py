"""Unification of a codelet step with a capability: every way to read one value as the other.

In: the value of a codelet step, the value of a capability. Out: `Match`es: which tensor stands at
which port, which number in which parameter. Parameters that do nothing may be absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from covenant.acg.graph import Capability
from covenant.codelets.ir import Codelet
from covenant.core.expression import Call, Expression, Number, Ref, show

_COMMUTATIVE = ("add", "mul", "max", "min")
_IDENTITY = {"add": 0, "sub": 0, "mul": 1}


@dataclass(frozen=True)
class Match:
    """Pattern names resolved so far: tensors to references, parameters to numbers."""

    refs: Mapping[str, Ref] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    chained: str = ""
    """Codelet tensor that arrives over the chain."""


def is_field(capability: Capability, name: str) -> bool:
    """A parameter port: it has no beat of its own, its values arrive in a record."""
    return any(p.name == name and not p.tile for p in capability.ports) or (
        name in capability.scalars
    )


def simplify(expression: Expression) -> Expression:
    """Remove additions and subtractions of zero: `x - 0` is `x`."""
    if not isinstance(expression, Call):
        return expression
    arguments = tuple(simplify(a) for a in expression.arguments)
    if expression.function in ("add", "sub") and arguments[1] == Number(0):
        return arguments[0]
    if expression.function == "add" and arguments[0] == Number(0):
        return arguments[1]
    return Call(expression.function, arguments)


class Unifier:
    """Backtracking unification of one capability's value with one codelet step's value."""

    def __init__(self, codelet: Codelet, capability: Capability, previous: Ref | None) -> None:
        self.codelet = codelet
        self.capability = capability
        self.previous = previous
        self.ports = {port.name: port for port in capability.ports}
        self.deepest = ""
        self.depth = 0

    def unify(self, pattern: Expression, value: Expression, sofar: Match) -> Iterator[Match]:
        """Every way to read `value` as `pattern`."""
        if isinstance(pattern, Ref):
            yield from self._leaf(pattern, value, sofar)
            return
        if isinstance(pattern, Number):
            if pattern == value:
                yield sofar
            return
        if isinstance(value, Call) and value.function == pattern.function:
            yield from self._arguments(pattern.arguments, value.arguments, sofar)
            if value.function in _COMMUTATIVE:
                yield from self._arguments(pattern.arguments, value.arguments[::-1], sofar)
        yield from self._identity(pattern, value, sofar)

    def _note(self, depth: int, why: str) -> None:
        """Keep the first reason of those that came closest to a match."""
        if depth > self.depth:
            self.depth, self.deepest = depth, why

    def _arguments(
        self, patterns: tuple[Expression, ...], values: tuple[Expression, ...], sofar: Match
    ) -> Iterator[Match]:
        if not patterns:
            yield sofar
            return
        for first in self.unify(patterns[0], values[0], sofar):
            yield from self._arguments(patterns[1:], values[1:], first)

    def _identity(self, pattern: Call, value: Expression, sofar: Match) -> Iterator[Match]:
        """The pattern with a parameter that makes it do nothing: `a - za` with za = 0."""
        if pattern.function == "clip":
            inner, low, high = pattern.arguments
            dtype = self.codelet.tensor(
                sofar.refs[self.capability.statement.target.name].name
            ).dtype
            for first in self.unify(inner, value, sofar):
                for second in self._leaf(low, Number(dtype.minimum), first):
                    yield from self._leaf(high, Number(dtype.maximum), second)
            return
        neutral = _IDENTITY.get(pattern.function)
        if neutral is None:
            return
        sides = [(pattern.arguments[0], pattern.arguments[1])]
        if pattern.function != "sub":
            sides.append((pattern.arguments[1], pattern.arguments[0]))
        for inner, parameter in sides:
            if isinstance(parameter, Ref) and self._is_parameter(parameter.name):
                for first in self.unify(inner, value, sofar):
                    if parameter.name in self.capability.scalars:
                        yield from self._leaf(parameter, Number(neutral), first)
                    else:
                        yield first

    def _is_parameter(self, name: str) -> bool:
        port = self.ports.get(name)
        return name in self.capability.scalars or (port is not None and not port.tile)

    def _leaf(self, pattern: Expression, value: Expression, sofar: Match) -> Iterator[Match]:
        if not isinstance(pattern, Ref):
            if pattern == value:
                yield sofar
            return
        name = pattern.name
        if isinstance(value, Number) and self._is_parameter(name):
            if sofar.numbers.get(name, value.value) == value.value:
                yield replace(sofar, numbers={**sofar.numbers, name: value.value})
            return
        if isinstance(value, Ref) and name in self.capability.scalars:
            if self.codelet.tensor(value.name).uniform:
                yield replace(sofar, refs={**sofar.refs, name: value})
                return
            self._note(3, f"'{show(value)}' differs from element to element, '{name}' is a scalar")
            return
        if not isinstance(value, Ref):
            self._note(1, f"'{show(value)}' stands where it takes '{show(pattern)}'")
            return
        if name not in self.ports:
            if value == self.previous:
                yield replace(sofar, refs={**sofar.refs, name: value}, chained=name)
            else:
                self._note(2, f"'{show(value)}' is not the result of the step before")
            return
        dtype = self.codelet.tensor(value.name).dtype
        if dtype not in self.ports[name].dtypes:
            allowed = ", ".join(self.ports[name].dtypes)
            self._note(3, f"port {name} takes {allowed}; '{value.name}' is {dtype}")
            return
        if sofar.refs.get(name, value) == value:
            yield replace(sofar, refs={**sofar.refs, name: value})
