"""The architecture file as pydantic models: every key with its type, unit and default.

In: plain dicts and lists with parameters substituted. Out: validated models that `acg.build` turns
into the graph. This file and `acg.control_sections` are the one place that lists the keys; the JSON
Schema and the reference page are generated from them. Keys that are not listed are rejected.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from covenant.acg.control_sections import ControlSection
from covenant.acg.fields import (
    MAX_ITEMS,
    Ability,
    ConditionText,
    Count,
    Defaults,
    DTypeName,
    Entry,
    LaneGroup,
    Loops,
    Name,
    Rounding,
    Section,
    Semantics,
    Size,
    Whole,
)


class MemoryEnergy(Section):
    """Energy of accesses to a memory."""

    read: Whole = Field(default=0, description="femtojoules per byte (or word) read")
    write: Whole = Field(default=0, description="femtojoules per byte (or word) written")
    per: Literal["byte", "word"] = Field(
        default="byte", description="what `read` and `write` are counted for"
    )


class MemorySection(Entry):
    """A memory node."""

    off_chip: bool = Field(False, description="true for DRAM: holds whole tensors between layers")
    size: Size = Field(description="capacity; bytes, or with KiB, MiB, GiB")
    start: Whole = Field(
        0, description="first byte that tensors lie at, where addresses before mean something else"
    )
    banks: Count = Field(
        1, description="single-port banks, a power of two; words interleave over them"
    )
    bank_group: Whole = Field(
        0,
        description="smallest group of banks that an address view can confine a buffer to, a power "
        "of two; 0: one view, words interleave over all banks",
    )
    word_bytes: Count = Field(
        description="bytes of one access; alignment of buffers; a power of two"
    )
    latency: Whole = Field(1, description="cycles from a request to its first byte")
    write_latency: Whole = Field(
        0, description="cycles from the last byte written to its acknowledgement"
    )
    read_bytes_per_cycle: Count | None = Field(
        None, description="read bandwidth, bytes per cycle; default banks * word_bytes"
    )
    write_bytes_per_cycle: Count | None = Field(
        None, description="write bandwidth, bytes per cycle; default banks * word_bytes"
    )
    energy: MemoryEnergy = Field(MemoryEnergy(), description="energy per access")
    per: list[LaneGroup] = Field(
        [],
        description="capability dims of the node it feeds: one such memory for every lane along "
        "them (`k/8`: for every 8 lanes along k), `size` is that of one; addresses run through one "
        "instance after the other, the last dim fastest, streams use the same in all of them; what "
        "several of them need is sent once (multicast), by a loop of a transfer with stride 0",
    )


class TransferSection(Entry):
    """A transfer node: a DMA between memories, or a stream between a memory and a compute node."""

    source: Name = Field(alias="from", description="memory or compute node the bytes come from")
    target: Name = Field(alias="to", description="memory or compute node the bytes go to")
    bytes_per_cycle: Count | None = Field(
        None,
        description="bytes per cycle; required for a DMA; a stream defaults to lanes * word_bytes",
    )
    lanes: Count | None = Field(
        None,
        description="words per beat of a stream of records; others derive it from their port",
    )
    loops: Loops = Field(0, description="strided loops that one launch runs by itself")
    channels: Count = Field(
        1, description="independent job queues of a DMA, sharing bytes_per_cycle"
    )
    setup_cycles: Whole = Field(0, description="cycles from a launch to the first request")
    outstanding: Count = Field(1, description="requests of a DMA in flight")
    fifo_depth: Whole = Field(0, description="beats a stream buffers")
    granule: Whole = Field(
        0,
        description="smallest piece that a DMA moves, in bytes: rows are whole numbers of it; "
        "default a word of the on-chip memory, of the narrower one of two",
    )
    abilities: list[Ability] = Field(
        [],
        description="fill: writes a constant; windows: loads overlapping rows that start at any "
        "byte of a line and reach beyond its ends; sums: moves raw partial sums on or off the "
        "chip; tail: masks lanes in the last iteration of a loop; wrap: lanes run on in the next "
        "row at the end of one",
    )


class PortSection(Entry):
    """A tensor operand of a capability."""

    dtypes: list[DTypeName] = Field(min_length=1, description="element types the port accepts")
    stream: Name | None = Field(
        None, description="transfer node that carries it; absent when it arrives over `after`"
    )
    tile: list[Name] = Field(
        [],
        description="capability dims of one beat, outermost first, the last contiguous in memory",
    )
    partial: Name | None = Field(None, description="stream that brings partial sums back")
    spill: Name | None = Field(None, description="stream that writes raw partial sums")
    dense: bool = Field(
        False,
        description="the lanes of a beat lie behind one another in memory, in whole words; by "
        "default where its unit has registers but no `lane_stride`",
    )
    stored: DTypeName | None = Field(
        None,
        description="type in which memories hold its elements, e.g. int8 tensors in int16 words; "
        "default: that of the tensor",
    )


class CapabilitySection(Entry):
    """One thing a compute node can do, as a statement over capability dims."""

    semantics: Semantics = Field(
        description="statement such as `acc[m,n] += (a[m,k] - za) * b[k,n]` executed by one step"
    )
    extents: dict[Name, Count] = Field(
        {},
        description="elements per step of every dim; a chained node inherits those it leaves out",
    )
    fold: dict[Name, Name] = Field(
        {},
        description="`{m: k}`: a launch may take half of m and twice of k instead; where k is "
        "whole memory words that is one more capability, `NAME_folded`",
    )
    stationary: Name | None = Field(
        None, description="port kept inside the node while dims it lacks are iterated"
    )
    registers: Annotated[int, Field(ge=1, le=2)] = Field(
        2,
        description="sets of registers for the stationary port: with 2 the next values are loaded, "
        "or the last results leave, while the node computes; with 1 it waits",
    )
    ports: dict[Name, PortSection] = Field(
        {}, max_length=MAX_ITEMS, description="tensor operands by name"
    )
    scalars: list[Name] = Field([], description="operands held in registers: zero points, clamps")
    rounding: Rounding | None = Field(
        None, description="how `requantise` rounds; required when the statement uses it"
    )
    avoids: list[float] = Field(
        [],
        description="float32 products, of either sign, that implementations round in another way "
        "than `rounding` says: scales are chosen such that none occurs and no result differs",
    )
    requires: list[ConditionText] = Field(
        [], description="preconditions on dims and scalars, e.g. `k % 16 == 0`"
    )
    startup_cycles: Whole = Field(0, description="cycles from a launch to its first step")
    drain_cycles: Whole = Field(0, description="cycles after the last step")
    step_cycles: Count = Field(1, description="cycles per step")
    energy: Whole = Field(0, description="femtojoules per step")


class RecordSection(Entry):
    """A stream of packed constants."""

    stream: Name = Field(description="transfer node that carries the records")
    dim: Name | None = Field(
        None, description="capability dim along which the fields of a group are repeated"
    )
    entries: Count | None = Field(
        None,
        description="instead of dim: a table of so many entries per field, read once per launch",
    )
    groups: list[Annotated[list[Name], Field(min_length=1)]] = Field(
        min_length=1, description="groups in memory order; the ports of a group are interleaved"
    )


class ComputeSection(Entry):
    """A compute node."""

    after: Name | None = Field(
        None, description="node whose result it takes with no memory between"
    )
    defaults: Defaults = Field(
        {},
        description="keys of a capability that all of them have unless they say otherwise; its "
        "`ports` and `extents` where their statement names them",
    )
    capabilities: dict[Name, CapabilitySection] = Field(
        max_length=MAX_ITEMS, min_length=1, description="capabilities by name"
    )
    records: dict[Name, RecordSection] = Field(
        {}, max_length=MAX_ITEMS, description="packed constants by name"
    )


class RtlSection(Section):
    """The hardware of a member of the reference cluster family."""

    family: Name = Field(description="RTL family that the generator knows")
    top: Name = Field(description="top-level module")


class ArchitectureSection(Section):
    """A whole architecture file."""

    acg: Literal[1] = Field(description="version of this format")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)] = Field(
        description="name of the architecture"
    )
    description: str = Field("", description="one line for `arch list`")
    memories: dict[Name, MemorySection] = Field(
        max_length=MAX_ITEMS, min_length=1, description="memory nodes by name"
    )
    transfers: dict[Name, TransferSection] = Field(
        {}, max_length=MAX_ITEMS, description="transfer nodes by name"
    )
    compute: dict[Name, ComputeSection] = Field(
        max_length=MAX_ITEMS, min_length=1, description="compute nodes by name"
    )
    control: ControlSection | None = Field(None, description="control node and instruction set")
    rtl: RtlSection | None = Field(None, description="hardware, for members of a known family")


def validate(content: Any) -> ArchitectureSection:
    """Validate plain data; raises pydantic's ValidationError."""
    return ArchitectureSection.model_validate(content)
