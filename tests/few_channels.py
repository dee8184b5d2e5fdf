"""Convolutions with few input channels, compiled for a cluster: random ones and network stems."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass
from random import Random
from typing import Any

from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.codelets.interpret import run
from covenant.codelets.lowered import LoweredLayer
from covenant.core.dtypes import DType
from covenant.emit.check import check_image
from covenant.emit.image import Image, build_image
from covenant.emit.lower import lower
from covenant.mapper.cost import evaluate
from covenant.mapper.mapping import Mapping
from covenant.mapper.solve import solve
from handmade import conv_layer, random_inputs

_TYPES = (
    (DType.INT8, DType.INT8, DType.INT8),
    (DType.UINT8, DType.INT8, DType.UINT8),
    (DType.UINT8, DType.UINT8, DType.INT8),
    (DType.UINT8, DType.INT8, DType.INT32),
)

STEMS: dict[str, dict[str, Any]] = {
    "resnet18": {
        "x": (1, 3, 224, 224),
        "filters": 64,
        "kernel": (7, 7),
        "strides": (2, 2),
        "pads": (3, 3, 3, 3),
    },
    "resnet8": {"x": (1, 3, 32, 32), "filters": 16},
    "mobilenet_v2": {
        "x": (1, 3, 224, 224),
        "filters": 32,
        "strides": (2, 2),
        "pads": (0, 0, 1, 1),
    },
    "keyword_spotting": {
        "x": (1, 1, 49, 10),
        "filters": 64,
        "kernel": (10, 4),
        "strides": (2, 2),
        "pads": (4, 1, 5, 1),
    },
}
"""First layers: ResNet-18, ResNet-8 (CIFAR-10), MobileNetV2, DS-CNN."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A layer with its mapping and image."""

    layer: LoweredLayer
    mapping: Mapping
    image: Image
    predicted: int

    def inputs(self, seed: int) -> dict[str, NDArray[Any]]:
        """Random inputs over the whole range."""
        return random_inputs(self.layer.codelet, seed)

    def reference(self, inputs: Map[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What the layer means."""
        return run(self.layer.codelet, inputs, self.layer.constants)


def compiled(layer: LoweredLayer, acg: Acg) -> Compiled:
    """Solve, lower, encode and check a layer."""
    mapping = solve(layer.codelet, acg)
    program = lower(mapping, layer.codelet, acg)
    image = build_image(program, mapping, layer.codelet, acg, layer.constants)
    assert check_image(image, acg) == ()
    return Compiled(layer, mapping, image, evaluate(mapping, layer.codelet, acg).latency)


def random_stem(random: Random) -> LoweredLayer:
    """1 to 7 channels, filters of 1 to 7, strides of 1 to 3, pads of every side, both signs."""
    channels = random.randint(1, 7)
    kernel = (random.randint(1, 7), random.randint(1, 7))
    dtypes = random.choice(_TYPES)
    points = tuple(random.randint(d.minimum, d.maximum) for d in dtypes)
    top, left, bottom, right = (random.randint(0, min(3, kernel[i % 2] - 1)) for i in range(4))
    filters = random.randint(1, 24)
    return conv_layer(
        (random.choice([1, 1, 2]), channels, *(k + random.randint(0, 22) for k in kernel)),
        filters,
        kernel,
        (random.randint(1, 3), random.randint(1, 3)),
        (top, left, bottom, right),
        (random.choice([1, 1, 1, 2]), 1) if kernel[0] == 1 else (1, 1),
        dtypes=dtypes,
        zero_points=(points[0], points[1], points[2]),
        bias=random.random() < 0.7,
    )
