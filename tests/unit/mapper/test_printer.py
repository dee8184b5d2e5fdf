"""Text and JSON forms of a mapping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from covenant.codelets.ir import Codelet
from covenant.mapper.printer import from_json, show, to_json
from covenant.mapper.solve import solve
from mapper_samples import conv, gemm, snax

GOLDEN = Path(__file__).parents[2] / "golden" / "mapper"
CASES = {
    "conv_split_reduction": (conv(64, 24, 13), "8KiB"),
    "gemm_rows_resident": (gemm(24, 64, 32), "128KiB"),
    "gemm_wide_result": (gemm(12, 40, 24, wide=True), "2KiB"),
}


@pytest.mark.parametrize("name", CASES)
def test_show_prints_the_loop_nest(name: str, golden: Callable[[Path, str], None]) -> None:
    codelet, size = CASES[name]
    mapping = solve(codelet, snax(memories__l1__size=size))
    head = f"# show(solve({codelet.name}, snax with l1 {size}))\n"
    golden(GOLDEN / f"{name}.mapping", head + show(mapping))


@pytest.mark.parametrize("codelet", [c for c, _ in CASES.values()], ids=lambda c: c.name)
def test_json_reads_back_to_an_equal_mapping(codelet: Codelet) -> None:
    mapping = solve(codelet, snax())
    assert from_json(json.loads(json.dumps(to_json(mapping)))) == mapping


def test_json_of_another_version_is_refused() -> None:
    tree = to_json(solve(gemm(8, 8, 8), snax())) | {"schema_version": 0}
    with pytest.raises(ValueError, match="schema_version 0, expected 2"):
        from_json(tree)
