"""Instruction words as a short tape: operands with relocations, repetition as counted loops.

In: the words of a program, an architecture with a `host` section, the off-chip regions. Out: a
`Tape` of 64-bit values that expands to exactly these words. Operands of one instruction may advance
by a constant per iteration of every loop around it (modulo 2**64), so that unrolled nests fold.

Layout of a tape, one entry after the other: an instruction is `head, operands…`, then for every
loop around it, outermost first, what each operand advances by; its head is `case << 8`, and from
bit 24 on, 8 bits per operand: 1 + region whose address is added, 0 for none. A loop is
`count << 8 | 1`, the length of its body, and the body. A wait for all work is `2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covenant.acg.control import Control, Field, Host, Mnemonic
from covenant.acg.graph import Acg
from covenant.acg.verify.instructions import base_memories
from covenant.core.diagnostics import fail
from covenant.emit.encode import mnemonics_of

_MASK = (1 << 64) - 1
_HALT = 2
_LONGEST_PERIODS = (48, 1200)
"""Entries that may repeat as a group: first what a tile repeats, then tiles, of which few entries
are left by then; deeper nests fold level by level."""

Values = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes of the off-chip memory that become an array of their own."""

    address: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Tape:
    """instructions: how many the entries expand to."""

    entries: Values
    instructions: int


@dataclass(frozen=True, slots=True)
class _Leaf:
    """head: as on the tape; operands: values that follow it."""

    head: int
    operands: int


@dataclass(frozen=True, slots=True)
class _Loop:
    """advance: per operand of the body, flattened."""

    count: int
    body: tuple[_Leaf | _Loop, ...]
    advance: Values


_Shape = _Leaf | _Loop


@dataclass(frozen=True, slots=True)
class _Token:
    shape: int
    values: Values


def build_tape(
    words: Sequence[int], acg: Acg, regions: Sequence[Region], cases: dict[Values, int]
) -> Tape:
    """The tape of a program; CovenantError when a word addresses no region. cases: numbers of the
    constant operands known so far, to which new ones are added."""
    control = acg.control
    assert control is not None
    assert control.host is not None
    reader = _Reader(acg, control, control.host, tuple(regions), cases)
    folder = _Folder()
    tokens = [folder.leaf(*reader.leaf(*pair)) for pair in mnemonics_of(words, control)]
    folded = folder.fold(tokens)
    entries: list[int] = []
    for token in folded:
        _append(entries, folder.shapes[token.shape], token.values, [])
    return Tape(tuple(entries), len(words))


class _Reader:
    """Operands of single words."""

    def __init__(
        self,
        acg: Acg,
        control: Control,
        host: Host,
        regions: tuple[Region, ...],
        cases: dict[Values, int],
    ) -> None:
        self.constants = [_place(o) for o in host.operands if o.name in host.constants]
        self.operands = [_place(o) for o in host.operands if o.name not in host.constants]
        self.regions = regions
        self.span = host.span
        self.cases = cases
        self.far: dict[str, list[tuple[int, int, int]]] = {}
        """By mnemonic: operands that start with a field of an off-chip address, and its place."""
        for mnemonic in control.mnemonics:
            fields = [_place(field) for field in _far(acg, control, mnemonic)]
            self.far[mnemonic.name] = [
                (index, *place)
                for index, (low, _) in enumerate(self.operands)
                for place in fields
                if place[0] == low
            ]

    def leaf(self, mnemonic: Mnemonic, word: int) -> tuple[int, Values]:
        """The head of a word's entry and the values of its operands."""
        if mnemonic.effect == "halt":
            return _HALT, ()
        constants = tuple([word >> low & mask for low, mask in self.constants])
        head = self.cases.setdefault(constants, len(self.cases)) << 8
        values = [word >> low & mask for low, mask in self.operands]
        for index, low, mask in self.far[mnemonic.name]:
            region = self.region(word >> low & mask)
            head |= (1 + region) << (24 + 8 * index)
            values[index] = values[index] - self.regions[region].address & _MASK
        return head, tuple(values)

    def region(self, address: int) -> int:
        for index, region in enumerate(self.regions):
            if region.address <= address < region.address + region.bytes:
                return index
        raise fail("EMI011", f"an instruction addresses byte {address:#x}, no tensor", self.span)


def _far(acg: Acg, control: Control, mnemonic: Mnemonic) -> tuple[Field, ...]:
    """Fields of a mnemonic that hold off-chip addresses."""
    if not mnemonic.unit:
        return ()
    homes = dict(base_memories(acg, control.unit(mnemonic.unit)))
    return tuple(
        field
        for field in mnemonic.fields
        if field.constant is None and field.name in homes and homes[field.name].off_chip
    )


def _place(field: Field) -> tuple[int, int]:
    """How far to shift a word, and what to leave of it."""
    return field.low, (1 << field.width_bits) - 1


class _Folder:
    """Interned shapes, and the search for groups that repeat."""

    def __init__(self) -> None:
        self.shapes: list[_Shape] = []
        self.ids: dict[_Shape, int] = {}
        self.heads: dict[int, int] = {}

    def intern(self, shape: _Shape) -> int:
        found = self.ids.setdefault(shape, len(self.shapes))
        if found == len(self.shapes):
            self.shapes.append(shape)
        return found

    def leaf(self, head: int, values: Values) -> _Token:
        shape = self.heads.get(head)
        if shape is None:
            shape = self.heads[head] = self.intern(_Leaf(head, len(values)))
        return _Token(shape, values)

    def fold(self, tokens: list[_Token]) -> list[_Token]:
        """Fold repetition until nothing repeats."""
        for longest in _LONGEST_PERIODS:
            while len(folded := self.once(tokens, longest)) < len(tokens):
                tokens = folded
        return tokens

    def once(self, tokens: list[_Token], longest: int) -> list[_Token]:
        """Every repetition of at most so many entries as one."""
        kinds = [token.shape for token in tokens]
        result: list[_Token] = []
        at = 0
        while at < len(tokens):
            period, repeats, advance = _repeat(tokens, kinds, at, longest)
            if repeats < 2:
                result.append(tokens[at])
                at += 1
                continue
            body = tuple(self.shapes[kind] for kind in kinds[at : at + period])
            shape = self.intern(_Loop(repeats, body, advance))
            result.append(_Token(shape, _values(tokens, at, period)))
            at += period * repeats
        return result


def _values(tokens: Sequence[_Token], at: int, count: int) -> Values:
    return tuple(value for token in tokens[at : at + count] for value in token.values)


def _repeat(
    tokens: Sequence[_Token], kinds: Sequence[int], at: int, longest: int
) -> tuple[int, int, Values]:
    """(period, repeats, advance) of the repetition from `at` on that saves most; repeats 1 for
    none."""
    best: tuple[int, int, Values] = (1, 1, ())
    most = 0
    for period in range(1, min(longest, (len(tokens) - at) // 2) + 1):
        second = at + period
        if kinds[second] != kinds[at] or kinds[at:second] != kinds[second : second + period]:
            continue
        last = _values(tokens, second, period)
        first = _values(tokens, at, period)
        advance = _difference(last, first)
        repeats = 2
        while True:
            start = at + repeats * period
            if kinds[start : start + period] != kinds[at:second]:
                break
            here = _values(tokens, start, period)
            if _difference(here, last) != advance:
                break
            last = here
            repeats += 1
        size = len(first) + period
        saved = (repeats - 1) * size - len(first) - 2
        if saved > most:
            best, most = (period, repeats, advance), saved
    return best


def _difference(one: Values, other: Values) -> Values:
    return tuple((a - b) & _MASK for a, b in zip(one, other, strict=True))


def _append(entries: list[int], shape: _Shape, values: Values, around: list[Values]) -> None:
    """Entries of one shape; around: what its operands advance by in the loops around it."""
    if isinstance(shape, _Leaf):
        entries.append(shape.head)
        entries.extend(values)
        for advance in around:
            entries.extend(advance)
        return
    body: list[int] = []
    at = 0
    levels = [*around, shape.advance]
    for child in shape.body:
        size = _size(child)
        part = slice(at, at + size)
        _append(body, child, values[part], [level[part] for level in levels])
        at += size
    entries += [shape.count << 8 | 1, len(body), *body]


def _size(shape: _Shape) -> int:
    """Operands of a shape."""
    return shape.operands if isinstance(shape, _Leaf) else len(shape.advance)
