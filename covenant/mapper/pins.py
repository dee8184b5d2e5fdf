"""Pins: decisions of a mapping that the user fixes or bounds.

In: built by `pins_reader`. Out: `Pin`s of one layer, read by `solve`. A pin knows whether a mapping
keeps it; what no pin decides is left to the solver. Memories name the level whose tiles they hold;
operands are named by their port or tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeAlias, assert_never

from covenant.codelets.fuse import fuse
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, Diagnostic, Span, did_you_mean
from covenant.mapper.mapping import Mapping, Placement, StepBinding


@dataclass(frozen=True, slots=True)
class BindPin:
    """Step `step` runs on a node, with a capability, or with a capability dim on a codelet dim:
    `part` is "node", "capability" or the capability dim."""

    step: int
    part: str
    value: str


@dataclass(frozen=True, slots=True)
class TilePin:
    """Tile size of a dim, inclusive; an end of None is the whole extent."""

    memory: str
    dim: str
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class OrderPin:
    """Loops of a level in this order, outermost first; loops that are not named lie anywhere."""

    memory: str
    dims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CutPin:
    """Loops that exchange an operand's tile: exactly `outside` (None: any); none of `inside`."""

    operand: str
    memory: str
    outside: tuple[str, ...] | None
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CopiesPin:
    """Single (1) or double (2) buffer."""

    operand: str
    memory: str
    copies: int


@dataclass(frozen=True, slots=True)
class MemoryPin:
    """An operand is held in this memory."""

    operand: str
    memory: str


@dataclass(frozen=True, slots=True)
class AddressPin:
    """Byte address of every copy."""

    operand: str
    memory: str
    addresses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BanksPin:
    """Division of the banks: (reader, first group, number of groups); none: all share all banks.
    host: the reader behind whose copies the other buffers lie, "" for none."""

    memory: str
    groups: tuple[tuple[str, int, int], ...]
    host: str = ""


@dataclass(frozen=True, slots=True)
class FusePin:
    """Two dims that run as one, () for none."""

    dims: tuple[str, ...]


Decision: TypeAlias = (
    FusePin | BindPin | TilePin | OrderPin | CutPin | CopiesPin | MemoryPin | AddressPin | BanksPin
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One decision, its path in the file (`tiles.l1.oc`), how it was written, and where."""

    path: str
    text: str
    decision: Decision
    span: Span = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


@dataclass(frozen=True, slots=True)
class Range:
    """An inclusive range of a dim's extent that a layer must lie in."""

    dim: str
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """Pins of the layers that a pattern fits: name and operator as globs, extents in ranges."""

    name: str
    op: str
    where: tuple[Range, ...]
    pins: tuple[Pin, ...]
    span: Span = field(compare=False, repr=False)

    def shown(self) -> str:
        """The pattern as a person reads it."""
        ranges = [f"{r.dim} in {r.low}..{r.high or ''}" for r in self.where]
        parts = [f"name '{self.name}'" if self.name else "", f"op '{self.op}'" if self.op else ""]
        return ", ".join(p for p in (*parts, *ranges) if p) or "this entry"

    def fits(self, layer: PinnedLayer) -> bool:
        """Whether a layer is meant."""
        named = self.name in ("", layer.name) or fnmatchcase(layer.name, self.name)
        kind = self.op in ("", layer.op) or fnmatchcase(layer.op, self.op)
        extents = layer.codelet.extents
        return named and kind and all(_within(extents.get(r.dim), r) for r in self.where)

    def rank(self, name: str) -> int:
        """How specific the pattern is for a layer: the layer's own name, a glob, anything else."""
        return 2 if self.name == name else 1 if self.name else 0


def _within(extent: int | None, wanted: Range) -> bool:
    if extent is None:
        return False
    return wanted.low <= extent and (wanted.high is None or extent <= wanted.high)


@dataclass(frozen=True, slots=True)
class PinnedLayer:
    """What a pattern looks at."""

    op: str
    codelet: Codelet

    @property
    def name(self) -> str:
        """A codelet is named as its layer."""
        return self.codelet.name


@dataclass(frozen=True, slots=True)
class PinFile:
    """Entries of a file in their order."""

    file: str
    entries: tuple[Entry, ...] = ()

    def of_layers(self, layers: Sequence[PinnedLayer]) -> list[tuple[Pin, ...]]:
        """Pins of every layer; an entry that fits none is a mistake (MAP026)."""
        names = [layer.name for layer in layers]
        idle = [
            Diagnostic(
                "MAP026",
                f"no layer fits {entry.shown()}",
                entry.span,
                did_you_mean(entry.name, names) if entry.name else "leave a condition out",
            )
            for entry in self.entries
            if not any(entry.fits(layer) for layer in layers)
        ]
        if idle:
            raise CovenantError(idle)
        return [self.of_layer(layer) for layer in layers]

    def of_layer(self, layer: PinnedLayer) -> tuple[Pin, ...]:
        """Pins of a layer: the more specific entry overrides, of equally specific the later."""
        fitting = [e for e in self.entries if e.fits(layer)]
        found: dict[str, Pin] = {}
        for entry in sorted(fitting, key=lambda e: e.rank(layer.name)):
            found |= {pin.path: pin for pin in entry.pins}
        return tuple(found[path] for path in sorted(found))


NO_PINS = PinFile("")


def broken(pins: Sequence[Pin], mapping: Mapping, codelet: Codelet) -> Iterator[Pin]:
    """The pins that a mapping does not keep. Banks show in addresses and costs only: a pin of
    banks is taken as kept."""
    form = fuse(codelet, mapping.fused)
    for pin in pins:
        if not _kept(pin.decision, mapping, form):
            yield pin


def _kept(decision: Decision, mapping: Mapping, codelet: Codelet) -> bool:
    match decision:
        case FusePin(dims):
            return mapping.fused == dims
        case BindPin():
            return binds(decision, mapping.steps)
        case TilePin(memory, dim, low, high):
            extent = codelet.dim(dim).extent
            loops = [x for x in _loops(mapping, memory) if x[0] == dim]
            tile = loops[0][1] if loops else extent
            return (extent if low is None else low) <= tile <= (extent if high is None else high)
        case OrderPin(memory, dims):
            order = [d for d, _ in _loops(mapping, memory) if d in dims]
            return order == [d for d in dims if d in order]
        case CutPin(operand, memory):
            return all(
                _cut_kept(decision, [x.dim for x in mapping.levels[p.level].loops], p.cut)
                for p in held(mapping, operand, memory)
            )
        case CopiesPin(operand, memory, copies):
            return all(p.copies == copies for p in held(mapping, operand, memory))
        case MemoryPin(operand, memory):
            placed = [p for p in mapping.placements if operand in (p.port, p.tensor)]
            return not placed or any(p.memory == memory for p in placed)
        case AddressPin(operand, memory, addresses):
            return all(p.addresses == addresses for p in held(mapping, operand, memory))
        case BanksPin():
            return True
        case _:
            assert_never(decision)


def _cut_kept(pin: CutPin, loops: Sequence[str], cut: int) -> bool:
    """Loops that follow the cut and do not change the tile may be counted to either side."""
    if set(pin.inside) & set(loops[:cut]):
        return False
    if pin.outside is None:
        return True
    wanted = set(pin.outside)
    return set(loops[:cut]) <= wanted == set(loops[: len(wanted)])


NO_ROWS = NO_TAIL = "none"
"""What a pin of `rows` says when lanes stay in one row, one of `tail` when one shape of the array
takes all positions."""


def binds(pin: BindPin, steps: Sequence[StepBinding]) -> bool:
    """Whether a binding keeps a pin."""
    if pin.step >= len(steps):
        return False
    step = steps[pin.step]
    if pin.part == "node":
        return step.node == pin.value
    if pin.part == "capability":
        return step.capability == pin.value
    if pin.part == "rows":
        return (step.rows or NO_ROWS) == pin.value
    if pin.part == "tail":
        return (step.tail or NO_TAIL) == pin.value
    return dict(step.dims).get(pin.part.removeprefix("dims."), "") == pin.value


def _loops(mapping: Mapping, memory: str) -> list[tuple[str, int]]:
    """Dims and tiles of the level whose tiles a memory holds ("": the outermost), outermost
    first."""
    for level in mapping.levels:
        if not memory or memory in level.memories:
            return [(loop.dim, loop.tile) for loop in level.loops]
    return []


def held(mapping: Mapping, operand: str, memory: str) -> list[Placement]:
    """Placements of an operand in a memory; none for partial sums that are not split."""
    return [
        p for p in mapping.placements if operand in (p.port, p.tensor) and memory in ("", p.memory)
    ]


def _cuts(mapping: Mapping, operand: str, memory: str) -> list[list[str]]:
    """Loops outside the resident tile, per placement."""
    return [
        [loop.dim for loop in mapping.levels[p.level].loops[: p.cut]]
        for p in held(mapping, operand, memory)
    ]


def decided(pin: Pin, mapping: Mapping, codelet: Codelet) -> str:
    """What a mapping decides in place of a pin, as the pin would be written."""
    match pin.decision:
        case BindPin(step):
            parts = " ".join(f"{c}={d}" for c, d in mapping.steps[step].dims)
            return f"{mapping.steps[step].node}.{mapping.steps[step].capability} {parts}".strip()
        case FusePin():
            return f"fused: [{', '.join(mapping.fused)}]"
        case TilePin(memory, dim):
            tiles = dict(_loops(mapping, memory))
            extents = {**codelet.extents, **fuse(codelet, mapping.fused).extents}
            return f"{pin.path}: {tiles.get(dim, extents[dim])}"
        case OrderPin(memory):
            return f"{pin.path}: [{', '.join(d for d, _ in _loops(mapping, memory))}]"
        case CutPin(operand, memory):
            cuts = _cuts(mapping, operand, memory)
            return f"outside: [{', '.join(cuts[0])}]" if cuts else "no buffer"
        case CopiesPin(operand, memory):
            copies = [p.copies for p in held(mapping, operand, memory)]
            return f"{pin.path}: {copies[0]}" if copies else "no buffer"
        case AddressPin(operand, memory):
            at = [a for p in held(mapping, operand, memory) for a in p.addresses]
            return f"{pin.path}: [{', '.join(map(str, at))}]"
        case MemoryPin() | BanksPin():
            return "another one"
        case _ as never:
            assert_never(never)
