"""Fills of words that hold what they would write are left out; all others stay."""

from __future__ import annotations

from covenant.acg.reader import read_architecture
from covenant.emit.program import Address, Invocation
from covenant.emit.refills import without_refills

ACG = read_architecture("eyeriss")


def _move(base: int, *, fill: int = 0, value: int = 0, run: int = 4) -> Invocation:
    """Words of two bytes into the inputs' scratchpads."""
    quantities = (("run", run), ("dst.word_stride", 2), ("fill", fill), ("value", value))
    return Invocation("noc_x", quantities, (Address("dst.base", base, "a"),))


def _kept(*invocations: Invocation) -> list[int]:
    (kept,) = without_refills([list(invocations)], ACG)
    return [next(i for i, other in enumerate(invocations) if other is each) for each in kept]


def test_a_fill_is_left_out_until_something_else_is_written_there() -> None:
    fill, again, inside = _move(24, fill=1), _move(24, fill=1), _move(26, fill=1, run=2)
    beside, across = _move(0, run=4), _move(30, run=1)
    assert _kept(fill, again, inside) == [0]
    assert _kept(fill, beside, again) == [0, 1]
    assert _kept(fill, across, again, inside) == [0, 1, 2]


def test_another_value_or_more_words_are_filled() -> None:
    fill = _move(24, fill=1)
    assert _kept(fill, _move(24, fill=1, value=3), _move(24, fill=1)) == [0, 1, 2]
    assert _kept(fill, _move(24, fill=1, run=5)) == [0, 1]


def test_units_that_write_elsewhere_change_nothing() -> None:
    load = Invocation("load_x", (("run", 4),), (Address("dst.base", 24, "x"),))
    array = Invocation("pes", (), ())
    assert _kept(_move(24, fill=1), load, array, _move(24, fill=1)) == [0, 1, 2]
