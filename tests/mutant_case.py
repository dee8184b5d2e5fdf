"""A legal mapping to mutate, and how to change one of its decisions."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.mapper.mapping import Loop, Mapping, Placement


@dataclass(frozen=True, slots=True)
class Case:
    """A legal mapping with what it maps and where."""

    mapping: Mapping
    codelet: Codelet
    acg: Acg

    @property
    def loops(self) -> list[Loop]:
        """Loops of the nest, outermost first."""
        return list(self.mapping.levels[0].loops)

    def word(self, placement: Placement) -> int:
        """Bytes of a word of the memory a placement lies in."""
        return self.acg.memory(placement.memory).word_bytes

    def dims(self, placement: Placement) -> set[str]:
        """Dims that a placed tensor depends on."""
        refs = [r for s in self.codelet.steps for r in (s.target, *s.refs)]
        return {
            d for r in refs if r.name == placement.tensor for index in r.indices for d in index.dims
        }

    def changed(self, port: str, /, **changes: Any) -> Mapping:
        """The mapping with another placement of a port."""
        placements = tuple(
            replace(p, **changes) if p.port == port else p for p in self.mapping.placements
        )
        return replace(self.mapping, placements=placements)

    def nested(self, loops: list[Loop]) -> Mapping:
        """The mapping with other loops."""
        level = replace(self.mapping.levels[0], loops=tuple(loops))
        return replace(self.mapping, levels=(level,))

    def bound(self, index: int, **changes: Any) -> Mapping:
        """The mapping with another binding of a step."""
        steps = list(self.mapping.steps)
        steps[index] = replace(steps[index], **changes)
        return replace(self.mapping, steps=tuple(steps))


Mutation = Callable[[Case, random.Random], Mapping | None]


def pick(rng: random.Random, places: list[Any]) -> Any:
    """One of the places, None when there is none."""
    return rng.choice(places) if places else None


def any_placement(case: Case, rng: random.Random) -> Placement:
    """One of the placements."""
    return rng.choice(case.mapping.placements)
