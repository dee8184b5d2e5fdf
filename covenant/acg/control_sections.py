"""The control section of an architecture file as pydantic models, one part of `acg.sections`.

In: plain dicts and lists with parameters substituted. Out: validated models.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from covenant.acg.fields import (
    MAX_ITEMS,
    Count,
    CText,
    Effect,
    Entry,
    FieldText,
    Loops,
    Name,
    PortKey,
    Quantity,
    RegisterText,
    Section,
    Share,
    Stall,
    UnitName,
    Whole,
)


class MnemonicSection(Entry):
    """An instruction form. Without `unit` its fields are roles: `unit`, `register`, `value`,
    `wait`, `post`, `length`, `count`. With `unit` they are registers of that unit, which it
    writes."""

    effect: Effect = Field(
        description="what the instruction does; `start`: issued once when a program starts; "
        "`write_high`: the bits of a register above those that `write` gives (with their sign); "
        "`add`: adds to a register; `add_high`: adds above the bits of the value of `add`"
    )
    unit: Name | None = Field(
        None, description="unit whose registers it writes, and which it starts if it is a `launch`"
    )
    fields: dict[Quantity, FieldText] = Field(
        description="bit fields `high:low`, `high:low=constant` for opcodes, or "
        "`high:low + added / granule * factor` for a register that stands encoded"
    )
    sets: dict[Quantity, int] = Field(
        {}, description="registers of the unit that it also writes, with constants"
    )
    adds: list[Quantity] = Field(
        [],
        description="with `unit`: registers in its fields to which it adds what stands there, with "
        "a sign, before it launches; hardware loops repeat launches whose addresses advance so",
    )
    after: list[Name] = Field(
        [], description="instructions of the unit that stand right before it in every launch"
    )
    writes: list[Name] = Field(
        [],
        description="without `unit`: kinds of registers it writes (`base`, `stride`, `bound`, …), "
        "which its field `register` counts; default: all",
    )
    starts: list[Name] = Field([], description="without `unit`: units it starts; default: all")
    slots: list[Annotated[int, Field(ge=0, le=15)]] = Field(
        [], description="slots of a packet that it may take, counted from 0; default: all"
    )


class PacketSection(Section):
    """Packets of instruction words that execute at once, in one cycle: all of them read what was
    there before any of them writes."""

    slots: Annotated[int, Field(ge=2, le=16)] = Field(
        description="most words of a packet; every word takes one slot, and starts another unit"
    )
    end: FieldText = Field(description='bits of the last word of a packet, e.g. `"15:14=3"`')
    more: FieldText = Field(description='the same bits of the words before, e.g. `"15:14=1"`')


class UnitSection(Entry):
    """What one launch starts. A name `load[0..3]` stands for four units with ids and channels
    counting up."""

    id: Whole | None = Field(
        None, description="number of the unit in instructions; default: its place in the table"
    )
    nodes: list[Name] = Field(min_length=1, description="nodes that the launch starts")
    channel: Whole = Field(0, description="channel of a DMA")
    registers: list[RegisterText] = Field(
        max_length=MAX_ITEMS,
        description="`quantity`, `quantity = value after a program start`, `quantity <= largest "
        "value` or `quantity == value that the hardware fixes`, in index order; `{x, w}.{base, "
        "bound[0..3] = 1}` stands for those registers of x, then those of w",
    )
    waits: dict[PortKey, list[Name]] | None = Field(
        None,
        description='semaphores each port may wait for; default: all, for the whole unit (port "")',
    )
    posts: dict[PortKey, list[Name]] | None = Field(
        None,
        description='semaphores each port may post; default: all, for the whole unit (port "")',
    )


class HostSection(Section):
    """How a C program on the machine's processor issues instruction words."""

    operands: dict[Name, FieldText] = Field(
        min_length=1, description="bits of the word, by the names that `issue` uses"
    )
    constants: list[Name] = Field(
        [], description="operands that must be constants when the program is compiled"
    )
    issue: CText = Field(description="C statement that issues one word, from its operands")
    halt: CText = Field(description="C statement that waits until all work is done")
    shares: list[Share] = Field(
        [],
        description="what its processor does for layers that no node can do: centre: turns uint8 "
        "into int8 and back; pad: writes borders that are not zero; rescale: requantises sums; "
        "evaluate: computes whole layers; and where that saves array steps, arrange: strided "
        "windows by phases, groups joined",
    )


class ControlSection(Section):
    """The control node."""

    word_bits: Annotated[int, Field(ge=8, le=256)] = Field(
        description="bits of an instruction word"
    )
    program_words: Annotated[int, Field(ge=1, le=1 << 24)] = Field(
        description="words of program memory"
    )
    loop_depth: Loops = Field(0, description="nested hardware loops")
    queue_depth: Count = Field(1, description="launches a unit queues")
    stall: Stall = Field(
        "none",
        description="what the command processor waits for: `none`, it runs ahead of all units; "
        "`launch`: with a launch until its unit is idle (no job queue); `write`: with register "
        "writes too (no shadow registers); `barrier`: with a launch until every unit is idle "
        "(the mapper counts idle units, not the barrier)",
    )
    issue_cycles: Whole = Field(
        1, description="cycles from fetching a launch to the unit's first action"
    )
    packet: PacketSection | None = Field(
        None, description="words that execute at once; absent: every word by itself"
    )
    semaphores: list[Name] = Field([], description="counting semaphores, in mask bit order")
    mnemonics: dict[UnitName, MnemonicSection] = Field(
        max_length=MAX_ITEMS,
        min_length=1,
        description="instructions by name; `set[0..3]` stands for four, in which `[i]` in the name "
        "of a field and `=16+i` in a constant count",
    )
    units: dict[UnitName, UnitSection] = Field(
        max_length=MAX_ITEMS, min_length=1, description="launchable units by name"
    )
    host: HostSection | None = Field(
        None, description="how to write programs as C; absent: words only"
    )
