"""Streams of a compute node: readers that run ahead of the array, and the writer behind it.

In: jobs of a stream, progress of the array. Out: when a stream takes and ends its jobs. RTL:
cvn_stream_reader, cvn_stream_writer, cvn_agu (takes the next job with the last address of a job).
"""

from __future__ import annotations

import heapq
from functools import partial
from itertools import count

from covenant.sim.timing.agenda import TICKS, Action, Agenda, Flow
from covenant.sim.timing.pipeline import Pipeline
from covenant.sim.timing.queues import Job, Queue, Semaphores
from covenant.sim.timing.work import Computed


class Reader:
    """An operand, record or partial-sum stream of a node. Its words wait in a FIFO of `fifo` beats,
    its addresses in a queue before that."""

    def __init__(
        self,
        agenda: Agenda,
        semaphores: Semaphores,
        depth: int,
        pipeline: Pipeline,
        key: str,
        fifo: int,
        taken: Action,
    ) -> None:
        self.key = key
        self.queue = Queue(agenda, semaphores, depth, pipeline, self._offer)
        self._agenda = agenda
        self._fifo = fifo
        self._reach = fifo + pipeline.address_beats
        self._taken = taken
        self._free = True
        self._asked = self._consumed = 0
        self._order = count()
        self._pending: list[tuple[int, int, Action]] = []
        self._flow: Flow | None = None
        self._beats = 0

    def _offer(self, job: Job) -> bool:
        if not self._free:
            return False
        assert isinstance(job.work, Computed)
        now, beats = self._agenda.now, job.work.beats[self.key]
        self._free = False
        self._asked += beats
        end = now + beats * TICKS
        self._when(self._asked - self._reach, partial(self._agenda.at, end, self._release))
        self._when(self._asked - self._fifo, partial(self._agenda.at, end, self.queue.finish))
        job.take(self.key, now)
        self._taken()
        return True

    def _release(self) -> None:
        self._free = True
        self.queue.poke()

    def _when(self, beats: int, action: Action) -> None:
        """Call the action when the node has taken so many beats in all."""
        if beats <= self._consumed:
            action()
        elif self._flow is not None and beats <= self._consumed + self._beats:
            self._mark(self._flow, beats, action)
        else:
            heapq.heappush(self._pending, (beats, next(self._order), action))

    def _mark(self, flow: Flow, beats: int, action: Action) -> None:
        self._agenda.mark(flow, flow.total * (beats - self._consumed) // self._beats, action)

    def begin(self, flow: Flow, beats: int) -> None:
        """The array starts a job that takes so many beats."""
        self._flow, self._beats = flow, beats
        while self._pending and self._pending[0][0] <= self._consumed + beats:
            threshold, _, action = heapq.heappop(self._pending)
            self._mark(flow, threshold, action)

    def end(self) -> None:
        """The array has taken all beats of its job."""
        self._consumed += self._beats
        self._flow, self._beats = None, 0


class Writer:
    """The result stream of a node, with a FIFO of `fifo` beats."""

    def __init__(
        self,
        agenda: Agenda,
        semaphores: Semaphores,
        depth: int,
        pipeline: Pipeline,
        key: str,
        fifo: int,
    ) -> None:
        self.key = key
        self.fifo = fifo
        self.queue = Queue(agenda, semaphores, depth, pipeline, self._offer)
        self._agenda = agenda
        self._free = True

    def _offer(self, job: Job) -> bool:
        if not self._free:
            return False
        self._free = False
        job.take(self.key, self._agenda.now)
        return True

    def finish(self) -> None:
        """The last word of the oldest job is written; the next one is taken."""
        self.queue.finish()
        self.release()

    def release(self) -> None:
        """The next job is taken, while words of the one before may be on their way."""
        self._free = True
        self.queue.poke()
