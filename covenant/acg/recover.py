"""More findings from a file that has some: what is broken is cut out and the rest is looked at.

In: a tree, its findings and how to look at a tree. Out: those findings and further ones that do not
follow from what was cut out. A finding follows from it when it lies in the same node, names it, or
is of a kind that takes several nodes together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from covenant.acg.places import Path
from covenant.core.diagnostics import Diagnostic, Span
from covenant.core.yaml_source import Tree, YamlList, YamlTable

_ROUNDS = 8
"""Most times that something is cut out; each leaves less of the file."""
_OF_ONE_NODE = frozenset(
    f"ACG{n:03}" for n in (*range(10, 25), 30, 32, 33, 36, 37, 38, 39, 50, 51, 52, 53, 54)
)
"""Findings that one node or instruction has by itself."""
_QUOTED = re.compile(r"'([^']*)'")


def further_findings(
    tree: Tree, first: Sequence[Diagnostic], look: Callable[[Tree], Sequence[Diagnostic]]
) -> list[Diagnostic]:
    """`first`, and what `look` finds in the rest of the tree."""
    kept = list(first)
    findings = first
    cut: set[Path] = set()
    for _ in range(_ROUNDS):
        removed = _cuts(tree, findings)
        if not removed:
            break
        for path in removed:
            tree = _without(tree, path)
        cut |= removed
        findings = look(tree)
        places = _Index(tree)
        kept += [f for f in findings if f not in kept and _independent(f, places, cut)]
    return kept


def _cuts(tree: Tree, findings: Sequence[Diagnostic]) -> set[Path]:
    """The entries of tables and lists that the findings stand at; no whole section."""
    places = _Index(tree)
    found = {places.path(finding.span) for finding in findings}
    found = {path for path in found if len(path) >= 2}
    return {path for path in found if not any(path[:n] in found for n in range(1, len(path)))}


def _owner(path: Path) -> Path:
    """The node, mnemonic or unit that a path lies in."""
    return path[: 3 if path[:1] == ("control",) else 2]


def _independent(finding: Diagnostic, places: _Index, cut: set[Path]) -> bool:
    owner = _owner(places.path(finding.span))
    names = {str(part) for path in cut for part in path[1:]}
    return (
        finding.code in _OF_ONE_NODE
        and len(owner) >= 2
        and owner not in {_owner(path) for path in cut}
        and not names & set(_QUOTED.findall(finding.message))
    )


def _places(tree: Tree, path: Path) -> Iterator[tuple[Span, Path]]:
    """Spans of all keys and values, inner ones first."""
    match tree:
        case YamlTable(entries):
            for key, value in entries:
                yield from _places(value, (*path, key.text))
                yield key.span, (*path, key.text)
        case YamlList(items):
            for index, item in enumerate(items):
                yield from _places(item, (*path, index))
    yield tree.span, path


class _Index:
    """Paths by place."""

    def __init__(self, tree: Tree) -> None:
        self.exact: dict[tuple[str, int, int], Path] = {}
        self.lines: dict[tuple[str, int], list[tuple[Span, Path]]] = {}
        for span, path in _places(tree, ()):
            self.exact.setdefault((span.file, span.line, span.column), path)
            self.lines.setdefault((span.file, span.line), []).append((span, path))

    def path(self, span: Span) -> Path:
        """The path of what starts at a span, or of the innermost text around it; () if unknown."""
        found = self.exact.get((span.file, span.line, span.column))
        if found is not None or not span.line:
            return found or ()
        around = self.lines.get((span.file, span.line), [])
        inside = (p for s, p in around if s.column <= span.column < s.end_column)
        return next(inside, ())


def _without(tree: Tree, path: Path) -> Tree:
    """The tree without the entry at a path."""
    first, rest = path[0], path[1:]
    match tree:
        case YamlTable(entries):
            kept = (
                (key, _without(value, rest) if key.text == first else value)
                for key, value in entries
                if rest or key.text != first
            )
            return YamlTable(tuple(kept), tree.span)
        case YamlList(items):
            found = (
                _without(item, rest) if index == first else item
                for index, item in enumerate(items)
                if rest or index != first
            )
            return YamlList(tuple(found), tree.span)
        case _:
            return tree
