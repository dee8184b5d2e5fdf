"""`copies`: further nodes that are like others, such as a second array with streams of its own.

In: the tree that a file starts from, and its section `copies`, e.g. `{"2": [gemm, stream_a]}`. Out:
the tree with `gemm2` and `stream_a2` behind the originals. A control unit all of whose nodes are
copied is copied too, with the semaphores that its ports name. References among what is copied go
to the copies, all others stay; keys of the file itself then change what the copy should not share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from covenant.acg.notation import parse_range
from covenant.core.diagnostics import CovenantError, Diagnostic, Span, did_you_mean
from covenant.core.yaml_source import Tree, YamlList, YamlScalar, YamlTable

KEY = "copies"
_SECTIONS = ("memories", "transfers", "compute")
_REFERENCES = ("from", "to", "stream", "partial", "spill", "after", "nodes", "waits", "posts")
"""Keys whose values name nodes or semaphores."""
_SUFFIX = re.compile(r"\w{1,16}", re.ASCII)

_Names = Mapping[str, str]


def add_copies(tree: YamlTable, wanted: Tree) -> YamlTable:
    """The tree with its copies; CovenantError when the section is malformed."""
    if not isinstance(wanted, YamlTable):
        raise _fault("ACG012", "copies must be a table of suffixes and lists of nodes", wanted.span)
    for suffix, listed in wanted.entries:
        if not _SUFFIX.fullmatch(suffix.text):
            message = f"'{suffix.text}' cannot be the end of a name"
            raise _fault("ACG015", message, suffix.span, 'use letters and digits, e.g. `"2"`')
        tree = _with_copy(tree, suffix.text, listed)
    return tree


def _with_copy(tree: YamlTable, suffix: str, listed: Tree) -> YamlTable:
    known = [key.text for section in _SECTIONS for key, _ in _entries(tree, section)]
    names = _names(listed, known, suffix)
    units = [
        (key, unit)
        for key, unit in _entries(tree, "control", "units")
        if (nodes := _texts(unit, "nodes")) and nodes <= names.keys()
    ]
    used = set().union(*(_texts(unit, "waits") | _texts(unit, "posts") for _, unit in units))
    semaphores = _items(tree, "control", "semaphores")
    copied = [s for s in semaphores if s.text in used]
    names = {**names, **{s.text: s.text + suffix for s in copied}}
    for section in _SECTIONS:
        found = [e for e in _entries(tree, section) if e[0].text in names]
        made = tuple(
            (_renamed(key, names), _like(_copy(value, names), names)) for key, value in found
        )
        tree = _extended(tree, (section,), made)
    tree = _extended(tree, ("control", "units"), tuple(_units(tree, units, names, suffix)))
    if copied:
        more = YamlList((*semaphores, *(_renamed(s, names) for s in copied)), listed.span)
        tree = _replaced(tree, ("control", "semaphores"), more)
    return tree


def _names(listed: Tree, known: Sequence[str], suffix: str) -> _Names:
    """Names to copy, which exist, and those of the copies, which do not."""
    found = listed.items if isinstance(listed, YamlList) else ()
    scalars = [name for name in found if isinstance(name, YamlScalar)]
    if not scalars or len(scalars) < len(found):
        raise _fault("ACG012", "the nodes to copy must be a list of names", listed.span)
    for name in scalars:
        if name.text not in known:
            message = f"nothing to copy is named '{name.text}'"
            raise _fault("ACG021", message, name.span, did_you_mean(name.text, known))
        if name.text + suffix in known:
            message = f"there is a node '{name.text}{suffix}' already"
            raise _fault("ACG020", message, name.span, "take another suffix")
    return {name.text: name.text + suffix for name in scalars}


def _units(
    tree: YamlTable, units: Sequence[tuple[YamlScalar, Tree]], names: _Names, suffix: str
) -> Iterator[tuple[YamlScalar, Tree]]:
    """Copies of control units, with ids behind those that are taken."""
    taken = -1
    for key, unit in _entries(tree, "control", "units"):
        taken = max(taken, _id(unit) + _channels(key.text) - 1)
    for key, unit in units:
        stem, bracket, channels = key.text.partition("[")
        name = f"{stem}{suffix}{bracket}{channels}"
        made = _copy(unit, names)
        if _id(unit) >= 0 and isinstance(made, YamlTable):
            made = _replaced(made, ("id",), YamlScalar(taken + 1, str(taken + 1), key.span))
            taken += _channels(key.text)
        yield YamlScalar(name, name, key.span), made


def _channels(name: str) -> int:
    found = parse_range(name)
    return found[2] - found[1] + 1 if found else 1


def _id(unit: Tree) -> int:
    value = unit.get("id") if isinstance(unit, YamlTable) else None
    return value.value if isinstance(value, YamlScalar) and isinstance(value.value, int) else -1


def _copy(tree: Tree, names: _Names) -> Tree:
    """The same with references to what is copied going to the copies."""
    if not isinstance(tree, YamlTable):
        return tree
    entries = (
        (key, _all_renamed(value, names) if key.text in _REFERENCES else _copy(value, names))
        for key, value in tree.entries
    )
    return YamlTable(tuple(entries), tree.span)


def _like(node: Tree, names: _Names) -> Tree:
    """A copied node that is like another copied one, like that copy."""
    other = node.get("like") if isinstance(node, YamlTable) else None
    if not isinstance(node, YamlTable) or not isinstance(other, YamlScalar):
        return node
    return _replaced(node, ("like",), _renamed(other, names))


def _all_renamed(tree: Tree, names: _Names) -> Tree:
    if isinstance(tree, YamlScalar):
        return _renamed(tree, names)
    if isinstance(tree, YamlList):
        return YamlList(tuple(_all_renamed(item, names) for item in tree.items), tree.span)
    return YamlTable(tuple((k, _all_renamed(v, names)) for k, v in tree.entries), tree.span)


def _renamed(name: YamlScalar, names: _Names) -> YamlScalar:
    text = names.get(name.text)
    return name if text is None else YamlScalar(text, text, name.span)


def _texts(tree: Tree, key: str) -> set[str]:
    """All scalars below a key of a table."""
    below = tree.get(key) if isinstance(tree, YamlTable) else None
    return set() if below is None else set(_scalars(below))


def _scalars(tree: Tree) -> Iterator[str]:
    if isinstance(tree, YamlScalar):
        yield tree.text
        return
    below = tree.items if isinstance(tree, YamlList) else [value for _, value in tree.entries]
    for each in below:
        yield from _scalars(each)


def _at(tree: Tree | None, path: Sequence[str]) -> Tree | None:
    for key in path:
        tree = tree.get(key) if isinstance(tree, YamlTable) else None
    return tree


def _entries(tree: YamlTable, *path: str) -> tuple[tuple[YamlScalar, Tree], ...]:
    found = _at(tree, path)
    return found.entries if isinstance(found, YamlTable) else ()


def _items(tree: YamlTable, *path: str) -> tuple[YamlScalar, ...]:
    found = _at(tree, path)
    items = found.items if isinstance(found, YamlList) else ()
    return tuple(item for item in items if isinstance(item, YamlScalar))


def _extended(
    tree: YamlTable, path: Sequence[str], more: tuple[tuple[YamlScalar, Tree], ...]
) -> YamlTable:
    found = _at(tree, path)
    if not more or not isinstance(found, YamlTable):
        return tree
    return _replaced(tree, path, YamlTable((*found.entries, *more), found.span))


def _replaced(tree: YamlTable, path: Sequence[str], value: Tree) -> YamlTable:
    """The tree with another value under a path that exists."""
    below = tree.get(path[0])
    if len(path) > 1 and isinstance(below, YamlTable):
        value = _replaced(below, path[1:], value)
    entries = ((key, value if key.text == path[0] else old) for key, old in tree.entries)
    return YamlTable(tuple(entries), tree.span)


def _fault(
    code: str, message: str, span: Span, repair: str = "write `{suffix: [node, …]}`"
) -> CovenantError:
    return CovenantError([Diagnostic(code, message, span, repair)])
