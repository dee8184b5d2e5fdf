"""What tiles of a dim must consist of, and which dims share an axis of a tensor's layout.

In: operands and sites. Out: elements by dim, names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import lcm

from covenant.mapper.operands import Operand
from covenant.mapper.placement import granule
from covenant.mapper.sites import Site
from covenant.mapper.traffic import groups


def grain_of(
    placed: Iterable[Operand], dim: str, words: dict[str, int], masking: frozenset[str]
) -> int:
    """Elements of a dim that no tile may split: words and beats it is packed into."""
    grain = 1
    for operand in placed:
        if operand.record_bytes:
            grain = lcm(grain, operand.beat[0][1] if operand.packed == dim else 1)
            continue
        if operand.packed == dim:
            whole = granule(operand, words[operand.port])
            grain = lcm(grain, operand.beat[-1][1], whole, operand.deep or 1)
        if operand.lane == dim and not (operand.strided and operand.stream in masking):
            grain = lcm(grain, operand.lanes)
    return grain


def shared_dims(
    found: Iterable[Site], inner: Sequence[str], extents: Mapping[str, int]
) -> set[str]:
    """Dims that lie in one axis group with others."""
    shared: set[str] = set()
    for site in found:
        for group in groups(site.operand, inner, plain=site.is_plain):
            dims = [d for d in group.dims if extents[d] > 1]
            shared.update(dims if len(dims) > 1 else ())
    return shared
