"""YAML trees: places, scalar types, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.core.yaml_source import YamlList, YamlScalar, YamlTable, parse_yaml, plain, read_yaml


def _codes(text: str) -> list[str]:
    with pytest.raises(CovenantError) as caught:
        parse_yaml(text, "f.yaml")
    assert caught.value.exit_code == ExitCode.INVALID
    return [finding.code for finding in caught.value.diagnostics]


def test_every_node_knows_its_line_and_columns() -> None:
    tree = parse_yaml("a: 1\nb: [x, 'y z']\n", "f.yaml")
    assert isinstance(tree, YamlTable)
    key, items = tree.key("b"), tree.get("b")
    assert key is not None
    assert (key.span.line, key.span.column, key.span.end_column) == (2, 1, 2)
    assert isinstance(items, YamlList)
    assert (items.span.column, items.span.end_column) == (4, 14)
    last = items.items[1]
    assert (last.span.column, last.span.end_column) == (8, 13)
    assert last.span.source == "b: [x, 'y z']"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0x10", 16),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ("", None),
        ("'8'", "8"),
        ("y", "y"),
        ("off", "off"),
        ("59:56", "59:56"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("9" * 41, "9" * 41),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert plain(parse_yaml(f"a: {text}", "f.yaml")) == {"a": value}


def test_all_findings_are_reported_at_once() -> None:
    assert _codes("a: &x 1\na: !!int 2\n<<: 3\n") == ["YAML005", "YAML006", "YAML008", "YAML007"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [", "YAML004"),
        ("\ta: 1", "YAML004"),
        ("a: \x01", "YAML004"),
        ('a: "\\UFFFFFFFF"', "YAML004"),
        ('a: "\\ud800"', "YAML004"),
        ("%YAML 9.9\n---\na: 1", "YAML004"),
        ("", "YAML011"),
        ("{[a]: 1}", "YAML010"),
    ],
)
def test_broken_text_is_one_located_finding(text: str, code: str) -> None:
    assert _codes(text) == [code]


def test_depth_of_32_is_accepted_and_33_is_not() -> None:
    assert parse_yaml("[" * 32 + "]" * 32, "f.yaml")
    assert _codes("[" * 33 + "]" * 33) == ["YAML009"]


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain(read_yaml(path)) == {"a": 1}


def test_unreadable_path_is_a_finding(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.yaml", tmp_path / ("x" * 300), Path("a\0b")):
        with pytest.raises(CovenantError, match="YAML001"):
            read_yaml(path)


def test_equality_ignores_places() -> None:
    assert parse_yaml("a: [1]", "f.yaml") == parse_yaml("\n\na:\n  - 1\n", "g.yaml")
    assert isinstance(parse_yaml("x", "f.yaml"), YamlScalar)
