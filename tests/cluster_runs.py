"""Whole layers on one simulated cluster that is kept: compiled once, run again and again.

`Bench` holds an architecture, its cluster and the mappings solved so far. `Bench.run` starts from
memories of random bytes, `Bench.run_again` rewrites the inputs and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant import pipeline
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run_layer
from covenant.codelets.ir import Codelet
from covenant.codelets.lowered import LoweredLayer
from covenant.core.layer import Layer
from covenant.emit.image import Image
from covenant.frontend import Model, graph_outputs, layer_inputs
from covenant.mapper.cost import evaluate
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.mapping import Role
from covenant.mapper.solve import solve
from covenant.mapper.verify import check
from covenant.report.results import MappedLayer
from covenant.sim.cluster import Cluster
from covenant.sim.interpret import Interpreter
from onnx_nodes import Case
from reference_runs import lowered

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Compiled:
    """A case with one layer: how it is lowered and its image."""

    case: Case
    model: Model
    layer: Layer
    lowered: LoweredLayer
    image: Image

    def seen(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Inputs of the layer by codelet tensor, from graph inputs by ONNX name."""
        given = layer_inputs(self.model, self.layer, inputs)
        views = self.lowered.views
        return {name: v.apply(given[v.source]) for name, v in views.items() if v.source in given}

    def reference(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs of the integer reference by ONNX tensor name."""
        outputs = run_layer(self.lowered, layer_inputs(self.model, self.layer, inputs))
        return {self.layer.outputs[role].name: array for role, array in outputs.items()}

    def outputs(self, dram: NDArray[np.uint8]) -> dict[str, Array]:
        """Outputs of the layer by ONNX tensor name from off-chip memory after a run."""
        views = self.lowered.views
        found = {views[n].source: views[n].invert(a) for n, a in self.image.outputs(dram).items()}
        return {self.layer.outputs[role].name: array for role, array in found.items()}

    def graph_outputs(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs of the ONNX graph by name, from the layer's outputs."""
        return graph_outputs(self.model, tensors)

    def keeps(self, dram: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The bytes of the off-chip memory that a run may not change: all but the outputs."""
        kept = np.ones(dram.size, np.bool_)
        for tensor in self.image.tensors:
            if tensor.role not in (Role.INPUT, Role.CONSTANT):
                kept[tensor.address : tensor.address + tensor.layout.bytes] = False
        return kept


class Bench:
    """One architecture and its cluster; use it in a `with` block."""

    def __init__(
        self,
        arch: str,
        *,
        dram_bytes: int = 1 << 23,
        time_limit_seconds: float = 20.0,
    ) -> None:
        self.acg = read_architecture(arch)
        self.cluster = Cluster(self.acg, dram_bytes=dram_bytes)
        self._interpreter = Interpreter(self.acg)
        self._seconds = time_limit_seconds
        self._solved: dict[Codelet, LayerMapping] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cluster.close()

    def compile(self, case: Case, folder: Path) -> Compiled:
        """Map (equal codelets once), lower, encode and check the one layer of a case."""
        model, (layer,) = lowered(case, folder)
        mapping = self._mapping(layer.codelet)
        cost = evaluate(mapping, layer.codelet, self.acg)
        mapped = MappedLayer(model.layers[0], layer, mapping, cost)
        image = pipeline.compile_layer(mapped, self.acg).image
        return Compiled(case, model, model.layers[0], layer, image)

    def run(self, compiled: Compiled, inputs: Mapping[str, Array], seed: int) -> dict[str, Array]:
        """Load the program into a cluster whose memories and registers are random, and run it."""
        self.cluster.poison(seed)
        self.cluster.load_program(compiled.image.words)
        compiled.image.write_constants(self.cluster.dram)
        return self.run_again(compiled, inputs)

    def run_again(self, compiled: Compiled, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the program that is loaded on other inputs; nothing else may change in memory."""
        dram = self.cluster.dram
        compiled.image.write_inputs(dram, compiled.seen(inputs))
        kept = compiled.keeps(dram)
        before = dram[kept]
        self.cluster.run()
        assert np.array_equal(before, dram[kept]), "the program wrote outside of its outputs"
        return compiled.outputs(dram)

    def interpret(
        self, compiled: Compiled, inputs: Mapping[str, Array], seed: int
    ) -> dict[str, Array]:
        """Run the same words in the interpreter, units in random order."""
        dram = compiled.image.dram(compiled.seen(inputs))
        after, _ = self._interpreter.run(compiled.image.words, dram, seed)
        return compiled.outputs(after)

    def _mapping(self, codelet: Codelet) -> LayerMapping:
        signature = replace(codelet, name="")
        if signature not in self._solved:
            mapping = solve(codelet, self.acg, time_limit_seconds=self._seconds)
            check(mapping, codelet, self.acg)
            self._solved[signature] = mapping
        return replace(self._solved[signature], codelet=codelet.name)


def other_inputs(compiled: Compiled, seed: int) -> dict[str, Array]:
    """Further inputs of a case: integers over their whole range, floats like those it has.

    Quantisation parameters that are graph inputs keep their values.
    """
    rng = np.random.default_rng(seed)
    inputs = dict(compiled.case.inputs)
    for tensor in compiled.model.inputs:
        array = inputs[tensor.name]
        if array.dtype.kind in "iu":
            limits = np.iinfo(array.dtype)
            drawn = rng.integers(limits.min, limits.max, array.shape, array.dtype, endpoint=True)
            inputs[tensor.name] = drawn
        else:
            inputs[tensor.name] = (array[::-1] * rng.uniform(0.5, 1.5)).astype(array.dtype)
    return inputs


def assert_equal(found: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    """Same names, shapes, dtypes and elements."""
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        assert found[name].shape == wanted.shape
        assert found[name].dtype == wanted.dtype
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)
