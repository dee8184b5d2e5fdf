"""Pins: kept by every mapping, saved and loaded again to the same mapping, composed by pattern."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.core.yaml_source import parse_yaml
from covenant.mapper.cost import evaluate
from covenant.mapper.extract import UNPROVEN
from covenant.mapper.mapping import Mapping, Status
from covenant.mapper.objective import parse_objective
from covenant.mapper.pins import Pin, PinFile, PinnedLayer, broken
from covenant.mapper.pins_reader import parse_pins
from covenant.mapper.pins_saved import pins_text
from covenant.mapper.solve import solve
from mapper_samples import conv, gemm, snax

SMALL = snax(memories__l1__size="8KiB")
LAYERS = [
    (conv(16, 24, 10), SMALL),
    (gemm(33, 72, 40), SMALL),
    (gemm(1, 512, 96), snax(memories__l1__size="2KiB")),
    (conv(8, 16, 9, 3, 2), snax()),
    (conv(3, 8, 20, 7, 2), snax()),
]


def _pins(text: str, codelet: Codelet, op: str = "Conv") -> tuple[Pin, ...]:
    return parse_pins(parse_yaml(text, "pins.yaml")).of_layer(PinnedLayer(op, codelet))


def _one(body: str, codelet: Codelet) -> tuple[Pin, ...]:
    return _pins(f"pins: 1\nlayers:\n  - {body}\n", codelet)


def _bare(mapping: Mapping) -> Mapping:
    return replace(mapping, proof=UNPROVEN)


@pytest.mark.parametrize("objective", ["latency", "energy", "dram,latency"])
@pytest.mark.parametrize(("codelet", "acg"), LAYERS, ids=lambda c: c.name)
def test_saved_pins_map_to_the_same_mapping(codelet: Codelet, acg: Acg, objective: str) -> None:
    goal = parse_objective(objective)
    mapping = solve(codelet, acg, objective=goal)
    text = pins_text([(mapping, codelet)], acg)
    pins = _pins(text, codelet)
    again = solve(codelet, acg, objective=goal, pins=pins)
    assert _bare(again) == _bare(mapping)
    assert pins_text([(again, codelet)], acg) == text
    assert again.proof.status is Status.PINNED
    assert again.proof.pins == len(pins)
    assert again.proof.goals == mapping.proof.goals
    other = solve(codelet, acg, objective=parse_objective("dram"), pins=pins)
    assert _bare(other) == _bare(mapping)


PARTIAL = [
    "tiles: {oc: 8}",
    "tiles: {oc: {max: 16}, oy: {min: 2, max: 5}}",
    "tiles: {l1: {oy: 3}}",
    "order: [oy, oc]",
    "order: [oc, oy]",
    "order: {l1: [ox, oy, oc]}",
    "operands: {w: {resident: true}}",
    "operands: {x: {resident: true}, w: {outside: [oc]}}",
    "operands: {x: {copies: 1}, w: {copies: 1}}",
    "operands: {y: {copies: 2}, a: {inside: [oc]}}",
    "banks: {l1: shared}",
    "banks: {l1: {groups: {a: [0, 1], b: [1, 1]}}}",
    "binding: {node: gemm, dims: {m: ox}}",
    "fused: []",
    "{tiles: {oc: 8, oy: 5}, order: [oc, oy], operands: {y: {copies: 1}}}",
]


@pytest.mark.parametrize("body", PARTIAL)
def test_a_partial_pin_is_kept_and_the_rest_is_the_best(body: str) -> None:
    codelet = LAYERS[0][0]
    pins = _one(body, codelet)
    assert pins
    mapping = solve(codelet, SMALL, pins=pins)
    assert list(broken(pins, mapping, codelet)) == []
    cost = evaluate(mapping, codelet, SMALL).latency
    assert mapping.proof.status is Status.PINNED
    assert mapping.proof.objective == mapping.proof.bound == cost
    assert cost >= solve(codelet, SMALL).proof.objective


def test_an_exact_tile_need_not_be_one_the_solver_tries() -> None:
    codelet = LAYERS[0][0]
    tried = {loop.tile for loop in solve(codelet, SMALL).levels[0].loops if loop.dim == "oy"}
    mapping = solve(codelet, SMALL, pins=_one("tiles: {oy: 7}", codelet))
    (loop,) = [x for x in mapping.levels[0].loops if x.dim == "oy"]
    assert (loop.trips, loop.tile) == (2, 7)
    assert 7 not in tried


def test_what_the_optimum_decides_is_the_optimum_when_pinned() -> None:
    codelet = LAYERS[1][0]
    best = solve(codelet, SMALL)
    whole = _pins(pins_text([(best, codelet)], SMALL), codelet)
    for pin in whole:
        assert solve(codelet, SMALL, pins=(pin,)).proof.objective == best.proof.objective


def test_an_address_that_is_free_is_kept() -> None:
    codelet = LAYERS[1][0]
    mapping = solve(codelet, snax())
    placement = mapping.placement("y")
    at = [a + 8192 for a in placement.addresses]
    pins = _one(f"operands: {{y: {{address: {at}}}}}", codelet)
    pinned = solve(codelet, snax(), pins=pins)
    assert pinned.placement("y").addresses == tuple(at)


COMPOSED = """
pins: 1
layers:
  - name: first
    tiles: {oc: 8}
  - op: Conv*
    tiles: {oc: 16, oy: 4}
    operands: {w: {copies: 1}}
  - name: f*
    where: {oc: {min: 20}}
    tiles: {oy: 2, ox: 2}
  - op: MatMul
    tiles: {m: 8}
"""


def test_patterns_compose_and_the_more_specific_entry_overrides() -> None:
    codelet = replace(conv(16, 24, 10), name="first")
    found = {pin.path: pin.text for pin in _pins(COMPOSED, codelet)}
    assert found == {
        "operands.w.copies": "1",
        "tiles.oc": "8",
        "tiles.ox": "2",
        "tiles.oy": "2",
    }
    narrow = replace(conv(16, 16, 10), name="first")
    assert {p.path: p.text for p in _pins(COMPOSED, narrow)}["tiles.oy"] == "4"
    assert [p.path for p in _pins(COMPOSED, codelet, "MatMul")] == [
        "tiles.m",
        "tiles.oc",
        "tiles.ox",
        "tiles.oy",
    ]


def test_a_name_with_brackets_means_itself() -> None:
    codelet = replace(conv(16, 24, 10), name="block[0]/conv")
    assert _pins('pins: 1\nlayers: [{name: "block[0]/conv", tiles: {oc: 8}}]', codelet)


def test_pins_survive_the_way_to_another_process(tmp_path: Path) -> None:
    import pickle

    codelet = LAYERS[0][0]
    pins = _one("tiles: {oc: 8}", codelet)
    assert pickle.loads(pickle.dumps(pins)) == pins


CONFLICTS = [
    ("tiles: {oc: whole}, operands: {w: {outside: [oc]}}", {"tiles.oc", "operands.w.outside"}),
    (
        "tiles: {oc: 8, oy: 5}, order: [oc, oy], operands: {w: {resident: true}, x: {copies: 2, "
        "outside: [oy]}}",
        None,
    ),
    ("operands: {w: {resident: true, copies: 2}}", {"operands.w.resident", "operands.w.copies"}),
]


@pytest.mark.parametrize(("body", "core"), CONFLICTS)
def test_a_conflict_names_a_minimal_set_of_pins(body: str, core: set[str] | None) -> None:
    codelet = LAYERS[0][0]
    pins = _one(f"{{{body}}}", codelet)
    with pytest.raises(CovenantError) as raised:
        solve(codelet, snax(), pins=pins)
    assert raised.value.exit_code is ExitCode.INFEASIBLE
    findings = raised.value.diagnostics
    assert {f.code for f in findings} == {"MAP023"}
    named = [p for p in pins if any(f.span == p.span for f in findings)]
    assert core is None or {p.path for p in named} == core
    with pytest.raises(CovenantError):
        solve(codelet, snax(), pins=named)
    for pin in named:
        fewer = [p for p in named if p is not pin]
        assert solve(codelet, snax(), pins=fewer).proof.pins == len(fewer)


def test_a_pin_that_does_not_fit_names_the_memory_that_is_needed() -> None:
    codelet = conv(64, 64, 14)
    acg = snax(memories__l1__size="32KiB")
    pins = _one("operands: {w: {resident: true}}", codelet)
    with pytest.raises(CovenantError) as raised:
        solve(codelet, acg, pins=pins)
    pin, memory = raised.value.diagnostics
    assert "l1 has 32,768 B" in pin.message
    assert memory.span == acg.memory("l1").span
    size = pin.help.split("size` to ")[1].split()[0]
    assert solve(codelet, snax(memories__l1__size=size), pins=pins).proof.pins == 1


def test_an_empty_file_pins_nothing() -> None:
    assert parse_pins(parse_yaml("pins: 1\nlayers: []\n", "pins.yaml")) == PinFile("pins.yaml")
