"""Lowering for machines whose units run ahead of one another, ordered by semaphores.

In: a mapping of one compute unit and one depth of memories. Out: invocations that wait and post:
per iteration of the loop nest loads that are due, the compute launch, stores that are due. Every
operand has a semaphore for data that is there and one for room that is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

from covenant.acg.control import Control, ControlUnit
from covenant.acg.graph import Acg, Transfer
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import fail
from covenant.emit.groups import unit_of
from covenant.emit.launches import Launcher, Quantities
from covenant.emit.nest import Index, Nest, Sums, changes, partial_sums
from covenant.emit.plan import DramPlan
from covenant.emit.program import Invocation, Operation, Post
from covenant.emit.transfers import Exchanger
from covenant.mapper.candidates import Binding
from covenant.mapper.channels import loader, storer
from covenant.mapper.mapping import Mapping, Placement, Role
from covenant.mapper.operands import Operand, operands, reduction_dims
from covenant.mapper.pieces import pieces_of, remainder_steps
from covenant.mapper.streams import binding_of, job_counts

_WHOLE = Sums(resumes=False, raw=False)

_SCATTERED = 4
"""Beats that a transfer of short rows may take for every beat of data."""


@dataclass(slots=True)
class _Tokens:
    """Semaphores of one operand: `full` when data is there, `free` when it may be overwritten."""

    full: str
    free: str


@dataclass(slots=True)
class _Resident:
    """State of one exchanged operand while iterations go by."""

    placement: Placement
    exchanger: Exchanger
    tokens: _Tokens
    watched: Index
    current: int = -1
    """Number of the exchange in use, from 0."""
    issued: int = 0
    """Exchanges launched so far; one ahead of `current` for an `early` one."""
    early: bool = False
    """Whether loads are launched a whole exchange ahead."""
    written: bool = False

    @property
    def slot(self) -> int:
        """Copy in use."""
        return max(0, self.current) % self.placement.copies

    def issue(self, index: Index) -> list[Invocation]:
        """Launches of the next exchange of an input, for the tile resident at `index`."""
        slot = self.issued % self.placement.copies
        self.issued += 1
        return self.exchanger.exchange(index, slot, (self.tokens.free,), (self.tokens.full,))


@dataclass(slots=True)
class Signalled:
    """Everything that stays fixed while a nest is walked."""

    mapping: Mapping
    codelet: Codelet
    acg: Acg
    regions: DramPlan
    nest: Nest = field(init=False)
    unit: ControlUnit = field(init=False)
    order: dict[str, int] = field(init=False)
    residents: dict[str, _Resident] = field(init=False)
    watched: dict[str, Index] = field(init=False)
    launchers: tuple[Launcher, ...] = field(init=False)
    """One per shape of the array that takes a part of every tile."""
    inputs: list[_Resident] = field(init=False)
    outputs: list[_Resident] = field(init=False)

    def __post_init__(self) -> None:
        control = self.acg.control
        assert control is not None, "lower() refuses an architecture without a control node"
        self.nest = Nest(self.mapping.levels[0].loops, self.codelet.extents)
        self.unit = unit_of((step.node for step in self.mapping.steps), control)
        self.order = {name: i for i, name in enumerate(control.semaphores)}
        found = {o.port: o for o in operands(self.codelet, self.acg, Binding(self.mapping.steps))}
        self.watched = {
            p.port: self.nest.watched(found[p.port].dims, p.cut) for p in self.mapping.placements
        }
        self.residents = {}
        for placement in self.mapping.placements:
            if placement.role is not Role.PARTIAL:
                operand = found[placement.port]
                self.residents[placement.port] = self._resident(placement, operand, control)
        self.inputs = [r for r in self.residents.values() if r.placement.role is not Role.OUTPUT]
        self.outputs = [r for r in self.residents.values() if r.placement.role is Role.OUTPUT]
        self.launchers = tuple(self._launchers(found))

    def _launchers(self, found: dict[str, Operand]) -> Iterator[Launcher]:
        mapping, codelet, acg = self.mapping, self.codelet, self.acg
        pieces = pieces_of(codelet, acg, binding_of(mapping))
        output = next((r.placement.port for r in self.outputs), "")
        for shape in range(1 if pieces is None else 2):
            if shape:
                mapping = replace(mapping, steps=remainder_steps(mapping.steps))
                found = {o.port: o for o in operands(codelet, acg, binding_of(mapping))}
            settings = _settings(mapping, self.unit, acg)
            result = _result(mapping, acg)
            yield Launcher(
                mapping, codelet, acg, self.nest, self.unit, found, output, settings, result,
                pieces, shape,
            )  # fmt: skip

    def _resident(self, placement: Placement, operand: Operand, control: Control) -> _Resident:
        """State of an exchanged operand; loads are spread over channels in the order of ports."""
        loads = placement.role is not Role.OUTPUT
        transfer = (loader if loads else storer)(self.acg, placement.memory)
        units = control.units_of(transfer.name) if transfer else ()
        if transfer is None or not units:
            raise fail(
                "EMI002",
                f"no unit {'fills' if loads else 'empties'} memory '{placement.memory}'",
                control.span,
            )
        before = sum(r.exchanger.transfer == transfer for r in self.residents.values())
        watched = self.watched[placement.port]
        exchanger = Exchanger(
            placement,
            operand,
            self.nest,
            transfer,
            units[before % len(units)],
            self.regions.address(placement.port),
            transfer.granule,
            watched,
        )
        tokens = _tokens(self.unit, placement.port, loads)
        early = self._is_early(placement, transfer, control)
        return _Resident(placement, exchanger, tokens, watched, early=early)

    def blocks(self) -> Iterator[list[Invocation]]:
        """One list of invocations per iteration."""
        sums = partial_sums(self.nest, reduction_dims(self.codelet))
        full = None
        steps = self.nest.iterations()
        here = next(steps, None)
        number = 0
        while here is not None:
            following = next(steps, None)
            changed, index = here
            ahead = following[0] if following else -1
            entry = sums[number] if sums else _WHOLE
            if sums and entry.posts | entry.waits and full is None:
                full = self._partial_token()
            yield self._iteration(changed, index, ahead, entry, full or "")
            here = following
            number += 1

    def _partial_token(self) -> str:
        port = next(p.port for p in self.mapping.placements if p.role is Role.PARTIAL)
        return _first(self.unit, port, "waits")

    def _iteration(
        self, changed: int, index: Index, ahead: int, sums: Sums, partial: str
    ) -> list[Invocation]:
        block: list[Invocation] = []
        waits = [partial] if sums.waits else []
        posts = [partial] if sums.posts else []
        ahead_loads: list[Invocation] = []
        for resident in self.inputs:
            if changes(resident.watched, changed):
                resident.current += 1
                if resident.issued == resident.current:
                    block += resident.issue(index)
                ahead_loads += self._prefetch(resident, index)
                waits.append(resident.tokens.full)
            if changes(resident.watched, ahead):
                posts.append(resident.tokens.free)
        stores: list[Invocation] = []
        for resident in self.outputs:
            if sums.raw:
                continue
            if not resident.written:
                resident.current += 1
                resident.written = True
                waits.append(resident.tokens.free)
            if changes(resident.watched, ahead):
                resident.written = False
                tokens = resident.tokens
                posts.append(tokens.full)
                stores += resident.exchanger.exchange(
                    index, resident.slot, (tokens.full,), (tokens.free,)
                )
        block += self._launch(index, sums, waits, posts)
        return block + ahead_loads + stores

    def _prefetch(self, resident: _Resident, index: Index) -> list[Invocation]:
        """Loads of the tile after the one in use, for an operand that takes long to load."""
        if not resident.early:
            return []
        following = self.nest.following(index, resident.watched[-1])
        return [] if following is None else resident.issue(following)

    def _is_early(self, placement: Placement, transfer: Transfer, control: Control) -> bool:
        """Whether a tile serves as many launches as the command processor runs ahead, and a load
        may take longer than these: the next tile would be asked for only after its slot is free."""
        watched = self.watched[placement.port]
        if placement.copies < 2 or placement.role is Role.OUTPUT or not watched:
            return False
        _, tile = self.nest.tile((0,) * len(self.nest.loops), range(len(self.nest.loops)))
        counts = job_counts(self.mapping, self.codelet, self.acg, tile)
        cycles = counts.steps * counts.tiles * _step_cycles(self.mapping, self.acg)
        period = prod(loop.trips for loop in self.nest.loops[watched[-1] + 1 :])
        latency = self.acg.memory(transfer.source).latency_cycles + transfer.setup_cycles
        load = latency + _SCATTERED * placement.layout.bytes // transfer.bytes_per_cycle
        return period >= control.queue_depth and load > control.queue_depth * cycles

    def _launch(
        self, index: Index, sums: Sums, waits: list[str], posts: list[str]
    ) -> list[Invocation]:
        """Launches of one tile: the first one waits for its data, the last one says that it is
        done."""
        loops = self.nest.loops
        sizes = tuple(
            min(loop.tile, self.nest.extents[loop.dim] - n * loop.tile)
            for loop, n in zip(loops, index, strict=True)
        )
        slots = {port: r.slot for port, r in self.residents.items()}
        where = " ".join(f"{x.dim}={n * x.tile}" for x, n in zip(loops, index, strict=True))
        made = [launcher for launcher in self.launchers if launcher.part(index) is not None]
        return [
            Invocation(
                self.unit.name,
                launcher.quantities(sizes, index, sums),
                launcher.addresses(index, slots, self.watched, sums),
                tuple(sorted(waits, key=self.order.__getitem__)) if launcher is made[0] else (),
                tuple(sorted(posts, key=self.order.__getitem__)) if launcher is made[-1] else (),
                f"compute [{where}]" + (" rest" if launcher.shape else ""),
            )
            for launcher in made
        ]


def check_form(mapping: Mapping, acg: Acg, control: Control) -> None:
    """Raise where more than one compute unit and one depth of memories had to be ordered."""
    unit = {u.name for step in mapping.steps for u in control.units_of(step.node)}
    spilled = [p for p in mapping.placements if p.role is Role.PARTIAL and p.home.bytes]
    for wrong, what in (
        (len(mapping.levels) > 1, f"memories of {len(mapping.levels)} depths"),
        (len(unit) > 1, f"steps on units {' and '.join(sorted(unit))}"),
        (bool(spilled), "partial sums that go off chip"),
    ):
        if wrong:
            raise fail(
                "EMI002",
                f"semaphores of '{acg.name}' order one compute unit and one depth of memories, "
                f"this mapping has {what}",
                control.span,
                "leave out `semaphores`: launches then take effect in program order",
            )


def _first(unit: ControlUnit, port: str, verb: str) -> str:
    """The semaphore a port waits for or posts in the first place."""
    names = (unit.waits if verb == "waits" else unit.posts).get(port, ())
    if not names:
        raise fail(
            "EMI002",
            f"unit '{unit.name}' has no semaphore under {verb} for '{port}'",
            unit.span,
            f"add `{port}: [a semaphore]` to its {verb}",
        )
    return names[0]


def _tokens(unit: ControlUnit, port: str, loads: bool) -> _Tokens:
    waited, posted = _first(unit, port, "waits"), _first(unit, port, "posts")
    return _Tokens(waited, posted) if loads else _Tokens(posted, waited)


def _step_cycles(mapping: Mapping, acg: Acg) -> int:
    step = mapping.steps[0]
    found = next(c for c in acg.compute(step.node).capabilities if c.name == step.capability)
    return found.step_cycles


def _settings(mapping: Mapping, unit: ControlUnit, acg: Acg) -> Quantities:
    """Scalars of all bound steps (0 where a step does not need one) and signedness of operands."""
    first = mapping.steps[0]
    names = [c.name for c in acg.compute(first.node).capabilities]
    values: list[tuple[str, int]] = [("function", names.index(first.capability))]
    for step in mapping.steps:
        capability = next(
            c for c in acg.compute(step.node).capabilities if c.name == step.capability
        )
        given = dict(step.scalars)
        values += [(name, given.get(name, 0)) for name in capability.scalars]
    values += [(f"{p.port}.signed", int(p.dtype.signed)) for p in mapping.placements]
    return tuple((name, value) for name, value in values if unit.register(name) is not None)


def _result(mapping: Mapping, acg: Acg) -> int:
    """Value of `out` for results: 0 without a chained step, else 1 + index of its capability."""
    first, last = mapping.steps[0], mapping.steps[-1]
    if first.node == last.node:
        return 0
    names = [c.name for c in acg.compute(last.node).capabilities]
    return 1 + names.index(last.capability)


def credits_of(residents: dict[str, _Resident], control: Control) -> list[Operation]:
    """Initial credits: every copy of a buffer is free."""
    copies = {r.tokens.free: r.placement.copies for r in residents.values()}
    rounds = range(max(copies.values(), default=0))
    free = [tuple(n for n in control.semaphores if copies.get(n, 0) > i) for i in rounds]
    return [Post(names) for names in free]
