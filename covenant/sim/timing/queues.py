"""Job queues of engines and what lets a job start: semaphores, or the end of earlier launches.

In: jobs pushed by the command processor. Out: jobs offered to an engine in order. RTL:
cvn_job_queue, cvn_semaphores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from covenant.sim.timing.agenda import TICKS, Action, Agenda
from covenant.sim.timing.pipeline import Pipeline
from covenant.sim.timing.work import Computed, Transferred


@dataclass(slots=True, eq=False)
class Job:
    """A launch as the engines of its unit see it.

    number: of all launches; taken: when each stream took its part, in ticks; waiters: what to do
    when a stream takes it; left: engines that have not done theirs; ended: what to do then; after:
    launches that must be done before; visible: when engines see it, done: when all have done
    theirs, in ticks.
    """

    number: int
    work: Transferred | Computed
    left: int = 1
    after: tuple[Job, ...] = ()
    taken: dict[str, int] = field(default_factory=dict)
    waiters: dict[str, Action] = field(default_factory=dict)
    ended: list[Action] = field(default_factory=list)
    visible: int = 0
    done: int = 0

    @property
    def ready(self) -> int:
        """When all that it waits for was there, in ticks."""
        return max((self.visible, *(other.done for other in self.after)))

    def take(self, key: str, now: int) -> None:
        """A stream takes its part."""
        self.taken[key] = now
        waiter = self.waiters.pop(key, None)
        if waiter is not None:
            waiter()

    def finish(self, now: int) -> None:
        """One more engine has done its part."""
        self.left -= 1
        if not self.left:
            self.done = now
            for action in self.ended:
                action()


@dataclass(slots=True, eq=False)
class _Entry:
    job: Job
    visible: int
    waits: tuple[str, ...]
    posts: tuple[str, ...]


class Semaphores:
    """Credits by name; whoever waits for one is told when it is posted."""

    def __init__(self, agenda: Agenda, names: Sequence[str], credit_cycles: int) -> None:
        self._agenda = agenda
        self._delay = credit_cycles * TICKS
        self._credits = dict.fromkeys(names, 0)
        self._waiting: dict[str, Action] = {}

    def post(self, names: Sequence[str]) -> None:
        """One more credit for each."""
        if names:
            self._agenda.at(self._agenda.now + self._delay, lambda: self._add(names))

    def take(self, names: Sequence[str], retry: Action) -> bool:
        """Take a credit of each if all have one; else `retry` is called when that may have
        changed."""
        missing = [name for name in names if not self._credits[name]]
        for name in missing:
            self._waiting[name] = retry
        if not missing:
            for name in names:
                self._credits[name] -= 1
        return not missing

    @property
    def missing(self) -> tuple[str, ...]:
        """Semaphores that somebody waits for."""
        return tuple(sorted(self._waiting))

    def _add(self, names: Sequence[str]) -> None:
        for name in names:
            self._credits[name] += 1
        for name in names:
            retry = self._waiting.pop(name, None)
            if retry is not None:
                retry()


class Queue:
    """Jobs of one engine. `offer` says whether the engine takes a job now; when it could not, it
    calls `poke` later. `freed` is called when there may be room again, or no job left. running:
    jobs that may be under way, else as many as may wait."""

    def __init__(
        self,
        agenda: Agenda,
        semaphores: Semaphores,
        depth: int,
        pipeline: Pipeline,
        offer: Callable[[Job], bool],
        running: int = 0,
    ) -> None:
        self.freed: Action = _nothing
        self.finished = 0
        self._agenda = agenda
        self._semaphores = semaphores
        self._depth = depth
        self._most = running or depth
        self._delay = pipeline.offer * TICKS
        self._offer = offer
        self._waiting: deque[_Entry] = deque()
        self._running: deque[_Entry] = deque()
        self._granted = False
        self._poking = False

    @property
    def full(self) -> bool:
        """Whether no job can be pushed."""
        return len(self._waiting) >= self._depth

    @property
    def idle(self) -> bool:
        """Whether it holds no job and none runs."""
        return not self._waiting and not self._running

    @property
    def jobs(self) -> tuple[int, int]:
        """Jobs that wait and that run."""
        return len(self._waiting), len(self._running)

    def push(self, job: Job, waits: tuple[str, ...] = (), posts: tuple[str, ...] = ()) -> None:
        """A launch; the engine sees it a little later."""
        job.visible = visible = self._agenda.now + self._delay
        self._waiting.append(_Entry(job, visible, waits, posts))
        for other in job.after:
            other.ended.append(self.poke)
        self._agenda.at(visible, self.poke)

    @property
    def offered(self) -> bool:
        """Whether the oldest job could be taken now."""
        if not self._waiting or len(self._running) >= self._most:
            return False
        entry = self._waiting[0]
        if entry.visible > self._agenda.now or any(other.left for other in entry.job.after):
            return False
        if not self._granted:
            self._granted = self._semaphores.take(entry.waits, self.poke)
        return self._granted

    def poke(self) -> None:
        """Offer jobs as long as the engine takes them."""
        if self._poking:
            return
        self._poking = True
        while self.offered and self._offer(self._waiting[0].job):
            self._running.append(self._waiting.popleft())
            self._granted = False
            self._agenda.at(self._agenda.now + TICKS, self._free)
        self._poking = False

    def finish(self) -> None:
        """The oldest running job is done."""
        entry = self._running.popleft()
        self.finished = self._agenda.now
        self._semaphores.post(entry.posts)
        entry.job.finish(self._agenda.now)
        self._agenda.at(self._agenda.now + TICKS, self._free)
        self.poke()

    def _free(self) -> None:
        self.freed()


def _nothing() -> None:
    """Nobody waits for room."""
