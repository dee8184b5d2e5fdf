"""`covenant arch check`: every fault at once; of a valid file what its machine runs and lacks."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import ROOT, covenant
from covenant.acg.reader import read_architecture, shipped_architectures
from covenant.codelets.registry import samples
from covenant.core.diagnostics import CovenantError
from covenant.mapper.solve import solve
from covenant.report.architecture import checked

CASES = ROOT / "tests" / "golden" / "acg" / "check"
COMMANDS = {
    "many": "arch check tests/golden/acg/check/many.yaml",
    "base": "arch check tests/errors/base.yaml",
    "gemmini_like": "arch check tests/architectures/gemmini_like.yaml",
}


@pytest.mark.parametrize("case", COMMANDS)
def test_text_equals_golden(
    case: str, monkeypatch: pytest.MonkeyPatch, golden: Callable[[Path, str], None]
) -> None:
    monkeypatch.chdir(ROOT)
    answer = covenant(*shlex.split(COMMANDS[case]))
    assert answer.code == (3 if answer.err else 0)
    golden(CASES / f"{case}.txt", f"$ covenant {COMMANDS[case]}\n{answer.out}{answer.err}")


def test_faults_of_other_nodes_are_reported_together(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(
        f"extends: {ROOT / 'tests/errors/base.yaml'}\n"
        "memories: {dram: {sise: 1}}\n"
        "transfers: {stream_y: {to: l3}}\n"
        "compute: {gemm: {capabilities: {matmul: {stationary: accu}}}}\n"
    )
    with pytest.raises(CovenantError) as caught:
        read_architecture(path)
    found = [(d.code, d.span.line) for d in caught.value.diagnostics]
    assert found == [("ACG010", 2), ("ACG021", 3), ("ACG036", 4)]


def test_what_follows_from_a_fault_is_not_reported(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(
        f"extends: {ROOT / 'tests/errors/base.yaml'}\nmemories: {{l1: {{word_bytes: null}}}}\n"
    )
    with pytest.raises(CovenantError) as caught:
        read_architecture(path)
    assert [d.code for d in caught.value.diagnostics] == ["ACG011"]


def _kinds(arch: str, *settings: str) -> dict[str, tuple[str, str]]:
    """Kind -> (numbers that run, why not more), as JSON says."""
    options = [text for setting in settings for text in ("--set", setting)]
    answer = covenant("arch", "check", arch, *options, "--json")
    assert answer.code == 0, answer.err
    (entry,) = json.loads(answer.out)["files"]
    return {k["kind"]: (k["numbers"] or "", k["why"] or "") for k in entry["kinds"]}


def test_a_capability_that_is_missing_is_named_by_what_it_does() -> None:
    snax = _kinds("snax")
    assert all(numbers and not why for numbers, why in snax.values())
    for removed, kind, why in (
        ("vector.max=null", "largest of a window", "no node reduces with `max=`"),
        ("vector.move=null", "transposition", "no node computes `y[m] = x[m]`"),
        ("vector.sum=null", "average of a window", "no node computes `acc[m] += x[m] - zx`"),
    ):
        without = _kinds("snax", removed, "control=null", "rtl=null")
        assert without[kind][0] == ""
        assert without[kind][1].startswith(why)
        assert {k: v for k, v in without.items() if k != kind} == {
            k: v for k, v in snax.items() if k != kind
        }


def test_json_of_a_broken_file_has_its_faults_and_the_exit_code() -> None:
    answer = covenant("arch", "check", "snax", CASES / "many.yaml", "--json")
    sound, broken = json.loads(answer.out)["files"]
    assert (answer.code, sound["ok"], broken["ok"]) == (3, True, False)
    assert {"code", "message", "help", "at"} == set(broken["errors"][0])


@pytest.mark.parametrize(
    "file", ["tests/architectures/gemmini_like.yaml", "covenant/acg/starter.yaml"]
)
def test_what_is_said_to_run_has_a_mapping_and_nothing_else_has(file: str) -> None:
    acg = read_architecture(ROOT / file)
    covers = checked(file, acg).covers
    assert covers is not None
    said = {kind.name: kind.numbers for kind in covers.kinds}
    for kind, variants in samples().items():
        reached = ""
        for numbers, lowered in variants:
            try:
                solve(lowered.codelet, acg, time_limit_seconds=20)
            except CovenantError:
                continue
            reached = numbers
            break
        assert (kind, said[kind]) == (kind, reached)


def test_every_shipped_architecture_runs_something() -> None:
    for name in shipped_architectures():
        assert any(numbers for numbers, _ in _kinds(name).values()), name
