"""What entries share: `like: <another entry of the table>`, the `defaults` of a compute node, and
instruction forms of one range.

In: the tree of a file with what it extends merged in. Out: the tree in which every entry says all
of its keys, and findings. A default port or extent goes to capabilities whose statement names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from covenant.acg.compose import ADDS, merge
from covenant.acg.folded import folded
from covenant.acg.notation import NotationError, parse_range
from covenant.core.diagnostics import Diagnostic, did_you_mean
from covenant.core.yaml_source import Tree, YamlList, YamlScalar, YamlTable

LIKE = "like"
DEFAULTS = "defaults"
_NAMED = ("ports", "extents")
"""Keys of `defaults` whose entries go only where a statement names them."""
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_COUNTED = re.compile(r"=(\d{1,20})\s*\+\s*i$", re.ASCII)
_Change = Callable[[YamlTable], YamlTable]


def expand(tree: Tree) -> tuple[Tree, list[Diagnostic]]:
    """The tree with nothing left to share; what could not be found stays as it was written."""
    if not isinstance(tree, YamlTable):
        return tree, []
    sharing = _Sharing(tree)
    for section in ("memories", "transfers", "compute"):
        tree = _at(tree, section, sharing.alike)
    tree = _at(tree, "compute", lambda nodes: _each(nodes, sharing.node))
    tree = _at(tree, "control", sharing.control)
    return sharing.without_additions(tree), sharing.findings


class _Sharing:
    """Carries out what one file shares; gathers findings."""

    def __init__(self, tree: YamlTable) -> None:
        self.tree = tree
        self.findings: list[Diagnostic] = []

    def control(self, section: YamlTable) -> YamlTable:
        """The control section."""
        section = _at(_at(section, "mnemonics", self.alike), "units", self.alike)
        return _at(section, "mnemonics", _numbered)

    def node(self, node: YamlTable) -> YamlTable:
        """A compute node: its records, and its capabilities with the defaults."""
        shared = node.get(DEFAULTS)
        node = _at(node, "records", self.alike)
        if isinstance(shared, YamlTable):
            node = _at(node, "capabilities", lambda table: self.alike(table, shared))
            node = YamlTable(tuple(e for e in node.entries if e[0].text != DEFAULTS), node.span)
            self._check_taken(shared, node.get("capabilities"))
        else:
            node = _at(node, "capabilities", self.alike)
        node = _at(node, "capabilities", lambda table: _each(table, self._ports))
        return _at(node, "capabilities", lambda table: folded(table, self.tree, self.findings))

    def _ports(self, capability: YamlTable) -> YamlTable:
        return _at(capability, "ports", self.alike)

    def _check_taken(self, shared: YamlTable, capabilities: Tree | None) -> None:
        """Every default port and extent is named by a statement."""
        entries = capabilities.entries if isinstance(capabilities, YamlTable) else ()
        words = {word for _, own in entries for word in _words(own)}
        for name in (name for key in _NAMED for name in _keys(shared.get(key))):
            if name.text not in words:
                message = f"no statement of the node names '{name.text}', which has a default"
                repair = did_you_mean(name.text, sorted(words)) or "remove it"
                self.findings.append(Diagnostic("ACG046", message, name.span, repair))

    def alike(self, table: YamlTable, shared: YamlTable | None = None) -> YamlTable:
        """A table with every `like` carried out, and defaults in those that are like no other."""
        entries = {key.text: value for key, value in table.entries}
        done: dict[str, Tree] = {}
        for name in entries:
            self._like(name, (), entries, done, shared)
        return YamlTable(tuple((key, done[key.text]) for key, _ in table.entries), table.span)

    def _like(
        self,
        name: str,
        chain: tuple[str, ...],
        entries: Mapping[str, Tree],
        done: dict[str, Tree],
        shared: YamlTable | None,
    ) -> Tree:
        """The whole entry of a name; `chain`: those that are like it."""
        value = entries[name]
        if name in done or not isinstance(value, YamlTable):
            return done.setdefault(name, value)
        other = value.get(LIKE)
        start: Tree | None = shared
        if other is not None:
            fault = _fault(name, other, entries, (*chain, name))
            if fault is not None or not isinstance(other, YamlScalar):
                self.findings += [fault] if fault is not None else []
                return done.setdefault(name, value)
            start = self._like(other.text, (*chain, name), entries, done, shared)
        if start is None:
            return done.setdefault(name, value)
        own = YamlTable(tuple(e for e in value.entries if e[0].text != LIKE), value.span)
        return done.setdefault(name, _named(merge(start, own, self.findings), own))

    def without_additions(self, tree: Tree) -> Tree:
        """The tree with every `key+` that has no list to add to written `key`, as a finding."""
        if not isinstance(tree, YamlTable):
            return tree
        entries: list[tuple[YamlScalar, Tree]] = []
        for key, value in tree.entries:
            stem = key.text.removesuffix(ADDS)
            if stem != key.text and tree.get(stem) is None:
                message = f"'{key.text}' adds to a list that nothing before it gives"
                repair = f"write `{stem}: …`"
                self.findings.append(Diagnostic("ACG009", message, key.span, repair))
                key = YamlScalar(stem, stem, key.span)
            entries.append((key, self.without_additions(value)))
        return YamlTable(tuple(entries), tree.span)


def _numbered(forms: YamlTable) -> YamlTable:
    """Instruction forms with every range such as `set[0..3]` written out: in form 2, a field
    `bound[i]` is `bound[2]`, and a constant `=16+i` is `=18`."""
    entries: list[tuple[YamlScalar, Tree]] = []
    for key, form in forms.entries:
        found = _range(key.text)
        if found is None:
            entries.append((key, form))
            continue
        stem, first, last = found
        for number in range(first, last + 1):
            name = f"{stem}{number}"
            entries.append((YamlScalar(name, name, key.span), _with_number(form, number)))
    return YamlTable(tuple(entries), forms.span)


def _range(name: str) -> tuple[str, int, int] | None:
    try:
        return parse_range(name)
    except NotationError:
        return None  # reported where names are checked


def _with_number(tree: Tree, number: int) -> Tree:
    match tree:
        case YamlScalar(str()):
            text = tree.text.replace("[i]", f"[{number}]")
            text = _COUNTED.sub(lambda found: f"={int(found[1]) + number}", text)
            return YamlScalar(text, text, tree.span)
        case YamlTable(entries):
            pairs = ((_with_number(k, number), _with_number(v, number)) for k, v in entries)
            kept = tuple((k, v) for k, v in pairs if isinstance(k, YamlScalar))
            return YamlTable(kept, tree.span)
        case YamlList(items):
            return YamlList(tuple(_with_number(item, number) for item in items), tree.span)
        case _:
            return tree


def _fault(
    name: str, other: Tree, entries: Mapping[str, Tree], chain: tuple[str, ...]
) -> Diagnostic | None:
    """What is wrong with the `like` of an entry."""
    if not isinstance(other, YamlScalar) or not isinstance(other.value, str):
        message = f"'like' of '{name}' must be the name of an entry beside it"
        return Diagnostic("ACG008", message, other.span, "write `like: <name>`")
    if other.text in chain:
        message = f"'{name}' is like itself" + (
            f", by way of '{other.text}'" * (other.text != name)
        )
        return Diagnostic("ACG008", message, other.span, "write out one of them")
    if other.text not in entries:
        message = f"nothing beside '{name}' is named '{other.text}'"
        known = sorted(entries.keys() - {name})
        repair = did_you_mean(other.text, known) or "write out its keys"
        return Diagnostic("ACG008", message, other.span, repair)
    return None


def _words(capability: Tree) -> set[str]:
    """Names in the statement of a capability."""
    statement = capability.get("semantics") if isinstance(capability, YamlTable) else None
    return set(_WORD.findall(statement.text)) if isinstance(statement, YamlScalar) else set()


def _keys(table: Tree | None) -> Iterator[YamlScalar]:
    yield from (key for key, _ in table.entries) if isinstance(table, YamlTable) else ()


def _named(merged: Tree, own: YamlTable) -> Tree:
    """A capability without the ports and extents that others gave it and its statement does not
    name; anything else as it is."""
    if not isinstance(merged, YamlTable) or merged.get("semantics") is None:
        return merged
    for key in _NAMED:
        names = _words(merged) | {name.text for name in _keys(own.get(key))}
        found = merged.get(key)
        entries = found.entries if isinstance(found, YamlTable) else ()
        kept = tuple(e for e in entries if e[0].text in names)
        if len(kept) < len(entries):
            merged = _replaced(merged, key, YamlTable(kept, merged.span))
    return merged


def _replaced(table: YamlTable, key: str, value: Tree) -> YamlTable:
    return YamlTable(
        tuple((k, value if k.text == key else old) for k, old in table.entries), table.span
    )


def _at(tree: YamlTable, key: str, change: _Change) -> YamlTable:
    """The table with the table under a key changed."""
    entries = (
        (k, change(v) if k.text == key and isinstance(v, YamlTable) else v) for k, v in tree.entries
    )
    return YamlTable(tuple(entries), tree.span)


def _each(table: YamlTable, change: _Change) -> YamlTable:
    """The table with every table in it changed."""
    entries = ((k, change(v) if isinstance(v, YamlTable) else v) for k, v in table.entries)
    return YamlTable(tuple(entries), table.span)
