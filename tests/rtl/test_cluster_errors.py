"""Every error of a running cluster, as a user sees it: one golden per code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError, Span
from covenant.core.resources import architectures_directory
from covenant.sim.cluster import Cluster
from rtl.assembler import Assembler

pytestmark = pytest.mark.rtl

ROOT = Path(__file__).parents[2]
ERRORS = Path(__file__).parents[1] / "errors"
ACG = read_architecture("snax")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(ACG, dram_bytes=1 << 16) as cluster:
        yield cluster


def run(cluster: Cluster, program: Assembler, max_cycles: int = 100_000) -> None:
    program.halt()
    cluster.load_program(program.words)
    cluster.run(max_cycles)


def program_larger_than_its_memory(cluster: Cluster) -> None:
    cluster.load_program([0] * 10_000)


def bytes_outside_dram(cluster: Cluster) -> None:
    cluster.write_dram(1 << 16, b"x")


def endless_program(cluster: Cluster) -> None:
    program = Assembler(ACG)
    program.loop(1, 1_000_000)
    program.write("gemm", {"za": 1})
    run(cluster, program, 1000)


def semaphore_never_posted(cluster: Cluster) -> None:
    program = Assembler(ACG)
    program.launch("load1", wait="b_free")
    run(cluster, program)


def transfer_leaves_dram(cluster: Cluster) -> None:
    program = Assembler(ACG)
    program.write("load0", {"src.base": 1 << 20})
    program.launch("load0")
    run(cluster, program)


def address_not_a_word(cluster: Cluster) -> None:
    program = Assembler(ACG)
    program.write("load0", {"src.base": 4})
    program.launch("load0")
    run(cluster, program)


CASES: dict[str, Callable[[Cluster], None]] = {
    "SIM005": program_larger_than_its_memory,
    "SIM006": bytes_outside_dram,
    "SIM007": endless_program,
    "SIM008": semaphore_never_posted,
    "SIM009": transfer_leaves_dram,
    "SIM013": address_not_a_word,
}


@pytest.mark.parametrize("code", CASES)
def test_error_reads_as_recorded(
    code: str, cluster: Cluster, golden: Callable[[Path, str], None]
) -> None:
    with pytest.raises(CovenantError) as caught:
        CASES[code](cluster)
    cluster.poison(1)
    (found,) = caught.value.diagnostics
    assert found.code == code
    text = str(replace(found, span=Span(found.span.file))).replace(
        str(architectures_directory()), "architectures"
    )
    # Where the module sits in the cluster and the assertion in its file may change.
    text = re.sub(r"\.sv:\d+", ".sv", text)
    text = re.sub(r"in TOP\.\S*\.(\w+\.\w+:)", r"in \1", text)
    golden(ERRORS / code / "expected.txt", f"# {CASES[code].__name__}\n{text}\n")


def test_every_code_of_the_simulator_has_a_case() -> None:
    folder = ROOT / "covenant" / "sim"
    text = "".join((folder / name).read_text() for name in ("cluster.py", "verilator.py"))
    codes = set(re.findall(r'"(SIM\d{3})"', text))
    assert codes == CASES.keys() | {"SIM001", "SIM002", "SIM003", "SIM004"}
