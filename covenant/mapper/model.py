"""The CP-SAT model of one binding: decisions, constraints, objectives.

In: a `Space`. Out: a `Model` with the variables that solving reads back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ortools.sat.python import cp_model

from covenant.mapper.constraints.allocation import Allocation, add_allocation
from covenant.mapper.constraints.placement import Residency, add_residency
from covenant.mapper.constraints.product import total
from covenant.mapper.constraints.schedule import add_copies, add_latency, add_nesting
from covenant.mapper.constraints.streams import add_stream_limits
from covenant.mapper.constraints.tiling import Tiling, add_tiling
from covenant.mapper.sites import Site, sum_energy
from covenant.mapper.space import Space


@dataclass(frozen=True)
class Model:
    """A built model."""

    space: Space
    proto: cp_model.CpModel
    tiling: Tiling
    residencies: dict[str, Residency]
    double: dict[str, cp_model.IntVar]
    latency: cp_model.IntVar
    dram_words: cp_model.LinearExpr
    energy: cp_model.LinearExpr
    allocation: Allocation

    @property
    def question(self) -> str:
        """What is solved, as text: equal for bindings that differ only where it does not matter,
        as in dims of one element."""
        return f"{self.proto.proto}\n{self.latency}\n{self.dram_words}\n{self.energy}"


def build(space: Space, limit_words: int | None) -> Model:
    """The model; without a limit it asks for the smallest memory instead of fitting one."""
    proto = cp_model.CpModel()
    tiling = add_tiling(proto, space)
    residencies: dict[str, Residency] = {}
    for site in sorted(space.sites, key=lambda s: bool(s.follows)):
        limit = None if limit_words is None else _words(space, site, limit_words)
        leader = residencies.get(site.follows)
        residencies[site.key] = add_residency(proto, space, tiling, site, leader, limit)
    residencies = {s.key: residencies[s.key] for s in space.sites}
    listed = list(residencies.values())
    add_nesting(proto, space, listed)
    double = add_copies(proto, listed)
    allocation = add_allocation(proto, space, tiling, residencies, double, limit_words)
    add_stream_limits(proto, space, tiling)
    latency = add_latency(proto, space, tiling, residencies, double, allocation)
    return Model(
        space,
        proto,
        tiling,
        residencies,
        double,
        latency,
        total(_dram(space, residencies)),
        _energy(space, tiling, residencies),
        allocation,
    )


def _words(space: Space, site: Site, limit_words: int) -> int:
    """Words of a site that its memory can hold."""
    size = site.memory.size_bytes
    if site.memory == space.memory:
        size = limit_words * space.memory.word_bytes
    return size // site.word_bytes


def _dram(space: Space, residencies: dict[str, Residency]) -> Iterator[cp_model.LinearExprT]:
    """Off-chip traffic in units of `Space.dram_unit`."""
    for site in space.moved:
        if site.outer is not None and site.outer.off_chip:
            scale = site.word_bytes // space.dram_unit
            found = residencies[site.key]
            for words in (found.words, found.back_words):
                if words is not None:
                    yield words if scale == 1 else scale * words


def _energy(space: Space, tiling: Tiling, residencies: dict[str, Residency]) -> cp_model.LinearExpr:
    """Femtojoules: words moved between memories, array steps, output tiles, loads of a stationary
    input, raw partial sums."""
    spent = total([space.machine.fixed_energy])
    for shape, share in zip(space.shapes, tiling.shares, strict=True):
        machine = shape.machine
        spent = spent + machine.step_energy * share.steps
        spent = spent + machine.tile_energy * share.tiles
        spent = spent + machine.partial_energy * share.partials
        if machine.load_energy:
            spent = spent + machine.load_energy * (share.outer + share.partials)
    for site in space.moved:
        residency = residencies[site.key]
        if residency.back_words is None:
            spent = spent + site.word_femtojoules * residency.words
        else:
            spent = spent + site.word_femtojoules * residency.back_words
            spent = spent + sum_energy(site) * residency.words
    return spent
