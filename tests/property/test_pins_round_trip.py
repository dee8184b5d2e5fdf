"""Saved pins map the same again: every decision of a mapping, on any machine and for any objective.

COVENANT_EXAMPLES multiplies the number of examples.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.core.yaml_source import parse_yaml
from covenant.mapper.mapping import Status
from covenant.mapper.objective import Objective, Term
from covenant.mapper.pins import PinnedLayer
from covenant.mapper.pins_reader import parse_pins
from covenant.mapper.pins_saved import pins_text
from covenant.mapper.solve import solve
from machine_samples import machine, plain_conv, plain_gemm
from mapper_samples import conv, gemm, snax

MORE = int(os.environ.get("COVENANT_EXAMPLES", "1"))

pytestmark = pytest.mark.solver


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Codelet, Acg]:
    """Layers on the cluster."""
    acg = snax(
        memories__l1__size=draw(st.sampled_from(["2KiB", "8KiB", "64KiB"])),
        memories__l1__banks=draw(st.sampled_from(["16", "32"])),
    )
    if draw(st.booleans()):
        m, k, n = (draw(st.integers(1, 64)) for _ in range(3))
        return gemm(m, k, n, wide=draw(st.booleans())), acg
    kernel = draw(st.sampled_from([1, 3]))
    channels, filters = draw(st.integers(1, 32)), draw(st.integers(1, 32))
    return conv(channels, filters, draw(st.integers(kernel, 12)), kernel, 1, kernel // 2), acg


@st.composite
def accumulators(draw: st.DrawFn) -> tuple[Codelet, Acg]:
    """Layers on a machine with two on-chip memories, a node before and one behind the array."""
    acg = machine(
        "gemmini_like",
        memories__scratchpad__size=draw(st.sampled_from(["1KiB", "4KiB", "64KiB"])),
        memories__accumulator__size=draw(st.sampled_from(["256B", "1KiB", "16KiB"])),
    )
    bias = draw(st.booleans())
    if draw(st.booleans()):
        m, k, n = (draw(st.integers(1, 80)) for _ in range(3))
        return plain_gemm(m, k, n, bias=bias), acg
    channels, filters = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return plain_conv(channels, filters, draw(st.integers(3, 9)), 3, 1, bias=bias), acg


@settings(max_examples=12 * MORE, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    case=st.one_of(arrays(), accumulators()),
    objective=st.sampled_from([Objective((term,)) for term in Term]),
)
def test_saved_pins_map_the_same_again(case: tuple[Codelet, Acg], objective: Objective) -> None:
    layer, acg = case
    try:
        mapping = solve(layer, acg, objective=objective)
    except CovenantError:
        return
    text = pins_text([(mapping, layer)], acg)
    pins = parse_pins(parse_yaml(text, "pins.yaml")).of_layer(PinnedLayer("any", layer))
    again = solve(layer, acg, objective=objective, pins=pins)
    assert again.proof.status is Status.PINNED
    assert again.proof.goals == mapping.proof.goals
    assert replace(again, proof=mapping.proof) == mapping
    assert pins_text([(again, layer)], acg) == text
