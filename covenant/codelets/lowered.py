"""A layer lowered to a codelet, with how its tensors and constants are seen in ONNX tensors.

In: built by `codelets/library/*`; `codelets.processor` splits one in two. Out: read by the
pipeline, which feeds and unpacks tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from covenant.codelets.ir import Codelet
from covenant.codelets.views import View

SUMS = "sums"
"""What the codelet of a processor's share reads."""


@dataclass(frozen=True, slots=True, eq=False)
class LoweredLayer:
    """The codelet of a layer.

    views: by codelet tensor, for every tensor that is a layer tensor seen differently (`x`, `w`,
    `bias`, `y`). constants: payloads in codelet order and dtype, for every `constant` tensor whose
    values are known (none for a layer with `assumed_int8`). form, whole, finish: where a processor
    does a share of the layer, the name of the split, the layer before it, and what the processor
    computes from the results of the codelet.
    """

    codelet: Codelet
    views: Mapping[str, View]
    constants: Mapping[str, NDArray[Any]]
    form: str = ""
    whole: LoweredLayer | None = None
    finish: Codelet | None = None
