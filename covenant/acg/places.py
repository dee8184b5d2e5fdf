"""Where each part of an architecture was written.

In: the tree of the file and the names that ranges stood for. Out: the span of a path such as
("memories", "l1", "banks"), or of its nearest written parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from covenant.core.diagnostics import Span
from covenant.core.yaml_source import Tree, YamlList, YamlScalar, YamlTable

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Places:
    """Spans by path; `aliases` maps paths of expanded items to the path that was written."""

    tree: Tree
    aliases: Mapping[Path, Path] = field(default_factory=dict)

    def written(self, path: Path) -> Path:
        """The path as written in the file, ranges folded back."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.aliases:
                return self.written(self.aliases[path[:length]]) + path[length:]
        return path

    def value(self, *path: str | int) -> Span:
        """Span of the value at a path, or of the nearest parent's key when it is absent."""
        return self._walk(self.written(path), False)

    def key(self, *path: str | int) -> Span:
        """Span of the key at a path, or of the nearest parent's key when it is absent."""
        return self._walk(self.written(path), True)

    def node(self, *path: str | int) -> Tree | None:
        """The subtree at a path, None when absent."""
        tree: Tree | None = self.tree
        for part in self.written(path):
            tree = _child(tree, part)
        return tree

    def _walk(self, path: Path, want_key: bool) -> Span:
        tree = self.tree
        nearest = self.tree.span
        for index, part in enumerate(path):
            child = _child(tree, part)
            if child is None:
                return nearest
            key = tree.key(str(part)) if isinstance(tree, YamlTable) else None
            nearest = key.span if key is not None else child.span
            tree = child
            if index == len(path) - 1 and not want_key and isinstance(tree, YamlScalar | YamlList):
                return tree.span
        return nearest


def _child(tree: Tree | None, part: str | int) -> Tree | None:
    match tree:
        case YamlTable():
            return tree.get(str(part))
        case YamlList(items) if isinstance(part, int) and part < len(items):
            return items[part]
        case _:
            return None
