"""The file before its keys are checked: `extends`, `--set` overrides and `${parameters}`.

In: trees. Out: one tree in which nothing is left to resolve; every node keeps its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import assert_never

from covenant.core.affine import Affine
from covenant.core.diagnostics import CovenantError, Diagnostic, Span, did_you_mean
from covenant.core.expression import ExpressionError, parse_affine
from covenant.core.yaml_source import Tree, YamlList, YamlScalar, YamlTable, parse_yaml

MAX_EXTENDS = 8
ADDS = "+"
"""At the end of a key: its items are added to the list that is there."""
_INHERITING = ("like", "defaults")
"""Keys of entries that have more than what is written in them."""
_REMOVED = "removed"
"""Text of a null that has removed something; no null is written so."""


def merge(base: Tree, over: Tree, findings: list[Diagnostic], lenient: bool = False) -> Tree:
    """`over` laid on `base`: tables merge key by key, null removes a key, `key+` adds to a list,
    others replace. lenient: what null removes may come later, then null stays."""
    if not isinstance(base, YamlTable) or not isinstance(over, YamlTable):
        return over
    lenient = lenient or any(t.get(key) is not None for t in (base, over) for key in _INHERITING)
    entries = {key.text: (key, value) for key, value in base.entries}
    for key, value in over.entries:
        stem = key.text.removesuffix(ADDS)
        listed = entries[stem][1] if stem != key.text and stem in entries else None
        if isinstance(value, YamlScalar) and value.value is None:
            removed = entries.pop(key.text, None) is not None or value.text == _REMOVED
            if lenient:
                text = _REMOVED if removed else value.text
                entries[key.text] = (key, YamlScalar(None, text, value.span))
            elif not removed:
                findings.append(_nothing_removed(key, base))
        elif isinstance(listed, YamlList) and isinstance(value, YamlList):
            entries[stem] = (entries[stem][0], YamlList((*listed.items, *value.items), listed.span))
        elif key.text in entries:
            merged = merge(entries[key.text][1], value, findings, lenient)
            own = not isinstance(value, YamlTable)
            entries[key.text] = (key if own else entries[key.text][0], merged)
        else:
            entries[key.text] = (key, value)
    return YamlTable(tuple(entries.values()), over.span)


def _nothing_removed(key: YamlScalar, base: YamlTable) -> Diagnostic:
    message = f"null removes '{key.text}', which the extended architecture does not have"
    known = [name.text for name, _ in base.entries]
    return Diagnostic("ACG003", message, key.span, did_you_mean(key.text, known))


_NODE_SECTIONS = ("memories", "transfers", "compute")
_INNER_SECTIONS = ("capabilities", "ports", "records")
_DOT = re.compile(r"\.(?![^\[]*\])")


def override(
    tree: Tree,
    settings: Mapping[str, str],
    top_keys: Collection[str],
    whole: Callable[[Tree], Tree] = lambda tree: tree,
) -> Tree:
    """Apply `--set path=value` settings in order; a path may start with a node or parameter, and
    leave out `capabilities`, `ports` and `records`. whole: a tree with all that entries share."""
    findings: list[Diagnostic] = []
    for path, text in settings.items():
        span = Span(f"--set {path}={text}")
        try:
            value = _placed(parse_yaml(text or "''", span.file), span)
            parts = _absolute(tree, _DOT.split(path), top_keys, span)
            parts = _with_inner_sections(whole(tree), parts)
            tree = _set(tree, parts, value, span)
        except CovenantError as error:
            findings += error.diagnostics
    if findings:
        raise CovenantError(findings)
    return tree


def _placed(tree: Tree, span: Span) -> Tree:
    """The tree with every node at one place: a command line has no lines and columns."""
    match tree:
        case YamlScalar(value, text):
            return YamlScalar(value, text, span)
        case YamlList(items):
            return YamlList(tuple(_placed(item, span) for item in items), span)
        case YamlTable(entries):
            moved = ((YamlScalar(k.value, k.text, span), _placed(v, span)) for k, v in entries)
            return YamlTable(tuple(moved), span)
        case _:
            assert_never(tree)


def _absolute(
    tree: Tree, parts: list[str], top_keys: Collection[str], span: Span
) -> tuple[str, ...]:
    """The path from the top of the file: `l1.size` becomes memories, l1, size."""
    first, rest = parts[0], tuple(parts[1:])
    sections = ("parameters", *_NODE_SECTIONS)
    known: list[str] = []
    for section in sections:
        table = tree.get(section) if isinstance(tree, YamlTable) else None
        names = [key.text for key, _ in table.entries] if isinstance(table, YamlTable) else []
        if first in names:
            return (section, first, *rest)
        known += names
    if first in top_keys:
        return (first, *rest)
    message = f"nothing in the architecture is named '{first}'"
    repair = did_you_mean(first, {*known, *top_keys})
    raise CovenantError([Diagnostic("ACG006", message, span, repair)])


def _set(tree: Tree, parts: tuple[str, ...], value: Tree, span: Span) -> Tree:
    if not parts:
        return value
    if not isinstance(tree, YamlTable):
        message = f"'{parts[0]}' is looked for inside a plain value"
        raise CovenantError([Diagnostic("ACG006", message, span, "shorten the path")])
    part, rest = parts[0], parts[1:]
    below = tree.get(part) or YamlTable((), span)
    removes = not rest and isinstance(value, YamlScalar) and value.value is None
    key = tree.key(part) if rest else None
    entry = (key or YamlScalar(part, part, span), _set(below, rest, value, span))
    if tree.get(part) is None:
        return YamlTable((*tree.entries, entry), tree.span)
    kept = ((entry,) if k.text == part and not removes else ((k, v),) for k, v in tree.entries)
    if removes:
        return YamlTable(tuple((k, v) for k, v in tree.entries if k.text != part), tree.span)
    return YamlTable(tuple(each for group in kept for each in group), tree.span)


def _with_inner_sections(tree: Tree | None, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The path with every section that it leaves out."""
    full: list[str] = []
    for part in parts:
        if isinstance(tree, YamlTable) and tree.get(part) is None:
            inner = _inner_section(tree, part)
            full += [inner] if inner else []
            tree = tree.get(inner) if inner else None
        full.append(part)
        tree = tree.get(part) if isinstance(tree, YamlTable) else None
    return tuple(full)


def _inner_section(table: YamlTable, part: str) -> str:
    for section in _INNER_SECTIONS:
        inner = table.get(section)
        if isinstance(inner, YamlTable) and inner.get(part) is not None:
            return section
    return ""


_HOLE = re.compile(r"\$\{([^{}]{0,200})\}")


class Parameters:
    """Values of `${name}`; records which were used."""

    def __init__(self, findings: list[Diagnostic]) -> None:
        self.values: dict[str, YamlScalar] = {}
        self.used: set[str] = set()
        self.findings = findings

    def define(self, table: Tree | None) -> None:
        """Take the `parameters` section; a default may use parameters above it."""
        if table is None:
            return
        if not isinstance(table, YamlTable):
            self._report("ACG005", "parameters must be a table of names and defaults", table.span)
            return
        for key, value in table.entries:
            default = self.fill(value)
            if not isinstance(default, YamlScalar) or default.value is None:
                message = f"parameter '{key.text}' must be a number or text"
                self._report("ACG005", message, value.span)
            elif not key.text.isidentifier():
                message = f"'{key.text}' is not a parameter name"
                self._report("ACG005", message, key.span, "use letters, digits and _")
            else:
                self.values[key.text] = YamlScalar(default.value, default.text, key.span)

    def fill(self, tree: Tree) -> Tree:
        """The tree with every `${…}` replaced, in keys too."""
        match tree:
            case YamlScalar():
                return self._scalar(tree)
            case YamlList(items):
                return YamlList(tuple(map(self.fill, items)), tree.span)
            case YamlTable(entries):
                filled = tuple((self._scalar(key), self.fill(value)) for key, value in entries)
                self._check_unique(filled)
                return YamlTable(filled, tree.span)
            case _:
                assert_never(tree)

    def report_unused(self) -> None:
        """A parameter nothing uses is a mistake."""
        for name, value in self.values.items():
            if name not in self.used:
                message = f"parameter '{name}' is never used"
                self._report("ACG007", message, value.span, f"write ${{{name}}} or remove it")

    def _scalar(self, scalar: YamlScalar) -> YamlScalar:
        if "${" not in scalar.text:
            return scalar
        whole = _HOLE.fullmatch(scalar.text)
        if whole:
            value = self._value(whole[1], scalar.span)
            return YamlScalar(value, str(value), scalar.span)
        text = _HOLE.sub(lambda hole: str(self._value(hole[1], scalar.span)), scalar.text)
        if "${" in text:
            self._report("ACG005", "'${' has no matching '}'", scalar.span, "write ${name}")
        return YamlScalar(text, text, scalar.span)

    def _value(self, text: str, span: Span) -> str | int | float | bool | None:
        try:
            expression = parse_affine(text)
        except ExpressionError as error:
            message = f"'{text}' is not a parameter expression: {error}"
            self._report("ACG005", message, span, "write ${name} or ${2*name+1}")
            return 0
        for name in expression.dims:
            if name not in self.values:
                message = f"unknown parameter '{name}'"
                self._report("ACG004", message, span, _known_parameters(name, self.values))
                return 0
        self.used.update(expression.dims)
        values = {name: self.values[name].value for name in expression.dims}
        if expression == Affine.of(text):
            return values[text]
        return self._sum(expression, values, text, span)

    def _sum(self, expression: Affine, values: Mapping[str, object], text: str, span: Span) -> int:
        numbers = {n: v for n, v in values.items() if isinstance(v, int)}
        for name, value in values.items():
            if name not in numbers:
                message = f"parameter '{name}' is {value!r}, not an integer, in '{text}'"
                self._report("ACG005", message, span)
                return 0
        return expression.evaluate(numbers)

    def _check_unique(self, entries: tuple[tuple[YamlScalar, Tree], ...]) -> None:
        seen: set[str] = set()
        for key, _ in entries:
            if key.text in seen:
                message = f"key '{key.text}' is given twice once parameters are filled in"
                self._report("ACG005", message, key.span, "rename one")
            seen.add(key.text)

    def _report(self, code: str, message: str, span: Span, repair: str = "") -> None:
        self.findings.append(Diagnostic(code, message, span, repair))


def _known_parameters(name: str, values: Mapping[str, YamlScalar]) -> str:
    if not values:
        return f"add `parameters: {{{name}: …}}`"
    return did_you_mean(name, values)


def substitute(tree: Tree) -> Tree:
    """Fill in parameters and drop the `parameters` key; raises CovenantError with every finding."""
    if not isinstance(tree, YamlTable):
        return tree
    findings: list[Diagnostic] = []
    parameters = Parameters(findings)
    parameters.define(tree.get("parameters"))
    rest = YamlTable(tuple(e for e in tree.entries if e[0].text != "parameters"), tree.span)
    filled = parameters.fill(rest)
    parameters.report_unused()
    if findings:
        raise CovenantError(findings)
    return filled
