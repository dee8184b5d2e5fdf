"""`covenant arch`: list, write, check, show and export architectures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from covenant.cli.options import parse_settings
from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail

if TYPE_CHECKING:
    from covenant.acg.graph import Acg
    from covenant.report.architecture import Checked

_settings = click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Override an attribute."
)


@click.group()
def command() -> None:
    """List, write, check and show architectures (YAML files)."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_architectures(as_json: bool) -> None:
    """List the architectures that come with covenant."""
    from covenant.acg.reader import read_architecture, shipped_architectures

    found = [read_architecture(name) for name in shipped_architectures()]
    if as_json:
        rows = [
            {"name": acg.name, "description": acg.description, "file": acg.file} for acg in found
        ]
        click.echo(json.dumps({"schema_version": 1, "architectures": rows}, indent=2))
        return
    width = max(len(acg.name) for acg in found)
    for acg in found:
        click.echo(f"{acg.name:<{width}}  {acg.description}")


@command.command()
@click.argument("name")
@click.option("--from", "base", metavar="NAME|FILE", help="Extend this architecture.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the file goes, - for standard output; default: NAME.yaml here.",
)
def new(name: str, base: str | None, output: Path | None) -> None:
    """Write the file of a new architecture: a small machine that runs, to be changed."""
    from covenant.acg import starter
    from covenant.acg.reader import read_architecture, shipped_architectures

    _check_new_name(name, shipped_architectures())
    file = output or Path(f"{name}.yaml")
    if base is None:
        text = starter.starter(name, file)
    else:
        text = starter.family_member(name, base, read_architecture(base), file)
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    _write_new(file, text)
    click.echo(f"{file}: {len(text.splitlines())} lines; next: covenant arch check {file}")


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def _check_new_name(name: str, shipped: tuple[str, ...]) -> None:
    """A name that a file can have and no shipped architecture has."""
    stem = name.removesuffix(".yaml").removesuffix(".yml")
    if not _NAME.fullmatch(name):
        message = f"{name!r} is not a name for an architecture"
        repair = "use letters, digits, _, . and -; -o says where the file goes"
    elif stem in shipped:
        message = f"'{stem}' is a shipped architecture"
        repair = f"`covenant arch new my_{stem} --from {stem}` starts from it"
    elif stem != name:
        message = f"'{name}' ends like a file; NAME is the name of the machine"
        repair = f"`covenant arch new {stem}` writes {stem}.yaml"
    else:
        return
    raise fail("CLI006", message, Span("NAME"), repair, ExitCode.USAGE)


def _write_new(file: Path, text: str) -> None:
    """Write a file that must not exist yet."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        message, repair = "the file exists already", "remove it, or give another one with -o FILE"
        raise fail("CLI005", message, Span(str(file)), repair, ExitCode.USAGE) from error
    except (OSError, ValueError) as error:
        raise _unwritable(file, error, "-o") from error


def _unwritable(file: Path, error: Exception, option: str) -> CovenantError:
    reason = getattr(error, "strerror", None) or str(error)
    message, repair = f"cannot write the file: {reason}", f"give a writable place with {option}"
    return fail("CLI005", message, Span(str(file)), repair, ExitCode.USAGE)


@command.command()
@click.argument("arch", metavar="NAME|FILE")
@click.option("--resolved", is_flag=True, help="Print the whole YAML with every value resolved.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw it as SVG."
)
@_settings
def show(arch: str, resolved: bool, svg: Path | None, settings: tuple[str, ...]) -> None:
    """Draw an architecture: memories, transfers, compute nodes, capabilities, registers."""
    from covenant.acg.dump import resolved_yaml
    from covenant.acg.printer import show as show_text
    from covenant.acg.reader import read_architecture

    acg = read_architecture(arch, parse_settings(settings))
    if svg is not None:
        _draw(acg, svg)
        return
    click.echo(resolved_yaml(acg) if resolved else show_text(acg), nl=False)


def _draw(acg: Acg, file: Path) -> None:
    """Write the drawing; a file of that name is replaced, as it can be drawn again."""
    from covenant.acg.svg import svg
    from covenant.core.resources import write_whole

    try:
        write_whole(file, svg(acg).encode())
    except (OSError, ValueError) as error:
        raise _unwritable(file, error, "--svg") from error
    click.echo(f"{file}: {acg.name}")


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_settings
def check(files: tuple[str, ...], as_json: bool, settings: tuple[str, ...]) -> int:
    """Check architecture files: every fault with its place and repair; of a valid file, what its
    machine can run, what not, and what it lacks."""
    from covenant.report import architecture

    found = [_checked(file, parse_settings(settings)) for file in files]
    if as_json:
        entries = [architecture.checked_json(each) for each in found]
        click.echo(json.dumps({"schema_version": 1, "files": entries}, indent=2))
    for each in found if not as_json else []:
        if each.error is not None:
            click.echo("\n".join(map(str, each.error.diagnostics)), err=True)
        else:
            click.echo(architecture.checked_text(each))
    errors = [each.error for each in found if each.error is not None]
    return errors[0].exit_code if errors else ExitCode.OK


def _checked(file: str, settings: dict[str, str]) -> Checked:
    from covenant.acg.reader import read_architecture
    from covenant.report.architecture import Checked, checked

    try:
        return checked(file, read_architecture(file, settings))
    except CovenantError as error:
        return Checked(file, None, None, error)


@command.command()
def schema() -> None:
    """Print the JSON Schema of architecture files, for editors."""
    from covenant.acg.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@command.command()
@click.argument("arch", metavar="NAME|FILE")
@_settings
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the generated package and copies of the RTL sources here; default: print it.",
)
def rtl(arch: str, settings: tuple[str, ...], output: Path | None) -> None:
    """Print or write the RTL of a member of the reference cluster family."""
    from covenant.pipeline import rtl_sources

    text, sources = rtl_sources(arch, parse_settings(settings))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for source in sources:
            (output / source.name).write_bytes(source.read_bytes())
        (output / "cvn_cfg_pkg.sv").write_text(text)
    except OSError as error:
        raise _unwritable(output, error, "-o") from error
    click.echo(f"{output}: cvn_cfg_pkg.sv and {len(sources)} sources")
