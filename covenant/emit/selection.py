"""Selection of the instructions of one launch, for units with instructions of their own.

In: the forms of a unit, the registers a launch needs (complete), what the registers are known to
hold. Out: mnemonics in order: those that bring registers up to date, those that always stand before
the launching one, the launching one. The launching form is the one whose `sets` agree with what is
needed; what it does not write is written before by the smallest set of other forms, in the order of
the YAML among equals. So configuration that is in place already vanishes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from covenant.acg.control import Control, ControlUnit, Mnemonic
from covenant.core.diagnostics import fail
from covenant.emit.instructions import adds_bits


def select(
    control: Control, unit: ControlUnit, wanted: Mapping[str, int], held: Mapping[str, int]
) -> tuple[Mnemonic, ...]:
    """Instructions of one launch. wanted: register -> value for every register that matters; held:
    registers whose contents are known."""
    forms = control.forms(unit.name)
    final = _launching(control, unit, wanted, held)
    before = tuple(control.named(name) for name in final.after)
    written = {name for form in (*before, final) for name in form.quantities}
    stale = {
        name for name, value in wanted.items() if name not in written and held.get(name) != value
    }
    others = [f for f in forms if f.effect == "write" and f not in before and _agrees(f, wanted)]
    return (*_cover(unit, others, stale), *before, final)


def _launching(
    control: Control, unit: ControlUnit, wanted: Mapping[str, int], held: Mapping[str, int]
) -> Mnemonic:
    """The launching form; where loops can repeat it one that adds to addresses, if any can."""
    forms = control.forms(unit.name)
    found = [form for form in forms if form.effect == "launch" and _agrees(form, wanted)]
    if control.loop_depth:
        moving = [form for form in found if form.adds and reaches(form, wanted, held)]
        found = moving or found
    found = [form for form in found if not form.adds or reaches(form, wanted, held)]
    if not found:
        choices = sorted({f"{n} = {v}" for f in forms for n, v in f.sets if wanted.get(n) != v})
        raise fail(
            "EMI002",
            f"no instruction launches unit '{unit.name}' with "
            + ", ".join(_lacking(forms, wanted)),
            unit.span,
            f"those there are need {' or '.join(choices)}" if choices else "",
        )
    return found[0]


def reaches(form: Mnemonic, wanted: Mapping[str, int], held: Mapping[str, int]) -> bool:
    """Whether the registers that a form adds to are known, and what it adds fits its fields."""
    for name in form.adds:
        bits = form.bit_field(name)
        if bits is None or name not in held or name not in wanted:
            return False
        if adds_bits(bits, wanted[name] - held[name]) is None:
            return False
    return True


def _lacking(forms: Sequence[Mnemonic], wanted: Mapping[str, int]) -> list[str]:
    names = dict.fromkeys(n for f in forms for n, _ in f.sets if n in wanted)
    return [f"{name} = {wanted[name]}" for name in names]


def _agrees(form: Mnemonic, wanted: Mapping[str, int]) -> bool:
    return all(wanted.get(name, value) == value for name, value in form.sets)


def _cover(unit: ControlUnit, forms: Sequence[Mnemonic], stale: set[str]) -> tuple[Mnemonic, ...]:
    """The smallest set of forms that write all of `stale`, the first in YAML order among equals."""
    if not stale:
        return ()
    useful = [form for form in forms if stale.intersection(form.quantities)]
    for count in range(1, len(useful) + 1):
        for chosen in combinations(useful, count):
            if stale <= {name for form in chosen for name in form.quantities}:
                return chosen
    left = stale - {name for form in useful for name in form.quantities}
    raise fail(
        "EMI002",
        f"no instruction can write '{min(left)}' of unit '{unit.name}' for this launch",
        unit.span,
    )
