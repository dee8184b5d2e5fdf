"""`covenant run`: map, compile and execute a model, or execute a saved directory again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from covenant.cli.dump import dump_after as print_artifact
from covenant.cli.options import (
    ModelArguments,
    arch_option,
    dump_option,
    model_options,
    print_errors,
    require_arch,
    save_pins_option,
)
from covenant.cli.progress import StageProgress
from covenant.core.diagnostics import ExitCode, Span, fail


@click.command()
@click.argument("model", metavar="MODEL|DIR", type=click.Path(path_type=Path))
@arch_option
@model_options
@click.option(
    "--on",
    "machine",
    metavar="rtl|interpreter",
    help="Machine to run on, rtl where the architecture has any; cycles are measured on rtl, "
    "modelled on the interpreter.",
)
@click.option(
    "--input",
    "inputs",
    type=click.Path(path_type=Path),
    help="Inputs as .npz, keys = ONNX input names; default: seeded random.",
)
@click.option(
    "--output",
    "outputs",
    type=click.Path(path_type=Path),
    help="Write the outputs as .npz, keys = ONNX output names.",
)
@click.option(
    "-o",
    "save",
    type=click.Path(path_type=Path),
    help="Write mappings, programs and images into this directory.",
)
@save_pins_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@dump_option
@click.option("-v", "--verbose", is_flag=True, help="Print every mapping whole.")
def command(
    model: Path,
    arch: str | None,
    settings: tuple[str, ...],
    arguments: ModelArguments,
    machine: str | None,
    inputs: Path | None,
    outputs: Path | None,
    save: Path | None,
    save_pins: Path | None,
    as_json: bool,
    verbose: bool,
    dump_after: str | None,
) -> int:
    """Map, compile and run MODEL (an ONNX file, or a directory written by `map -o`).

    Every output element is compared with the integer reference; exit code 7 when any differs.
    """
    from covenant import pipeline
    from covenant.report.summary import run_json
    from covenant.report.text import run_text
    from covenant.sim.machine import usual_machine
    from covenant.sim.stimulus import checked_inputs, read_arrays, write_outputs

    progress = StageProgress()
    saved = model.is_dir()
    if saved:
        _refuse_mapping_options(model, arch, settings, arguments)
    arrays = None if inputs is None else read_arrays(inputs)
    options = None if saved else arguments.options(require_arch(arch), settings, arrays)
    if dump_after is not None:
        return print_artifact(dump_after, model, options, progress)
    if options is None:
        mapping, images = pipeline.load(model)
    else:
        mapping, images = pipeline.map_model(model, options, progress.stage), {}
    if mapping.interrupted:
        print_errors([mapped.error for mapped in mapping.layers])
        return mapping.exit_code
    given = None if arrays is None else checked_inputs(mapping.model, arrays, Span(str(inputs)))
    run, tensors = pipeline.run_model(
        mapping,
        usual_machine(mapping.acg) if machine is None else machine,
        given,
        arguments.seed,
        progress.stage,
        images,
    )
    print_errors([layer.error or layer.mapped.error for layer in run.layers])
    if save_pins is not None:
        pipeline.save_pins(mapping, save_pins)
    if save is not None and mapping.exit_code == 0:
        pipeline.save(mapping, save)
    if outputs is not None:
        write_outputs(outputs, pipeline.onnx_outputs(mapping.model, tensors))
    click.echo(
        json.dumps(run_json(run), indent=2) if as_json else run_text(run, details=verbose).rstrip()
    )
    return run.exit_code


def _refuse_mapping_options(
    directory: Path, arch: str | None, settings: tuple[str, ...], arguments: ModelArguments
) -> None:
    if arch is not None or settings or arguments.shapes:
        raise fail(
            "CLI004",
            "a saved directory is run with the architecture and shapes it was mapped for",
            Span(str(directory)),
            "leave out --arch, --set and --shape, or run the model instead",
            ExitCode.USAGE,
        )
