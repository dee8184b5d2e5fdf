"""`covenant explain`: what bounds the layers of a model, and what would help."""

from __future__ import annotations

import json
from pathlib import Path

import click

from covenant.cli.options import (
    ModelArguments,
    arch_option,
    model_options,
    print_errors,
    require_arch,
)
from covenant.cli.progress import StageProgress


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@arch_option
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help="Explain this layer; repeatable; default: every layer.",
)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    arch: str | None,
    settings: tuple[str, ...],
    layers: tuple[str, ...],
    arguments: ModelArguments,
    as_json: bool,
) -> int:
    """Say what bounds the layers of MODEL, where their cycles go, and what would help by how much.

    Every change of the architecture is re-solved; where the mapping of today keeps its meaning,
    its cost is also modelled.
    """
    from covenant import pipeline
    from covenant.report.explain import explain_json
    from covenant.report.explain_text import explain_text

    options = arguments.options(require_arch(arch), settings)
    found = pipeline.explain_model(model, options, layers, StageProgress().stage)
    print_errors([each.mapped.error for each in found.layers])
    if as_json:
        click.echo(json.dumps(explain_json(found), indent=2))
    else:
        click.echo(explain_text(found), nl=False)
    return found.exit_code
