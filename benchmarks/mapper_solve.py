"""One layer mapped on one machine: status, objective, cost, seconds.

In: a `Workload`, a `Target`, an objective. Out: `Solved`, with the mapping for other tables.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.ir import Codelet
from covenant.codelets.registry import build as build_codelet
from covenant.core.diagnostics import CovenantError
from covenant.frontend.reader import read_model
from covenant.mapper import cost
from covenant.mapper.mapping import Mapping
from covenant.mapper.objective import Objective, Term
from covenant.mapper.solve import solve
from mapper_layers import Target
from models import write_model
from workloads import Workload


@dataclass(frozen=True, slots=True)
class Solved:
    """Result of one solve; `value` and `bound` in the unit of the objective. seconds: wall clock of
    the solve with its check; cpu_seconds: the same on the processor. error: why there is none."""

    name: str
    network: str
    target: str
    objective: str
    macs: int = 0
    status: str = ""
    value: int = 0
    bound: int = 0
    latency: int = 0
    dram_bytes: int = 0
    energy_femtojoules: int = 0
    bound_by: str = ""
    launches: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    error: str = ""
    mapping: Mapping | None = None

    @property
    def proven(self) -> bool:
        """Whether the value is the proven optimum and the cost of the mapping."""
        return self.status == "optimal" and self.value == self.bound


@cache
def architecture(target: Target) -> Acg:
    """The machine of a target."""
    return read_architecture(target.arch, dict(target.settings))


def codelet_of(workload: Workload) -> Codelet:
    """What is mapped: int8 without zero points, so that every machine can compute it."""
    with tempfile.TemporaryDirectory() as folder:
        model = read_model(write_model(workload, Path(folder), symmetric=True))
    (layer,) = model.layers
    return build_codelet(layer).codelet


def solve_layer(
    workload: Workload, target: Target, objective: str, time_limit: float, seed: int
) -> Solved:
    """Map a layer; an error is part of the result."""
    head = (workload.name, workload.network, target.name, objective)
    try:
        acg, codelet = architecture(target), codelet_of(workload)
        started, busy = time.perf_counter(), time.process_time()
        mapping = solve(
            codelet,
            acg,
            objective=Objective((Term(objective),)),
            time_limit_seconds=time_limit,
            seed=seed,
        )
        seconds, cpu = time.perf_counter() - started, time.process_time() - busy
        spent = cost.evaluate(mapping, codelet, acg)
    except CovenantError as error:
        return Solved(*head, error=str(error))
    return Solved(
        *head,
        macs=spent.macs,
        status=str(mapping.proof.status),
        value=mapping.proof.objective,
        bound=mapping.proof.bound,
        latency=spent.latency,
        dram_bytes=spent.dram_bytes,
        energy_femtojoules=spent.energy_femtojoules,
        bound_by=spent.bound_by,
        launches=spent.launches,
        seconds=seconds,
        cpu_seconds=cpu,
        mapping=mapping,
    )
