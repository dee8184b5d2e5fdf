"""One workload on the RTL: mapped, compiled, run, compared with the integer reference.

In: a `Workload`, an architecture by name with its settings. Out: a `Measurement`. `streamed` runs
the whole layer from DRAM to DRAM, `resident` counts its compute alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from covenant import pipeline
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run_layer
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.registry import build as build_codelet
from covenant.core.diagnostics import CovenantError
from covenant.core.yaml_source import parse_yaml
from covenant.emit.image import Image, build_image
from covenant.emit.lower import lower
from covenant.frontend import layer_inputs
from covenant.frontend.model import Model
from covenant.frontend.reader import read_model
from covenant.mapper.cost import Cost, evaluate
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.operands import capability_of
from covenant.mapper.pins import PinFile
from covenant.mapper.pins_reader import parse_pins
from covenant.sim.cluster import Cluster, RunResult
from covenant.sim.stimulus import random_inputs
from covenant.sim.timing import time_program
from models import write_model
from resident import phases, resident_mapping
from workloads import Workload


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured on: architecture, its settings, seconds and seed of the solver.
    single_buffers: every buffer has one copy."""

    arch: str
    settings: tuple[tuple[str, str], ...] = ()
    time_limit_seconds: float = 10.0
    seed: int = 0
    single_buffers: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """Cycles of one workload with their causes, and what was predicted.

    modelled_cycles: of the timing model (sim.timing), for a whole program. peak:
    multiply-accumulates per cycle of the array. array_cycles: macs / peak, roofline_cycles:
    the larger of it and the compulsory traffic. fill, drain: predicted cycles before the first
    launch can start and after the last has ended. error: why there are no cycles, "" normally.
    """

    name: str
    network: str
    macs: int = 0
    peak: int = 0
    cycles: int = 0
    array_cycles: int = 0
    roofline_cycles: int = 0
    predicted_cycles: int = 0
    modelled_cycles: int = 0
    fill_cycles: int = 0
    drain_cycles: int = 0
    predicted_conflicts: int = 0
    bound_by: str = ""
    status: str = ""
    solve_seconds: float = 0.0
    launches: int = 0
    program_words: int = 0
    compared: int = 0
    mismatches: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    tiles: Mapping[str, int] = field(default_factory=dict)
    binding: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    exit_code: int = 0

    @property
    def utilization(self) -> float:
        """Roofline cycles / cycles; 0 without a run."""
        return self.roofline_cycles / self.cycles if self.cycles else 0.0

    @property
    def compute_bound(self) -> bool:
        """Whether the array, not the DRAM port, sets the roofline."""
        return self.array_cycles == self.roofline_cycles

    @property
    def prediction_error(self) -> float:
        """(predicted - measured) / measured."""
        return (self.predicted_cycles - self.cycles) / self.cycles if self.cycles else 0.0

    @property
    def model_error(self) -> float:
        """(modelled - measured) / measured."""
        return (self.modelled_cycles - self.cycles) / self.cycles if self.cycles else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A workload as the compiler sees it."""

    acg: Acg
    model: Model
    lowered: LoweredLayer


def streamed(workload: Workload, setup: Setup) -> Measurement:
    """The whole layer, from DRAM to DRAM."""
    try:
        return _streamed(workload, setup)
    except CovenantError as error:
        return _failed(workload, error)


def resident(workload: Workload, setup: Setup) -> Measurement:
    """The compute of a layer whose tensors lie in the L1."""
    try:
        return _resident(workload, setup)
    except CovenantError as error:
        return _failed(workload, error)


def _failed(workload: Workload, error: CovenantError) -> Measurement:
    return Measurement(
        workload.name, workload.network, error=str(error), exit_code=int(error.exit_code)
    )


@cache
def _architecture(setup: Setup) -> Acg:
    return read_architecture(setup.arch, dict(setup.settings))


def _streamed(workload: Workload, setup: Setup) -> Measurement:
    options = pipeline.MapOptions(
        setup.arch,
        dict(setup.settings),
        time_limit_seconds=setup.time_limit_seconds,
        seed=setup.seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(workload, Path(folder))
        mapped = pipeline.map_model(model, options)
        if setup.single_buffers and mapped.layers[0].mapping is not None:
            pins = _single_buffers(mapped.layers[0].mapping)
            mapped = pipeline.map_model(model, replace(options, pins=pins))
    (only,) = mapped.layers
    images = {}
    if only.error is None:
        images[only.layer.name] = pipeline.compile_layer(only, mapped.acg).image
    run, _ = pipeline.run_model(mapped, "rtl", None, setup.seed, images=images)
    (layer,) = run.layers
    error = layer.error or layer.mapped.error
    if error is not None:
        raise error
    found, cost = layer.mapped, layer.mapped.cost
    assert found.mapping is not None
    assert found.lowered is not None
    assert cost is not None
    assert layer.cycles is not None
    case = _Case(mapped.acg, mapped.model, found.lowered)
    result = RunResult(layer.cycles, layer.counters)
    measured = _measurement(
        workload, case, found.mapping, cost, result, layer.words, layer.compared, layer.mismatches
    )
    modelled = time_program(images[only.layer.name].words, mapped.acg)
    return replace(measured, modelled_cycles=modelled.cycles)


def _single_buffers(mapping: LayerMapping) -> PinFile:
    """One copy of every buffer of a mapping, everything else open."""
    ports = dict.fromkeys(p.port for p in mapping.placements)
    copies = ", ".join(f"{port}: {{copies: 1}}" for port in ports)
    return parse_pins(parse_yaml(f"pins: 1\nlayers:\n  - operands: {{{copies}}}\n", "pins.yaml"))


def _resident(workload: Workload, setup: Setup) -> Measurement:
    acg = _architecture(setup)
    with tempfile.TemporaryDirectory() as folder:
        model = read_model(write_model(workload, Path(folder)))
    (layer,) = model.layers
    case = _Case(acg, model, build_codelet(layer))
    codelet = case.lowered.codelet
    mapping = resident_mapping(codelet, acg)
    words = phases(mapping, codelet, acg)
    program = lower(mapping, codelet, acg)
    image = build_image(program, mapping, codelet, acg, case.lowered.constants)
    inputs = layer_inputs(model, layer, random_inputs(model, setup.seed))
    with Cluster(acg, dram_bytes=image.dram_bytes, seed=setup.seed + 1) as cluster:
        cluster.write_dram(0, image.dram(_seen(case.lowered, inputs)))
        cluster.load_program(words.loads)
        cluster.run()
        cluster.load_program(words.compute)
        result = cluster.run()
        cluster.load_program(words.stores)
        cluster.run()
        compared, mismatches = _differences(case.lowered, image, inputs, cluster.dram)
    cost = evaluate(mapping, codelet, acg)
    return _measurement(
        workload, case, mapping, cost, result, len(words.compute), compared, mismatches
    )


def _seen(lowered: LoweredLayer, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs by codelet tensor, from inputs by role."""
    views = lowered.views
    return {name: v.apply(inputs[v.source]) for name, v in views.items() if v.source in inputs}


def _differences(
    lowered: LoweredLayer, image: Image, inputs: Mapping[str, np.ndarray], dram: np.ndarray
) -> tuple[int, int]:
    """Output elements compared with the integer reference, and how many differ."""
    compared = mismatches = 0
    expected = run_layer(lowered, inputs)
    for name, array in image.outputs(dram).items():
        view = lowered.views[name]
        reference = expected[view.source]
        compared += reference.size
        mismatches += int(np.count_nonzero(reference != view.invert(array)))
    return compared, mismatches


def _measurement(
    workload: Workload,
    case: _Case,
    mapping: LayerMapping,
    cost: Cost,
    result: RunResult,
    words: int,
    compared: int,
    mismatches: int,
) -> Measurement:
    step = mapping.steps[0]
    capability = capability_of(case.acg, step)
    peak = prod(capability.extents.values()) // capability.step_cycles
    ends = {p.port: p.role.value == "output" for p in mapping.placements}
    return Measurement(
        name=workload.name,
        network=workload.network,
        macs=cost.macs,
        peak=peak,
        cycles=result.cycles,
        array_cycles=-(-cost.macs // peak),
        roofline_cycles=cost.roofline_cycles,
        predicted_cycles=cost.latency,
        fill_cycles=sum(m.first for m in cost.moves if not ends[m.port]),
        drain_cycles=sum(m.last for m in cost.moves if ends[m.port]),
        predicted_conflicts=cost.conflicts,
        bound_by=cost.bound_by,
        status=str(mapping.proof.status),
        solve_seconds=mapping.proof.solve_seconds,
        launches=cost.launches,
        program_words=words,
        compared=compared,
        mismatches=mismatches,
        counters=dict(result.counters),
        tiles={x.dim: x.tile for level in mapping.levels for x in level.loops},
        binding=dict(step.dims),
    )
