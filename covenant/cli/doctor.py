"""`covenant doctor`: what this machine has, what it lacks and what to type to get it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click

from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.core.resources import cache_directory

_PACKAGES = ("networkx", "numpy", "onnx", "ortools", "pydantic", "pyyaml", "rich")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for: whether it is there, which version, and how to get it if not."""

    name: str
    ok: bool
    found: str
    repair: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(as_json: bool) -> int:
    """Say what this machine lacks to map, compile and simulate, and how to get it."""
    findings = list(_findings())
    if as_json:
        report = {"schema_version": 1, "findings": [asdict(f) for f in findings]}
        click.echo(json.dumps(report, indent=2))
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else "MISSING"
            click.echo(f"{mark}  {finding.name:<16} {finding.found}")
            if finding.repair and not finding.ok:
                click.echo(f"         help: {finding.repair}")
    return ExitCode.OK if all(f.ok for f in findings) else ExitCode.USAGE


def _findings() -> Iterator[Finding]:
    version = sys.version_info
    yield Finding("python", version >= (3, 11), platform.python_version(), "install Python >= 3.11")
    for name in _PACKAGES:
        yield _package(name)
    yield _tool("c++ compiler", _compiler)
    yield _tool("verilator", _verilator)
    yield _cache()


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}")


def _tool(name: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, find())
    except CovenantError as error:
        return Finding(name, False, error.diagnostics[0].message, error.diagnostics[0].help)


def _compiler() -> str:
    from covenant.sim.verilator import find_compiler

    compiler = find_compiler()
    return f"{' '.join(compiler.command)} ({compiler.version})"


def _verilator() -> str:
    from covenant.sim.verilator import verilator_version

    return verilator_version().strip()


def _cache() -> Finding:
    directory = cache_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return Finding("cache", False, str(error), "set COVENANT_CACHE_DIR to a writable directory")
    return Finding("cache", True, str(directory))
