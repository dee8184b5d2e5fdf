"""Transfer nodes: channels with job queues that share one path for data.

In: jobs of a transfer's channels. Out: when each is done. RTL: cvn_dma_jobs (round robin),
cvn_dma_load (requests run ahead of data), cvn_dma_store, cvn_dma_completion.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from covenant.emit.units import Dma
from covenant.sim.timing.agenda import TICKS, Agenda, Flow
from covenant.sim.timing.pipeline import Pipeline
from covenant.sim.timing.queues import Job, Queue, Semaphores
from covenant.sim.timing.work import Transferred


class Path:
    """One transfer node. Jobs are taken round robin and move their data one after the other.

    beats, busy: bus beats moved, cycles with a job so far.
    """

    def __init__(
        self, agenda: Agenda, semaphores: Semaphores, dma: Dma, queue_depth: int, pipeline: Pipeline
    ) -> None:
        self.dma = dma
        self.beats = self.busy = 0
        ahead = pipeline.jobs_ahead * queue_depth if dma.loads else 0
        self.queues = tuple(
            Queue(agenda, semaphores, queue_depth, pipeline, partial(self._offer, c), ahead)
            for c in range(dma.transfer.channels)
        )
        self._agenda = agenda
        self._pipeline = pipeline
        self._ahead = ahead or 1
        self._last = 0
        self._jobs = self._since = 0
        self._requests_end = 0
        self._ready: deque[tuple[Job, Queue, int]] = deque()
        self._moving = False
        self._moved_at = -1

    def _offer(self, channel: int, job: Job) -> bool:
        """Whether a channel's job is taken: it is its turn, and requests and data have room."""
        if self._requests_end > self._agenda.now or len(self._ready) >= self._ahead:
            return False
        if not self.dma.loads and self._moving:
            return False
        for other in self._turns():
            if other == channel:
                break
            if self.queues[other].offered:
                self._agenda.at(self._agenda.now, self.queues[other].poke)
                return False
        self._last = channel
        self._take(job, self.queues[channel])
        return True

    @property
    def _latency(self) -> int:
        """Until the first word; what requests wait for room is part of the work."""
        latency = self.dma.source.latency_cycles
        return latency - latency // self.dma.transfer.outstanding

    def _turns(self) -> tuple[int, ...]:
        """Channels, the one after the last served first."""
        count = len(self.queues)
        return tuple((self._last + i) % count for i in range(1, count + 1))

    def _take(self, job: Job, queue: Queue) -> None:
        work = job.work
        assert isinstance(work, Transferred)
        now, request = self._agenda.now, self._pipeline.request(self.dma.transfer)
        if not self._jobs:
            self._since = now
        self._jobs += 1
        if self.dma.loads:
            self._requests_end = now + max(1, work.requests) * TICKS
            self._agenda.at(self._requests_end, self._next)
            wait = request + (self._latency if work.requests else 1)
        else:
            # A store that has waited for another one follows without a gap.
            wait = 0 if self._moved_at == now else request
        self._ready.append((job, queue, now + wait * TICKS))
        self._move()

    def _next(self) -> None:
        for channel in self._turns():
            self.queues[channel].poke()

    def _move(self) -> None:
        if self._moving or not self._ready:
            return
        job, queue, ready = self._ready.popleft()
        self._moving = True
        self._agenda.at(ready, partial(self._begin, job, queue))

    def _begin(self, job: Job, queue: Queue) -> None:
        work = job.work
        assert isinstance(work, Transferred)
        flow = Flow(work.cycles * TICKS, work.traffic)
        self._agenda.start(flow)
        self._agenda.mark(flow, flow.total, partial(self._end, flow, work, queue))

    def _end(self, flow: Flow, work: Transferred, queue: Queue) -> None:
        self._agenda.finish(flow)
        self._moving = False
        self._moved_at = now = self._agenda.now
        self.beats += work.beats if work.requests else 0
        wait = self._pipeline.landing
        if not self.dma.loads:
            wait = max(0, self._pipeline.sending - 1) + self.dma.target.write_latency_cycles
        self._agenda.at(now + wait * TICKS, partial(self._done, queue))
        self._move()
        self._next()

    def _done(self, queue: Queue) -> None:
        self._jobs -= 1
        if not self._jobs:
            self.busy += (self._agenda.now - self._since) // TICKS
        queue.finish()
