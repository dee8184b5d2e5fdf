"""Ours against ZigZag's search and against Gemmini's hand rule, every pair by the same cost.

In: layers solved on the Gemmini-like core. Out: JSON-ready rows; ratios above 1 are in our favour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import geometric_mean
from typing import Any

from covenant.acg.graph import Acg
from covenant.core.diagnostics import CovenantError
from covenant.mapper import cost
from covenant.mapper.mapping import Mapping
from covenant.mapper.objective import Objective, Term
from covenant.mapper.pins import Pin
from covenant.mapper.solve import solve
from gemmini_rule import Core, hand_dram_bytes, hand_tiles
from mapper_choice import chosen
from mapper_layers import PUBLISHED, Target
from mapper_peer import Order, Peer, fixed_job, job, run
from mapper_pins import peer_pins, tile_pins
from mapper_solve import Solved, architecture, codelet_of
from workloads import Conv, Gemm, Workload

Row = dict[str, Any]
Tell = Callable[[str], None]

PEER_MEMORY = "scratchpad"
"""The memory of inputs and weights whose size the peer's core takes over."""


@dataclass(frozen=True, slots=True)
class Match:
    """A layer with our mapping of it."""

    workload: Workload
    target: Target
    solved: Solved
    time_limit: float
    seed: int

    @property
    def acg(self) -> Acg:
        """The machine."""
        return architecture(self.target)

    def pinned(self, pins: tuple[Pin, ...], *, even: bool = False) -> Mapping | None:
        """The best mapping that keeps the pins (and has no tails), None when none fits."""
        try:
            return solve(
                codelet_of(self.workload),
                self.acg,
                objective=Objective((Term(self.solved.objective),)),
                pins=pins,
                time_limit_seconds=self.time_limit,
                seed=self.seed,
                even=even,
            )
        except CovenantError:
            return None

    def scored(self, pins: tuple[Pin, ...] | None) -> cost.Cost | None:
        """Cost of that mapping."""
        mapping = None if pins is None else self.pinned(pins)
        if mapping is None:
            return None
        return cost.evaluate(mapping, codelet_of(self.workload), self.acg)

    def even(self) -> Mapping:
        """Our best mapping without tails; that of all where none fits."""
        mapping = self.solved.mapping
        assert mapping is not None
        codelet = codelet_of(self.workload)
        if all(codelet.extents[x.dim] % x.tile == 0 for x in mapping.levels[0].loops):
            return mapping
        return self.pinned((), even=True) or mapping


def zigzag_rows(matches: Sequence[Match], python: str, tell: Tell) -> Iterator[Row]:
    """Each layer by both cost functions; the published figure where the peer is not there."""
    matches = [m for m in matches if m.solved.mapping is not None]
    if not python:
        yield from (_published(m) for m in matches if m.workload.name in PUBLISHED)
        return
    searches = [
        job(m.workload, m.acg.memory(PEER_MEMORY).size_bytes, m.solved.objective) for m in matches
    ]
    fixed = []
    for match, search in zip(matches, searches, strict=True):
        codelet = codelet_of(match.workload)
        fixed.append(fixed_job(search, match.workload, match.even(), codelet, match.acg))
    ours = list(run(python, fixed))
    peers = run(python, searches)
    for match, search, theirs, by_peer in zip(matches, searches, peers, ours, strict=True):
        row = _versus(match, theirs, by_peer)
        if "by_peer" in row:
            row["chosen"] = _chosen(match, search, row["by_peer"], python)
        tell(f"zigzag {match.solved.objective} {match.workload.name}: {row.get('by_peer', row)}")
        yield row


def _value(objective: str, cycles: int, microjoules: float) -> float:
    return float(cycles) if objective == "latency" else microjoules


def _head(match: Match) -> Row:
    s = match.solved
    ours = _value(s.objective, s.latency, s.energy_femtojoules / 1e9)
    return {
        "name": s.name,
        "target": s.target,
        "objective": s.objective,
        "ours_by_cost": ours,
        "cpu_seconds": s.cpu_seconds,
    }


def _published(match: Match) -> Row:
    known = PUBLISHED[match.workload.name]
    theirs = _value(match.solved.objective, known.cycles, known.microjoules)
    return _head(match) | {"published": theirs, "published_seconds": known.seconds}


def _versus(match: Match, theirs: Peer, by_peer: Peer) -> Row:
    """Both costs of both mappings."""
    row = _head(match)
    if theirs.error or by_peer.error:
        return row | {"error": theirs.error or by_peer.error}
    objective = match.solved.objective
    searched = _value(objective, theirs.cycles, theirs.microjoules)
    fed = _value(objective, by_peer.cycles, by_peer.microjoules)
    pins = peer_pins(match.workload, theirs, codelet_of(match.workload))
    spent = match.scored(pins)
    row |= {
        "peer_version": theirs.version,
        "peer_cpu_seconds": theirs.seconds,
        "by_peer": {"theirs": searched, "ours": fed, "ratio": searched / fed},
        "parts": {"theirs": _parts(objective, theirs), "ours": _parts(objective, by_peer)},
        "by_cost": None,
    }
    if spent is not None:
        value = _value(objective, spent.latency, spent.energy_femtojoules / 1e9)
        ratio = value / row["ours_by_cost"]
        row["by_cost"] = {"theirs": value, "ours": row["ours_by_cost"], "ratio": ratio}
    return row


def _chosen(match: Match, search: Row, by_peer: Row, python: str) -> Row:
    """That of our feasible mappings which costs the peer least, and what `cost.py` says of it; our
    optimum where it costs the peer no more than its own."""
    objective = match.solved.objective
    row = {"theirs": by_peer["theirs"], "ours": by_peer["ours"], "tiles": None, "by_cost": None}
    found = None
    if by_peer["ratio"] < 1:
        ask = partial(_asked, python, search)
        found = chosen(match.workload, match.even(), match.acg, match.pinned, ask)
    if found is not None:
        mapping, peer = found
        spent = cost.evaluate(mapping, codelet_of(match.workload), match.acg)
        value = _value(objective, peer.cycles, peer.microjoules)
        if value < row["ours"]:
            tiles = {x.dim: x.tile for x in mapping.levels[0].loops}
            by_cost = _value(objective, spent.latency, spent.energy_femtojoules / 1e9)
            row |= {"ours": value, "tiles": tiles, "by_cost": by_cost}
    return row | {"ratio": row["theirs"] / row["ours"]}


def _asked(python: str, search: Row, orders: Sequence[Order]) -> Peer:
    """The peer's best of these orders."""
    (found,) = run(python, [search | {"orderings": [[list(x) for x in order] for order in orders]}])
    return found


def _parts(objective: str, peer: Peer) -> dict[str, float]:
    """What the peer's cost is the sum of."""
    return peer.cycle_parts if objective == "latency" else peer.microjoule_parts


def versus_summary(rows: Sequence[Row]) -> list[Row]:
    """Per machine and objective: geometric means and least ratios of both costs; how often ours is
    worse."""
    found = []
    for target, objective in dict.fromkeys((r["target"], r["objective"]) for r in rows):
        part = [r for r in rows if (r["target"], r["objective"]) == (target, objective)]
        made: Row = {"target": target, "objective": objective, "layers": len(part)}
        for key in ("by_peer", "chosen", "by_cost"):
            ratios = [r[key]["ratio"] for r in part if r.get(key)]
            made[key] = {
                "compared": len(ratios),
                "geomean_ratio": geometric_mean(ratios) if ratios else None,
                "least_ratio": min(ratios, default=None),
                "worse": sum(r < 1 - 1e-9 for r in ratios),
            }
        timed = [
            r["peer_cpu_seconds"] / r["cpu_seconds"] for r in part if r.get("peer_cpu_seconds")
        ]
        found.append(made | {"seconds_ratio": geometric_mean(timed) if timed else None})
    return found


# --- the hand rule --------------------------------------------------------------------------------


def as_gemm(workload: Workload) -> tuple[int, int, int] | None:
    """M, N, K of a GEMM or of a convolution that is one; None otherwise."""
    match workload.shape:
        case Gemm(m, n, k):
            return m, n, k
        case Conv(channels, size, filters, 1, 1):
            return size * size, filters, channels
    return None


def hand_rows(matches: Sequence[Match], tell: Tell) -> Iterator[Row]:
    """DRAM bytes of the rule as its library moves them, and its tiles scored by our cost; ours of
    the same objective."""
    for match in matches:
        sizes = as_gemm(match.workload)
        if sizes is None or match.solved.mapping is None:
            continue
        m, n, k = sizes
        core = _core(match.acg)
        tiles = hand_tiles(m, n, k, core)
        codelet = codelet_of(match.workload)
        rows, columns, depth = _gemm_dims(match.workload)
        pins = tile_pins(
            {
                rows: tiles.rows * core.side,
                columns: tiles.columns * core.side,
                depth: tiles.depth * core.side,
            },
            (rows, columns, depth),
            codelet,
        )
        spent = match.scored(pins)
        s = match.solved
        yield {
            "name": s.name,
            "target": s.target,
            "objective": s.objective,
            "tiles": [tiles.rows, tiles.columns, tiles.depth],
            "compulsory_bytes": m * k + k * n + m * n,
            "rule_bytes": hand_dram_bytes(m, n, k, core),
            "rule_by_cost": None if spent is None else [spent.dram_bytes, spent.latency],
            "ours": [s.dram_bytes, s.latency],
        }
        tell(f"rule {s.objective} {s.name}")


def _gemm_dims(workload: Workload) -> tuple[str, str, str]:
    return ("m", "n", "k") if isinstance(workload.shape, Gemm) else ("ox", "oc", "c")


def _core(acg: Acg) -> Core:
    """Rows of the two memories, as the rule counts them."""
    scratchpad, sums = acg.memory(PEER_MEMORY), acg.memory("accumulator")
    return Core(
        scratchpad.word_bytes,
        scratchpad.size_bytes // scratchpad.word_bytes,
        sums.size_bytes // sums.word_bytes,
    )
