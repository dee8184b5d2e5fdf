"""Line and toggle coverage of the RTL under random layers: `python tests/rtl/coverage.py [LAYERS]`.

Compiled random layers run on one cluster built with Verilator's coverage, some with a DRAM that
stalls and answers late. Prints covered and all points per module. A line point is a branch or block
of the source, a toggle point one direction of one bit; parameters make some of them unreachable.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from covenant import pipeline  # noqa: E402
from covenant.acg.graph import Acg  # noqa: E402
from covenant.acg.reader import read_architecture  # noqa: E402
from covenant.mapper.cost import evaluate  # noqa: E402
from covenant.mapper.solve import solve  # noqa: E402
from covenant.report.results import MappedLayer  # noqa: E402
from covenant.sim.cluster import Cluster, DramTiming  # noqa: E402
from onnx_nodes import random_layer  # noqa: E402
from reference_runs import lowered  # noqa: E402

STALLING = DramTiming(jitter_cycles=30, stall_permille=300)


@dataclass
class Points:
    """Coverage points of one module: how many were reached, and how many there are."""

    lines: int = 0
    lines_reached: int = 0
    toggles: int = 0
    toggles_reached: int = 0


def parse(text: str) -> dict[str, Points]:
    """Points by module from a coverage file: a point counts as reached if any instance did."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for entry in text.splitlines():
        if not entry.startswith("C '"):
            continue
        key, _, count = entry[3:].rpartition("' ")
        fields = dict(part.partition("\x02")[::2] for part in key.split("\x01") if part)
        page = fields["page"]
        place = (fields["f"], fields["l"] + ":" + fields.get("n", "") + fields.get("o", ""), page)
        counts[place] += int(count)
    found: dict[str, Points] = defaultdict(Points)
    for (file, _, page), count in counts.items():
        points = found[Path(file).stem]
        if page.startswith("v_toggle"):
            points.toggles += 1
            points.toggles_reached += count > 0
        else:
            points.lines += 1
            points.lines_reached += count > 0
    return dict(found)


def measure(acg: Acg, layers: int) -> dict[str, Points]:
    """Coverage after random layers 0 to `layers` - 1 on one cluster."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Cluster(acg, dram_bytes=1 << 20, coverage=True, optimise="-O1") as cluster:
            for seed in range(layers):
                case = random_layer(seed)
                model, (layer,) = lowered(case, folder)
                mapping = solve(layer.codelet, acg)
                cost = evaluate(mapping, layer.codelet, acg)
                mapped = MappedLayer(model.layers[0], layer, mapping, cost)
                image = pipeline.compile_layer(mapped, acg).image
                seen = {
                    n: v.apply(case.inputs[v.source])
                    for n, v in layer.views.items()
                    if v.source in case.inputs
                }
                image.write_constants(cluster.dram)
                if seen:
                    image.write_inputs(cluster.dram, seen)
                cluster.load_program(image.words)
                cluster.set_timing(STALLING if seed % 2 else DramTiming())
                cluster.run()
            cluster.write_coverage(folder / "coverage.dat")
        return parse((folder / "coverage.dat").read_text())


def main() -> int:
    """Measure and print."""
    layers = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    found = measure(read_architecture("snax"), layers)
    table = Table("module", "lines", "", "toggles", "", box=None)
    totals = Points()
    for module, points in sorted(found.items()):
        table.add_row(module, *_shares(points))
        totals.lines += points.lines
        totals.lines_reached += points.lines_reached
        totals.toggles += points.toggles
        totals.toggles_reached += points.toggles_reached
    table.add_row("all", *_shares(totals))
    Console().print(f"coverage of the cluster after {layers} random layers", table, sep="\n")
    return 0


def _shares(points: Points) -> tuple[str, str, str, str]:
    pairs = (points.lines_reached, points.lines), (points.toggles_reached, points.toggles)
    cells = []
    for reached, of in pairs:
        cells += [f"{reached:,} of {of:,}", f"{reached / of:.1%}" if of else "-"]
    return cells[0], cells[1], cells[2], cells[3]


if __name__ == "__main__":
    sys.exit(main())
