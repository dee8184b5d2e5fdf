"""The first decision in which two mappings of a layer differ.

In: two mappings of equal codelets, on any architectures. Out: a `Difference`, or None. Decisions
are compared in the order in which they depend on one another; names of nodes and memories are not
decisions. How the banks are divided is no part of a mapping: who knows the architectures tells.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass

from covenant.mapper.mapping import Mapping, Placement


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs: binding, tiles, order, residency, copies, banks or addresses, and what each
    mapping decided."""

    decision: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.decision} {self.first} | {self.second}"


def first_difference(
    first: Mapping, second: Mapping, banks: tuple[str, str] = ("", "")
) -> Difference | None:
    """The first decision that differs, with only its differing parts; `banks`: how each divides
    them."""
    compared = [(name, decide(first), decide(second)) for name, decide in _DECISIONS]
    compared.append(("banks", {"": banks[0]}, {"": banks[1]}))
    compared.append(("addresses", _addresses(first), _addresses(second)))
    for decision, one, other in compared:
        found = _differing(one, other)
        if found is not None:
            return Difference(decision, *found)
    return None


def _differing(first: Map[str, str], second: Map[str, str]) -> tuple[str, str] | None:
    keys = [k for k in dict.fromkeys((*first, *second)) if first.get(k) != second.get(k)]
    if not keys:
        return None
    one, other = (
        " ".join(f"{k}={each.get(k, '-')}" if k else each.get(k, "-") for k in keys)
        for each in (first, second)
    )
    return one, other


def _binding(mapping: Mapping) -> dict[str, str]:
    """Codelet dims by capability dim; of later steps with their number."""
    return {
        dim if number == 1 else f"{number}.{dim}": bound
        for number, step in enumerate(mapping.steps, start=1)
        for dim, bound in step.dims
    }


def _tiles(mapping: Mapping) -> dict[str, str]:
    """Tiles by dim, from the outermost level in; `whole` where a dim is not cut."""
    tiles: dict[str, str] = dict.fromkeys(mapping.inner, "whole")
    for number, level in enumerate(mapping.levels):
        for loop in level.loops:
            if loop.trips > 1:
                tiles[loop.dim + "'" * number] = str(loop.tile)
    return tiles


def _order(mapping: Mapping) -> dict[str, str]:
    loops = (loop for level in mapping.levels for loop in level.loops if loop.trips > 1)
    outer = " ".join(loop.dim for loop in loops) or "none"
    return {"": f"{outer} / {' '.join(mapping.inner)}"}


def _residency(mapping: Mapping) -> dict[str, str]:
    """By tensor: the loops that exchange its tile."""
    found: dict[str, str] = {}
    for name, placement in _named(mapping):
        outer = [loop for level in mapping.levels[: placement.level] for loop in level.loops]
        outside = (*outer, *mapping.levels[placement.level].loops[: placement.cut])
        text = ",".join(loop.dim for loop in outside if loop.trips > 1)
        found[name] = text or "resident"
    return found


def _copies(mapping: Mapping) -> dict[str, str]:
    return {name: str(placement.copies) for name, placement in _named(mapping)}


def _addresses(mapping: Mapping) -> dict[str, str]:
    return {
        name: ",".join(map(str, placement.addresses)) or "-" for name, placement in _named(mapping)
    }


def _named(mapping: Mapping) -> list[tuple[str, Placement]]:
    """Placements by tensor (or port); a tensor held at several levels gets a prime per level."""
    found: dict[str, Placement] = {}
    for placement in mapping.placements:
        name = placement.tensor or placement.port
        while name in found:
            name += "'"
        found[name] = placement
    return list(found.items())


_DECISIONS = (
    ("binding", _binding),
    ("tiles", _tiles),
    ("order", _order),
    ("residency", _residency),
    ("copies", _copies),
)
