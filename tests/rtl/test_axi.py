"""The cluster's AXI4 port against an independent model of the bus and its memory (cocotbext-axi).

Compiled layers run on the RTL under cocotb, without and with random pauses on all five channels.
Results must equal the integer reference and nothing else in memory may change.
"""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cocotb_tools.config
import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from cluster_runs import Compiled
from covenant import pipeline
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.mapper.cost import evaluate
from covenant.mapper.solve import solve
from covenant.report.results import MappedLayer
from covenant.sim.cluster import cluster_headers, cluster_sources
from covenant.sim.verilator import find_compiler, verilator_root
from onnx_nodes import random_layer
from reference_runs import lowered

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

FOLDER = Path(__file__).with_name("cocotb_axi")
TOP = "cvn_cluster_axi"
SMALL = {
    "gemm.matmul.extents": "{m: 4, n: 8, k: 8}",
    "l1.size": "32KiB",
    "l1.banks": "16",
    "load.bytes_per_cycle": "16",
    "store.bytes_per_cycle": "16",
}
SEEDS = (0, 3, 4)
PAUSES = (0, 300, 700)


def _capture(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _build(acg: Acg, folder: Path) -> None:
    """The simulator with cocotb's main program, as `folder`/TOP."""
    root = verilator_root()
    flags = ["--cc", "--vpi", "--assert", "--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
    sources = [FOLDER / "public.vlt", *cluster_sources(acg), FOLDER / f"{TOP}.sv"]
    includes = [f"-I{header.parent}" for header in cluster_headers()]
    command = [str(root / "bin" / "verilator_bin"), *flags, "--prefix", "Vtop"]
    command += ["--top-module", TOP, "--Mdir", str(folder), *includes, *map(str, sources)]
    _capture(command, VERILATOR_ROOT=str(root))
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    names = ("verilated", "verilated_vpi", "verilated_threads")
    runtime = [root / "include" / f"{name}.cpp" for name in names]
    cxx = [*find_compiler().command, "-std=c++20", "-O1", "-w", f"-I{folder}"]
    cxx += [f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]
    cxx += [f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TRACE", "TRACE_VCD", "TRACE_FST")]
    cxx += ["-DVM_TIMING=0", "-DVM_TRACE_SAIF=0"]

    def compile_one(source: Path) -> str:
        target = folder / f"{source.stem}.o"
        level = ["-O0"] if source.stem.endswith("__Slow") else []
        _capture([*cxx, *level, "-c", str(source), "-o", str(target)])
        return str(target)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, [*folder.glob("*.cpp"), main, *runtime]))
    libraries = cocotb_tools.config.libs_dir
    links = [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lcocotbvpi_verilator", "-pthread"]
    _capture([*find_compiler().command, *objects, *links, "-o", str(folder / TOP)])


def _compile(seed: int, acg: Acg, folder: Path) -> Compiled:
    case = random_layer(seed)
    model, (layer,) = lowered(case, folder)
    mapping = solve(layer.codelet, acg)
    cost = evaluate(mapping, layer.codelet, acg)
    image = pipeline.compile_layer(MappedLayer(model.layers[0], layer, mapping, cost), acg).image
    return Compiled(case, model, model.layers[0], layer, image)


def test_cluster_obeys_an_independent_model_of_its_bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    acg = read_architecture("snax", SMALL)
    build, cases = tmp_path / "build", tmp_path / "cases"
    build.mkdir()
    cases.mkdir()
    compiled = {seed: _compile(seed, acg, tmp_path) for seed in SEEDS}
    before = {s: c.image.dram(c.seen(c.case.inputs)) for s, c in compiled.items()}
    size = -(-max(dram.size for dram in before.values()) // 4096) * 4096
    for seed, permille in zip(SEEDS, PAUSES, strict=True):
        rest = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
        rest[: before[seed].size] = before[seed]
        before[seed] = rest
        words = np.array(compiled[seed].image.words, np.uint64)
        np.savez(cases / f"{seed}.npz", words=words, dram=rest, pause_permille=permille)
    _build(acg, build)
    results = get_runner("verilator").test(
        test_module="cocotb_cluster",
        hdl_toplevel=TOP,
        hdl_toplevel_lang="verilog",
        build_dir=build,
        test_dir=tmp_path,
        extra_env={"CVN_CASES": str(cases)},
        log_file=tmp_path / "log.txt",
    )
    assert get_results(results) == (1, 0), (tmp_path / "log.txt").read_text()[-4000:]
    for seed, layer in compiled.items():
        after = np.load(cases / f"{seed}.after.npy")
        for name, wanted in layer.reference(layer.case.inputs).items():
            np.testing.assert_array_equal(layer.outputs(after)[name], wanted)
        kept = layer.keeps(after)
        np.testing.assert_array_equal(after[kept], before[seed][kept])
