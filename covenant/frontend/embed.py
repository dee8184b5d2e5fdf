"""A model as one self-contained file: external data is taken in.

In: the path of a model that `read_model` accepts. Out: bytes of an equal ONNX file.
"""

from __future__ import annotations

from pathlib import Path


def embedded(path: Path) -> bytes:
    """The model with all its data inside; it must have been read before (no errors are located)."""
    import onnx

    content: bytes = onnx.load(path).SerializeToString()
    return content
