"""Arrays of constants as C text.

In: a name and values. Out: a definition; bytes as 64-bit little-endian words, which compilers read
faster, aligned to 64 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PER_LINE = 5


def array_bytes(name: str, content: NDArray[np.uint8]) -> str:
    """Bytes, padded with zeros to whole words."""
    padded = np.zeros(-(-max(1, content.size) // 8) * 8, np.uint8)
    padded[: content.size] = content
    words = padded.view("<u8").tolist()
    return _array(f"uint64_t {name}[] __attribute__((aligned(64)))", map(_hex, words))


def array_u64(name: str, values: Sequence[int]) -> str:
    """Unsigned 64-bit values."""
    return _array(f"uint64_t {name}[]", map(_hex, values))


def array_i64(name: str, values: Sequence[int]) -> str:
    """Signed 64-bit values."""
    return _array(f"int64_t {name}[]", map(str, values))


def array_of(name: str, values: NDArray[Any]) -> str:
    """Integers of any width, or float32, in their own type."""
    flat = values.reshape(-1).tolist()
    if values.dtype.kind == "f":
        return _array(f"float {name}[]", (f"{value.hex()}f" for value in flat))
    return _array(f"{values.dtype.name}_t {name}[]", map(str, flat))


def _hex(value: int) -> str:
    return str(value) if value < 10 else f"0x{value:x}"


def _array(declaration: str, values: Iterable[str]) -> str:
    items = list(values)
    lines = [",".join(items[i : i + _PER_LINE]) for i in range(0, len(items), _PER_LINE)]
    return f"static const {declaration} = {{\n" + ",\n".join(lines) + "\n};\n"
