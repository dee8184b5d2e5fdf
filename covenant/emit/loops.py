"""Hardware loops of programs in program order: which there are, and how far they are unrolled.

In: one block of operations per iteration of a loop nest, and which loop of the nest advanced before
it. Out: operations with loops that expand to the same. Where packets are filled, short bodies are
repeated until they are long: nothing moves across the end of an iteration.
"""

from __future__ import annotations

from collections.abc import Sequence

from covenant.acg.control import Control
from covenant.emit.fold import Folder, Items, Limits
from covenant.emit.program import Loop, Operation, count_words

_LONG = 256
"""Words of a body that is long: what a packet at its end leaves empty is little of it."""


def limits_of(control: Control) -> Limits:
    """What hardware loops can do: none without an instruction for them."""
    form = control.mnemonic("loop")
    if form is None:
        return Limits(0)
    count, length = form.bit_field("count"), form.bit_field("length")
    return Limits(
        control.loop_depth,
        (1 << count.width_bits) - 1 if count else 0,
        (1 << length.width_bits) - 1 if length else 0,
    )


def folded(
    blocks: Sequence[Sequence[Operation]],
    advanced: Sequence[int],
    depth: int,
    control: Control,
) -> tuple[Operation, ...]:
    """Blocks with loops; `advanced`: before every block the outermost of `depth` loops of the nest
    that advanced, -1 for none."""
    folder, limits = Folder(limits_of(control)), limits_of(control)
    level: list[tuple[int, Items]] = [
        (before, folder.intern(block)) for before, block in zip(advanced, blocks, strict=True)
    ]
    for number in reversed(range(depth)):
        groups: list[tuple[int, list[Items]]] = []
        for before, items in level:
            if before >= number and groups:
                groups[-1][1].append(items)
            else:
                groups.append((before, [items]))
        level = [(before, folder.join(children)) for before, children in groups]
    whole = folder.join([items for _, items in level])
    operations = folder.operations(whole, limits.depth)
    return _unrolled(operations, limits) if control.packet is not None else operations


def _unrolled(operations: Sequence[Operation], limits: Limits) -> tuple[Operation, ...]:
    """The operations with short loops unrolled, altogether or in part."""
    result: list[Operation] = []
    for operation in operations:
        if not isinstance(operation, Loop):
            result.append(operation)
            continue
        body = _unrolled(operation.body, limits)
        if not limits.allow(operation.count, count_words(body)):
            body = operation.body  # what is repeated inside it would not leave it short enough
        size, straight = count_words(body), not any(isinstance(o, Loop) for o in body)
        repeats = min(_LONG, limits.length) // size if straight else 1
        if straight and operation.count * size <= _LONG:
            result += body * operation.count
        elif repeats > 1:
            whole = operation.count // repeats
            result += [Loop(whole, body * repeats)] if whole > 1 else body * repeats
            result += body * (operation.count % repeats)
        else:
            result.append(Loop(operation.count, body))
    return tuple(result)
