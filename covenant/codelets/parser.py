"""Reading the text form of a codelet back (see `printer`).

In: text. Out: a codelet; CovenantError CDL001 with line and column for text that is not one.
Whether its parts agree is the business of `verify`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.core.diagnostics import CovenantError, Span, did_you_mean, fail
from covenant.core.dtypes import DType
from covenant.core.expression import ExpressionError, Statement, parse_statement

_HEAD = re.compile(r'codelet ([a-z_]\w*) ("(?:[^"\\]|\\.)*")')
_DIM = re.compile(r"([A-Za-z_]\w*)=(\d+)")
_TENSOR = re.compile(r"(\w+) ([A-Za-z_]\w*) (\w+)\[([\d,]*)\](?: pad=(-?\d+))?( uniform)?")
_ROLES = tuple(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without its indentation, and where it stands; `column` is 1-based."""

    text: str
    file: str
    number: int
    column: int
    source: str

    def error(self, message: str, help: str = "", column: int = 0, end: int = 0) -> CovenantError:
        """The finding at a column within the text (0: all of it)."""
        start = self.column + max(0, column - 1)
        stop = self.column + (end or len(self.text))
        span = Span(self.file, self.number, start, max(stop, start + 1), self.source)
        return fail("CDL001", message, span, help)


def parse_codelet(text: str, file: str = "<codelet>") -> Codelet:
    """The codelet of a text; blank lines and lines starting with `#` are skipped."""
    lines = [
        _Line(source.strip(), file, number, len(source) - len(source.lstrip()) + 1, source)
        for number, source in enumerate(text.splitlines(), start=1)
        if source.strip() and not source.strip().startswith("#")
    ]
    if len(lines) < 2:
        span = Span(file, 1, 1, 1, (text.splitlines() or [""])[0])
        raise fail("CDL001", "the text ends before `codelet` and `dims`", span)
    operation, name = _head(lines[0])
    tensors: list[Tensor] = []
    steps: list[Statement] = []
    for line in lines[2:]:
        if re.match(r"\w+ \w+ \w+\[", line.text):
            if steps:
                raise line.error("tensors are declared before the first step")
            tensors.append(_tensor(line))
        else:
            steps.append(_step(line))
    return Codelet(operation, name, _dims(lines[1]), tuple(tensors), tuple(steps))


def _head(line: _Line) -> tuple[str, str]:
    match = _HEAD.fullmatch(line.text)
    if match is None:
        raise line.error("expected the head of a codelet", 'write: codelet gemm "name"')
    try:
        return match[1], str(json.loads(match[2]))
    except json.JSONDecodeError as error:
        raise line.error(f"the name is not a JSON string: {error.msg}") from error


def _dims(line: _Line) -> tuple[Dim, ...]:
    words = line.text.split(" ")
    matches = [_DIM.fullmatch(word) for word in words[1:]]
    if words[0] != "dims" or not all(matches):
        raise line.error("expected the dims", "write: dims m=8 n=8 k=16")
    return tuple(Dim(m[1], int(m[2])) for m in matches if m is not None)


def _tensor(line: _Line) -> Tensor:
    match = _TENSOR.fullmatch(line.text)
    if match is None:
        raise line.error("expected a tensor", "write: input x uint8[1,8,8] pad=128")
    role, name, dtype, shape, pad, uniform = match.groups()
    if role not in _ROLES:
        raise line.error(f"unknown role {role!r}", did_you_mean(role, _ROLES), 1, len(role))
    if dtype not in tuple(DType):
        start = match.start(3) + 1
        closest = did_you_mean(dtype, tuple(DType))
        raise line.error(f"unknown element type {dtype!r}", closest, start, match.end(3))
    extents = tuple(int(e) for e in shape.split(",") if e)
    value = None if pad is None else int(pad)
    return Tensor(name, DType(dtype), extents, Role(role), value, uniform=bool(uniform))


def _step(line: _Line) -> Statement:
    try:
        return parse_statement(line.text)
    except ExpressionError as error:
        raise line.error(str(error), "", error.column, error.column) from error
