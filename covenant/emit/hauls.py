"""Launches of a transfer that together move what `dma.Rows` describe, within its unit's registers.

In: rows, the control unit of a transfer, which side is near. Out: `Haul`s: register values with the
bases relative to the first row. A row longer than `run` can say becomes a loop; loops that have no
register, or one with a stride of its own, are unrolled. Of all ways the one with the fewest
launches is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from covenant.acg.control import ControlUnit
from covenant.core.diagnostics import fail
from covenant.emit.dma import Rows, Step
from covenant.emit.limits import Axis, Values, assigned, holds, loop_count

_MOST_LENGTHS = 64
"""Lengths of a row that are tried."""


@dataclass(frozen=True, slots=True)
class Haul:
    """One launch: register values but bases and bytes from the first row's bases."""

    values: Values
    far: int
    near: int


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts rows into launches of one unit. near: the side (`src` or `dst`) with word strides; word:
    bytes of a word of a row."""

    unit: ControlUnit
    near: str
    far: str
    word: int

    def cut(self, rows: Rows, more: Values = ()) -> tuple[Haul, ...]:
        """The launches, in any order of rows; `more`: values that all of them have."""
        best: tuple[Haul, ...] | None = None
        for length in self._lengths(rows):
            found = tuple(self._launches(rows, length, more))
            if found and (best is None or len(found) < len(best)):
                best = found
        if best is None:
            raise fail(
                "EMI005",
                f"unit '{self.unit.name}' cannot move rows of {rows.run} words that are "
                f"{rows.near_word_stride} bytes apart on chip, not even word by word",
                self.unit.span,
            )
        return best

    def _lengths(self, rows: Rows) -> list[int]:
        apart = self.unit.register(f"{self.near}.word_stride") is None
        most = 1 if apart and rows.near_word_stride != self.word else rows.run
        fitting = [n for n in range(most, 0, -1) if holds(self.unit, "run", n)]
        return [*fitting[: _MOST_LENGTHS - 1], 1] if fitting else []

    def _launches(self, rows: Rows, length: int, more: Values) -> Iterator[Haul]:
        full, rest = divmod(rows.run, length)
        stride = rows.near_word_stride
        along = Step(full, length * self.word, length * stride)
        steps = [along, *rows.steps] if full > 1 else list(rows.steps)
        yield from self._looped(steps, length, stride, 0, more)
        if rest:
            at = full * length
            yield from self._looped(list(rows.steps), rest, stride, at, more)

    def _looped(
        self, steps: list[Step], run: int, stride: int, skipped: int, more: Values
    ) -> Iterator[Haul]:
        """Launches of one length of row: loops that registers take, the others unrolled."""
        taken, left = self._taken(steps, run, stride)
        first = (skipped * self.word, skipped * stride)
        for part in product(*(_parts(s, most) for s, most in taken)):
            axes = [Axis(n, (s.far, s.near)) for (s, _), (_, n) in zip(taken, part, strict=True)]
            values = self._values(axes, run, stride, more)
            if values is None:
                return
            starts = [(s, at) for (s, _), (at, _) in zip(taken, part, strict=True)]
            for index in product(*(range(s.count) for s in left)):
                moved = [*starts, *zip(left, index, strict=True)]
                yield Haul(
                    values,
                    first[0] + sum(s.far * at for s, at in moved),
                    first[1] + sum(s.near * at for s, at in moved),
                )

    def _taken(
        self, steps: list[Step], run: int, stride: int
    ) -> tuple[list[tuple[Step, int]], list[Step]]:
        """(step, most iterations per launch) for every loop of the unit, longest first; others."""
        left = sorted(steps, key=lambda s: -s.count)
        taken: list[tuple[Step, int]] = []
        for _ in range(self._loops()):
            for step in left:
                most = self._most([*taken, (step, 1)], run, stride)
                if most > 1:
                    left.remove(step)
                    taken.append((step, most))
                    break
        return taken, left

    def _most(self, taken: Sequence[tuple[Step, int]], run: int, stride: int) -> int:
        """Most iterations of the last step that one launch can have, 0 when it is no loop."""
        before = [Axis(min(n, s.count), (s.far, s.near)) for s, n in taken[:-1]]
        step = taken[-1][0]
        low, high = 0, step.count
        while low < high:
            middle = (low + high + 1) // 2
            axis = Axis(middle, (step.far, step.near))
            if self._assigned([*before, axis], run, stride) is None:
                high = middle - 1
            else:
                low = middle
        return low

    def _loops(self) -> int:
        return loop_count(self.unit, "bound", self._strides())

    def _strides(self) -> tuple[str, str]:
        return (f"{self.far}.stride", f"{self.near}.stride")

    def _assigned(
        self, axes: list[Axis], run: int, stride: int
    ) -> tuple[Values, tuple[int, ...]] | None:
        spaced = self.unit.register(f"{self.near}.word_stride") is not None
        near = self.word if spaced else run * stride
        return assigned(
            self.unit, "bound", self._strides(), (run * self.word, near), axes, implied=False
        )

    def _values(self, axes: list[Axis], run: int, stride: int, more: Values) -> Values | None:
        found = self._assigned(axes, run, stride)
        if found is None:
            return None
        values = [("run", run)]
        spaced = self.unit.register(f"{self.near}.word_stride")
        if spaced is not None:  # of one word it does not matter, but a machine may check it
            apart = stride if run > 1 or not spaced.reset else spaced.reset
            values.append((f"{self.near}.word_stride", apart))
        values += [*found[0], *more]
        held = tuple((n, v) for n, v in values if self.unit.register(n) is not None)
        return held if all(holds(self.unit, n, v) for n, v in held) else None


def _parts(step: Step, most: int) -> list[tuple[int, int]]:
    """(first iteration, iterations) of the launches along a step."""
    count = step.count
    return [(at, min(most, count - at)) for at in range(0, count, most)]
