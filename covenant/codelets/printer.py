"""The text form of a codelet, for people, goldens and `--dump-after`.

In: a codelet. Out: text that `parser.parse_codelet` turns back into an equal codelet:

    codelet gemm "fc"
      dims b=1 m=4 n=8 k=16
      input x uint8[1,4,16]
      constant w int8[1,16,8]
      local acc int32[1,4,8]
      output y int32[1,4,8]
      acc[b,m,n] += (x[b,m,k] - 128) * w[b,k,n]
      y[b,m,n] = acc[b,m,n]

Tensors stand in the order of the codelet; `pad=` gives the value read outside the shape,
`uniform` says that all elements are equal.
"""

from __future__ import annotations

import json

from covenant.codelets.ir import Codelet, Tensor


def print_codelet(codelet: Codelet) -> str:
    """All of the codelet, ending in a newline."""
    dims = "".join(f" {dim.name}={dim.extent}" for dim in codelet.dims)
    lines = [
        f"codelet {codelet.operation} {json.dumps(codelet.name, ensure_ascii=False)}",
        f"  dims{dims}",
        *(f"  {_tensor(tensor)}" for tensor in codelet.tensors),
        *(f"  {step}" for step in codelet.steps),
    ]
    return "\n".join(lines) + "\n"


def _tensor(tensor: Tensor) -> str:
    shape = ",".join(map(str, tensor.shape))
    pad = "" if tensor.pad is None else f" pad={tensor.pad}"
    uniform = " uniform" if tensor.uniform else ""
    return f"{tensor.role} {tensor.name} {tensor.dtype}[{shape}]{pad}{uniform}"
