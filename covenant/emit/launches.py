"""Invocations of a compute unit: one launch per tile of the innermost loops.

In: a mapping, its operands and streams (`mapper.streams`). Out: register quantities and
addresses of one launch. Quantities depend on the tile's size only; equal tiles share them.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, field

from covenant.acg.control import ControlUnit
from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import fail
from covenant.emit import dma
from covenant.emit.nest import Index, Nest, Sums
from covenant.emit.program import Address
from covenant.mapper.mapping import Mapping, Placement, Role
from covenant.mapper.operands import Operand
from covenant.mapper.pieces import Part, Pieces
from covenant.mapper.placement import granule
from covenant.mapper.streams import job_counts, pattern

Quantities = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Launcher:
    """Register values of the launches of one compute unit."""

    mapping: Mapping
    codelet: Codelet
    acg: Acg
    nest: Nest
    unit: ControlUnit
    operands: dict[str, Operand]
    output: str
    """Port that carries results; partial sums leave through its stream."""
    settings: Quantities
    """Scalars and signedness: equal in all launches."""
    result: int
    """Value of `out` for a finished result."""
    pieces: Pieces | None = None
    """How two shapes of the array share a tile, None where one takes it all."""
    shape: int = 0
    """Which of the shapes it launches."""
    quantities_of: dict[tuple[object, ...], Quantities] = field(default_factory=dict)
    offsets: dict[tuple[object, ...], int] = field(default_factory=dict)

    def part(self, index: Index) -> Part | None:
        """What it launches of the tile at `index`, None for nothing."""
        _, tile = self.nest.tile(index, range(len(self.nest.loops)))
        return Part({}, tile) if self.pieces is None else self.pieces.part(tile, self.shape)

    def streams(self, sums: Sums) -> list[tuple[str, str]]:
        """(register prefix, port whose buffer it addresses) of the streams of one launch."""
        found = []
        for placement in self.mapping.placements:
            if placement.role is Role.PARTIAL:
                if sums.resumes:
                    found.append((placement.port, placement.port))
                if sums.raw:
                    found.append((self.output, placement.port))
            elif placement.port != self.output or not sums.raw:
                found.append((placement.port, placement.port))
        return found

    def quantities(self, sizes: Index, index: Index, sums: Sums) -> Quantities:
        """Everything but base addresses."""
        key = (sizes, sums.resumes, sums.raw)
        known = self.quantities_of.get(key)
        if known is None:
            known = self.quantities_of[key] = tuple(self._values(index, sums))
        return known

    def _values(self, index: Index, sums: Sums) -> Iterator[tuple[str, int]]:
        part = self.part(index)
        assert part is not None
        for prefix, port in self.streams(sums):
            yield from self._stream(prefix, port, part)
        tile = self._whole_beats(part.tile)
        counts = job_counts(self.mapping, self.codelet, self.acg, tile, part.short)
        controls = (
            ("steps", counts.steps),
            ("tiles", counts.tiles),
            ("reuse", counts.reuse),
            *self.settings,
            ("resume", int(sums.resumes)),
            ("out", 0 if sums.raw else self.result),
        )
        yield from ((n, v) for n, v in controls if self.unit.register(n) is not None)

    def _whole_beats(self, tile: Map[str, int]) -> dict[str, int]:
        """The tile with packed dims of inputs rounded up to what one beat delivers."""
        rounded = dict(tile)
        for operand in self.operands.values():
            inputs = operand.role in (Role.INPUT, Role.CONSTANT) and operand.packed in tile
            if inputs and not operand.record_bytes:
                whole = granule(operand, self.acg.memory(operand.memory).word_bytes)
                rounded[operand.packed] = -(-tile[operand.packed] // whole) * whole
        return rounded

    def _stream(self, prefix: str, port: str, part: Part) -> Iterator[tuple[str, int]]:
        if prefix == self.output:
            check_width(self.operands[port], self.acg, self.unit)
        shape = pattern(self.mapping, self.codelet, self.acg, port, part.tile, short=part.short)
        loops = 0
        while self.unit.register(f"{prefix}.bound[{loops}]") is not None:
            loops += 1
        if len(shape.bounds) > loops:
            raise fail(
                "EMI005",
                f"stream '{prefix}' needs {len(shape.bounds)} loops for a tile of {port}, unit "
                f"'{self.unit.name}' has {loops}",
                self.unit.span,
            )
        optional = [("lane_stride", shape.lane_stride), ("word_stride", shape.word_stride)]
        masked = shape.tail_lanes >= 0
        if masked or shape.row_lanes:
            optional.append(("tail_loop", shape.tail_loop))
        optional.append(("tail_lanes", shape.tail_lanes if masked else self._no_mask(prefix, port)))
        optional.append(("row_lanes", shape.row_lanes))
        if shape.row_lanes:
            optional += [("row_step", shape.row_step), ("row_jump", shape.row_jump)]
        for name, value in optional:
            if self.unit.register(f"{prefix}.{name}") is not None:
                yield (f"{prefix}.{name}", value)
        for i in range(loops):
            used = i < len(shape.bounds)
            yield (f"{prefix}.bound[{i}]", shape.bounds[i] if used else 1)
            if used:
                yield (f"{prefix}.stride[{i}]", shape.strides[i])

    def _no_mask(self, prefix: str, port: str) -> int:
        """At least all lanes: the value after a program start where that says so."""
        register = self.unit.register(f"{prefix}.tail_lanes")
        return max(register.reset if register else 0, self.operands[port].lanes)

    def addresses(
        self, index: Index, slots: dict[str, int], watched: dict[str, Index], sums: Sums
    ) -> tuple[Address, ...]:
        """Base of every stream of the launch at `index`; `watched`: loops outside each resident."""
        found = []
        for prefix, port in self.streams(sums):
            placement = self.mapping.placement(port)
            slot = slots.get(port, 0)
            base = placement.addresses[slot] + self._offset(placement, index, watched[port])
            found.append(Address(f"{prefix}.base", base, port, slot))
        return tuple(found)

    def _offset(self, placement: Placement, index: Index, watched: Index) -> int:
        """Bytes from the start of the resident tile to the tile of this launch."""
        inside = tuple(0 if i in watched else n for i, n in enumerate(index))
        part = self.part(index)
        assert part is not None
        key = (placement.port, inside, tuple(part.origin.items()))
        known = self.offsets.get(key)
        if known is None:
            origin, _ = self.nest.tile(inside, range(len(self.nest.loops)))
            origin = {dim: at + part.origin.get(dim, 0) for dim, at in origin.items()}
            axes = self.operands[placement.port].indices
            at = tuple(axis.evaluate(origin) - axis.constant for axis in axes)
            known = self.offsets[key] = dma.offset(placement.layout, at)
        return known


def check_width(operand: Operand, acg: Acg, unit: ControlUnit) -> None:
    """Raise where results of a reduction in the node would be written as parts of words."""
    beat = operand.beat[-1][1] * operand.dtype.bytes
    word = acg.memory(operand.memory).word_bytes
    if beat < word:
        raise fail(
            "EMI005",
            f"'{operand.port}' leaves in pieces of {beat} bytes, '{operand.memory}' is written in "
            f"words of {word}",
            acg.transfer(operand.stream).span,
            f"give '{operand.packed}' of unit '{unit.name}' more elements per step, or "
            f"'{operand.memory}' narrower words",
        )
