"""Counters of a modelled run, by the names of the hardware's.

In: nodes and transfer nodes after a program. Out: counters. As in the RTL (cvn_counters), events of
several nodes add up; operands are `a`, `b` in the order of the YAML, partial sums `c`, records `p`,
results `y`. `slowed`: cycles of running jobs lost to others at the banks.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase

from covenant.sim.timing.agenda import TICKS
from covenant.sim.timing.nodes import Node
from covenant.sim.timing.transfers import Path


def counters(
    cycles: int, nodes: Mapping[str, Node], paths: Mapping[str, Path], blocked: int
) -> dict[str, int]:
    """All counters of a run of so many cycles; `blocked`: cycles that a launch waited for room."""
    found = {"cycles": cycles, "busy": sum(node.steps for node in nodes.values())}
    for node in nodes.values():
        for key, ticks in node.waited.items():
            name = _counter(node, key)
            found[name] = found.get(name, 0) + ticks // TICKS
    waits = sum(value for name, value in found.items() if name not in ("cycles", "busy"))
    held = sum(stop - start for node in nodes.values() for start, stop in node.held) // TICKS
    found["slowed"] = max(0, held - found["busy"] - waits)
    found["config_wait"] = cycles - _covered(nodes) - 1
    for name, loads in (("read", True), ("write", False)):
        own = [path for path in paths.values() if path.dma.loads == loads]
        found[f"dma_{name}_beats"] = sum(path.beats for path in own)
        found[f"dma_{name}_busy"] = sum(path.busy for path in own)
    return found | {"command_blocked": blocked}


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


def _covered(nodes: Mapping[str, Node]) -> int:
    """Cycles in which any node has a job."""
    end = total = 0
    for start, stop in sorted(each for node in nodes.values() for each in node.held):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total // TICKS
