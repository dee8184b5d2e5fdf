"""Which library file builds the codelet of which family of layers: the one dispatch table.

In: a `Layer`. Out: its `LoweredLayer`, verified. To add an operator: one file in `library/`, one
line here, one golden.
"""

from __future__ import annotations

from collections.abc import Callable

from covenant.codelets.library import binary, conv, gemm, move, pool
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.samples import NUMBERS, Numbers, Sample
from covenant.codelets.verify import verify
from covenant.core.layer import Layer

BUILDERS: dict[str, Callable[[Layer], LoweredLayer]] = {
    "conv": conv.build,
    "gemm": gemm.build,
    "max_pool": pool.build_max,
    "average_pool": pool.build_average,
    "sum": binary.build_sum,
    "product": binary.build_product,
    "move": move.build,
}

SAMPLERS: tuple[Callable[[Numbers], tuple[Sample, ...]], ...] = (
    conv.samples,
    gemm.samples,
    pool.samples,
    binary.samples,
    move.samples,
)
"""Small layers of every kind, for asking what an architecture can run."""


def samples() -> dict[str, tuple[tuple[str, LoweredLayer], ...]]:
    """Kind of layer -> its codelets with what their numbers are, the most demanding first."""
    found: dict[str, list[tuple[str, LoweredLayer]]] = {}
    for numbers in NUMBERS:
        for each in (made for sampler in SAMPLERS for made in sampler(numbers)):
            found.setdefault(each.kind, []).append((numbers.title, build(each.layer)))
    return {kind: tuple(codelets) for kind, codelets in found.items()}


def build(layer: Layer) -> LoweredLayer:
    """The codelet of a layer; KeyError for a family without a builder."""
    lowered = BUILDERS[layer.family](layer)
    verify(lowered.codelet)
    return lowered
