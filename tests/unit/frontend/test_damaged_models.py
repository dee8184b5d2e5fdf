"""No model file, however damaged, leads to anything but a layer, a refusal or a diagnostic."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from covenant.codelets.registry import build
from covenant.core.diagnostics import CovenantError
from covenant.frontend import read_model
from onnx_nodes import random_layer

seeds = st.integers(0, 2**32 - 1)


def _codes(content: bytes) -> list[str]:
    """Codes of the diagnostics that reading and lowering the file lead to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(content)
        try:
            model = read_model(path)
        except CovenantError as error:
            return [diagnostic.code for diagnostic in error.diagnostics]
        for layer in model.layers:
            build(layer)
        return [node.code for node in model.unsupported]


@given(seed=st.integers(0, 15), cut=st.floats(0, 1))
def test_a_model_cut_short_is_diagnosed(seed: int, cut: float) -> None:
    content = random_layer(seed).model.SerializeToString()
    assert all(code.startswith("ONX") for code in _codes(content[: int(cut * len(content))]))


@given(seed=st.integers(0, 15), damage=seeds, count=st.integers(1, 6))
def test_a_model_with_flipped_bytes_is_diagnosed(seed: int, damage: int, count: int) -> None:
    content = bytearray(random_layer(seed).model.SerializeToString())
    rng = np.random.default_rng(damage)
    for position in rng.integers(0, len(content), count):
        content[position] = rng.integers(256)
    assert all(code.startswith("ONX") for code in _codes(bytes(content)))
