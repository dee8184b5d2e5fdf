"""`covenant compare`: one model on several architectures, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click

from covenant.cli.options import ModelArguments, model_options, require_arch
from covenant.cli.progress import StageProgress


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--arch",
    "archs",
    multiple=True,
    metavar="NAME|FILE",
    help="Architecture: shipped name or YAML; give two or more, the first is the reference.",
)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def command(
    model: Path,
    archs: tuple[str, ...],
    arguments: ModelArguments,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Map MODEL onto several architectures; show cycles, bytes, energy and what differs first."""
    from covenant import pipeline
    from covenant.report.compare import compare, compare_csv, compare_json
    from covenant.report.compare_text import compare_text

    first = require_arch(archs[0] if archs else None)
    if len(archs) < 2:
        raise click.UsageError("give --arch twice or more, e.g. --arch A --arch B")
    if as_json and as_csv:
        raise click.UsageError("give --json or --csv, not both")
    options = arguments.options(first)
    results = pipeline.compare_models(model, archs, options, StageProgress().stage)
    found = compare(results, archs)
    if as_json:
        click.echo(json.dumps(compare_json(found), indent=2))
    else:
        click.echo(compare_csv(found) if as_csv else compare_text(found), nl=False)
    return found.exit_code
