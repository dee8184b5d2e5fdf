"""The solver equals the exhaustive search on small layers of the vector node, in every objective.

Maximum, sum, sum of two tensors, product, table and depthwise convolution.
"""

from __future__ import annotations

import pytest

from codelet_runs import Image2d, add, average_pool, binary, depthwise, max_pool, table
from covenant.codelets.parser import parse_codelet
from covenant.mapper import cost
from covenant.mapper.candidates import match
from covenant.mapper.mapping import Status
from covenant.mapper.objective import parse_objective
from covenant.mapper.solve import solve
from covenant.mapper.space import space_of
from exhaustive_search import RANKS, Best, Walk, better
from mapper_samples import snax

LAYERS = {
    "maximum": max_pool(Image2d(1, 16, 5, 5)),
    "maximum_2x2": max_pool(Image2d(1, 8, 6, 4), 2, 2, 0),
    "sum": average_pool(Image2d(1, 16, 4, 4), 2, 2),
    "two_tensors": add(Image2d(1, 16, 2, 5), 3, 5),
    "product": binary(Image2d(1, 8, 2, 4), "(x[n,c,y,x] - 11) * (w[n,c,y,x] - 2)"),
    "table": table(Image2d(1, 16, 3, 4)),
    "depthwise": depthwise(Image2d(1, 16, 3, 4)),
    "depthwise_2x2": depthwise(Image2d(1, 8, 3, 3), 2, 1, 0),
    "depthwise_twice": depthwise(Image2d(1, 8, 3, 4), 2, 2, 1, multiplier=2),
}
MACHINES = {"narrow": ("1KiB", "20", "8"), "far": ("2KiB", "100", "64")}
"""Size of the L1, latency of the DRAM, bytes per cycle of loads."""


@pytest.mark.solver
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("layer", LAYERS)
def test_solver_equals_exhaustive_search_on_the_vector_node(layer: str, machine: str) -> None:
    size, latency, bus = MACHINES[machine]
    acg = snax(
        memories__l1__size=size,
        memories__dram__latency=latency,
        transfers__load__bytes_per_cycle=bus,
    )
    codelet = parse_codelet(LAYERS[layer])
    expected: Best = {}
    bindings = [b for b in match(codelet, acg).bindings if b.steps[0].node == "vector"]
    for binding in bindings:
        expected = better(expected, Walk(space_of(codelet, acg, binding)).best())
    for name in RANKS:
        objective = parse_objective(name)
        mapping = solve(codelet, acg, objective=objective)
        assert mapping.proof.status is Status.OPTIMAL
        assert mapping.steps[0].node == "vector"
        assert objective.key(cost.evaluate(mapping, codelet, acg)) == expected[name], name
