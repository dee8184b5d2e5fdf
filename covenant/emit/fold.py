"""Folding of an unrolled operation sequence into hardware loops.

In: one block of operations per iteration of a loop nest, and the trips of the nest. Out: a short
sequence with loops that expands to exactly the same operations. Cost is linear in the operations:
blocks are interned, equal neighbours (also in short periods) become a loop, level by level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covenant.emit.program import Loop, Operation

_LONGEST_PERIOD = 4
"""Blocks that may alternate and still fold; ping-pong of unequal buffers has period two."""

Items = tuple[int, ...]


def fold(
    blocks: Sequence[Sequence[Operation]], trips: Sequence[int], limits: Limits
) -> tuple[Operation, ...]:
    """Fold `prod(trips)` blocks (outermost trips first) with loops nested as deep as they can."""
    folder = Folder(limits)
    level = [folder.intern(block) for block in blocks]
    for count in reversed(tuple(trips)):
        level = [folder.join(level[i : i + count]) for i in range(0, len(level), count)]
    whole = folder.join(level)
    return folder.operations(whole, limits.depth)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of hardware loops: how deep they nest, most iterations of one, most words of its body; 0:
    any number."""

    depth: int
    count: int = 0
    length: int = 0

    def allow(self, count: int, words: int) -> bool:
        """Whether a body of so many words can be repeated."""
        return (not self.count or count <= self.count) and (not self.length or words <= self.length)


class Folder:
    """Interned operations (ids >= 0) and loops (ids < 0) of one program."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.known: dict[Operation, int] = {}
        self.same: dict[int, int] = {}
        self.alive: list[Operation] = []
        self.single: list[Operation] = []
        self.loops: list[tuple[int, Items]] = []
        self.loop_ids: dict[tuple[int, Items], int] = {}
        self.blocks: dict[Items, Items] = {}
        self.costs: dict[tuple[int, int], int] = {}

    def intern(self, block: Sequence[Operation]) -> Items:
        known, same = self.known, self.same
        items: list[int] = []
        for operation in block:
            again = same.get(id(operation))
            if again is not None:
                items.append(again)
                continue
            found = known.get(operation)
            if found is None:
                found = known[operation] = len(self.single)
                self.single.append(operation)
            same[id(operation)] = found
            self.alive.append(operation)
            items.append(found)
        return self.shared(tuple(items))

    def shared(self, items: Items) -> Items:
        """The same object for equal blocks, so that comparing them is comparing identity."""
        return self.blocks.setdefault(items, items)

    def join(self, children: list[Items]) -> Items:
        """One block of consecutive blocks, repeats turned into loops."""
        if len(children) == 1:
            return children[0]
        result: list[int] = []
        at = 0
        while at < len(children):
            period, repeats = self.repeat(children, at)
            if repeats > 1:
                body = [item for child in children[at : at + period] for item in child]
                result += self.repeated(repeats, tuple(body))
            else:
                result += children[at]
            at += period * repeats
        return self.shared(tuple(result))

    def repeat(self, children: list[Items], at: int) -> tuple[int, int]:
        """(period, repeats) of the repetition starting here that saves most; (1, 1) for none."""
        best, most = (1, 1), 1
        for period in range(1, _LONGEST_PERIOD + 1):
            limit = at + period
            while limit < len(children) and children[limit] is children[limit - period]:
                limit += 1
            repeats = (limit - at) // period
            if repeats < 2:
                continue
            saved = (repeats - 1) * sum(map(len, children[at : at + period]))
            if saved > most:
                best, most = (period, repeats), saved
        return best

    def repeated(self, count: int, body: Items) -> list[int]:
        """Loops over a body, as many as its number of iterations needs."""
        most = self.limits.count or count
        whole = [self.loop(most, body)] * (count // most)
        rest = count % most
        return whole + ([self.loop(rest, body)] if rest > 1 else list(body) * rest)

    def loop(self, count: int, body: Items) -> int:
        if len(body) == 1 and body[0] < 0:
            inner_count, inner_body = self.loops[-body[0] - 1]
            if not self.limits.count or count * inner_count <= self.limits.count:
                return self.loop(count * inner_count, inner_body)
        key = (count, body)
        found = self.loop_ids.get(key)
        if found is None:
            self.loops.append(key)
            found = self.loop_ids[key] = -len(self.loops)
        return found

    def cost(self, items: Items, depth: int) -> int:
        """Words of a block when loops may nest `depth` deep."""
        return sum(1 if item >= 0 else self.loop_cost(item, depth) for item in items)

    def loop_cost(self, item: int, depth: int) -> int:
        key = (item, depth)
        if key not in self.costs:
            count, body = self.loops[-item - 1]
            unrolled = count * self.cost(body, depth)
            inside = self.cost(body, depth - 1) if depth else unrolled
            able = depth and self.limits.allow(count, inside)
            self.costs[key] = min(1 + inside, unrolled) if able else unrolled
        return self.costs[key]

    def worthwhile(self, count: int, body: Items, depth: int) -> bool:
        """Whether a loop is possible and not longer than its iterations."""
        inside = self.cost(body, depth - 1)
        return self.limits.allow(count, inside) and 1 + inside <= count * self.cost(body, depth)

    def operations(self, items: Items, depth: int) -> tuple[Operation, ...]:
        result: list[Operation] = []
        for item in items:
            if item >= 0:
                result.append(self.single[item])
                continue
            count, body = self.loops[-item - 1]
            if depth and self.worthwhile(count, body, depth):
                result.append(Loop(count, self.operations(body, depth - 1)))
            else:
                result += self.operations(body, depth) * count
        return tuple(result)
