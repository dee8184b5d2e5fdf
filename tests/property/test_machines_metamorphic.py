"""The same as `test_mapper_metamorphic` on the vector node and on a weight-stationary array with an
accumulator memory: more is never worse, names and order decide nothing, a pinned optimum is one.

COVENANT_EXAMPLES multiplies the number of examples.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from codelet_runs import Image2d, add, average_pool, binary, depthwise, max_pool, table
from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.codelets.parser import parse_codelet
from covenant.core.diagnostics import CovenantError
from covenant.core.yaml_source import parse_yaml
from covenant.mapper import cost
from covenant.mapper.mapping import Status
from covenant.mapper.objective import Objective, Term
from covenant.mapper.pins import PinnedLayer
from covenant.mapper.pins_reader import parse_pins
from covenant.mapper.pins_saved import pins_text
from covenant.mapper.solve import solve
from covenant.mapper.verify import verify
from machine_samples import ARCHITECTURES, machine, plain_conv, plain_gemm
from mapper_samples import SNAX, snax
from renamed_machines import back, changed_names, read_tree

MORE = int(os.environ.get("COVENANT_EXAMPLES", "1"))

pytestmark = pytest.mark.solver

OBJECTIVES = [Objective((term,)) for term in Term]


@st.composite
def vector_layers(draw: st.DrawFn) -> Codelet:
    """Layers that only lanes compute."""
    sizes = [draw(st.integers(*x)) for x in ((1, 2), (1, 40), (3, 12), (3, 12))]
    image = Image2d(*sizes)
    kernel, stride = draw(st.sampled_from([(2, 2), (3, 1), (3, 2)]))
    kinds = [
        lambda: max_pool(image, kernel, stride, kernel // 2),
        lambda: average_pool(image, kernel, stride),
        lambda: depthwise(image, kernel, stride, kernel // 2),
        lambda: add(image, 3, 5),
        lambda: binary(image, "(x[n,c,y,x] - 11) * (w[n,c,y,x] - 2)"),
        lambda: table(image),
    ]
    return parse_codelet(draw(st.sampled_from(kinds))())


@st.composite
def stationary_layers(draw: st.DrawFn) -> Codelet:
    """Layers with one scale and no zero points."""
    if draw(st.booleans()):
        m, k, n = (draw(st.integers(1, 80)) for _ in range(3))
        return plain_gemm(m, k, n, bias=draw(st.booleans()))
    channels, filters = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    size, stride = draw(st.integers(3, 10)), draw(st.integers(1, 2))
    return plain_conv(channels, filters, size, draw(st.sampled_from([1, 3])), stride)


@dataclass(frozen=True)
class Machine:
    """Knobs: keys with values from the worst to the best, and where layers still fit."""

    layers: st.SearchStrategy[Codelet]
    build: Callable[..., Acg]
    path: Path
    memory: tuple[str, tuple[str, ...]]
    knobs: tuple[tuple[str, tuple[str, ...]], ...]


MACHINES = {
    "vector": Machine(
        vector_layers(),
        snax,
        SNAX,
        ("memories__l1__size", ("1KiB", "2KiB", "4KiB", "16KiB")),
        (
            ("transfers__load__bytes_per_cycle", ("8", "16", "64")),
            ("transfers__store__bytes_per_cycle", ("8", "16", "64")),
            ("memories__dram__latency", ("200", "37", "0")),
            ("transfers__load__outstanding", ("2", "16", "128")),
            ("transfers__load__setup_cycles", ("20", "6", "0")),
            ("control__queue_depth", ("1", "2", "4")),
            ("compute__vector__defaults__startup_cycles", ("9", "2")),
        ),
    ),
    "stationary": Machine(
        stationary_layers(),
        lambda **settings: machine("gemmini_like", **settings),
        ARCHITECTURES / "gemmini_like.yaml",
        ("memories__scratchpad__size", ("512B", "1KiB", "4KiB", "64KiB")),
        (
            ("memories__accumulator__size", ("256B", "1KiB", "16KiB")),
            ("transfers__mvin__bytes_per_cycle", ("4", "8", "16")),
            ("transfers__write_result__bytes_per_cycle", ("4", "16")),
            ("memories__dram__latency", ("100", "7", "0")),
            ("memories__dram__read_bytes_per_cycle", ("4", "16")),
            ("compute__mesh__capabilities__multiply__registers", ("1", "2")),
            ("compute__mesh__capabilities__multiply__step_cycles", ("3", "1")),
        ),
    ),
}


def _best(codelet: Codelet, acg: Acg, objective: Objective) -> float:
    """Least value, proven, what it costs and legal; infinite when nothing fits."""
    try:
        mapping = solve(codelet, acg, objective=objective, time_limit_seconds=60)
    except CovenantError:
        return float("inf")
    assert mapping.proof.status is Status.OPTIMAL
    assert objective.key(cost.evaluate(mapping, codelet, acg))[0] == mapping.proof.objective
    assert verify(mapping, codelet, acg) == ()
    return mapping.proof.objective


@pytest.mark.parametrize("kind", MACHINES)
@settings(max_examples=10 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(data=st.data())
def test_mapping_is_never_worse_with_more_of_anything(kind: str, data: st.DataObject) -> None:
    there = MACHINES[kind]
    layer = data.draw(there.layers, label="layer")
    objective = data.draw(st.sampled_from(OBJECTIVES), label="objective")
    poor, rich = {}, {}
    for key, values in (there.memory, *there.knobs):
        pair = data.draw(st.tuples(*[st.integers(0, len(values) - 1)] * 2), label=key)
        poor[key], rich[key] = values[min(pair)], values[max(pair)]
    for key in data.draw(st.sets(st.sampled_from(sorted(rich))), label="equal"):
        poor[key] = rich[key]
    least = _best(layer, there.build(**rich), objective)
    assert least <= _best(layer, there.build(**poor), objective)


@pytest.mark.parametrize("kind", MACHINES)
@settings(max_examples=6 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(data=st.data())
def test_names_and_order_of_nodes_decide_nothing(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    there = MACHINES[kind]
    layer = data.draw(there.layers, label="layer")
    key, values = there.memory
    _, memory, attribute = key.split("__")
    tree = yaml.safe_load(there.path.read_text())
    tree["memories"][memory][attribute] = data.draw(st.sampled_from(values), label="size")
    plain = read_tree(tree, tmp_path_factory.mktemp("plain"))
    other_tree, other = changed_names(tree, data.draw(st.integers(0, 1000), label="seed"))
    changed = read_tree(other_tree, tmp_path_factory.mktemp("changed"))
    try:
        expected = solve(layer, plain)
    except CovenantError:
        with pytest.raises(CovenantError, match="does not fit"):
            solve(layer, changed)
        return
    assert back(solve(layer, changed), other) == back(expected, {})


@pytest.mark.parametrize("kind", MACHINES)
@settings(max_examples=6 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(data=st.data())
def test_a_pinned_optimum_is_the_optimum(kind: str, data: st.DataObject) -> None:
    there = MACHINES[kind]
    layer = data.draw(there.layers, label="layer")
    key, values = there.memory
    acg = there.build(**{key: data.draw(st.sampled_from(values), label="size")})
    objective = data.draw(st.sampled_from(OBJECTIVES), label="objective")
    try:
        mapping = solve(layer, acg, objective=objective)
    except CovenantError:
        return
    text = pins_text([(mapping, layer)], acg)
    pins = parse_pins(parse_yaml(text, "pins.yaml")).of_layer(PinnedLayer("any", layer))
    kept = data.draw(st.sets(st.sampled_from(pins)), label="some of its pins")
    for chosen in (pins, tuple(p for p in pins if p in kept)):
        again = solve(layer, acg, objective=objective, pins=chosen)
        assert again.proof.objective == again.proof.bound == mapping.proof.objective
