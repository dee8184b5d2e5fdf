"""Which library file builds the codelet of which family of layers: the one dispatch table.

In: a `Layer`. Out: its `LoweredLayer`, verified. To add an operator: one file in `library/`, one
line here, one golden.
"""

from __future__ import annotations

from collections.abc import Callable

from covenant.codelets.library import conv, gemm
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.verify import verify
from covenant.core.layer import Layer

BUILDERS: dict[str, Callable[[Layer], LoweredLayer]] = {
    "conv": conv.build,
    "gemm": gemm.build,
}


def build(layer: Layer) -> LoweredLayer:
    """The codelet of a layer; KeyError for a family without a builder."""
    lowered = BUILDERS[layer.family](layer)
    verify(lowered.codelet)
    return lowered
