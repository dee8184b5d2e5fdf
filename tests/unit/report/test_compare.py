"""Comparisons of architectures: totals, the first differing decision, failures, text and files."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from command_line import chain
from covenant import pipeline
from covenant.core.diagnostics import ExitCode, Span, fail
from covenant.mapper.mapping import Level, Loop, Mapping
from covenant.report.compare import Comparison, compare, compare_csv, compare_json
from covenant.report.compare_text import compare_text
from covenant.report.difference import first_difference
from covenant.report.results import MappedLayer, ModelMapping


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ModelMapping:
    path = chain(unsupported=True).save(tmp_path_factory.mktemp("models"))
    return pipeline.map_model(path, pipeline.MapOptions("snax"))


@pytest.fixture(scope="module")
def mapping(result: ModelMapping) -> Mapping:
    found = result.layers[0].mapping
    assert found is not None
    return found


def _named(result: ModelMapping, name: str) -> ModelMapping:
    return replace(result, acg=replace(result.acg, name=name))


def _without_first(result: ModelMapping) -> ModelMapping:
    """The first layer failed."""
    error = fail("MAP002", "it does not fit", Span("arch.yaml"), exit_code=ExitCode.INFEASIBLE)
    first = MappedLayer(result.layers[0].layer, error=error)
    return replace(result, layers=(first, *result.layers[1:]))


def _compared(*results: ModelMapping) -> Comparison:
    return compare(results, [result.acg.name for result in results])


def test_equal_mappings_have_no_difference(mapping: Mapping) -> None:
    other = replace(mapping, codelet="other", architecture="other")
    assert first_difference(mapping, other) is None


def _bound(mapping: Mapping) -> Mapping:
    first, *rest = mapping.steps
    (dim, _), *dims = first.dims
    return replace(mapping, steps=(replace(first, dims=((dim, "zz"), *dims)), *rest))


def _tiled(mapping: Mapping, *dims: str) -> Mapping:
    level = Level(mapping.levels[0].memories, tuple(Loop(dim, 2, 3) for dim in dims))
    return replace(mapping, levels=(level,))


def _resident(mapping: Mapping, cut: int) -> Mapping:
    first, *rest = mapping.placements
    return replace(mapping, placements=(replace(first, cut=cut), *rest))


def _copied(mapping: Mapping, copies: int) -> Mapping:
    first, *rest = mapping.placements
    return replace(mapping, placements=(replace(first, copies=copies), *rest))


def _moved(mapping: Mapping) -> Mapping:
    first, *rest = mapping.placements
    return replace(mapping, placements=(replace(first, addresses=(64,)), *rest))


def test_banks_and_addresses_are_decisions_too(mapping: Mapping) -> None:
    moved = _moved(mapping)
    divided = first_difference(mapping, moved, ("shared", "{groups: {a: [0, 2]}}"))
    assert str(divided) == "banks shared | {groups: {a: [0, 2]}}"
    found = first_difference(mapping, moved, ("shared", "shared"))
    assert found is not None
    assert found.decision == "addresses"
    assert found.second.endswith("=64")


def test_the_first_decision_that_differs_is_named(mapping: Mapping) -> None:
    tiled = _tiled(mapping, "oc", "oy")
    for decision, first, second in (
        ("binding", mapping, _copied(_bound(_tiled(mapping, "oc")), 7)),
        ("tiles", mapping, _copied(_tiled(mapping, "oc"), 7)),
        ("order", tiled, _copied(_tiled(mapping, "oy", "oc"), 7)),
        ("residency", _resident(tiled, 0), _copied(_resident(tiled, 2), 7)),
        ("copies", _copied(mapping, 1), _copied(mapping, 2)),
    ):
        found = first_difference(first, second)
        assert found is not None
        assert found.decision == decision
        assert found.first != found.second


def test_a_difference_shows_only_what_differs(mapping: Mapping) -> None:
    found = first_difference(_tiled(mapping), _tiled(mapping, "oc"))
    assert str(found) == "tiles oc=whole | oc=3"


def test_totals_are_over_layers_that_every_architecture_maps(result: ModelMapping) -> None:
    found = _compared(result, _named(_without_first(result), "other"))
    costs = [mapped.cost for mapped in result.layers[1:]]
    for total in found.totals:
        assert total.layers == 2
        assert total.cycles == sum(cost.latency for cost in costs if cost is not None)
    assert "total of 2/3 layers" in compare_text(found)


def test_a_failed_layer_keeps_its_reason_everywhere(result: ModelMapping) -> None:
    found = _compared(result, _named(_without_first(result), "other"))
    assert found.exit_code is ExitCode.INFEASIBLE
    assert "not mapped: first on other: MAP002: it does not fit" in compare_text(found)
    one, other = compare_json(found)["layers"][0]["results"]
    assert one["status"] == "optimal"
    assert other["errors"][0]["message"] == "it does not fit"
    rows = list(csv.DictReader(StringIO(compare_csv(found))))
    assert [row["error"] for row in rows[:3]] == ["", "MAP002: it does not fit", ""]


def test_architectures_of_one_name_are_called_as_they_were_given(result: ModelMapping) -> None:
    assert compare([result, result], ["a.yaml", "b.yaml"]).archs == ("a.yaml", "b.yaml")
    named = _named(result, "other")
    assert compare([result, named], ["a.yaml", "b.yaml"]).archs == ("snax", "other")


def test_text_and_csv_have_a_row_per_layer_and_architecture(result: ModelMapping) -> None:
    found = _compared(result, _named(result, "other"))
    text = compare_text(found)
    assert sum(" other " in line for line in text.splitlines()) == 4
    assert "not mapped: normalise (Softmax)" in text
    rows = list(csv.DictReader(StringIO(compare_csv(found))))
    assert [row["layer"] for row in rows] == [
        *("first", "first", "second", "second", "third", "third"),
        *("total", "total"),
    ]
    document = compare_json(found)
    for row, entry in zip(rows, document["layers"][0]["results"], strict=False):
        assert int(row["cycles"]) == entry["cycles"]


def test_names_that_look_like_markup_are_shown_as_they_are(
    result: ModelMapping, tmp_path: Path
) -> None:
    found = _compared(_named(result, "[bold]a"), _named(result, "b"))
    assert "[bold]a" in compare_text(found)
