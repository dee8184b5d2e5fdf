"""Models as text: `<name>.onnxtxt` is the model, `<name>.model` the golden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx.parser
import pytest

from covenant.frontend import read_model
from covenant.frontend.printer import print_model

FOLDER = Path(__file__).parents[2] / "golden" / "frontend"
MODELS = sorted(FOLDER.glob("*.onnxtxt"))


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_model_prints_as_golden(
    model: Path,
    golden: Callable[[Path, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"{model.stem}.onnx")
    path.write_bytes(onnx.parser.parse_model(model.read_text("utf-8")).SerializeToString())
    command = f"# covenant map {path} --dump-after frontend\n"
    golden(model.with_suffix(".model"), command + print_model(read_model(path)))
