"""The small notations of an architecture file: sizes, ranges, registers, bit fields, conditions.

In: text of one YAML scalar. Out: integers and tuples; `NotationError` says what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from covenant.core.expression import ExpressionError, Statement, parse_statement

MAX_RANGE = 64
"""Most items one `[first..last]` may stand for."""

_SIZE = re.compile(r"(\d{1,18}) ?(B|KiB|MiB|GiB|TiB)?", re.ASCII)
_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_RANGE = re.compile(r"(.*)\[(\d{1,4})\.\.(\d{1,4})\]", re.ASCII | re.DOTALL)
_REGISTER = re.compile(
    r"([A-Za-z_][\w.\[\]]*?)\s*"
    r"(?:==\s*(?P<fixed>NUMBER)|(?:=\s*(?P<reset>NUMBER))?\s*(?:<=\s*(?P<most>NUMBER))?)".replace(
        "NUMBER", r"-?\d{1,20}|0x[0-9a-fA-F]{1,16}"
    ),
    re.ASCII,
)
_BRACED = re.compile(r"(?:\{([^{}]+)\}|([^{}.]+))\.(?:\{([^{}]+)\}|([^{}]+))", re.ASCII)
_QUANTITY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?(\[\d{1,4}(\.\.\d{1,4})?\])?", re.ASCII)
_FIELD = re.compile(
    r"(\d{1,4})(?::(\d{1,4}))?(?:=(\d{1,40}|0x[0-9a-fA-F]{1,32}))?"
    r"(?:\s*\+\s*(?P<plus>\d{1,10}))?(?:\s*/\s*(?P<granule>\d{1,10}))?"
    r"(?:\s*\*\s*(?P<times>\d{1,10}))?",
    re.ASCII,
)
_CONDITION = re.compile(
    r"([A-Za-z_]\w*)\s*(?:%\s*(\d{1,9})\s*)?(==|!=|<=|>=|<|>)\s*(-?\d{1,10})", re.ASCII
)


class NotationError(ValueError):
    """Text that does not follow its notation; `column` is 1-based within the text, 0 for all."""

    def __init__(self, message: str, column: int = 0) -> None:
        super().__init__(message)
        self.column = column


def parse_size(text: str) -> int:
    """Bytes of `128KiB`, `1 GiB` or `4096`."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise NotationError(f"'{text}' is not a size; expected a number with KiB, MiB or GiB")
    return int(found[1]) * _UNITS[found[2] or ""]


def show_size(size_bytes: int) -> str:
    """The shortest exact text of a size; reads back with `parse_size`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _UNITS[unit] == 0:
            return f"{size_bytes // _UNITS[unit]}{unit}"
    return str(size_bytes)


def parse_range(text: str) -> tuple[str, int, int] | None:
    """`load[0..3]` as ("load", 0, 3); None for text without a range."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    name, first, last = found[1], int(found[2]), int(found[3])
    if last < first:
        raise NotationError(f"range {first}..{last} is empty; expected first <= last")
    if last - first >= MAX_RANGE:
        raise NotationError(f"range {first}..{last} has more than {MAX_RANGE} items")
    return name, first, last


@dataclass(frozen=True, slots=True)
class RegisterForm:
    """A register as written: value after a program start or of a fixed one, largest value."""

    quantity: str
    reset: int = 0
    maximum: int | None = None
    fixed: bool = False


def in_ranges(quantities: Iterable[str]) -> list[str]:
    """Names as a file may write them, with indices that follow one another in one: `bound[0..3]`;
    every name where its first index stood."""
    found: dict[str, list[int]] = {}
    for quantity in quantities:
        name, _, index = quantity.removesuffix("]").partition("[")
        found.setdefault(name, []).extend([int(index)] if index else [])
    texts: list[str] = []
    for name, indices in found.items():
        texts += [name] if not indices else []
        parts: list[list[int]] = []
        for i in sorted(indices):
            if parts and i == parts[-1][1] + 1:
                parts[-1][1] = i
            else:
                parts.append([i, i])
        texts += [f"{name}[{a}]" if a == b else f"{name}[{a}..{b}]" for a, b in parts]
    return texts


def parse_register(text: str) -> tuple[RegisterForm, ...]:
    """Every register that `bound[0..2] = 1 <= 16`, `a.stride[0] == 16` or `{x, w}.{base, bound[0]}`
    stands for, those of the first stream before those of the next."""
    if "{" not in text and "}" not in text:
        return _registers(text)
    braced = _BRACED.fullmatch(text.strip())
    if braced is None:
        raise NotationError(
            f"'{text}' is not a list of registers; expected e.g. `a.{{base, bound[0..3] = 1}}` or "
            "`{x, w}.{base, stride[0..3]}`"
        )
    streams = (braced[1] or braced[2]).split(",")
    own = (braced[3] or braced[4]).split(",")
    return tuple(
        form
        for stream in streams
        for register in own
        for form in _registers(f"{stream.strip()}.{register.strip()}")
    )


def _registers(text: str) -> tuple[RegisterForm, ...]:
    """Registers of a text without braces."""
    found = _REGISTER.fullmatch(text.strip())
    if found is None or not _QUANTITY.fullmatch(found[1]):
        raise NotationError(
            f"'{text}' is not a register; expected `quantity`, `quantity = value`, "
            "`quantity <= largest` or `quantity == fixed value`"
        )
    fixed, most = found["fixed"], found["most"]
    reset = int(fixed or found["reset"] or "0", 0)
    maximum = None if most is None else int(most, 0)
    if maximum is not None and reset > maximum:
        raise NotationError(f"{reset} is larger than the largest value {maximum}")
    ranged = parse_range(found[1])
    if ranged is None:
        return (RegisterForm(found[1], reset, maximum, fixed is not None),)
    name, first, last = ranged
    return tuple(
        RegisterForm(f"{name}[{i}]", reset, maximum, fixed is not None)
        for i in range(first, last + 1)
    )


@dataclass(frozen=True, slots=True)
class FieldForm:
    """A bit field as written: bits = (value + plus) / granule * times, or a constant."""

    high: int
    low: int
    constant: int | None = None
    plus: int = 0
    granule: int = 1
    times: int = 1


def parse_field(text: str) -> FieldForm:
    """The field of `63:60=1`, `59:56`, `7`, `29:0 / 64`, `47:32 * 16` or `3:2 + 128 / 128`."""
    found = _FIELD.fullmatch(text.strip())
    if found is None:
        raise NotationError(
            f"'{text}' is not a bit field; expected `high:low`, `high:low=constant`, or "
            "`high:low + added / granule * factor`"
        )
    high = int(found[1])
    low = high if found[2] is None else int(found[2])
    if low > high:
        raise NotationError(f"bits {high}:{low} are reversed; expected `{low}:{high}`")
    constant = None if found[3] is None else int(found[3], 0)
    plus, granule, times = (
        int(found[k] or d) for k, d in (("plus", 0), ("granule", 1), ("times", 1))
    )
    if not granule or not times:
        raise NotationError("a granule and a factor are at least 1")
    if constant is not None and (plus, granule, times) != (0, 1, 1):
        raise NotationError("a constant is written as its bits, without `+`, `/` or `*`")
    return FieldForm(high, low, constant, plus, granule, times)


@dataclass(frozen=True, slots=True)
class Condition:
    """A precondition `name [% modulus] comparison value` on a dim's extent or a scalar."""

    name: str
    modulus: int
    comparison: str
    value: int

    def holds(self, found: int) -> bool:
        """Whether a value of the named dim or scalar satisfies the condition."""
        left = found % self.modulus if self.modulus else found
        return {
            "==": left == self.value,
            "!=": left != self.value,
            "<=": left <= self.value,
            ">=": left >= self.value,
            "<": left < self.value,
            ">": left > self.value,
        }[self.comparison]


def parse_condition(text: str) -> Condition:
    """The condition of one `requires` entry, e.g. `k % 16 == 0` or `za == 0`."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None or found[2] == "0":
        raise NotationError(
            f"'{text}' is not a condition; expected e.g. `k % 16 == 0` or `za == 0`"
        )
    return Condition(found[1], int(found[2] or 0), found[3], int(found[4]))


MAX_STATEMENT = 400
"""Most characters of a statement; keeps the parser's recursion shallow, as do the counts below."""


def parse_semantics(text: str) -> Statement:
    """A statement, with the column of the fault in `NotationError`."""
    if len(text) > MAX_STATEMENT or text.count("(") > 32 or text.count("-") > 32:
        raise NotationError(
            f"the statement is longer than {MAX_STATEMENT} characters or 32 brackets"
        )
    try:
        return parse_statement(text)
    except ExpressionError as error:
        raise NotationError(str(error), error.column) from error
