"""How much flows that run at once slow each other down at the banks.

In: the traffic of every flow. Out: the slowness of each, from some hundred cycles of the arbiter
itself: one access per bank and cycle, operands before others, in every 16th cycle the others first,
lanes that hold their beat back first, round robin among equals. RTL: cvn_tcdm, cvn_address_queue,
cvn_gather_fifo, cvn_scatter_fifo, cvn_dma_load, cvn_dma_read_lane.
"""

from __future__ import annotations

from collections.abc import Sequence

from covenant.sim.timing.traffic import (
    NodeTraffic,
    PathTraffic,
    StreamTraffic,
    Traffic,
    conflicts,
)

TICKS = 1024
WARM, SAMPLE = 48, 416
"""Cycles before and at the end of what is measured."""

_ADDRESS_BEATS = 8
_LANE_WORDS, _LANE_ADDRESSES = 4, 2
_TURNS = 16


class Contention:
    """Slowness by the set of flows, remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[Traffic, ...], tuple[int, ...]] = {}
        self.samples = 0

    def slowness(self, flows: Sequence[Traffic]) -> tuple[int, ...]:
        """Ticks of time per TICKS of work for every flow when these run at once."""
        key = tuple(flows)
        found = self._known.get(key)
        if found is None:
            found = (TICKS,) * len(key)
            if conflicts(key):
                self.samples += 1
                found = _sampled(key)
            self._known[key] = found
        return found


class _Lanes:
    """Lanes that make their accesses in order, each on its own, below a common limit."""

    def __init__(self, lanes: tuple[tuple[int, ...], ...], first: int, urgent: bool) -> None:
        self.banks = lanes
        self.beats = len(lanes)
        self.width = len(lanes[0])
        self.first = first
        self.urgent = urgent
        self.taken = [0] * self.width
        self.limit = 0
        self.oldest = 0
        self.held = self.prompt = False
        self.arrived = 0
        self.arriving = 0

    def request(self, banks: dict[int, list[tuple[int, int, _Lanes, int]]]) -> None:
        """Ask for the next word of every lane that may."""
        taken, limit, oldest = self.taken, self.limit, self.oldest
        ahead = self.held and max(taken) > oldest
        for lane in range(self.width):
            at = taken[lane]
            if at >= limit:
                continue
            bank = self.banks[at % self.beats][lane]
            if bank < 0:
                taken[lane] = at + 1
            else:
                entry = (self.first + lane, self.prompt or (ahead and at == oldest), self, lane)
                if bank in banks:
                    banks[bank].append(entry)
                else:
                    banks[bank] = [entry]

    def clock(self) -> None:
        """Words granted in this cycle are there two cycles later."""
        self.oldest = min(self.taken)
        self.arrived, self.arriving = self.arriving, self.oldest


class _Reader(_Lanes):
    def __init__(self, traffic: StreamTraffic, first: int) -> None:
        super().__init__(traffic.lanes, first, traffic.urgent)
        self.traffic = traffic
        self.held = True
        self.prompt = traffic.prompt
        self.issued = 0
        self.consumed = 0

    def move(self) -> None:
        """One more address, as far as queue and FIFO reach."""
        if self.issued < self.oldest + _ADDRESS_BEATS:
            self.issued += 1
        self.limit = min(self.issued, self.consumed + self.traffic.fifo)


class _Writer(_Lanes):
    def __init__(self, traffic: StreamTraffic, first: int) -> None:
        super().__init__(traffic.lanes, first, False)
        self.traffic = traffic
        self.held = True
        self.produced = 0

    @property
    def room(self) -> bool:
        return self.produced - self.oldest < self.traffic.fifo


class _Node:
    """An array with its streams; `work` counts cycles of undisturbed work done."""

    def __init__(self, traffic: NodeTraffic, first: int) -> None:
        self.traffic = traffic
        self.readers: list[_Reader] = []
        self.writer: _Writer | None = None
        for stream in traffic.streams:
            if stream.writes:
                self.writer = _Writer(stream, first)
            else:
                self.readers.append(_Reader(stream, first))
            first += len(stream.lanes[0])
        self.operands = [r for r in self.readers if not r.traffic.tile]
        self.partial = next(
            (r for r in self.readers if r.traffic.tile and not r.urgent and r.traffic.group == 0),
            None,
        )
        self.records = [r for r in self.readers if r.traffic.tile and r.traffic.group > 0]
        self.step = self.phase = self.tiles = 0
        self.leaving = 0
        self.owed = 0
        self.cycles = 0

    @property
    def lanes(self) -> list[_Lanes]:
        return [*self.readers, *([self.writer] if self.writer else [])]

    @property
    def work(self) -> float:
        traffic = self.traffic
        tile = traffic.steps * traffic.step_cycles
        return (self.tiles + (self.step + self.phase / traffic.step_cycles) / traffic.steps) * max(
            tile, traffic.exchange
        )

    def clock(self) -> None:
        for lanes in self.lanes:
            lanes.clock()
        for reader in self.readers:
            reader.move()
        if self.writer is not None:
            self.writer.limit = self.writer.produced
        self._leave()
        self._step()

    def _leave(self) -> None:
        """The output stage goes on with the tile it holds."""
        if not self.leaving:
            return
        writer = self.writer
        if writer is not None and self.leaving <= self.owed:
            if not writer.room:
                return
            partial = self.partial
            if partial is not None:
                if partial.arrived <= partial.consumed:
                    return
                partial.consumed += 1
            writer.produced += 1
            self.owed -= 1
        self.leaving -= 1

    def _step(self) -> None:
        traffic = self.traffic
        for reader in self.operands:
            if reader.arrived <= reader.consumed:
                return
        last = self.step == traffic.steps - 1 and self.phase == traffic.step_cycles - 1
        if last and self.leaving:
            return
        self.phase += 1
        if self.phase < traffic.step_cycles:
            return
        self.phase = 0
        self.step += 1
        for reader in self.operands:
            reader.consumed += 1
        if last:
            self.step = 0
            self.tiles += 1
            self.leaving = traffic.exchange
            self.owed = self.writer.traffic.tile if self.writer else 0
            for record in self.records:
                if self.tiles % record.traffic.group == 0:
                    record.consumed += record.traffic.tile


class _Path:
    """A transfer; `work` counts cycles of undisturbed work done."""

    def __init__(self, traffic: PathTraffic, first: int) -> None:
        self.traffic = traffic
        self.own = _Lanes(traffic.lanes, first, False)
        self.entered = 0
        self.left = 0
        self.credit = 0

    @property
    def lanes(self) -> list[_Lanes]:
        return [self.own]

    @property
    def work(self) -> float:
        moved = self.entered if self.traffic.writes else self.left
        return moved * self.traffic.cycles / self.traffic.beats

    def clock(self) -> None:
        own, traffic = self.own, self.traffic
        own.clock()
        self.credit = min(self.credit + traffic.beats, 2 * traffic.cycles)
        ready = self.credit >= traffic.cycles
        if traffic.writes:
            own.limit = self.entered
            if ready and self._room(_LANE_WORDS):
                self.entered += 1
                self.credit -= traffic.cycles
            return
        own.limit = min(self.entered, self.left + _LANE_WORDS)
        self.entered += self._room(_LANE_ADDRESSES)
        if ready and own.arrived > self.left:
            self.left += 1
            self.credit -= traffic.cycles

    def _room(self, depth: int) -> bool:
        """Whether every lane of the next beat has room for its word or address."""
        beat = self.own.banks[self.entered % self.own.beats]
        taken, entered = self.own.taken, self.entered
        return all(b < 0 or entered - taken[i] < depth for i, b in enumerate(beat))


def _sampled(flows: tuple[Traffic, ...]) -> tuple[int, ...]:
    machines: list[_Node | _Path] = []
    first = 0
    for flow in flows:
        machine = _Node(flow, first) if isinstance(flow, NodeTraffic) else _Path(flow, first)
        machines.append(machine)
        first += sum(lanes.width for lanes in machine.lanes)
    lanes = [each for machine in machines for each in machine.lanes]
    winners: dict[tuple[int, bool], int] = {}
    before = [0.0] * len(flows)
    for cycle in range(WARM + SAMPLE):
        if cycle == WARM:
            before = [machine.work for machine in machines]
        for machine in machines:
            machine.clock()
        banks: dict[int, list[tuple[int, int, _Lanes, int]]] = {}
        for each in lanes:
            each.request(banks)
        for bank, asking in banks.items():
            _, _, winner, lane = (
                asking[0] if len(asking) == 1 else _winner(bank, asking, cycle, winners)
            )
            winner.taken[lane] += 1
            winners[bank, winner.urgent] = winner.first + lane
    done = [machine.work - start for machine, start in zip(machines, before, strict=True)]
    return tuple(max(TICKS, round(TICKS * SAMPLE / max(0.5, work))) for work in done)


def _winner(
    bank: int,
    asking: list[tuple[int, int, _Lanes, int]],
    cycle: int,
    winners: dict[tuple[int, bool], int],
) -> tuple[int, int, _Lanes, int]:
    first_class = cycle % _TURNS != 0
    considered = [a for a in asking if a[2].urgent == first_class] or asking
    considered = [a for a in considered if a[1]] or considered
    last = winners.get((bank, considered[0][2].urgent), -1)
    later = [a for a in considered if a[0] > last] or considered
    return min(later, key=lambda a: a[0])
