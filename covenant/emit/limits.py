"""What the registers of a unit can hold: how loops of a stream or transfer fit them.

In: a control unit, loops with their strides. Out: (quantity, value) pairs, or None when the unit
cannot take them in one launch. A bound without a register follows from the job, a stride without
one is dense: what the loops inside it cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covenant.acg.control import ControlUnit

Values = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """A loop as registers describe it: the quantity of its bound, and (quantity, stride in bytes)
    of every side that moves with it."""

    bound: int
    strides: tuple[int, ...]


def holds(unit: ControlUnit, quantity: str, value: int) -> bool:
    """Whether the register of a quantity can have a value; True when there is no register."""
    register = unit.register(quantity)
    if register is None:
        return True
    if register.fixed:
        return value == register.reset
    return register.maximum is None or value <= register.maximum


def loop_count(unit: ControlUnit, bound: str, strides: Sequence[str]) -> int:
    """Loops of a stream or transfer: those with a register for their bound or a stride."""
    count = 0
    while any(unit.register(f"{name}[{count}]") is not None for name in (bound, *strides)):
        count += 1
    return count


def assigned(
    unit: ControlUnit,
    bound: str,
    strides: Sequence[str],
    dense: Sequence[int],
    axes: list[Axis],
    *,
    implied: bool,
) -> tuple[Values, tuple[int, ...]] | None:
    """Register values of loops, innermost first, and which loop each of them became. `dense`: bytes
    that one iteration of all loops covers, per side, where strides have no register; implied:
    whether a bound without a register follows from the job."""
    left = list(axes)
    values: list[tuple[str, int]] = []
    places: list[int] = []
    covered = list(dense)
    for i in range(loop_count(unit, bound, strides)):
        taken = left[0] if left and _takes(unit, bound, strides, covered, i, left[0]) else None
        if unit.register(f"{bound}[{i}]") is None and taken and taken.bound > 1 and not implied:
            taken = None
        if taken is not None:
            left.pop(0)
            places.append(i)
        count = taken.bound if taken else 1
        if unit.register(f"{bound}[{i}]") is not None:
            values.append((f"{bound}[{i}]", count))
        bare = unit.register(f"{bound}[{i}]") is None
        for side, name in enumerate(strides):
            if unit.register(f"{name}[{i}]") is not None and (taken is not None or bare):
                values.append((f"{name}[{i}]", taken.strides[side] if taken else 0))
            covered[side] = count * (taken.strides[side] if taken else covered[side])
    return None if left else (tuple(values), tuple(places))


def _takes(
    unit: ControlUnit, bound: str, strides: Sequence[str], dense: list[int], i: int, axis: Axis
) -> bool:
    """Whether loop `i` of a unit can be this one."""
    if not holds(unit, f"{bound}[{i}]", axis.bound):
        return False
    for name, stride, implied in zip(strides, axis.strides, dense, strict=True):
        if unit.register(f"{name}[{i}]") is None and stride != implied and axis.bound > 1:
            return False
        if axis.bound > 1 and not holds(unit, f"{name}[{i}]", stride):
            return False
    return True
