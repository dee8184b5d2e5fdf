"""Reading an architecture: from a name or a path to a verified graph.

In: a YAML file and `--set` overrides. Out: `Acg`, or CovenantError with every finding (exit 3).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from covenant.acg import compose, copies, sections
from covenant.acg.build import build
from covenant.acg.findings import keys_at, located
from covenant.acg.graph import Acg
from covenant.acg.places import Places
from covenant.acg.recover import further_findings
from covenant.acg.shared import expand
from covenant.acg.verify import verify
from covenant.core.diagnostics import CovenantError, Diagnostic, Span, did_you_mean, fail
from covenant.core.resources import architectures_directory
from covenant.core.yaml_source import Tree, YamlScalar, YamlTable, plain, read_yaml

_SUFFIXES = (".yaml", ".yml")


def shipped_architectures() -> tuple[str, ...]:
    """Names of the shipped architectures, sorted."""
    return tuple(sorted(path.stem for path in architectures_directory().glob("*.yaml")))


def find_architecture(name: str) -> Path:
    """The file of a shipped name (with or without .yaml) or of a path, which wins if it exists."""
    return _find(name, Path(), Span(name))


def _find(name: str, directory: Path, span: Span) -> Path:
    path = directory / name
    if path.suffix in _SUFFIXES and os.path.isfile(path):
        return path
    stem = name.removesuffix(".yaml").removesuffix(".yml")
    if stem in shipped_architectures():
        return architectures_directory() / f"{stem}.yaml"
    if os.path.isfile(path):
        return path
    message = f"no shipped architecture or file is named '{name}'"
    raise fail("ACG001", message, span, did_you_mean(stem, shipped_architectures()))


def read_architecture(path: Path | str, overrides: Mapping[str, str] | None = None) -> Acg:
    """Read, resolve, check and verify one architecture. `overrides` maps dotted paths
    (`l1.size`) to YAML values (`256KiB`)."""
    file = path if isinstance(path, Path) else find_architecture(path)
    found: list[Diagnostic] = []
    tree = load(file, (), found)
    tree = compose.override(tree, overrides or {}, keys_at(()), lambda t: expand(t)[0])
    return build_verified(compose.substitute(tree), found)


def build_verified(tree: Tree, earlier: Sequence[Diagnostic] = ()) -> Acg:
    """The graph of a resolved tree; raises CovenantError with every finding, after earlier ones."""
    tree, shared = expand(tree)
    found = shared or _attempt(tree)
    if not earlier and isinstance(found, Acg):
        return found
    more = [] if isinstance(found, Acg) else found
    raise CovenantError(further_findings(tree, [*earlier, *more], _findings))


def _findings(tree: Tree) -> list[Diagnostic]:
    found = _attempt(tree)
    return [] if isinstance(found, Acg) else found


def _attempt(tree: Tree) -> Acg | list[Diagnostic]:
    """The graph, or the findings of the first stage that has any."""
    try:
        section = sections.validate(plain(tree))
    except ValidationError as error:
        return located(error, tree)
    acg, places = build(section, Places(tree))
    return verify(acg, places) or acg


def load(
    path: Path, extended_by: tuple[Path, ...] = (), found: list[Diagnostic] | None = None
) -> Tree:
    """The tree of a file with what it `extends` merged in, its `copies` made and both keys
    removed. found: gathers findings with which the tree can still be looked at; None: they are
    raised."""
    tree = read_yaml(path)
    if not isinstance(tree, YamlTable):
        return tree
    base, wanted = tree.get("extends"), tree.get(copies.KEY)
    own = _without(tree, "extends", copies.KEY)
    if base is None:
        return own if wanted is None else copies.add_copies(own, wanted)
    if not isinstance(base, YamlScalar) or not isinstance(base.value, str):
        message = "'extends' must be the name or path of an architecture"
        raise fail("ACG002", message, base.span, "write `extends: <architecture>`")
    chain = (*extended_by, path.resolve())
    below = _find(base.value, path.parent, base.span)
    if below.resolve() in chain or len(chain) > compose.MAX_EXTENDS:
        message = f"'{base.value}' extends itself"
        if below.resolve() not in chain:
            message = f"more than {compose.MAX_EXTENDS} files extend one another"
        raise fail("ACG002", message, base.span, "extend an architecture that stands alone")
    start = load(below, chain, found)
    if wanted is not None and isinstance(start, YamlTable):
        start = copies.add_copies(start, wanted)
    return _merged(start, own, found)


def _without(tree: YamlTable, *keys: str) -> YamlTable:
    return YamlTable(tuple(e for e in tree.entries if e[0].text not in keys), tree.span)


def _merged(start: Tree, own: Tree, found: list[Diagnostic] | None) -> Tree:
    findings: list[Diagnostic] = []
    merged = compose.merge(start, own, findings)
    if findings and found is None:
        raise CovenantError(findings)
    if found is not None:
        found += findings
    return merged
