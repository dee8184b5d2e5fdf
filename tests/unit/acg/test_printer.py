"""Text form, resolved YAML, JSON Schema and reference page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from covenant.acg.consumers import consumers
from covenant.acg.dump import resolved_yaml
from covenant.acg.notation import show_size
from covenant.acg.printer import show
from covenant.acg.reader import build_verified, find_architecture, read_architecture
from covenant.acg.reader import shipped_architectures as shipped
from covenant.acg.reference import models, reference
from covenant.acg.schema import json_schema
from covenant.acg.sections import ArchitectureSection
from covenant.acg.svg import svg
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


def test_reference_page_is_current(request: pytest.FixtureRequest) -> None:
    """All but the readers of a key, which may have become more: none that is named may be gone."""
    page = ROOT / "docs" / "acg-reference.md"
    if request.config.getoption("--update-golden"):
        page.write_text(reference(), "utf-8")
    written, current = page.read_text("utf-8").splitlines(), reference().splitlines()
    assert list(map(_without_readers, written)) == list(map(_without_readers, current)), (
        "run pytest --update-golden if intended"
    )
    for old, new in zip(written, current, strict=True):
        assert _readers(old) <= _readers(new), old


def _without_readers(line: str) -> str:
    return line.rsplit("|", 2)[0] if line.count("|") == 7 else line


def _readers(line: str) -> set[str]:
    return set(line.split("|")[-2].split(", ")) - {""} if line.count("|") == 7 else set()


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


ARCHITECTURES = sorted((ROOT / "tests" / "architectures").glob("*.yaml"))
EVERY = [BASE, *map(find_architecture, shipped()), *ARCHITECTURES]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_family_member_with_overrides_reads_back_from_its_resolved_text(
    path: Path, tmp_path: Path
) -> None:
    memory = read_architecture(path).off_chip[0].name
    member = tmp_path / "member.yaml"
    member.write_text(f"extends: {path}\nname: member\nmemories: {{{memory}: {{latency: 77}}}}\n")
    acg = read_architecture(member, {f"{memory}.energy.per": "word", "description": "'a: b'"})
    assert (acg.off_chip[0].latency_cycles, acg.description) == (77, "a: b")
    assert build_verified(parse_yaml(resolved_yaml(acg), "resolved.yaml")) == acg


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_drawing_shows_every_node_with_its_width_or_size(path: Path) -> None:
    acg = read_architecture(path)
    drawn = svg(acg)
    assert drawn == svg(acg)
    texts = [each.text or "" for each in ElementTree.fromstring(drawn).iter() if each.text]
    for memory in acg.memories:
        assert memory.name in texts
        assert any(text.startswith(show_size(memory.size_bytes)) for text in texts)
    for transfer in acg.transfers:
        assert any(text.split(" x ")[0] == transfer.name for text in texts)
        assert f"{transfer.bytes_per_cycle} B/cycle" in texts
    for capability in acg.capabilities:
        assert any(str(capability.statement) in text for text in texts)


@pytest.mark.parametrize("name", shipped())
def test_shipped_file_names_its_schema_for_editors(name: str) -> None:
    first = find_architecture(name).read_text("utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=acg.schema.json"
