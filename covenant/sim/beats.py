"""Beats of a stream in NumPy memories.

In: register values of a launch and the memories. Out: bytes of all beats, or tiles of elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Memory
from covenant.core.dtypes import DType
from covenant.emit.units import Addresses, Registers, Stream

Array = NDArray[Any]


class JobError(ValueError):
    """A job that no machine could execute; the message is a sentence without its place."""


@dataclass(slots=True)
class Memories:
    """Byte arrays by memory name, and their nodes, which know the views of an address."""

    arrays: dict[str, NDArray[np.uint8]]
    nodes: Mapping[str, Memory]
    held: dict[tuple[str, str], Array] = field(default_factory=dict)
    """What stays in a node between jobs, by node and port."""

    def words(self, memory: str, addresses: Addresses, word_bytes: int) -> NDArray[np.int64]:
        """Word indices of byte addresses; JobError when one lies outside or between words."""
        node, array = self.nodes[memory], self.arrays[memory]
        size = array.size if node.off_chip else node.reach_bytes
        if addresses.size and (int(addresses.max()) + word_bytes > size):
            raise JobError(
                f"address {int(addresses.max()):#x} lies outside memory '{memory}' of {size} bytes"
            )
        if (addresses % word_bytes).any():
            raise JobError(f"an address in '{memory}' is not a multiple of {word_bytes} bytes")
        return node.places(addresses // word_bytes)

    def view(self, memory: str, word_bytes: int) -> NDArray[np.uint8]:
        """The memory as [words, word_bytes]."""
        array = self.arrays[memory]
        return array[: array.size // word_bytes * word_bytes].reshape(-1, word_bytes)


def read(
    stream: Stream, registers: Registers, memories: Memories, beats: int = 0
) -> NDArray[np.uint8]:
    """All beats as bytes [beats, lanes, words * word_bytes], zeros in masked lanes."""
    addresses = stream.addresses(registers, beats)
    dead = addresses < 0
    masked = bool(dead.any())
    if masked:
        live = np.where(dead, addresses[~dead].min() if (~dead).any() else 0, addresses)
    else:
        live = addresses
    at = memories.words(stream.memory, live, stream.word_bytes)
    content = memories.view(stream.memory, stream.word_bytes)[at]
    for far in stream.copies:
        other = memories.words(stream.memory, live + far, stream.word_bytes)
        if (memories.view(stream.memory, stream.word_bytes)[other] != content).any():
            raise JobError(f"instances of '{stream.memory}' hold different '{stream.key}'")
    if masked:
        content[dead] = 0
    return content.reshape(*addresses.shape[:2], -1)


def as_tiles(
    content: NDArray[np.uint8], dtype: DType, shape: tuple[int, ...], count: int, name: str
) -> Array:
    """Beats as `count` capability tiles [count, *shape] of elements."""
    beats, lanes, _ = content.shape
    elements = np.ascontiguousarray(content).view(dtype.numpy)
    packed = shape[-1]
    if lanes == 1 and elements.shape[2] == int(np.prod(shape)):
        result = elements.reshape(beats, *shape)
    elif elements.shape[2] >= packed:
        split = elements.reshape(beats, lanes, -1, packed).transpose(0, 2, 1, 3)
        result = split.reshape(-1, *shape)
    else:
        group = packed // elements.shape[2]
        if beats % group:
            raise JobError(f"stream '{name}' has {beats} beats, not whole tiles of {group}")
        split = elements.reshape(beats // group, group, lanes, -1).transpose(0, 2, 1, 3)
        result = split.reshape(-1, *shape)
    if result.shape[0] != count:
        raise JobError(f"stream '{name}' delivers {result.shape[0]} tiles, the job needs {count}")
    return result


def dtype_of(dtypes: tuple[DType, ...], registers: Registers, key: str) -> DType:
    """The dtype of those a port takes that the register of its sign tells."""
    signed = registers.get(f"{key}.signed")
    for dtype in dtypes:
        if signed is None or dtype.signed == bool(signed):
            return dtype
    return dtypes[0]
