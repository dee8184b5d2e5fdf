"""Why a layer has no mapping: the smallest set of lines that cannot all hold, with numbers.

In: a layer that is proven to have no mapping, its pins. Out: a `CovenantError` that names every
memory, stream and pin of a minimal core (shrunk by deletion: without any one of them the others
leave a mapping), what is needed, what there is, and the nearest repair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from covenant.acg.graph import Acg, Memory
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError, Diagnostic, ExitCode
from covenant.mapper.feasibility import Answer, possible, smallest
from covenant.mapper.infeasible import legal_size, needs, scarcest, too_small
from covenant.mapper.mapping import Mapping
from covenant.mapper.pins import Pin, decided
from covenant.mapper.search import Search

_LOOPS = 64
"""Loops of a stream that are enough for any layer."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What has to hold together: pins, streams with as few loops as they have, the size of the
    on-chip memory."""

    pins: tuple[Pin, ...]
    streams: tuple[str, ...] = ()
    capacity: bool = True


class _Layer:
    """Asks whether facts leave a mapping."""

    def __init__(self, codelet: Codelet, acg: Acg, search: Search) -> None:
        self.codelet, self.acg, self.search = codelet, acg, search

    def ask(self, facts: Facts) -> Answer:
        acg = self.with_loops(facts, _LOOPS)
        return possible(
            self.codelet, acg, facts.pins, self.search, capacity=facts.capacity
        )  # fmt: skip

    def with_loops(self, facts: Facts, loops: int) -> Acg:
        """The architecture with more loops in every stream that is no fact."""
        return replace(
            self.acg,
            transfers=tuple(
                t if t.name in facts.streams else replace(t, loops=max(t.loops, loops))
                for t in self.acg.transfers
            ),
        )


def no_mapping(codelet: Codelet, acg: Acg, pins: Sequence[Pin], search: Search) -> CovenantError:
    """The error of a layer that is proven to have no mapping under its pins."""
    layer = _Layer(codelet, acg, search)
    facts = _core(layer, Facts(tuple(pins), tuple(t.name for t in acg.transfers)))
    if facts.capacity and not facts.pins and not facts.streams:
        mapping = smallest(codelet, acg, (), search)
        assert mapping is not None, "a layer needs some size of memory"
        return too_small(codelet, acg, mapping)
    findings = [*_pin_findings(layer, tuple(pins), facts), *_hardware_findings(layer, facts)]
    return CovenantError(findings, ExitCode.INFEASIBLE)


def _core(layer: _Layer, facts: Facts) -> Facts:
    """Leave out one thing after the other for as long as there is still no mapping."""
    for fewer in (replace(facts, streams=()), replace(facts, streams=(), pins=())):
        if layer.ask(fewer).impossible:
            facts = fewer
    for name in facts.streams:
        fewer = replace(facts, streams=tuple(s for s in facts.streams if s != name))
        if layer.ask(fewer).impossible:
            facts = fewer
    for pin in facts.pins:
        fewer = replace(facts, pins=tuple(p for p in facts.pins if p is not pin))
        if layer.ask(fewer).impossible:
            facts = fewer
    fewer = replace(facts, capacity=False)
    return fewer if layer.ask(fewer).impossible else facts


def _pin_findings(layer: _Layer, pins: tuple[Pin, ...], facts: Facts) -> Iterator[Diagnostic]:
    """One finding per pin of the core: what would be decided without it, and what to type."""
    others = len(facts.pins) - 1 + len(facts.streams) + facts.capacity
    repair = _repair(layer, pins, facts)
    for pin in facts.pins:
        without = layer.ask(replace(facts, pins=tuple(p for p in facts.pins if p is not pin)))
        instead = "" if without.mapping is None else decided(pin, without.mapping, layer.codelet)
        parts = [f"layer '{layer.codelet.name}': pin `{pin}` cannot be kept"]
        if others:
            parts.append(f" together with {_others(layer, facts, pin)}")
        if facts.capacity:
            parts.append(f": {_needed(layer, facts)}")
        elif instead:
            parts.append(f"; without it {instead} is possible")
        yield Diagnostic("MAP023", "".join(parts), pin.span, repair)


def _others(layer: _Layer, facts: Facts, pin: Pin) -> str:
    """The rest of the core, each with its line."""
    named = [f"`{p}` ({p.span})" for p in facts.pins if p is not pin]
    named += [f"{n}'s loops ({layer.acg.transfer(n).span})" for n in facts.streams]
    named += [f"the size of '{m.name}' ({m.span})" for m in _memories(layer, facts)]
    return ", ".join(named)


def _memories(layer: _Layer, facts: Facts) -> tuple[Memory, ...]:
    """The memory that is too small."""
    if not facts.capacity:
        return ()
    found = _smallest(layer, facts)
    return layer.acg.on_chip[:1] if found is None else (scarcest(found, layer.acg),)


def _smallest(layer: _Layer, facts: Facts) -> Mapping | None:
    acg = layer.with_loops(facts, _LOOPS)
    return smallest(layer.codelet, acg, facts.pins, layer.search)


def _needed(layer: _Layer, facts: Facts) -> str:
    found = _smallest(layer, facts)
    if found is None:
        return "no size of memory is enough"
    memory = scarcest(found, layer.acg)
    needed, parts = needs(found, memory)
    return f"needs {needed:,} B ({parts}), {memory.name} has {memory.size_bytes:,} B"


def _repair(layer: _Layer, pins: tuple[Pin, ...], facts: Facts) -> str:
    """The smallest memory that works, and a pin whose loss is enough."""
    ways = []
    if facts.capacity:
        found = smallest(layer.codelet, layer.acg, pins, layer.search)
        if found is not None:
            memory = scarcest(found, layer.acg)
            size = legal_size(memory, needs(found, memory)[0])
            ways.append(f"set `memories.{memory.name}.size` to {size} or more")
    whole = Facts(pins, tuple(t.name for t in layer.acg.transfers))
    for pin in facts.pins:
        fewer = replace(whole, pins=tuple(p for p in pins if p is not pin))
        if layer.ask(fewer).mapping is not None:
            ways.append(f"drop pin `{pin.path}` ({pin.span})")
            break
    return ", or ".join(ways) or "drop several of these pins"


def _hardware_findings(layer: _Layer, facts: Facts) -> Iterator[Diagnostic]:
    """The lines of the architecture that are in the core."""
    name = layer.codelet.name
    for memory in _memories(layer, facts) if facts.pins else ():
        message = (
            f"layer '{name}': '{memory.name}' has {memory.size_bytes:,} B, less than the pins need"
        )
        yield Diagnostic("MAP023", message, memory.span, "")
    for stream in facts.streams:
        transfer = layer.acg.transfer(stream)
        loops = next(
            (n for n in range(transfer.loops + 1, _LOOPS) if _enough(layer, facts, stream, n)),
            _LOOPS,
        )
        message = f"layer '{name}' needs {loops} loops of '{stream}', it has {transfer.loops}"
        yield Diagnostic(
            "MAP007", message, transfer.span, f"set `transfers.{stream}.loops` to {loops}"
        )


def _enough(layer: _Layer, facts: Facts, stream: str, loops: int) -> bool:
    others = replace(facts, streams=tuple(s for s in facts.streams if s != stream))
    acg = layer.with_loops(others, _LOOPS)
    limited = replace(
        acg,
        transfers=tuple(replace(t, loops=loops) if t.name == stream else t for t in acg.transfers),
    )
    asked = possible(layer.codelet, limited, facts.pins, layer.search, capacity=facts.capacity)
    return asked.mapping is not None
