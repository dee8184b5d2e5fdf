"""`--pins`, `--save-pins` and `--objective` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import chain, covenant

SNAX = ("--arch", "snax", "--no-cache", "--jobs", "0")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain(unsupported=True).save(tmp_path_factory.mktemp("models"))


def test_saved_pins_give_the_same_mappings_and_pins(model: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    saved = covenant("map", model, *SNAX, "--save-pins", first, "--json")
    again = covenant("map", model, *SNAX, "--pins", first, "--save-pins", second, "--json")
    assert (saved.code, again.code) == (0, 0), again.err
    assert first.read_bytes() == second.read_bytes()
    for one, other in zip(*(json.loads(a.out)["layers"] for a in (saved, again)), strict=True):
        assert (one["status"], other["status"]) == ("optimal", "pinned")
        assert other["pins"] > one["pins"] == 0
        for key in ("tiles", "order", "buffers", "cycles", "objective", "bound"):
            assert one[key] == other[key]


def test_pinned_layers_run_bit_exactly(model: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins.yaml"
    pins.write_text("pins: 1\nlayers:\n  - op: QLinear*\n    tiles: {ox: 2}\n")
    answer = covenant("run", model, *SNAX, "--on", "interpreter", "--pins", pins, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["mismatches"] == 0
    assert all(layer["tiles"]["ox"] == 2 for layer in document["layers"])


def test_pins_are_part_of_what_the_cache_knows(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVENANT_CACHE_DIR", str(tmp_path / "cache"))
    pins = tmp_path / "pins.yaml"
    arguments = ("map", model, "--arch", "snax", "--jobs", "0", "--json")
    for text in ("ox: 2", "ox: 3", "ox: 2"):
        pins.write_text(f"pins: 1\nlayers:\n  - tiles: {{{text}}}\n")
        layers = json.loads(covenant(*arguments, "--pins", pins).out)["layers"]
        assert {layer["tiles"]["ox"] for layer in layers} == {int(text[-1])}
    assert all(layer["cached"] for layer in layers)
    plain = json.loads(covenant(*arguments, "--objective", "energy").out)["layers"]
    assert not any(layer["cached"] for layer in plain[:2])
    assert {goal["unit"] for layer in plain for goal in layer["goals"]} == {"fJ"}


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("pins: 2\n", 3, "error[MAP020]"),
        ("pins: 1\nlayers:\n  - name: frist\n    tiles: {oc: 2}\n", 3, "did you mean 'first'?"),
        ("pins: 1\nlayers:\n  - tiles: {oc: 7}\n", 3, "error[MAP022]"),
        ("pins: 1\nlayers:\n  - operands: {w: {resident: true, copies: 2}}\n", 5, "MAP023"),
    ],
)
def test_a_pin_that_cannot_be_kept_is_told(
    model: Path, tmp_path: Path, text: str, code: int, said: str
) -> None:
    pins = tmp_path / "pins.yaml"
    pins.write_text(text)
    answer = covenant("map", model, *SNAX, "--pins", pins)
    assert answer.code == code
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_an_unknown_objective_is_told(model: Path) -> None:
    answer = covenant("map", model, *SNAX, "--objective", "speed")
    assert answer.code == 2
    assert "error[MAP006]" in answer.err
