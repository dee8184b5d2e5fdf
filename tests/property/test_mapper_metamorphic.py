"""What an exact mapper must show: a better machine or more time never gives a worse mapping, and
names and the order of the YAML decide nothing.

An optimum is proven, costs what it says and is legal in every example. COVENANT_EXAMPLES
multiplies the number of examples.
"""

from __future__ import annotations

import os

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.core.yaml_source import parse_yaml
from covenant.mapper import cost
from covenant.mapper.mapping import Mapping, Status
from covenant.mapper.objective import LATENCY, Objective, Term
from covenant.mapper.pins import PinnedLayer
from covenant.mapper.pins_reader import parse_pins
from covenant.mapper.pins_saved import pins_text
from covenant.mapper.solve import solve
from covenant.mapper.verify import verify
from mapper_samples import SNAX, conv, gemm, snax
from renamed_machines import back, changed_names, read_tree

MORE = int(os.environ.get("COVENANT_EXAMPLES", "1"))

pytestmark = pytest.mark.solver

_ARRAY = "compute__gemm__capabilities__matmul__"

KNOBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "memory": ("memories__l1__size", ("1KiB", "2KiB", "4KiB", "16KiB", "64KiB")),
    "load_bandwidth": ("transfers__load__bytes_per_cycle", ("8", "16", "32", "64")),
    "store_bandwidth": ("transfers__store__bytes_per_cycle", ("8", "16", "32", "64")),
    "dram_read_bandwidth": ("memories__dram__read_bytes_per_cycle", ("8", "16", "32", "64")),
    "latency": ("memories__dram__latency", ("200", "100", "37", "0")),
    "outstanding": ("transfers__load__outstanding", ("2", "5", "16", "128")),
    "load_setup": ("transfers__load__setup_cycles", ("20", "6", "0")),
    "store_setup": ("transfers__store__setup_cycles", ("20", "6", "0")),
    "queue_depth": ("control__queue_depth", ("1", "2", "4")),
    "step_cycles": (f"{_ARRAY}step_cycles", ("4", "2", "1")),
    "drain": (f"{_ARRAY}drain_cycles", ("40", "10", "1")),
}
"""Keys of the architecture with values from the worst to the best."""

OBJECTIVES = [Objective((term,)) for term in Term]


@st.composite
def layers(draw: st.DrawFn) -> Codelet:
    """GEMMs and convolutions that fit somewhere and are split elsewhere."""
    if draw(st.booleans()):
        m, k, n = (draw(st.integers(1, 64)) for _ in range(3))
        return gemm(m, k, n, wide=draw(st.booleans()), batch=draw(st.integers(1, 2)))
    kernel = draw(st.sampled_from([1, 3, 5]))
    return conv(
        draw(st.integers(1, 32)),
        draw(st.integers(1, 32)),
        draw(st.integers(kernel, 12)),
        kernel,
        draw(st.integers(1, 2)),
        draw(st.sampled_from([0, kernel // 2])),
    )


def _solved(
    codelet: Codelet, acg: Acg, objective: Objective = LATENCY, seconds: float = 60.0
) -> Mapping | None:
    """The mapping, None when nothing fits or no mapping was found in time; its cost and legality
    are checked."""
    try:
        mapping = solve(codelet, acg, objective=objective, time_limit_seconds=seconds)
    except CovenantError:
        return None
    assert objective.key(cost.evaluate(mapping, codelet, acg))[0] == mapping.proof.objective
    assert verify(mapping, codelet, acg) == ()
    return mapping


def _best(codelet: Codelet, acg: Acg, objective: Objective = LATENCY) -> float:
    """Least value, infinite when nothing fits."""
    mapping = _solved(codelet, acg, objective)
    if mapping is None:
        with pytest.raises(CovenantError, match="does not fit"):
            solve(codelet, acg)
        return float("inf")
    assert mapping.proof.status is Status.OPTIMAL
    assert mapping.proof.bound == mapping.proof.objective
    return mapping.proof.objective


@pytest.mark.parametrize("knob", KNOBS)
@settings(max_examples=6 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(layer=layers(), data=st.data())
def test_mapping_is_never_worse_with_more(knob: str, layer: Codelet, data: st.DataObject) -> None:
    key, values = KNOBS[knob]
    worse, better = sorted(
        data.draw(st.sets(st.integers(0, len(values) - 1), min_size=2, max_size=2))
    )
    others = {
        k: data.draw(st.sampled_from(v), label=name)
        for name, (k, v) in KNOBS.items()
        if name in ("memory", "load_bandwidth", "latency") and name != knob
    }
    poor, rich = (snax(**others, **{key: values[i]}) for i in (worse, better))
    objective = data.draw(st.sampled_from(OBJECTIVES), label="objective")
    least = _best(layer, rich, objective)
    assert least <= _best(layer, poor, objective), (values[worse], values[better])


@settings(max_examples=12 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(layer=layers(), data=st.data())
def test_mapping_is_never_worse_on_a_better_machine(layer: Codelet, data: st.DataObject) -> None:
    poor, rich = {}, {}
    for name, (key, values) in KNOBS.items():
        pair = data.draw(st.tuples(*[st.integers(0, len(values) - 1)] * 2), label=name)
        poor[key], rich[key] = values[min(pair)], values[max(pair)]
    objective = data.draw(st.sampled_from(OBJECTIVES), label="objective")
    assert _best(layer, snax(**rich), objective) <= _best(layer, snax(**poor), objective)


@settings(max_examples=6 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(layer=layers(), size=st.sampled_from(["4KiB", "16KiB"]))
def test_any_time_limit_bounds_the_optimum_from_both_sides(layer: Codelet, size: str) -> None:
    acg = snax(memories__l1__size=size)
    best = _best(layer, acg)
    for seconds in (0.001, 0.05):
        mapping = _solved(layer, acg, seconds=seconds)
        if mapping is not None:
            assert mapping.proof.bound <= best <= mapping.proof.objective


@settings(max_examples=6 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(layer=layers(), size=st.sampled_from(["2KiB", "8KiB", "64KiB"]), data=st.data())
def test_a_pinned_optimum_is_the_optimum(layer: Codelet, size: str, data: st.DataObject) -> None:
    acg = snax(memories__l1__size=size)
    objective = data.draw(st.sampled_from(OBJECTIVES), label="objective")
    mapping = _solved(layer, acg, objective)
    if mapping is None:
        return
    text = pins_text([(mapping, layer)], acg)
    pins = parse_pins(parse_yaml(text, "pins.yaml")).of_layer(PinnedLayer("any", layer))
    kept = data.draw(st.sets(st.sampled_from(pins)), label="some of its pins")
    for chosen in (pins, tuple(p for p in pins if p in kept)):
        again = solve(layer, acg, objective=objective, pins=chosen)
        assert again.proof.objective == again.proof.bound == mapping.proof.objective


@pytest.mark.parametrize("size", ["2KiB", "8KiB", "64KiB"])
@settings(max_examples=6 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(layer=layers(), seed=st.integers(0, 1000))
def test_names_and_order_of_nodes_decide_nothing(
    tmp_path_factory: pytest.TempPathFactory, size: str, layer: Codelet, seed: int
) -> None:
    tree = yaml.safe_load(SNAX.read_text())
    tree["memories"]["l1"]["size"] = size
    plain = read_tree(tree, tmp_path_factory.mktemp("plain"))
    other_tree, other = changed_names(tree, seed)
    changed = read_tree(other_tree, tmp_path_factory.mktemp("changed"))
    try:
        expected = solve(layer, plain)
    except CovenantError:
        with pytest.raises(CovenantError, match="does not fit"):
            solve(layer, changed)
        return
    found = solve(layer, changed)
    assert back(found, other) == back(expected, {})
