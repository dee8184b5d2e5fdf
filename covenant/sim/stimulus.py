"""Inputs of a run: seeded random arrays, or those of an .npz file, checked against the model.

In: a model and a seed or a file. Out: arrays by ONNX input name, in ONNX shapes and dtypes.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.core.diagnostics import Span, did_you_mean, fail
from covenant.core.resources import write_whole
from covenant.frontend.host import dequantise
from covenant.frontend.model import GraphTensor, Model

Array = NDArray[Any]

_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy.load and the archive below it raise on files that are none or damaged."""


def random_inputs(model: Model, seed: int) -> dict[str, Array]:
    """One array per graph input. Integers cover the whole range of their dtype; a float input that
    is quantised next covers the whole range of its quantised type; other floats are normal."""
    generator = np.random.default_rng(seed)
    return {tensor.name: _random(model, tensor, generator) for tensor in model.inputs}


def random_tensor(dtype: str, shape: tuple[int, ...], seed: int) -> Array:
    """A seeded array over the whole range of an integer dtype."""
    return _integers(np.dtype(dtype), shape, np.random.default_rng(seed))


def read_inputs(model: Model, path: Path) -> dict[str, Array]:
    """Arrays of an .npz whose keys are ONNX input names; names, shapes and dtypes are checked."""
    return checked_inputs(model, read_arrays(path), Span(str(path)))


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of an .npz by name."""
    span = Span(str(path))
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or "no archive of arrays, or damaged"
        raise fail(
            "RUN001", f"the inputs cannot be read: {reason}", span, "write them with numpy.savez"
        ) from error
    return arrays


def checked_inputs(model: Model, arrays: dict[str, Array], span: Span) -> dict[str, Array]:
    """The arrays, one per graph input; those of quantisation parameters are bound already."""
    known = {tensor.name: tensor for tensor in model.inputs}
    for name in arrays:
        if name not in known and name not in model.parameters:
            message = f"the model has no input '{name}'"
            raise fail("RUN002", message, span, did_you_mean(name, known))
    for name, tensor in known.items():
        if name not in arrays:
            message = f"no array for the model's input '{name}'"
            raise fail("RUN002", message, span, f"add {name}: {tensor.dtype}{list(tensor.shape)}")
        _check(arrays[name], tensor, span)
    return arrays


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """The .npz of arrays by name: equal arrays give equal bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            # not numpy.savez: it takes no array called `file`, and writes the time of day
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    return content.getvalue()


def write_outputs(path: Path, outputs: Mapping[str, Array]) -> None:
    """Write arrays by ONNX output name to an .npz; the file appears whole or not at all."""
    try:
        write_whole(path, npz_bytes(outputs))
    except OSError as error:
        raise fail(
            "RUN007",
            f"the outputs cannot be written: {error.strerror}",
            Span(str(path)),
            "name a file in a directory that exists and can be written",
        ) from error


def _random(model: Model, tensor: GraphTensor, generator: np.random.Generator) -> Array:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "iu":
        return _integers(dtype, tensor.shape, generator)
    for boundary in model.boundaries:
        if boundary.source == tensor.name and boundary.quantises:
            integers = _integers(boundary.dtype.numpy, tensor.shape, generator)
            return dequantise(integers, boundary.quantisation).astype(dtype)
    return generator.standard_normal(tensor.shape).astype(dtype)


def _integers(
    dtype: np.dtype[Any], shape: tuple[int, ...], generator: np.random.Generator
) -> Array:
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def _check(array: Array, tensor: GraphTensor, span: Span) -> None:
    if array.shape != tensor.shape or array.dtype != np.dtype(tensor.dtype):
        found = f"{array.dtype}{list(array.shape)}"
        expected = f"{tensor.dtype}{list(tensor.shape)}"
        raise fail(
            "RUN003",
            f"the array '{tensor.name}' is {found}, the model's input is {expected}",
            span,
            f"give {expected}",
        )
