"""C programs for Gemmini, compiled natively and run on the functional model of `tests/gemmini`."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL = Path(__file__).parent / "gemmini"
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-ffp-contract=off")
FENCE = 127

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """Outputs in ONNX order, and instructions executed by funct (fences at `FENCE`)."""

    outputs: tuple[Array, ...]
    counts: Mapping[int, int]


def build(directory: Path) -> Path:
    """Compile `program.c` of a directory against the model."""
    library = directory / "program.so"
    overrides = ("-DCOVENANT_ISSUE=gemmini_issue", "-DCOVENANT_HALT=gemmini_fence")
    sources = (str(directory / "program.c"), str(MODEL / "model.c"))
    header = ("-include", str(MODEL / "model.h"))
    command = ["cc", *FLAGS, *header, *overrides, *sources, "-lm", "-o", str(library)]
    subprocess.run(command, check=True)
    return library


def run(library: Path, inputs: Sequence[Array], outputs: Sequence[Array], seed: int = 1) -> Ran:
    """Call `covenant_run`; `outputs`: arrays of the right shape and dtype, written to."""
    loaded = ctypes.CDLL(str(library))
    loaded.gemmini_fault.restype = ctypes.c_char_p
    loaded.gemmini_counts.restype = ctypes.POINTER(ctypes.c_uint64)
    loaded.gemmini_reset(ctypes.c_uint64(seed))
    read = [np.ascontiguousarray(array) for array in inputs]
    written = [np.full_like(array, 77) for array in outputs]
    loaded.covenant_run(_pointers(read), _pointers(written))
    fault = loaded.gemmini_fault().decode()
    assert not fault, fault
    counts = loaded.gemmini_counts()
    return Ran(tuple(written), {i: int(counts[i]) for i in range(128) if counts[i] and i != 126})


def _pointers(arrays: Sequence[Array]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(array.ctypes.data for array in arrays))
