"""Statements over tensors: the shared language of codelets and of capabilities.

A statement such as `acc[m,n] += (a[m,k] - za) * b[k,n]` has a target, an optional reduction and a
value. In: text. Out: the closed union `Expression` and `Statement`, both printable.
Grammar (whole): statement = ref ("=" | "+=" | "max=") sum; sum = product (("+"|"-") product)*;
product = atom ("*" atom)*; atom = int | ref | name "(" sum, ... ")" | "(" sum ")" | "-" atom;
ref = name ["[" affine, ... "]"].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, assert_never

from covenant.core.affine import Affine


@dataclass(frozen=True, slots=True)
class Ref:
    """An element of a tensor, or a scalar when there are no indices."""

    name: str
    indices: tuple[Affine, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """An integer literal."""

    value: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of expressions; `add`, `sub`, `mul` print as operators."""

    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = Ref | Number | Call
_T = TypeVar("_T")

FUNCTIONS: dict[str, int] = {
    "add": 2,
    "sub": 2,
    "mul": 2,
    "max": 2,
    "min": 2,
    "clip": 3,
    "requantise": 3,
    "table": 2,
}
"""Known functions and their number of arguments. `requantise(acc, scale, zero_point)` rounds as the
architecture's rounding attribute says and does not clamp; `clip(v, low, high)` clamps."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`target reduction= value`; reduction is "" (plain store), "+" or "max"."""

    target: Ref
    reduction: str
    value: Expression

    @property
    def refs(self) -> tuple[Ref, ...]:
        """All references read, in the order written."""
        return tuple(references(self.value))

    def __str__(self) -> str:
        return f"{show(self.target)} {self.reduction}= {show(self.value)}"


class ExpressionError(ValueError):
    """Text that is not a statement; `column` is 1-based within the text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


def references(expression: Expression) -> Iterator[Ref]:
    """References inside an expression, left to right."""
    match expression:
        case Ref():
            yield expression
        case Number():
            return
        case Call(_, arguments):
            for argument in arguments:
                yield from references(argument)
        case _:
            assert_never(expression)


def replaced(expression: Expression, old: Expression, new: Expression) -> Expression:
    """The expression with `new` in every place of `old`."""
    if expression == old:
        return new
    if not isinstance(expression, Call):
        return expression
    arguments = tuple(replaced(each, old, new) for each in expression.arguments)
    return Call(expression.function, arguments)


_OPERATORS = {"add": (" + ", 1), "sub": (" - ", 1), "mul": (" * ", 2)}


def show(expression: Expression, level: int = 0) -> str:
    """Text form; parses back to an equal expression."""
    match expression:
        case Ref(name, indices):
            return name + (f"[{','.join(map(str, indices))}]" if indices else "")
        case Number(value):
            return str(value)
        case Call(function, arguments) if function in _OPERATORS:
            symbol, own = _OPERATORS[function]
            text = show(arguments[0], own) + symbol + show(arguments[1], own + 1)
            return f"({text})" if own < level else text
        case Call(function, arguments):
            return f"{function}({', '.join(show(a) for a in arguments)})"
        case _:
            assert_never(expression)


_TOKEN = re.compile(r"\s*(?:(max=|\+=|[-+*=,()\[\]])|(\d+)|([A-Za-z_]\w*))")


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, int]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise ExpressionError(
                    f"unexpected character {text[position:].strip()[0]!r}", position + 1
                )
            token = next(g for g in found.groups() if g is not None)
            self.tokens.append((token, found.end() - len(token) + 1))
            position = found.end()
        self.end = len(text) + 1
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def fail(self, message: str) -> ExpressionError:
        column = self.tokens[self.at][1] if self.at < len(self.tokens) else self.end
        return ExpressionError(message, column)

    def take(self, *expected: str) -> str:
        token = self.peek()
        if expected and token not in expected:
            wanted = " or ".join(repr(e) for e in expected)
            raise self.fail(f"expected {wanted}, found {token or 'end of text'!r}")
        self.at += 1
        return token

    def listed(self, item: Callable[[], _T], close: str) -> tuple[_T, ...]:
        items = [item()]
        while self.take(",", close) == ",":
            items.append(item())
        return tuple(items)

    def statement(self) -> Statement:
        target = self.atom()
        if not isinstance(target, Ref):
            raise ExpressionError("a statement starts with the tensor it writes", 1)
        reduction = self.take("=", "+=", "max=").removesuffix("=")
        value = self.sum()
        if self.peek():
            raise self.fail(f"unexpected {self.peek()!r} after the expression")
        return Statement(target, reduction, value)

    def sum(self) -> Expression:
        left = self.product()
        while self.peek() in ("+", "-"):
            function = "add" if self.take() == "+" else "sub"
            left = Call(function, (left, self.product()))
        return left

    def product(self) -> Expression:
        left = self.atom()
        while self.peek() == "*":
            self.take()
            left = Call("mul", (left, self.atom()))
        return left

    def atom(self) -> Expression:
        token = self.peek()
        if token == "(":
            self.take()
            inner = self.sum()
            self.take(")")
            return inner
        if token == "-":
            self.take()
            inner = self.atom()
            return (
                Number(-inner.value)
                if isinstance(inner, Number)
                else Call("sub", (Number(0), inner))
            )
        if token.isdigit():
            return Number(int(self.take()))
        if not token.isidentifier():
            raise self.fail(
                f"expected a tensor, a number or a function, found {token or 'end of text'!r}"
            )
        name = self.take()
        if self.peek() == "(":
            return self.call(name)
        if self.peek() == "[":
            self.take()
            return Ref(name, self.listed(self.affine, "]"))
        return Ref(name)

    def call(self, name: str) -> Expression:
        if name not in FUNCTIONS:
            self.at -= 1
            raise self.fail(f"unknown function {name!r}; known: {', '.join(sorted(FUNCTIONS))}")
        self.take("(")
        arguments = self.listed(self.sum, ")")
        if len(arguments) != FUNCTIONS[name]:
            raise self.fail(f"{name} takes {FUNCTIONS[name]} arguments, found {len(arguments)}")
        return Call(name, arguments)

    def affine(self) -> Affine:
        total = Affine()
        sign = 1
        if self.peek() == "-":
            self.take()
            sign = -1
        while True:
            total = total + self.affine_term(sign)
            if self.peek() not in ("+", "-"):
                return total
            sign = 1 if self.take() == "+" else -1

    def affine_term(self, sign: int) -> Affine:
        token = self.peek()
        if token.isdigit():
            value = sign * int(self.take())
            if self.peek() != "*":
                return Affine((), value)
            self.take()
            return Affine.of(self.dim(), value)
        name = self.dim()
        if self.peek() == "*":
            self.take()
            if not self.peek().isdigit():
                raise self.fail("an index is a sum of integer multiples of dims")
            return Affine.of(name, sign * int(self.take()))
        return Affine.of(name, sign)

    def dim(self) -> str:
        if not self.peek().isidentifier():
            raise self.fail(f"expected a dim name, found {self.peek() or 'end of text'!r}")
        return self.take()


def parse_statement(text: str) -> Statement:
    """Parse one statement; raises ExpressionError with the column."""
    return _Parser(text).statement()


def parse_affine(text: str) -> Affine:
    """Parse one affine index; raises ExpressionError with the column."""
    parser = _Parser(text)
    result = parser.affine()
    if parser.peek():
        raise parser.fail(f"unexpected {parser.peek()!r} after the index")
    return result
