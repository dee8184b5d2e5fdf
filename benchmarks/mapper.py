"""Map published layers and show that every mapping is proven, how fast, and against whom.

Tables: solve (status, objective, seconds per layer, machine and objective), growth (seconds against
size), levels (seconds against the number of on-chip memories in a row), zigzag (against ZigZag's
search, both ways), rule (against Gemmini's hand rule). Exit code 1 when a layer could not be mapped
or proven in time. Progress goes to stderr.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from fnmatch import fnmatch
from typing import Any

import click

from covenant.mapper.objective import Term
from mapper_layers import GROWTH, LAYERS, LEVEL_GROWTH, LEVELS, QUICK, TARGETS, Target
from mapper_solve import Solved, solve_layer
from mapper_tables import growth_table, solve_table
from mapper_text import document_text
from mapper_versus import Match, hand_rows, versus_summary, zigzag_rows
from workloads import Workload

SCHEMA_VERSION = 1
TABLES = ("solve", "growth", "levels", "zigzag", "rule")
PEERS = ("zigzag", "rule")
PEER_TARGETS = ("gemmini_like", "gemmini_like_64KiB")

_Task = tuple[Workload, Target, str]


@click.command(help=__doc__)
@click.option("--table", "tables", default=",".join(TABLES), show_default=True)
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Machines, with * and ?.")
@click.option("--objective", "objectives", default="latency,energy", show_default=True)
@click.option("--only", multiple=True, metavar="NAME", help="Layers or networks, with * and ?.")
@click.option("--quick", is_flag=True, help="A short subset.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--jobs", default=1, show_default=True, help="Processes; seconds are those of each.")
@click.option("--time-limit", default=10.0, show_default=True, help="Solver seconds per layer.")
@click.option("--seed", default=0, show_default=True, help="Seed of the solver.")
@click.option(
    "--zigzag",
    default="",
    envvar="COVENANT_ZIGZAG_PYTHON",
    metavar="PYTHON",
    help="Python of an environment with zigzag-dse; without it its published figures are printed.",
)
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
    zigzag: str,
) -> None:
    """Solve and print."""
    names = _known(tables, TABLES, "--table")
    terms = _known(objectives, tuple(Term), "--objective")
    chosen = [
        (table, (workload, target, objective))
        for table, (workload, target, objective) in _tasks(names, terms)
        if (not quick or workload.name in QUICK)
        and _named((workload.name, workload.network), only)
        and _named((target.name,), targets)
    ]
    if not chosen:
        raise click.UsageError("no layer or machine has such a name")
    tasks = list(dict.fromkeys(task for _, task in chosen))
    solved = dict(_solved(tasks, jobs, time_limit, seed))
    found: dict[str, Any] = {}
    for name in names:
        part = [task for table, task in chosen if table == name]
        if name in PEERS:
            matches = [Match(t[0], t[1], solved[t], time_limit, seed) for t in part]
            found[name] = _against(name, matches, zigzag)
        else:
            made = solve_table if name == "solve" else growth_table
            found[name] = made([solved[t] for t in part])
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "jobs": jobs,
        "seed": seed,
        "time_limit_seconds": time_limit,
        "tables": found,
    }
    click.echo(json.dumps(document, indent=2) if as_json else document_text(document).rstrip())
    sys.exit(0 if all(s.proven for s in solved.values()) else 1)


def _tasks(names: list[str], terms: list[str]) -> Iterator[tuple[str, _Task]]:
    """What the tables need."""
    for name in names:
        targets = [t for t in TARGETS if name not in PEERS or t.name in PEER_TARGETS]
        targets = list(LEVELS) if name == "levels" else targets
        workloads = {"growth": GROWTH, "levels": LEVEL_GROWTH}.get(name, LAYERS)
        for target, term in itertools.product(targets, ["latency"] if name == "growth" else terms):
            for workload in workloads:
                yield name, (workload, target, term)


def _against(name: str, matches: list[Match], zigzag: str) -> dict[str, Any]:
    """Rows and summary of a table beside others."""
    if name == "rule":
        return {"rows": list(hand_rows(matches, _tell))}
    rows = list(zigzag_rows(matches, zigzag, _tell))
    return {"rows": rows, "summary": versus_summary(rows)}


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _known(text: str, known: tuple[str, ...], option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in known for name in names):
        raise click.UsageError(f"{option} takes some of {','.join(known)}, not '{text}'")
    return names


def _named(texts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatch(t, p) for t in texts for p in patterns)


def _solved(
    tasks: list[_Task], jobs: int, time_limit: float, seed: int
) -> Iterator[tuple[_Task, Solved]]:
    """Results by task, as they come."""
    started = time.monotonic()
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(solve_layer, *task, time_limit, seed): task for task in tasks}
        for number, future in enumerate(as_completed(futures), 1):
            s = future.result()
            state = f"{s.status}, {s.value:,}, {s.seconds:.2f} s" if not s.error else "FAILED"
            at = f"{time.monotonic() - started:6.1f} s  {number}/{len(tasks)}"
            _tell(f"{at}  {s.target} {s.objective} {s.name}: {state}")
            yield futures[future], s


if __name__ == "__main__":
    command()
