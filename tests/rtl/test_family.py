"""Members of the snax family on the RTL: every layer is equal and takes the predicted cycles.

Left out of the default run, since every member is an RTL build of its own: `pytest -m nightly
tests/rtl/test_family.py`. `PYTHONPATH=tests python tests/rtl/test_family.py [NAME…]`
prints the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from codelet_runs import Codelets, Image2d, Ran, add, convolution, depthwise, max_pool, table
from covenant.acg.reader import read_architecture, shipped_architectures
from covenant.core.diagnostics import CovenantError

pytestmark = [pytest.mark.rtl, pytest.mark.nightly]

MEMBERS = [name for name in shipped_architectures() if name.startswith("snax_")]


def conv(channels: int, size: int, filters: int, kernel: int, stride: int = 1) -> str:
    """A square convolution with the padding that keeps its size, requantised."""
    image = Image2d(1, channels, size, size)
    return convolution(image, filters, kernel, stride, kernel // 2)


def gemm(m: int, n: int, k: int) -> str:
    """A product with stored columns, requantised."""
    return f"""codelet gemm "product"
dims m={m} n={n} k={k}
input x int8[{m},{k}]
constant w int8[{k},{n}]
constant scale float32[{n}]
output y int8[{m},{n}]
local acc int32[{m},{n}]
acc[m,n] += (x[m,k] - 2) * w[k,n]
y[m,n] = clip(requantise(acc[m,n], scale[n], 1), -128, 127)
"""


LAYERS = {
    "conv3x3_64_14": conv(64, 14, 64, 3),
    "conv3x3s2_32_28": conv(32, 28, 64, 3, 2),
    "gemm_128x128x256": gemm(128, 128, 256),
    "gemm_odd": gemm(37, 41, 75),
    "depthwise_64_28": depthwise(Image2d(1, 64, 28, 28)),
    "max_pool_32_28": max_pool(Image2d(1, 32, 28, 28)),
    "add_64_14": add(Image2d(1, 64, 14, 14), 9000, -7000),
    "table_64_14": table(Image2d(1, 64, 14, 14)),
}
"""Short layers, where fill, drain and conflicts weigh most."""

ERROR = 0.3
"""Most relative error of a prediction: arrays other than the one of `snax` lose more to bank
conflicts than the model foresees, which was fitted there."""

VECTOR = ("depthwise_64_28", "max_pool_32_28", "add_64_14", "table_64_14")


@pytest.fixture(scope="module", params=MEMBERS)
def member(request: pytest.FixtureRequest) -> Iterator[Codelets]:
    with Codelets(read_architecture(request.param)) as opened:
        yield opened


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_equal_and_takes_the_predicted_cycles(name: str, member: Codelets) -> None:
    if name in VECTOR and not any(c.name == "vector" for c in member.acg.computes):
        pytest.skip("has no vector node")
    ran = member.run(LAYERS[name], interpret=False)
    assert abs(ran.cost.latency / ran.cycles - 1) <= ERROR


def main() -> None:
    """Print cycles and prediction of every layer of some members."""
    for name in sys.argv[1:] or MEMBERS:
        with Codelets(read_architecture(name)) as opened:
            for layer, text in LAYERS.items():
                try:
                    found = _line(opened.run(text, interpret=False))
                except CovenantError as error:
                    found = error.diagnostics[0].message
                print(f"{name:17} {layer:17} {found}", flush=True)


def _line(ran: Ran) -> str:
    error = ran.cost.latency / ran.cycles - 1
    used = ran.cost.roofline_cycles / ran.cycles
    return f"{ran.node:7} {ran.cycles:9,} cycles  predicted {error:+7.2%}  of roofline {used:6.1%}"


if __name__ == "__main__":
    main()
