"""What-if: architectures with one resource doubled, or one latency halved.

In: an architecture and the capability a layer runs on. Out: `Change`s, and the architecture that
each leads to. Built from nodes and attributes alone, so they hold for any architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from covenant.acg import compose
from covenant.acg.dump import resolved_yaml
from covenant.acg.findings import keys_at
from covenant.acg.graph import Acg, Capability
from covenant.acg.reader import build_verified
from covenant.core.diagnostics import CovenantError
from covenant.core.yaml_source import parse_yaml

Overrides = tuple[tuple[str, str], ...]


class Resource(StrEnum):
    """What a change gives more of."""

    BANDWIDTH = "off-chip bandwidth"
    ARRAY = "array"
    SIZE = "on-chip memory"
    LATENCY = "off-chip latency"


@dataclass(frozen=True, slots=True)
class Change:
    """`title` for people; `overrides`: dotted paths and values, as `--set` takes them; `with_chain`
    those to try when the chained nodes must follow."""

    resource: Resource
    title: str
    overrides: Overrides
    with_chain: Overrides = ()

    @property
    def keeps_mappings(self) -> bool:
        """Whether a mapping means the same after it: layouts and addresses depend on the others."""
        return self.resource in (Resource.BANDWIDTH, Resource.LATENCY)


def changes(acg: Acg, node: str, capability: str) -> tuple[Change, ...]:
    """Every question worth asking for a layer whose first step runs on that capability."""
    return (
        *_bandwidth(acg),
        *_array(acg, node, capability),
        *_sizes(acg),
        *_latency(acg),
    )


def changed(acg: Acg, change: Change) -> Acg:
    """The architecture with a change made; CovenantError with the reason when it is not legal."""
    try:
        return _overridden(acg, change.overrides)
    except CovenantError:
        if not change.with_chain:
            raise
    return _overridden(acg, (*change.overrides, *change.with_chain))


def _overridden(acg: Acg, overrides: Overrides) -> Acg:
    """Set in the resolved file: there a parameter that nothing uses any more is no mistake."""
    tree = parse_yaml(resolved_yaml(acg), acg.file)
    return build_verified(compose.override(tree, dict(overrides), keys_at(())))


def _bandwidth(acg: Acg) -> Iterator[Change]:
    """Each off-chip memory together with the transfers that join it."""
    for memory in acg.off_chip:
        joined = [t for t in acg.transfers if memory.name in (t.source, t.target)]
        paths = (
            (f"{memory.name}.read_bytes_per_cycle", memory.read_bytes_per_cycle),
            (f"{memory.name}.write_bytes_per_cycle", memory.write_bytes_per_cycle),
            *((f"{t.name}.bytes_per_cycle", t.bytes_per_cycle) for t in joined),
        )
        doubled = tuple((path, str(2 * value)) for path, value in paths)
        yield Change(Resource.BANDWIDTH, f"{memory.name} bandwidth x2", doubled)


def _array(acg: Acg, node: str, capability: str) -> Iterator[Change]:
    """Each dim of the array; its other shapes, and a chained node that takes as many elements a
    step, must follow."""
    head, *chained = acg.chain(node)
    array = {c.name: c for c in head.capabilities}[capability]
    for dim, extent in array.extents.items():
        wider = str(2 * extent)
        follow = [
            (_extent(each, dim), wider)
            for compute in chained
            for each in compute.capabilities
            if each.extents.get(dim) == extent
        ]
        shapes = [c for c in head.capabilities if c.statement == array.statement and c != array]
        follow += [(_extent(each, dim), str(2 * each.extents[dim])) for each in shapes]
        title = f"{node} {dim} x2"
        yield Change(Resource.ARRAY, title, ((_extent(array, dim), wider),), tuple(follow))


def _extent(capability: Capability, dim: str) -> str:
    return f"compute.{capability.node}.capabilities.{capability.name}.extents.{dim}"


def _sizes(acg: Acg) -> Iterator[Change]:
    for memory in acg.on_chip:
        size = ((f"{memory.name}.size", str(2 * memory.size_bytes)),)
        yield Change(Resource.SIZE, f"{memory.name} size x2", size)


def _latency(acg: Acg) -> Iterator[Change]:
    for memory in acg.off_chip:
        if memory.latency_cycles > 1:
            path = ((f"{memory.name}.latency", str(memory.latency_cycles // 2)),)
            yield Change(Resource.LATENCY, f"{memory.name} latency / 2", path)
