"""The walk along the hull finds the least product of any finite set of points."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from covenant.mapper.hull import Answer, Box, Point, least_product

SCALES = st.sampled_from([1, 1, 7, 10**9, 10**13])


@st.composite
def clouds(draw: st.DrawFn) -> list[Point]:
    wide, high = draw(SCALES), draw(SCALES)
    raw = draw(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=30))
    return [(x * wide, y * high) for x, y in raw]


def _inside(box: Box, point: Point) -> bool:
    x, y = point
    return (
        box.low_x <= x
        and box.low_y <= y
        and (box.high_x is None or x <= box.high_x)
        and (box.high_y is None or y <= box.high_y)
    )


def _oracle(points: list[Point], patience: int, asked: list[int]):
    """Exact answers; after `patience` questions only half the bound and no proof."""

    def answer(a: int, b: int, box: Box) -> Answer:
        assert a * (box.high_x or 0) + b * (box.high_y or 0) < 1 << 62 or not a or not b
        asked.append(1)
        within = [p for p in points if _inside(box, p)]
        best = min(within, key=lambda p: (a * p[0] + b * p[1], p), default=None)
        if len(asked) > patience:
            low = 0 if best is None else (a * best[0] + b * best[1]) // 2
            return Answer(max(within, default=None), low, False)
        return Answer(best, 0 if best is None else a * best[0] + b * best[1], True)

    return answer


@given(clouds(), st.booleans())
def test_least_product_is_that_of_the_best_point(points: list[Point], limited: bool) -> None:
    wanted = min((x * y, x) for x, y in points)
    limit = wanted[0] if limited else None
    asked: list[int] = []
    found = least_product(_relative(points, asked), limit)
    assert found.point is not None
    if found.proven:
        assert (found.point[0] * found.point[1], found.point[0]) == wanted
        assert found.bound == wanted[0]
    assert found.bound <= wanted[0]
    span = max(x for x, _ in points) * max(y for _, y in points)
    assert found.proven or span > 1 << 57


@given(clouds(), st.integers(1, 5))
def test_a_walk_cut_short_gives_a_true_bound(points: list[Point], patience: int) -> None:
    wanted = min(x * y for x, y in points)
    found = least_product(_oracle(points, patience, []), None)
    assert found.bound <= wanted
    if found.proven:
        assert found.bound == wanted


@given(clouds())
def test_nothing_within_the_limit_is_proven(points: list[Point]) -> None:
    wanted = min(x * y for x, y in points)
    found = least_product(_relative(points, []), wanted - 1)
    if found.proven:
        assert found.point is None
        assert found.bound == wanted - 1


def _relative(points: list[Point], asked: list[int]):
    """Exact answers; sums are checked to stay within 62 bits above the corner of the box."""

    def answer(a: int, b: int, box: Box) -> Answer:
        asked.append(1)
        if a and b:
            assert box.high_x is not None
            assert box.high_y is not None
            assert a * (box.high_x - box.low_x) + b * (box.high_y - box.low_y) < 1 << 62
        within = [p for p in points if _inside(box, p)]
        best = min(within, key=lambda p: (a * p[0] + b * p[1], p), default=None)
        return Answer(best, 0 if best is None else a * best[0] + b * best[1], True)

    return answer
