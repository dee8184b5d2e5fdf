"""Layers of the vector node on the RTL: equal to the interpreter and to the codelet's meaning.

Every case starts from memories and registers of random bits, and runs twice with other inputs while
the program stays loaded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from codelet_runs import (
    Codelets,
    Image2d,
    Ran,
    add,
    average_pool,
    binary,
    depthwise,
    global_pool,
    max_pool,
    move,
    table,
)
from covenant.acg.reader import read_architecture

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module")
def codelets() -> Iterator[Codelets]:
    with Codelets(read_architecture("snax")) as opened:
        yield opened


AWKWARD = {
    "one_pixel": depthwise(Image2d(1, 3, 1, 1), kernel=1, pad=0),
    "odd_channels": depthwise(Image2d(1, 11, 9, 13)),
    "stride_2": depthwise(Image2d(1, 40, 15, 17), stride=2),
    "kernel_5": depthwise(Image2d(1, 9, 8, 8), kernel=5, pad=2, zw=-9),
    "multiplier": depthwise(Image2d(1, 16, 9, 9), multiplier=3, zw=4),
    "batch": depthwise(Image2d(3, 8, 6, 7)),
    "max_overlapping": max_pool(Image2d(2, 19, 13, 11)),
    "max_apart": max_pool(Image2d(1, 8, 12, 12), kernel=2, stride=2, pad=0),
    "average": average_pool(Image2d(1, 24, 14, 14), 2, 2),
    "global": global_pool(Image2d(2, 20, 5, 3)),
    "add": add(Image2d(1, 13, 7, 5), 32767, -32767),
    "add_nothing": add(Image2d(2, 8, 3, 4), 1, 0),
    "multiply": binary(Image2d(1, 24, 9, 7), "(x[n,c,y,x] - 11) * (w[n,c,y,x] - 2)"),
    "multiply_channels": binary(Image2d(1, 16, 6, 5), "(x[n,c,y,x] - 1) * w[n,c]", "n,c"),
    "table": table(Image2d(1, 21, 9, 10)),
    "transpose": move(Image2d(1, 12, 5, 9), "n,c,x,y"),
}


def test_single_element_is_equal_on_whichever_node_is_cheaper(codelets: Codelets) -> None:
    codelets.run(depthwise(Image2d(1, 1, 1, 1), kernel=1, pad=0))


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_layer_is_equal_in_rtl_interpreter_and_reference(
    name: str, codelets: Codelets
) -> None:
    ran = codelets.run(AWKWARD[name])
    assert ran.node == "vector"
    assert abs(ran.modelled / ran.cycles - 1) <= 0.065


def test_random_layers_are_equal_in_rtl_interpreter_and_reference(codelets: Codelets) -> None:
    rng = np.random.default_rng(5)
    for seed in range(24):
        image = Image2d(*(int(rng.integers(1, top)) for top in (3, 30, 14, 14)))
        stride, kernel = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        factors = [int(f) for f in rng.integers(-32767, 32768, 2)]
        forms = (
            depthwise(image, kernel, stride, kernel // 2, int(rng.integers(1, 3))),
            max_pool(image, kernel, stride, kernel // 2),
            global_pool(image),
            add(image, factors[0], factors[1]),
            binary(image, "(x[n,c,y,x] - 3) * (w[n,c,y,x] - -5)"),
            table(image),
        )
        ran = codelets.run(forms[seed % len(forms)], seed)
        assert abs(ran.modelled / ran.cycles - 1) <= 0.1


def _loss(ran: Ran) -> float:
    return abs(ran.cost.latency / ran.cycles - 1)


REAL = {
    "mobilenet_v2_depthwise_112": (depthwise(Image2d(1, 32, 112, 112)), 0.02, 0.98),
    # many small launches overlap a little better than predicted: 2.2 % fewer cycles
    "mobilenet_v2_depthwise_14": (depthwise(Image2d(1, 384, 14, 14)), 0.023, 0.84),
    "global_average_7": (global_pool(Image2d(1, 1280, 7, 7)), 0.02, 0.0),
}
"""Codelet, most relative error of the prediction, least utilization of the node's own roofline."""


@pytest.mark.parametrize("name", REAL)
def test_real_layer_is_equal_and_takes_the_predicted_cycles(name: str, codelets: Codelets) -> None:
    text, error, utilization = REAL[name]
    ran = codelets.run(text, interpret=False)
    assert ran.node == "vector"
    assert _loss(ran) <= error
    assert ran.cost.roofline_cycles / ran.cycles >= utilization
    assert abs(ran.modelled / ran.cycles - 1) <= 0.01


BANDWIDTH = {
    "mobilenet_v2_depthwise_112_stride_2": depthwise(Image2d(1, 96, 112, 112), stride=2),
    "resnet_stem_max_pool": max_pool(Image2d(1, 64, 112, 112)),
    "residual_add_56": add(Image2d(1, 256, 56, 56), 16384, -12000),
    "table_56": table(Image2d(1, 256, 56, 56)),
}
"""Layers whose bank conflicts the model does not foresee well yet."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BANDWIDTH)
def test_layer_of_high_bandwidth_is_equal(name: str, codelets: Codelets) -> None:
    ran = codelets.run(BANDWIDTH[name], interpret=False)
    assert _loss(ran) < 0.3
    assert abs(ran.modelled / ran.cycles - 1) <= 0.03
