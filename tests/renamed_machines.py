"""An architecture with other names and another order of nodes, which must decide nothing.

In: the YAML of an architecture as a tree. Out: the changed one, its `Acg`, and mappings with the
old names.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.mapper.mapping import Mapping

_NODES = ("memories", "transfers", "compute")
_REFERENCES = ("from", "to", "stream", "partial", "spill", "after")


def names_of(tree: dict[str, Any]) -> list[str]:
    return [name for section in _NODES for name in tree[section]]


def renamed(tree: Any, names: dict[str, str], key: str = "") -> Any:
    """The tree with other names of memories, transfers and compute nodes, wherever they stand."""
    if isinstance(tree, dict):
        keys = names if key in _NODES else {}
        return {keys.get(k, k): renamed(v, names, k) for k, v in tree.items()}
    if isinstance(tree, list):
        return [renamed(v, names, key) for v in tree]
    if key in (*_REFERENCES, "nodes"):
        return names.get(tree, tree)
    return tree


def shuffled(tree: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The tree with sections, and the nodes of every section, in another order."""

    def mixed(table: dict[str, Any]) -> dict[str, Any]:
        items = list(table.items())
        rng.shuffle(items)
        return dict(items)

    return mixed({k: mixed(v) if k in _NODES else v for k, v in tree.items()})


def back(mapping: Mapping, names: dict[str, str]) -> Mapping:
    """A mapping with the original names, without what differs between two runs."""
    old = {new: name for name, new in names.items()}
    return replace(
        mapping,
        steps=tuple(replace(s, node=old.get(s.node, s.node)) for s in mapping.steps),
        levels=tuple(
            replace(x, memories=tuple(old.get(m, m) for m in x.memories)) for x in mapping.levels
        ),
        placements=tuple(
            replace(p, memory=old.get(p.memory, p.memory)) for p in mapping.placements
        ),
        proof=replace(mapping.proof, solve_seconds=0, first_seconds=0),
    )


def read_tree(tree: dict[str, Any], folder: Path) -> Acg:
    """The architecture of a tree."""
    path = folder / "arch.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return read_architecture(path)


def changed_names(tree: dict[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The tree with random names and order, and the new names by the old."""
    rng = random.Random(seed)
    other = {name: f"{chr(rng.randrange(97, 123))}_{i}" for i, name in enumerate(names_of(tree))}
    return shuffled(renamed(tree, other), rng), other
