"""One small layer of every kind, as codelets: what the matrix of machines runs.

Out: `LAYERS`, text by name. Activations are uint8 with zero points, weights int8 with a scale per
channel, as ONNX Runtime's quantiser makes them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Conv:
    """A convolution of `channels` maps of size*size to `filters` per group."""

    channels: int
    filters: int
    size: int
    kernel: int
    stride: int = 1
    groups: int = 1

    @property
    def text(self) -> str:
        """The codelet."""
        pad, g, c, oc = self.kernel // 2, self.groups, self.channels, self.filters
        out = (self.size + 2 * pad - self.kernel) // self.stride + 1
        at = ",".join(f"{self.stride}*o{a}+f{a}-{pad}" for a in "yx")
        padded = " pad=3" if pad else ""
        shape, result = f"1,{g},{c},{self.size},{self.size}", f"1,{g},{oc},{out},{out}"
        return f"""codelet conv "conv"
dims n=1 g={g} oc={oc} oy={out} ox={out} c={c} fy={self.kernel} fx={self.kernel}
input x uint8[{shape}]{padded}
constant w int8[{g},{oc},{c},{self.kernel},{self.kernel}]
constant bias int32[{g},{oc}]
constant scale float32[{g},{oc}]
output y uint8[{result}]
local acc int32[{result}]
acc[n,g,oc,oy,ox] += (x[n,g,c,{at}] - 3) * w[g,oc,c,fy,fx]
y[n,g,oc,oy,ox] = clip(requantise(acc[n,g,oc,oy,ox] + bias[g,oc], scale[g,oc], 5), 0, 255)
"""


def _gemm(m: int, n: int, k: int) -> str:
    return f"""codelet gemm "gemm"
dims b=1 m={m} n={n} k={k}
input x uint8[1,{m},{k}]
constant w int8[1,{k},{n}]
constant bias int32[{n}]
constant scale float32[{n}]
output y uint8[1,{m},{n}]
local acc int32[1,{m},{n}]
acc[b,m,n] += (x[b,m,k] - 3) * w[b,k,n]
y[b,m,n] = clip(requantise(acc[b,m,n] + bias[n], scale[n], 5), 0, 255)
"""


_MAX_POOL = """codelet pool "max_pool"
dims n=1 c=16 oy=5 ox=5 fy=3 fx=3
input x int8[1,16,10,10] pad=-128
output y int8[1,16,5,5]
y[n,c,oy,ox] max= x[n,c,2*oy+fy-1,2*ox+fx-1]
"""

_AVERAGE_POOL = """codelet pool "average_pool"
dims n=1 c=16 oy=4 ox=4 fy=2 fx=2
input x uint8[1,16,8,8]
constant scale float32[16]
output y uint8[1,16,4,4]
local acc int32[1,16,4,4]
acc[n,c,oy,ox] += x[n,c,2*oy+fy,2*ox+fx] - 7
y[n,c,oy,ox] = clip(requantise(acc[n,c,oy,ox], scale[c], 2), 0, 255)
"""

_ADD = """codelet binary "add"
dims n=1 c=16 y=8 x=8
input x uint8[1,16,8,8]
input w int8[1,16,8,8]
constant scale float32[16]
output y int8[1,16,8,8]
local acc int32[1,16,8,8]
acc[n,c,y,x] = (x[n,c,y,x] - 11) * 181 + (w[n,c,y,x] - 2) * 77
y[n,c,y,x] = clip(requantise(acc[n,c,y,x], scale[c], -4), -100, 127)
"""


def symmetric(text: str) -> str:
    """The layer in int8 without zero points, with one scale for all channels."""
    changes = {
        "uint8": "int8",
        "pad=3": "pad=0",
        " - 3)": " - 0)",
        ", 5), 0, 255)": ", 0), -128, 127)",
        ", 2), 0, 255)": ", 0), -128, 127)",
        " - 7\n": " - 0\n",
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    lines = text.splitlines(keepends=True)
    return "".join(
        f"{line.rstrip()} uniform\n" if line.startswith("constant scale") else line
        for line in lines
    )


LAYERS = {
    "conv 3x3": _Conv(16, 24, 10, 3).text,
    "conv 1x1": _Conv(24, 16, 8, 1).text,
    "conv stride 2": _Conv(16, 32, 12, 3, 2).text,
    "depthwise": _Conv(1, 1, 8, 3, groups=16).text,
    "gemm": _gemm(24, 40, 48),
    "gemm 1xN": _gemm(1, 80, 64),
    "max pool": _MAX_POOL,
    "average pool": _AVERAGE_POOL,
    "add": _ADD,
}
