"""Tiles and loop orders of others as pins of our solver, which scores them by `cost.py`.

In: the peer's nest, or the tiles of a rule. Out: pins. What they leave open (cuts, copies,
addresses) is decided in the other's favour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from covenant.codelets.ir import Codelet
from covenant.core.yaml_source import parse_yaml
from covenant.mapper.pins import Pin
from covenant.mapper.pins_reader import parse_pins
from mapper_peer import PEER_ARRAY, PEER_DIMS, Peer
from workloads import Workload


def peer_pins(workload: Workload, peer: Peer, codelet: Codelet) -> tuple[Pin, ...] | None:
    """The peer's tiles and order of loops; None when a dim is split at more places than the levels
    of a mapping have."""
    names = PEER_DIMS[type(workload.shape)]
    ours = {theirs: own for own, theirs in names.items() if own in codelet.extents}
    as_one = {} if "OY" in ours else {"OY": "OX", "FY": "FX"}  # rows and columns run as one
    order = [(as_one.get(dim, dim), size) for dim, size in peer.order]
    split = min(peer.inside.values())
    outer: list[str] = []
    for dim, _ in reversed(order[split:]):
        if not outer or outer[-1] != dim:
            outer.append(dim)
    if len(set(outer)) < len(outer) or any(d not in ours for d in outer):
        return None
    tiles = {}
    for dim in outer:
        size = prod(n for d, n in order[:split] if d == dim) * PEER_ARRAY.get(dim, 1)
        tiles[ours[dim]] = min(size, codelet.extents[ours[dim]])
    return tile_pins(tiles, [ours[d] for d in outer], codelet)


def tile_pins(tiles: Mapping[str, int], order: Sequence[str], codelet: Codelet) -> tuple[Pin, ...]:
    """Tiles of the outermost on-chip memories, other dims whole, and the order of loops if any."""
    split = {d: size for d, size in tiles.items() if size < codelet.extents[d]}
    sizes = [f"{d}: {split.get(d, 'whole')}" for d in codelet.extents]
    kept = [d for d in order if d in split]
    text = f"pins: 1\nlayers:\n  - tiles: {{{', '.join(sizes)}}}\n"
    if kept:
        text += f"    order: [{', '.join(kept)}]\n"
    (entry,) = parse_pins(parse_yaml(text, "pins.yaml")).entries
    return entry.pins
