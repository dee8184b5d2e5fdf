"""Fixed cycles around the work of a machine's engines, for the cost formulas.

In: an architecture. Out: `Stages`: sums of those of the RTL (acg.stages) for a member of the
cluster family; any other machine has what its YAML says and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from covenant.acg.graph import Acg, Memory, Transfer
from covenant.acg.stages import CLUSTER


@dataclass(frozen=True, slots=True)
class Stages:
    """Cycles, and instruction words of one cycle each (cvn_command), counted in programs.

    first_words: words before the launch of the first load; load_words: up to that of the next one;
    node_words: from the last one to the first of a compute node; turn_words: for registers that say
    how large a tile is; pad_words: of a launch that fills one side of a tile; piece_words: of two
    launches of one tile in different shapes of the array. turn: by which a job hands over to the
    next one in its queue, on average (cvn_job_queue has no gap; measured). landed: from the last
    beat of a load until a stream can take its job (cvn_dma_completion, cvn_semaphores); leaving:
    from the last result of a launch to the request of its store (cvn_semaphores, cvn_dma_rows);
    sent: from the address of a stored word to its beat (cvn_dma_read_lane); seen: until the
    processor sees that all is done (cvn_command).
    """

    in_family: bool = False
    first_words: int = 0
    load_words: int = 0
    node_words: int = 0
    turn_words: int = 0
    pad_words: int = 0
    piece_words: int = 0
    turn: int = 0
    landed: int = 0
    leaving: int = 0
    sent: int = 0
    seen: int = 0

    def read(self, memory: Memory) -> int:
        """Cycles until a stream has its first word (cvn_stream_reader)."""
        return memory.latency_cycles if self.in_family else 0

    def refill(self, outer: Memory, stream: Transfer, issue: int) -> int:
        """From the end of a launch to the launch that uses what takes the place of its input, but
        for the beats: the stream has read its last words a FIFO ahead of the array."""
        if not self.in_family:
            return outer.latency_cycles
        return max(0, outer.latency_cycles + 2 * issue + self.landed + 1 - stream.fifo_depth)

    def clear(self, outer: Memory) -> int:
        """From the end of a launch to the one that takes the place of its result, but for the
        beats: what the array does meanwhile, as far as FIFO and accumulators reach, makes up for
        the stages before the last beat (cvn_post)."""
        return outer.write_latency_cycles if self.in_family else 0

    def done(self, outer: Memory) -> int:
        """Cycles around the last store."""
        if not self.in_family:
            return 0
        return self.leaving + self.sent + outer.write_latency_cycles + self.seen


_FAMILY = Stages(
    in_family=True,
    first_words=6,
    load_words=4,
    node_words=30,
    turn_words=10,
    pad_words=8,
    piece_words=50,
    turn=1,
    landed=CLUSTER.landing + CLUSTER.credit,
    leaving=CLUSTER.credit + CLUSTER.request,
    sent=CLUSTER.sending - 1,
    seen=CLUSTER.idle + 1,
)


def stages_of(acg: Acg) -> Stages:
    """The stages of an architecture."""
    return _FAMILY if acg.rtl else Stages()
