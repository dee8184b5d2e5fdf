"""`covenant map`: map the layers of a model onto an architecture."""

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


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@arch_option
@model_options
@click.option(
    "-o",
    "--output",
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
    output: Path | None,
    save_pins: Path | None,
    as_json: bool,
    verbose: bool,
    dump_after: str | None,
) -> int:
    """Map the layers of MODEL (an ONNX file) onto an architecture, with a proof of optimality."""
    from covenant import pipeline
    from covenant.report.summary import mapping_json
    from covenant.report.text import mapping_text

    progress = StageProgress()
    options = arguments.options(require_arch(arch), settings)
    if dump_after is not None:
        return print_artifact(dump_after, model, options, progress)
    result = pipeline.map_model(model, options, progress.stage)
    print_errors([mapped.error for mapped in result.layers])
    if save_pins is not None:
        pipeline.save_pins(result, save_pins)
    if output is not None and result.exit_code == 0:
        with progress.stage(f"writing {output}"):
            pipeline.save(result, output)
        if result.not_in_host_code:
            names = ", ".join(result.not_in_host_code)
            click.echo(f"note: no C program of the model, it lacks {names}", err=True)
    click.echo(
        json.dumps(mapping_json(result), indent=2)
        if as_json
        else mapping_text(result, details=verbose).rstrip()
    )
    return result.exit_code
