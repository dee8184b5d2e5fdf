"""What each mechanism of the cluster is worth: workloads with all of them, and with one left out.

In: an architecture with its settings. Out: `Variant`s, each a change of the architecture, of the
mapping or of the workload; and the table of their cycles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import geometric_mean
from typing import Any

from covenant.acg.reader import read_architecture
from measure import Measurement, Setup
from workloads import LAYERS, STREAMED, Gemm, Workload

ALL = ""
"""Name of the variant that leaves nothing out."""

ABLATED = (
    "bert_scores",
    "mbv2_384_96_at_14",
    "r50_l1_1x1_up",
    "r18_l2_3x3",
    "r18_l2_3x3s2",
    "bert_qkvo",
    "streamed_256x256x768",
)
"""Workloads of the table: short and long, convolutions and products of matrices."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A mechanism left out: what changes. single_buffers: one copy of every buffer. int32: results
    leave as sums of 32 bits; whoever scales them is not counted."""

    name: str
    settings: tuple[tuple[str, str], ...] = ()
    single_buffers: bool = False
    int32: bool = False

    def setup(self, base: Setup) -> Setup:
        """Where it is measured."""
        settings = (*base.settings, *self.settings)
        return replace(base, settings=settings, single_buffers=self.single_buffers)

    def workload(self, given: Workload) -> Workload | None:
        """What it runs under a name of its own; None when the workload does not use the
        mechanism."""
        shape = given.shape
        if self.int32:
            if not isinstance(shape, Gemm):
                return None
            shape = replace(shape, result="int32")
        return Workload(variant_name(given.name, self.name), given.network, shape)


def variant_name(workload: str, variant: str) -> str:
    """Name of a workload under a variant."""
    return f"{workload} without {variant}" if variant else workload


def variants(setup: Setup) -> tuple[Variant, ...]:
    """Every mechanism by itself. Settings: of the memory next to the array, of the control
    node."""
    acg = read_architecture(setup.arch, dict(setup.settings))
    near = acg.on_chip[-1]
    return (
        Variant(ALL),
        Variant("double buffering", single_buffers=True),
        Variant("bank groups", ((f"{near.name}.bank_group", "0"),)),
        Variant("shadow registers", (("control.stall", "write"),)),
        Variant("job queue", (("control.stall", "launch"),)),
        Variant("chaining", int32=True),
        Variant("run-ahead", (("control.stall", "barrier"),)),
    )


def ablated() -> Iterator[Workload]:
    """The workloads of the table, in its order."""
    known = {w.name: w for w in (*LAYERS, *(row.workload for row in STREAMED))}
    yield from (known[name] for name in ABLATED)


def table_f(found: Mapping[str, Measurement]) -> list[dict[str, Any]]:
    """Cycles of every workload with everything, and how much longer it takes without each
    mechanism."""
    rows: list[dict[str, Any]] = []
    names = sorted({_split(name)[1] for name in found} - {ALL}, key=_order(found))
    for name in names:
        pairs = {
            w: (found[w], found[variant_name(w, name)]) for w in ABLATED if _both(found, w, name)
        }
        factors = {w: round(m.cycles / base.cycles, 4) for w, (base, m) in pairs.items()}
        cycles = {w: m.cycles for w, (_, m) in pairs.items()}
        mismatches = sum(m.mismatches for _, m in pairs.values())
        rows.append(
            {
                "without": name,
                "cycles": cycles,
                "factors": factors,
                "geomean": round(geometric_mean(factors.values()), 4) if factors else None,
                "mismatches": mismatches,
            }
        )
    whole = {w: found[w].cycles for w in ABLATED if w in found and found[w].cycles}
    return [{"without": "nothing", "cycles": whole, "factors": {}, "geomean": 1.0}, *rows]


def _split(name: str) -> tuple[str, str]:
    workload, _, variant = name.partition(" without ")
    return workload, variant


def _order(found: Mapping[str, Measurement]) -> Any:
    places = {variant: i for i, (_, variant) in enumerate(map(_split, found))}
    return places.__getitem__


def _both(found: Mapping[str, Measurement], workload: str, variant: str) -> bool:
    pair = [found.get(workload), found.get(variant_name(workload, variant))]
    return all(m is not None and m.cycles for m in pair)
