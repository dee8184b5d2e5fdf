"""`--dump-after STAGE`: the text form of an artifact in place of a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from covenant.cli.progress import StageProgress
from covenant.core.diagnostics import CovenantError, ExitCode

if TYPE_CHECKING:
    from covenant.pipeline import MapOptions


def dump_after(
    artifact: str, model: Path, options: MapOptions | None, progress: StageProgress
) -> ExitCode:
    """Print an artifact of every layer of a model, or of a saved directory (options None); the code
    of the first layer that has none."""
    from covenant import pipeline

    code = ExitCode.OK
    for text in pipeline.dump(model, options, artifact, progress.stage):
        if isinstance(text, CovenantError):
            click.echo(str(text), err=True)
            code = code or text.exit_code
        else:
            click.echo(text, nl=False)
    return code
