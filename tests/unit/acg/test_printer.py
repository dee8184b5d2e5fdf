"""Text form, resolved YAML, JSON Schema and reference page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from covenant.acg.consumers import consumers
from covenant.acg.dump import resolved_yaml
from covenant.acg.printer import show
from covenant.acg.reader import build_verified, find_architecture, read_architecture
from covenant.acg.reader import shipped_architectures as shipped
from covenant.acg.reference import models, reference
from covenant.acg.schema import json_schema
from covenant.acg.sections import ArchitectureSection
from covenant.core.yaml_source import parse_yaml, plain, read_yaml

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "tests" / "errors" / "base.yaml"
GOLDEN = ROOT / "tests" / "golden" / "acg"


def test_text_form_equals_golden(golden: Callable[[Path, str], None]) -> None:
    text = "$ covenant arch show tests/errors/base.yaml\n" + show(read_architecture(BASE))
    golden(GOLDEN / "show_base.txt", text)


@pytest.mark.parametrize("name", [str(BASE), *shipped()])
def test_resolved_yaml_reads_back_to_an_equal_graph(name: str) -> None:
    acg = read_architecture(name)
    text = resolved_yaml(acg)
    again = build_verified(parse_yaml(text, "resolved.yaml"))
    assert again == acg
    assert resolved_yaml(again) == text


@pytest.mark.parametrize(
    "text", ["", "a: b", "# no", '"\\', "é 🎉", "\x07\u2028", "null", "1", " x"]
)
def test_resolved_yaml_keeps_any_description(text: str) -> None:
    quoted = json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028")
    acg = read_architecture(BASE, {"description": quoted})
    assert acg.description == text
    assert build_verified(parse_yaml(resolved_yaml(acg), "r.yaml")) == acg


def test_reference_page_is_current(golden: Callable[[Path, str], None]) -> None:
    golden(ROOT / "docs" / "acg-reference.md", reference())


def test_every_key_is_read_by_a_pass_that_is_not_the_graph_itself() -> None:
    keys = [
        (path, field.alias or name)
        for path, model in models("", ArchitectureSection)
        for name, field in model.model_fields.items()
    ]
    unread = [key for key in keys if not consumers(*key)]
    assert unread == [("", "acg")]  # the version of the format, checked by its type
    assert consumers("memories.*", "no_such_key") == ()


def test_json_schema_is_draft_7_and_accepts_every_shipped_file() -> None:
    schema = json_schema()
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    for path in [BASE, *map(find_architecture, shipped())]:
        assert list(validator.iter_errors(plain(read_yaml(path)))) == []


def test_json_schema_accepts_parameters_and_partial_files() -> None:
    validator = jsonschema.Draft7Validator(json_schema())
    partial = {
        "extends": "other",
        "parameters": {"kib": 64},
        "memories": {"l1": {"size": "${kib}KiB", "banks": "${kib}", "energy": None}},
        "transfers": {"load": None},
    }
    assert list(validator.iter_errors(partial)) == []
    assert list(validator.iter_errors({**partial, "memories": {"l1": {"bank": 8}}}))
    assert list(validator.iter_errors({**partial, "memories": {"l-1": {"banks": 8}}}))
    assert list(validator.iter_errors({"acg": 1, "name": "x"}))


def test_json_schema_describes_every_key() -> None:
    for name, section in json_schema()["definitions"].items():
        for key, value in section.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"


def test_json_schema_beside_the_architectures_is_current(
    golden: Callable[[Path, str], None],
) -> None:
    golden(ROOT / "architectures" / "acg.schema.json", json.dumps(json_schema(), indent=2) + "\n")
