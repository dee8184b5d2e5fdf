"""What is known to have happened: vector clocks over the engines of a machine, and word histories.

In: jobs of engines in program order, with what orders them. Out: whether an access may race. An
engine is a DMA unit or one stream of a compute unit; each executes its own jobs in order. Nothing
else orders engines but semaphores and the flow of data through a compute node.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Clock = NDArray[np.int64]
"""Jobs known to be complete, per engine."""
Words = NDArray[np.int64]


@dataclass(slots=True)
class Engine:
    """Something that executes its jobs in order: a DMA unit or a stream.

    done: what is known when its last job is complete; epoch: how often it waited so far, which
    numbers the contents it writes; fresh: per engine, the epoch of its contents that this one has
    waited for, -1 for none.
    """

    number: int
    unit: str
    key: str
    done: Clock
    fresh: Clock
    jobs: int = 0
    epoch: int = 0

    @property
    def name(self) -> str:
        """Unit and stream, as findings call it."""
        return f"{self.unit}.{self.key}" if self.key else self.unit


@dataclass(frozen=True, slots=True)
class Credit:
    """A posted credit: what is known when it was posted, who posted it, in which epoch."""

    clock: Clock
    engine: int
    epoch: int


@dataclass(slots=True)
class Semaphore:
    """Credits of one counting semaphore.

    initial: credits from the command processor, over the whole program; posts: oldest first;
    ordered: whether one engine alone posts.
    """

    initial: int
    ordered: bool
    posts: list[Credit] = field(default_factory=list)
    given: int = 0
    """Credits from the command processor so far."""
    waits: int = 0

    @property
    def credit(self) -> int:
        """Credits left when everything launched so far has run."""
        return self.given + len(self.posts) - self.waits

    def wait(self) -> Credit | None:
        """Take a credit; the newest one surely posted by then, None when nothing is sure."""
        needed = self.waits - self.initial
        self.waits += 1
        if needed < 0 or not self.ordered or needed >= len(self.posts):
            return None
        return self.posts[needed]


@dataclass(frozen=True, slots=True)
class Race:
    """What is wrong with an access: a kind, the first word concerned, the other engine."""

    kind: str
    word: int
    engine: int


class Written:
    """Which words of one on-chip memory hold something, where launches take effect one by one and
    so cannot race."""

    def __init__(self, words: int) -> None:
        self._written = np.zeros(words, np.bool_)

    def read(self, words: Words, engine: Engine, start: Clock, one_job: bool) -> Race | None:
        """Whether something was written; the other arguments matter to `History` only."""
        del engine, start, one_job
        written = self._written[words]
        return None if written.all() else Race("unwritten", int(words[~written][0]), 0)

    def write(
        self, words: Words, engine: Engine, start: Clock, in_place: int, once: bool
    ) -> Race | None:
        """Record a write; the other arguments matter to `History` only."""
        del engine, start, in_place, once
        self._written[words] = True
        return None


class History:
    """Last writer and last readers of every word of one on-chip memory."""

    def __init__(self, words: int, engines: int) -> None:
        self._writer = np.zeros(words, np.int16)
        self._written = np.zeros(words, np.int64)
        self._epoch = np.zeros(words, np.int64)
        self._read = np.zeros((engines, words), np.int64)
        self._readers: set[int] = set()

    def read(self, words: Words, engine: Engine, start: Clock, one_job: bool) -> Race | None:
        """Record a read. one_job: all words must come from one job (partial sums of one tile);
        else each must come from the contents this engine has last waited for."""
        written, writer = self._written[words], self._writer[words]
        self._read[engine.number, words] = engine.jobs + 1
        self._readers.add(engine.number)
        if not written.all():
            return Race("unwritten", int(words[written == 0][0]), 0)
        late = start[writer] < written
        if late.any():
            return self._race("early", words[late])
        if one_job:
            stale = written != written[0]
        else:
            expected = engine.fresh[writer]
            stale = (expected >= 0) & (self._epoch[words] != expected)
        return self._race("stale", words[stale]) if stale.any() else None

    def write(
        self, words: Words, engine: Engine, start: Clock, in_place: int, once: bool
    ) -> Race | None:
        """Record a write. in_place: number of a reader that takes every word of the same job before
        it is written back, -1 for none; once: no word twice in one epoch."""
        found: Race | None = None
        before = self._written[words]
        late = start[self._writer[words]] < before
        if late.any():
            found = self._race("overwrites", words[late])
        for reader in sorted(self._readers):
            known = int(start[reader]) + (reader == in_place)
            busy = self._read[reader, words] > known
            if busy.any():
                found = Race("in use", int(words[busy][0]), reader)
        if once:
            own = (self._writer[words] == engine.number) & (before > 0)
            twice = own & (self._epoch[words] == engine.epoch)
            if twice.any():
                found = self._race("twice", words[twice])
        self._writer[words] = engine.number
        self._written[words] = engine.jobs + 1
        self._epoch[words] = engine.epoch
        return found

    def _race(self, kind: str, words: Words) -> Race:
        return Race(kind, int(words[0]), int(self._writer[words[0]]))
