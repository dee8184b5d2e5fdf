"""The machines a program can run on, behind one interface: the RTL cluster and the interpreter.

In: an architecture. Out: `Machine`: off-chip memory and words in, off-chip memory and cycles out.
Every run starts with on-chip memory of random bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.core.diagnostics import ExitCode, Span, did_you_mean, fail
from covenant.sim.cluster import Cluster, build_cluster
from covenant.sim.interpret import Interpreter
from covenant.sim.timing import Timing, time_program

Memory = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """The off-chip memory after a program; cycles, measured or modelled, and counters."""

    dram: Memory
    cycles: int | None
    counters: Mapping[str, int]


class Machine(Protocol):
    """Something that runs encoded programs; use it in a `with` block."""

    def execute(self, words: Sequence[int], dram: Memory, seed: int) -> Execution:
        """Run a program on this off-chip memory; `seed`: on-chip contents before."""

    def __enter__(self) -> Machine: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class RtlMachine:
    """The reference cluster in Verilator. One model per run, so that nothing survives."""

    def __init__(self, acg: Acg) -> None:
        build_cluster(acg)
        self._acg = acg

    def execute(self, words: Sequence[int], dram: Memory, seed: int) -> Execution:
        """Run on the RTL; cycles from the first instruction fetch to the last byte written."""
        with Cluster(self._acg, dram_bytes=dram.size, seed=seed + 1) as cluster:
            cluster.load_program(words)
            cluster.write_dram(0, dram)
            result = cluster.run()
            memory = np.frombuffer(cluster.read_dram(0, dram.size), np.uint8)
        return Execution(memory, result.cycles, result.counters)

    def __enter__(self) -> RtlMachine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class InterpreterMachine:
    """The interpreter: any architecture with a control node. It has no clock: cycles are those of
    the timing model."""

    def __init__(self, acg: Acg) -> None:
        self._acg = acg
        self._interpreter = Interpreter(acg)
        self._timed: dict[tuple[int, ...], Timing] = {}

    def execute(self, words: Sequence[int], dram: Memory, seed: int) -> Execution:
        """Run in NumPy; `counters` are the modelled ones and the launches per unit."""
        memory, statistics = self._interpreter.run(words, dram)
        timing = self._timing(tuple(words))
        launches = {f"launches_{u}": n for u, n in statistics.launches}
        return Execution(memory, timing.cycles, {**timing.counters, **launches})

    def _timing(self, words: tuple[int, ...]) -> Timing:
        """Modelled time; equal programs, as those of equal layers, are timed once."""
        if words not in self._timed:
            self._timed[words] = time_program(words, self._acg)
        return self._timed[words]

    def __enter__(self) -> InterpreterMachine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


MACHINES = ("rtl", "interpreter")


def usual_machine(acg: Acg) -> str:
    """Name of the machine that a user who names none means: the RTL where there is one."""
    return "rtl" if acg.rtl else "interpreter"


def open_machine(name: str, acg: Acg) -> Machine:
    """The machine of that name for an architecture; builds the RTL when it is not cached."""
    if name not in MACHINES:
        raise fail(
            "RUN004",
            f"there is no machine '{name}'",
            Span("--on"),
            did_you_mean(name, MACHINES),
            ExitCode.USAGE,
        )
    if name == "interpreter":
        return InterpreterMachine(acg)
    if not acg.rtl:
        raise fail(
            "RUN005",
            f"architecture '{acg.name}' has no `rtl` section, so there is no RTL to run",
            Span(acg.file),
            "use --on interpreter",
            ExitCode.USAGE,
        )
    return RtlMachine(acg)
