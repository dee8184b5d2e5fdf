"""`covenant arch new`: what it writes is valid, maps and runs at once; commented lines too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from command_line import assert_told, chain, covenant
from covenant.acg.reader import read_architecture, shipped_architectures

RUN = ("--on", "interpreter", "--no-cache", "--jobs", "0")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_new_machine_is_valid_and_runs_a_model_at_once(tmp_path: Path) -> None:
    answer = covenant("arch", "new", "mine")
    assert (answer.code, answer.err) == (0, "")
    assert covenant("arch", "check", "mine.yaml").code == 0
    assert read_architecture(tmp_path / "mine.yaml").name == "mine"
    ran = covenant("run", chain().save(tmp_path), "--arch", "mine.yaml", *RUN)
    assert ran.code == 0, ran.err
    assert "elements equal to the integer reference" in ran.out


def _uncommented(text: str) -> str:
    """The comments that show keys, as keys."""
    start = text.index("# memories:")
    return text[:start] + text[start:].replace("# ", "")


@pytest.mark.parametrize("base", shipped_architectures())
def test_family_member_is_short_and_is_its_base_until_something_is_changed(base: str) -> None:
    assert covenant("arch", "new", "member", "--from", base).code == 0
    text = Path("member.yaml").read_text("utf-8")
    assert len(text.splitlines()) <= 20
    Path("all.yaml").write_text(_uncommented(text), "utf-8")
    found = [read_architecture(Path(file)) for file in ("member.yaml", "all.yaml")]
    own = read_architecture(base)
    assert found[0].description.startswith(own.name)
    assert [replace(f, name=own.name, description=own.description) for f in found] == [own, own]


def test_family_member_finds_a_base_given_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    assert covenant("arch", "new", "first", "-o", "inner/first.yaml").code == 0
    answer = covenant("arch", "new", "second", "--from", "inner/first.yaml")
    assert answer.code == 0, answer.err
    assert covenant("arch", "check", "second.yaml").code == 0


def test_standard_output_takes_the_text_and_nothing_else() -> None:
    text = covenant("arch", "new", "mine", "-o", "-").out
    assert covenant("arch", "new", "mine").code == 0
    assert Path("mine.yaml").read_text("utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["a b"], 2, "CLI006"),
        (["mine.yaml"], 2, "`covenant arch new mine`"),
        (["snax"], 2, "`covenant arch new my_snax --from snax`"),
        (["mine", "-o", "no/such/place.yaml"], 2, "CLI005"),
        (["mine", "--from", "snx"], 3, "did you mean 'snax'?"),
    ],
)
def test_what_cannot_be_written_is_told(arguments: list[str], code: int, words: str) -> None:
    assert_told(covenant("arch", "new", *arguments), code, words)
    assert list(Path().iterdir()) == []


def test_a_file_is_never_overwritten() -> None:
    Path("mine.yaml").write_text("precious")
    assert_told(covenant("arch", "new", "mine"), 2, "mine.yaml: error[CLI005]")
    assert Path("mine.yaml").read_text() == "precious"
