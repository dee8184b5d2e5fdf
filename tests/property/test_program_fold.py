"""Property: a folded sequence expands to itself, never deeper than allowed, never longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from covenant.emit.fold import Limits, fold
from covenant.emit.program import Operation, Write, count_words, depth, expand


@given(st.lists(st.integers(1, 4), min_size=0, max_size=4), st.integers(0, 4), st.data())
def test_expand_inverts_fold(trips: list[int], loop_depth: int, data: st.DataObject) -> None:
    total = 1
    for count in trips:
        total *= count
    block = st.lists(st.integers(0, 2), min_size=1, max_size=3)
    pool = data.draw(st.lists(block, min_size=1, max_size=3))
    picks = data.draw(st.lists(st.sampled_from(range(len(pool))), min_size=total, max_size=total))
    blocks: list[list[Operation]] = [[Write("u", "q", v) for v in pool[i]] for i in picks]
    folded = fold(blocks, trips, Limits(loop_depth))
    flat = [operation for b in blocks for operation in b]
    assert list(expand(folded)) == flat
    assert depth(folded) <= loop_depth
    assert count_words(folded) <= len(flat)
