"""`covenant compare` and its exit codes."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from command_line import assert_told, chain, covenant


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    chain(unsupported=True).save(path)
    (path / "tiny.yaml").write_text("extends: snax\nname: tiny\nmemories: {l1: {size: 256}}\n")
    (path / "wide.yaml").write_text("extends: snax\nname: wide\nmemories: {l1: {size: 256KiB}}\n")
    return path


def test_compare_puts_architectures_side_by_side(folder: Path) -> None:
    answer = covenant(
        "compare", folder / "chain.onnx", "--arch", "snax", "--arch", folder / "wide.yaml"
    )
    assert answer.code == 0, answer.err
    assert answer.out.count(" wide ") == 4
    assert "not mapped: normalise (Softmax)" in answer.out


def test_compare_prints_documents(folder: Path) -> None:
    command = ["compare", folder / "chain.onnx", "--arch", "snax", "--arch", folder / "wide.yaml"]
    document = json.loads(covenant(*command, "--json").out)
    rows = list(csv.DictReader(StringIO(covenant(*command, "--csv").out)))
    assert document["schema_version"] == 1
    assert document["archs"] == ["snax", "wide"]
    entries = [entry for layer in document["layers"] for entry in layer["results"]]
    assert [int(row["cycles"]) for row in rows[:-2]] == [entry["cycles"] for entry in entries]
    assert [int(row["cycles"]) for row in rows[-2:]] == [t["cycles"] for t in document["totals"]]


def test_compare_goes_on_after_a_layer_that_fails(folder: Path) -> None:
    answer = covenant(
        "compare", folder / "chain.onnx", "--arch", "snax", "--arch", folder / "tiny.yaml"
    )
    assert answer.code == 5
    assert "not mapped: first on tiny: MAP002: " in answer.out
    assert "total of " in answer.out


def test_compare_needs_two_architectures_that_exist(folder: Path) -> None:
    model = folder / "chain.onnx"
    assert_told(covenant("compare", model), 2, "CLI003")
    assert covenant("compare", model, "--arch", "snax").code == 2
    assert covenant("compare", model, "--arch", "snax", "--arch", "nosuch").code == 3
    both = covenant("compare", model, "--arch", "snax", "--arch", "snax", "--json", "--csv")
    assert both.code == 2
