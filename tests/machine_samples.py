"""Architectures of other kinds than the reference cluster, and layers they can compute."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.ir import Codelet, Dim, Role, Tensor
from covenant.core.dtypes import DType
from covenant.core.expression import parse_statement

ARCHITECTURES = Path(__file__).parent / "architectures"


@cache
def _read(name: str, overrides: tuple[tuple[str, str], ...]) -> Acg:
    return read_architecture(ARCHITECTURES / f"{name}.yaml", dict(overrides))


def machine(name: str, **overrides: str) -> Acg:
    """`machine("three_level", memories__l2__size="64KiB")`."""
    return _read(name, tuple((k.replace("__", "."), v) for k, v in overrides.items()))


def plain_gemm(m: int, k: int, n: int, *, bias: bool = True, zero: int = 0) -> Codelet:
    """A matrix multiplication with one scale for all columns and a zero point of x only."""
    inner = "acc[b,m,n] + bias[n]" if bias else "acc[b,m,n]"
    x = f"(x[b,m,k] - {zero})" if zero else "x[b,m,k]"
    return Codelet(
        "gemm",
        f"plain_{m}x{k}x{n}",
        (Dim("b", 1), Dim("m", m), Dim("n", n), Dim("k", k)),
        (
            Tensor("x", DType.INT8, (1, m, k), Role.INPUT),
            Tensor("w", DType.INT8, (1, k, n), Role.CONSTANT),
            *([Tensor("bias", DType.INT32, (n,), Role.CONSTANT)] if bias else []),
            Tensor("scale", DType.FLOAT32, (n,), Role.CONSTANT, uniform=True),
            Tensor("y", DType.INT8, (1, m, n), Role.OUTPUT),
            Tensor("acc", DType.INT32, (1, m, n), Role.LOCAL),
        ),
        (
            parse_statement(f"acc[b,m,n] += {x} * w[b,k,n]"),
            parse_statement(f"y[b,m,n] = clip(requantise({inner}, scale[n], 0), -128, 127)"),
        ),
    )


def plain_conv(
    c: int, oc: int, size: int, kernel: int = 3, stride: int = 1, *, bias: bool = True
) -> Codelet:
    """A square convolution with one scale for all channels and no zero points."""
    pad = kernel // 2
    out = (size + 2 * pad - kernel) // stride + 1
    shift = f"-{pad}" if pad else ""
    at = [f"{stride}*o{a}+f{a}{shift}" for a in "yx"]
    inner = "acc[n,g,oc,oy,ox] + bias[g,oc]" if bias else "acc[n,g,oc,oy,ox]"
    result = f"clip(requantise({inner}, scale[g,oc], 0), -128, 127)"
    shape = (1, 1, oc, out, out)
    return Codelet(
        "conv",
        f"plain_conv{kernel}x{kernel}s{stride}_{c}x{size}x{size}_{oc}",
        (
            *(Dim(d, e) for d, e in (("n", 1), ("g", 1), ("oc", oc), ("oy", out), ("ox", out))),
            *(Dim(d, e) for d, e in (("c", c), ("fy", kernel), ("fx", kernel))),
        ),
        (
            Tensor("x", DType.INT8, (1, 1, c, size, size), Role.INPUT, 0 if pad else None),
            Tensor("w", DType.INT8, (1, oc, c, kernel, kernel), Role.CONSTANT),
            *([Tensor("bias", DType.INT32, (1, oc), Role.CONSTANT)] if bias else []),
            Tensor("scale", DType.FLOAT32, (1, oc), Role.CONSTANT, uniform=True),
            Tensor("y", DType.INT8, shape, Role.OUTPUT),
            Tensor("acc", DType.INT32, shape, Role.LOCAL),
        ),
        (
            parse_statement(f"acc[n,g,oc,oy,ox] += x[n,g,c,{at[0]},{at[1]}] * w[g,oc,c,fy,fx]"),
            parse_statement(f"y[n,g,oc,oy,ox] = {result}"),
        ),
    )
