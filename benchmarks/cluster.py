"""Measure the cluster on RTL beside SNAX's figures, the bound and the goal.

Tables: A GEMM already in the L1, B GEMM from and to DRAM, D layers of networks against the
roofline, E prediction against RTL, F what each mechanism is worth: one left out at a time, V
depthwise convolutions, pools, sums and tables against the bound of the vector node. Every output
element is compared with the integer reference in the same run; exit code 7 when any differs.
Progress goes to stderr.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from fnmatch import fnmatch
from typing import Any

import click

from ablation import ablated, table_f, variants
from covenant.acg.reader import read_architecture
from covenant.cli.options import parse_settings
from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.sim.cluster import dram_timing
from covenant.sim.machine import open_machine
from measure import Measurement, Setup, resident, streamed
from tables import table_a, table_b, table_d, table_e, table_v
from text import document_text
from workloads import LAYERS, QUICK, RESIDENT, STREAMED, VECTOR_LAYERS, Workload

SCHEMA_VERSION = 1

_TABLES: dict[str, Callable[[dict[str, Measurement]], Any]] = {
    "A": table_a,
    "B": table_b,
    "D": table_d,
    "E": table_e,
    "F": table_f,
    "V": table_v,
}

_Measure = Callable[[Workload, Setup], Measurement]
_Task = tuple[_Measure, Workload, Setup]


@click.command(help=__doc__)
@click.option("--table", "tables", default="A,B,D,E", show_default=True, help="Tables to print.")
@click.option("--arch", default="snax", show_default=True, help="Architecture with RTL.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="As `covenant run`.")
@click.option("--only", multiple=True, metavar="NAME", help="Workloads or networks, with * and ?.")
@click.option("--quick", is_flag=True, help="A short subset, under a minute.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option("--time-limit", default=10.0, show_default=True, help="Solver seconds per layer.")
@click.option("--seed", default=0, show_default=True, help="Seed of solver and inputs.")
def command(
    tables: str,
    arch: str,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    quick: bool,
    as_json: bool,
    jobs: int,
    time_limit: float,
    seed: int,
) -> None:
    """Measure and print; exits with the code of the worst result."""
    names = _table_names(tables)
    setup = Setup(arch, tuple(parse_settings(settings).items()), time_limit, seed)
    chosen = [
        task
        for task in _tasks(names, setup)
        if (not quick or task[1].name in QUICK) and _is_named(task[1], only)
    ]
    if not chosen:
        raise click.UsageError("no workload has such a name")
    try:
        found = _measure(chosen, jobs)
    except CovenantError as error:
        click.echo(str(error), err=True)
        sys.exit(int(error.exit_code))
    document = _document(setup, names, found)
    click.echo(json.dumps(document, indent=2) if as_json else document_text(document).rstrip())
    sys.exit(_exit_code(found.values()))


def _table_names(text: str) -> list[str]:
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in _TABLES]
    if unknown or not names:
        raise click.UsageError(f"--table takes some of {','.join(_TABLES)}, not '{text}'")
    return names


def _is_named(workload: Workload, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(
        fnmatch(text, pattern) for text in (workload.name, workload.network) for pattern in patterns
    )


def _tasks(names: list[str], setup: Setup) -> Iterator[_Task]:
    """What the tables need, every workload once."""
    made: set[str] = set()
    for measure, workload, where in _all_tasks(names, setup):
        if workload.name not in made:
            yield measure, workload, where
        made.add(workload.name)


def _all_tasks(names: list[str], setup: Setup) -> Iterator[_Task]:
    if "A" in names:
        yield from ((resident, w, setup) for row in RESIDENT for w in row.workloads)
    if "B" in names:
        yield from ((streamed, row.workload, setup) for row in STREAMED)
    if "D" in names or "E" in names:
        yield from ((streamed, workload, setup) for workload in LAYERS)
    if "V" in names:
        yield from ((streamed, workload, setup) for workload in VECTOR_LAYERS)
    if "F" in names:
        for variant in variants(setup):
            for workload in filter(None, map(variant.workload, ablated())):
                yield streamed, workload, variant.setup(setup)


def _measure(chosen: list[_Task], jobs: int) -> dict[str, Measurement]:
    """Measurements by name, in the order of `chosen`."""
    for arch, settings in dict.fromkeys((s.arch, s.settings) for _, _, s in chosen):
        open_machine("rtl", read_architecture(arch, dict(settings)))  # builds it once
    started = time.monotonic()
    found: dict[str, Measurement] = {}
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        tasks = [pool.submit(measure, workload, setup) for measure, workload, setup in chosen]
        for number, task in enumerate(as_completed(tasks), 1):
            m = task.result()
            found[m.name] = m
            state = f"{m.cycles:,} cycles, {m.utilization:.1%}" if m.cycles else "FAILED"
            state += f", {m.mismatches:,} elements WRONG" if m.mismatches else ""
            seconds = time.monotonic() - started
            click.echo(f"{seconds:6.1f} s  {number}/{len(tasks)}  {m.name}: {state}", err=True)
    return {workload.name: found[workload.name] for _, workload, _ in chosen}


def _document(setup: Setup, names: list[str], found: dict[str, Measurement]) -> dict[str, Any]:
    acg = read_architecture(setup.arch, dict(setup.settings))
    return {
        "schema_version": SCHEMA_VERSION,
        "arch": acg.name,
        "settings": dict(setup.settings),
        "dram_latency_cycles": dram_timing(acg).latency_cycles,
        "seed": setup.seed,
        "compared": sum(m.compared for m in found.values()),
        "mismatches": sum(m.mismatches for m in found.values()),
        "errors": {m.name: m.error for m in found.values() if m.error},
        "tables": {name: _TABLES[name](found) for name in names},
    }


def _exit_code(measurements: Iterable[Measurement]) -> int:
    """MISMATCH when an element differs, else the code of the first workload that failed."""
    measurements = list(measurements)
    if any(m.mismatches for m in measurements):
        return int(ExitCode.MISMATCH)
    return next((m.exit_code for m in measurements if m.exit_code), int(ExitCode.OK))


if __name__ == "__main__":
    command()
