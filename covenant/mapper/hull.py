"""The least product of two positive measures, by linear minimisation alone, exactly.

In: an oracle that minimises a*x + b*y over the points within a box. Out: the point whose x*y is
least, with a bound. A product of positive numbers is least at a corner of the convex hull of all
points; the walk finds the corners that matter and leaves out every edge below which no product can
be as small. Integers and fractions only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd

Point = tuple[int, int]

_WEIGHTS = 1 << 59
"""Weighted sums over a box stay below twice this: solvers count in 64 bits."""


@dataclass(frozen=True, slots=True)
class Box:
    """Inclusive ranges of x and y; an end of None is open."""

    low_x: int = 0
    high_x: int | None = None
    low_y: int = 0
    high_y: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A point of least a*x + b*y (None when nothing was found), a bound on that sum, and whether
    the point attains it, or there is none."""

    point: Point | None
    bound: int
    proven: bool


Oracle = Callable[[int, int, Box], Answer]


@dataclass(frozen=True, slots=True)
class Product:
    """The best point (None: nothing within the limit), a bound on x*y, and whether that is
    final."""

    point: Point | None
    bound: int
    proven: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """All points lie on or above a*x + b*y = c."""

    a: int
    b: int
    c: int

    def at(self, point: Point) -> int:
        return self.a * point[0] + self.b * point[1]


@dataclass(frozen=True, slots=True)
class _Edge:
    """Two points and the lines that bound everything between them from below."""

    left: Point
    right: Point
    lines: tuple[_Line, _Line]


def least_product(oracle: Oracle, limit: int | None) -> Product:
    """The point of least x*y that is at most `limit`; of equal products one of least x."""
    walk = _Walk(oracle, limit)
    return walk.run()


class _Walk:
    def __init__(self, oracle: Oracle, limit: int | None) -> None:
        self.oracle = oracle
        self.limit = limit
        self.points: set[Point] = set()
        self.open: list[int] = []

    def run(self) -> Product:
        corners = self._corners()
        if corners is None:
            return self._result()
        edges = [corners]
        while edges:
            edge = edges.pop()
            if edge.left[0] < edge.right[0] and not self._hopeless(_meet(*edge.lines)):
                edges += self._below(edge)
        return self._result()

    def _result(self) -> Product:
        within = [p for p in self.points if self.limit is None or p[0] * p[1] <= self.limit]
        best = min(within, key=lambda p: (p[0] * p[1], p[0]), default=None)
        reached = best[0] * best[1] if best is not None else self.limit
        if not self.open:
            return Product(best, reached or 0, True)
        bound = min([*self.open, *([reached] if reached is not None else [])])
        return Product(best, bound, best is not None and bound == reached)

    def _best(self) -> int | None:
        found = [x * y for x, y in self.points]
        return min([*found, *([self.limit] if self.limit is not None else [])], default=None)

    def _ask(self, a: int, b: int, box: Box) -> Answer:
        answer = self.oracle(a, b, box)
        if answer.point is not None:
            self.points.add(answer.point)
        return answer

    def _corners(self) -> _Edge | None:
        """The points of least x and of least y; None when the search ends there."""
        frugal = self._ask(0, 1, Box())
        least_y = frugal.bound
        if frugal.proven and frugal.point is None:
            return None
        best = self._best()
        widest = best // least_y if best is not None and least_y else None
        fast = self._ask(1, 0, Box(high_x=widest))
        least_x = fast.bound
        if fast.proven and fast.point is None:
            return None
        if fast.point is None or frugal.point is None or not (fast.proven and frugal.proven):
            self.open.append(least_x * least_y)
            return None
        if self._hopeless((Fraction(least_x), Fraction(least_y))):
            return None
        left = self._ask(0, 1, Box(high_x=least_x))
        right = self._ask(1, 0, Box(high_y=least_y))
        return _Edge(
            left.point or fast.point,
            right.point or frugal.point,
            (_Line(1, 0, least_x), _Line(0, 1, least_y)),
        )

    def _hopeless(self, vertex: tuple[Fraction, Fraction]) -> bool:
        best = self._best()
        return best is not None and ceil(vertex[0] * vertex[1]) > best

    def _below(self, edge: _Edge) -> list[_Edge]:
        """The edges that a corner below an edge makes; none when the edge is one of the hull."""
        (left_x, left_y), (right_x, right_y) = edge.left, edge.right
        a, b, exact = _weights(left_y - right_y, right_x - left_x)
        if not a:
            return []
        answer = self._ask(a, b, Box(left_x, right_x, right_y, left_y))
        line = _Line(a, b, answer.bound)
        ends = min(line.at(edge.left), line.at(edge.right))
        if answer.proven and answer.point is not None and answer.bound < ends:
            return [
                _Edge(edge.left, answer.point, (edge.lines[0], line)),
                _Edge(answer.point, edge.right, (line, edge.lines[1])),
            ]
        if not (answer.proven and exact):
            vertices = [_meet(edge.lines[0], line), _meet(line, edge.lines[1])]
            self.open += [ceil(x * y) for x, y in vertices]
        return []


def _weights(a: int, b: int) -> tuple[int, int, bool]:
    """Weights in the ratio of a to b whose sums over a box of b by a stay in range; whether the
    ratio is exact."""
    if a <= 0 or b <= 0:
        return 0, 0, True
    divisor = gcd(a, b)
    small_a, small_b = a // divisor, b // divisor
    shift = max(0, (small_a * b + small_b * a).bit_length() - _WEIGHTS.bit_length())
    if not shift:
        return small_a, small_b, True
    return max(1, small_a >> shift), max(1, small_b >> shift), False


def _meet(left: _Line, right: _Line) -> tuple[Fraction, Fraction]:
    """Where two lines cross."""
    determinant = left.a * right.b - right.a * left.b
    assert determinant, "lines of a hull are not parallel"
    x = Fraction(left.c * right.b - right.c * left.b, determinant)
    y = Fraction(left.a * right.c - right.a * left.c, determinant)
    return x, y
