"""The only ordering of stages: model and architecture in, mappings, programs and runs out.

In: paths and options. Out: `ModelMapping` and `ModelRun`, which `report` prints. A layer that fails
is recorded with its error and never stops the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from covenant.acg.dump import resolved_yaml
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.ir import Codelet
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.printer import print_codelet
from covenant.codelets.registry import build as build_codelet
from covenant.core.diagnostics import CovenantError, ExitCode, Span, did_you_mean, fail
from covenant.core.layer import Layer
from covenant.emit.check import verify_image
from covenant.emit.encode import packet_count
from covenant.emit.files import SavedLayer, read_images, write_images
from covenant.emit.host.program import HostLayer, WholeLayer, host_files
from covenant.emit.image import Image, build_image
from covenant.emit.listing import show as show_program
from covenant.emit.lower import lower
from covenant.emit.program import Program
from covenant.emit.rtl_config import rtl_config
from covenant.frontend.embed import embedded
from covenant.frontend.host import graph_outputs
from covenant.frontend.model import Model
from covenant.frontend.printer import print_model
from covenant.frontend.reader import read_model
from covenant.mapper.batch import Outcome, SolveOptions, Task, solve_all
from covenant.mapper.cache import MappingCache
from covenant.mapper.cost import evaluate as evaluate_cost
from covenant.mapper.pins import Pin, PinnedLayer
from covenant.mapper.pins_saved import pins_text, write_pins
from covenant.mapper.printer import from_json
from covenant.mapper.printer import show as show_mapping
from covenant.mapper.shares import form_of, is_evaluated, shared_layers
from covenant.mapper.verify import check as check_mapping
from covenant.report.explain import ModelExplanation, explain
from covenant.report.request import MapOptions as MapOptions
from covenant.report.request import Stage, silent
from covenant.report.results import LayerRun, MappedLayer, ModelMapping, ModelRun
from covenant.report.summary import refusal, saved_details
from covenant.sim.cluster import cluster_sources
from covenant.sim.execute import compute_layer, execute_layer
from covenant.sim.machine import Machine, open_machine
from covenant.sim.stimulus import npz_bytes, random_inputs, read_arrays


@dataclass(frozen=True, slots=True, eq=False)
class CompiledLayer:
    """A mapped layer with its program and image."""

    mapped: MappedLayer
    program: Program
    image: Image


def map_model(path: Path, options: MapOptions, stage: Stage = silent) -> ModelMapping:
    """Read a model and an architecture and map every layer; equal layers are solved once."""
    acg = _architecture(options)
    model = open_model(path, options, stage)
    return _tolerated(_map_onto(model, [acg], options, stage)[0], options)


def _tolerated(mapping: ModelMapping, options: MapOptions) -> ModelMapping:
    """Layers that the architecture cannot do are listed, not failed, unless --strict."""
    shared = mapping.shared()
    return shared if options.strict else shared.tolerant()


def _architecture(options: MapOptions) -> Acg:
    return read_architecture(options.arch, options.settings)


def compare_models(
    path: Path, archs: Sequence[str], options: MapOptions, stage: Stage = silent
) -> tuple[ModelMapping, ...]:
    """One model mapped onto several architectures; `options.arch` and its settings are not read."""
    acgs = [read_architecture(arch) for arch in archs]
    model = open_model(path, options, stage)
    return _map_onto(model, acgs, options, stage)


def explain_model(
    path: Path, options: MapOptions, names: Sequence[str] = (), stage: Stage = silent
) -> ModelExplanation:
    """What bounds the named layers (all when none is named) and what would help, re-solved."""
    acg = _architecture(options)
    model = open_model(path, options, stage)
    model = replace(model, layers=_named(model, names))
    mapping = _tolerated(_map_onto(model, [acg], options, stage)[0], options)
    return explain(mapping, lambda tasks: _solve(tasks, options, stage))


def _named(model: Model, names: Sequence[str]) -> tuple[Layer, ...]:
    known = [layer.name for layer in model.layers]
    for name in names:
        if name not in known:
            message = f"no layer of the model is named '{name}'"
            raise fail("RUN011", message, Span(model.file), did_you_mean(name, known))
    return tuple(layer for layer in model.layers if not names or layer.name in names)


def open_model(path: Path, options: MapOptions, stage: Stage = silent) -> Model:
    """Read a model that has layers; under --strict one without unsupported nodes."""
    with stage(f"reading {path}"):
        model = read_model(path, options.shapes, options.values)
    findings = [node.diagnostic(model.file) for node in model.unsupported]
    if findings and (options.strict or not model.layers):
        raise CovenantError(findings, ExitCode.UNSUPPORTED)
    if not model.layers:
        raise fail(
            "RUN008",
            "no node of the model is a layer",
            Span(model.file),
            "give a model with a convolution or a matrix product",
        )
    return model


def _map_onto(
    model: Model, acgs: Sequence[Acg], options: MapOptions, stage: Stage
) -> tuple[ModelMapping, ...]:
    """All layers on all architectures, solved together."""
    lowered = [_lowered(layer) for layer in model.layers]
    codelets = [each.codelet for each in lowered if isinstance(each, LoweredLayer)]
    ops = {layer.name: layer.op_type for layer in model.layers}
    pins = options.pins.of_layers([PinnedLayer(ops[c.name], c) for c in codelets])
    splits = [(acg, shared_layers(lowered, acg)) for acg in acgs]
    tasks = []
    for acg, split in splits:
        mine = [each.codelet for each in split if isinstance(each, LoweredLayer)]
        tasks += [Task(codelet, acg, kept) for codelet, kept in zip(mine, pins, strict=True)]
    outcomes = iter(_solve(tasks, options, stage))
    results = []
    for acg, split in splits:
        layers: list[MappedLayer] = []
        twins: dict[tuple[Codelet, tuple[Pin, ...]], str] = {}
        kept = iter(pins)
        for layer, plain, made in zip(model.layers, lowered, split, strict=True):
            if isinstance(made, CovenantError):
                layers.append(MappedLayer(layer, error=made))
                continue
            mapped = replace(_mapped(layer, made, next(outcomes), acg), pins=next(kept))
            if isinstance(plain, LoweredLayer) and not layer.assumed_int8:
                mapped = replace(mapped, alone=plain if is_evaluated(plain, acg) else None)
            if mapped.error is None:
                equal = replace(made.codelet, name=""), mapped.pins
                twin = twins.setdefault(equal, layer.name)
                mapped = replace(mapped, twin="" if twin == layer.name else twin)
            layers.append(mapped)
        results.append(ModelMapping(model, acg, tuple(layers)))
    return tuple(results)


def _lowered(layer: Layer) -> LoweredLayer | CovenantError:
    try:
        return build_codelet(layer)
    except CovenantError as error:
        return error


def _solve(tasks: Sequence[Task], options: MapOptions, stage: Stage) -> tuple[Outcome, ...]:
    cache = MappingCache.of_user() if options.cache else MappingCache(None)
    limits = SolveOptions(
        options.objective, options.time_limit_seconds, options.seed, options.workers, options.jobs
    )
    with stage("mapping layers") as tell:

        def count(done: int, of: int) -> None:
            tell(f"mapping {min(done + 1, of)}/{of} layers")

        return solve_all(tasks, limits, cache, count, partial(tell, live=True))


def _mapped(layer: Layer, lowered: LoweredLayer, outcome: Outcome, acg: Acg) -> MappedLayer:
    if outcome.mapping is None:
        return MappedLayer(layer, lowered, error=outcome.error, stopped=outcome.stopped)
    mapping = check_mapping(outcome.mapping, lowered.codelet, acg)
    cost = evaluate_cost(mapping, lowered.codelet, acg)
    return MappedLayer(
        layer, lowered, mapping, cost, cached=outcome.cached, stopped=outcome.stopped
    )


def dump(
    path: Path, options: MapOptions | None, artifact: str, stage: Stage = silent
) -> Iterator[str | CovenantError]:
    """Text forms of one artifact (`frontend`, `codelet`, `mapping`, `program`) of a model's layers,
    or of a saved directory's (options None); the error of a layer that has none."""
    mapping: ModelMapping | None = None
    if options is None:
        mapping = load(path)[0]
        model = mapping.model
    else:
        model = open_model(path, options, stage)
    if artifact == "frontend":
        yield print_model(model)
    elif artifact == "codelet":
        for made in map(_lowered, model.layers):
            yield print_codelet(made.codelet) if isinstance(made, LoweredLayer) else made
    else:
        if mapping is None:
            assert options is not None
            found = _map_onto(model, [_architecture(options)], options, stage)[0]
            mapping = _tolerated(found, options)
        for mapped in mapping.layers:
            yield _dumped(mapped, mapping.acg, artifact)


def _dumped(mapped: MappedLayer, acg: Acg, artifact: str) -> str | CovenantError:
    if mapped.error is not None or mapped.mapping is None:
        return mapped.error or ""
    if artifact == "mapping":
        return show_mapping(mapped.mapping)
    try:
        return show_program(compile_layer(mapped, acg).program)
    except CovenantError as error:
        return error


def compile_layer(mapped: MappedLayer, acg: Acg) -> CompiledLayer:
    """Lower, encode and statically check one mapped layer; CovenantError when it cannot run."""
    lowered, mapping = mapped.whole()
    program = lower(mapping, lowered.codelet, acg, payloads=lowered.constants)
    image = build_image(program, mapping, lowered.codelet, acg, lowered.constants)
    verify_image(image, acg)
    return CompiledLayer(mapped, program, image)


def run_model(
    mapping: ModelMapping,
    machine: str,
    inputs: Mapping[str, NDArray[Any]] | None,
    seed: int,
    stage: Stage = silent,
    images: Mapping[str, Image] | None = None,
) -> tuple[ModelRun, dict[str, NDArray[Any]]]:
    """Compile and execute every layer in order; the run and all tensors by ONNX name.

    inputs: by ONNX input name, None for seeded random ones. Every output element is compared with
    the integer reference. images: of layers already compiled, by name (a saved directory).
    """
    tensors: dict[str, NDArray[Any]] = dict(
        random_inputs(mapping.model, seed) if inputs is None else inputs
    )
    with stage(f"building {machine}"):
        backend = open_machine(machine, mapping.acg)
    runs: list[LayerRun] = []
    with backend:
        for mapped in mapping.in_order:
            if mapped.is_processed and mapped.lowered is not None:
                compute_layer(mapping.model, mapped.layer, mapped.lowered, tensors, seed)
                continue
            with stage(f"running {mapped.layer.name}"):
                runs.append(_run_layer(mapping, mapped, backend, tensors, seed, images or {}))
    return ModelRun(mapping, machine, tuple(runs)), tensors


def _run_layer(
    mapping: ModelMapping,
    mapped: MappedLayer,
    backend: Machine,
    tensors: dict[str, NDArray[Any]],
    seed: int,
    images: Mapping[str, Image],
) -> LayerRun:
    try:
        lowered, _ = mapped.whole()
        image = images.get(mapped.layer.name) or compile_layer(mapped, mapping.acg).image
        done = execute_layer(mapping.model, mapped.layer, lowered, image, backend, tensors, seed)
    except CovenantError as error:
        return LayerRun(mapped, error=error)
    return LayerRun(
        mapped,
        compared=done.compared,
        mismatches=done.mismatches,
        first=done.first,
        cycles=done.cycles,
        counters=done.counters,
        words=len(image.words),
        packets=packet_count(image.words, mapping.acg.control),
    )


def onnx_outputs(model: Model, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Outputs of the ONNX graph that the layers run produced, by name; the host dequantises."""
    return graph_outputs(model, tensors)


_MODEL, _ARCHITECTURE, _PARAMETERS = "model.onnx", "architecture.yaml", "parameters.npz"


def save(mapping: ModelMapping, directory: Path) -> None:
    """Write model, architecture, mappings, programs and images; `load` reads them back. Float
    layers have a mapping only."""
    saved: list[SavedLayer] = []
    compiled: list[CompiledLayer] = []
    for mapped in mapping.layers:
        if mapped.mapping is None or mapped.layer.assumed_int8:
            continue
        ready = compile_layer(mapped, mapping.acg)
        compiled.append(ready)
        saved.append(
            SavedLayer(
                mapped.layer.name,
                ready.image,
                show_program(ready.program),
                show_mapping(mapped.mapping),
            )
        )
    extra = {
        _MODEL: embedded(Path(mapping.model.file)),
        _ARCHITECTURE: resolved_yaml(mapping.acg).encode(),
    }
    if mapping.model.parameters:
        extra[_PARAMETERS] = npz_bytes(mapping.model.parameters)
    extra.update(_host_files(mapping, compiled))
    write_images(directory, saved, saved_details(mapping), extra)


def _host_files(mapping: ModelMapping, compiled: Sequence[CompiledLayer]) -> Mapping[str, bytes]:
    """The model as a C program, where the architecture says how and every node is a layer."""
    control = mapping.acg.control
    if control is None or control.host is None or mapping.not_in_host_code:
        return {}
    by_name = {c.mapped.layer.name: c for c in compiled}
    ready: list[HostLayer | WholeLayer] = []
    for mapped in mapping.in_order:
        if mapped.is_processed and mapped.lowered is not None:
            ready.append(WholeLayer(mapped.layer, mapped.lowered))
            continue
        lowered, how = mapped.whole()
        image = by_name[mapped.layer.name].image
        ready.append(HostLayer(mapped.layer, lowered, image, show_mapping(how)))
    return host_files(mapping.model, ready, mapping.acg)


def save_pins(mapping: ModelMapping, file: Path) -> None:
    """Write every decision of the layers that were mapped as pins; `map --pins` maps the same."""
    found = [(m.mapping, m.lowered.codelet) for m in mapping.layers if m.mapping and m.lowered]
    write_pins(file, pins_text(found, mapping.acg))


def load(directory: Path) -> tuple[ModelMapping, dict[str, Image]]:
    """Read back what `save` wrote: the mapping of the model and the image of every layer."""
    saved = read_images(directory)
    acg = read_architecture(directory / _ARCHITECTURE)
    shapes = {name: tuple(shape) for name, shape in saved.details["shapes"].items()}
    values = read_arrays(directory / _PARAMETERS) if _PARAMETERS in saved.files else {}
    model = read_model(directory / _MODEL, shapes, values)
    layers: list[MappedLayer] = []
    refused: list[MappedLayer] = []
    processed: list[MappedLayer] = []
    for layer in model.layers:
        lowered = build_codelet(layer)
        if layer.name in saved.details.get("processed", []):
            processed.append(MappedLayer(layer, lowered))
            continue
        if layer.name in saved.details.get("refused", {}):
            error = refusal(saved.details["refused"][layer.name])
            refused.append(MappedLayer(layer, lowered, error=error))
            continue
        if layer.name not in saved.details["mappings"]:
            raise fail(
                "RUN006",
                f"no mapping of layer '{layer.name}'",
                Span(str(directory)),
                "write the directory again with `covenant map MODEL.onnx -o DIR`",
            )
        lowered = form_of(lowered, acg, saved.details.get("forms", {}).get(layer.name, ""))
        mapping = from_json(saved.details["mappings"][layer.name])
        check_mapping(mapping, lowered.codelet, acg)
        cost = evaluate_cost(mapping, lowered.codelet, acg)
        layers.append(MappedLayer(layer, lowered, mapping, cost))
    for image in saved.images.values():
        verify_image(image, acg)
    found = ModelMapping(model, acg, tuple(layers), tuple(refused), tuple(processed))
    return found, dict(saved.images)


def rtl_sources(arch: str, settings: Mapping[str, str]) -> tuple[str, tuple[Path, ...]]:
    """Text of the generated package and the sources it parameterises."""
    acg = read_architecture(arch, settings)
    text = rtl_config(acg)
    return text, tuple(p for p in cluster_sources(acg) if p.name != "cvn_cfg_pkg.sv")
