"""Property: decode inverts encode for any program under any field layout."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from covenant.acg.control import Control, ControlUnit, Field, Mnemonic, Register
from covenant.core.diagnostics import Span
from covenant.emit.encode import decode, decode_flat, encode, from_bytes, loop_lengths, to_bytes
from covenant.emit.program import (
    Add,
    Halt,
    Launch,
    Loop,
    Operation,
    Post,
    ReverseSubtract,
    Write,
    depth,
    expand,
)
from covenant.emit.walk import execution

SPAN = Span("test")
EFFECTS = {
    "write": ("unit", "register", "value"),
    "add": ("unit", "register", "value"),
    "reverse_subtract": ("unit", "register", "value"),
    "launch": ("unit", "wait", "post"),
    "post": ("post",),
    "loop": ("length", "count"),
    "halt": (),
}
WIDTHS = {"unit": 3, "register": 5, "value": 20, "wait": 6, "post": 6, "length": 12, "count": 10}


@st.composite
def controls(draw: st.DrawFn) -> Control:
    """A control node whose fields lie in random order with random gaps."""
    opcodes = draw(st.permutations(range(16)))
    mnemonics = []
    for effect, opcode in zip(draw(st.permutations(list(EFFECTS))), opcodes, strict=False):
        low = 4
        fields = [Field("opcode", 3, 0, opcode)]
        for name in draw(st.permutations(EFFECTS[effect])):
            low += draw(st.integers(0, 3))
            fields.append(Field(name, low + WIDTHS[name] - 1, low))
            low += WIDTHS[name]
        mnemonics.append(Mnemonic(effect, effect, tuple(fields), SPAN))
    ids = draw(st.permutations(range(8)))
    units = []
    for i in range(draw(st.integers(1, 4))):
        indices = draw(st.permutations(range(32)))[:3]
        registers = tuple(Register(n, f"q{j}") for j, n in enumerate(indices))
        units.append(ControlUnit(f"u{i}", ids[i], (), 0, registers, {}, {}, SPAN))
    names = tuple(f"s{i}" for i in range(draw(st.integers(1, 6))))
    return Control(48, 1 << 12, 4, 4, 1, names, tuple(mnemonics), tuple(units), SPAN)


def programs(control: Control) -> st.SearchStrategy[tuple[Operation, ...]]:
    """Any operations the control node can express, with loops nested at most four deep."""
    units = st.sampled_from([u.name for u in control.units])
    values = st.integers(-(1 << 19), (1 << 19) - 1)
    changes = st.tuples(units, st.sampled_from(["q0", "q1", "q2"]), values)
    masks = st.sets(st.integers(0, len(control.semaphores) - 1)).map(
        lambda bits: tuple(n for i, n in enumerate(control.semaphores) if i in bits)
    )
    single: st.SearchStrategy[Operation] = st.one_of(
        changes.map(lambda c: Write(*c)),
        changes.map(lambda c: Add(*c)),
        changes.map(lambda c: ReverseSubtract(*c)),
        st.builds(Launch, units, masks, masks),
        st.builds(Post, masks),
        st.just(Halt()),
    )
    nested = st.recursive(
        single,
        lambda inner: st.builds(
            Loop, st.integers(1, 3), st.lists(inner, min_size=1, max_size=4).map(tuple)
        ),
        max_leaves=12,
    )
    return st.lists(nested, max_size=8).map(tuple).filter(lambda o: depth(o) <= 4)


@given(st.data())
def test_decode_inverts_encode(data: st.DataObject) -> None:
    control = data.draw(controls())
    program = data.draw(programs(control))
    words = encode(program, control)
    assert all(0 <= word < 1 << control.word_bits for word in words)
    assert decode(words, control) == program
    assert from_bytes(to_bytes(words, control), control) == words


@given(st.data())
def test_walking_words_equals_expanding_loops(data: st.DataObject) -> None:
    control = data.draw(controls())
    program = data.draw(programs(control))
    words = encode(program, control)
    walked = execution(decode_flat(words, control), loop_lengths(words, control))
    assert [o for _, o in walked if not isinstance(o, Loop)] == list(expand(program))
