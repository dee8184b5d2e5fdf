"""Explanations: parts of the latency, legal changes, and what each would bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import chain
from covenant import pipeline
from covenant.acg.dump import resolved_yaml
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.mapper.objective import Objective, Term, value
from covenant.report.explain import ModelExplanation, explain_json, parts, summary
from covenant.report.explain_text import explain_text
from covenant.report.whatif import Change, Resource, changed, changes
from mapper_samples import snax


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ModelExplanation:
    path = chain().save(tmp_path_factory.mktemp("models"))
    return pipeline.explain_model(path, pipeline.MapOptions("snax"), ["first"])


def test_parts_add_up_to_the_latency(found: ModelExplanation) -> None:
    (layer,) = found.layers
    split = parts(layer.mapped)
    assert layer.mapped.cost is not None
    assert sum(split.values()) == layer.mapped.cost.latency
    assert min(split.values()) >= 0


def test_every_change_is_answered_or_says_why_not(found: ModelExplanation) -> None:
    (layer,) = found.layers
    assert {answer.change.resource for answer in layer.answers} == set(Resource)
    for answer in layer.answers:
        assert (answer.resolved is None) == bool(answer.reason)


def test_more_of_a_transfer_resource_is_never_worse_and_solving_again_never_worse_than_modelled(
    found: ModelExplanation,
) -> None:
    (layer,) = found.layers
    assert layer.mapped.cost is not None
    for answer in layer.answers:
        if not answer.change.keeps_mappings:
            assert answer.modelled is None
            continue
        assert answer.modelled is not None
        assert answer.resolved is not None
        assert answer.resolved.latency <= answer.modelled.latency <= layer.mapped.cost.latency


@pytest.mark.parametrize("term", [Term.ENERGY, Term.EDP, Term.DRAM])
def test_factors_are_of_what_the_layer_was_mapped_for(term: Term, tmp_path: Path) -> None:
    options = pipeline.MapOptions("snax", objective=Objective((term,)))
    (layer,) = pipeline.explain_model(chain().save(tmp_path), options, ["first"]).layers
    today = layer.mapped.cost
    assert today is not None
    assert layer.term is term
    for answer in layer.answers:
        if answer.resolved is None:
            continue
        spent = value(term, answer.resolved)
        assert layer.factor(answer.resolved) == value(term, today) / spent
        if answer.modelled is not None:
            assert spent <= value(term, answer.modelled) <= value(term, today)
    assert f"; {term}: " in summary(layer)


def test_the_summary_names_the_bound_and_one_factor_of_each_kind(found: ModelExplanation) -> None:
    (layer,) = found.layers
    text = summary(layer)
    assert text.startswith("bound by the array: ")
    for part in ("dram bandwidth x2 -> ", "array x2 (", "l1 size x2 -> ", "dram latency / 2 -> "):
        assert text.count(part) == 1
    assert text in explain_text(found)


def test_the_document_has_both_kinds_of_answer(found: ModelExplanation) -> None:
    (layer,) = explain_json(found)["layers"]
    answers = {answer["resource"]: answer for answer in layer["what_if"]}
    assert answers["off-chip bandwidth"]["re_solved"]["proven"]
    assert answers["off-chip bandwidth"]["modelled"]["cycles"] <= layer["cycles"]
    assert answers["on-chip memory"]["modelled"] is None
    assert layer["summary"] == summary(found.layers[0])


def _change(acg: Acg, title: str) -> Change:
    (change,) = [c for c in changes(acg, "gemm", "matmul") if c.title == title]
    return change


def test_changes_double_one_resource_and_nothing_else() -> None:
    acg = snax()
    for title, settings in (
        ("l1 size x2", {"l1.size": "256KiB"}),
        ("dram latency / 2", {"dram.latency": "50"}),
        ("gemm m x2", {"gemm.matmul.extents.m": "16"}),
    ):
        after = changed(acg, _change(acg, title))
        assert resolved_yaml(after) != resolved_yaml(acg)
        if title != "gemm m x2":  # the file leaves the chained node's m to be derived
            assert after == read_architecture("snax", settings)
    wider = changed(acg, _change(acg, "gemm m x2"))
    chain = [c for node in wider.chain("gemm") for c in node.capabilities]
    assert {c.name: c.extents["m"] for c in chain if c.extents["m"] != 16} == {"matmul_folded": 8}


def test_a_change_holds_where_a_parameter_set_the_attribute(tmp_path: Path) -> None:
    file = tmp_path / "parameterised.yaml"
    file.write_text(
        "extends: snax\nname: p\nparameters: {s: 64KiB}\nmemories: {l1: {size: '${s}'}}\n"
    )
    acg = read_architecture(file)
    after = changed(acg, _change(acg, "l1 size x2"))
    assert after.memory("l1").size_bytes == 128 * 1024


def test_an_illegal_change_is_refused() -> None:
    path = "compute.gemm.capabilities.matmul.extents.m"
    with pytest.raises(CovenantError):
        changed(snax(), Change(Resource.ARRAY, "odd", ((path, "0"),)))
