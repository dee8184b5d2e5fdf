"""Fixed cycles of the cluster's RTL: register stages, queues, look-ups, instruction words.

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
    write has not (cvn_post); turn: by which a job hands over to the next one in its queue, on
    average (cvn_job_queue has no gap; measured). address_beats: beats that a stream's addresses run
    ahead of its words (cvn_address_queue); jobs_ahead: loads whose requests may be under way per
    queue place (cvn_dma).

    Instruction words (cvn_command executes one per cycle), counted in programs: first_words: before
    the launch of the first load; load_words: up to that of the next one; node_words: from the last
    one to the first of a compute node; turn_words: for registers that say how large a tile is;
    pad_words: of a launch that fills one side of a tile; piece_words: of two launches of one tile
    in different shapes of the array.
    """

    offer: int = 1
    credit: int = 1
    idle: int = 1
    request: int = 1
    landing: int = 1
    sending: int = 3
    beat: int = 2
    rounding: int = 2
    turn: int = 1
    address_beats: int = 8
    jobs_ahead: int = 2
    first_words: int = 6
    load_words: int = 4
    node_words: int = 30
    turn_words: int = 10
    pad_words: int = 8
    piece_words: int = 50


CLUSTER = RtlStages()
