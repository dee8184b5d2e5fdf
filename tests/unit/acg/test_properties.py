"""Properties of reading: round trip, names and order do not matter, faults never escape."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covenant.acg.dump import resolved_yaml
from covenant.acg.graph import Acg
from covenant.acg.reader import build_verified, find_architecture, read_architecture
from covenant.acg.reader import shipped_architectures as shipped
from covenant.core.diagnostics import CovenantError, Diagnostic
from covenant.core.yaml_source import parse_yaml, plain, read_yaml

BASE = Path(__file__).resolve().parents[2] / "errors" / "base.yaml"
_POWERS = st.sampled_from((1, 2, 4, 8, 16, 32))
_FILES = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(
    values=st.fixed_dictionaries(
        {
            "gemm.matmul.extents.m": _POWERS,
            "gemm.matmul.extents.n": st.sampled_from((4, 8, 12)),
            "gemm.matmul.extents.k": st.sampled_from((2, 4, 8, 16)),
            "gemm.matmul.startup_cycles": st.integers(0, 100),
            "l1.size": st.sampled_from(("16KiB", "64KiB", 32768)),
            "l1.banks": _POWERS,
            "l1.latency": st.integers(0, 9),
            "load.setup_cycles": st.integers(0, 99),
            "stream_b.fifo_depth": st.integers(0, 9),
            "control.queue_depth": st.integers(1, 9),
            "rtl": st.sampled_from(("null", "{family: f, top: t}")),
        }
    )
)
def test_resolved_yaml_round_trips(values: dict[str, object]) -> None:
    if values["rtl"] == "null":
        del values["rtl"]
    acg = read_architecture(BASE, {path: str(value) for path, value in values.items()})
    assert build_verified(parse_yaml(resolved_yaml(acg), "r.yaml")) == acg


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Plain YAML with node names replaced wherever they stand as a key or a reference."""
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def _shuffled(value: Any, source: random.Random) -> Any:
    """Node tables in another order; dims, registers and capabilities keep theirs."""
    for section in ("memories", "transfers", "compute"):
        entries = list(value[section].items())
        source.shuffle(entries)
        value[section] = dict(entries)
    return value


def _sorted(acg: Acg) -> Acg:
    def by_name(nodes: Any) -> Any:
        return tuple(sorted(nodes, key=lambda node: node.name))

    return replace(
        acg,
        memories=by_name(acg.memories),
        transfers=by_name(acg.transfers),
        computes=by_name(acg.computes),
    )


@given(seed=st.integers(0, 1 << 30))
def test_order_and_names_of_nodes_do_not_matter(seed: int) -> None:
    source = random.Random(seed)
    names = ["dram", "l1", "stream_a", "stream_b", "stream_p", "stream_y"]
    fresh = [f"node{i}" for i in range(len(names))]
    source.shuffle(fresh)
    content = _shuffled(
        _renamed(plain(read_yaml(BASE)), dict(zip(names, fresh, strict=True))), source
    )
    changed = build_verified(parse_yaml(json.dumps(content), "changed.yaml"))
    back = _renamed(
        plain(parse_yaml(resolved_yaml(changed), "c")), dict(zip(fresh, names, strict=True))
    )
    restored = build_verified(parse_yaml(json.dumps(back), "restored.yaml"))
    assert _sorted(restored) == _sorted(read_architecture(BASE))


def _findings(path: Path, overrides: dict[str, str]) -> tuple[tuple[Diagnostic, ...], str]:
    """What reading finds and prints; nothing for a valid architecture."""
    try:
        read_architecture(path, overrides)
    except CovenantError as error:
        return error.diagnostics, str(error)
    return (), ""


_PIECES = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from(("[0..3]", "${x}", "null", "9" * 30, "<<: ", "&a ")),
)


@_FILES
@given(data=st.data())
def test_mutated_file_is_valid_or_a_finding(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(shipped()))
    text = find_architecture(name).read_text()
    at = data.draw(st.integers(0, len(text) - 1))
    piece = data.draw(_PIECES)
    keep = data.draw(st.booleans())
    path = tmp_path / "mutated.yaml"
    path.write_text(text[:at] + piece + text[at + (0 if keep else 1) :])
    findings, text = _findings(path, {})
    assert all(finding.message and finding.help for finding in findings), text
    assert text.replace("\n", "").isprintable()


_PATH_PARTS = ("l1", "gemm", "matmul", "post", "load", "control", "units", "registers", "ports")
_PATH_PARTS += ("a", "acc", "tile", "extents", "k", "size")


@given(
    path=st.lists(
        st.sampled_from(_PATH_PARTS),
        min_size=1,
        max_size=6,
    ),
    value=st.one_of(
        st.sampled_from(
            ("null", "[]", "{}", "''", "-1", "0", "1e3", "true", "[[a]]", "{a: {b: c}}")
        ),
        st.text(max_size=6),
    ),
)
def test_any_override_is_valid_or_a_finding(path: list[str], value: str) -> None:
    _, text = _findings(BASE, {".".join(path): value})
    assert text.replace("\n", "").isprintable()
