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
    """A bit field of an instruction word, `high` and `low` inclusive; `constant` for opcodes. A
    value stands there as (value + plus) / granule * times, both divisions exact."""

    name: str
    high: int
    low: int
    constant: int | None = None
    plus: int = 0
    granule: int = 1
    times: int = 1

    @property
    def width_bits(self) -> int:
        """Number of bits."""
        return self.high - self.low + 1

    @property
    def largest(self) -> int:
        """The largest value that fits."""
        return ((1 << self.width_bits) - 1) // self.times * self.granule - self.plus


@dataclass(frozen=True, slots=True)
class Mnemonic:
    """An instruction form. `effect`: write, write_high, add, add_high, reverse_subtract, launch,
    post, loop, halt, start.

    unit: the unit whose registers its fields are ("" for a form whose fields are roles such as
    `register` and `value`); effect `write` only writes them, `launch` also starts the unit. sets:
    further registers it writes, with constants. adds: registers in its fields that it does not
    overwrite: what stands there, with a sign, is added to them. after: forms that stand before it
    in every launch.
    writes, starts: of a form of roles, the kinds of registers it writes (the last part of their
    names, without an index) and the units it starts; () for all. slots: those of a packet that it
    may take, () for all.
    """

    name: str
    effect: str
    fields: tuple[Field, ...]
    span: Span = field(compare=False)
    unit: str = ""
    sets: tuple[tuple[str, int], ...] = ()
    after: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    slots: tuple[int, ...] = ()

    def numbered(self, unit: ControlUnit) -> tuple[Register, ...]:
        """Registers of a unit that it can write, by their number in its words."""
        if not self.writes:
            return unit.registers
        return tuple(r for r in unit.registers if kind_of(r.quantity) in self.writes)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Registers that an instruction of a unit writes: those in its fields, then its `sets`."""
        if not self.unit:
            return ()
        own = tuple(f.name for f in self.fields if f.constant is None)
        return (*own, *(name for name, _ in self.sets))

    def bit_field(self, name: str) -> Field | None:
        """The field of that name, None when the form has none."""
        return next((each for each in self.fields if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Register:
    """A register of a unit: what semantic quantity it holds (`a.base`, `bound[0]`, `steps`), its
    index in the unit and its value after a program start.

    maximum: the largest value it may hold, None for what its field holds. fixed: the hardware
    always behaves as if it held `reset`; no instruction writes it. In a unit with instructions of
    its own, registers hold nothing known before the first write and `reset` is what the compiler
    writes where a launch does not say.
    """

    index: int
    quantity: str
    reset: int = 0
    maximum: int | None = None
    fixed: bool = False


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
class PacketForm:
    """Packets of words that execute at once: `slots` words at most; the same bits of every word
    hold the constant of `end` in the last one and that of `more` in those before."""

    slots: int
    end: Field
    more: Field
    span: Span = field(compare=False)

    @property
    def mask(self) -> int:
        """The bits of a word that say whether a packet ends."""
        return ((1 << self.end.width_bits) - 1) << self.end.low


@dataclass(frozen=True, slots=True)
class Host:
    """How a C program issues words: `operands` are bits of a word by the name that the statement
    `issue` uses; those in `constants` must be known when it is compiled; `halt` waits. shares: what
    its processor does to tensors of a layer beside moving them."""

    operands: tuple[Field, ...]
    constants: tuple[str, ...]
    issue: str
    halt: str
    span: Span = field(compare=False)
    shares: tuple[str, ...] = ()


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
    host: Host | None = None
    stall: str = "none"
    """What the command processor waits for besides room in a queue, as in the YAML."""
    packet: PacketForm | None = None
    """None: every word executes by itself."""

    @property
    def in_order(self) -> bool:
        """Whether launches take effect one after the other: nothing else could order them."""
        return not self.semaphores

    def forms(self, unit: str) -> tuple[Mnemonic, ...]:
        """Instructions that belong to one unit, in YAML order; () for one that is set register by
        register."""
        return tuple(each for each in self.mnemonics if each.unit == unit)

    def named(self, mnemonic: str) -> Mnemonic:
        """The mnemonic of that name; KeyError when absent."""
        return {each.name: each for each in self.mnemonics}[mnemonic]

    def mnemonic(self, effect: str) -> Mnemonic | None:
        """The first mnemonic with that effect that belongs to no unit, None when there is none."""
        return next((m for m in self.mnemonics if m.effect == effect and not m.unit), None)

    def form(self, effect: str, unit: ControlUnit, quantity: str = "") -> Mnemonic | None:
        """The first form of roles with an effect that applies to a register of a unit, or to the
        unit, None when there is none."""
        for each in self.mnemonics:
            if each.effect != effect or each.unit:
                continue
            kinds = not quantity or not each.writes or kind_of(quantity) in each.writes
            if kinds and (not each.starts or unit.name in each.starts):
                return each
        return None

    @property
    def low_bits(self) -> int:
        """Bits of a register that `write` gives, where `write_high` gives the others; else 0."""
        high, low = self.mnemonic("write_high"), self.mnemonic("write")
        value = low.bit_field("value") if high and low else None
        return value.width_bits if value else 0

    @property
    def add_bits(self) -> int:
        """Bits of what `add` adds; `add_high` adds multiples of a value above them."""
        form = self.mnemonic("add")
        value = form.bit_field("value") if form else None
        return value.width_bits if value else 0

    def unit(self, name: str) -> ControlUnit:
        """The unit of that name; KeyError when absent."""
        return {unit.name: unit for unit in self.units}[name]

    def units_of(self, node: str) -> tuple[ControlUnit, ...]:
        """Units whose launch starts a node, by channel for a DMA."""
        units = (unit for unit in self.units if node in unit.nodes)
        return tuple(sorted(units, key=lambda unit: unit.channel))


def kind_of(quantity: str) -> str:
    """The kind of a register: `stride` of `a.stride[0]`."""
    return quantity.rpartition(".")[2].partition("[")[0]
