"""Map published layers and show that every mapping is proven, how fast, and against whom.

Tables: solve (status, objective, seconds per layer, machine and objective), growth (seconds against
size). Exit code 1 when a layer could not be mapped or proven in time. Progress goes to stderr.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from fnmatch import fnmatch
from typing import Any

import click

from mapper_layers import GROWTH, LAYERS, QUICK, TARGETS, Target
from mapper_solve import Solved, solve_layer
from mapper_tables import growth_table, solve_table
from mapper_text import document_text
from workloads import Workload

SCHEMA_VERSION = 1
TABLES = ("solve", "growth")

_Task = tuple[Workload, Target, str]


@click.command(help=__doc__)
@click.option("--table", "tables", default=",".join(TABLES), show_default=True)
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Machines, with * and ?.")
@click.option("--objective", "objectives", default="latency,energy", show_default=True)
@click.option("--only", multiple=True, metavar="NAME", help="Layers or networks, with * and ?.")
@click.option("--quick", is_flag=True, help="A short subset.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--jobs", default=1, show_default=True, help="Processes; seconds are those of each.")
@click.option("--time-limit", default=20.0, show_default=True, help="Solver seconds per layer.")
@click.option("--seed", default=0, show_default=True, help="Seed of the solver.")
def command(
    tables: str,
    targets: tuple[str, ...],
    objectives: str,
    only: tuple[str, ...],
    quick: bool,
    as_json: bool,
    jobs: int,
    time_limit: float,
    seed: int,
) -> None:
    """Solve and print."""
    names = _known(tables, TABLES, "--table")
    chosen = [
        (table, (workload, target, objective))
        for table, workloads in (("solve", LAYERS), ("growth", GROWTH))
        if table in names
        for target in TARGETS
        if _named((target.name,), targets)
        for objective in (objectives.split(",") if table == "solve" else ["latency"])
        for workload in workloads
        if (not quick or workload.name in QUICK) and _named((workload.name, workload.network), only)
    ]
    if not chosen:
        raise click.UsageError("no layer or machine has such a name")
    solved = dict(_solved([task for _, task in chosen], jobs, time_limit, seed))
    found = {n: [solved[i] for i, (table, _) in enumerate(chosen) if table == n] for n in names}
    made = {"solve": solve_table, "growth": growth_table}
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "jobs": jobs,
        "seed": seed,
        "time_limit_seconds": time_limit,
        "tables": {name: made[name](found[name]) for name in names},
    }
    click.echo(json.dumps(document, indent=2) if as_json else document_text(document).rstrip())
    sys.exit(0 if all(s.proven for s in solved.values()) else 1)


def _known(text: str, known: tuple[str, ...], option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in known for name in names):
        raise click.UsageError(f"{option} takes some of {','.join(known)}, not '{text}'")
    return names


def _named(texts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatch(t, p) for t in texts for p in patterns)


def _solved(
    tasks: list[_Task], jobs: int, time_limit: float, seed: int
) -> Iterator[tuple[int, Solved]]:
    """Results with their place in `tasks`."""
    started = time.monotonic()
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        futures = {
            pool.submit(solve_layer, *task, time_limit, seed): i for i, task in enumerate(tasks)
        }
        for number, future in enumerate(as_completed(futures), 1):
            s = future.result()
            state = f"{s.status}, {s.value:,}, {s.seconds:.2f} s" if not s.error else "FAILED"
            at = f"{time.monotonic() - started:6.1f} s  {number}/{len(tasks)}"
            click.echo(f"{at}  {s.target} {s.objective} {s.name}: {state}", err=True)
            yield futures[future], s


if __name__ == "__main__":
    command()
