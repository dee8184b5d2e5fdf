"""Fixed cycles around the work of engines: register stages, queues, look-ups.

In: an architecture. Out: `Pipeline`. A member of the cluster family has the stages of its RTL, in
`acg.stages`; any other machine what its YAML says.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.acg.graph import Acg, Capability, Memory, Transfer
from covenant.acg.stages import CLUSTER


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Cycles. offer: from a launch until its engine can take the job (cvn_job_queue); credit: from
    a post until the semaphore can be taken (cvn_semaphores); idle: from the end of the last job
    until the processor sees all units idle (cvn_command); landing: from the last beat of a load
    until it is done (cvn_dma_completion); sending: from the address of a stored word to its beat
    (cvn_dma_read_lane); address_beats: beats that a stream's addresses run ahead of its words
    (cvn_address_queue); jobs_ahead: loads whose requests may be under way per queue place
    (cvn_dma)."""

    offer: int
    credit: int
    idle: int
    landing: int
    sending: int
    address_beats: int
    jobs_ahead: int
    in_family: bool

    def request(self, transfer: Transfer) -> int:
        """From taking a transfer to its first request (cvn_dma_rows)."""
        return CLUSTER.request if self.in_family else transfer.setup_cycles

    def first_beat(self, memory: Memory, capability: Capability) -> int:
        """From taking a stream's job to its first beat (cvn_stream_reader: address, bank, FIFO)."""
        if self.in_family:
            return memory.latency_cycles + CLUSTER.beat
        return memory.latency_cycles + capability.startup_cycles

    @property
    def starts_ahead(self) -> bool:
        """Whether a launch whose operands are there starts up while the one before computes
        (`startup_cycles` are stages of a pipeline)."""
        return not self.in_family

    @property
    def drains_ahead(self) -> bool:
        """Whether the results of a launch leave while the next one computes (`drain_cycles` are
        stages of a pipeline); the writer of the cluster takes one job at a time
        (cvn_stream_writer)."""
        return not self.in_family

    def drain(self, capability: Capability, exchange: int, *, rounds: bool) -> int:
        """From the end of the last step to the last word written (cvn_post: two more stages in the
        requantisers)."""
        if self.in_family:
            return exchange + CLUSTER.rounding * rounds
        return exchange + capability.drain_cycles


def pipeline_of(acg: Acg) -> Pipeline:
    """The stages of an architecture."""
    if acg.rtl:
        return Pipeline(
            CLUSTER.offer,
            CLUSTER.credit,
            CLUSTER.idle,
            CLUSTER.landing,
            CLUSTER.sending,
            CLUSTER.address_beats,
            CLUSTER.jobs_ahead,
            in_family=True,
        )
    issue = acg.control.issue_cycles if acg.control is not None else 0
    return Pipeline(issue, 0, 0, 0, 0, 0, 1, in_family=False)
