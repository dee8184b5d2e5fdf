"""YAML read into a tree whose every node knows its file, line and column.

In: a file or text. Out: `Tree`, a closed union of scalars, lists and tables. Only the plain part of
YAML is accepted: no aliases, anchors, merge keys or tags, one document, unique text keys, at most
`MAX_DEPTH` levels and `MAX_BYTES` bytes of UTF-8. Scalars follow the YAML 1.2 core schema, so `y`,
`on` and `59:56` are text. The pure-Python event reader of PyYAML is used; no object is ever
constructed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, assert_never

import yaml

from covenant.core.diagnostics import CovenantError, Diagnostic, Span, fail

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

CODES: dict[str, str] = {
    "YAML001": "the file cannot be opened",
    "YAML002": "the file is larger than 1 MiB",
    "YAML003": "the file is not UTF-8 text",
    "YAML004": "the text is not well-formed YAML",
    "YAML005": "anchors and aliases are not accepted",
    "YAML006": "tags are not accepted",
    "YAML007": "merge keys are not accepted",
    "YAML008": "a key is given twice",
    "YAML009": "nesting is deeper than 32 levels",
    "YAML010": "a key is not plain text",
    "YAML011": "the file does not hold exactly one document",
}
"""Stable codes of this module and what they mean."""


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """A scalar: its typed `value` and the `text` it was written as (escapes resolved)."""

    value: str | int | float | bool | None
    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class YamlList:
    """A block or flow sequence."""

    items: tuple[Tree, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class YamlTable:
    """A block or flow mapping; entries in file order, keys unique."""

    entries: tuple[tuple[YamlScalar, Tree], ...]
    span: Span = field(compare=False)

    def get(self, key: str) -> Tree | None:
        """The value under a key, None when absent."""
        for name, value in self.entries:
            if name.text == key:
                return value
        return None

    def key(self, key: str) -> YamlScalar | None:
        """The key itself (for its span), None when absent."""
        for name, _ in self.entries:
            if name.text == key:
                return name
        return None


Tree: TypeAlias = YamlScalar | YamlList | YamlTable
Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"


def plain(tree: Tree) -> Plain:
    """The tree as dicts, lists and scalars, without places."""
    match tree:
        case YamlScalar(value):
            return value
        case YamlList(items):
            return [plain(item) for item in items]
        case YamlTable(entries):
            return {key.text: plain(value) for key, value in entries}
        case _:
            assert_never(tree)


_INTEGER = re.compile(r"[-+]?\d{1,40}|0x[0-9a-fA-F]{1,32}|0o[0-7]{1,40}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.\d{1,40}|\d{1,40}(\.\d{0,40})?)([eE][-+]?\d{1,4})?", re.ASCII)
_WORDS: dict[str, bool | None] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)


def scalar_value(text: str) -> str | int | float | bool | None:
    """Value of an unquoted scalar by the YAML 1.2 core schema (no infinities, no timestamps)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def read_yaml(path: Path) -> Tree:
    """Read one file; raises CovenantError with every finding (exit code 3)."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot read the file: {reason}"
        raise fail("YAML001", message, Span(file), "check its name and permissions") from error
    if len(content) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES} bytes"
        raise fail("YAML002", message, Span(file), "make it smaller, e.g. with ranges `[0..3]`")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise fail(
            "YAML003", message, Span(file, line, column), "save the file as UTF-8 text"
        ) from error
    return parse_yaml(text, file)


def parse_yaml(text: str, file: str) -> Tree:
    """Parse text; `file` names it in messages. Raises CovenantError with every finding."""
    builder = _Builder(text, file)
    tree = builder.document()
    if builder.findings:
        raise CovenantError(builder.findings)
    return tree


_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_CHECK = "check the quotes, brackets and indentation here"
_HELP = {
    "\\t": "indent with spaces; YAML does not accept tabs",
    "mapping values are not allowed": "check the indentation, or quote a value that contains ': '",
    "expected <block end>": "check the indentation of this line",
    "could not find expected ':'": "write `key: value`",
    "cannot start any token": "quote the value",
}


_NO_COLON = re.compile(r"\s*([A-Za-z_]\w*) +([\[{])", re.ASCII)
"""A line whose key has no colon before a list or table."""


class _Mark(Protocol):
    """What both of PyYAML's mark classes offer; zero-based."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class _Builder:
    """Turns the event stream into a tree; collects findings, stops only at broken syntax."""

    def __init__(self, text: str, file: str) -> None:
        self.lines = _LINE_BREAK.split(text)
        self.file = file
        self.findings: list[Diagnostic] = []
        self.events = self._checked(text)
        self.end: _Mark | None = None
        """Where the collection closed last ends."""

    def document(self) -> Tree:
        """The only document of the stream."""
        next(self.events)
        event = next(self.events)
        if not isinstance(event, yaml.DocumentStartEvent):
            message = "the file is empty"
            raise fail("YAML011", message, Span(self.file), "write at least one key")
        tree = self._node(next(self.events), 1)
        next(self.events)
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._report("YAML011", "a second document starts here", event, "keep one document")
        return tree

    def _checked(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from error
        except yaml.reader.ReaderError as error:
            before = _LINE_BREAK.split(text[: error.position])
            line, column = len(before), len(before[-1]) + 1
            message = f"character U+{ord(text[error.position]):04X} is not allowed in YAML"
            span = Span(self.file, line, column, column + 1, self.lines[line - 1])
            raise fail("YAML004", message, span, "remove the character") from error
        except (ValueError, OverflowError) as error:
            message = "an escape or a directive holds a number that is too large"
            raise fail("YAML004", message, Span(self.file), "write the text plainly") from error

    def _syntax(self, error: yaml.MarkedYAMLError) -> CovenantError:
        mark = error.problem_mark or error.context_mark
        span = self._span(mark, mark)
        problem = (error.problem or "not YAML").split("; ")[0].replace("\n", " ")
        message = f"{error.context}: {problem}" if error.context else problem
        repair = next((text for part, text in _HELP.items() if part in problem), _CHECK)
        bare = _NO_COLON.match(span.source)
        if bare is not None:
            message = f"a colon is missing after '{bare[1]}'"
            repair = f"write `{bare[1]}: {bare[2]}…`"
        elif "expected <block end>" in problem:
            message = "the line is not indented like those beside it"
        return fail("YAML004", message, span, repair)

    def _span(self, start: _Mark | None, end: _Mark | None) -> Span:
        if start is None or end is None:
            return Span(self.file)
        source = self.lines[start.line] if start.line < len(self.lines) else ""
        column = start.column + 1
        stop = end.column + 1 if end.line == start.line else len(source) + 1
        return Span(self.file, start.line + 1, column, max(stop, column + 1), source)

    def _report(self, code: str, message: str, event: yaml.Event, repair: str) -> None:
        span = self._span(event.start_mark, event.end_mark)
        self.findings.append(Diagnostic(code, message, span, repair))

    def _node(self, event: yaml.Event, depth: int) -> Tree:
        span = self._span(event.start_mark, event.end_mark)
        if depth > MAX_DEPTH:
            message = f"nesting is deeper than {MAX_DEPTH} levels"
            raise fail("YAML009", message, span, "name the inner part in a key of its own")
        if isinstance(event, yaml.AliasEvent):
            message = f"alias *{event.anchor} is not accepted"
            self._report("YAML005", message, event, "repeat the value, or use ${parameters}")
            return YamlScalar(None, "", span)
        self._check_properties(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return YamlList(tuple(self._items(depth + 1)), self._until_end(event, span))
        if isinstance(event, yaml.MappingStartEvent):
            return YamlTable(tuple(self._entries(depth + 1)), self._until_end(event, span))
        assert isinstance(event, yaml.ScalarEvent)
        return self._scalar(event, span)

    def _until_end(self, start: yaml.CollectionStartEvent, span: Span) -> Span:
        """The span of a whole `[…]` or `{…}`; only its start in block style."""
        return self._span(start.start_mark, self.end) if start.flow_style else span

    def _check_properties(self, event: yaml.Event) -> None:
        if getattr(event, "anchor", None) is not None:
            message = f"anchor &{getattr(event, 'anchor', '')} is not accepted"
            self._report("YAML005", message, event, "remove it; use ${parameters} to share values")
        if getattr(event, "tag", None) is not None:
            tag = str(getattr(event, "tag", "")).replace("tag:yaml.org,2002:", "!!")
            message = f"tag {tag} is not accepted"
            self._report("YAML006", message, event, "remove the tag")

    def _scalar(self, event: yaml.ScalarEvent, span: Span) -> YamlScalar:
        text = event.value
        if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
            self._report("YAML004", "an escape is not a character", event, "write the text plainly")
            text = ""
        return YamlScalar(scalar_value(text) if event.style is None else text, text, span)

    def _items(self, depth: int) -> Iterator[Tree]:
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self._node(event, depth)
        self.end = event.end_mark

    def _entries(self, depth: int) -> Iterator[tuple[YamlScalar, Tree]]:
        seen: dict[str, Span] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._node(event, depth)
            value = self._node(next(self.events), depth)
            if not isinstance(key, YamlScalar):
                self._report("YAML010", "a key must be plain text", event, "write `key: value`")
            elif key.text == "<<":
                self._report(
                    "YAML007", "merge key << is not accepted", event, "use `extends:` instead"
                )
            elif key.text in seen:
                first = seen[key.text].line
                message = f"key '{key.text}' is given twice"
                self._report("YAML008", message, event, f"first given on line {first}; keep one")
            else:
                seen[key.text] = key.span
                yield key, value
        self.end = event.end_mark
