"""Images on disk: round trip, atomic writing, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.files import SavedLayer, read_images, write_directory, write_images
from covenant.emit.image import Image, build_image
from covenant.emit.lower import lower
from handmade import conv_layer, map_by_hand, random_inputs


@pytest.fixture(scope="module")
def image() -> Image:
    acg = read_architecture("snax")
    layer = conv_layer()
    mapping = map_by_hand(layer.codelet, acg, {"oy": 4})
    program = lower(mapping, layer.codelet, acg)
    return build_image(program, mapping, layer.codelet, acg, layer.constants)


def test_image_survives_a_round_trip(image: Image, tmp_path: Path) -> None:
    layers = [SavedLayer("conv/1:relu", image, "listing\n", "mapping\n")]
    write_images(tmp_path / "out", layers, {"model": "m.onnx"}, {"arch.yaml": b"acg: 1\n"})
    saved = read_images(tmp_path / "out")
    assert saved.details == {"model": "m.onnx"}
    assert saved.files == {"arch.yaml": b"acg: 1\n"}
    again = saved.images["conv/1:relu"]
    assert again.words == image.words
    assert again.tensors == image.tensors
    inputs = random_inputs(conv_layer().codelet)
    assert np.array_equal(again.dram(inputs), image.dram(inputs))
    assert (tmp_path / "out" / "00_conv_1_relu" / "program.txt").read_text() == "listing\n"


def test_two_writes_give_equal_bytes(image: Image, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_images(tmp_path / name, [SavedLayer("a", image, "", "")], {})
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert files
    for file in files:
        if (tmp_path / "one" / file).is_file():
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_writing_again_replaces_and_leaves_nothing_else(image: Image, tmp_path: Path) -> None:
    write_images(tmp_path / "out", [SavedLayer("old", image, "", "")], {})
    write_images(tmp_path / "out", [SavedLayer("new", image, "", "")], {})
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert list(read_images(tmp_path / "out").images) == ["new"]


def test_directory_with_other_files_is_not_replaced(image: Image, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CovenantError, match="exists and holds other files"):
        write_images(tmp_path, [SavedLayer("a", image, "", "")], {})
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CovenantError, match="cannot be written"):
        write_directory(tmp_path / "out", {"a": b"1", "a/b": b"2"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["manifest.json", "00_a/program.bin", "00_a/image.json"])
def test_damaged_directory_is_refused(image: Image, tmp_path: Path, damage: str) -> None:
    write_images(tmp_path / "out", [SavedLayer("a", image, "", "")], {})
    (tmp_path / "out" / damage).write_bytes(b"{")
    with pytest.raises(CovenantError, match="EMI007"):
        read_images(tmp_path / "out")


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CovenantError, match="is missing"):
        read_images(tmp_path / "nowhere")
