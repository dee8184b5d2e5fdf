"""`covenant explain`, `--dump-after`, `--no-cache` and `--jobs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import chain, covenant

SNAX = ("--arch", "snax")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain(unsupported=True).save(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COVENANT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mappings"


def test_explain_says_what_bounds_a_layer_and_what_would_help(model: Path) -> None:
    answer = covenant("explain", model, *SNAX, "--layer", "first")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("first  QLinearConv  ")
    assert "  bound by  the array" in answer.out
    assert "re-solved" in answer.out
    assert "modelled" in answer.out
    assert "array x2 (" in answer.out.splitlines()[-1]


def test_explain_prints_a_document(model: Path) -> None:
    document = json.loads(covenant("explain", model, *SNAX, "--layer", "first", "--json").out)
    assert document["schema_version"] == 1
    (layer,) = document["layers"]
    assert sum(layer["parts"].values()) == layer["cycles"]


def test_explain_of_a_layer_that_does_not_fit_says_so(model: Path) -> None:
    answer = covenant("explain", model, *SNAX, "--set", "l1.size=256", "--layer", "first")
    assert answer.code == 5
    assert "error[MAP002]" in answer.err
    assert "not mapped" in answer.out


@pytest.mark.parametrize(
    ("stage", "first"),
    [
        ("frontend", "model "),
        ("codelet", 'codelet conv "first"'),
        ("mapping", "mapping first on snax: optimal"),
        ("program", "program first for snax: "),
    ],
)
def test_dump_after_prints_the_text_form_of_an_artifact(
    model: Path, stage: str, first: str
) -> None:
    for command in ("map", "run"):
        answer = covenant(command, model, *SNAX, "--dump-after", stage)
        assert answer.code == 0, answer.err
        assert answer.out.startswith(first)


def test_dump_after_reads_a_saved_directory(model: Path, tmp_path: Path) -> None:
    plain = chain().save(tmp_path)
    assert covenant("map", plain, *SNAX, "-o", tmp_path / "saved").code == 0
    saved = covenant("run", tmp_path / "saved", "--dump-after", "program")
    assert saved.out == covenant("map", plain, *SNAX, "--dump-after", "program").out


def _document(model: Path, *arguments: str) -> Any:
    return json.loads(covenant("map", model, *SNAX, "--json", *arguments).out)


def test_the_state_of_the_cache_changes_only_how_a_mapping_was_come_by(
    model: Path, cache: Path
) -> None:
    none = _document(model, "--no-cache")
    assert not cache.exists()
    first, second = _document(model), _document(model, "--jobs", "0", "--time-limit", "7")
    assert [layer["cached"] for layer in first["layers"]] == [False] * 3
    assert [layer["cached"] for layer in second["layers"]] == [True] * 3
    for document in (none, first, second):
        for layer in document["layers"]:
            del layer["cached"], layer["solve_seconds"], layer["first_seconds"]
    assert none == first == second
    assert "from cache" in covenant("map", model, *SNAX).out
