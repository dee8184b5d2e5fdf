"""Cycles of a load whose rows are put together from runs of bytes.

In: the register values of a launch with windows. Out: cycles, bursts. RTL: cvn_dma_windows (a cycle
for the part of a run in one chunk, one more for each further beat it lies in), cvn_dma_clip,
cvn_dma_requests (a cycle per run, also per run outside its line).
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from covenant.emit.units import Dma, Registers, strided

Numbers = NDArray[np.int64]


def window_cycles(dma: Dma, registers: Registers) -> tuple[int, int]:
    """Cycles that the words of a job take, and cycles that its requests take."""
    width = dma.transfer.bytes_per_cycle
    bounds = [registers[f"bound[{i}]"] for i in range(dma.loops)]
    size, row_bytes = registers["bytes"], registers.get("run", 1) * dma.word_bytes
    lead, end, first = _clipped(dma, registers, bounds)
    fill = np.tile(np.arange(bounds[0], dtype=np.int64) * size % width, lead.size // bounds[0])
    place = first % width
    cycles = 0
    before = np.zeros_like(lead)
    for part in range(-(-(width - 1 + size) // width)):
        live = width * part - fill < size
        reach = np.minimum(np.minimum(width * (part + 1) - fill, size), end)
        wanted = np.where(reach > lead, -(-(place + reach - lead) // width), 0)
        cycles += int(np.where(live, np.maximum(1, wanted - before), 0).sum())
        before = np.where(live, wanted, before)
    rows = prod(bounds[1:])
    filled = -(-bounds[0] * size // width)
    return cycles + rows * max(0, -(-row_bytes // width) - filled), lead.size


def _clipped(dma: Dma, registers: Registers, bounds: list[int]) -> tuple[Numbers, Numbers, Numbers]:
    """Per run: its first byte inside line and plane, the one behind its last, the address of the
    first."""
    strides = [registers[f"src.stride[{i}]"] for i in range(dma.loops)]
    kinds = ["across", "along", "across", *["other"] * dma.loops]

    def moved(kind: str) -> Numbers:
        own = [s if k == kind else 0 for k, s in zip(kinds, strides, strict=False)]
        return strided(0, bounds, own)

    size, line, plane = registers["bytes"], registers["line"], registers["plane"]
    along, across = registers["at"] + moved("along"), registers["top"] + moved("across")
    lead = np.clip(-along, 0, size)
    reach = np.clip(line - along, 0, size)
    inside = (plane == 0) | ((across >= 0) & (across < plane))
    end = np.where((reach > lead) & inside, reach, lead)
    return lead, end, registers["src.base"] + moved("other") + across + along + lead
