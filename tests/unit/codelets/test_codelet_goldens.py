"""Codelets of small models as text: `<name>.onnxtxt` is the model, `<name>.codelet` the golden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx.parser
import pytest

from covenant.codelets.printer import print_codelet
from covenant.codelets.registry import build
from covenant.frontend import read_model

FOLDER = Path(__file__).parents[2] / "golden" / "codelets"
MODELS = sorted(FOLDER.glob("*.onnxtxt"))


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_codelet_prints_as_golden(
    model: Path, golden: Callable[[Path, str], None], tmp_path: Path
) -> None:
    path = tmp_path / f"{model.stem}.onnx"
    path.write_bytes(onnx.parser.parse_model(model.read_text("utf-8")).SerializeToString())
    texts = [print_codelet(build(layer).codelet) for layer in read_model(path).layers]
    command = f"# covenant map {model.stem}.onnx --dump-after codelet\n"
    golden(model.with_suffix(".codelet"), command + "\n".join(texts))
