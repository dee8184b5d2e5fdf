"""Execution order of a flat program, as a command processor walks it.

In: one operation per word and the lengths of loops. Out: (word, operation) in execution order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from covenant.emit.program import Loop, Operation


def execution(
    flat: Sequence[Operation],
    lengths: Sequence[int],
    enters: Callable[[int, int], bool] | None = None,
) -> Iterator[tuple[int, Operation]]:
    """Loop words appear once per entry. `enters(start, end)` may skip a loop over these words."""
    stack: list[list[int]] = []
    at = 0
    while at < len(flat):
        operation = flat[at]
        yield at, operation
        at += 1
        if isinstance(operation, Loop):
            end = at + lengths[at - 1]
            if enters is None or enters(at, end):
                stack.append([at, end, operation.count])
            else:
                at = end
        while stack and at == stack[-1][1]:
            stack[-1][2] -= 1
            if stack[-1][2] > 0:
                at = stack[-1][0]
                break
            stack.pop()
