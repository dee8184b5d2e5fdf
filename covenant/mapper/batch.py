"""Many layers solved at once: equal ones once, known ones from the cache, others in processes.

In: tasks, each a codelet on an architecture. Out: one `Outcome` per task, in their order, whatever
the number of processes. A task that fails, or an interrupt, never loses the others.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.mapper import interrupts
from covenant.mapper.cache import MappingCache, architecture_digest, mapping_key
from covenant.mapper.infeasible import interrupted
from covenant.mapper.mapping import Mapping
from covenant.mapper.objective import LATENCY, Objective
from covenant.mapper.pins import Pin
from covenant.mapper.solve import solve

_WORTH_A_PROCESS = 1 << 20
"""Multiply-accumulates of a layer from which on it may take longer than starting a process."""


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """objective: of every layer; time_limit_seconds: per layer; workers: solver threads of a layer;
    jobs: layers solved at a time, each in a process of its own, 0 for one after the other in this
    process."""

    objective: Objective = LATENCY
    time_limit_seconds: float = 10.0
    seed: int = 0
    workers: int = 1
    jobs: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A codelet to be mapped onto an architecture, and the user's pins for it."""

    codelet: Codelet
    acg: Acg
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A mapping, or the error that kept a task from having one; `cached`: it was known before;
    `stopped`: Ctrl-C ended the search."""

    mapping: Mapping | None = None
    error: CovenantError | None = None
    cached: bool = False
    stopped: bool = False


Tell = Callable[[int, int], None]
"""Told how many distinct tasks are done, and of how many."""


def solve_all(
    tasks: Sequence[Task],
    options: SolveOptions,
    cache: MappingCache,
    tell: Tell,
    live: Callable[[str], None] | None = None,
) -> tuple[Outcome, ...]:
    """The outcome of every task; those of equal codelets on equal architectures are equal. live: is
    told value and bound of a task solved in this process."""
    keys = _keys(tasks, options)
    distinct: dict[str, Task] = {}
    for key, task in zip(keys, tasks, strict=True):
        distinct.setdefault(key, task)
    found: dict[str, Outcome] = {}
    try:
        for key, task in distinct.items():
            known = cache.load(key, task.codelet, task.acg)
            if known is not None:
                found[key] = Outcome(known, cached=True)
        tell(len(found), len(distinct))
        left = {key: task for key, task in distinct.items() if key not in found}
        for key, outcome in _solved(left, options, live):
            found[key] = outcome
            if outcome.mapping is not None and _finished(outcome, options):
                cache.store(key, outcome.mapping)
            tell(len(found), len(distinct))
    except KeyboardInterrupt:
        for key, task in distinct.items():
            found.setdefault(key, Outcome(error=interrupted(task.codelet, task.acg)))
    return tuple(
        _renamed(found[key], distinct[key], task) for key, task in zip(keys, tasks, strict=True)
    )


def _keys(tasks: Sequence[Task], options: SolveOptions) -> list[str]:
    digests = {id(task.acg): architecture_digest(task.acg) for task in tasks}
    return [
        mapping_key(
            task.codelet,
            digests[id(task.acg)],
            objective=str(options.objective),
            pins="\n".join(map(repr, task.pins)),
            seed=options.seed,
            workers=options.workers,
        )
        for task in tasks
    ]


def _finished(outcome: Outcome, options: SolveOptions) -> bool:
    """Whether the search ended before its time: at the limit a proven latency may have been found
    without the best of its ties."""
    assert outcome.mapping is not None
    seconds = outcome.mapping.proof.solve_seconds
    return seconds < 0.9 * options.time_limit_seconds and not outcome.stopped


def _renamed(outcome: Outcome, solved: Task, task: Task) -> Outcome:
    """The outcome of a task that equals the one that was solved."""
    if task is solved:
        return outcome
    if outcome.mapping is not None:
        name, architecture = task.codelet.name, task.acg.name
        mapping = replace(outcome.mapping, codelet=name, architecture=architecture)
        return replace(outcome, mapping=mapping)
    assert outcome.error is not None
    equal = f"layer '{task.codelet.name}' equals '{solved.codelet.name}': "
    diagnostics = [replace(d, message=equal + d.message) for d in outcome.error.diagnostics]
    return Outcome(error=CovenantError(diagnostics, outcome.error.exit_code))


def _solved(
    tasks: dict[str, Task], options: SolveOptions, live: Callable[[str], None] | None
) -> Iterator[tuple[str, Outcome]]:
    """Outcomes as they come; layers that take less time than a process to start stay here."""
    large = {key: task for key, task in tasks.items() if task.codelet.macs >= _WORTH_A_PROCESS}
    if options.jobs and len(large) > 1:
        done: set[str] = set()
        for key, outcome in _in_processes(large, options):
            done.add(key)
            yield key, outcome
        tasks = {key: task for key, task in tasks.items() if key not in done}
    for key, task in tasks.items():
        outcome = _attempt(task, options, live)
        interrupts.restore()
        yield key, outcome
        if outcome.stopped:
            raise KeyboardInterrupt


def _in_processes(tasks: dict[str, Task], options: SolveOptions) -> Iterator[tuple[str, Outcome]]:
    """Outcomes of those tasks that a process could solve; ends early when processes die. On Ctrl-C
    those being solved end with their best; a second one ends them at once."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    flag = context.Event()
    pool = ProcessPoolExecutor(
        min(options.jobs, len(tasks)), context, initializer=_listen, initargs=(flag,)
    )
    try:
        with interrupts.withheld():
            futures: dict[Future[Outcome], str] = {
                pool.submit(_attempt, task, options): key for key, task in tasks.items()
            }
        left = set(futures)
        try:
            for future in as_completed(futures):
                left.discard(future)
                yield futures[future], future.result()
        except KeyboardInterrupt:
            flag.set()
            # Those not begun end at once: a cancelled future breaks a pool whose processes die.
            for future in as_completed(left):
                yield futures[future], future.result()
            raise
    except BrokenProcessPool:  # no memory for another process, or a main module without a guard
        return
    except BaseException:  # an interrupt: no process may go on behind our back
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_FLAGS: list[interrupts.Flag] = []
"""In a process of a pool: what the parent sets when its searches shall end."""


def _listen(flag: interrupts.Flag) -> None:
    interrupts.leave_to_parent()
    _FLAGS.append(flag)


def _attempt(
    task: Task, options: SolveOptions, live: Callable[[str], None] | None = None
) -> Outcome:
    watch = interrupts.Watch(next(iter(_FLAGS), None))
    if watch.flag is not None and watch.flag.is_set():
        return Outcome(error=interrupted(task.codelet, task.acg), stopped=True)
    if live is not None:
        watch.tell = lambda text: live(f"{task.codelet.name}: {text}")
    try:
        mapping = solve(
            task.codelet,
            task.acg,
            objective=options.objective,
            pins=task.pins,
            time_limit_seconds=options.time_limit_seconds,
            seed=options.seed,
            workers=options.workers,
            watch=watch,
        )
    except CovenantError as error:
        return Outcome(error=error, stopped=watch.stopped)
    return Outcome(mapping, stopped=watch.stopped)
