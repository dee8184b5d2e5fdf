"""The control node of the architecture graph: instruction words, registers, launchable units.

In: built by `acg.build` from the `control` section. Out: read by the emitter (encoding, removal of
redundant writes), the static checker, the interpreter and the RTL generator. Units: bits, cycles,
words; all integers. Equality ignores where things were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from covenant.core.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Field:
    """A bit field of an instruction word, `high` and `low` inclusive; `constant` for opcodes."""

    name: str
    high: int
    low: int
    constant: int | None = None

    @property
    def width_bits(self) -> int:
        """Number of bits."""
        return self.high - self.low + 1


@dataclass(frozen=True, slots=True)
class Mnemonic:
    """An instruction form. `effect`: write, add, reverse_subtract, launch, post, loop, halt."""

    name: str
    effect: str
    fields: tuple[Field, ...]
    span: Span = field(compare=False)

    def bit_field(self, name: str) -> Field | None:
        """The field of that name, None when the form has none."""
        return next((each for each in self.fields if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Register:
    """A register of a unit: what semantic quantity it holds (`a.base`, `bound[0]`, `steps`), its
    index in the unit and its value after a program start."""

    index: int
    quantity: str
    reset: int = 0


@dataclass(frozen=True, slots=True)
class ControlUnit:
    """What one launch starts: the nodes it covers, the channel of a DMA, its registers, and for
    each port or channel the semaphores it may wait for and post."""

    name: str
    id: int
    nodes: tuple[str, ...]
    channel: int
    registers: tuple[Register, ...]
    waits: Mapping[str, tuple[str, ...]] = field(hash=False)
    """Port (or "" for the whole unit) -> names of semaphores it consumes."""
    posts: Mapping[str, tuple[str, ...]] = field(hash=False)
    span: Span = field(compare=False)

    def register(self, quantity: str) -> Register | None:
        """The register that holds a quantity, None when the unit has none."""
        for register in self.registers:
            if register.quantity == quantity:
                return register
        return None


@dataclass(frozen=True, slots=True)
class Control:
    """The control node: instruction words, hardware loops, semaphores, job queues, units."""

    word_bits: int
    program_words: int
    loop_depth: int
    queue_depth: int
    issue_cycles: int
    """Cycles from fetching a launch to the unit's first action."""
    semaphores: tuple[str, ...]
    mnemonics: tuple[Mnemonic, ...]
    units: tuple[ControlUnit, ...]
    span: Span = field(compare=False)

    def mnemonic(self, effect: str) -> Mnemonic | None:
        """The first mnemonic with that effect, None when there is none."""
        return next((each for each in self.mnemonics if each.effect == effect), None)

    def unit(self, name: str) -> ControlUnit:
        """The unit of that name; KeyError when absent."""
        return {unit.name: unit for unit in self.units}[name]

    def units_of(self, node: str) -> tuple[ControlUnit, ...]:
        """Units whose launch starts a node, by channel for a DMA."""
        units = (unit for unit in self.units if node in unit.nodes)
        return tuple(sorted(units, key=lambda unit: unit.channel))
