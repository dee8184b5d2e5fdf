"""Mappings on machines of other kinds: proven, legal, and worth what the cost model says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.ir import Codelet, Role
from covenant.core.diagnostics import CovenantError
from covenant.mapper.cost import evaluate
from covenant.mapper.mapping import Mapping, Status
from covenant.mapper.objective import parse_objective, value
from covenant.mapper.printer import from_json, show, to_json
from covenant.mapper.solve import solve
from covenant.mapper.verify import verify
from machine_samples import machine, plain_conv, plain_gemm
from mapper_samples import SNAX, conv, gemm

LAYERS = {
    "gemm": plain_gemm(40, 96, 80),
    "gemm_tails": plain_gemm(21, 50, 70, bias=False),
    "conv": plain_conv(16, 24, 9),
    "conv_stride": plain_conv(3, 24, 9, 3, 2),
}
MACHINES = ["gemmini_like"]


def proven(codelet: Codelet, acg: Acg, objective: str = "latency") -> Mapping:
    """A proven mapping whose objective is its cost and that reads back from its JSON form."""
    wanted = parse_objective(objective)
    mapping = solve(codelet, acg, objective=wanted, time_limit_seconds=120)
    assert mapping.proof.status is Status.OPTIMAL
    assert verify(mapping, codelet, acg) == ()
    cost = evaluate(mapping, codelet, acg)
    assert mapping.proof.objective == value(wanted.terms[0], cost)
    assert from_json(to_json(mapping)) == mapping
    assert show(mapping).count("launch") == 1
    return mapping


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("arch", MACHINES)
@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_layer_maps_with_proof(arch: str, name: str, objective: str) -> None:
    proven(LAYERS[name], machine(arch), objective)


def test_a_bias_is_put_into_the_sums_where_nothing_can_add_it() -> None:
    mapping = proven(LAYERS["gemm"], machine("gemmini_like"))
    assert mapping.rewriting == "initialised"
    assert [s.capability for s in mapping.steps] == ["bias", "multiply", "requantise"]


def test_a_zero_point_is_folded_into_the_bias() -> None:
    mapping = proven(plain_gemm(16, 32, 16, zero=7), machine("gemmini_like"))
    assert mapping.rewriting == "folded, initialised"


def test_a_zero_point_of_a_product_of_two_inputs_is_refused() -> None:
    codelet = plain_gemm(16, 32, 16, zero=7)
    tensors = tuple(replace(t, role=Role.INPUT) if t.name == "w" else t for t in codelet.tensors)
    with pytest.raises(CovenantError, match="x\\[b,m,k\\] - 7"):
        solve(replace(codelet, tensors=tensors), machine("gemmini_like"))


def test_scales_that_differ_are_refused_where_a_register_holds_one() -> None:
    codelet = plain_gemm(16, 32, 16, bias=False)
    tensors = tuple(replace(t, uniform=False) for t in codelet.tensors)
    with pytest.raises(CovenantError, match="differs from element to element"):
        solve(replace(codelet, tensors=tensors), machine("gemmini_like"))


def test_weights_are_exchanged_behind_enough_rows_only_with_a_second_register() -> None:
    codelet = plain_gemm(16, 64, 64)  # a bias per column: weights are stationary, not rows
    two = proven(codelet, machine("gemmini_like"))
    one = proven(codelet, machine("gemmini_like", mesh__multiply__registers="1"))
    steps, loads = 16 * 4 * 4, 4 * 4
    assert evaluate(two, codelet, machine("gemmini_like")).compute == steps
    slow = evaluate(one, codelet, machine("gemmini_like", mesh__multiply__registers="1"))
    assert slow.compute == steps + 16 * loads


def test_sums_are_spilled_where_that_saves_energy() -> None:
    acg = machine("gemmini_like", memories__scratchpad__size="8KiB")
    codelet = plain_gemm(64, 512, 64, bias=False)
    no_sums = {"transfers__store_sums": "null", "control__units__store_sums": "null"}
    small = machine("gemmini_like", memories__scratchpad__size="8KiB", **no_sums)
    mapping = proven(codelet, acg, "energy")
    kept = proven(codelet, small, "energy")
    assert mapping.proof.objective <= kept.proof.objective


def test_more_memory_is_never_worse() -> None:
    codelet = plain_conv(32, 32, 14)
    found = [
        proven(codelet, machine("gemmini_like", memories__scratchpad__size=size), "energy")
        for size in ("4KiB", "16KiB", "12000")
    ]
    assert found[0].proof.objective >= found[2].proof.objective >= found[1].proof.objective


def test_every_layer_of_resnet8_maps_into_12000_bytes() -> None:
    settings = {"size": "12000", "banks": "1", "bank_group": "0"}
    overrides = {f"memories.l1.{key}": text for key, text in settings.items()}
    acg = read_architecture(SNAX, {**overrides, "rtl": "null"})
    layers = [conv(3, 16, 32), conv(16, 16, 32), conv(16, 32, 32, 3, 2), conv(16, 32, 32, 1, 2)]
    layers += [conv(32, 32, 16), conv(32, 64, 16, 3, 2), conv(32, 64, 16, 1, 2), conv(64, 64, 8)]
    for codelet in (*layers, gemm(1, 64, 10)):
        mapping = solve(codelet, acg, time_limit_seconds=120)
        assert evaluate(mapping, codelet, acg).used_bytes <= 12000
