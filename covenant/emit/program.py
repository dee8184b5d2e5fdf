"""The typed program: what the command processor of an architecture executes.

In: built by `emit.lower` (or decoded from words by `emit.encode`). Out: read by the encoder, the
listing, the static checker and the interpreter. Registers are named by the semantic quantity they
hold, semaphores and units by their names in the architecture; nothing here knows any bit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Address:
    """A byte address written to a register.

    buffer: what lies there (a placement's copies, a tensor in DRAM); slot: which copy. Addresses of
    one buffer advance by `add`, and change slot by `reverse_subtract`, so that loops can repeat.
    """

    quantity: str
    value: int
    buffer: str
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Invocation:
    """One launch of a unit with everything its registers must hold.

    quantities: (quantity, value) pairs in register order, complete but for registers that this
    launch does not read. Equal tuples are shared, so identity is a quick test of equality.
    origin: which port and tile it serves, for people.
    """

    unit: str
    quantities: tuple[tuple[str, int], ...]
    addresses: tuple[Address, ...] = ()
    waits: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """Register = value."""

    unit: str
    register: str
    value: int


@dataclass(frozen=True, slots=True)
class WriteHigh:
    """Register = value above its `low_bits` lowest bits, which stay."""

    unit: str
    register: str
    value: int
    low_bits: int

    def over(self, old: int) -> int:
        """The register after, from what it was."""
        return self.value << self.low_bits | old & (1 << self.low_bits) - 1


@dataclass(frozen=True, slots=True)
class Add:
    """Register = register + value."""

    unit: str
    register: str
    value: int


@dataclass(frozen=True, slots=True)
class ReverseSubtract:
    """Register = value - register: switches between two addresses whose sum is `value`."""

    unit: str
    register: str
    value: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Queue a job with the registers of the unit as they are now."""

    unit: str
    waits: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One word of a unit with instructions of its own: registers it writes, with natural values in
    the order of its mnemonic, those to which it `adds`, then the launch. unit: ""
    for one that writes nothing and is issued once at the start."""

    mnemonic: str
    unit: str = ""
    values: tuple[tuple[str, int], ...] = ()
    launches: bool = False
    waits: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()
    origin: str = field(default="", compare=False)
    adds: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """One more credit for each semaphore, from the command processor itself."""

    semaphores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """Execute the body `count` times, count >= 1."""

    count: int
    body: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Packet:
    """Operations of one word each, in program order, that execute at once: all of them read what
    was there before any of them writes."""

    members: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """Wait until every unit is idle, then stop."""


Operation: TypeAlias = (
    Write | WriteHigh | Add | ReverseSubtract | Launch | Instruction | Post | Loop | Packet | Halt
)


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program; the last operation is `Halt`."""

    architecture: str
    codelet: str
    operations: tuple[Operation, ...]

    @property
    def words(self) -> int:
        """Instruction words: one per operation, a loop costs one more than its body."""
        return count_words(self.operations)


def steps(operation: Operation) -> tuple[Operation, ...]:
    """What an operation does: an instruction of a unit as register writes and a launch."""
    if not isinstance(operation, Instruction):
        return (operation,)
    writes: tuple[Operation, ...] = tuple(
        Write(operation.unit, name, value) for name, value in operation.values
    )
    writes += tuple(Add(operation.unit, name, value) for name, value in operation.adds)
    if not operation.launches:
        return writes
    return (*writes, Launch(operation.unit, operation.waits, operation.posts, operation.origin))


def launches(operation: Operation) -> bool:
    """Whether an operation starts a unit."""
    if isinstance(operation, Instruction):
        return operation.launches
    return isinstance(operation, Launch)


def started_unit(operation: Operation) -> str:
    """The unit that an operation of one word starts, "" for none."""
    if isinstance(operation, Instruction | Launch):
        return operation.unit if launches(operation) else ""
    return ""


def count_words(operations: tuple[Operation, ...]) -> int:
    """Instruction words of a sequence of operations."""
    return sum(map(_words, operations))


def _words(operation: Operation) -> int:
    match operation:
        case Loop():
            return 1 + count_words(operation.body)
        case Packet():
            return len(operation.members)
        case _:
            return 1


def expand(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """The operations in the order they execute, without loops."""
    for operation in operations:
        if isinstance(operation, Loop):
            for _ in range(operation.count):
                yield from expand(operation.body)
        else:
            yield operation


class Origins:
    """Origins of launches by their number, from blocks of invocations; with the name of the tile
    of each block, where origins leave that out."""

    def __init__(self, blocks: Sequence[Sequence[Invocation]], tiles: Sequence[str] = ()) -> None:
        self._blocks = blocks
        self._tiles = tiles
        self._starts = list(accumulate(map(len, blocks), initial=0))

    def __getitem__(self, number: int) -> str:
        block = bisect_right(self._starts, number) - 1
        own = self._blocks[block][number - self._starts[block]].origin
        tile = self._tiles[block] if self._tiles else ""
        return f"{own} of tile {tile}" if tile else own


def annotated(
    operations: tuple[Operation, ...], origins: Origins | Sequence[str]
) -> tuple[Operation, ...]:
    """The operations with an origin on every launch: that of its first execution. `origins` has
    one entry per executed launch."""
    return _annotated(operations, origins, 0)[0]


def _annotated(
    operations: tuple[Operation, ...], origins: Origins | Sequence[str], at: int
) -> tuple[tuple[Operation, ...], int]:
    result: list[Operation] = []
    for operation in operations:
        match operation:
            case Launch() | Instruction() if launches(operation):
                same = operation.origin == origins[at]
                result.append(operation if same else replace(operation, origin=origins[at]))
                at += 1
            case Loop(count, body):
                named, end = _annotated(body, origins, at)
                result.append(Loop(count, named))
                at += count * (end - at)
            case _:
                result.append(operation)
    return tuple(result), at


def depth(operations: tuple[Operation, ...]) -> int:
    """How deeply loops nest; 0 without a loop."""
    return max((1 + depth(o.body) for o in operations if isinstance(o, Loop)), default=0)
