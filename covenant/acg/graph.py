"""The architecture covenant graph as an immutable artifact.

In: built by `acg.reader` from YAML (parameters resolved, names checked, spans kept). Out: read by
the mapper (capabilities, memories, transfers, costs), the emitter (control), the RTL generator
(rtl) and the interpreter (semantics). Units: bytes, bits, cycles, femtojoules; all integers.
Equality ignores where things were written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import assert_never

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from covenant.acg.control import Control
from covenant.core.diagnostics import Span
from covenant.core.dtypes import DType
from covenant.core.expression import Call, Expression, Number, Ref, Statement


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory node. `word_bytes` is the access granule and alignment of buffers and of packed
    tensor axes; `banks` x rows of one word each make up `size_bytes`; bandwidths are bytes/cycle of
    the node itself; latency is cycles from a request to its first byte, write latency from the last
    byte written to its acknowledgement."""

    name: str
    off_chip: bool
    size_bytes: int
    word_bytes: int
    banks: int
    latency_cycles: int
    read_bytes_per_cycle: int
    write_bytes_per_cycle: int
    read_femtojoules_per_word: int
    write_femtojoules_per_word: int
    span: Span = field(compare=False)
    bank_group: int = 0
    """Smallest group of banks a buffer can be confined to; 0 when the memory has one view only."""
    start: int = 0
    """First byte that tensors lie at, of an off-chip memory."""
    per: tuple[str, ...] = ()
    """Capability dims along whose lanes there are instances; () for a single memory."""
    lanes_each: tuple[int, ...] = ()
    """Lanes of every dim of `per` that share an instance."""
    grid: tuple[int, ...] = ()
    """Instances along every dim of `per`, for the widest capability of the nodes it feeds. Instance
    (i, j) starts at address (i * grid[1] + j) * size_bytes."""
    write_latency_cycles: int = 0

    @property
    def rows(self) -> int:
        """Words per bank; bank of a byte address = address // word_bytes % banks."""
        return self.size_bytes // (self.banks * self.word_bytes)

    @property
    def views(self) -> tuple[int, ...]:
        """Banks per group of every view of the addresses: all banks, then half as many, and so on.
        Byte addresses from `v * size_bytes` on are view v of the same words: its words interleave
        over groups of `views[v]` banks, one group after the other (RTL: cvn_tcdm)."""
        found = [self.banks]
        while self.bank_group and found[-1] > self.bank_group:
            found.append(found[-1] // 2)
        return tuple(found)

    @property
    def address_bytes(self) -> int:
        """Bytes of one instance that can be addressed: the size once per view."""
        return self.size_bytes * len(self.views)

    @property
    def reach_bytes(self) -> int:
        """Bytes that a program can address: all views, all instances."""
        return self.total_bytes * len(self.views)

    @property
    def total_bytes(self) -> int:
        """Bytes of all instances."""
        return self.size_bytes * math.prod(self.grid)

    def instance_stride(self, dim: str) -> int:
        """Bytes from an instance to the next one along a dim of `per`."""
        return self.size_bytes * math.prod(self.grid[self.per.index(dim) + 1 :])

    def places(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where word addresses of any view lie: row * banks + bank, the word address in view 0.

        Memory: int64 of any shape below `reach_bytes // word_bytes`; same shape out."""
        total = self.size_bytes // self.word_bytes
        if len(self.views) == 1:
            return words
        group = np.asarray(self.views, np.int64)[words // total]
        inside = words % total
        number, rest = np.divmod(inside, group * self.rows)
        places = rest // group * self.banks + number * group + rest % group
        return np.asarray(places, np.int64)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer node: moves bytes from `source` to `target` (a memory or a compute node).

    `loops`: strided loops one invocation absorbs (around one contiguous row for DMA, around one
    beat for streams). `channels`: independent job queues (DMA) that share `bytes_per_cycle`; for
    streams 1. `lanes`: words per beat of a stream, derived from the port it feeds (0 for DMA).
    `abilities`: `fill` (write a constant), `windows` (rows start at any byte of a line and reach
    beyond its ends, where they read a constant), `tail` (mask lanes in the last iteration of a
    loop), `wrap` (lanes run on in the next row).
    """

    name: str
    source: str
    target: str
    bytes_per_cycle: int
    loops: int
    channels: int
    setup_cycles: int
    outstanding: int
    fifo_depth: int
    abilities: tuple[str, ...]
    span: Span = field(compare=False)
    lanes: int = 0
    granule: int = 0
    """Bytes of the smallest piece that a DMA moves; 0 for streams."""

    @property
    def is_stream(self) -> bool:
        """Whether it joins a memory and a compute node (a DMA joins two memories)."""
        return self.lanes > 0


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor operand of a capability and how it reaches the node.

    `stream`: transfer node that carries it, "" when it arrives over a chain edge or in a register.
    `tile`: capability dims of one beat, outermost first; the last one is contiguous in memory
    (packed), the others are lanes with a stride. `partial`: transfer that brings back int32 partial
    sums so that a reduction can be resumed ("" when it cannot). `spill`: transfer that writes raw
    partial sums. `dense`: the lanes of a beat lie behind one another in memory. `stored`: type in
    which memories hold its elements, None for that of the tensor.
    """

    name: str
    dtypes: tuple[DType, ...]
    stream: str
    tile: tuple[str, ...]
    partial: str = ""
    spill: str = ""
    dense: bool = False
    stored: DType | None = None

    @property
    def kinds(self) -> tuple[DType, ...]:
        """Types of its elements in memories."""
        return self.dtypes if self.stored is None else (self.stored,)

    def held(self, dtype: DType) -> DType:
        """The type in which memories hold elements of a tensor."""
        return dtype if self.stored is None else self.stored


@dataclass(frozen=True, slots=True)
class Capability:
    """What a compute node can do in one step, as a statement over capability dims.

    `extents`: elements per step of every dim; `stationary`: name of the port kept inside the node
    while the dims it lacks are iterated ("acc" for output stationary), `registers` sets of them, of
    which a second one hides their exchange; cycles: `startup_cycles` per invocation, `drain_cycles`
    after its last step, `step_cycles` per step. `scalars`: register-held operands (zero points).
    Register quantities are prefixed by port name (`a.base`); those of a partial-sum stream by the
    port that is resumed (`acc.base`); those of a record by the record's name.
    """

    name: str
    node: str
    statement: Statement
    extents: Mapping[str, int] = field(hash=False)
    ports: tuple[Port, ...]
    scalars: tuple[str, ...]
    stationary: str
    startup_cycles: int
    drain_cycles: int
    step_cycles: int
    femtojoules_per_step: int
    rounding: str
    requires: tuple[str, ...]
    span: Span = field(compare=False)
    registers: int = 2
    avoids: tuple[float, ...] = ()
    """Products of a requantisation, of either sign, that must not occur."""

    def port(self, name: str) -> Port:
        """The port of that name; KeyError when absent."""
        for port in self.ports:
            if port.name == name:
                return port
        raise KeyError(name)

    @property
    def keeps_result(self) -> bool:
        """Whether the result stays in the node until its reduction ends: it is the stationary
        operand, or nothing could bring it back."""
        if self.stationary:
            return self.stationary == self.statement.target.name
        return not any(port.partial for port in self.outputs)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Ports the statement writes (one at most)."""
        return tuple(port for port in self.ports if port.name == self.statement.target.name)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Ports the statement reads and does not write, in YAML order."""
        return tuple(port for port in self.ports if port.name != self.statement.target.name)

    @property
    def macs_per_step(self) -> int:
        """Multiply-accumulates of one step: product of the extents of a summing reduction that
        multiplies; 0 for any other statement."""
        if self.statement.reduction != "+" or not _multiplies(self.statement.value):
            return 0
        return math.prod(self.extents.values())


def _multiplies(expression: Expression) -> bool:
    match expression:
        case Call(function, arguments):
            return function == "mul" or any(map(_multiplies, arguments))
        case Ref() | Number():
            return False
        case _:
            assert_never(expression)


@dataclass(frozen=True, slots=True)
class Record:
    """A stream of packed constants: `groups` in memory order, fields of a group interleaved along
    `dim` (bias0, scale0, bias1, scale1, …). Field dtypes are those of the ports. `name` prefixes
    the record's registers (`p.base`) and keys its semaphores, like a port. `entries`: not 0 for a
    table (`dim` is ""), which has so many entries of every field and is read once per launch."""

    name: str
    stream: str
    dim: str
    groups: tuple[tuple[str, ...], ...]
    entries: int = 0

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields in memory order of the groups."""
        return tuple(name for group in self.groups for name in group)


@dataclass(frozen=True, slots=True)
class Compute:
    """A compute node: its capabilities; `after` names the node whose result it takes directly
    (chained, no memory between), "" for a node that reads memories only."""

    name: str
    capabilities: tuple[Capability, ...]
    after: str
    records: tuple[Record, ...]
    span: Span = field(compare=False)

    def plain_shape(self, capability: Capability) -> Capability:
        """The first capability that means the same, in these or in other extents. A contiguous beat
        of the others consists of beats of that one, one after the other."""
        alike = (c for c in self.capabilities if str(c.statement) == str(capability.statement))
        return next(alike)

    def run(self, capability: Capability, port: Port) -> int:
        """Elements of the packed dim that lie side by side in a contiguous beat of a port."""
        packed = port.tile[-1]
        whole = capability.extents.get(packed, 1)
        first = self.plain_shape(capability).extents.get(packed, whole)
        return first if whole % first == 0 else whole


@dataclass(frozen=True)
class Acg:
    """A whole architecture. Node names are unique over memories, transfers and compute nodes."""

    name: str
    description: str
    memories: tuple[Memory, ...]
    transfers: tuple[Transfer, ...]
    computes: tuple[Compute, ...]
    control: Control | None
    rtl: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The `rtl` section: `family` and `top`; empty when there is no RTL."""
    file: str = field(default="", compare=False)

    def memory(self, name: str) -> Memory:
        """The memory of that name; KeyError when absent."""
        return {m.name: m for m in self.memories}[name]

    def transfer(self, name: str) -> Transfer:
        """The transfer node of that name; KeyError when absent."""
        return {t.name: t for t in self.transfers}[name]

    def compute(self, name: str) -> Compute:
        """The compute node of that name; KeyError when absent."""
        return {c.name: c for c in self.computes}[name]

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        """All capabilities of all compute nodes, in YAML order."""
        return tuple(c for node in self.computes for c in node.capabilities)

    @property
    def peak_macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle of the fastest capability of every node, summed."""
        return sum(
            max((c.macs_per_step // c.step_cycles for c in node.capabilities), default=0)
            for node in self.computes
        )

    @property
    def divides_launches(self) -> bool:
        """Whether the work of a tile may be several launches of a node: they run in program order,
        since nothing else orders launches of different units."""
        return self.control is not None and self.control.in_order

    @property
    def off_chip(self) -> tuple[Memory, ...]:
        """Memories outside the chip, in YAML order."""
        return tuple(memory for memory in self.memories if memory.off_chip)

    @property
    def on_chip(self) -> tuple[Memory, ...]:
        """Memories on the chip, in YAML order."""
        return tuple(memory for memory in self.memories if not memory.off_chip)

    def chain(self, node: str) -> tuple[Compute, ...]:
        """The node and those that take its result over `after` edges, in the order data flows."""
        chained = [self.compute(node)]
        while following := [c for c in self.computes if c.after == chained[-1].name]:
            chained.append(following[0])
        return tuple(chained)

    def between(self, source: str, target: str) -> tuple[Transfer, ...]:
        """Transfer nodes from one node to another, in YAML order."""
        return tuple(t for t in self.transfers if (t.source, t.target) == (source, target))

    def stream_memory(self, stream: str) -> Memory:
        """The memory end of a stream; KeyError for a DMA."""
        transfer = self.transfer(stream)
        memories = {memory.name: memory for memory in self.memories}
        return memories[transfer.source if transfer.source in memories else transfer.target]

    def stream_lanes(self, stream: str) -> int:
        """Words per beat of a stream; 0 for a DMA."""
        return self.transfer(stream).lanes

    @cached_property
    def graph(self) -> nx.DiGraph:
        """Directed graph of memories, transfers and compute nodes; edges lead where data flows."""
        graph: nx.DiGraph = nx.DiGraph()
        for kind, nodes in (
            ("memory", self.memories),
            ("transfer", self.transfers),
            ("compute", self.computes),
        ):
            for node in nodes:
                graph.add_node(node.name, kind=kind)
        for transfer in self.transfers:
            graph.add_edge(transfer.source, transfer.name)
            graph.add_edge(transfer.name, transfer.target)
        for compute in self.computes:
            if compute.after:
                graph.add_edge(compute.after, compute.name)
        return graph
