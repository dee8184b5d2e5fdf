"""Codelets and architectures for mapper tests, built without ONNX."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.core.dtypes import DType
from covenant.core.expression import parse_statement

SNAX = Path(__file__).parents[1] / "architectures" / "snax.yaml"


@cache
def _read(overrides: tuple[tuple[str, str], ...]) -> Acg:
    return read_architecture(SNAX, dict(overrides))


def snax(**overrides: str) -> Acg:
    """The shipped architecture; keyword `memories__l1__size="8KiB"` overrides a key."""
    return _read(tuple((k.replace("__", "."), v) for k, v in overrides.items()))


def first_chain(acg: Acg) -> Acg:
    """The architecture with its first compute node and those chained to it, without others."""
    kept = acg.chain(acg.computes[0].name)
    return replace(acg, computes=tuple(node for node in acg.computes if node in kept))


def requantised(target: str, bias: bool, columns: str) -> str:
    """The text of a last step with per-column scale."""
    acc = target.replace("y[", "acc[")
    inner = f"{acc} + bias[{columns}]" if bias else acc
    return f"{target} = clip(requantise({inner}, scale[{columns}], 3), -128, 127)"


def gemm(
    m: int, k: int, n: int, *, batch: int = 1, bias: bool = True, wide: bool = False
) -> Codelet:
    """A quantised matrix multiplication; `wide` leaves the int32 result."""
    last = "y[b,m,n] = acc[b,m,n]" if wide else requantised("y[b,m,n]", bias, "n")
    tensors = [
        Tensor("x", DType.INT8, (batch, m, k), Role.INPUT),
        Tensor("w", DType.INT8, (batch, k, n), Role.CONSTANT),
        *([Tensor("bias", DType.INT32, (n,), Role.CONSTANT)] if bias and not wide else []),
        *([] if wide else [Tensor("scale", DType.FLOAT32, (n,), Role.CONSTANT)]),
        Tensor("y", DType.INT32 if wide else DType.INT8, (batch, m, n), Role.OUTPUT),
        Tensor("acc", DType.INT32, (batch, m, n), Role.LOCAL),
    ]
    return Codelet(
        "gemm",
        f"gemm_{batch}x{m}x{k}x{n}",
        (Dim("b", batch), Dim("m", m), Dim("n", n), Dim("k", k)),
        tuple(tensors),
        (parse_statement("acc[b,m,n] += (x[b,m,k] - 5) * w[b,k,n]"), parse_statement(last)),
    )


def conv(
    c: int,
    oc: int,
    size: int,
    kernel: int = 3,
    stride: int = 1,
    pad: int | None = None,
    groups: int = 1,
    batch: int = 1,
) -> Codelet:
    """A quantised square 2-D convolution of a `size` x `size` input."""
    pad = kernel // 2 if pad is None else pad
    out = (size + 2 * pad - kernel) // stride + 1
    cg, og = c // groups, oc // groups
    shift = f"-{pad}" if pad else ""
    at = [f"{stride}*o{a}+f{a}{shift}" for a in "yx"]
    return Codelet(
        "conv",
        f"conv{kernel}x{kernel}s{stride}_{c}x{size}x{size}_{oc}",
        (
            *(Dim(n, e) for n, e in (("n", batch), ("g", groups), ("oc", og))),
            *(Dim(n, e) for n, e in (("oy", out), ("ox", out))),
            *(Dim(n, e) for n, e in (("c", cg), ("fy", kernel), ("fx", kernel))),
        ),
        (
            Tensor(
                "x", DType.INT8, (batch, groups, cg, size, size), Role.INPUT, 5 if pad else None
            ),
            Tensor("w", DType.INT8, (groups, og, cg, kernel, kernel), Role.CONSTANT),
            Tensor("bias", DType.INT32, (groups, og), Role.CONSTANT),
            Tensor("scale", DType.FLOAT32, (groups, og), Role.CONSTANT),
            Tensor("y", DType.INT8, (batch, groups, og, out, out), Role.OUTPUT),
            Tensor("acc", DType.INT32, (batch, groups, og, out, out), Role.LOCAL),
        ),
        (
            parse_statement(
                f"acc[n,g,oc,oy,ox] += (x[n,g,c,{at[0]},{at[1]}] - 5) * w[g,oc,c,fy,fx]"
            ),
            parse_statement(requantised("y[n,g,oc,oy,ox]", True, "g,oc")),
        ),
    )
