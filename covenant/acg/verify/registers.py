"""Checks of unit registers: every quantity known, complete, once, and wide enough.

In: a graph whose references resolve. Out: findings ACG059 to ACG061, ACG064. The vocabulary of a
unit follows from its nodes: per streamed port or record `base`, `lane_stride`, `word_stride`,
`tail_loop`, `tail_lanes`, `row_lanes`, `row_step`, `row_jump`, `bound[i]`, `stride[i]`; for a DMA
`src.base`, `dst.base`, `run`, …
"""

from __future__ import annotations

from dataclasses import dataclass, field

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Capability, Port, Transfer
from covenant.acg.notation import in_ranges
from covenant.acg.places import Path
from covenant.acg.verify.findings import Findings
from covenant.acg.verify.streams import record_of
from covenant.core.diagnostics import did_you_mean


@dataclass(frozen=True)
class Vocabulary:
    """Quantities a unit must hold, with the reason, and those it may hold."""

    needed: dict[str, str] = field(default_factory=dict)
    possible: list[str] = field(default_factory=list)

    @property
    def known(self) -> list[str]:
        """All quantities, needed ones first."""
        return [*self.needed, *self.possible]


def check_registers(acg: Acg, findings: Findings) -> None:
    """Registers of every unit, and that indices, addresses and resets fit the instruction."""
    control = acg.control
    if control is None:
        return
    reported: set[tuple[Path, str]] = set()
    for unit in control.units:
        words = vocabulary(acg, unit)
        if control.forms(unit.name):
            words = _relaxed(words)
        _check_quantities(unit, words, reported, findings)
        _check_widths(control, unit, findings)
    _check_addresses(acg, control, findings)


def prefixes(acg: Acg, unit: ControlUnit) -> dict[str, Transfer]:
    """Ports and records of a unit with the stream that each one's registers describe."""
    found: dict[str, Transfer] = {}
    for node in unit.nodes:
        if all(compute.name != node for compute in acg.computes):
            continue
        for capability in acg.compute(node).capabilities:
            for port in capability.ports:
                stream = port.partial or port.stream
                if stream and record_of(acg, node, port.name) is None:
                    found[port.name] = acg.transfer(stream)
        for record in acg.compute(node).records:
            found[record.name] = acg.transfer(record.stream)
    return found


def vocabulary(acg: Acg, unit: ControlUnit) -> Vocabulary:
    """The quantities of a unit, from the nodes it launches."""
    words = Vocabulary()
    transfers = {transfer.name: transfer for transfer in acg.transfers}
    for node in unit.nodes:
        if node in transfers:
            _dma_words(transfers[node], words)
    for prefix, stream in prefixes(acg, unit).items():
        _stream_words(prefix, stream, words)
    capabilities = [c for c in acg.capabilities if c.node in unit.nodes]
    for capability in capabilities:
        _capability_words(acg, capability, words)
    spills = any(port.spill for c in capabilities for port in c.ports)
    if spills or _choices(acg, unit, chained=True) > 1:
        words.needed["out"] = "results leave in more than one form"
    if _choices(acg, unit, chained=False) > 1:
        words.needed["function"] = "it has more than one capability"
    else:
        words.possible.append("function")  # `fold` may give it another one
    return words


def _relaxed(words: Vocabulary) -> Vocabulary:
    """For a unit with instructions of its own: they need to say where data lies, and are repeated
    for whatever loops they have no registers for."""
    bases = {q: reason for q, reason in words.needed.items() if q.endswith(".base")}
    return Vocabulary(bases, [*(q for q in words.known if q not in bases), "hold"])


def _choices(acg: Acg, unit: ControlUnit, *, chained: bool) -> int:
    """Capabilities of the node that reads memories, or of the one that takes its results."""
    nodes = [c for c in acg.computes if c.name in unit.nodes and bool(c.after) == chained]
    return max((len(node.capabilities) for node in nodes), default=0)


def _dma_words(transfer: Transfer, words: Vocabulary) -> None:
    reason = f"'{transfer.name}' moves rows of bytes"
    words.needed.update(dict.fromkeys(("src.base", "dst.base", "run"), reason))
    reason = f"'{transfer.name}' runs {transfer.loops} loops"
    for i in range(transfer.loops):
        quantities = (f"bound[{i}]", f"src.stride[{i}]", f"dst.stride[{i}]")
        words.needed.update(dict.fromkeys(quantities, reason))
    if "fill" in transfer.abilities:
        reason = f"'{transfer.name}' has the ability 'fill'"
        words.needed.update(dict.fromkeys(("fill", "value"), reason))
        words.possible.append("value_bytes")
    if "windows" in transfer.abilities:
        reason = f"'{transfer.name}' has the ability 'windows'"
        words.needed.update(dict.fromkeys(("line", "at", "plane", "top", "bytes", "value"), reason))
    words.possible.extend(("src.word_stride", "dst.word_stride"))


def _stream_words(prefix: str, stream: Transfer, words: Vocabulary) -> None:
    words.needed[f"{prefix}.base"] = f"'{stream.name}' starts there"
    reason = f"'{stream.name}' runs {stream.loops} loops"
    for i in range(stream.loops):
        words.needed.update(
            dict.fromkeys((f"{prefix}.bound[{i}]", f"{prefix}.stride[{i}]"), reason)
        )
    if "tail" in stream.abilities:
        reason = f"'{stream.name}' has the ability 'tail'"
        words.needed.update(dict.fromkeys((f"{prefix}.tail_loop", f"{prefix}.tail_lanes"), reason))
    if "wrap" in stream.abilities:
        reason = f"'{stream.name}' has the ability 'wrap'"
        quantities = ("lane_stride", "tail_loop", "row_lanes", "row_step", "row_jump")
        words.needed.update(dict.fromkeys((f"{prefix}.{q}" for q in quantities), reason))
    words.possible.extend((f"{prefix}.lane_stride", f"{prefix}.word_stride"))


def _capability_words(acg: Acg, capability: Capability, words: Vocabulary) -> None:
    for scalar in capability.scalars:
        words.needed[scalar] = f"it is a scalar of '{capability.name}'"
    if capability.stationary and capability.keeps_result:
        reason = f"'{capability.name}' iterates around a stationary operand"
        words.needed.update(dict.fromkeys(("steps", "tiles"), reason))
        words.possible.append("reuse")
    elif capability.stationary:
        words.possible.append("hold")
    words.possible.extend(f"{port.name}.run" for port in capability.outputs if port.tile)
    for port in capability.ports:
        if port.partial:
            words.needed["resume"] = f"'{port.name}' can take partial sums back"
        if record_of(acg, capability.node, port.name) is None and _either_sign(capability, port):
            words.needed[f"{port.name}.signed"] = (
                f"'{port.name}' takes signed and unsigned elements"
            )


def _either_sign(capability: Capability, port: Port) -> bool:
    """Whether an input's elements may be signed or not, so that the unit must be told."""
    signs = {dtype.signed for dtype in port.kinds if dtype.numpy.kind in "iu"}
    return len(signs) > 1 and port not in capability.outputs


def _check_quantities(
    unit: ControlUnit, words: Vocabulary, reported: set[tuple[Path, str]], findings: Findings
) -> None:
    """reported: places where a quantity was reported, once for all that one repair ends."""
    at: Path = ("control", "units", unit.name, "registers")
    seen: set[str] = set()
    for register in unit.registers:
        path: Path = (*at, register.quantity)
        if register.quantity not in words.known:
            quantity = register.quantity
            repair = _other_index(quantity, words) or _similar(quantity, words)
            written = (findings.places.written(path), "")
            if absent := _without(quantity):
                repair, written = absent, (findings.places.written(at), absent)
            if written not in reported:
                message = f"unit '{unit.name}' has no quantity '{quantity}'"
                findings.report("ACG059", path, message, repair)
            reported.add(written)
        elif register.quantity in seen:
            written = (findings.places.written(path), "twice")
            if written not in reported:
                message = f"'{register.quantity}' has two registers"
                findings.report("ACG061", path, message, "remove one")
            reported.add(written)
        seen.add(register.quantity)
    lacking = {q: reason for q, reason in words.needed.items() if q not in seen}
    for reason in dict.fromkeys(lacking.values()):
        quantities = [quantity for quantity, why in lacking.items() if why == reason]
        quantities = in_ranges(quantities)
        names = ", ".join(f"'{quantity}'" for quantity in quantities)
        message = f"unit '{unit.name}' has no register for {names}; {reason}"
        repair = "add " + ", ".join(f"`- {quantity}`" for quantity in quantities)
        findings.report_key("ACG060", at, message, repair)


def _similar(quantity: str, words: Vocabulary) -> str:
    """The closest quantity, of the same port when there is one."""
    prefix = quantity.partition(".")[0] + "."
    same = [word for word in words.known if word.startswith(prefix)]
    if same or "." not in quantity:
        return _meant(quantity, same or words.known)
    ports = {word.partition(".")[0] for word in words.known if "." in word}
    return f"no stream describes '{prefix[:-1]}'; {did_you_mean(prefix[:-1], ports)}"


def _meant(quantity: str, words: list[str]) -> str:
    """The closest quantity, else all of them, loops in one."""
    found = did_you_mean(quantity, words)
    return "known: " + ", ".join(in_ranges(sorted(words))) if found.startswith("known") else found


def _other_index(quantity: str, words: Vocabulary) -> str:
    """The reason an index is too high, empty for other faults."""
    first = quantity.partition("[")[0] + "[0]"
    return words.needed.get(first, "") if "[" in quantity else ""


_OF_ABILITY = {
    "windows": ("line", "at", "plane", "top", "bytes"),
    "fill": ("fill", "value", "value_bytes"),
    "tail": ("tail_loop", "tail_lanes"),
    "wrap": ("row_lanes", "row_step", "row_jump"),
}
"""Registers that only transfers with an ability have."""


def _without(quantity: str) -> str:
    """What a register belongs to that the unit lacks, empty for an unknown one."""
    port, _, word = quantity.rpartition(".")
    if port and word == "signed":
        return f"all elements of '{port}' are signed, or none: remove it"
    whose = f"the stream of '{port}'" if port else "the transfer"
    for ability, registers in _OF_ABILITY.items():
        if word in registers:
            return f"add `{ability}` to the abilities of {whose}, or remove {', '.join(registers)}"
    return ""


def _check_widths(control: Control, unit: ControlUnit, findings: Findings) -> None:
    at: Path = ("control", "units", unit.name, "registers")
    for mnemonic in control.mnemonics:
        index_field, value_field = mnemonic.bit_field("register"), mnemonic.bit_field("value")
        if mnemonic.effect != "write" or index_field is None or value_field is None:
            continue
        if control.forms(unit.name):
            continue
        own = mnemonic.numbered(unit)
        if (len(own) - 1) >> index_field.width_bits > 0:
            bits = index_field.width_bits
            message = f"{len(own)} registers do not fit the {bits} bits of 'register'"
            findings.report_key("ACG057", at, message, f"declare at most {1 << bits}")
        width = value_bits(control)
        for register in own:
            low, high = -(1 << width - 1), (1 << width) - 1
            if not low <= register.reset <= high:
                message = f"{register.reset} does not fit the {width} bits of 'value'"
                findings.report(
                    "ACG064", (*at, register.quantity), message, f"write at most {high}"
                )


def value_bits(control: Control) -> int:
    """Bits that words give a register, at once or in two parts."""
    forms = [control.mnemonic(effect) for effect in ("write", "write_high")]
    values = [form.bit_field("value") for form in forms if form]
    return sum(value.width_bits for value in values if value)


def _check_addresses(acg: Acg, control: Control, findings: Findings) -> None:
    writes = control.mnemonic("write")
    if all(control.forms(unit.name) for unit in control.units):
        return
    width = value_bits(control) if writes else 0
    for memory in acg.memories if width else ():
        if (memory.reach_bytes - 1) >> width:
            message = f"addresses of '{memory.name}' do not fit the {width} bits of 'value'"
            findings.report("ACG064", ("memories", memory.name, "size"), message, "make it smaller")
