"""Texts and documents of mappings and runs, also of those that failed or differ."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import chain
from covenant import pipeline
from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail
from covenant.mapper.mapping import Goal, Status
from covenant.report.results import LayerRun, MappedLayer, ModelMapping, ModelRun
from covenant.report.summary import bound_sentence, mapping_json, run_json
from covenant.report.text import mapping_text, run_text
from covenant.sim.execute import Mismatch

TOO_SMALL = fail("MAP002", "too small", Span("a.yaml"), "enlarge it", ExitCode.INFEASIBLE)


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> ModelMapping:
    path = chain(unsupported=True).save(tmp_path_factory.mktemp("models"))
    return pipeline.map_model(path, pipeline.MapOptions("snax"))


def _only(mapping: ModelMapping, *layers: MappedLayer) -> ModelMapping:
    return replace(mapping, layers=layers)


def _run(mapping: ModelMapping, *layers: LayerRun) -> ModelRun:
    return ModelRun(_only(mapping, *(run.mapped for run in layers)), "rtl", layers)


def _failed(layer: MappedLayer) -> MappedLayer:
    return MappedLayer(layer.layer, error=TOO_SMALL)


def test_text_of_one_layer_states_the_proof(mapping: ModelMapping) -> None:
    text = mapping_text(_only(mapping, mapping.layers[0]), details=False)
    cost = mapping.layers[0].cost
    assert cost is not None
    assert text.startswith("first  QLinearConv  7,776 MAC\n")
    assert f"proven: no mapping takes fewer than {cost.latency:,} modelled cycles" in text
    assert f"predicted {cost.latency:,} cycles, roofline {cost.roofline_cycles:,}" in text


def test_text_says_optimal_only_when_proven(mapping: ModelMapping) -> None:
    first = mapping.layers[0]
    assert first.mapping is not None
    goal = Goal("latency", "cycles", 200, 150)
    proof = replace(first.mapping.proof, status=Status.FEASIBLE, goals=(goal,))
    unproven = replace(first, mapping=replace(first.mapping, proof=proof))
    for details in (False, True):
        text = mapping_text(_only(mapping, unproven), details=details)
        assert "feasible  latency: 200 cycles, bound 150, gap 25.00%" in text
        assert "optimal" not in text
        assert "proven" not in text
    (layer,) = mapping_json(_only(mapping, unproven))["layers"]
    assert (layer["status"], layer["objective"], layer["bound"]) == ("feasible", 200, 150)
    assert layer["gap"] == 0.25


def test_text_of_many_layers_is_a_table_with_a_total(mapping: ModelMapping) -> None:
    lines = mapping_text(mapping, details=False).splitlines()
    rows = [line.split() for line in lines if "QLinearConv" in line]
    assert [row[0] for row in rows] == ["first", "second", "third"]
    assert rows[2][-3:-1] == ["=", "second"]
    cycles = [int(row[3].replace(",", "")) for row in rows]
    (total,) = [line.split() for line in lines if line.strip().startswith("total")]
    assert int(total[2].replace(",", "")) == sum(cycles)


def test_text_with_details_prints_every_mapping(mapping: ModelMapping) -> None:
    text = mapping_text(mapping, details=True)
    assert text.count("  solved    in ") == 3
    assert "  same as   second\n" in text


def test_text_names_what_no_layer_covers(mapping: ModelMapping) -> None:
    for text in (mapping_text(mapping, details=False), run_text(_run(mapping), details=False)):
        assert "not mapped: normalise (Softmax): the operator Softmax is not supported" in text


def test_layer_that_failed_stays_in_text_document_and_exit_code(mapping: ModelMapping) -> None:
    first, second, _ = mapping.layers
    some = _only(mapping, _failed(first), second)
    assert "not run: first (MAP002); see the error above" in mapping_text(some, details=False)
    often = replace(_failed(first), error=CovenantError([*TOO_SMALL.diagnostics] * 3))
    text = mapping_text(_only(mapping, often, second), details=False)
    assert "not run: first (MAP002 x3); see the error above" in text
    assert some.exit_code == ExitCode.INFEASIBLE
    document = mapping_json(some)
    assert document["layers"][0] == {
        "name": "first",
        "op": "QLinearConv",
        "status": "failed",
        "errors": [
            {"code": "MAP002", "message": "too small", "help": "enlarge it", "at": "a.yaml"}
        ],
    }
    assert document["total"]["layers"] == 1
    json.dumps(document, allow_nan=False)


def test_document_of_a_model_whose_layers_all_failed_has_no_ratios(mapping: ModelMapping) -> None:
    failed = _failed(mapping.layers[0])
    document = mapping_json(_only(mapping, failed))
    assert document["total"]["utilization"] is None
    ran = run_json(_run(mapping, LayerRun(failed, error=TOO_SMALL)))
    assert (ran["cycles"], ran["utilization"], ran["compared"]) == (None, None, 0)
    mapping_text(_only(mapping, failed), details=True)
    run_text(_run(mapping, LayerRun(failed, error=TOO_SMALL)), details=True)


def test_text_of_a_run_compares_prediction_and_measurement(mapping: ModelMapping) -> None:
    layer = mapping.layers[0]
    assert layer.cost is not None
    run = LayerRun(layer, compared=216, cycles=2 * layer.cost.latency, words=47)
    text = run_text(_run(mapping, run), details=False)
    assert f"measured  {2 * layer.cost.latency:,} cycles on rtl, prediction off by -50.00%" in text
    assert "outputs   216 of 216 elements equal to the integer reference" in text
    assert "program   47 words" in text


def test_text_of_a_run_without_a_clock_measures_nothing(mapping: ModelMapping) -> None:
    run = LayerRun(mapping.layers[0], compared=216)
    assert "measured" not in run_text(_run(mapping, run), details=False)


def test_run_that_differs_names_the_first_element_and_ends_with_7(mapping: ModelMapping) -> None:
    first = Mismatch("t0", (0, 1, 2, 3), 17, 18)
    bad = LayerRun(mapping.layers[0], compared=216, mismatches=5, first=first, cycles=300)
    good = LayerRun(mapping.layers[1], compared=216, cycles=400)
    text = run_text(_run(mapping, bad), details=False)
    assert "5 of 216 output elements DIFFER from the integer reference" in text
    assert "t0[0, 1, 2, 3]: expected 17, found 18" in text
    both = _run(mapping, bad, good)
    assert both.exit_code == ExitCode.MISMATCH
    assert "5 of 432 output elements DIFFER" in run_text(both, details=False)
    document = run_json(both)
    assert (document["mismatches"], document["compared"], document["cycles"]) == (5, 432, 700)
    assert document["layers"][0]["first_mismatch"] == {
        "tensor": "t0",
        "index": [0, 1, 2, 3],
        "expected": 17,
        "found": 18,
    }
    assert document["layers"][1]["first_mismatch"] is None


def test_mismatch_outweighs_the_failure_of_another_layer(mapping: ModelMapping) -> None:
    failed = LayerRun(_failed(mapping.layers[0]), error=TOO_SMALL)
    bad = LayerRun(mapping.layers[1], compared=10, mismatches=1)
    assert _run(mapping, failed, bad).exit_code == ExitCode.MISMATCH
    assert _run(mapping, failed).exit_code == ExitCode.INFEASIBLE


def test_document_of_a_run_adds_the_counters_of_its_layers(mapping: ModelMapping) -> None:
    runs = [
        LayerRun(layer, compared=1, cycles=100, counters={"busy": busy, "cycles": 100})
        for layer, busy in zip(mapping.layers, (1, 20, 300), strict=True)
    ]
    document = run_json(_run(mapping, *runs))
    assert document["counters"] == {"busy": 321, "cycles": 300}
    assert document["cycles"] == 300


def test_every_bound_of_the_cost_model_has_a_sentence(mapping: ModelMapping) -> None:
    cost = mapping.layers[0].cost
    assert cost is not None
    mapper = Path(pipeline.__file__).parent / "mapper"
    source = "".join((mapper / name).read_text("utf-8") for name in ("cost.py", "latency.py"))
    for name in ("compute", "serial", "load", "store", "refill", "banks", "control"):
        assert f'"{name}"' in source
        sentence = bound_sentence(replace(cost, bound_by=name))
        assert sentence.split(" (")[0] != name
