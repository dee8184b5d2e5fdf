"""Proven mappings on disk, and many layers solved together."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail
from covenant.mapper import batch, cache
from covenant.mapper.batch import Outcome, SolveOptions, Task, solve_all
from covenant.mapper.cache import MappingCache, architecture_digest, mapping_key
from covenant.mapper.mapping import Mapping, Status
from covenant.mapper.solve import solve
from mapper_samples import conv, gemm, snax

ROOT = Path(__file__).parents[3]
SMALL, OTHER, LARGE = gemm(16, 24, 8), gemm(8, 8, 8), conv(4, 6, 6)


@pytest.fixture(scope="module")
def mapping() -> Mapping:
    return solve(SMALL, snax())


@pytest.fixture
def kept(tmp_path: Path) -> MappingCache:
    return MappingCache(tmp_path)


def _solve(tasks: list[Task], kept: MappingCache, **options: int) -> tuple[Outcome, ...]:
    return solve_all(tasks, SolveOptions(**options), kept, lambda done, of: None)


def _timeless(mapping: Mapping | None) -> Mapping:
    assert mapping is not None
    return replace(mapping, proof=replace(mapping.proof, solve_seconds=0.0, first_seconds=0.0))


def test_a_kept_mapping_comes_back_under_the_names_asked_for(
    kept: MappingCache, mapping: Mapping
) -> None:
    kept.store("ab" * 32, mapping)
    acg = replace(snax(), name="twin", description="")
    found = kept.load("ab" * 32, replace(SMALL, name="same"), acg)
    assert found == replace(mapping, codelet="same", architecture="twin")


def test_a_mapping_that_is_not_proven_is_not_kept(kept: MappingCache, mapping: Mapping) -> None:
    proof = replace(mapping.proof, status=Status.FEASIBLE)
    kept.store("key", replace(mapping, proof=proof))
    assert kept.load("key", SMALL, snax()) is None


def _truncated(text: str) -> str:
    return text[: len(text) // 2]


def _edited(text: str) -> str:
    return text.replace('"copies": 1', '"copies": 2', 1)


def _no_table(text: str) -> str:
    return "[]"


def _illegal(text: str) -> str:
    """A consistent entry of a mapping that `verify` rejects."""
    tree = json.loads(text)["mapping"]
    tree["placements"][0]["addresses"][0] += 1
    return json.dumps({"digest": cache._digest(cache._text(tree)), "mapping": tree})


@pytest.mark.parametrize("damage", [_truncated, _edited, _no_table, _illegal])
def test_a_damaged_entry_is_ignored_and_written_anew(
    kept: MappingCache, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    task = Task(SMALL, snax())
    (first,) = _solve([task], kept)
    (file,) = tmp_path.rglob("*.json")
    sound = file.read_text()
    damaged = damage(sound)
    assert damaged != sound
    file.write_text(damaged)
    (second,) = _solve([task], kept)
    assert not second.cached
    assert _timeless(second.mapping) == _timeless(first.mapping)
    assert kept.load(file.stem, SMALL, snax()) == second.mapping


def test_a_directory_that_cannot_be_written_costs_only_time(
    tmp_path: Path, mapping: Mapping
) -> None:
    (tmp_path / "file").write_text("")
    kept = MappingCache(tmp_path / "file" / "below")
    kept.store("key", mapping)
    assert kept.load("key", SMALL, snax()) is None


def test_the_key_changes_with_all_that_a_proven_mapping_depends_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest = architecture_digest(snax())
    key = mapping_key(SMALL, digest, seed=0)
    assert key == mapping_key(replace(SMALL, name="other"), digest, seed=0)
    renamed = architecture_digest(replace(snax(), name="other", description="other"))
    assert key == mapping_key(SMALL, renamed, seed=0)
    larger = architecture_digest(snax(memories__l1__size="256KiB"))
    others = {
        mapping_key(OTHER, digest, seed=0),
        mapping_key(SMALL, larger, seed=0),
        mapping_key(SMALL, digest, seed=1),
    }
    monkeypatch.setattr(cache, "compiler_digest", lambda: "another compiler")
    others.add(mapping_key(SMALL, digest, seed=0))
    assert len(others | {key}) == 5


def test_the_second_time_comes_from_the_cache_with_the_same_mapping(kept: MappingCache) -> None:
    tasks = [Task(SMALL, snax()), Task(OTHER, snax())]
    first, second = _solve(tasks, kept), _solve(tasks, kept)
    assert [outcome.cached for outcome in (*first, *second)] == [False, False, True, True]
    assert [o.mapping for o in first] == [o.mapping for o in second]


def test_equal_tasks_are_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[str] = []
    attempt = batch._attempt

    def counted(task: Task, options: SolveOptions, live: object = None) -> Outcome:
        solved.append(task.codelet.name)
        return attempt(task, options)

    monkeypatch.setattr(batch, "_attempt", counted)
    twin = replace(SMALL, name="twin")
    first, other, second = _solve(
        [Task(SMALL, snax()), Task(OTHER, snax()), Task(twin, snax())], MappingCache(None)
    )
    assert solved == [SMALL.name, OTHER.name]
    assert first.mapping is not None
    assert other.mapping is not None
    assert second.mapping == replace(first.mapping, codelet="twin")


def test_processes_give_what_one_process_gives_and_a_failure_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "_WORTH_A_PROCESS", 0)
    small = snax(memories__l1__size="256")
    tasks = [Task(SMALL, snax()), Task(LARGE, small), Task(OTHER, snax())]
    here = _solve(tasks, MappingCache(None))
    there = _solve(tasks, MappingCache(None), jobs=2)
    for one, other in zip(here, there, strict=True):
        assert str(one.error) == str(other.error)
        assert (one.mapping is None) == (other.mapping is None)
        if one.mapping is not None:
            assert _timeless(one.mapping) == _timeless(other.mapping)
    failed = there[1].error
    assert failed is not None
    assert failed.exit_code is ExitCode.INFEASIBLE
    assert failed.diagnostics[0].code == "MAP002"


def test_an_equal_layer_of_one_that_failed_says_so() -> None:
    small = snax(memories__l1__size="256")
    tasks = [Task(LARGE, small), Task(replace(LARGE, name="twin"), small)]
    first, second = _solve(tasks, MappingCache(None))
    assert first.error is not None
    assert second.error is not None
    assert second.error.diagnostics[0].message.startswith(f"layer 'twin' equals '{LARGE.name}': ")
    assert second.error.exit_code is first.error.exit_code


def test_an_interrupt_keeps_what_was_found(
    monkeypatch: pytest.MonkeyPatch, golden: Callable[[Path, str], None]
) -> None:
    attempt = batch._attempt

    def interrupted(task: Task, options: SolveOptions, live: object = None) -> Outcome:
        if task.codelet is OTHER:
            raise KeyboardInterrupt
        return attempt(task, options)

    monkeypatch.setattr(batch, "_attempt", interrupted)
    acg = replace(snax(), file="architectures/snax.yaml")
    first, second = _solve([Task(SMALL, acg), Task(OTHER, acg)], MappingCache(None))
    assert first.mapping is not None
    assert second.error is not None
    assert second.error.exit_code is ExitCode.INTERRUPTED
    golden(
        ROOT / "tests" / "errors" / "INT001" / "expected.txt",
        f"$ covenant map gemm.onnx --arch snax, then Ctrl-C\n{second.error}\n[exit code 130]\n",
    )


def test_errors_survive_the_way_between_processes() -> None:
    error = fail("ABC001", "message", Span("file", 1, 2, 3, "text"), "help", ExitCode.TIME_LIMIT)
    back = pickle.loads(pickle.dumps(error))
    assert isinstance(back, CovenantError)
    assert (back.diagnostics, back.exit_code) == (error.diagnostics, error.exit_code)
    assert str(back) == str(error)
