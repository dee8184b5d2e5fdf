"""Compute nodes: an array between streams with job queues of their own.

In: launches of a compute unit. Out: when each stream and the array are done. The array starts when
the first beat of every operand is there and stops when its results find no way out. RTL:
cvn_gemm_sequencer, cvn_vector_sequencer, cvn_params, cvn_vector_table, cvn_post.
"""

from __future__ import annotations

from functools import partial

from covenant.acg.graph import Acg
from covenant.emit.units import ComputeUnit
from covenant.sim.timing.agenda import TICKS, Agenda, Flow
from covenant.sim.timing.pipeline import Pipeline
from covenant.sim.timing.queues import Job, Queue, Semaphores
from covenant.sim.timing.streams import Reader, Writer
from covenant.sim.timing.work import Computed, fifo_depth

_BETWEEN = 2
"""Tiles between the array's operands and the writer's FIFO: one accumulates, one leaves."""


class Node:
    """A compute unit.

    steps: cycles of array steps so far; waited: ticks that the array waited with a job, by the
    stream it waited for; held: intervals with a job, in ticks.
    """

    def __init__(
        self,
        agenda: Agenda,
        semaphores: Semaphores,
        acg: Acg,
        unit: ComputeUnit,
        queue_depth: int,
        pipeline: Pipeline,
    ) -> None:
        self.unit = unit
        self.steps = 0
        self.waited: dict[str, int] = {}
        self.held: list[tuple[int, int]] = []
        self._agenda = agenda
        self._acg = acg
        self._pipeline = pipeline
        shared = (agenda, semaphores, queue_depth, pipeline)
        self._readers = {
            s.key: Reader(*shared, s.key, fifo_depth(acg, unit, s.key), self._try)
            for s in unit.streams
            if s.key != unit.output
        }
        self._writer = Writer(*shared, unit.output, fifo_depth(acg, unit, unit.output))
        self._array = Queue(*shared, self._offer)
        self._partial = "" if unit.partial == unit.output else unit.partial
        self._records = {r.name: bool(r.entries) for r in unit.node.records}
        self._job: Job | None = None
        self._starting = False
        self._taken_at = self._ended = self._drained = 0

    @property
    def queues(self) -> tuple[Queue, ...]:
        """Queues of all engines."""
        return (self._array, self._writer.queue, *(r.queue for r in self._readers.values()))

    @property
    def array(self) -> Queue:
        """The queue of the array itself."""
        return self._array

    def queue(self, key: str) -> Queue:
        """The queue of a stream."""
        return self._writer.queue if key == self._writer.key else self._readers[key].queue

    def _offer(self, job: Job) -> bool:
        if self._job is not None:
            return False
        self._job = job
        self._taken_at = self._agenda.now
        self._starting = False
        self._try()
        return True

    def _try(self) -> None:
        """Start the array's job once all operands of its first step are known to come."""
        job = self._job
        if job is None or self._starting:
            return
        assert isinstance(job.work, Computed)
        keys = [k for k in self._readers if k in job.work.beats and k != self._partial]
        if any(k not in job.taken for k in keys):
            return
        self._starting = True
        # Follows the job before without a bubble, else the array sees it in the next cycle.
        start = self._taken_at + (0 if self._taken_at == self._ended else TICKS)
        for key in keys:
            there = self._there(job, job.work, key)
            self._wait_for(key, there - start)
            start = max(start, there)
        self._agenda.at(start, partial(self._begin, job, job.work))

    def _there(self, job: Job, work: Computed, key: str) -> int:
        """When the first beat of a stream can be used, or its first record, or its table, which is
        loaded when the array has taken the job."""
        lead = work.lead.get(key, 0)
        stream = self.unit.stream(key)
        latency = self._pipeline.first_beat(self._acg.memory(stream.memory), work.capability)
        there = job.taken[key] + latency * TICKS
        if self._pipeline.starts_ahead:
            there = max(job.taken[key], job.ready + latency * TICKS)
        there += lead * TICKS
        if self._records.get(key, False):
            there = max(there, self._taken_at + (1 + lead) * TICKS)
        return there

    def _wait_for(self, key: str, ticks: int) -> None:
        if ticks > 0:
            self.waited[key] = self.waited.get(key, 0) + ticks

    def _begin(self, job: Job, work: Computed) -> None:
        late = max(0, self._drained - self._agenda.now - work.tile * TICKS)
        self._wait_for(self._writer.key, late)
        flow = Flow(work.cycles * TICKS + late, work.traffic)
        self._agenda.start(flow)
        for key, reader in self._readers.items():
            if key in work.beats:
                reader.begin(flow, work.beats[key])
        self._gates(flow, job, work)
        self._agenda.mark(flow, flow.total, partial(self._end, flow, job, work))

    def _gates(self, flow: Flow, job: Job, work: Computed) -> None:
        """Where the array stops if results cannot leave yet: the writer has not taken the job, or
        partial sums are not there."""
        per_tile = -(-work.beats[self._writer.key] // work.tiles)
        tiles = {self._writer.key: _BETWEEN + self._writer.fifo // per_tile}
        if self._partial in work.beats:
            tiles[self._partial] = _BETWEEN
        for key, number in tiles.items():
            if key not in job.taken and number <= work.tiles:
                position = work.tile + (number - 1) * max(work.tile, work.exchange)
                gate = partial(self._gate, flow, job, work, key)
                self._agenda.mark(flow, position * TICKS - 1, gate)

    def _gate(self, flow: Flow, job: Job, work: Computed, key: str) -> None:
        if key in job.taken:
            return
        stopped = self._agenda.now
        self._agenda.stop(flow)
        memory = self._acg.memory(self.unit.stream(key).memory)
        latency = self._pipeline.first_beat(memory, work.capability) * TICKS

        def go_on() -> None:
            self._wait_for(key, self._agenda.now - stopped)
            self._agenda.start(flow)

        job.waiters[key] = lambda: self._agenda.at(self._agenda.now + latency, go_on)

    def _end(self, flow: Flow, job: Job, work: Computed) -> None:
        self._agenda.finish(flow)
        self._ended = now = self._agenda.now
        self.steps += work.steps * work.tile // max(1, work.steps // work.tiles)
        self.held.append((self._taken_at, now))
        for key, reader in self._readers.items():
            if key in work.beats:
                reader.end()
        self._drained = now + work.exchange * TICKS
        done = now + work.drain * TICKS
        if self._writer.key in job.taken:
            self._written(self._drained, done)
        else:
            drain = (work.exchange + self._pipeline.offer) * TICKS
            job.waiters[self._writer.key] = lambda: self._written(
                self._agenda.now + work.exchange * TICKS, max(done, self._agenda.now + drain)
            )
        self._job = None
        self._array.finish()

    def _written(self, left: int, done: int) -> None:
        """The writer takes the next job when the results have left the array, or is done first."""
        if self._pipeline.drains_ahead:
            self._agenda.at(left, self._writer.release)
            self._agenda.at(done, self._writer.queue.finish)
        else:
            self._agenda.at(done, self._writer.finish)
