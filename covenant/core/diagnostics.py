"""Diagnostics: every message a user can see, located, with its repair and its exit code.

In: what a stage found wrong. Out: `CovenantError`, which the command line prints and turns into an
exit code; no other exception reaches a user.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

_EXCERPT = 120
"""Longest piece of a source line shown, in characters."""


class ExitCode(IntEnum):
    """Exit codes of the `covenant` command (documented in the README)."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    INVALID = 3
    UNSUPPORTED = 4
    INFEASIBLE = 5
    TIME_LIMIT = 6
    MISMATCH = 7
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text file; line and columns are 1-based, 0 when there is none (binary files)."""

    file: str
    line: int = 0
    column: int = 0
    end_column: int = 0
    source: str = ""
    """The source line, for the caret."""

    def __str__(self) -> str:
        return self.file + (f":{self.line}:{self.column}" if self.line else "")

    def excerpt(self) -> tuple[str, str]:
        """The source line and a line of carets under the span; long lines are cut around it."""
        start = max(0, self.column - 1 - _EXCERPT // 2) if len(self.source) > _EXCERPT else 0
        text = self.source[start : start + _EXCERPT]
        before = self.column - 1 - start
        width = max(1, min(self.end_column - self.column, len(text) - before))
        return f"  {text}".rstrip(), "  " + " " * before + "^" * width


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: code such as ACG012, what was found and expected, where, and what to type."""

    code: str
    message: str
    span: Span
    help: str = ""

    def __str__(self) -> str:
        first, *more = self.message.splitlines() or [""]
        lines = [f"{self.span}: error[{self.code}]: {first}", *(f"    {line}" for line in more)]
        if self.span.line and self.span.source:
            lines += self.span.excerpt()
        if self.help:
            lines.append(f"help: {self.help}")
        return "\n".join(printable(line) for line in lines)


class CovenantError(Exception):
    """One or more diagnostics and the exit code they lead to."""

    def __init__(
        self, diagnostics: Sequence[Diagnostic], exit_code: ExitCode = ExitCode.INVALID
    ) -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = tuple(diagnostics)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[CovenantError], tuple[tuple[Diagnostic, ...], ExitCode]]:
        """Pickled whole: errors come back from other processes."""
        return CovenantError, (self.diagnostics, self.exit_code)


def fail(
    code: str,
    message: str,
    span: Span,
    help: str = "",
    exit_code: ExitCode = ExitCode.INVALID,
) -> CovenantError:
    """The error of a single diagnostic, to be raised by the caller."""
    return CovenantError([Diagnostic(code, message, span, help)], exit_code)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'banks'?` for the closest known word, else a list of what is known."""
    words = sorted(known)
    if not words:
        return ""
    folded = {each.casefold(): each for each in reversed(words)}
    close = difflib.get_close_matches(word.casefold()[:64], list(folded), n=1, cutoff=0.6)
    if close:
        return f"did you mean '{folded[close[0]]}'?"
    return "known: " + ", ".join(words)


def printable(line: str) -> str:
    """The line with control characters replaced, so that a file cannot drive the terminal."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "�" for c in line)
