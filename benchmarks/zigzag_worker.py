"""Runs in the peer's own Python: layers on the Gemmini-like core through ZigZag's API.

In: a JSON list of jobs on stdin: name, objective, scratchpad_bytes, loops (dim -> extent), stride
(of both output dims, 0 for a GEMM), spatial (dims on the sides of the array), swapped (inputs stay
in the array, weights stream), orderings (of loops, each innermost first, of which the best counts;
or null to let LOMA search all). Out: one JSON line per job: cycles and picojoules with the parts
they are the sum of, seconds on the wall and on the processor, loops of every operand per memory,
innermost first.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from zigzag.api import get_hardware_performance_zigzag
from zigzag.datatypes import LayerDim
from zigzag.opt.loma.engine import LomaEngine, NoValidLoopOrderingFoundException
from zigzag.opt.loma.memory_allocator import (
    MemoryHierarchyTooSmallException,
    MemoryTooSmallException,
)

Tree = dict[str, Any]

ARRAY = 16

_FAILURES = (
    NoValidLoopOrderingFoundException,
    MemoryHierarchyTooSmallException,
    MemoryTooSmallException,
    ValueError,
    KeyError,
    AssertionError,
)


def _port(name: str, kind: str, bits: int, *uses: str) -> Tree:
    return {
        "name": name,
        "type": kind,
        "bandwidth_min": bits,
        "bandwidth_max": bits,
        "allocation": list(uses),
    }


def _memory(bits: int, read: float, write: float, served: list[str], *ports: Tree) -> Tree:
    uses = [use for port in ports for use in port["allocation"]]
    operands = list(dict.fromkeys(use.split(",")[0] for use in uses))
    return {
        "size": bits,
        "r_cost": read,
        "w_cost": write,
        "area": 0.0,
        "latency": 1,
        "operands": operands,
        "ports": list(ports),
        "served_dimensions": served,
    }


def core(scratchpad_bytes: int) -> Tree:
    """The core of targets table F: weights in two registers per element, inputs and weights in one
    scratchpad, sums in an accumulator memory; energies in pJ per access."""
    both = ["D1", "D2"]
    return {
        "name": "weight_stationary_16x16",
        "memories": {
            "weights": _memory(
                16,
                0.01,
                0.01,
                [],
                _port("r_port_1", "read", 8, "I2, tl"),
                _port("w_port_1", "write", 8, "I2, fh"),
            ),
            "accumulator": _memory(
                8 * 64 * 1024,
                24.0,
                28.0,
                both,
                _port("r_port_1", "read", 512, "O, tl", "O, th"),
                _port("w_port_1", "write", 512, "O, fh", "O, fl"),
            ),
            "scratchpad": _memory(
                8 * scratchpad_bytes,
                14.0,
                16.0,
                both,
                _port("r_port_1", "read", 128, "I1, tl"),
                _port("r_port_2", "read", 128, "I2, tl"),
                _port("w_port_1", "write", 128, "I1, fh", "I2, fh"),
            ),
            "dram": _memory(
                10**11,
                1400.0,
                1500.0,
                both,
                _port("r_port_1", "read", 128, "I1, tl", "I2, tl", "O, tl", "O, th"),
                _port("w_port_1", "write", 128, "I1, fh", "I2, fh", "O, fh", "O, fl"),
            ),
        },
        "operational_array": {
            "unit_energy": 0.2,
            "unit_area": 1.0,
            "dimensions": both,
            "sizes": [ARRAY, ARRAY],
            "input_precision": [8, 8],
        },
    }


def workload(loops: dict[str, int], stride: int) -> list[Tree]:
    """One layer with int32 sums and int8 results."""
    layer: Tree = {
        "id": 0,
        "name": "layer",
        "loop_dims": list(loops),
        "loop_sizes": list(loops.values()),
        "operand_precision": {"O": 32, "O_final": 8, "W": 8, "I": 8},
        "operand_source": {"I": 0, "W": 0},
    }
    if stride:
        layer["operator_type"] = "Conv"
        layer["equation"] = "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]"
        layer["dimension_relations"] = [f"i{a}={stride}*o{a}+1*f{a}" for a in "xy"]
    else:
        layer["operator_type"] = "Gemm"
        layer["equation"] = "O[b][k]+=I[b][c]*W[c][k]"
    return [layer]


def binding(spatial: list[str], swapped: bool) -> list[Tree]:
    """A dim of the result on one side of the array, one of the reduction on the other."""
    kept, streamed = ("I", "W") if swapped else ("W", "I")
    found: Tree = {
        "name": "default",
        "spatial_mapping": {f"D{i}": [f"{d}, {ARRAY}"] for i, d in enumerate(spatial, 1) if d},
        "memory_operand_links": {"O": "O", kept: "I2", streamed: "I1"},
    }
    return [found]


@contextlib.contextmanager
def orders(orderings: list[list[list[Any]]] | None) -> Iterator[None]:
    """LOMA allocates and scores these orders of loops instead of all that it would make."""
    searched = LomaEngine.ordering_generator

    def given(_: LomaEngine) -> Iterator[list[tuple[LayerDim, int]]]:
        return ([(LayerDim(dim), size) for dim, size in loops] for loops in orderings or ())

    if orderings is not None:
        LomaEngine.ordering_generator = given
    try:
        yield
    finally:
        LomaEngine.ordering_generator = searched


def run(job: Tree, folder: Path) -> Tree:
    """Cost of one layer: of the best mapping found, or of the given order of loops."""
    files = {
        "core": core(job["scratchpad_bytes"]),
        "layer": workload(job["loops"], job["stride"]),
        "mapping": binding(job["spatial"], job["swapped"]),
    }
    paths = {}
    for name, tree in files.items():
        paths[name] = folder / f"{name}.yaml"
        paths[name].write_text(yaml.safe_dump(tree, sort_keys=False))
    started, busy = time.perf_counter(), time.process_time()
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], orders(job["orderings"]):
        energy, cycles, found = get_hardware_performance_zigzag(
            str(paths["layer"]),
            str(paths["core"]),
            str(paths["mapping"]),
            opt=job["objective"],
            dump_folder=str(folder / "out"),
            loma_show_progress_bar=False,
        )
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    best = found[0][1][0][0]
    nest = best.temporal_mapping.mapping_dic_origin
    far = {str(op): float(levels[-1]) for op, levels in best.mem_energy_breakdown.items()}
    return {
        "name": job["name"],
        "objective": job["objective"],
        "scratchpad_bytes": job["scratchpad_bytes"],
        "cycles": int(cycles),
        "picojoules": float(energy),
        "cycle_parts": {
            "steps": float(best.ideal_temporal_cycle),
            "stalls": float(best.stall_slack_comb),
            "first loads": float(best.data_onloading_cycle),
            "last stores": float(best.data_offloading_cycle),
        },
        "picojoule_parts": far | {"on chip": float(energy) - sum(far.values())},
        "seconds": seconds,
        "cpu_seconds": cpu,
        "version": version("zigzag-dse"),
        "nest": {
            str(operand): [[[str(dim), int(size)] for dim, size in level] for level in levels]
            for operand, levels in nest.items()
        },
    }


def main() -> None:
    """Run all jobs."""
    logging.disable(logging.CRITICAL)
    for job in json.load(sys.stdin):
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = run(job, Path(folder))
            except _FAILURES as error:
                found = {"name": job["name"], "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
