"""Checks of instruction forms: fields inside the word, apart from one another, and decodable.

In: a graph whose references resolve. Out: findings ACG050 to ACG055.
"""

from __future__ import annotations

from covenant.acg.control import Control, ControlUnit, Field, Mnemonic, kind_of
from covenant.acg.graph import Acg
from covenant.acg.places import Path
from covenant.acg.verify.findings import Findings
from covenant.core.diagnostics import did_you_mean

NEEDED: dict[str, tuple[str, ...]] = {
    "write": ("unit", "register", "value"),
    "write_high": ("unit", "register", "value"),
    "add": ("unit", "register", "value"),
    "add_high": ("unit", "register", "value"),
    "reverse_subtract": ("unit", "register", "value"),
    "launch": ("unit",),
    "post": ("post",),
    "loop": ("length", "count"),
    "halt": (),
    "start": (),
}
"""Fields that an effect reads; constant fields such as opcodes may have any other name."""
OPTIONAL: dict[str, tuple[str, ...]] = {"launch": ("post", "wait")}


def check_mnemonics(acg: Acg, findings: Findings) -> None:
    """Every mnemonic alone, every pair, and the set as a whole."""
    control = acg.control
    if control is None:
        if acg.rtl:
            message = "an architecture with `rtl` needs a `control` section"
            findings.report_key("ACG055", ("rtl",), message, "add `control`, or remove `rtl`")
        return
    for mnemonic in control.mnemonics:
        _check_bits(control, mnemonic, findings)
        _check_fields(mnemonic, findings)
        _check_choice(control, mnemonic, findings)
    for index, mnemonic in enumerate(control.mnemonics):
        for other in control.mnemonics[:index]:
            if not _distinct(mnemonic, other) and not _refines(other, mnemonic):
                message = f"'{mnemonic.name}' cannot be told from '{other.name}' when decoding"
                repair = "give both a constant field on the same bits with different values, or "
                repair += "write the one with more constant bits first"
                findings.report_key("ACG054", _path(mnemonic), message, repair)
    _check_effects(control, findings)


def _path(mnemonic: Mnemonic, *rest: str) -> Path:
    return ("control", "mnemonics", mnemonic.name, *rest)


def _check_bits(control: Control, mnemonic: Mnemonic, findings: Findings) -> None:
    for index, field in enumerate(mnemonic.fields):
        path = _path(mnemonic, "fields", field.name)
        if field.high >= control.word_bits:
            message = f"bit {field.high} lies outside the word of {control.word_bits} bits"
            findings.report("ACG050", path, message, f"the highest bit is {control.word_bits - 1}")
        for other in mnemonic.fields[:index]:
            if field.low <= other.high and other.low <= field.high:
                message = f"bits {_bits(field)} overlap '{other.name}' at {_bits(other)}"
                findings.report("ACG051", path, message, "move one of them")
        if field.constant is not None and field.constant >> field.width_bits:
            message = f"constant {field.constant} does not fit {field.width_bits} bits"
            repair = f"write at most {(1 << field.width_bits) - 1}"
            findings.report("ACG053", path, message, repair)


def _bits(field: Field) -> str:
    return f"{field.high}:{field.low}"


def _check_fields(mnemonic: Mnemonic, findings: Findings) -> None:
    """The roles that an effect reads; fields of an instruction of a unit are its registers."""
    if mnemonic.unit:
        return
    needed = NEEDED[mnemonic.effect]
    known = (*needed, *OPTIONAL.get(mnemonic.effect, ()))
    for name in needed:
        if mnemonic.bit_field(name) is None:
            message = f"'{mnemonic.name}' ({mnemonic.effect}) lacks the field '{name}'"
            repair = f'add `{name}: "high:low"`'
            findings.report_key("ACG052", _path(mnemonic, "fields"), message, repair)
    for field in mnemonic.fields:
        if field.constant is None and field.name not in known:
            message = f"field '{field.name}' has no meaning for the effect '{mnemonic.effect}'"
            repair = did_you_mean(field.name, known) if known else "give it a constant"
            findings.report_key("ACG052", _path(mnemonic, "fields", field.name), message, repair)


def _check_choice(control: Control, mnemonic: Mnemonic, findings: Findings) -> None:
    """Forms for some registers or some units name what there is."""
    moves = "register" in NEEDED[mnemonic.effect] and not mnemonic.unit
    kinds = [kind_of(r.quantity) for unit in control.units for r in unit.registers]
    for key, given, known, applies in (
        ("writes", mnemonic.writes, kinds, moves),
        ("starts", mnemonic.starts, [u.name for u in control.units], not mnemonic.unit),
    ):
        if given and not (applies and (key == "writes" or mnemonic.effect == "launch")):
            message = f"`{key}` has no meaning for '{mnemonic.name}'"
            findings.report_key("ACG066", _path(mnemonic, key), message, "remove it")
            continue
        for index, name in enumerate(given):
            if name not in known:
                what = "kind of register" if key == "writes" else "unit"
                message = f"'{name}' is no {what}"
                repair = did_you_mean(name, dict.fromkeys(known))
                findings.report("ACG066", (*_path(mnemonic, key), index), message, repair)


def _constant_bits(mnemonic: Mnemonic) -> dict[int, int]:
    """Value of every bit that is constant."""
    return {
        field.low + offset: field.constant >> offset & 1
        for field in mnemonic.fields
        if field.constant is not None
        for offset in range(field.width_bits)
    }


def _distinct(one: Mnemonic, other: Mnemonic) -> bool:
    ours, theirs = _constant_bits(one), _constant_bits(other)
    return any(theirs.get(bit, value) != value for bit, value in ours.items())


def _refines(one: Mnemonic, other: Mnemonic) -> bool:
    """Whether all words of `one` have the form of `other`, which has fewer constant bits."""
    ours, theirs = _constant_bits(one), _constant_bits(other)
    return len(ours) > len(theirs) and theirs.items() <= ours.items()


def _check_effects(control: Control, findings: Findings) -> None:
    """A program needs to write, launch and halt, and to loop exactly when there are loops."""
    path: Path = ("control", "mnemonics")
    plain = [unit for unit in control.units if not control.forms(unit.name)]
    for effect in ("write", "launch", "halt"):
        if control.mnemonic(effect) is None and (plain or effect == "halt"):
            message = f"no mnemonic has the effect '{effect}'"
            findings.report_key("ACG055", path, message, f"add one with `effect: {effect}`")
    for unit in plain:
        _check_reached(control, unit, findings)
    add_high = control.mnemonic("add_high")
    if add_high is not None and control.mnemonic("add") is None:
        message = f"'{add_high.name}' adds above the bits of `add`, there is none"
        findings.report_key("ACG055", _path(add_high), message, "add one with `effect: add`")
    loop = control.mnemonic("loop")
    if control.loop_depth and loop is None:
        message = f"loop_depth is {control.loop_depth}, but no mnemonic has the effect 'loop'"
        repair = "add one with `effect: loop`, or write `loop_depth: 0`"
        findings.report("ACG055", ("control", "loop_depth"), message, repair)
    if loop is not None and not control.loop_depth:
        message = f"'{loop.name}' loops, but loop_depth is 0"
        findings.report_key("ACG055", _path(loop), message, "write `loop_depth: 4`, or remove it")


def _check_reached(control: Control, unit: ControlUnit, findings: Findings) -> None:
    """Forms that apply to some units and registers only leave none out."""
    at: Path = ("control", "units", unit.name)
    if control.mnemonic("launch") is not None and control.form("launch", unit) is None:
        message = f"no instruction launches unit '{unit.name}'"
        findings.report_key("ACG067", at, message, f"add {unit.name} to `starts` of one of them")
    for effect in ("write", "write_high"):
        if control.mnemonic(effect) is None:
            continue
        for register in unit.registers:
            if not register.fixed and control.form(effect, unit, register.quantity) is None:
                message = f"no instruction with `effect: {effect}` writes '{register.quantity}' of "
                kind = kind_of(register.quantity)
                repair = f"add {kind} to `writes` of one of them"
                path = (*at, "registers", register.quantity)
                findings.report("ACG067", path, f"{message}unit '{unit.name}'", repair)
