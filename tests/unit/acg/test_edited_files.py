"""Random edits of sound architecture files: a located finding or success, never anything else.

An edit deletes, misspells or doubles a key, exchanges two values, or gives a value another type.
What still reads is asked what it can run, since that walks the whole machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covenant.acg.reader import build_verified, find_architecture, load, shipped_architectures
from covenant.core.diagnostics import CovenantError
from covenant.core.yaml_source import parse_yaml, plain
from covenant.report.architecture import checked, checked_text

ROOT = Path(__file__).resolve().parents[3]
FILES = [
    ROOT / "tests" / "errors" / "base.yaml",
    ROOT / "covenant" / "acg" / "starter.yaml",
    *sorted((ROOT / "tests" / "architectures").glob("*.yaml")),
    *map(find_architecture, shipped_architectures()),
]
CONTENTS = [plain(load(path)) for path in FILES]
Place = tuple[Any, Any]
"""A table or list and the key or index in it."""


def _places(content: Any) -> Iterator[Place]:
    entries = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in entries:
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)


_VALUES = st.sampled_from(
    (None, True, 0, -1, 3, 1 << 70, 0.5, "", "x", "acc", "16KiB", [], ["x"], [[]], {}, {"x": 1})
)


def _edit(content: Any, data: st.DataObject) -> str:
    """Change the content in one place; says how."""
    places = list(_places(content))
    if not places:
        return "nothing is left"
    table, key = data.draw(st.sampled_from(places))
    kind = data.draw(st.sampled_from(("delete", "misspell", "type", "swap", "number", "text")))
    value = table[key]
    if kind == "delete":
        del table[key]
    elif kind == "misspell" and isinstance(table, dict):
        at = data.draw(st.integers(0, len(key)))
        table[key[:at] + data.draw(st.sampled_from(("", "s", "_", "."))) + key[at + 1 :]] = (
            table.pop(key)
        )
    elif kind == "swap":
        other, name = data.draw(st.sampled_from(places))
        table[key], other[name] = other[name], table[key]
    elif kind == "number" and isinstance(value, int):
        table[key] = data.draw(st.sampled_from((value + 1, value * 2, value // 2, -value, 1)))
    elif kind == "text" and isinstance(value, str) and value:
        at = data.draw(st.integers(0, len(value) - 1))
        piece = data.draw(st.sampled_from(("", "[", ")", "m", "0", "..", "=", " ", "-")))
        table[key] = value[:at] + piece + value[at + 1 :]
    else:
        table[key] = data.draw(_VALUES)
    return f"{kind} {key}"


@pytest.mark.parametrize("number", range(len(FILES)), ids=[path.stem for path in FILES])
@settings(max_examples=15)
@given(data=st.data())
def test_edited_file_reads_or_says_where_and_why_not(number: int, data: st.DataObject) -> None:
    content = json.loads(json.dumps(CONTENTS[number]))
    edits = [_edit(content, data) for _ in range(data.draw(st.integers(1, 3)))]
    try:
        text = json.dumps(content, indent=1)
    except ValueError:  # two tables were put into one another
        return
    try:
        acg = build_verified(parse_yaml(text, "edited.yaml"))
    except CovenantError as error:
        for finding in error.diagnostics:
            assert finding.span.line, (edits, str(finding))
            assert finding.message, edits
            assert finding.help, (edits, str(finding))
        return
    assert checked_text(checked("edited.yaml", acg))
