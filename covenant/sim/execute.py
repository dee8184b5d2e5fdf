"""One layer on a machine, compared element by element with the integer reference.

In: a layer, its image, a machine, the tensors known so far by ONNX name. Out: `Outcome`; the
layer's outputs are added to the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.interpret import finished, run_layer
from covenant.codelets.lowered import LoweredLayer
from covenant.core.layer import Layer
from covenant.emit.image import Image
from covenant.frontend.host import layer_inputs
from covenant.frontend.model import Model
from covenant.sim.machine import Machine
from covenant.sim.stimulus import random_tensor

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first output element that differs: ONNX tensor, index in ONNX order, both values."""

    tensor: str
    index: tuple[int, ...]
    expected: int
    found: int


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Output elements compared and differing, cycles and counters of the machine."""

    compared: int
    mismatches: int
    first: Mismatch | None
    cycles: int | None
    counters: Mapping[str, int]


def execute_layer(
    model: Model,
    layer: Layer,
    lowered: LoweredLayer,
    image: Image,
    machine: Machine,
    tensors: dict[str, Array],
    seed: int,
) -> Outcome:
    """Run one layer; inputs that no earlier layer produced are seeded random."""
    inputs = _inputs(model, layer, tensors, seed)
    expected = run_layer(lowered, inputs)
    views = lowered.views
    seen = {name: v.apply(inputs[v.source]) for name, v in views.items() if v.source in inputs}
    done = machine.execute(image.words, image.dram(seen), seed)
    found = finished(lowered, image.outputs(done.dram))
    compared = mismatches = 0
    first: Mismatch | None = None
    for role, reference in expected.items():
        name = layer.outputs[role].name
        tensors[name] = found[role]
        differs = np.argwhere(reference != found[role])
        compared += reference.size
        mismatches += len(differs)
        if len(differs) and first is None:
            index = tuple(int(i) for i in differs[0])
            first = Mismatch(name, index, int(reference[index]), int(found[role][index]))
    return Outcome(compared, mismatches, first, done.cycles, done.counters)


def compute_layer(
    model: Model, layer: Layer, lowered: LoweredLayer, tensors: dict[str, Array], seed: int
) -> None:
    """A layer that the processor computes: its outputs are those of the integer reference."""
    for role, found in run_layer(lowered, _inputs(model, layer, tensors, seed)).items():
        tensors[layer.outputs[role].name] = found


def _inputs(model: Model, layer: Layer, tensors: dict[str, Array], seed: int) -> dict[str, Array]:
    """Inputs by role. A tensor that only an unsupported node produces is random."""
    while True:
        try:
            return layer_inputs(model, layer, tensors)
        except KeyError as missing:
            name = str(missing.args[0])
            operand = next((o for o in layer.inputs.values() if o.name == name), None)
            if operand is None:
                operand = next(o for o in layer.inputs.values() if o.name not in tensors)
                name = operand.name
            tensors[name] = random_tensor(operand.dtype.value, operand.shape, seed)
