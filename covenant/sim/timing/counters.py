"""Counters of a modelled run, by the names of the hardware's.

In: nodes and transfer nodes after a program. Out: counters. As in the RTL (cvn_counters), events of
several nodes add up; operands are `a`, `b` in the order of the YAML, partial sums `c`, records `p`,
results `y`. `slowed`: cycles of running jobs lost to others at the banks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from string import ascii_lowercase

from covenant.sim.timing.agenda import TICKS
from covenant.sim.timing.nodes import Node
from covenant.sim.timing.transfers import Path


@dataclass(slots=True)
class LeftOut:
    """What iterations that were not modelled would have counted: cycles, those with any job, cycles
    that jobs were held, events by counter."""

    cycles: int = 0
    covered: int = 0
    held: int = 0
    events: dict[str, int] = field(default_factory=dict)

    def copy(self) -> LeftOut:
        """As it is now."""
        return LeftOut(self.cycles, self.covered, self.held, dict(self.events))

    def without(self, earlier: LeftOut) -> LeftOut:
        """What has come since an earlier one."""
        events = {n: v - earlier.events.get(n, 0) for n, v in self.events.items()}
        return LeftOut(
            self.cycles - earlier.cycles,
            self.covered - earlier.covered,
            self.held - earlier.held,
            events,
        )


def counters(
    cycles: int,
    nodes: Mapping[str, Node],
    paths: Mapping[str, Path],
    blocked: int,
    more: LeftOut,
) -> dict[str, int]:
    """All counters of a run of so many modelled cycles; `blocked`: cycles that a launch waited for
    room."""
    counted = events(nodes, paths, blocked)
    counted = {name: value + more.events.get(name, 0) for name, value in counted.items()}
    found = {"cycles": cycles + more.cycles, "busy": counted["busy"]}
    found |= {name: value for name, value in counted.items() if _is_wait(name)}
    waits = sum(value for name, value in counted.items() if _is_wait(name))
    intervals = [each for node in nodes.values() for each in node.held]
    held = sum(stop - start for start, stop in intervals) // TICKS + more.held
    found["slowed"] = max(0, held - found["busy"] - waits)
    found["config_wait"] = found["cycles"] - covered(intervals) - more.covered - 1
    return found | {n: v for n, v in counted.items() if n not in found}


def events(nodes: Mapping[str, Node], paths: Mapping[str, Path], blocked: int) -> dict[str, int]:
    """Counters of what has happened so far."""
    found = {"busy": sum(node.steps for node in nodes.values())}
    for node in nodes.values():
        for key, ticks in node.waited.items():
            name = _counter(node, key)
            found[name] = found.get(name, 0) + ticks // TICKS
    for name, loads in (("read", True), ("write", False)):
        own = [path for path in paths.values() if path.dma.loads == loads]
        found[f"dma_{name}_beats"] = sum(path.beats for path in own)
        found[f"dma_{name}_busy"] = sum(path.busy for path in own)
    return found | {"command_blocked": blocked}


def _is_wait(name: str) -> bool:
    return name.startswith(("starved_", "blocked_"))


def _counter(node: Node, key: str) -> str:
    """The counter of waiting for a stream."""
    unit = node.unit
    if key == unit.output:
        return "blocked_y"
    if key == unit.partial:
        return "starved_c"
    records = {record.name for record in unit.node.records}
    if key in records:
        return "starved_p"
    operands = [s.key for s in unit.streams if s.key not in {unit.output, unit.partial} | records]
    return f"starved_{ascii_lowercase[operands.index(key)]}"


def covered(intervals: Iterable[tuple[int, int]]) -> int:
    """Cycles that lie in any interval of ticks."""
    end = total = 0
    for start, stop in sorted(intervals):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total // TICKS
