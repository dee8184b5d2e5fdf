"""Fixed cycles of the cluster's RTL: register stages, queues, look-ups.

In: nothing. Out: `CLUSTER`, which the cost formulas (mapper.stages) and the timing model
(sim.timing.pipeline) share, so that they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RtlStages:
    """Cycles, each in the module that is named.

    offer: from a launch until its engine can take the job (cvn_job_queue); credit: from a post
    until the semaphore can be taken (cvn_semaphores); idle: from the end of the last job until the
    processor sees all units idle (cvn_command); request: from taking a transfer to its first
    request (cvn_dma_rows); landing: from the last beat of a load until it is done
    (cvn_dma_completion); sending: from the address of a stored word to its beat
    (cvn_dma_read_lane); beat: from taking a stream's job to its first beat, beyond the memory's
    latency (cvn_stream_reader: address, FIFO); rounding: stages of the requantisers that a plain
    write has not (cvn_post). address_beats: beats that a stream's addresses run ahead of its words
    (cvn_address_queue); jobs_ahead: loads whose requests may be under way per queue place
    (cvn_dma); burst_bytes, burst_beats: largest request (cvn_dma_bursts).
    """

    offer: int = 1
    credit: int = 1
    idle: int = 1
    request: int = 1
    landing: int = 1
    sending: int = 3
    beat: int = 2
    rounding: int = 2
    address_beats: int = 8
    jobs_ahead: int = 4
    burst_bytes: int = 4096
    burst_beats: int = 64


CLUSTER = RtlStages()
